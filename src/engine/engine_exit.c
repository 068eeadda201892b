/* SPDX-License-Identifier: ISC
 * The card that stays of an end. */
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

static void
tell(const struct engine *e, const struct engine_exit *x)
{
	char up[32];

	text_duration(up, sizeof(up), x->uptime_ms, true);
	if (x->expected)
		log_info("engine", e->id, "ended after %s: %s", up, x->text);
	else
		log_warn("engine", e->id, "died after %s: %s%s%s", up, x->text, x->cause[0] != '\0' ? ": " : "",
		    x->cause);
}

/* The attempt is the one that begins with this end: n of the n-th crash in a row; where nothing will begin it stays. */
void
engine_exit_record(struct engine *e, const struct policy_verdict *v, int status, bool expected, const char *cause)
{
	struct engine_exit *x = push(e);

	e->recorded = true;
	x->valid = true;
	x->expected = expected;
	x->reason = v->reason;
	x->status = status;
	snprintf(x->text, sizeof(x->text), "%s", v->text);
	snprintf(x->cause, sizeof(x->cause), "%s", cause);
	x->tail = e->info.spawned_at != 0 ? engine_output_tail(e) : NULL;
	x->wall_ms = clock_wall_ms();
	x->uptime_ms = e->info.spawned_at != 0 ? clock_ms() - e->info.spawned_at : 0;
	x->peak_rss = e->info.peak_rss;
	x->requests_lost = e->inflight;
	x->attempt = expected || v->kind != VERDICT_CRASH ? e->info.attempt : e->info.attempt + 1;
	if (x->attempt > e->m->max_attempts)
		x->attempt = e->m->max_attempts;
	if (!expected)
		e->info.crashes++;
	if (e->info.peak_rss != 0)
		engine_store_peak(e->env, e->id, e->info.peak_rss);
	tell(e, x);
}

void
engine_exits_free(struct engine *e)
{
	for (size_t i = 0; i < ENGINE_EXITS; i++)
		free(e->exits[i].tail);
}
