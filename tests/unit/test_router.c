/* SPDX-License-Identifier: ISC
 * The router over engines that are only a state. */
#include "unit.h"

#include "base/clock.h"
#include "router/router_ops.h"

struct engine {
	struct engine_info info;
	struct engine_exit exit;
	const struct conf_model *model;
	const struct engine_ops *ops;
	void *arg;
	int starts, stops, kills, restarts, inflight;
	bool unlimited, now;
};

static struct engine engines[4];
static size_t nengines;
static struct http_target target;
static struct loop *loop;
static struct bus *bus;
static struct metrics *metrics;
static struct conf *conf;
static struct conf_model models[3];
static struct conf_model *model_list[3];
static struct router *router;

static void
set(struct engine *e, enum engine_state to)
{
	enum engine_state from = e->info.state;

	e->info.state = to;
	if (to == ENGINE_READY) {
		e->info.ready_at = clock_ms();
		e->info.generation++;
	}
	e->ops->changed(e->arg, e, from, to);
}

static struct engine *
fake_create(struct engine_env *env, struct conf *c, const struct conf_model *m, const struct engine_ops *ops, void *arg)
{
	struct engine *e = &engines[nengines++];

	(void)env;
	(void)c;
	memset(e, 0, sizeof(*e));
	e->model = m;
	e->ops = ops;
	e->arg = arg;
	e->info.last_exit = &e->exit;
	return e;
}

static void fake_destroy(struct engine **e) { *e = NULL; }
static void fake_set_conf(struct engine *e, struct conf *c, const struct conf_model *m) { (void)c; e->model = m; }

static void
fake_start(struct engine *e, enum engine_reason why, bool manual)
{
	bool goes_on = e->info.state == ENGINE_DRAINING && !e->info.wanted;

	e->starts++;
	e->info.reason = why;
	e->info.wanted = true;
	if (goes_on) {
		e->info.state = ENGINE_READY;
		e->ops->changed(e->arg, e, ENGINE_DRAINING, ENGINE_READY);
	} else if (e->info.state == ENGINE_STOPPED || manual) {
		set(e, ENGINE_STARTING);
	}
}

static void
fake_stop(struct engine *e, enum engine_reason why, bool now, bool unlimited)
{
	e->stops++;
	e->info.reason = why;
	e->info.wanted = false;
	if (e->info.state == ENGINE_DRAINING && e->unlimited && !unlimited && !now) {
		e->unlimited = false;
		e->info.kill_at = 1;
		return;
	}
	e->unlimited = unlimited;
	e->info.kill_at = unlimited ? 0 : 1;
	e->now = now;
	set(e, e->inflight > 0 && !now ? ENGINE_DRAINING : ENGINE_STOPPING);
}

static void fake_kill(struct engine *e, enum engine_reason why) { (void)why; e->kills++; set(e, ENGINE_STOPPING); }
static void fake_restart(struct engine *e, bool force) { (void)force; e->restarts++; e->info.wanted = true; set(e, ENGINE_STOPPING); }

static void
fake_set_inflight(struct engine *e, int n)
{
	e->inflight = n;
	if (n == 0 && e->info.state == ENGINE_DRAINING)
		set(e, ENGINE_STOPPING);
}

static void fake_set_held(struct engine *e, int n) { assert_in_range(n, 0, e->inflight); }
static void fake_progress(struct engine *e) { (void)e; }
static void fake_suspect(struct engine *e) { (void)e; }
static const struct engine_info *fake_info(struct engine *e) { return &e->info; }
static const struct http_target *fake_target(const struct engine *e) { (void)e; return &target; }
static bool unsettled;
static uint64_t settle_since;	/* as the router told it last */
static int settle_asked;

static bool
fake_settled(struct engine_env *env, uint64_t since, uint64_t need)
{
	(void)need;
	(void)env;
	settle_since = since;
	settle_asked++;
	return since == 0 || !unsettled;
}

static int needs_asked;

static uint64_t
fake_need(const struct engine_env *env, const struct conf_model *m)
{
	(void)env;
	needs_asked++;
	return m->memory;
}

static const struct conf_model *unfit;

static bool
fake_preflight(struct engine *e, enum engine_reason why)
{
	(void)why;
	if (e->model != unfit)
		return true;
	snprintf(e->exit.cause, sizeof(e->exit.cause), "no such command");
	set(e, ENGINE_FAILED);
	return false;
}

static const struct router_ops fake_ops = {
	fake_create, fake_destroy, fake_set_conf, fake_start, fake_stop, fake_kill, fake_restart, fake_set_inflight,
	fake_set_held, fake_progress, fake_suspect, fake_info, fake_target, fake_settled, fake_need, fake_preflight,
};

struct req {
	struct ticket *t;
	struct router_answer a;
	int answers;
};

static void
on_answer(void *arg, const struct router_answer *a)
{
	struct req *q = arg;

	q->a = *a;
	q->answers++;
}

static void
submit(struct req *q, const char *model)
{
	bool waits;

	memset(q, 0, sizeof(*q));
	q->t = router_submit(router, model, on_answer, q, &q->a, &waits);
	if (!waits)
		q->answers = 1;
}

static void
turn(void)
{
	for (int i = 0; i < 5; i++)
		loop_once(loop, 0);
}

static int
setup(void **state)
{
	static char ids[3][2] = {"a", "b", "c"};

	(void)state;
	nengines = 0;
	unfit = NULL;
	unsettled = false;
	settle_since = 0;
	settle_asked = 0;
	loop = loop_new();
	bus = bus_new();
	metrics = metrics_new();
	memset(models, 0, sizeof(models));
	conf = calloc(1, sizeof(*conf));
	for (size_t i = 0; i < 3; i++) {
		models[i].id = ids[i];
		model_list[i] = &models[i];
	}
	conf->models = model_list;
	conf->nmodels = 3;
	conf->default_model = ids[0];
	conf->route = ROUTE_SWAP;
	conf->queue_max = 4;
	conf->queue_max_wait = 300000;
	conf->refs = 100;	/* never freed by the code under test: the tree is static */
	router = router_new_ops(loop, bus, metrics, NULL, conf, &fake_ops);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	router_free(&router);
	metrics_free(&metrics);
	bus_free(&bus);
	loop_free(&loop);
	free(conf);
	return 0;
}

static void
test_first_request_starts(void **state)
{
	struct req q;

	(void)state;
	submit(&q, NULL);
	assert_non_null(q.t);
	assert_int_equal(q.answers, 0);
	assert_int_equal(router_position(q.t), 1);
	turn();
	assert_int_equal(engines[0].starts, 1);
	assert_streq(router_current(router), "a");
	set(&engines[0], ENGINE_READY);
	turn();
	assert_int_equal(q.answers, 1);
	assert_int_equal(q.a.refusal, REFUSE_NONE);
	assert_streq(q.a.model->id, "a");
	assert_int_equal(router_in_flight(router), 1);
	router_done(&q.t);
	assert_int_equal(router_in_flight(router), 0);
}

static void
test_left_before_served(void **state)
{
	struct req q, q2;

	(void)state;
	submit(&q, "b");
	submit(&q2, "b");
	assert_int_equal(router_position(q2.t), 2);
	router_done(&q.t);
	assert_int_equal(router_position(q2.t), 1);
	router_done(&q2.t);
	turn();
	/* No load for nobody. */
	assert_int_equal(nengines, 0);
}

static void
test_unknown_and_full(void **state)
{
	struct req q[6];

	(void)state;
	submit(&q[0], "nope");
	assert_null(q[0].t);
	assert_int_equal(q[0].a.refusal, REFUSE_NOT_FOUND);
	for (int i = 0; i < 4; i++)
		submit(&q[i], "a");
	submit(&q[4], "a");
	assert_null(q[4].t);
	assert_int_equal(q[4].a.refusal, REFUSE_QUEUE_FULL);
	for (int i = 0; i < 4; i++)
		router_done(&q[i].t);
}

static void
test_swap_waits_for_in_flight(void **state)
{
	struct req a, b, late;

	(void)state;
	submit(&a, "a");
	turn();
	set(&engines[0], ENGINE_READY);
	turn();
	submit(&b, "b");
	turn();
	/* a has work and b's patience (0) is over: no more admission to a, nothing cut. */
	assert_int_equal(engines[0].info.state, ENGINE_DRAINING);
	assert_true(engines[0].unlimited);
	submit(&late, "a");
	assert_int_equal(late.answers, 0);
	router_done(&a.t);
	assert_int_equal(engines[0].info.state, ENGINE_STOPPING);
	turn();
	assert_int_equal(engines[1].starts, 0);
	set(&engines[0], ENGINE_STOPPED);
	turn();
	assert_int_equal(engines[1].starts, 1);
	set(&engines[1], ENGINE_READY);
	turn();
	assert_int_equal(b.answers, 1);
	assert_int_equal(router_swaps(router), 1);
	router_done(&b.t);
	turn();
	/* And back for the one who came late. */
	assert_int_equal(engines[1].info.state, ENGINE_STOPPING);
	set(&engines[1], ENGINE_STOPPED);
	turn();
	set(&engines[0], ENGINE_READY);
	turn();
	assert_int_equal(late.answers, 1);
	router_done(&late.t);
}

static void
test_swap_waits_for_memory(void **state)
{
	struct req a, b;

	(void)state;
	submit(&a, "a");
	turn();
	set(&engines[0], ENGINE_READY);
	turn();
	router_done(&a.t);
	unsettled = true;
	submit(&b, "b");
	turn();
	assert_int_equal(engines[0].info.state, ENGINE_STOPPING);
	set(&engines[0], ENGINE_STOPPED);
	/* The old one is gone, what it held is not back yet: the new one does not start on top of it. */
	for (uint64_t end = clock_ms() + 50; clock_ms() < end;)
		loop_once(loop, 5);
	assert_true(nengines < 2 || engines[1].starts == 0);
	unsettled = false;
	for (uint64_t end = clock_ms() + 5000; clock_ms() < end && (nengines < 2 || engines[1].starts == 0);)
		loop_once(loop, 5);
	assert_int_equal(engines[1].starts, 1);
	set(&engines[1], ENGINE_READY);
	turn();
	assert_int_equal(b.answers, 1);
	router_done(&b.t);
}

static void
test_failure_refuses_waiters(void **state)
{
	struct req q, q2;

	(void)state;
	submit(&q, "a");
	turn();
	snprintf(engines[0].exit.cause, sizeof(engines[0].exit.cause), "no memory");
	set(&engines[0], ENGINE_BACKOFF);
	turn();
	assert_int_equal(q.answers, 0);
	set(&engines[0], ENGINE_FAILED);
	turn();
	assert_int_equal(q.answers, 1);
	assert_int_equal(q.a.refusal, REFUSE_FAILED);
	assert_streq(q.a.cause, "no memory");
	assert_int_equal(q.a.retry_after, 60);
	router_done(&q.t);
	submit(&q2, "a");
	assert_null(q2.t);
	assert_int_equal(q2.a.refusal, REFUSE_FAILED);
	turn();
	assert_int_equal(engines[0].starts, 1);
}

static void
test_requeue_once(void **state)
{
	struct req q;

	(void)state;
	submit(&q, "a");
	turn();
	set(&engines[0], ENGINE_READY);
	turn();
	set(&engines[0], ENGINE_BACKOFF);
	assert_true(router_requeue(q.t));
	assert_int_equal(router_position(q.t), 1);
	turn();
	set(&engines[0], ENGINE_READY);
	turn();
	assert_int_equal(q.answers, 2);
	assert_false(router_requeue(q.t));
	router_done(&q.t);
}

static int outcomes;
static struct router_outcome outcome;

static void
on_outcome(void *arg, const struct router_outcome *o)
{
	(void)arg;
	outcomes++;
	outcome = *o;
}

static void
test_verbs(void **state)
{
	struct req q;

	(void)state;
	outcomes = 0;
	router_do(router, VERB_LOAD, "b", 0, false, "me", on_outcome, NULL);
	assert_int_equal(outcomes, 0);
	turn();
	assert_int_equal(engines[0].starts, 1);
	set(&engines[0], ENGINE_READY);
	turn();
	assert_int_equal(outcomes, 1);
	assert_true(outcome.ok);
	/* What is loaded and ready is done at once. */
	router_do(router, VERB_LOAD, "b", 0, false, "me", on_outcome, NULL);
	turn();
	assert_int_equal(outcomes, 2);
	assert_int_equal(engines[0].starts, 1);
	/* Another one running: start refuses, load swaps with a bounded drain. */
	router_do(router, VERB_START, "a", 0, false, NULL, on_outcome, NULL);
	turn();
	assert_int_equal(outcomes, 3);
	assert_int_equal(outcome.refusal, REFUSE_CONFLICT);
	router_do(router, VERB_LOAD, "a", 0, false, NULL, on_outcome, NULL);
	turn();
	assert_int_equal(engines[0].info.state, ENGINE_STOPPING);
	assert_false(engines[0].unlimited);
	set(&engines[0], ENGINE_STOPPED);
	turn();
	assert_int_equal(engines[1].starts, 1);
	set(&engines[1], ENGINE_FAILED);
	turn();
	assert_int_equal(outcomes, 4);
	assert_false(outcome.ok);
	turn();
	assert_int_equal(engines[1].starts, 1);
	router_do(router, VERB_LOAD, "nope", 0, false, NULL, on_outcome, NULL);
	turn();
	assert_int_equal(outcomes, 5);
	assert_int_equal(outcome.refusal, REFUSE_NOT_FOUND);
	/* Stop answers the waiters. */
	router_do(router, VERB_LOAD, "b", 0, false, NULL, on_outcome, NULL);
	turn();
	submit(&q, "b");
	router_do(router, VERB_STOP, NULL, 0, false, NULL, on_outcome, NULL);
	assert_int_equal(q.answers, 1);
	assert_int_equal(q.a.refusal, REFUSE_STOPPED);
	router_done(&q.t);
	turn();
	set(&engines[0], ENGINE_STOPPED);
	turn();
	assert_int_equal(outcomes, 7);
	assert_null(router_current(router));
	assert_streq(router_last(router), "b");
	/* Nobody listens any more. */
	router_do(router, VERB_LOAD, "a", 0, false, NULL, on_outcome, &outcome);
	router_forget(router, &outcome);
	turn();
	set(&engines[1], ENGINE_READY);
	turn();
	assert_int_equal(outcomes, 7);
}

static void
test_restart_waits_for_a_new_generation(void **state)
{
	(void)state;
	outcomes = 0;
	router_do(router, VERB_START, NULL, 0, false, NULL, NULL, NULL);
	turn();
	set(&engines[0], ENGINE_READY);
	turn();
	router_do(router, VERB_RESTART, NULL, 0, true, NULL, on_outcome, NULL);
	turn();
	assert_int_equal(engines[0].restarts, 1);
	assert_int_equal(outcomes, 0);
	set(&engines[0], ENGINE_STARTING);
	turn();
	set(&engines[0], ENGINE_READY);
	turn();
	assert_int_equal(outcomes, 1);
	assert_true(outcome.ok);
}

static bool ended;
static void on_end(void *arg) { (void)arg; ended = true; }

static void
test_shutdown(void **state)
{
	struct req q;

	(void)state;
	ended = false;
	submit(&q, "a");
	turn();
	router_shutdown(router, false, on_end, NULL);
	assert_int_equal(q.a.refusal, REFUSE_SHUTDOWN);
	router_done(&q.t);
	turn();
	assert_false(ended);
	router_shutdown(router, true, on_end, NULL);
	assert_int_equal(engines[0].kills, 1);
	set(&engines[0], ENGINE_STOPPED);
	turn();
	assert_true(ended);
	submit(&q, "a");
	assert_int_equal(q.a.refusal, REFUSE_SHUTDOWN);
}

static void
test_queue_timeout(void **state)
{
	struct req q;

	(void)state;
	conf->queue_max_wait = 20;
	submit(&q, "a");
	for (int i = 0; i < 100 && q.answers == 0; i++)
		loop_once(loop, 10);
	assert_int_equal(q.answers, 1);
	assert_int_equal(q.a.refusal, REFUSE_QUEUE_TIMEOUT);
	router_done(&q.t);
}

static void
test_concurrency_limit(void **state)
{
	struct req q[3];

	(void)state;
	models[0].concurrency_limit = 1;
	for (int i = 0; i < 3; i++)
		submit(&q[i], "a");
	turn();
	set(&engines[0], ENGINE_READY);
	turn();
	assert_int_equal(q[0].answers + q[1].answers + q[2].answers, 1);
	router_done(&q[0].t);
	turn();
	assert_int_equal(q[1].answers, 1);
	assert_int_equal(q[2].answers, 0);
	router_done(&q[1].t);
	turn();
	assert_int_equal(q[2].answers, 1);
	router_done(&q[2].t);
}

static void
test_ttl_counts_from_the_last_request(void **state)
{
	struct req q;

	(void)state;
	models[0].ttl = 30;
	submit(&q, "a");
	turn();
	set(&engines[0], ENGINE_READY);
	turn();
	/* In flight for longer than the ttl: it stays. */
	for (int i = 0; i < 6; i++)
		loop_once(loop, 10);
	assert_int_equal(engines[0].info.state, ENGINE_READY);
	router_done(&q.t);
	turn();
	assert_int_equal(engines[0].info.state, ENGINE_READY);
	for (int i = 0; i < 100 && engines[0].info.state == ENGINE_READY; i++)
		loop_once(loop, 10);
	assert_int_equal(engines[0].info.state, ENGINE_STOPPING);
	assert_int_equal(engines[0].info.reason, REASON_IDLE);
}

/* Those that are no use of the model (pages, metrics, tunnels) do not keep it. */
static void
test_ttl_untimed(void **state)
{
	struct req q, pages;

	(void)state;
	models[0].ttl = 10000;
	submit(&q, "a");
	turn();
	set(&engines[0], ENGINE_READY);
	engines[0].info.ready_at -= 20000;
	turn();
	submit(&pages, "a");
	router_untimed(pages.t);
	router_done(&q.t);
	router_done(&pages.t);
	turn();
	/* The one that counts has only just ended, though it was not the last in flight. */
	assert_int_equal(engines[0].info.state, ENGINE_READY);
	models[0].ttl = 40;
	for (uint64_t end = clock_ms() + 5000; engines[0].info.state == ENGINE_READY && clock_ms() < end;) {
		submit(&pages, "a");
		if (pages.t != NULL)
			router_untimed(pages.t);
		loop_once(loop, 1);
		router_done(&pages.t);
		loop_once(loop, 1);
	}
	assert_int_equal(engines[0].info.reason, REASON_IDLE);
}

/* A stop has come out once its end was reached, although somebody who waits has it started again in the same moment. */
static void
test_stop_comes_out_under_load(void **state)
{
	struct req a, late;

	(void)state;
	outcomes = 0;
	submit(&a, "a");
	turn();
	set(&engines[0], ENGINE_READY);
	turn();
	router_do(router, VERB_STOP, NULL, 0, false, NULL, on_outcome, NULL);
	submit(&late, "a");
	turn();
	/* The one who came late does not undo it. */
	assert_int_equal(engines[0].info.state, ENGINE_DRAINING);
	router_done(&a.t);
	turn();
	assert_int_equal(outcomes, 0);
	set(&engines[0], ENGINE_STOPPED);
	turn();
	assert_int_equal(outcomes, 1);
	assert_true(outcome.ok);
	assert_int_equal(engines[0].info.state, ENGINE_STARTING);
	set(&engines[0], ENGINE_READY);
	turn();
	assert_int_equal(late.answers, 1);
	router_done(&late.t);
}

static void
test_refused_is_not_in_flight(void **state)
{
	struct req q;

	(void)state;
	submit(&q, "a");
	turn();
	set(&engines[0], ENGINE_FAILED);
	turn();
	assert_int_equal(q.a.refusal, REFUSE_FAILED);
	assert_false(router_requeue(q.t));
	router_done(&q.t);
	assert_int_equal(router_in_flight(router), 0);
	assert_int_equal(engines[0].inflight, 0);
}

/* b is loaded for nobody: who waits for another model still gets its turn. */
static void
test_waiters_after_a_load_of_nobodys(void **state)
{
	struct req q;

	(void)state;
	outcomes = 0;
	router_do(router, VERB_LOAD, "b", 0, false, NULL, on_outcome, NULL);
	turn();
	submit(&q, "a");
	turn();
	set(&engines[0], ENGINE_READY);
	turn();
	assert_int_equal(outcomes, 1);
	assert_true(outcome.ok);
	assert_int_equal(engines[0].info.state, ENGINE_STOPPING);
	set(&engines[0], ENGINE_STOPPED);
	turn();
	set(&engines[1], ENGINE_READY);
	turn();
	assert_int_equal(q.answers, 1);
	router_done(&q.t);
}

static void
test_person_limits_a_drain(void **state)
{
	struct req a, b;

	(void)state;
	outcomes = 0;
	submit(&a, "a");
	turn();
	set(&engines[0], ENGINE_READY);
	turn();
	submit(&b, "b");
	turn();
	assert_true(engines[0].unlimited);
	router_do(router, VERB_LOAD, "b", 0, false, NULL, on_outcome, NULL);
	turn();
	/* Limited now, and nothing cut. */
	assert_false(engines[0].unlimited);
	assert_int_equal(engines[0].info.state, ENGINE_DRAINING);
	assert_int_equal(engines[0].stops, 2);
	turn();
	assert_int_equal(engines[0].stops, 2);
	router_done(&a.t);
	router_done(&b.t);
}

/* The wanted model is taken out of the configuration before it could start. */
static void
test_reload_without_the_target(void **state)
{
	struct conf fewer = *conf;
	struct req a, b, any;

	(void)state;
	submit(&a, "b");
	turn();
	set(&engines[0], ENGINE_READY);
	turn();
	submit(&b, "c");
	turn();
	assert_int_equal(engines[0].info.state, ENGINE_DRAINING);
	fewer.nmodels = 1;
	fewer.refs = 100;
	router_reload(router, &fewer);
	assert_int_equal(b.a.refusal, REFUSE_NOT_FOUND);
	router_done(&b.t);
	router_done(&a.t);
	turn();
	/* Without a name: not for the one that leaves, but for the default one. */
	submit(&any, NULL);
	set(&engines[0], ENGINE_STOPPED);
	turn();
	assert_int_equal(nengines, 3);
	assert_streq(engines[2].model->id, "a");
	set(&engines[2], ENGINE_READY);
	turn();
	assert_int_equal(any.answers, 1);
	router_done(&any.t);
	turn();
	router_reload(router, conf);
}

/* route: loaded - whoever waits is served by the model that a person loads meanwhile. */
static void
test_waiters_follow_a_load(void **state)
{
	struct req q;

	(void)state;
	conf->route = ROUTE_LOADED;
	submit(&q, "a");
	turn();
	router_do(router, VERB_LOAD, "b", 0, false, NULL, NULL, NULL);
	turn();
	set(&engines[0], ENGINE_STOPPED);
	turn();
	assert_streq(engines[1].model->id, "b");
	set(&engines[1], ENGINE_READY);
	turn();
	assert_int_equal(q.answers, 1);
	assert_streq(q.a.model->id, "b");
	router_done(&q.t);
	turn();
	assert_int_equal(engines[1].info.state, ENGINE_READY);
}

/* Nor is he turned away where somebody restarts what the load was to take the place of. */
static void
test_waiters_follow_a_restart(void **state)
{
	struct req q, late;

	(void)state;
	conf->route = ROUTE_LOADED;
	router_do(router, VERB_LOAD, "a", 0, false, NULL, NULL, NULL);
	turn();
	set(&engines[0], ENGINE_READY);
	turn();
	router_do(router, VERB_LOAD, "b", 0, false, NULL, NULL, NULL);
	turn();
	assert_int_equal(engines[0].info.state, ENGINE_STOPPING);
	submit(&q, NULL);
	assert_streq(router_ticket_model(q.t), "b");
	router_do(router, VERB_RESTART, NULL, 0, false, NULL, NULL, NULL);
	submit(&late, "b");
	turn();
	assert_int_equal(q.answers, 0);
	assert_int_equal(late.answers, 0);
	set(&engines[0], ENGINE_STARTING);
	set(&engines[0], ENGINE_READY);
	turn();
	assert_int_equal(q.answers, 1);
	assert_int_equal(q.a.refusal, REFUSE_NONE);
	assert_streq(q.a.model->id, "a");
	assert_int_equal(late.a.refusal, REFUSE_NONE);
	router_done(&q.t);
	router_done(&late.t);
	turn();
}

/* A failed one that is no longer configured holds its memory and its port until it is gone: nothing starts before. */
static void
test_reload_without_one_that_dies(void **state)
{
	struct conf fewer = *conf;
	struct req a;

	(void)state;
	router_do(router, VERB_LOAD, "b", 0, false, NULL, NULL, NULL);
	turn();
	engines[0].info.lingers = true;
	set(&engines[0], ENGINE_FAILED);
	turn();
	fewer.nmodels = 1;
	fewer.refs = 100;
	router_reload(router, &fewer);
	submit(&a, "a");
	turn();
	assert_true(nengines == 1 || engines[1].starts == 0);
	engines[0].info.lingers = false;
	engines[0].ops->gone(engines[0].arg, &engines[0]);
	turn();
	assert_int_equal(nengines, 2);
	assert_int_equal(engines[1].starts, 1);
	router_done(&a.t);
	turn();
	router_reload(router, conf);
}

/* route: reject - a request never makes a swap, not even one that waited when a person made one. */
static void
test_reject_refuses_who_waited(void **state)
{
	struct req q, b;

	(void)state;
	conf->route = ROUTE_REJECT;
	submit(&q, "a");
	turn();
	router_do(router, VERB_LOAD, "b", 0, false, NULL, NULL, NULL);
	assert_int_equal(q.a.refusal, REFUSE_CONFLICT);
	router_done(&q.t);
	submit(&q, "a");
	assert_int_equal(q.a.refusal, REFUSE_CONFLICT);
	submit(&b, "b");
	assert_int_equal(b.answers, 0);
	router_done(&b.t);
}

/* A load of what is starting already fails with it; it is not started over. */
static void
test_load_of_a_starting_one_fails_once(void **state)
{
	(void)state;
	outcomes = 0;
	router_do(router, VERB_LOAD, "a", 0, false, NULL, NULL, NULL);
	turn();
	set(&engines[0], ENGINE_READY);
	turn();
	set(&engines[0], ENGINE_BACKOFF);
	turn();
	set(&engines[0], ENGINE_STARTING);
	turn();
	router_do(router, VERB_LOAD, "a", 0, false, NULL, on_outcome, NULL);
	turn();
	assert_int_equal(engines[0].starts, 2);
	set(&engines[0], ENGINE_FAILED);
	turn();
	assert_int_equal(outcomes, 1);
	assert_false(outcome.ok);
	turn();
	assert_int_equal(engines[0].starts, 2);
}

static struct engine *
engine_of(const char *id)
{
	for (size_t i = 0; i < nengines; i++)
		if (strcmp(engines[i].model->id, id) == 0)
			return &engines[i];
	fail_msg("%s has no engine", id);
	return NULL;
}

static void
serve_one(struct req *q, const char *id)
{
	submit(q, id);
	turn();
	set(engine_of(id), ENGINE_READY);
	turn();
	assert_int_equal(q->answers, 1);
	assert_int_equal(q->a.refusal, REFUSE_NONE);
}

static void
test_two_beside_one_another(void **state)
{
	struct req a, b, c;

	(void)state;
	conf->max_loaded = 2;
	serve_one(&a, "a");
	serve_one(&b, "b");
	assert_int_equal(engine_of("a")->stops, 0);
	assert_streq(router_current(router), "b");
	router_done(&b.t);
	/* b is idle, a works: b makes room. */
	submit(&c, "c");
	turn();
	assert_int_equal(engine_of("b")->info.state, ENGINE_STOPPING);
	assert_int_equal(engine_of("a")->info.state, ENGINE_READY);
	set(engine_of("b"), ENGINE_STOPPED);
	turn();
	set(engine_of("c"), ENGINE_READY);
	turn();
	assert_int_equal(c.answers, 1);
	assert_int_equal(router_swaps(router), 1);
	router_done(&a.t);
	router_done(&c.t);
	/* Without a name: the one started last. */
	submit(&a, NULL);
	assert_streq(a.a.model->id, "c");
	router_done(&a.t);
	/* Stopped, another one that is loaded answers. */
	router_do(router, VERB_STOP, "c", 0, false, NULL, NULL, NULL);
	turn();
	set(engine_of("c"), ENGINE_STOPPED);
	turn();
	assert_streq(router_current(router), "a");
	submit(&a, NULL);
	assert_streq(a.a.model->id, "a");
	router_done(&a.t);
}

static void
test_budget_names_the_holder(void **state)
{
	struct req a, b, c;

	(void)state;
	conf->max_loaded = 3;
	conf->memory_budget = (uint64_t)16 << 30;
	models[0].memory = (uint64_t)12 << 30;
	models[0].pin = true;
	models[1].memory = (uint64_t)6 << 30;
	models[2].memory = (uint64_t)20 << 30;
	serve_one(&a, "a");
	submit(&b, "b");
	turn();
	assert_int_equal(b.a.refusal, REFUSE_CONFLICT);
	assert_streq(b.a.cause, "a is pinned and holds 12.0G of 16.0G; b needs 6.0G");
	submit(&c, "c");
	turn();
	assert_int_equal(c.a.refusal, REFUSE_CONFLICT);
	assert_int_equal(engine_of("a")->stops, 0);
	outcomes = 0;
	router_do(router, VERB_LOAD, "b", 0, false, NULL, on_outcome, NULL);
	turn();
	assert_int_equal(outcomes, 1);
	assert_int_equal(outcome.refusal, REFUSE_CONFLICT);
	router_done(&a.t);
	router_done(&b.t);
	router_done(&c.t);
	/* By itself it is too large. */
	router_do(router, VERB_STOP, "a", 0, false, NULL, NULL, NULL);
	turn();
	set(engine_of("a"), ENGINE_STOPPED);
	submit(&c, "c");
	turn();
	assert_streq(c.a.cause, "c needs 20.0G, and memoryBudget is 16.0G");
	router_done(&c.t);
}

static void
test_a_look_before_anybody_gives_way(void **state)
{
	struct req a, b;

	(void)state;
	serve_one(&a, "a");
	router_done(&a.t);
	unfit = &models[1];
	submit(&b, "b");
	turn();
	assert_int_equal(b.a.refusal, REFUSE_FAILED);
	assert_streq(b.a.cause, "no such command");
	assert_int_equal(engine_of("a")->info.state, ENGINE_READY);
	assert_int_equal(engine_of("a")->stops, 0);
	assert_int_equal(engine_of("b")->starts, 0);
	router_done(&b.t);
	/* A person may try again, also when it can. */
	outcomes = 0;
	router_do(router, VERB_LOAD, "b", 0, false, NULL, on_outcome, NULL);
	turn();
	assert_int_equal(outcomes, 1);
	assert_int_equal(outcome.refusal, REFUSE_FAILED);
	assert_int_equal(engine_of("a")->stops, 0);
	unfit = NULL;
	router_do(router, VERB_LOAD, "b", 0, false, NULL, on_outcome, NULL);
	turn();
	assert_int_equal(engine_of("a")->stops, 1);
	set(engine_of("a"), ENGINE_STOPPED);
	turn();
	set(engine_of("b"), ENGINE_READY);
	turn();
	assert_int_equal(outcomes, 2);
	assert_true(outcome.ok);
}

/* b takes a's place and does not start. */
static void
fail_swap(struct req *b)
{
	struct req a;

	serve_one(&a, "a");
	router_done(&a.t);
	submit(b, "b");
	turn();
	set(engine_of("a"), ENGINE_STOPPED);
	turn();
	set(engine_of("b"), ENGINE_BACKOFF);
	turn();
	set(engine_of("b"), ENGINE_FAILED);
	turn();
	assert_int_equal(b->a.refusal, REFUSE_FAILED);
	router_done(&b->t);
}

static void
test_rollback(void **state)
{
	struct req b;

	(void)state;
	conf->rollback = true;
	fail_swap(&b);
	assert_int_equal(engine_of("a")->starts, 2);
	assert_int_equal(engine_of("a")->info.reason, REASON_SWAP);
	set(engine_of("a"), ENGINE_READY);
	turn();
	assert_streq(router_current(router), "a");
	/* It is not tried again for every request. */
	submit(&b, "b");
	assert_null(b.t);
	assert_int_equal(engine_of("a")->stops, 1);
	assert_int_equal(engine_of("b")->starts, 1);
}

static void
test_stay(void **state)
{
	struct req b;

	(void)state;
	fail_swap(&b);
	assert_int_equal(engine_of("a")->starts, 1);
	assert_streq(router_current(router), "b");
}

/* Once it had been ready its end is a story of its own. */
static void
test_no_rollback_after_it_was_ready(void **state)
{
	struct req a, b;

	(void)state;
	conf->rollback = true;
	serve_one(&a, "a");
	router_done(&a.t);
	submit(&b, "b");
	turn();
	set(engine_of("a"), ENGINE_STOPPED);
	turn();
	set(engine_of("b"), ENGINE_READY);
	turn();
	router_done(&b.t);
	set(engine_of("b"), ENGINE_FAILED);
	turn();
	assert_int_equal(engine_of("a")->starts, 1);
}

/* A load that died for lack of memory gets that of an idle model before it is tried again. */
static void
test_memory_ran_out(void **state)
{
	struct req a, b, c;

	(void)state;
	conf->max_loaded = 3;
	serve_one(&a, "a");
	serve_one(&b, "b");
	router_done(&a.t);
	submit(&c, "c");
	turn();
	engine_of("c")->info.reason = REASON_OOM;
	set(engine_of("c"), ENGINE_BACKOFF);
	turn();
	/* b works. */
	assert_int_equal(engine_of("a")->stops, 1);
	assert_int_equal(engine_of("b")->stops, 0);
	router_done(&b.t);
	set(engine_of("a"), ENGINE_STOPPED);
	set(engine_of("c"), ENGINE_STARTING);
	set(engine_of("c"), ENGINE_BACKOFF);
	turn();
	assert_int_equal(engine_of("b")->stops, 0);
	set(engine_of("c"), ENGINE_STARTING);
	set(engine_of("c"), ENGINE_READY);
	turn();
	assert_int_equal(c.answers, 1);
	router_done(&c.t);
}

static void
test_pinned_while_it_runs(void **state)
{
	struct req a, b;

	(void)state;
	serve_one(&a, "a");
	router_done(&a.t);
	assert_false(router_pin(router, "nope", true));
	assert_true(router_pin(router, "a", true));
	submit(&b, "b");
	turn();
	assert_streq(b.a.cause, "a is pinned and maxLoaded is 0");
	router_done(&b.t);
	assert_true(router_pin(router, "a", false));
	submit(&b, "b");
	turn();
	assert_int_equal(engine_of("a")->stops, 1);
	router_done(&b.t);
}

static void
test_preload(void **state)
{
	static char *ids[] = {(char *)"b", (char *)"c", (char *)"a", NULL};
	struct req q;

	(void)state;
	conf->max_loaded = 2;
	conf->preload = ids;
	router_preload(router);
	turn();
	assert_int_equal(nengines, 2);
	set(engine_of("b"), ENGINE_READY);
	set(engine_of("c"), ENGINE_READY);
	turn();
	/* No room for the third, and nobody gives way for it; a request is something else. */
	assert_int_equal(nengines, 2);
	turn();
	submit(&q, "a");
	turn();
	assert_int_equal(engine_of("b")->stops + engine_of("c")->stops, 1);
	router_done(&q.t);
	conf->preload = NULL;
}

/* Two words: both are carried out where both fit, else the last one counts. */
static void
test_the_last_word(void **state)
{
	(void)state;
	outcomes = 0;
	router_do(router, VERB_LOAD, "a", 0, false, NULL, on_outcome, NULL);
	turn();
	router_do(router, VERB_LOAD, "b", 0, false, NULL, on_outcome, NULL);
	turn();
	assert_int_equal(outcomes, 1);
	assert_false(outcome.ok);
	assert_streq(outcome.cause, "another model took its place");
	set(engine_of("a"), ENGINE_STOPPED);
	turn();
	set(engine_of("b"), ENGINE_READY);
	turn();
	assert_int_equal(outcomes, 2);
	assert_true(outcome.ok);
	conf->max_loaded = 2;
	router_do(router, VERB_LOAD, "a", 0, false, NULL, on_outcome, NULL);
	turn();
	set(engine_of("a"), ENGINE_READY);
	turn();
	assert_int_equal(outcomes, 3);
	assert_true(outcome.ok);
	assert_int_equal(engine_of("b")->stops, 0);
}

/* Its waiters leave: what was to give way for them goes on. */
static void
test_nobody_left_to_give_way_for(void **state)
{
	struct req a, b, c;

	(void)state;
	serve_one(&a, "a");
	submit(&b, "b");
	turn();
	assert_int_equal(engine_of("a")->info.state, ENGINE_DRAINING);
	router_done(&b.t);
	turn();
	/* The pretend engine counts it as a start. */
	assert_int_equal(engine_of("a")->starts, 2);
	set(engine_of("a"), ENGINE_READY);
	submit(&c, "a");
	assert_int_equal(c.answers, 1);
	assert_int_equal(engine_of("b")->starts, 0);
	router_done(&a.t);
	router_done(&c.t);
}

static void
pass(uint64_t ms)
{
	for (uint64_t end = clock_ms() + ms; clock_ms() < end;)
		loop_once(loop, 2);
}

/* What it held comes back once it is gone, however long it took to finish its work before. */
static void
test_settling_begins_at_the_end(void **state)
{
	struct req a, b;
	uint64_t gone;

	(void)state;
	serve_one(&a, "a");
	submit(&b, "b");
	turn();
	assert_int_equal(engine_of("a")->info.state, ENGINE_DRAINING);
	pass(20);
	router_done(&a.t);
	pass(20);
	assert_int_equal(engine_of("a")->info.state, ENGINE_STOPPING);
	assert_int_equal(settle_asked, 0);
	gone = clock_ms();
	set(engine_of("a"), ENGINE_STOPPED);
	turn();
	assert_true(settle_asked > 0);
	assert_true(settle_since >= gone);
	router_done(&b.t);
}

/* Whoever ended it. */
static void
test_settling_after_every_end(void **state)
{
	struct req a, b;

	(void)state;
	serve_one(&a, "a");
	router_done(&a.t);
	router_do(router, VERB_STOP, "a", 0, false, NULL, NULL, NULL);
	turn();
	set(engine_of("a"), ENGINE_STOPPED);
	turn();
	unsettled = true;
	submit(&b, "b");
	turn();
	assert_true(settle_asked > 0);
	for (size_t i = 0; i < nengines; i++)
		assert_true(strcmp(engines[i].model->id, "b") != 0 || engines[i].starts == 0);
	unsettled = false;
	pass(30);
	assert_int_equal(engine_of("b")->starts, 1);
	router_done(&b.t);
}

/* An answer that took longer than a request may wait, and was lost: the second wait has its own time. */
static void
test_a_requeue_has_its_own_time(void **state)
{
	struct req q;

	(void)state;
	conf->queue_max_wait = 200;
	serve_one(&q, "a");
	pass(250);
	set(engine_of("a"), ENGINE_BACKOFF);
	assert_true(router_requeue(q.t));
	turn();
	assert_int_equal(q.answers, 1);
	set(engine_of("a"), ENGINE_READY);
	turn();
	assert_int_equal(q.answers, 2);
	assert_int_equal(q.a.refusal, REFUSE_NONE);
	assert_true(q.a.waited_ms < 200);
	router_done(&q.t);
}

/* A person said stop: its death meanwhile starts nothing. Nor is that held against what comes after a new start. */
static void
test_no_requeue_behind_a_stop(void **state)
{
	struct req q, late;

	(void)state;
	serve_one(&q, "a");
	router_do(router, VERB_STOP, "a", 0, false, "me", NULL, NULL);
	turn();
	set(engine_of("a"), ENGINE_STOPPING);
	assert_false(router_requeue(q.t));
	set(engine_of("a"), ENGINE_STOPPED);
	turn();
	assert_false(router_requeue(q.t));
	router_done(&q.t);
	serve_one(&late, "a");
	set(engine_of("a"), ENGINE_BACKOFF);
	assert_true(router_requeue(late.t));
	router_done(&late.t);
}

/* Where requests make no swaps its death gives nothing back either: it goes along with the others, or is told. */
static void
test_a_requeue_swaps_nothing_back(void **state)
{
	static const enum conf_route routes[] = {ROUTE_LOADED, ROUTE_REJECT};
	struct req q;

	(void)state;
	serve_one(&q, "a");
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		conf->route = routes[i];
		set(engine_of("a"), ENGINE_BACKOFF);
		assert_true(router_requeue(q.t));
		assert_string_equal(router_ticket_model(q.t), "a");
		router_done(&q.t);
		set(engine_of("a"), ENGINE_READY);
		submit(&q, "a");
		router_do(router, VERB_LOAD, "b", 0, false, "me", NULL, NULL);
		turn();
		set(engine_of("a"), ENGINE_STOPPING);
		assert_int_equal(router_requeue(q.t), routes[i] == ROUTE_LOADED);
		assert_string_equal(router_ticket_model(q.t), routes[i] == ROUTE_LOADED ? "b" : "a");
		router_done(&q.t);
		set(engine_of("a"), ENGINE_STOPPED);
		turn();
		set(engine_of("b"), ENGINE_READY);
		turn();
		router_do(router, VERB_LOAD, "a", 0, false, "me", NULL, NULL);
		turn();
		set(engine_of("b"), ENGINE_STOPPED);
		turn();
		set(engine_of("a"), ENGINE_READY);
		turn();
		submit(&q, "a");
	}
	router_done(&q.t);
}

/* A person's next word takes it back, also while it drains. */
static void
test_a_stop_is_taken_back(void **state)
{
	static const enum router_verb verbs[] = {VERB_LOAD, VERB_RESTART};
	struct req q;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		serve_one(&q, "a");
		router_do(router, VERB_STOP, "a", 0, false, "me", NULL, NULL);
		turn();
		assert_int_equal(engine_of("a")->info.state, ENGINE_DRAINING);
		router_do(router, verbs[i], "a", 0, false, "me", NULL, NULL);
		turn();
		set(engine_of("a"), ENGINE_STOPPING);
		assert_true(router_requeue(q.t));
		router_done(&q.t);
		set(engine_of("a"), ENGINE_STOPPED);
		turn();
	}
}

/* Somebody says stop while it drains for a restart, and then it is wanted again: nothing will restart it. */
static void
test_a_restart_that_is_given_up(void **state)
{
	struct engine *e;
	struct req q;

	(void)state;
	serve_one(&q, "a");
	e = engine_of("a");
	outcomes = 0;
	router_do(router, VERB_RESTART, "a", 0, false, "me", on_outcome, NULL);
	e->info.state = ENGINE_DRAINING;
	turn();
	assert_int_equal(outcomes, 0);
	router_do(router, VERB_STOP, "a", 0, false, "her", NULL, NULL);
	router_do(router, VERB_LOAD, "a", 0, false, "her", NULL, NULL);
	turn();
	assert_int_equal(e->info.state, ENGINE_READY);
	assert_int_equal(outcomes, 1);
	assert_false(outcome.ok);
	assert_non_null(strstr(outcome.cause, "goes on as it was"));
	router_done(&q.t);
}

/* Telling what a model needs may take looks at the disk: not with every request. */
static void
test_needs_are_asked_for_now_and_then(void **state)
{
	struct req q;

	(void)state;
	conf->memory_budget = (uint64_t)16 << 30;
	serve_one(&q, "a");
	router_done(&q.t);
	turn();
	needs_asked = 0;
	for (int i = 0; i < 100; i++) {
		submit(&q, "a");
		router_done(&q.t);
		turn();
	}
	assert_true(needs_asked <= 3);
	/* But a crash has told something new. */
	models[0].memory = (uint64_t)17 << 30;
	set(engine_of("a"), ENGINE_FAILED);
	router_do(router, VERB_LOAD, "a", 0, false, NULL, NULL, NULL);
	turn();
	assert_int_equal(engine_of("a")->starts, 1);
}

/* A person's load of what drains for a request keeps it; the request's next try is one for another turn. */
static void
test_a_load_of_what_drains(void **state)
{
	struct req a, b;

	(void)state;
	outcomes = 0;
	serve_one(&a, "a");
	submit(&b, "b");
	turn();
	assert_int_equal(engine_of("a")->info.state, ENGINE_DRAINING);
	conf->max_swap_wait = 60000;	/* or it would drain once more at once */
	router_do(router, VERB_LOAD, "a", 0, false, NULL, on_outcome, NULL);
	turn();
	assert_int_equal(engine_of("a")->stops, 1);
	assert_int_equal(engine_of("a")->info.state, ENGINE_READY);
	assert_int_equal(outcomes, 1);
	assert_true(outcome.ok);
	router_done(&a.t);
	router_done(&b.t);
}

/* A model is renamed, and answers to its old name still: who waits for it waits for the new one. */
static void
test_reload_with_a_new_name(void **state)
{
	static char id[] = "new", old[] = "b", *aliases[] = {old, NULL};
	struct conf_model renamed = {.id = id, .aliases = aliases}, *list[] = {&models[0], &renamed};
	struct conf other = *conf;
	struct req b, c;

	(void)state;
	submit(&b, "b");
	submit(&c, "c");
	turn();
	other.models = list;
	other.nmodels = 2;
	other.refs = 100;
	router_reload(router, &other);
	assert_int_equal(b.answers, 0);
	assert_int_equal(c.a.refusal, REFUSE_NOT_FOUND);
	assert_streq(router_ticket_model(b.t), "new");
	assert_null(router_ticket_model(c.t));
	router_done(&c.t);
	turn();
	set(engine_of("b"), ENGINE_STOPPED);
	turn();
	set(engine_of("new"), ENGINE_READY);
	turn();
	assert_int_equal(b.answers, 1);
	assert_int_equal(b.a.refusal, REFUSE_NONE);
	router_done(&b.t);
	router_reload(router, conf);
	turn();
	set(engine_of("new"), ENGINE_STOPPED);
	turn();
}

/* Also where both were used in the same millisecond. */
static void
test_the_least_recently_used_of_a_moment(void **state)
{
	struct req a, b, c;

	(void)state;
	conf->max_loaded = 2;
	serve_one(&a, "a");
	router_done(&a.t);
	serve_one(&b, "b");
	clock_fake(clock_ms(), clock_wall_ms());
	router_done(&b.t);
	submit(&a, "a");
	router_done(&a.t);
	submit(&c, "c");
	turn();
	clock_fake_off();
	assert_int_equal(engine_of("a")->stops, 0);
	assert_int_equal(engine_of("b")->stops, 1);
	router_done(&c.t);
}

/* route: reject - two that come together do not make a swap either. */
static void
test_reject_of_two_at_once(void **state)
{
	struct req a, b;

	(void)state;
	conf->route = ROUTE_REJECT;
	submit(&a, "a");
	submit(&b, "b");
	assert_int_equal(a.answers, 0);
	assert_int_equal(b.a.refusal, REFUSE_CONFLICT);
	assert_null(b.t);
	turn();
	set(engine_of("a"), ENGINE_READY);
	turn();
	assert_int_equal(a.answers, 1);
	router_done(&a.t);
}

/* b is given up while it loads, c in its place does not start: who comes back is the one that served. */
static void
test_rollback_past_one_that_never_served(void **state)
{
	struct req a, b, c;

	(void)state;
	conf->rollback = true;
	serve_one(&a, "a");
	router_done(&a.t);
	submit(&b, "b");
	turn();
	set(engine_of("a"), ENGINE_STOPPED);
	turn();
	assert_int_equal(engine_of("b")->info.state, ENGINE_STARTING);
	router_done(&b.t);
	submit(&c, "c");
	turn();
	assert_int_equal(engine_of("b")->info.state, ENGINE_STOPPING);
	set(engine_of("b"), ENGINE_STOPPED);
	turn();
	set(engine_of("c"), ENGINE_FAILED);
	turn();
	assert_int_equal(c.a.refusal, REFUSE_FAILED);
	router_done(&c.t);
	turn();
	assert_int_equal(engine_of("a")->starts, 2);
	assert_int_equal(engine_of("b")->starts, 1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_first_request_starts), T(test_left_before_served), T(test_unknown_and_full),
		T(test_swap_waits_for_in_flight), T(test_swap_waits_for_memory),
		T(test_failure_refuses_waiters), T(test_requeue_once),
		T(test_verbs), T(test_restart_waits_for_a_new_generation), T(test_shutdown),
		T(test_queue_timeout), T(test_concurrency_limit), T(test_ttl_counts_from_the_last_request), T(test_ttl_untimed),
		T(test_stop_comes_out_under_load), T(test_refused_is_not_in_flight),
		T(test_waiters_after_a_load_of_nobodys), T(test_person_limits_a_drain),
		T(test_reload_without_the_target), T(test_waiters_follow_a_load), T(test_waiters_follow_a_restart),
		T(test_reload_without_one_that_dies), T(test_reject_refuses_who_waited),
		T(test_load_of_a_starting_one_fails_once), T(test_two_beside_one_another),
		T(test_budget_names_the_holder), T(test_a_look_before_anybody_gives_way), T(test_rollback), T(test_stay),
		T(test_no_rollback_after_it_was_ready), T(test_preload), T(test_the_last_word),
		T(test_memory_ran_out), T(test_pinned_while_it_runs),
		T(test_nobody_left_to_give_way_for), T(test_settling_begins_at_the_end), T(test_settling_after_every_end),
		T(test_a_requeue_has_its_own_time), T(test_no_requeue_behind_a_stop), T(test_a_requeue_swaps_nothing_back),
		T(test_a_stop_is_taken_back),
		T(test_a_restart_that_is_given_up), T(test_reject_of_two_at_once),
		T(test_the_least_recently_used_of_a_moment), T(test_needs_are_asked_for_now_and_then),
		T(test_a_load_of_what_drains), T(test_reload_with_a_new_name),
		T(test_rollback_past_one_that_never_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
