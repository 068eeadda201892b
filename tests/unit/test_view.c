/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "base/xmalloc.h"
#include "view/view.h"
#include "view/view_log.h"

static int
apply(struct view *v, const char *event, const char *data)
{
	struct err e;
	int rc = view_apply(v, event, data, strlen(data), 1000, &e);

	assert_true((rc == 0) == (e.msg[0] == '\0'));
	return rc;
}

static struct view_engine
engine(const char *id)
{
	return (struct view_engine){.id = xstrdup(id), .name = xstrdup("Name \"q\" \xc3\xa9"), .kind = xstrdup("mlx_lm.server"),
	    .kind_short = xstrdup("mlx"), .state = ENGINE_BACKOFF, .reason = REASON_CRASH, .current = true, .pid = 77,
	    .port = 8082, .attempt = 2, .max_attempts = 3, .since = 5, .spawned_at = 6, .retry_at = 7000,
	    .retry_total = 4000, .quiet_limit = 30000, .drain_limit = 1, .usual_ms = 2, .progress = -1,
	    .rss = 17000000000, .cpu_permille = 3990, .memory = 3, .in_flight = 4, .queued = 5,
	    .last_exit = xstrdup("SIGKILL after 12s"), .failed_wall = 1700000000000};
}

static struct view
sample(void)
{
	struct view v;

	view_init(&v);
	v.version = xstrdup("0.1.0");
	v.listen = xstrdup("http://127.0.0.1:8081");
	v.instance = xstrdup("default");
	v.pid = 42;
	v.protocol = VIEW_PROTOCOL;
	v.foreground = true;
	v.started = 123456;
	v.seq = 1700000000001;
	v.viewer_id = 2;
	v.viewer_name = xstrdup("attach#2 alice");
	v.viewers = 2;
	v.lost = 9;
	v.engines = xcalloc(2, sizeof(*v.engines));
	v.engines[0] = engine("qwen");
	v.engines[1] = engine("smol");
	v.engines[1].current = false;
	v.nengines = 2;
	v.requests = xcalloc(1, sizeof(*v.requests));
	v.requests[0] = (struct view_request){.id = 7, .client = xstrdup("127.0.0.1:1"), .model = xstrdup("qwen"),
	    .path = xstrdup("/v1/chat/completions"), .api = xstrdup("chat"), .phase = REQ_PREFILL, .since = 50,
	    .bytes_in = 1, .bytes_out = 2, .tokens_in = -1, .tokens_out = 3, .tokens_per_second = 48.25, .estimated = true, .position = 1};
	v.nrequests = 1;
	v.swap_from = xstrdup("a");
	v.swap_to = xstrdup("b");
	v.swap_step = 2;
	v.swap_since = 99;
	v.in_flight = 1;
	v.done = 1000;
	v.tps = 12.5;
	v.rss = 1 << 30;
	v.memory_free = 1;
	v.memory_total = 2;
	v.queue_max_wait = 300000;
	v.insecure = true;
	v.log_next = 55;
	v.theme = xstrdup("mono");
	v.mouse = true;
	v.bell = false;
	view_hist_push(&v.hist, 1000, 1.5, 1 << 20);
	view_hist_push(&v.hist, 4000, -1, 2 << 20);
	return v;
}

/* What is decoded encodes to the same bytes: every field went both ways. */
static void
test_round_trip(void **state)
{
	struct view a = sample(), b;
	struct strbuf one = {0}, two = {0};

	(void)state;
	view_init(&b);
	view_put_snapshot(&one, &a, 5000);
	assert_int_equal(apply(&b, "snapshot", strbuf_str(&one)), 0);
	view_put_snapshot(&two, &b, 5000);
	assert_streq(strbuf_str(&one), strbuf_str(&two));
	assert_int_equal(b.skew, 4000);
	assert_int_equal(view_now(&b, 1500), 5500);
	assert_int_equal(b.hist.n, 4);
	assert_true(b.hist.tps[1] == 1.5f && b.hist.tps[3] == -1 && b.hist.rss[3] == 2);
	assert_streq(view_current(&b)->id, "qwen");
	assert_int_equal(b.engines[1].state, ENGINE_BACKOFF);
	assert_null(b.engines[0].cause);
	assert_int_equal(b.requests[0].tokens_in, -1);
	assert_true(b.requests[0].estimated);
	/* Again over what is there. */
	assert_int_equal(apply(&b, "snapshot", strbuf_str(&one)), 0);
	strbuf_clear(&two);
	view_put_hello(&two, &a, 6000);
	assert_int_equal(apply(&b, "hello", strbuf_str(&two)), 0);
	assert_int_equal(b.skew, 5000);
	assert_int_equal(b.viewer_id, 2);
	assert_streq(b.viewer_name, "attach#2 alice");
	strbuf_fini(&one);
	strbuf_fini(&two);
	view_fini(&a);
	view_fini(&b);
}

static void
test_engines(void **state)
{
	struct view a = sample();
	struct view_engine e = engine("new");
	struct strbuf b = {0};

	(void)state;
	a.engines[1].discovered = true;
	view_put_engine(&b, &e, 1);
	assert_int_equal(apply(&a, "engine", strbuf_str(&b)), 0);
	assert_int_equal(a.nengines, 3);
	assert_streq(a.engines[1].id, "new");
	assert_int_equal(apply(&a, "engine", "{\"id\":\"qwen\",\"state\":\"ready\",\"progress\":500,\"current\":false}"), 0);
	assert_int_equal(a.engines[0].state, ENGINE_READY);
	assert_int_equal(a.engines[0].progress, 500);
	assert_streq(a.engines[0].name, "qwen");
	assert_null(a.engines[0].last_exit);
	assert_streq(view_current(&a)->id, "new");
	assert_int_equal(apply(&a, "engine", "{\"state\":\"ready\"}"), -1);
	assert_int_equal(apply(&a, "engine", "{\"id\":\"qwen\",\"pid\":\"x\"}"), -1);
	assert_int_equal(apply(&a, "engine", "{\"id\":\"qwen\",\"pid\":1e300}"), -1);
	assert_int_equal(apply(&a, "engine", "[]"), -1);
	assert_int_equal(apply(&a, "engine", "{"), -1);
	assert_int_equal(a.engines[0].state, ENGINE_READY);
	assert_int_equal(apply(&a, "nonsense", "{"), 0);
	view_engine_fini(&e);
	strbuf_fini(&b);
	view_fini(&a);
}

static void
test_requests(void **state)
{
	struct view a = sample();

	(void)state;
	assert_int_equal(apply(&a, "request", "{\"id\":9,\"phase\":\"queued\",\"position\":2}"), 0);
	assert_int_equal(apply(&a, "request", "{\"id\":8,\"phase\":\"gen\",\"model\":\"m\"}"), 0);
	assert_int_equal(a.nrequests, 3);
	assert_int_equal(a.requests[1].id, 8);
	assert_int_equal(a.requests[1].tokens_out, -1);
	assert_int_equal(view_request_find(&a, 9)->position, 2);
	assert_int_equal(apply(&a, "request", "{\"id\":8,\"phase\":\"done\"}"), 0);
	assert_int_equal(apply(&a, "request", "{\"id\":1234,\"phase\":\"done\"}"), 0);
	assert_int_equal(a.nrequests, 2);
	assert_null(view_request_find(&a, 8));
	assert_int_equal(apply(&a, "request", "{\"id\":-4}"), -1);
	view_fini(&a);
}

static void
test_gauges_and_rest(void **state)
{
	struct view a = sample(), c;
	struct strbuf b = {0};

	(void)state;
	view_init(&c);
	view_put_snapshot(&b, &a, 1);
	assert_int_equal(apply(&c, "snapshot", strbuf_str(&b)), 0);
	free(a.swap_from);
	free(a.swap_to);
	a.swap_from = a.swap_to = NULL;
	a.swap_step = 0;
	a.tps = 99;
	a.engines[1].rss = 4711;
	a.engines[1].tps = 41.5;
	strbuf_clear(&b);
	view_put_gauges(&b, &a, 5000);
	assert_int_equal(apply(&c, "gauges", strbuf_str(&b)), 0);
	assert_null(c.swap_to);
	assert_true(c.tps == 99);
	assert_int_equal(c.engines[1].rss, 4711);
	assert_true(c.engines[1].tps == 41.5);
	assert_int_equal(c.hist.n, 5);
	assert_true(c.hist.tps[4] == 99);
	assert_int_equal(apply(&c, "gauges", "{\"tps\":\"x\",\"done\":5}"), -1);
	assert_int_equal(c.done, 1000);
	/* As a core of an older version tells it. */
	assert_int_equal(apply(&c, "gauges", "{\"use\":[[\"smol\",1,2]]}"), 0);
	assert_int_equal(c.engines[1].rss, 1);
	assert_true(c.engines[1].tps == 41.5);

	strbuf_clear(&b);
	view_put_log(&b, 1234);
	assert_int_equal(apply(&c, "log", strbuf_str(&b)), 0);
	assert_int_equal(c.log_next, 1234);
	assert_int_equal(apply(&c, "log", "{}"), -1);
	strbuf_clear(&b);
	view_put_action(&b, NULL, "stop qwen");
	assert_int_equal(apply(&c, "action", strbuf_str(&b)), 0);
	assert_int_equal(apply(&c, "action", strbuf_str(&b)), 0);
	assert_int_equal(c.action_n, 2);
	assert_streq(c.action, "stop qwen");
	assert_null(c.action_who);
	strbuf_clear(&b);
	view_put_shutdown(&b, "SIGTERM");
	assert_int_equal(apply(&c, "shutdown", strbuf_str(&b)), 0);
	assert_true(c.shutting_down);
	assert_streq(c.shutdown_text, "SIGTERM");
	strbuf_fini(&b);
	view_fini(&a);
	view_fini(&c);
}

/* What a terminal would obey is made visible in whatever is shown; what is sent back stays as it is. */
static void
test_hostile_texts(void **state)
{
	static const char text[] = "{\"id\":\"a\\u202eb\",\"cause\":\"x\\u202e\\u001b[31my\\u0007\",\"last_exit\":\"1\\n2\"}";
	struct view v;

	(void)state;
	view_init(&v);
	assert_int_equal(apply(&v, "engine", text), 0);
	assert_streq(v.engines[0].id, "a\342\200\256b");
	assert_streq(v.engines[0].name, "a<202e>b");
	assert_streq(v.engines[0].cause, "x<202e>y^G");
	assert_streq(v.engines[0].last_exit, "1^J2");
	assert_int_equal(apply(&v, "request", "{\"id\":1,\"client\":\"\\u200b\",\"model\":\"a\\u202eb\",\"phase\":\"gen\"}"), 0);
	assert_streq(v.requests[0].client, "<200b>");
	assert_ptr_equal(view_engine_find(&v, v.requests[0].model), &v.engines[0]);
	assert_int_equal(apply(&v, "action", "{\"who\":\"\\u001b]0;x\\u0007me\",\"text\":\"\\u009b2J!\"}"), 0);
	assert_streq(v.action_who, "me");
	assert_streq(v.action, "!");
	assert_int_equal(apply(&v, "shutdown", "{\"text\":\"\\u2066.\"}"), 0);
	assert_streq(v.shutdown_text, "<2066>.");
	view_fini(&v);
}

static void
test_bad_snapshot(void **state)
{
	struct view a = sample();

	(void)state;
	assert_int_equal(apply(&a, "snapshot", "{}"), -1);
	assert_int_equal(apply(&a, "snapshot", "{\"engines\":[{\"id\":\"x\"},{}],\"requests\":[]}"), -1);
	assert_int_equal(apply(&a, "snapshot", "{\"engines\":[],\"requests\":[{\"id\":2},{\"id\":1}]}"), -1);
	assert_int_equal(a.nengines, 2);
	assert_int_equal(a.nrequests, 1);
	assert_int_equal(apply(&a, "snapshot", "{\"engines\":[],\"requests\":[]}"), 0);
	assert_int_equal(a.nengines, 0);
	assert_null(view_current(&a));
	view_fini(&a);
}

static void
test_hist(void **state)
{
	struct view_hist h = {0};

	(void)state;
	for (int i = 0; i < 400; i++)
		view_hist_push(&h, 1000u * (unsigned)i, i, 0);
	assert_int_equal(h.n, VIEW_HIST);
	assert_true(h.tps[VIEW_HIST - 1] == 399 && h.tps[0] == 100);
	view_hist_push(&h, 399100, 7, 0);
	assert_true(h.tps[VIEW_HIST - 1] == 7 && h.tps[0] == 100);
	view_hist_push(&h, 402000, 8, 0);
	assert_true(h.tps[VIEW_HIST - 1] == 8 && h.tps[VIEW_HIST - 2] == 7 && h.tps[VIEW_HIST - 4] == 7 &&
	    h.tps[VIEW_HIST - 5] == 398);
	view_hist_push(&h, UINT64_MAX / 2, 9, 0);
	assert_true(h.tps[VIEW_HIST - 1] == 9 && h.tps[0] == 8);
}

static void
test_log(void **state)
{
	struct view_log *l = view_log_new(4096);
	static const char answer[] = "{\"first\":1,\"next\":6,\"dropped\":3,\"lines\":[[4,1700000000000,\"child\",\" \",\"four\"],"
	    "[5,1700000000001,\"mai\",\"W\",\"five\"],[5,1,\"mai\",\" \",\"twice\"],[\"x\"],[6,1,\"nobody\",\" \",\"\"]]}";
	uint64_t next = 0;
	struct err e;

	(void)state;
	assert_int_equal(view_log_apply(l, answer, strlen(answer), 0, &next, &e), 2);
	assert_int_equal(next, 6);
	assert_int_equal(view_log_apply(l, answer, strlen(answer), 0, &next, &e), 0);
	assert_int_equal(view_log_apply(l, "[]", 2, 0, &next, &e), -1);
	assert_int_equal(view_log_apply(l, "{", 1, 0, &next, &e), -1);
	assert_int_equal(view_log_count(l), 2);
	assert_streq(view_log_at(l, 1)->text, "five");
	assert_int_equal(view_log_at(l, 1)->level, 'W');
	assert_int_equal(view_log_at(l, 1)->source, SOURCE_MAI);
	assert_null(view_log_at(l, 2));
	assert_int_equal(view_log_find(l, 0), 0);
	assert_int_equal(view_log_find(l, VIEW_KEY(5)), 1);
	assert_int_equal(view_log_find(l, VIEW_KEY(6)), 2);
	view_log_restart(l);
	for (unsigned i = 1; i <= 3000; i++)
		view_log_put(l, i, i, SOURCE_CHILD, ' ', NULL, "some words", 10);
	assert_true(view_log_count(l) > 20 && view_log_count(l) < 200);
	assert_int_equal(view_log_count(l) + view_log_at(l, 0)->seq - 1, 3000);
	assert_int_equal(view_log_at(l, view_log_count(l) - 1)->seq, 3000);
	assert_int_equal(view_log_find(l, VIEW_KEY(2995)), view_log_count(l) - 6);
	view_log_free(&l);
	assert_null(l);
}

static void
put(struct view_log *l, uint64_t seq, enum log_source source, const char *model, const char *text)
{
	view_log_put(l, seq, seq, source, ' ', model, text, strlen(text));
}

/* A flood of one source leaves the lines of the others. */
static void
test_log_shares(void **state)
{
	struct view_log *l = view_log_new(64 * 1024);
	size_t alive = 0, told = 0, bytes = 0;

	(void)state;
	put(l, 1, SOURCE_MAI, NULL, "told once");
	put(l, 2, SOURCE_ACCESS, "a", "asked once");
	for (uint64_t i = 3; i < 20000; i++)
		put(l, i, SOURCE_CHILD, "a", "a flood of lines of which none is worth much");
	for (size_t i = 0; i < view_log_count(l); i++) {
		const struct view_line *x = view_log_at(l, i);

		alive += !x->dead;
		told += !x->dead && x->source != SOURCE_CHILD;
		bytes += x->dead ? 0 : x->len;
		assert_int_equal(view_log_find(l, x->key), i);
	}
	assert_int_equal(told, 2);
	assert_true(alive > 300 && bytes < 64 * 1024);
	assert_true(view_log_count(l) < 4 * alive);	/* holes are closed */
	assert_int_equal(view_log_first(l), 1);
	assert_true(view_log_full(l));
	assert_streq(view_log_model(l, view_log_at(l, view_log_count(l) - 1)->model), "a");
	assert_int_equal(view_log_model_find(l, "b"), 0);
	assert_streq(view_log_model(l, 0), "");
	view_log_free(&l);
}

static void
test_log_older(void **state)
{
	static const char page[] = "{\"first\":1,\"next\":12,\"dropped\":0,\"lines\":[[7,1,\"child\",\" \",\"seven\",\"m\"],"
	    "[9,1,\"mai\",\"W\",\"nine\",\"\"],[10,1,\"child\",\" \",\"ten\"],[11,1,\"child\",\" \",\"eleven\"]]}";
	static const char far[] = "{\"first\":1,\"next\":5,\"dropped\":0,\"lines\":[[4,1,\"child\",\" \",\"four\"]]}";
	struct view_log *l = view_log_new(4096);
	bool gap;

	(void)state;
	view_log_note(l, 5, SOURCE_MAI, ' ', "before everything");
	put(l, 10, SOURCE_CHILD, NULL, "ten");
	put(l, 12, SOURCE_CHILD, NULL, "twelve");
	assert_int_equal(view_log_apply_older(l, far, strlen(far), &gap, NULL), 0);
	assert_true(gap);
	assert_int_equal(view_log_apply_older(l, page, strlen(page), &gap, NULL), 2);
	assert_false(gap);
	assert_int_equal(view_log_count(l), 5);
	assert_int_equal(view_log_first(l), 7);
	assert_streq(view_log_at(l, 0)->text, "seven");
	assert_streq(view_log_at(l, 2)->text, "before everything");
	assert_streq(view_log_at(l, 3)->text, "ten");
	for (size_t i = 1; i < 5; i++)
		assert_true(view_log_at(l, i)->key > view_log_at(l, i - 1)->key);
	assert_int_equal(view_log_apply_older(l, "{}", 2, &gap, NULL), -1);
	assert_false(view_log_full(l));
	for (uint64_t i = 13; i < 200; i++)
		put(l, i, SOURCE_CHILD, NULL, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	assert_true(view_log_full(l));
	view_log_free(&l);
}

static void
test_log_notes(void **state)
{
	struct view_log *l = view_log_new(1 << 20);
	size_t notes = 0;
	char t[32];

	(void)state;
	put(l, 1, SOURCE_CHILD, NULL, "one");
	view_log_note(l, 5, SOURCE_MAI, 'M', "mark");
	put(l, 2, SOURCE_CHILD, NULL, "two");
	assert_int_equal(view_log_count(l), 3);
	assert_true(view_log_at(l, 1)->note && view_log_at(l, 1)->seq == 1);
	for (int i = 0; i < 1000; i++) {
		snprintf(t, sizeof(t), "note %d", i);
		view_log_note(l, 5, SOURCE_MAI, ' ', t);
	}
	for (size_t i = 0; i < view_log_count(l); i++)
		notes += !view_log_at(l, i)->dead && view_log_at(l, i)->note;
	assert_int_equal(notes, 200);
	assert_streq(view_log_at(l, view_log_count(l) - 1)->text, "note 999");
	assert_int_equal(view_log_generation(l), 0);
	view_log_restart(l);
	assert_int_equal(view_log_generation(l), 1);
	assert_int_equal(view_log_count(l), 200);
	assert_int_equal(view_log_first(l), 0);
	put(l, 1, SOURCE_CHILD, NULL, "of another core");
	assert_streq(view_log_at(l, 200)->text, "of another core");
	assert_true(view_log_at(l, 199)->key < view_log_at(l, 200)->key);
	view_log_free(&l);
}

/* Whom the header is about, from the states of three. */
static void
test_current(void **state)
{
	static const struct {
		const char *events[3], *want;
	} cases[] = {
		{{"\"state\":\"ready\",\"since\":5", "\"state\":\"ready\",\"since\":9,\"current\":true", "\"since\":99"}, "b"},
		/* The current one was stopped: another one that lives. */
		{{"\"state\":\"ready\",\"since\":5", "\"state\":\"stopped\",\"since\":9,\"current\":true", "\"since\":99"}, "a"},
		{{"\"state\":\"failed\",\"since\":5", "\"state\":\"stopped\",\"since\":9,\"current\":true", "\"since\":99"}, "b"},
		{{"\"state\":\"failed\",\"since\":5,\"current\":true", "\"state\":\"ready\",\"since\":9", "\"since\":99"}, "a"},
		{{"\"state\":\"stopped\",\"since\":5", "\"state\":\"stopped\",\"since\":9", "\"since\":0"}, "b"},
		{{"\"state\":\"stopped\"", "\"state\":\"stopped\"", "\"discovered\":true"}, "a"},
	};
	char t[160];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct view v;

		view_init(&v);
		for (int k = 0; k < 3; k++) {
			snprintf(t, sizeof(t), "{\"id\":\"%c\",%s}", 'a' + k, cases[i].events[k]);
			assert_int_equal(apply(&v, "engine", t), 0);
		}
		assert_streq(view_current(&v)->id, cases[i].want);
		view_fini(&v);
	}
}

/* What was seen of an engine stays with it while its process lives. */
static void
test_hist_of_engines(void **state)
{
	struct view v;
	char t[128];

	(void)state;
	view_init(&v);
	apply(&v, "engine", "{\"id\":\"a\",\"state\":\"ready\",\"pid\":7,\"tps\":3.5}");
	for (int i = 1; i <= 3; i++) {
		snprintf(t, sizeof(t), "{\"now\":%d,\"use\":[[\"a\",%d,500],[\"b\",1,1]]}", i * 1000, i << 20);
		apply(&v, "gauges", t);
	}
	assert_int_equal(v.engines[0].hist->n, 3);
	assert_true(v.engines[0].hist->rss[2] == 3 && v.engines[0].hist->tps[2] == 3.5f);
	apply(&v, "engine", "{\"id\":\"a\",\"state\":\"draining\",\"pid\":7}");
	assert_int_equal(v.engines[0].hist->n, 3);
	apply(&v, "snapshot", "{\"engines\":[{\"id\":\"a\",\"state\":\"ready\",\"pid\":7}],\"requests\":[]}");
	assert_int_equal(v.engines[0].hist->n, 3);
	apply(&v, "engine", "{\"id\":\"a\",\"state\":\"starting\",\"pid\":8}");
	assert_null(v.engines[0].hist);
	view_fini(&v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_engines),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_gauges_and_rest),
		cmocka_unit_test(test_bad_snapshot),
		cmocka_unit_test(test_hostile_texts),
		cmocka_unit_test(test_hist),
		cmocka_unit_test(test_current),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_log_shares),
		cmocka_unit_test(test_log_older),
		cmocka_unit_test(test_log_notes),
		cmocka_unit_test(test_hist_of_engines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
