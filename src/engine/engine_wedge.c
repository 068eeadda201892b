/* SPDX-License-Identifier: ISC
 * An engine that answers and generates nothing. Two witnesses are heard before it is taken for dead: its requests, or what
 * came to nothing, and a test completion. What both say is judged in engine_policy.c. Nothing ticks here while no request is
 * in flight. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/engine_priv.h"

#define GAP_MS 2000		/* later than this a timer is not for load alone */
#define CALM_MS 1000		/* one bad request after the other is no reason to ask all the time */
#define CONFIRM_MS 1050

bool
engine_overslept(uint64_t expected)
{
	return clock_ms() > expected + GAP_MS;
}

/* How long the machine was suspended in all, where its monotonic clock leaves that out. */
static uint64_t
suspended_ms(void)
{
#ifdef CLOCK_BOOTTIME
	struct timespec boot, mono;

	if (clock_gettime(CLOCK_BOOTTIME, &boot) == 0 && clock_gettime(CLOCK_MONOTONIC, &mono) == 0)
		return (uint64_t)(boot.tv_sec - mono.tv_sec) * 1000;
#endif
	return 0;
}

static bool
is_custom(const struct engine *e)
{
	return e->m->kind == NULL || e->m->kind->command == NULL;
}

bool
engine_wedge_completes(const struct engine *e)
{
	return !is_custom(e) || e->m->check_path != NULL;
}

/* The story so far is forgotten. */
static void
calm_down(struct engine *e)
{
	struct engine_wedge *w = &e->wedge;

	w->state = WEDGE_CALM;
	w->asked_at = w->use_at = w->idle_since = 0;
	w->seen[0] = '\0';
}

static bool
watched(const struct engine *e)
{
	return engine_serving(e) && engine_owes(e) > 0 && e->m->stall_timeout != 0;
}

static void
arm(struct engine *e)
{
	uint64_t every = policy_stall_every(e->m->stall_timeout);

	e->wedge.expected = clock_ms() + every;
	timer_set(&e->wedge.tick, every);
}

void
engine_wedge_watch(struct engine *e)
{
	struct engine_wedge *w = &e->wedge;

	if (!watched(e)) {
		timer_stop(&w->tick);
	} else if (!timer_armed(&w->tick)) {
		w->use_at = w->idle_since = 0;
		arm(e);
	}
}

/* Evidence ---------------------------------------------------------------------------------------------------------- */

/* Since when its processes do nothing. */
static void
look_at_use(struct engine *e)
{
	struct engine_wedge *w = &e->wedge;
	uint64_t now = clock_ms();

	if (e->m->external || !engine_use_update(e))
		return;
	if (w->use_at == 0 || policy_works(&w->use, &e->use, now - w->use_at))
		w->idle_since = now;
	w->use = e->use;
	w->use_at = now;
}

static bool
is_trusted(const struct engine *e)
{
	const struct engine_wedge *w = &e->wedge;

	return w->state == WEDGE_STALLED || w->completes || !is_custom(e) || !engine_wedge_completes(e) ||
	    e->probe.misses > 0;
}

static void
gather(struct engine *e, int canary, struct policy_quiet *q)
{
	struct engine_wedge *w = &e->wedge;
	uint64_t now = clock_ms();

	*q = (struct policy_quiet){
		.timeout = e->m->stall_timeout,
		.every = policy_stall_every(e->m->stall_timeout),
		.inflight = engine_owes(e),
		.silent = now - e->progress_at,
		.idle = w->idle_since == 0 ? 0 : now - w->idle_since,
		.blind = e->m->external || (canary == CANARY_NONE && w->use_at == 0),
		.suspected = w->state == WEDGE_SUSPECTED,
		.asked = w->asked_at == 0 ? 0 : now - w->asked_at,
		.worked = w->asked_at != 0 && e->worked_at > w->asked_at,
		.closed = e->probe.closed,
		.trusted = is_trusted(e),
	};
	q->canary = canary;
	if (canary == CANARY_NONE || canary == CANARY_ANSWERED || q->blind)
		return;
	if (!w->asked_use_known || !engine_use_update(e))
		q->blind = true;
	else
		q->busy = policy_works(&w->asked_use, &e->use, q->asked);
}

/* Verdicts ---------------------------------------------------------------------------------------------------------- */

static const char *
witness(const struct engine *e)
{
	return engine_wedge_completes(e) ? "a test completion" : "the health check";
}

static void
condemn(struct engine *e, const struct policy_quiet *q, const char *what)
{
	struct policy_verdict v = {.kind = VERDICT_CRASH, .reason = REASON_WEDGED};
	struct engine_wedge *w = &e->wedge;
	char t[32], cause[400];

	if (w->state == WEDGE_STALLED) {
		text_duration(t, sizeof(t), q->silent, true);
		snprintf(v.text, sizeof(v.text), q->blind ? "hung: no byte and no prompt progress for %s" :
		    "hung: no byte, no prompt progress and an idle process group for %s", t);
	} else {
		snprintf(v.text, sizeof(v.text), q->closed ? "hung: it lives, but its port is closed" : "hung: it does not generate");
	}
	text_duration(t, sizeof(t), q->asked, true);
	snprintf(cause, sizeof(cause), "%s; %s %s%s%s%s", w->seen, witness(e), what,
	    q->canary == CANARY_LATE ? " for " : "", q->canary == CANARY_LATE ? t : "",
	    q->blind ? "" : ", and the process group was idle");
	calm_down(e);
	engine_dead(e, &v, cause);
}

void
engine_wedge_heard(struct engine *e, int canary, const char *what)
{
	struct engine_wedge *w = &e->wedge;
	struct policy_quiet q;

	gather(e, canary, &q);
	switch (policy_stall(&q)) {
	case STALL_WEDGED:
		condemn(e, &q, what);
		return;
	case STALL_ASK:
		engine_probe_again(e, CONFIRM_MS);
		return;
	case STALL_FINE:
	case STALL_ANEW:
		break;
	}
	if (canary == CANARY_ANSWERED) {
		w->completes = w->completes || (what == NULL && engine_wedge_completes(e));
		e->progress_at = clock_ms();
	} else {
		log_info("engine", e->id, "%s %s, %s", witness(e), what, q.worked || q.busy ? "but it is at work" :
		    q.inflight > 0 ? "as its requests" : "but it may be one that completes nothing");
	}
	calm_down(e);
	w->cleared_at = clock_ms();
	engine_probe_again(e, 0);
}

bool
engine_wedge_asks(struct engine *e)
{
	struct engine_wedge *w = &e->wedge;

	/* It may have moved while its health was looked at. */
	if (w->state == WEDGE_STALLED && w->asked_at == 0 &&
	    (engine_owes(e) == 0 || clock_ms() - e->progress_at < e->m->stall_timeout))
		calm_down(e);
	return w->state != WEDGE_CALM && e->m->stall_timeout != 0;
}

void
engine_wedge_asking(struct engine *e, bool anew)
{
	struct engine_wedge *w = &e->wedge;

	if (w->asked_at != 0 && !anew)
		return;
	if (w->state == WEDGE_STALLED)
		log_info("engine", e->id, "%s for %llu ms: is it alive?", w->seen,
		    (unsigned long long)(clock_ms() - e->progress_at));
	w->asked_at = clock_ms();
	w->asked_use_known = !e->m->external && engine_use_update(e);
	w->asked_use = e->use;
}

void
engine_wedge_suspect(struct engine *e, const char *seen)
{
	struct engine_wedge *w = &e->wedge;

	if (!engine_serving(e))
		return;
	if (w->state == WEDGE_CALM && (w->cleared_at == 0 || clock_ms() - w->cleared_at >= CALM_MS)) {
		w->state = WEDGE_SUSPECTED;
		snprintf(w->seen, sizeof(w->seen), "%s", seen);
	}
	engine_probe_soon(e);
}

/* Time -------------------------------------------------------------------------------------------------------------- */

void
engine_wedge_resumed(struct engine *e, uint64_t expected)
{
	struct engine_wedge *w = &e->wedge;
	uint64_t asleep = suspended_ms();
	bool gap = engine_overslept(expected) || asleep > w->asleep + GAP_MS, asking = w->asked_at != 0;

	w->asleep = asleep;
	if (!gap)
		return;
	log_info("engine", e->id, "the core did not run for a while: it is looked at again");
	calm_down(e);
	e->progress_at = clock_ms();
	w->cleared_at = 0;
	engine_wedge_suspect(e, "it was suspended");
	if (asking)
		engine_wedge_asking(e, true);
}

static void
on_tick(void *arg)
{
	struct engine *e = arg;
	struct engine_wedge *w = &e->wedge;
	struct policy_quiet q;
	uint64_t expected = w->expected;

	if (!watched(e))
		return;
	arm(e);
	if (engine_overslept(expected)) {
		engine_wedge_resumed(e, expected);
		return;
	}
	if (clock_ms() - e->progress_at < policy_stall_every(e->m->stall_timeout)) {
		w->use_at = w->idle_since = 0;
		return;
	}
	look_at_use(e);
	gather(e, CANARY_NONE, &q);
	if (w->state == WEDGE_CALM && policy_stall(&q) == STALL_ASK) {
		w->state = WEDGE_STALLED;
		snprintf(w->seen, sizeof(w->seen), "%d request%s got nothing", engine_owes(e), engine_owes(e) == 1 ? "" : "s");
		engine_probe_soon(e);
	}
}

void
engine_wedge_begin(struct engine *e)
{
	calm_down(e);
	e->wedge.cleared_at = 0;
	e->wedge.asleep = suspended_ms();
	e->progress_at = clock_ms();
	engine_wedge_watch(e);
}

void
engine_wedge_end(struct engine *e)
{
	calm_down(e);
	timer_stop(&e->wedge.tick);
}

void
engine_wedge_init(struct engine *e)
{
	timer_init(&e->wedge.tick, e->env->loop, on_tick, e);
}

/* A line of its output: a sign of life, but for what it says of our own probes or while nothing moves; while a witness is
 * heard only what tells of prompts counts, because it may speak of the witness. */
void
engine_wedge_line(struct engine *e, const char *line)
{
	if (!engine_serving(e) || (e->inflight == 0 && e->wedge.asked_at == 0))
		return;
	if (policy_match(e->log.still, line) >= 0 || policy_own_line(line, e->m->check_path))
		return;
	if (e->wedge.asked_at == 0 || policy_match(e->log.work, line) >= 0)
		engine_progress(e);
}
