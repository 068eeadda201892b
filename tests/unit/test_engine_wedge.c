/* SPDX-License-Identifier: ISC */
#include "engine_fixture.h"

#define STALL 1000
#define LONG 6000	/* more than it takes to find a wedge */

static void
start(const char *kind, const char *words)
{
	t.m.kind = conf_kind_find(kind);
	t.m.backoff = 60000;
	t.m.stall_timeout = STALL;
	engine_with(words);
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
}

static void
expect_wedged(const char *text, const char *cause)
{
	const struct engine_exit *x;

	UNTIL_STATE(ENGINE_BACKOFF);
	x = engine_info(t.e)->last_exit;
	assert_int_equal(engine_info(t.e)->reason, REASON_WEDGED);
	assert_int_equal(x->reason, REASON_WEDGED);
	assert_int_equal(engine_info(t.e)->crashes, 1);
	assert_false(x->expected);
	if (strstr(x->text, text) == NULL || strstr(x->cause, cause) == NULL)
		fail_msg("%s | %s", x->text, x->cause);
	UNTIL(left() == 0);
}

/* All at once: what each is like, what happens to it, and what is made of it (cause NULL: it is left alone). */
static const struct kase {
	const char *name, *kind, *words;
	int inflight;
	bool suspect, feed, external, no_check, never;
	const char *text, *cause;
} kases[] = {
	{"stalled", "llama-server", "hang=0", .inflight = 2,
	    .text = "no byte, no prompt progress and an idle process group for ",
	    .cause = "2 requests got nothing; a test completion got no answer for "},
	{"stalled custom", "custom", "hang=0", .inflight = 1, .text = "no byte", .cause = "a test completion got no answer"},
	{"prefill", "llama-server", "hang=0;burn", .inflight = 1},
	{"bytes", "llama-server", "hang=0", .inflight = 1, .feed = true},
	{"lines", "llama-server", "hang=0;repeat=still at it", .inflight = 1},
	{"own lines", "custom", "hang=0;repeat=127.0.0.1 - \"GET /health HTTP/1.1\" 200 OK", .inflight = 1, .text = "no byte",
	    .cause = "1 request got nothing"},
	{"lines of nothing", "vllm", "hang=0;repeat=INFO 11-27 10:00:00 Engine 000: Avg prompt throughput: 0.0 tokens/s, "
	    "Avg generation throughput: 0.0 tokens/s, Running: 1 reqs", .inflight = 1, .text = "no byte",
	    .cause = "got nothing"},
	{"lines of work", "vllm", "hang=0;repeat=INFO 11-27 10:00:00 Engine 000: Avg prompt throughput: 310.0 tokens/s, "
	    "Avg generation throughput: 0.0 tokens/s, Running: 1 reqs", .inflight = 1},
	{"words about the witness", "custom", "hang=0;shout=a request came", .inflight = 1, .text = "no byte",
	    .cause = "got nothing"},
	{"the witness answers", "llama-server", "", .inflight = 1},
	{"only a check", "custom", "hang=0", .inflight = 1, .no_check = true},
	{"suspected", "llama-server", "hang=0", .suspect = true, .text = "it does not generate",
	    .cause = "a request ended without an answer; a test completion got no answer"},
	{"suspected, but well", "llama-server", "", .suspect = true},
	{"suspected, unknown kind", "custom", "hang=0", .suspect = true},
	{"suspected, but works", "llama-server", "hang=0;burn", .suspect = true},
	{"behind real work", "llama-server", "hang=0", .inflight = 1, .suspect = true, .feed = true},
	{"the witness fails", "llama-server", "refuse=500", .suspect = true, .text = "it does not generate",
	    .cause = "a test completion was answered 500"},
	{"the witness is refused", "llama-server", "refuse=404", .suspect = true},
	{"never", "llama-server", "hang=0", .inflight = 1, .suspect = true, .never = true},
	{"external", "llama-server", "hang=0;burn", .inflight = 1, .external = true,
	    .text = "no byte and no prompt progress for ", .cause = "a test completion got no answer"},
};

#define NKASES ARRAY_LEN(kases)
static struct fleet {
	struct conf_model m;
	struct engine *e;
	char id[16];
} fleet[NKASES];

static void
launch(size_t i)
{
	struct conf_model *m = &fleet[i].m;
	char *copy = xstrdup(kases[i].words), *save = NULL;

	*m = t.m;
	snprintf(fleet[i].id, sizeof(fleet[i].id), "m%zu", i);
	m->id = fleet[i].id;
	m->kind = conf_kind_find(kases[i].kind);
	m->stall_timeout = kases[i].never ? 0 : STALL;
	m->external = kases[i].external;
	m->backoff = 60000;
	if (kases[i].no_check)
		m->check_path = NULL;
	strv_add(&m->argv, "/proc/self/exe");
	strv_add(&m->argv, "child");
	strv_add(&m->argv, "port=${PORT}");
	for (char *w = strtok_r(copy, ";", &save); w != NULL; w = strtok_r(NULL, ";", &save))
		strv_add(&m->argv, w);
	free(copy);
	fleet[i].e = engine_new(t.env, &t.conf, m, NULL, NULL);
	engine_start(fleet[i].e, REASON_USER, true);
}

/* How many are in a state. */
static size_t
in_state(enum engine_state s)
{
	size_t n = 0;

	for (size_t i = 0; i < NKASES; i++)
		n += engine_info(fleet[i].e)->state == s;
	return n;
}

static void
feed_all(void)
{
	for (size_t i = 0; i < NKASES; i++)
		if (kases[i].feed)
			engine_progress(fleet[i].e);
}

static void
check_one(size_t i)
{
	const struct engine_info *info = engine_info(fleet[i].e);
	const struct engine_exit *x = info->last_exit;
	bool wedged = kases[i].cause != NULL;

	if (info->state != (wedged ? ENGINE_BACKOFF : ENGINE_READY) || info->crashes != (wedged ? 1 : 0))
		fail_msg("%s: %s; %s: %s", kases[i].name, engine_state_name(info->state), x->text, x->cause);
	if (!wedged)
		return;
	if (x->reason != REASON_WEDGED || x->requests_lost != kases[i].inflight || strstr(x->text, kases[i].text) == NULL ||
	    strstr(x->cause, kases[i].cause) == NULL ||
	    (strstr(x->cause, "process group was idle") != NULL) == kases[i].external)
		fail_msg("%s: %s: %s", kases[i].name, x->text, x->cause);
}

static void
test_fleet(void **state)
{
	size_t wedged = 0;
	uint64_t began;

	(void)state;
	for (size_t i = 0; i < NKASES; i++) {
		wedged += kases[i].cause != NULL;
		launch(i);
	}
	UNTIL(in_state(ENGINE_READY) == NKASES);
	for (size_t i = 0; i < NKASES; i++) {
		engine_set_inflight(fleet[i].e, kases[i].inflight);
		if (kases[i].suspect)
			engine_suspect(fleet[i].e);
	}
	began = clock_ms();
	while (clock_ms() - began < PATIENCE + LONG && (in_state(ENGINE_BACKOFF) < wedged || clock_ms() - began < LONG)) {
		feed_all();
		loop_once(t.loop, 20);
	}
	for (size_t i = 0; i < NKASES; i++)
		check_one(i);
}

static int
teardown_fleet(void **state)
{
	for (size_t i = 0; i < NKASES; i++)
		if (fleet[i].e != NULL)
			engine_kill(fleet[i].e, REASON_SHUTDOWN);
	for (uint64_t end = clock_ms() + PATIENCE; clock_ms() < end && in_state(ENGINE_STOPPED) < NKASES;)
		loop_once(t.loop, 20);
	for (size_t i = 0; i < NKASES; i++) {
		engine_free(&fleet[i].e);
		strv_free(&fleet[i].m.argv);
	}
	return teardown(state);
}

/* A story that ended well begins anew: the whole time must pass again, and then that of the question. */
static void
test_an_answer_clears(void **state)
{
	uint64_t asked;

	(void)state;
	t.m.external = true;
	start("llama-server", "hang=1;shout=asked");
	t.m.stall_timeout = 2 * STALL;
	engine_set_inflight(t.e, 1);
	UNTIL(logged("asked"));
	asked = clock_ms();
	expect_wedged("no byte", "a test completion got no answer");
	assert_true(clock_ms() - asked >= 4 * STALL - 300);
}

static void
test_drain_ends(void **state)
{
	(void)state;
	start("llama-server", "hang=0");
	engine_set_inflight(t.e, 1);
	engine_stop(t.e, REASON_SWAP, false, true);
	assert_int_equal(STATE(), ENGINE_DRAINING);
	UNTIL_STATE(ENGINE_STOPPED);
	assert_int_equal(engine_info(t.e)->last_exit->reason, REASON_WEDGED);
}

static void
test_tripwire(void **state)
{
	(void)state;
	start("mlx_lm", "shout=Exception in thread Thread-1 (_generate):");
	engine_suspect(t.e);
	expect_wedged("alive, but it says that it cannot work", "Exception in thread");
}

/* What it takes is remembered while it runs. */
static void
test_peak_is_kept(void **state)
{
	char path[128], text[512] = "";
	FILE *f;

	(void)state;
	start("llama-server", "shout=asked");
	engine_suspect(t.e);
	UNTIL(logged("asked"));
	assert_true(engine_memory_need(t.env, &t.m) > 0);
	snprintf(path, sizeof(path), "%s/engines-%s.json", t.dir, instance);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
	fclose(f);
	assert_non_null(strstr(text, "\"peak_rss\":"));
	assert_null(strstr(text, "\"peak_rss\":0"));
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fleet, setup, teardown_fleet), T(test_an_answer_clears), T(test_drain_ends), T(test_tripwire), T(test_peak_is_kept),
	};

	if (argc > 1 && strcmp(argv[1], "child") == 0)
		return engine_child_main(argc, argv);
#ifndef __linux__
	return 77;
#endif
	RUN(tests);
}
