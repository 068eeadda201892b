/* SPDX-License-Identifier: ISC
 * A hundred thousand random steps for each of several worlds: whatever is asked for and whatever engines do, every request
 * is answered once, every verb comes out, no more engines hold the machine than may and never two of one model, their memory
 * stays within the budget, and none gives way for a request while it loads for somebody or before its older waiters were
 * served. The engines live by the true table, without processes; time is the test's. A second test measures how long requests
 * wait when all goes well. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/engine_fsm.h"
#include "router/router_priv.h"

#define STEPS 100000
#define EPOCH 200
#define MODELS 4
#define REQS 24
#define OPS 12
#define PATIENCE 400	/* rounds of everything going well until all must have come out */

struct engine {
	struct engine_info info;
	struct engine_exit exit;
	const struct engine_ops *ops;
	const struct conf_model *model;
	void *arg;
	bool child, again, due, unlimited, stepping;
	int inflight;
	enum engine_input wants[32];
	size_t nwants;
};

struct req {
	struct ticket *t;
	const char *model;	/* asked for by this name */
	bool used, waits, granted, refused;
};

struct call {
	bool used;
	int outs;
};

static struct engine *engines[64];
static struct http_target target;
static struct loop *loop;
static struct bus *bus;
static struct metrics *metrics;
static struct conf confs[3];
static struct conf_model models[MODELS];
static struct conf_model *lists[3][MODELS];
static struct router *router;
static struct req reqs[REQS];
static struct call calls[OPS];
static uint64_t seed, more;	/* MAI_TEST_SEED: other walks */
static bool closing;
static uint64_t now_ms;
static bool sound;	/* nothing fails */

static unsigned
roll(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static void
step(struct engine *e, enum engine_input in)
{
	enum engine_state from = e->info.state;
	unsigned ctx = (e->child ? CTX_CHILD : 0) | (e->info.attempt < 3 ? CTX_MORE : 0) | (e->inflight > 0 ? CTX_BUSY : 0) |
	    (e->again ? CTX_AGAIN : 0) | (e->due ? CTX_DUE : 0);
	struct engine_step st = engine_fsm(from, in, ctx);

	if (st.to != from) {
		e->due = false;
		e->info.kill_at = 0;
	}
	if (st.actions & ACT_FORGET)
		e->again = false;
	if (st.actions & ACT_AGAIN)
		e->again = true;
	if (st.actions & ACT_RESET)
		e->info.attempt = 0;
	if (st.actions & ACT_COUNT)
		e->info.attempt++;
	if ((st.actions & ACT_DRAIN) && !e->unlimited)
		e->info.kill_at = clock_ms();
	if (st.actions & ACT_DUE)
		e->due = true;
	if (st.actions & ACT_SPAWN) {
		assert_false(e->child);
		e->child = true;
		e->info.generation++;
	}
	e->info.wanted = st.to == ENGINE_STARTING || st.to == ENGINE_READY || st.to == ENGINE_BACKOFF || e->again;
	e->info.state = st.to;
	if (st.to != from)
		e->info.since = clock_ms();
	if (st.to == ENGINE_READY && from != ENGINE_DRAINING)
		e->info.ready_at = clock_ms();
	if (st.to != from)
		e->ops->changed(e->arg, e, from, st.to);
}

static void
feed(struct engine *e, enum engine_input in)
{
	assert_true(e->nwants < ARRAY_LEN(e->wants));
	e->wants[e->nwants++] = in;
	if (e->stepping)
		return;
	e->stepping = true;
	while (e->nwants > 0) {
		enum engine_input next = e->wants[0];

		memmove(e->wants, e->wants + 1, --e->nwants * sizeof(*e->wants));
		step(e, next);
	}
	e->stepping = false;
}

static struct engine *
fake_create(struct engine_env *env, struct conf *c, const struct conf_model *m, const struct engine_ops *ops, void *arg)
{
	struct engine *e = calloc(1, sizeof(*e));

	(void)env;
	(void)c;
	e->model = m;
	e->ops = ops;
	e->arg = arg;
	e->info.last_exit = &e->exit;
	for (size_t i = 0; i < ARRAY_LEN(engines); i++)
		if (engines[i] == NULL) {
			engines[i] = e;
			return e;
		}
	fail();
	return NULL;
}

static void
fake_destroy(struct engine **e)
{
	assert_false(policy_occupies((*e)->info.state));
	for (size_t i = 0; i < ARRAY_LEN(engines); i++)
		if (engines[i] == *e)
			engines[i] = NULL;
	free(*e);
	*e = NULL;
}

static void fake_set_conf(struct engine *e, struct conf *c, const struct conf_model *m) { (void)c; e->model = m; }
static void fake_start(struct engine *e, enum engine_reason why, bool manual) { (void)why; feed(e, manual ? IN_START : IN_START_AUTO); }
static void fake_kill(struct engine *e, enum engine_reason why) { (void)why; feed(e, IN_KILL); }
static void fake_set_held(struct engine *e, int n) { assert_in_range(n, 0, e->inflight); }
static void fake_progress(struct engine *e) { (void)e; }
static void fake_suspect(struct engine *e) { (void)e; }

static const struct engine_info *
fake_info(struct engine *e)
{
	e->info.lingers = e->info.state == ENGINE_FAILED && e->child;
	return &e->info;
}

static const struct http_target *fake_target(const struct engine *e) { assert_int_equal(e->info.state, ENGINE_READY); return &target; }
static bool fake_settled(struct engine_env *env, uint64_t since, uint64_t need) { (void)need; (void)env; (void)since; return true; }

/* One that gives way for a request: not while somebody waits for its load, and not before those who came first. */
static void
may_give_way(const struct engine *e)
{
	const struct slot *own = e->arg;
	const struct ticket *t = TAILQ_FIRST(&own->queue);
	bool older = false;

	assert_false(e->model->pin && !own->leaving);
	if (t == NULL)
		return;
	assert_true(e->info.state == ENGINE_READY);
	for (size_t i = 0; i < router->nslots; i++) {
		const struct ticket *o = TAILQ_FIRST(&router->slots[i]->queue);

		older = older || (router->slots[i] != own && o != NULL && o->turn < t->turn);
	}
	assert_true(older);
}

static void
fake_stop(struct engine *e, enum engine_reason why, bool now, bool unlimited)
{
	bool joins = e->info.state == ENGINE_DRAINING && !now && (why != REASON_USER || e->unlimited || e->again);

	if (why == REASON_SWAP && unlimited)
		may_give_way(e);

	e->info.reason = why;
	if (joins && e->again) {
		feed(e, IN_STOP);
	} else if (joins) {
		if (e->unlimited && !unlimited) {
			e->unlimited = false;
			e->info.kill_at = clock_ms();
		}
	} else {
		e->unlimited = unlimited;
		feed(e, now ? IN_STOP_NOW : IN_STOP);
	}
}

static void
fake_restart(struct engine *e, bool force)
{
	e->unlimited = false;
	feed(e, force ? IN_RESTART_FORCE : IN_RESTART);
	if (e->info.state == ENGINE_DRAINING)
		e->info.kill_at = clock_ms();
}

static void
fake_set_inflight(struct engine *e, int n)
{
	assert_true(n >= 0);
	e->inflight = n;
	if (n == 0 && e->info.state == ENGINE_DRAINING)
		feed(e, IN_IDLE);
}

static uint64_t fake_need(const struct engine_env *env, const struct conf_model *m) { (void)env; return m->memory; }

static bool
fake_preflight(struct engine *e, enum engine_reason why)
{
	enum engine_state from = e->info.state;

	(void)why;
	if (sound || policy_occupies(from) || roll(20) != 0)
		return true;
	e->info.state = ENGINE_FAILED;
	e->ops->changed(e->arg, e, from, ENGINE_FAILED);
	return false;
}

static const struct router_ops fake_ops = {
	fake_create, fake_destroy, fake_set_conf, fake_start, fake_stop, fake_kill, fake_restart, fake_set_inflight,
	fake_set_held, fake_progress, fake_suspect, fake_info, fake_target, fake_settled, fake_need, fake_preflight,
};

static void
gone(struct engine *e)
{
	e->child = false;
	feed(e, IN_GONE);
	if (e->info.state == ENGINE_FAILED)
		e->ops->gone(e->arg, e);
}

/* What processes do. well: they start and end as they should. */
static void
happens(struct engine *e, bool well)
{
	switch (e->info.state) {
	case ENGINE_STARTING:
		if (well || roll(2) == 0)
			feed(e, e->child ? IN_READY : IN_CRASH);
		else
			feed(e, roll(4) == 0 ? IN_CRASH_FATAL : roll(4) == 0 ? IN_CRASH_FREE : IN_CRASH);
		break;
	case ENGINE_READY:
		if (!well)
			feed(e, roll(4) == 0 ? IN_TIMEOUT : IN_CRASH);
		break;
	case ENGINE_DRAINING:
		if (e->info.kill_at != 0 && (well || roll(2) == 0))
			feed(e, IN_TIMEOUT);
		else if (!well && roll(4) == 0)
			feed(e, IN_CRASH);
		break;
	case ENGINE_STOPPING:
		gone(e);
		break;
	case ENGINE_BACKOFF:
		if (e->child && (well || roll(2) == 0))
			gone(e);
		else
			feed(e, IN_TIMEOUT);
		break;
	case ENGINE_FAILED:
		if (e->child)
			gone(e);
		break;
	case ENGINE_STOPPED:
	default:
		break;
	}
}

static void
leave(struct req *q)
{
	router_done(&q->t);
	memset(q, 0, sizeof(*q));
}

static void
on_answer(void *arg, const struct router_answer *a)
{
	struct req *q = arg;

	assert_true(q->used && q->waits && !q->refused);
	q->waits = false;
	if (a->refusal == REFUSE_NONE) {
		assert_ptr_equal(a->target, &target);
		q->granted = true;
	} else {
		q->refused = true;
	}
	/* Gone meanwhile, or answered already. */
	if (roll(8) == 0)
		leave(q);
}

static void
on_outcome(void *arg, const struct router_outcome *o)
{
	struct call *c = arg;

	(void)o;
	assert_true(c->used);
	c->outs++;
	assert_int_equal(c->outs, 1);
	c->used = false;
}

static const char *
some_model(void)
{
	static const char *const names[] = {"a", "b", "c", "d", NULL, "nope"};
	unsigned i = roll(24);

	return names[i < 20 ? i % 5 : i % 2 == 0 ? 5 : 0];
}

static void
submit(void)
{
	struct router_answer now = {.refusal = REFUSE_NONE};

	for (size_t i = 0; i < REQS; i++) {
		struct req *q = &reqs[i];

		if (q->used)
			continue;
		q->used = true;
		q->model = some_model();
		q->t = router_submit(router, q->model, on_answer, q, &now, &q->waits);
		if (q->t == NULL) {
			assert_int_not_equal(now.refusal, REFUSE_NONE);
			memset(q, 0, sizeof(*q));
		} else {
			q->granted = !q->waits;
		}
		return;
	}
}

static void
ask(void)
{
	for (size_t i = 0; i < OPS; i++) {
		struct call *c = &calls[i];

		if (c->used)
			continue;
		*c = (struct call){true, 0};
		router_do(router, (enum router_verb)roll(4), some_model(), 0, roll(4) == 0, "test", on_outcome, c);
		assert_int_equal(c->outs, 0);
		if (roll(10) == 0) {
			router_forget(router, c);
			c->used = false;
		}
		return;
	}
}

static void
touch(void)
{
	struct req *q = &reqs[roll(REQS)];

	if (!q->used)
		return;
	if (q->granted && roll(3) == 0) {
		if (router_requeue(q->t)) {
			q->granted = false;
			q->waits = true;
		}
	} else if (q->granted || q->refused || roll(4) == 0) {
		leave(q);
	}
}

static bool
holds(const struct engine *e)
{
	return e != NULL && (e->child || policy_occupies(e->info.state));
}

static void
check(void)
{
	int waiting = 0, flying = 0, holders = 0;
	uint64_t bytes = 0;

	for (size_t i = 0; i < REQS; i++) {
		waiting += reqs[i].used && reqs[i].waits;
		flying += reqs[i].used && reqs[i].granted;
	}
	assert_int_equal(router_queued(router), waiting);
	assert_int_equal(router_in_flight(router), flying);
	for (size_t i = 0; i < ARRAY_LEN(engines); i++) {
		if (!holds(engines[i]))
			continue;
		holders++;
		bytes += engines[i]->model->memory;
		for (size_t k = 0; k < i; k++)
			assert_false(holds(engines[k]) && strcmp(engines[k]->model->id, engines[i]->model->id) == 0);
	}
	assert_true(holders <= confs[0].max_loaded);
	assert_true(confs[0].memory_budget == 0 || bytes <= confs[0].memory_budget);
}

static void
pass(uint64_t ms)
{
	now_ms += ms;
	clock_fake(now_ms, now_ms);
}

/* The router's timer is of real time: here it goes off when the test's time says so. */
static void
turn(void)
{
	for (int i = 0; i < 3; i++) {
		if (router != NULL && timer_armed(&router->tick) && timer_left(&router->tick) == 0) {
			timer_stop(&router->tick);
			router_kick(router);
		}
		loop_once(loop, 0);
	}
}

static void
each_engine(bool well)
{
	for (size_t i = 0; i < ARRAY_LEN(engines); i++)
		if (engines[i] != NULL && (well || roll(2) == 0))
			happens(engines[i], well);
}

static bool
all_out(void)
{
	for (size_t i = 0; i < REQS; i++)
		if (reqs[i].used)
			return false;
	for (size_t i = 0; i < OPS; i++)
		if (calls[i].used)
			return false;
	return true;
}

static void
say_row(void *arg, const struct router_row *row)
{
	(void)arg;
	print_error(" model %s: %d in flight, %d queued%s\n", row->model->id, row->in_flight, row->queued,
	    row->current ? ", current" : "");
}

static void
say_stuck(unsigned long at)
{
	const char *from = "", *to = "";
	int n = 0;
	bool swapping = router_swapping(router, &from, &to, &n);

	print_error("stuck after step %lu: %s%s%s, step %d\n", at, from, swapping ? " -> " : "no swap", to, n);
	router_each(router, say_row, NULL);
	for (size_t i = 0; i < ARRAY_LEN(engines); i++)
		if (engines[i] != NULL)
			print_error(" engine %zu: %s%s\n", i, engine_state_name(engines[i]->info.state),
			    engines[i]->info.wanted ? ", wanted" : "");
	for (size_t i = 0; i < REQS; i++)
		if (reqs[i].used)
			print_error(" request %zu: %s\n", i, reqs[i].waits ? "waits" : "has its answer");
	for (size_t i = 0; i < OPS; i++)
		if (calls[i].used)
			print_error(" verb %zu has not come out\n", i);
}

/* From any state, when nothing new comes and everything goes well, all comes out. */
static void
settle(unsigned long at)
{
	sound = true;
	for (int n = 0; n < PATIENCE && !all_out(); n++) {
		pass(200);
		each_engine(true);
		turn();
		check();
		for (size_t i = 0; i < REQS; i++)
			if (reqs[i].used && !reqs[i].waits)
				leave(&reqs[i]);
		turn();
		check();
	}
	if (!all_out()) {
		say_stuck(at);
		fail();
	}
	sound = false;
}

static void
random_step(void)
{
	switch (roll(12)) {
	case 0: case 1: case 2:
		submit();
		break;
	case 3: case 4: case 5:
		touch();
		break;
	case 6:
		ask();
		break;
	case 7:
		if (roll(10) == 0)
			router_reload(router, &confs[roll(3)]);
		break;
	default:
		each_engine(false);
		break;
	}
	if (roll(3) == 0)
		pass(roll(3000));
	if (roll(2) == 0)
		turn();
	check();
}

static void on_end(void *arg) { (void)arg; closing = false; }

static void
close_router(unsigned long at)
{
	closing = true;
	router_shutdown(router, roll(2) == 0, on_end, NULL);
	for (int i = 0; i < 10; i++)
		random_step();
	if (roll(2) == 0)
		router_shutdown(router, true, on_end, NULL);
	settle(at);
	for (int n = 0; n < PATIENCE && closing; n++) {
		each_engine(true);
		turn();
	}
	assert_false(closing);
	check();
}

struct world {
	enum conf_route route;
	int max_loaded;
	uint64_t budget, min_resident, max_swap_wait;
	bool pin;	/* one of them */
};

static void
setup_confs(const struct world *w)
{
	static char ids[MODELS][2] = {"a", "b", "c", "d"}, *preload[] = {ids[0], ids[3], NULL};
	static const size_t which[3][MODELS] = {{0, 1, 2, 3}, {0, 1, 1, 1}, {1, 2, 3, 3}}, many[3] = {4, 2, 3};

	memset(models, 0, sizeof(models));
	memset(confs, 0, sizeof(confs));
	for (size_t i = 0; i < MODELS; i++) {
		models[i].id = ids[i];
		models[i].memory = 1 + 2 * i;
	}
	models[1].concurrency_limit = 2;
	models[0].pin = w->pin;
	for (size_t i = 0; i < 3; i++) {
		for (size_t k = 0; k < many[i]; k++)
			lists[i][k] = &models[which[i][k]];
		confs[i].models = lists[i];
		confs[i].nmodels = many[i];
		confs[i].default_model = models[which[i][0]].id;
		confs[i].route = w->route;
		confs[i].source = CONF_FILE;
		confs[i].queue_max = 6;
		confs[i].queue_max_wait = 300000;
		confs[i].max_loaded = w->max_loaded;
		confs[i].memory_budget = w->budget;
		confs[i].min_resident = w->min_resident;
		confs[i].max_swap_wait = w->max_swap_wait;
		confs[i].rollback = roll(2) == 0;
		confs[i].preload = preload;
		confs[i].refs = 1000000;	/* the trees are static */
	}
}

static void
walk(const struct world *w)
{
	for (unsigned long at = 0; at < STEPS; at += EPOCH) {
		memset(reqs, 0, sizeof(reqs));
		memset(calls, 0, sizeof(calls));
		memset(engines, 0, sizeof(engines));
		seed = at * 31 + (unsigned)w->route + (unsigned)w->max_loaded * 7 + w->budget + 1 + more;
		setup_confs(w);
		router = router_new_ops(loop, bus, metrics, NULL, &confs[0], &fake_ops);
		if (roll(4) == 0)
			router_preload(router);
		for (int i = 0; i < EPOCH; i++)
			random_step();
		if (roll(2) == 0)
			settle(at);
		close_router(at);
		router_free(&router);
	}
}

#define WALK(name, ...)                                              \
	static void test_##name(void **state)                        \
	{                                                            \
		const struct world w = {__VA_ARGS__};                \
                                                                     \
		(void)state;                                         \
		walk(&w);                                            \
	}

WALK(swap, ROUTE_SWAP, 1, 0, 0, 0, false)
WALK(swap_with_patience, ROUTE_SWAP, 1, 0, 5000, 15000, false)
WALK(two, ROUTE_SWAP, 2, 0, 5000, 15000, false)
WALK(two_and_one_pinned, ROUTE_SWAP, 2, 0, 0, 2000, true)
WALK(budget, ROUTE_SWAP, 4, 9, 1000, 4000, false)
WALK(budget_and_one_pinned, ROUTE_SWAP, 3, 8, 0, 0, true)
WALK(loaded, ROUTE_LOADED, 1, 0, 0, 0, false)
WALK(loaded_two, ROUTE_LOADED, 2, 0, 0, 1000, false)
WALK(reject, ROUTE_REJECT, 1, 0, 0, 0, false)
WALK(reject_two, ROUTE_REJECT, 2, 6, 0, 0, false)

/* how long they wait ------------------------------------------------------------------------------------------------ */

#define LOAD_MS 3000
#define STOP_MS 400
#define FLIGHT_MS 20000
#define TICK_MS 50

static struct flight {
	struct req q;
	uint64_t since, ends, waited;
} flights[64];
static uint64_t longest[MODELS];

static void
on_flight(void *arg, const struct router_answer *a)
{
	struct flight *f = arg;
	size_t i = (size_t)(f->q.model[0] - 'a');

	assert_int_equal(a->refusal, REFUSE_NONE);
	f->q.waits = false;
	f->ends = now_ms + 500 + roll(FLIGHT_MS - 500);
	f->waited = now_ms - f->since;
	if (f->waited > longest[i])
		longest[i] = f->waited;
}

/* One asks; most want the first model. */
static void
fly(struct flight *f, unsigned nmodels)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	struct router_answer now = {.refusal = REFUSE_NONE};

	memset(f, 0, sizeof(*f));
	if (nmodels == 1)
		f->q.model = names[f == &flights[0]];
	else
		f->q.model = names[roll(3) != 0 ? 0 : roll(nmodels)];
	f->q.used = f->q.waits = true;
	f->since = now_ms;
	f->q.t = router_submit(router, f->q.model, on_flight, f, &now, &f->q.waits);
	assert_non_null(f->q.t);
	if (!f->q.waits)
		on_flight(f, &now);
}

/* Engines take their time, and no more. */
static void
engines_go_on(void)
{
	for (size_t i = 0; i < ARRAY_LEN(engines); i++) {
		struct engine *e = engines[i];

		if (e == NULL)
			continue;
		if (e->info.state == ENGINE_STARTING && now_ms >= e->info.since + LOAD_MS)
			feed(e, IN_READY);
		else if (e->info.state == ENGINE_STOPPING && now_ms >= e->info.since + STOP_MS)
			gone(e);
	}
}

static bool
serves(const char *id)
{
	struct router_row row;

	return router_row(router, id, &row) && row.engine != NULL && row.engine->info.state == ENGINE_READY;
}

/* An hour in which clients ask again as soon as they were answered. One model only: all but one client want it, and that one
 * asks for the second whenever the first is loaded. */
static void
rush(unsigned nmodels, int max_loaded)
{
	const struct world w = {ROUTE_SWAP, max_loaded, 0, 5000, 15000, false};

	memset(reqs, 0, sizeof(reqs));
	memset(engines, 0, sizeof(engines));
	memset(longest, 0, sizeof(longest));
	seed = nmodels * 10 + (unsigned)max_loaded;
	setup_confs(&w);
	confs[0].queue_max = 100;
	models[1].concurrency_limit = 0;
	sound = true;
	router = router_new_ops(loop, bus, metrics, NULL, &confs[0], &fake_ops);
	for (size_t i = 0; i < ARRAY_LEN(flights); i++)
		fly(&flights[i], nmodels);
	for (uint64_t end = now_ms + 3600000; now_ms < end;) {
		pass(TICK_MS);
		engines_go_on();
		turn();
		for (size_t i = 0; i < ARRAY_LEN(flights); i++)
			if (!flights[i].q.waits && now_ms >= flights[i].ends) {
				router_done(&flights[i].q.t);
				if (nmodels > 1 || i > 0 || serves("a"))
					fly(&flights[i], nmodels);
			}
	}
	for (size_t i = 0; i < ARRAY_LEN(flights); i++)
		router_done(&flights[i].q.t);
	closing = true;
	router_shutdown(router, true, on_end, NULL);
	for (int n = 0; n < PATIENCE && closing; n++) {
		each_engine(true);
		turn();
	}
	router_free(&router);
	sound = false;
}

/* However busy the first model is kept, the second is served within its patience, the longest request then in flight, a stop
 * and a load. With more models each that waited longer comes before. */
static void
test_nobody_starves(void **state)
{
	const uint64_t change = FLIGHT_MS + STOP_MS + LOAD_MS + 4 * TICK_MS;

	(void)state;
	rush(1, 1);
	assert_true(longest[1] > 15000 && longest[1] <= 15000 + change);
	/* Who comes just after the first was closed for the second waits for both changes. */
	assert_true(longest[0] <= 2 * change + 5000);
	rush(4, 1);
	for (size_t i = 0; i < 4; i++)
		assert_true(longest[i] > 0 && longest[i] <= 15000 + 4 * (change + 5000));
	rush(4, 2);
	for (size_t i = 0; i < 4; i++)
		assert_true(longest[i] <= 15000 + 4 * (change + 5000));
}

static void
no_log(void *arg, enum log_level level, const char *module, const char *ctx, const char *text)
{
	(void)arg;
	(void)level;
	(void)module;
	(void)ctx;
	(void)text;
}

static int
setup(void **state)
{
	(void)state;
	log_set_sink(no_log, NULL);
	pass(1000000);
	loop = loop_new();
	bus = bus_new();
	metrics = metrics_new();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	metrics_free(&metrics);
	bus_free(&bus);
	loop_free(&loop);
	clock_fake_off();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_swap), cmocka_unit_test(test_swap_with_patience), cmocka_unit_test(test_two),
		cmocka_unit_test(test_two_and_one_pinned), cmocka_unit_test(test_budget),
		cmocka_unit_test(test_budget_and_one_pinned), cmocka_unit_test(test_loaded),
		cmocka_unit_test(test_loaded_two), cmocka_unit_test(test_reject), cmocka_unit_test(test_reject_two),
		cmocka_unit_test(test_nobody_starves),
	};

	more = getenv("MAI_TEST_SEED") != NULL ? strtoull(getenv("MAI_TEST_SEED"), NULL, 10) : 0;
	return cmocka_run_group_tests(tests, setup, teardown);
}
