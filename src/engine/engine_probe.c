/* SPDX-License-Identifier: ISC
 * Is it ready, and is it still? A ladder while it starts: the port answers, the listener is not a stranger, the check is
 * 200, one token comes. A light check now and then while it serves, and a token when it is suspected (engine_wedge.c).
 * Never two probes at once. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/engine_priv.h"
#include "host/host.h"

#define WATCH_MS 10000
#define WATCH_MISSES 3
#define STRANGER_MS 100		/* a child of the engine may be too young for the list */
#define MAX_REFUSALS 5

static bool
is_mlx(const struct engine *e)
{
	return e->m->kind != NULL && strcmp(e->m->kind->name, "mlx_lm") == 0;
}

bool
engine_serving(const struct engine *e)
{
	return e->info.state == ENGINE_READY || e->info.state == ENGINE_DRAINING;
}

static void
later(struct engine *e, uint64_t ms)
{
	timer_set(&e->probe.next, ms);
	e->probe.next_expected = clock_ms() + ms;
}

/* The next rung or the same one again. */
static void
again(struct engine *e)
{
	uint64_t d = policy_probe_delay(clock_ms() - e->info.spawned_at);

	/* A canary that is refused will not be liked better at once. */
	later(e, e->probe.refusals > 0 && d < 200 ? 200 : d);
}

static void
stranger(struct engine *e, pid_t who, const char *comm)
{
	struct policy_verdict v = {.reason = REASON_PORT_BUSY};
	char cause[160];

	snprintf(cause, sizeof(cause), "port %d is held by pid %ld (%s), which is not the engine", e->info.port,
	    (long)who, comm);
	v.kind = e->port_fixed ? VERDICT_FATAL : e->repicks < POLICY_REPICKS ? VERDICT_FREE : VERDICT_CRASH;
	snprintf(v.text, sizeof(v.text), "another process answers on its port");
	engine_dead(e, &v, cause);
}

/* True: the listener is the engine as far as can be told. Else the next step was taken here. */
static bool
owner_is_ours(struct engine *e)
{
	pid_t pids[ENGINE_MAX_PIDS], who = 0;
	char comm[64] = "?";
	size_t n;

	if (e->m->external)
		return true;
	n = host_engine_pids(e->pid, e->pgid, e->mark, pids, ENGINE_MAX_PIDS);
	if (host_port_owner(e->info.port, pids, n < ENGINE_MAX_PIDS ? n : ENGINE_MAX_PIDS, &who, comm, sizeof(comm)) !=
	    HOST_OWNER_OTHER) {
		e->probe.strangers = 0;
		return true;
	}
	if (++e->probe.strangers >= 2)
		stranger(e, who, comm);
	else
		later(e, STRANGER_MS);
	return false;
}

/* While it serves -------------------------------------------------------------------------------------------------- */

/* How one look ended: well (why NULL) or not. Where somebody suspects it a completion is the next, if it completes at all. */
static void
looked(struct engine *e, const char *why)
{
	struct engine_probe *p = &e->probe;

	p->stage = PROBE_CHECK;
	engine_life_note(e);
	if (!engine_wedge_asks(e)) {
		later(e, WATCH_MS);
	} else if (engine_wedge_completes(e)) {
		p->stage = PROBE_CANARY;
		engine_wedge_asking(e, false);
		later(e, 0);
	} else {
		engine_wedge_asking(e, false);
		engine_wedge_heard(e, why == NULL ? CANARY_ANSWERED : CANARY_FAILED, why);
	}
}

static void
look_missed(struct engine *e, const char *why)
{
	struct engine_probe *p = &e->probe;

	if (++p->misses == WATCH_MISSES)
		log_warn("engine", e->id, "the health check failed %d times: %s%s", WATCH_MISSES, why,
		    e->inflight == 0 ? ", nothing in flight" : "");
	if (p->misses % WATCH_MISSES == 0 && e->inflight == 0) {
		char seen[96];

		snprintf(seen, sizeof(seen), "the health check failed %d times (%s)", p->misses, why);
		engine_wedge_suspect(e, seen);
	}
	looked(e, why);
}

static void
look_passed(struct engine *e)
{
	struct engine_probe *p = &e->probe;

	if (p->misses >= WATCH_MISSES)
		log_info("engine", e->id, "the health check is ok again");
	p->misses = 0;
	e->info.check_ok_at = clock_ms();
	looked(e, NULL);
}

/* Until the next look; at once when ms is 0. */
void
engine_probe_again(struct engine *e, uint64_t ms)
{
	e->probe.stage = PROBE_CHECK;
	later(e, ms == 0 ? WATCH_MS : ms);
}

/* The witness spoke: its kind of engine may say that it is dead in so many words. */
static void
canary_spoke(struct engine *e, const char *line)
{
	struct engine_probe *p = &e->probe;

	if (p->status == 200)
		engine_wedge_heard(e, CANARY_ANSWERED, NULL);
	else if (p->stage == PROBE_CANARY && p->status != 429) {
		p->stage = PROBE_CANARY_CHAT;
		later(e, 0);
	} else if (p->status < 500 || p->status == 501) {
		engine_wedge_heard(e, CANARY_ANSWERED, "refused");
	} else {
		engine_wedge_heard(e, CANARY_FAILED, line);
	}
}

/* While it starts -------------------------------------------------------------------------------------------------- */

static void
start_canary_answered(struct engine *e, const char *line)
{
	struct engine_probe *p = &e->probe;

	if (p->status == 200) {
		e->wedge.completes = true;
		engine_became_ready(e);
		return;
	}
	if (p->status >= 400 && p->status < 500 && p->stage == PROBE_CANARY) {
		p->stage = PROBE_CANARY_CHAT;	/* an engine for chat only */
		engine_probe_send(e);
		return;
	}
	if (p->status < 500 && ++p->refusals >= MAX_REFUSALS) {
		struct policy_verdict v = {.kind = VERDICT_CRASH, .reason = REASON_START_TIMEOUT};

		snprintf(v.text, sizeof(v.text), "it refuses to complete");
		engine_dead(e, &v, line);
		return;
	}
	engine_probe_missed(e, "refused");
}

/* How an exchange ended --------------------------------------------------------------------------------------------- */

void
engine_probe_missed(struct engine *e, const char *why)
{
	if (!engine_serving(e)) {
		e->probe.stage = PROBE_CHECK;
		again(e);
	} else if (e->probe.stage == PROBE_CHECK) {
		look_missed(e, why);
	} else {
		char what[128];

		snprintf(what, sizeof(what), "failed: %s", why);
		engine_wedge_heard(e, CANARY_FAILED, what);
	}
}

void
engine_probe_late(struct engine *e)
{
	struct engine_probe *p = &e->probe;

	if (engine_serving(e) && p->stage != PROBE_CHECK) {
		/* We did not run ourselves: its answer may just be coming. */
		if (engine_overslept(p->expected)) {
			engine_wedge_asking(e, true);
			p->expected = clock_ms() + policy_canary_limit(e->m);
			timer_set(&p->timeout, policy_canary_limit(e->m));
			return;
		}
		engine_probe_cancel(e);
		engine_wedge_heard(e, CANARY_LATE, "got no answer");
		return;
	}
	engine_probe_cancel(e);
	engine_probe_missed(e, "no answer in time");
}

void
engine_probe_passed(struct engine *e)
{
	struct engine_probe *p = &e->probe;

	p->ok_once = true;
	if (engine_serving(e)) {
		look_passed(e);
		return;
	}
	if (!owner_is_ours(e))
		return;
	if (e->m->canary) {
		p->stage = PROBE_CANARY;
		engine_probe_send(e);
		return;
	}
	engine_became_ready(e);
}

static void
canary_answered(struct engine *e)
{
	struct engine_probe *p = &e->probe;
	const char *text = strbuf_str(&p->answer);
	char line[300];

	/* mlx says 404 of a dead thread; but also of a model name that it does not know. */
	bool dead = is_mlx(e) && p->status == 404 && strstr(text, "\"error\"") != NULL &&
	    (!engine_serving(e) || e->wedge.completes);

	snprintf(line, sizeof(line), "a test completion was answered %d: %.200s", p->status, text);
	if (p->status != 200 && (dead || strstr(text, "thread died") != NULL))
		engine_output_trip(e, line);
	else if (engine_serving(e))
		canary_spoke(e, line + strlen("a test completion "));
	else
		start_canary_answered(e, line);
}

void
engine_probe_answered(struct engine *e)
{
	struct engine_probe *p = &e->probe;

	timer_stop(&p->timeout);
	if (p->stage != PROBE_CHECK) {
		canary_answered(e);
		return;
	}
	if (p->status == 200) {
		engine_probe_passed(e);
		return;
	}
	/* mlx says 503 only of a dead generation thread, and lives on. */
	if (is_mlx(e) && p->status == 503 && p->ok_once)
		engine_output_trip(e, "its health check turned 503");
	engine_probe_missed(e, "bad status");
}

/* For the others ---------------------------------------------------------------------------------------------------- */

static void
on_next(void *arg)
{
	struct engine *e = arg;

	if (engine_serving(e))
		engine_wedge_resumed(e, e->probe.next_expected);
	engine_probe_send(e);
}

void
engine_probe_init(struct engine *e)
{
	engine_probe_send_init(e);
	timer_init(&e->probe.next, e->env->loop, on_next, e);
	timer_init(&e->probe.life, e->env->loop, engine_on_life, e);
}

void
engine_probe_start(struct engine *e)
{
	struct engine_probe *p = &e->probe;

	p->stage = PROBE_CHECK;
	p->ok_once = false;
	p->strangers = p->refusals = p->misses = 0;
	p->target = e->target;
	p->target.generation = 0;
	p->target.keep_alive = false;
	engine_life_start(e);
	later(e, policy_probe_delay(0));
}

void
engine_probe_watch(struct engine *e)
{
	timer_stop(&e->probe.life);
	/* After a drain that was called off one may be under way. */
	engine_probe_cancel(e);
	e->probe.stage = PROBE_CHECK;
	e->probe.misses = 0;
	later(e, WATCH_MS);
}

void
engine_probe_soon(struct engine *e)
{
	if (engine_serving(e) && !engine_probe_under_way(e) && e->probe.stage == PROBE_CHECK)
		later(e, 0);
}

void
engine_probe_stop(struct engine *e)
{
	timer_stop(&e->probe.next);
	timer_stop(&e->probe.life);
	engine_probe_cancel(e);
}

void
engine_probe_fini(struct engine *e)
{
	engine_probe_stop(e);
	strbuf_fini(&e->probe.req);
	strbuf_fini(&e->probe.answer);
}
