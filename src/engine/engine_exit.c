/* SPDX-License-Identifier: ISC
 * Ends: what one means for the life of the engine, and the card that stays of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/engine_priv.h"

static struct engine_exit *
push(struct engine *e)
{
	free(e->exits[ENGINE_EXITS - 1].tail);
	memmove(e->exits + 1, e->exits, (ENGINE_EXITS - 1) * sizeof(*e->exits));
	memset(e->exits, 0, sizeof(*e->exits));
	if (e->info.nexits < ENGINE_EXITS)
		e->info.nexits++;
	return e->exits;
}

/* The log of a model goes on over its processes; where one ended is seen in it. */
static void
mark_end(const struct engine *e, const struct engine_exit *x)
{
	char line[sizeof(x->text) + 48];
	int n = snprintf(line, sizeof(line), "--- run %llu, %s ---", (unsigned long long)e->info.starts, x->text);

	if (e->info.spawned_at != 0)
		ring_put(e->env->ring, RING_CHILD, e->id, ' ', line, (size_t)n);
}

static void
tell(const struct engine *e, const struct engine_exit *x)
{
	const char *why = x->cause[0] != '\0' ? ": " : "";
	char up[32];

	mark_end(e, x);
	text_duration(up, sizeof(up), x->uptime_ms, true);
	if (x->expected)
		log_info("engine", e->id, "ended after %s: %s", up, x->text);
	else if (e->info.spawned_at == 0)
		log_error("engine", e->id, "%s%s%s", x->text, why, x->cause);
	else
		log_error("engine", e->id, "died after %s: %s%s%s", up, x->text, why, x->cause);
}

/* A second look at what cannot be started says the same again, maybe for another reason: one card is enough. */
static bool
is_seen_again(const struct engine *e)
{
	const struct engine_exit *x = e->exits;

	return e->info.state == ENGINE_FAILED && x->valid && x->status == -1 && x->uptime_ms == 0 && x->tail == NULL;
}

/* The attempt is the one that begins with this end: n of the n-th crash in a row; where nothing will begin it stays. */
void
engine_exit_record(struct engine *e, const struct policy_verdict *v, int status, bool expected, const char *cause)
{
	bool ran = e->info.spawned_at != 0, again = is_seen_again(e);
	struct engine_exit *x = again ? e->exits : push(e);

	e->recorded = true;
	x->valid = true;
	x->expected = expected;
	x->reason = v->reason;
	x->status = status;
	snprintf(x->text, sizeof(x->text), "%s", v->text);
	snprintf(x->cause, sizeof(x->cause), "%s", cause);
	x->tail = ran ? engine_output_tail(e) : NULL;
	x->wall_ms = clock_wall_ms();
	x->uptime_ms = ran ? clock_ms() - e->info.spawned_at : 0;
	x->peak_rss = ran ? e->info.peak_rss : 0;
	x->requests_lost = e->inflight;
	x->attempt = expected || v->kind != VERDICT_CRASH ? e->info.attempt : e->info.attempt + 1;
	if (x->attempt > e->m->max_attempts)
		x->attempt = e->m->max_attempts;
	if (!expected && !again)
		e->info.crashes++;
	if (x->peak_rss != 0 && !e->m->external)
		engine_store_peak(e->env, e->id, x->peak_rss);
	tell(e, x);
}

static void
feed_crash(struct engine *e, const struct policy_verdict *v)
{
	if (v->kind == VERDICT_FREE)
		e->repicks++;
	engine_feed(e, v->kind == VERDICT_FATAL ? IN_CRASH_FATAL : v->kind == VERDICT_FREE ? IN_CRASH_FREE : IN_CRASH,
	    v->reason);
}

void
engine_dead(struct engine *e, const struct policy_verdict *v, const char *cause)
{
	struct policy_verdict copy = *v;
	char why[512];

	snprintf(why, sizeof(why), "%s", cause);
	engine_exit_record(e, &copy, -1, false, why);
	feed_crash(e, &copy);
}

void
engine_unfit(struct engine *e, const struct policy_verdict *v, const char *cause)
{
	engine_exit_record(e, v, -1, false, cause);
	if (e->info.state != ENGINE_FAILED) {
		engine_feed(e, IN_UNFIT, v->reason);
		return;
	}
	e->info.reason = v->reason;
	engine_publish(e);
}

/* Asked for: its end is what was wanted, however it came about. */
static bool
is_expected(const struct engine *e)
{
	return e->info.state == ENGINE_STOPPING;
}

static void
judge_exit(struct engine *e, int status, struct policy_verdict *v, char *cause, size_t size)
{
	struct policy_end end = {
		.status = status, .by_us = e->signalled, .was_ready = e->ever_ready,
		.starting = e->info.state == ENGINE_STARTING, .exec_errno = e->exec_errno,
		.bad_interpreter = e->bad_interpreter, .port_line = e->log.port_line, .port_fixed = e->port_fixed,
		.repicks = e->repicks, .permanent = e->log.permanent, .cause = cause,
	};

	cause[0] = '\0';
	if (e->exec_errno != 0)
		snprintf(cause, size, "%s: %s", e->argv[0], strerror(e->exec_errno));
	else if (!is_expected(e))
		engine_output_cause(e, cause, size);
	policy_judge(&end, v);
	if (is_expected(e))
		v->reason = e->info.reason;
}

void
engine_exited(struct engine *e, int status, uint64_t peak_rss)
{
	struct policy_verdict v;
	char cause[512];

	engine_spawn_settle(e);
	engine_output_ended(e);
	engine_output_stop_trip(e);
	e->pid = e->info.pid = 0;
	if (peak_rss > e->info.peak_rss && e->exec_errno == 0)
		e->info.peak_rss = peak_rss;
	if (e->recorded) {
		e->exits[0].status = status;
		e->info.spawned_at = 0;
	} else {
		judge_exit(e, status, &v, cause, sizeof(cause));
		engine_exit_record(e, &v, status, is_expected(e), cause);
		/* What follows may spawn the next one. */
		e->info.spawned_at = 0;
		if (is_expected(e))
			engine_feed(e, IN_CRASH, e->info.reason);
		else
			feed_crash(e, &v);
	}
	engine_watch_gone(e);
}

void
engine_exits_free(struct engine *e)
{
	for (size_t i = 0; i < ENGINE_EXITS; i++)
		free(e->exits[i].tail);
}
