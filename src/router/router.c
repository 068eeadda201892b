/* SPDX-License-Identifier: ISC
 * Slots, tickets and the tick that keeps everything moving. */
#include "router/router.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "router/router_priv.h"

#define SETTLE_BOUND 5000	/* ms in which memory has come back, or is not waited for any more */

static void on_tick(void *arg);
static void on_kick(void *arg);

enum engine_state
slot_state(const struct slot *s)
{
	return s->engine == NULL ? ENGINE_STOPPED : s->router->eng->info(s->engine)->state;
}

static void
on_engine_changed(void *arg, struct engine *e, enum engine_state from, enum engine_state to)
{
	struct slot *s = arg;
	struct router *r = s->router;

	(void)e;
	if (!policy_occupies(to))
		s->ends++;
	s->need_at = 0;	/* its peak may be known better now */
	if (to == ENGINE_BACKOFF || (to == ENGINE_FAILED && from != ENGINE_STOPPED)) {
		char labels[256];

		metrics_add(r->metrics, "mai_engine_crashes_total",
		    metrics_labels(labels, sizeof(labels), "model", s->model->id, "reason",
		    engine_reason_name(r->eng->info(s->engine)->reason), NULL), 1);
	}
	plan_changed(s, from, to);
	router_kick(r);
}

/* What a failed one held has become free. */
static void
on_engine_gone(void *arg, struct engine *e)
{
	struct slot *s = arg;

	(void)e;
	s->router->settle_since = clock_ms();
	router_kick(s->router);
}

static const struct engine_ops engine_callbacks = {.changed = on_engine_changed, .gone = on_engine_gone};

struct engine *
slot_engine(struct slot *s)
{
	if (s->engine == NULL)
		s->engine = s->router->eng->create(s->router->env, s->conf, s->model, &engine_callbacks, s);
	return s->engine;
}

static struct slot *
slot_new(struct router *r, const struct conf_model *m)
{
	struct slot *s = xcalloc(1, sizeof(*s));

	s->router = r;
	s->conf = conf_ref(r->conf);
	s->model = m;
	s->pinned = -1;
	TAILQ_INIT(&s->queue);
	return s;
}

static void
slot_free(struct slot *s)
{
	if (s->engine != NULL)
		s->router->eng->destroy(&s->engine);
	conf_unref(&s->conf);
	free(s);
}

static void
slot_append(struct router *r, struct slot *s)
{
	r->slots = xreallocarray(r->slots, r->nslots + 1, sizeof(*r->slots));
	r->slots[r->nslots++] = s;
}

struct slot *
slot_find(struct router *r, const char *name)
{
	const struct conf_model *m = conf_find(r->conf, name);

	for (size_t i = 0; m != NULL && i < r->nslots; i++)
		if (r->slots[i]->model == m)
			return r->slots[i];
	return NULL;
}

struct slot *
router_occupant(struct router *r, const struct slot *except)
{
	struct slot *best = NULL;

	for (size_t i = 0; i < r->nslots; i++) {
		struct slot *s = r->slots[i];

		if (s != except && policy_occupies(slot_state(s)) && (best == NULL || s->used > best->used))
			best = s;
	}
	return best;
}

struct router *
router_new_ops(struct loop *l, struct bus *bus, struct metrics *m, struct engine_env *env, struct conf *c,
    const struct router_ops *ops)
{
	struct router *r = xcalloc(1, sizeof(*r));

	r->loop = l;
	r->bus = bus;
	r->metrics = m;
	r->env = env;
	r->eng = ops;
	r->conf = conf_ref(c);
	TAILQ_INIT(&r->ops);
	timer_init(&r->tick, l, on_tick, r);
	for (size_t i = 0; i < c->nmodels; i++)
		slot_append(r, slot_new(r, c->models[i]));
	metrics_declare(m, "mai_load_seconds", METRIC_HISTOGRAM, "Time from the decision to load a model to ready.");
	metrics_declare(m, "mai_engine_crashes_total", METRIC_COUNTER, "Engine deaths nobody asked for, by cause.");
	return r;
}

void
router_free(struct router **rp)
{
	struct router *r = *rp;

	if (r == NULL)
		return;
	*rp = NULL;
	loop_undefer(r->loop, r);
	timer_stop(&r->tick);
	while (!TAILQ_EMPTY(&r->ops)) {
		struct op *o = TAILQ_FIRST(&r->ops);

		TAILQ_REMOVE(&r->ops, o, link);
		op_free(o);
	}
	for (size_t i = 0; i < r->nslots; i++)
		slot_free(r->slots[i]);
	free(r->slots);
	plan_undo_clear(r);
	conf_unref(&r->conf);
	free(r);
}

void
router_kick(struct router *r)
{
	if (r->tick_pending)
		return;
	r->tick_pending = true;
	loop_defer(r->loop, on_kick, r);
}

static bool
has_op(const struct router *r, const struct slot *s)
{
	const struct op *o;

	TAILQ_FOREACH(o, &r->ops, link)
		if (o->slot == s || o->awaits == s)
			return true;
	return false;
}

/* Those no longer configured go once nothing is left of them, nor of what they hold. */
static void
sweep_leaving(struct router *r)
{
	for (size_t i = 0; i < r->nslots; i++) {
		struct slot *s = r->slots[i];

		if (!s->leaving || s->in_flight > 0 || s->queued > 0 || policy_occupies(slot_state(s)) || slot_dying(s) || has_op(r, s))
			continue;
		if (r->current == s)
			r->current = NULL;
		if (r->last == s)
			r->last = NULL;
		plan_forget(r, s);
		slot_free(s);
		memmove(&r->slots[i], &r->slots[i + 1], (r->nslots - i - 1) * sizeof(*r->slots));
		r->nslots--;
		i--;
	}
}

static void
shutdown_check(struct router *r)
{
	void (*done)(void *) = r->shutdown_done;

	if (!r->shutting || done == NULL || router_occupant(r, NULL) != NULL)
		return;
	r->shutdown_done = NULL;
	done(r->shutdown_arg);
}

/* Unloads models that served nobody for their ttl. Returns when the next one is due (clock_ms), 0 when none will be. */
static uint64_t
unload_idle(struct router *r, uint64_t now)
{
	uint64_t next = 0;

	for (size_t i = 0; i < r->nslots; i++) {
		struct slot *s = r->slots[i];
		uint64_t since, due;

		if (s->model->ttl == 0 || slot_pinned(s) || s->in_flight > 0 || s->queued > 0 ||
		    slot_state(s) != ENGINE_READY)
			continue;
		since = r->eng->info(s->engine)->ready_at;
		due = (s->idle_since > since ? s->idle_since : since) + s->model->ttl;
		if (due <= now)
			r->eng->stop(s->engine, REASON_IDLE, false, true);
		else if (next == 0 || due < next)
			next = due;
	}
	return next;
}

static uint64_t
sooner(uint64_t again, uint64_t due, uint64_t now)
{
	uint64_t left = due > now ? due - now : 1;

	return due != 0 && (again == 0 || left < again) ? left : again;
}

/* Somebody waits, nothing runs and nothing is on its way: that must not be. It is looked at again, and said. */
static bool
stuck(struct router *r, uint64_t now)
{
	bool settling = r->settle_since != 0 && now < r->settle_since + SETTLE_BOUND;

	for (size_t i = 0; i < r->nslots; i++)
		settling = settling || slot_dying(r->slots[i]);
	if (r->shutting || settling || router_queued(r) == 0 || router_occupant(r, NULL) != NULL)
		return false;
	log_error("router", NULL, "%d requests wait and nothing is being loaded", router_queued(r));
	return true;
}

/* Those who can be served or told so at once. */
static void
serve_queues(struct router *r)
{
	for (size_t i = 0; i < r->nslots; i++) {
		struct slot *s = r->slots[i];

		if (s->queued == 0)
			continue;
		if (slot_state(s) == ENGINE_FAILED && s->claim != CLAIM_PERSON)
			queue_refuse_all(s, REFUSE_FAILED, NULL);
		else
			queue_grant(s);
	}
}

static void
look(struct router *r)
{
	uint64_t now = clock_ms(), again;

	queue_expire(r, now);
	plan_undo(r);
	/* Before: one that just became ready serves those it was loaded for, and that is told. After: what was decided. */
	serve_queues(r);
	verbs_check(r);
	again = plan_carry_out(r, now);
	serve_queues(r);
	verbs_check(r);
	sweep_leaving(r);
	again = sooner(again, queue_next_deadline(r), now);
	again = sooner(again, unload_idle(r, now), now);
	if (stuck(r, now))
		again = sooner(again, now + 1000, now);
	if (again != 0 && (!timer_armed(&r->tick) || timer_left(&r->tick) > again))
		timer_set(&r->tick, again);
	shutdown_check(r);
}

static void
on_kick(void *arg)
{
	struct router *r = arg;

	r->tick_pending = false;
	look(r);
}

static void
on_tick(void *arg)
{
	look(arg);
}

void
router_shutdown(struct router *r, bool now, void (*done)(void *), void *arg)
{
	bool again = r->shutting;

	r->shutting = true;
	r->shutdown_done = done;
	r->shutdown_arg = arg;
	if (!again) {
		plan_undo_clear(r);
		for (size_t i = 0; i < r->nslots; i++)
			r->slots[i]->claim = CLAIM_NONE;
		verbs_fail_all(r, REFUSE_SHUTDOWN, "mai is shutting down");
	} else if (now) {
		r->hurry++;
	}
	for (size_t i = 0; i < r->nslots; i++) {
		struct slot *s = r->slots[i];

		queue_refuse_all(s, REFUSE_SHUTDOWN, "mai is shutting down");
		if (s->engine == NULL || !policy_occupies(slot_state(s)))
			continue;
		if (again && now)
			r->eng->kill(s->engine, REASON_SHUTDOWN);
		else
			r->eng->stop(s->engine, REASON_SHUTDOWN, now, false);
	}
	router_kick(r);
}

/* Takes what the new configuration says of a model that was there before. */
static void
slot_adopt(struct slot *s, struct conf *c, const struct conf_model *m)
{
	struct conf *old = s->conf;

	s->conf = conf_ref(c);
	s->model = m;
	s->leaving = false;
	s->need_at = 0;
	if (s->engine != NULL)
		s->router->eng->set_conf(s->engine, c, m);
	conf_unref(&old);
}

static bool
has_slot(const struct router *r, const struct conf_model *m)
{
	for (size_t i = 0; i < r->nslots; i++)
		if (r->slots[i]->model == m)
			return true;
	return false;
}

/* Who waits for a model that is gone goes to the one that has its name now; or to the default one, where there is no
 * choice of models: it is for whichever is served. */
static void
follow_names(struct router *r)
{
	struct slot *any = r->conf->route != ROUTE_LOADED || r->conf->default_model == NULL ? NULL :
	    slot_find(r, r->conf->default_model);

	for (size_t i = 0; i < r->nslots; i++) {
		struct slot *s = r->slots[i], *to;
		struct ticket *t;

		if (!s->leaving || s->queued == 0)
			continue;
		to = slot_find(r, s->model->id);
		to = to != NULL ? to : any;
		while (to != NULL && (t = TAILQ_FIRST(&s->queue)) != NULL) {
			queue_remove(t);
			queue_put(to, t, false);
		}
		queue_refuse_all(s, REFUSE_NOT_FOUND, "the model is no longer configured");
	}
}

void
router_replace(struct router *r, struct conf *c, bool keep)
{
	struct conf *old = r->conf;
	const struct bus_event e = {.kind = BUS_CONFIG};

	r->conf = conf_ref(c);
	for (size_t i = 0; i < r->nslots; i++) {
		struct slot *s = r->slots[i];
		struct conf_model *m = conf_find(c, s->model->id);

		if (m != NULL && strcmp(m->id, s->model->id) == 0) {
			slot_adopt(s, c, m);
			continue;
		}
		s->leaving = true;
		s->claim = CLAIM_NONE;
		if (!keep && s->engine != NULL && policy_occupies(slot_state(s)))
			r->eng->stop(s->engine, REASON_CONFIG, false, false);
	}
	for (size_t i = 0; i < c->nmodels; i++)
		if (!has_slot(r, c->models[i]))
			slot_append(r, slot_new(r, c->models[i]));
	follow_names(r);
	conf_unref(&old);
	bus_publish(r->bus, &e);
	router_kick(r);
}

void
router_reload(struct router *r, struct conf *c)
{
	plan_undo_clear(r);
	for (size_t i = 0; i < r->nslots; i++)
		r->slots[i]->pinned = -1;
	router_replace(r, c, false);
}

void
router_extend(struct router *r, struct conf *c)
{
	router_replace(r, c, true);
}

void
router_preload(struct router *r)
{
	for (char **id = r->conf->preload; id != NULL && *id != NULL; id++) {
		struct slot *s = slot_find(r, *id);

		if (s == NULL || s->claim != CLAIM_NONE || policy_occupies(slot_state(s)))
			continue;
		s->claim = CLAIM_PRELOAD;
		s->turn = ++r->arrivals;
	}
	router_kick(r);
}
