/* SPDX-License-Identifier: ISC
 * Carries out what the table of engine_fsm.c says: one place where inputs act, one where the state is written. */
#include "engine/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "engine/engine_priv.h"

#define LINGER_MS 100

/* State ------------------------------------------------------------------------------------------------------------- */

static void
publish(struct engine *e, enum engine_state from)
{
	const struct bus_event ev = {
		.kind = BUS_ENGINE, .model = e->id, .from = from, .to = e->info.state, .reason = e->info.reason,
	};

	bus_publish(e->env->bus, &ev);
}

void
engine_publish(struct engine *e)
{
	publish(e, e->info.state);
}

static void
tell_failed(const struct engine *e)
{
	int n = e->info.attempt + 1;

	if (e->info.attempt < e->m->max_attempts)
		log_error("engine", e->id, "gave up: a restart would not help");
	else
		log_error("engine", e->id, "gave up after %d failed start%s", n, n == 1 ? "" : "s");
}

/* The only writer of the state. */
static void
set_state(struct engine *e, enum engine_state to, enum engine_reason reason)
{
	enum engine_state from = e->info.state;

	e->info.state = to;
	e->info.reason = reason;
	e->info.since = clock_ms();
	log_info("engine", e->id, "%s -> %s%s%s%s", engine_state_name(from), engine_state_name(to),
	    reason == REASON_NONE ? "" : " (", reason == REASON_NONE ? "" : engine_reason_name(reason),
	    reason == REASON_NONE ? "" : ")");
	if (to == ENGINE_FAILED)
		tell_failed(e);
	publish(e, from);
	if (e->ops != NULL && e->ops->changed != NULL)
		e->ops->changed(e->arg, e, from, to);
}

static unsigned
context(const struct engine *e)
{
	return (e->pgid != 0 ? CTX_CHILD : 0) | (e->info.attempt < e->m->max_attempts ? CTX_MORE : 0) |
	    (e->inflight > 0 ? CTX_BUSY : 0) | (e->again ? CTX_AGAIN : 0) | (e->due ? CTX_DUE : 0);
}

/* Actions ----------------------------------------------------------------------------------------------------------- */

static void
on_timer(void *arg)
{
	struct engine *e = arg;

	engine_feed(e, IN_TIMEOUT, e->info.reason);
}

/* A start that failed at once is told from the loop, as every other end is. */
static void
on_spawn_failed(void *arg)
{
	struct engine *e = arg;

	if (!e->spawn_failed)
		return;
	e->spawn_failed = false;
	if (e->info.state == ENGINE_STARTING && e->pgid == 0)
		engine_dead(e, &e->verdict, e->cause);
}

static void
act_spawn(struct engine *e)
{
	e->spawn_failed = false;
	engine_output_kind(e);
	if (engine_spawn(e, &e->verdict, e->cause, sizeof(e->cause)) == 0) {
		engine_probe_start(e);
		return;
	}
	e->info.spawned_at = 0;
	e->info.port = 0;
	e->spawn_failed = true;
	loop_defer(e->env->loop, on_spawn_failed, e);
}

static void
act_backoff(struct engine *e)
{
	uint64_t d = policy_backoff(e->m->backoff, e->m->backoff_max, e->info.attempt);

	timer_set(&e->timer, d);
	e->info.retry_at = clock_ms() + d;
}

/* The leader is dead. A stop command that still runs has its own bound, and may be what ends the rest. */
static void
linger(struct engine *e)
{
	if (e->cmdstop.pid == 0 && (timer_left(&e->timer) > LINGER_MS || !timer_armed(&e->timer)))
		timer_set(&e->timer, LINGER_MS);
	engine_watch_gone(e);
}

void
engine_cmdstop_over(struct engine *e)
{
	if (e->info.state == ENGINE_STOPPING && e->pid == 0)
		linger(e);
	else
		engine_watch_gone(e);
}

static void
act_timers(struct engine *e, unsigned act)
{
	if (act & ACT_TERM) {
		engine_term(e);
		timer_set(&e->timer, e->m->unload_timeout);
		e->info.kill_at = clock_ms() + e->m->unload_timeout;
	}
	if (act & ACT_LINGER)
		linger(e);
	if (act & ACT_KILL) {
		e->info.kill_at = 0;
		engine_kill_everything(e);
	}
	if ((act & ACT_DRAIN) && !e->unlimited) {
		timer_set(&e->timer, e->m->drain_timeout);
		e->info.kill_at = clock_ms() + e->m->drain_timeout;
	}
	if (act & ACT_BACKOFF)
		act_backoff(e);
	if (act & ACT_SOON) {
		timer_set(&e->timer, 0);
		e->info.retry_at = clock_ms();
	}
}

static void
act(struct engine *e, unsigned act, enum engine_reason reason)
{
	if (act & ACT_FORGET)
		e->again = false;
	if (act & ACT_AGAIN) {
		e->again = true;
		e->why_again = reason;
	}
	if (act & ACT_RESET)
		e->info.attempt = e->repicks = 0;
	if (act & ACT_COUNT)
		e->info.attempt++;
	act_timers(e, act);
	if (act & ACT_DUE)
		e->due = true;
	if (act & ACT_SPAWN)
		act_spawn(e);
}

static void
leave(struct engine *e, enum engine_state to)
{
	timer_stop(&e->timer);
	e->due = false;
	e->info.retry_at = e->info.kill_at = 0;
	if (e->info.state == ENGINE_STARTING || ((e->info.state == ENGINE_READY || e->info.state == ENGINE_DRAINING) &&
	    to != ENGINE_READY && to != ENGINE_DRAINING)) {
		engine_probe_stop(e);
		engine_wedge_end(e);
		engine_output_stop_trip(e);
	}
	if (to != ENGINE_READY && to != ENGINE_DRAINING)
		e->info.ready_at = 0;
	if (to != ENGINE_STARTING)
		e->info.progress = -1;
}

static void
entered_ready(struct engine *e)
{
	if (e->info.attempt > 0)
		timer_set(&e->timer, e->m->stable_after);
	engine_probe_watch(e);
	/* What it serves before the state says so is not seen by the router. */
	engine_wedge_begin(e);
}

/* Why it is where it is now: of a start, who wanted it; of what a timer did, what was before. */
static enum engine_reason
reason_of(struct engine *e, enum engine_input in, enum engine_state to, enum engine_reason given)
{
	if (to == ENGINE_READY)
		return e->why;
	if (in == IN_GONE && to == ENGINE_STARTING && e->info.state == ENGINE_STOPPING)
		return e->why_again;
	return given;
}

static void
step(struct engine *e, enum engine_input in, enum engine_reason given)
{
	enum engine_state from = e->info.state;
	struct engine_step st = engine_fsm(from, in, context(e));
	enum engine_reason reason = reason_of(e, in, st.to, given);
	bool attempts = e->info.attempt != 0;

	log_debug("engine", e->id, "%s in %s", engine_input_name(in), engine_state_name(from));
	if (st.to != from)
		leave(e, st.to);
	/* A retry is still for whoever wanted it first. */
	if (st.to == ENGINE_STARTING && st.to != from && in != IN_TIMEOUT && !(in == IN_GONE && from == ENGINE_BACKOFF))
		e->why = reason;
	act(e, st.actions, given);
	e->info.wanted = st.to == ENGINE_STARTING || st.to == ENGINE_READY || st.to == ENGINE_BACKOFF || e->again;
	if (st.to == from) {
		if (attempts && e->info.attempt == 0)
			engine_publish(e);
		return;
	}
	if (st.to == ENGINE_READY)
		entered_ready(e);
	set_state(e, st.to, reason);
}

void
engine_feed(struct engine *e, enum engine_input in, enum engine_reason reason)
{
	if (e->nwants == ARRAY_LEN(e->wants)) {
		log_error("engine", e->id, "too many things asked at once; %s forgotten", engine_input_name(in));
		return;
	}
	e->wants[e->nwants++] = (struct engine_want){in, reason};
	if (e->stepping)
		return;
	e->stepping = true;
	while (e->nwants > 0) {
		struct engine_want w = e->wants[0];

		e->nwants--;
		memmove(e->wants, e->wants + 1, e->nwants * sizeof(*e->wants));
		step(e, w.in, w.reason);
	}
	e->stepping = false;
}

void
engine_became_ready(struct engine *e)
{
	uint64_t now = clock_ms();

	if (e->info.state != ENGINE_STARTING || e->pid == 0 || timer_armed(&e->log.trip))
		return;
	e->ever_ready = true;
	e->info.ready_at = e->info.check_ok_at = now;
	e->info.last_load_ms = now - e->info.spawned_at;
	engine_use_update(e);
	engine_store_loaded(e->env, e->id, e->info.last_load_ms);
	e->info.usual_ms = engine_store_usual(e->env, e->id);
	log_info("engine", e->id, "ready after %llu ms", (unsigned long long)e->info.last_load_ms);
	engine_feed(e, IN_READY, e->why);
}

/* What others ask --------------------------------------------------------------------------------------------------- */

struct engine *
engine_new(struct engine_env *env, struct conf *c, const struct conf_model *m, const struct engine_ops *ops, void *arg)
{
	struct engine *e = xcalloc(1, sizeof(*e));

	e->env = env;
	e->conf = conf_ref(c);
	e->m = m;
	e->ops = ops;
	e->arg = arg;
	e->id = xstrdup(m->id);
	e->info.progress = -1;
	e->info.since = clock_ms();
	e->info.usual_ms = engine_store_usual(env, e->id);
	e->exec_fd = -1;
	timer_init(&e->timer, env->loop, on_timer, e);
	timer_init(&e->gone, env->loop, engine_on_gone_timer, e);
	engine_output_init(e);
	engine_probe_init(e);
	engine_wedge_init(e);
	engine_cmdstop_init(e);
	e->next = env->first;
	env->first = e;
	return e;
}

void
engine_free(struct engine **ep)
{
	struct engine *e = *ep;

	if (e == NULL)
		return;
	/* Of one that failed something may be dying still; nobody is there any more to wait for a command. */
	e->cmdstop.ran = true;
	if (e->pgid != 0)
		engine_kill_everything(e);
	engine_cmdstop_fini(e);
	loop_undefer(e->env->loop, e);
	timer_stop(&e->timer);
	timer_stop(&e->gone);
	engine_spawn_settle(e);
	engine_wedge_end(e);
	engine_probe_fini(e);
	engine_output_fini(e);
	for (struct engine **p = &e->env->first; *p != NULL; p = &(*p)->next)
		if (*p == e) {
			*p = e->next;
			break;
		}
	engine_exits_free(e);
	strv_free(&e->argv);
	conf_unref(&e->conf);
	free(e->id);
	free(e);
	*ep = NULL;
}

void
engine_set_conf(struct engine *e, struct conf *c, const struct conf_model *m)
{
	struct conf *old = e->conf;

	e->conf = conf_ref(c);
	e->m = m;
	e->ever_ready = e->ever_ready && e->pid != 0;
	e->wedge.completes = e->wedge.completes && e->pid != 0;
	timer_stop(&e->wedge.tick);
	engine_wedge_watch(e);
	conf_unref(&old);
}

void
engine_start(struct engine *e, enum engine_reason why, bool manual)
{
	engine_feed(e, manual ? IN_START : IN_START_AUTO, why);
}

/* Requests alone could wait for the drain for as long as it takes; this one does not, but nothing is cut yet. */
static void
limit_drain(struct engine *e, enum engine_reason why)
{
	e->unlimited = false;
	e->info.reason = why;
	timer_set(&e->timer, e->m->drain_timeout);
	e->info.kill_at = clock_ms() + e->m->drain_timeout;
	engine_publish(e);
}

/* It drains already, and nothing of what it has in flight is to be cut for this. */
static void
join_drain(struct engine *e, enum engine_reason why, bool unlimited)
{
	if (e->again)
		engine_feed(e, IN_STOP, why);
	else if (e->unlimited && !unlimited)
		limit_drain(e, why);
	else if (why == REASON_SHUTDOWN)
		e->info.reason = why;
}

void
engine_stop(struct engine *e, enum engine_reason why, bool now, bool unlimited)
{
	if (e->info.state == ENGINE_DRAINING && !now && (why != REASON_USER || e->unlimited || e->again)) {
		join_drain(e, why, unlimited);
		return;
	}
	e->unlimited = unlimited;
	engine_feed(e, now ? IN_STOP_NOW : IN_STOP, why);
}

void
engine_kill(struct engine *e, enum engine_reason why)
{
	e->hurried = why == REASON_SHUTDOWN;
	engine_feed(e, IN_KILL, why);
}

void
engine_restart(struct engine *e, bool force)
{
	bool endless = e->info.state == ENGINE_DRAINING && e->unlimited;

	e->unlimited = false;
	engine_feed(e, force ? IN_RESTART_FORCE : IN_RESTART, REASON_USER);
	if (endless && e->info.state == ENGINE_DRAINING)
		limit_drain(e, REASON_USER);
}

int
engine_owes(const struct engine *e)
{
	return e->inflight - e->held;
}

static void
owes_changed(struct engine *e, int before)
{
	int now = engine_owes(e);

	if (before <= 0)
		e->progress_at = clock_ms();
	if ((before > 0) != (now > 0))
		engine_wedge_watch(e);
}

void
engine_set_held(struct engine *e, int n)
{
	int before = engine_owes(e);

	e->held = n;
	owes_changed(e, before);
}

void
engine_set_inflight(struct engine *e, int n)
{
	int before = engine_owes(e);

	e->inflight = n;
	owes_changed(e, before);
	if (n == 0 && e->info.state == ENGINE_DRAINING)
		engine_feed(e, IN_IDLE, e->info.reason);
}

void
engine_progress(struct engine *e)
{
	e->progress_at = e->worked_at = clock_ms();
}

void
engine_suspect(struct engine *e)
{
	engine_wedge_suspect(e, "a request ended without an answer");
}

const struct engine_info *
engine_info(struct engine *e)
{
	struct engine_info *i = &e->info;

	i->max_attempts = e->m->max_attempts;
	i->lingers = i->state == ENGINE_FAILED && e->pgid != 0 && !i->quarantined;
	i->exits = i->last_exit = e->exits;
	return i;
}

const struct http_target *
engine_target(const struct engine *e)
{
	return e->info.state == ENGINE_READY || e->info.state == ENGINE_DRAINING ? &e->target : NULL;
}

char *const *
engine_argv(struct engine *e)
{
	if (e->argv == NULL && e->m->argv != NULL)
		e->argv = conf_argv(e->m->argv, e->m->port, 0, e->id);
	return e->argv;
}
