/* SPDX-License-Identifier: ISC
 * Whether a start makes progress: output, CPU, memory or bytes read; and what the group uses. */
#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"
#include "engine/engine_priv.h"
#include "host/host.h"

#define LIFE_MS 500
#define SAMPLE_MS 200

bool
engine_use_update(struct engine *e)
{
	struct host_use use;

	if (e->pgid == 0 || host_group_use(e->pgid, &use) < 0)
		return false;
	e->sampled_at = clock_ms();
	e->use = (struct policy_use){use.rss, use.cpu_ms, use.read_bytes};
	e->info.rss = use.rss;
	e->info.cpu_ms = use.cpu_ms;
	if (use.rss > e->info.peak_rss)
		e->info.peak_rss = use.rss;
	if (e->info.state == ENGINE_STARTING) {
		uint64_t past = e->sampled_at - e->probe.use_at;

		/* Too short a time tells nothing in clock ticks of 10 ms. */
		if (e->probe.use_at != 0 && past < LIFE_MS / 2)
			return true;
		if (e->probe.use_at == 0 || policy_alive(&e->probe.use, &e->use, past))
			engine_life_sign(e);
		e->probe.use = e->use;
		e->probe.use_at = e->sampled_at;
	}
	return true;
}

void
engine_life_note(struct engine *e)
{
	engine_use_update(e);
	if (e->info.peak_rss != 0 && !e->m->external)
		engine_store_peak(e->env, e->id, e->info.peak_rss);
}

void
engine_sample(struct engine *e)
{
	if (e->sampled_at == 0 || clock_ms() - e->sampled_at >= SAMPLE_MS)
		engine_use_update(e);
}

void
engine_life_sign(struct engine *e)
{
	e->info.quiet_since = clock_ms();
}

static void
arm(struct engine *e)
{
	uint64_t now = clock_ms();
	uint64_t ms = policy_deadline_in(e->m, now - e->info.spawned_at, now - e->info.quiet_since, LIFE_MS);

	timer_set(&e->probe.life, ms);
	e->probe.life_expected = now + ms;
}

void
engine_life_start(struct engine *e)
{
	e->probe.use_at = 0;
	arm(e);
}

void
engine_on_life(void *arg)
{
	struct engine *e = arg;
	struct policy_verdict v = {.kind = VERDICT_CRASH, .reason = REASON_START_TIMEOUT};
	uint64_t now;
	char t[32], cause[512];
	enum policy_deadline d;

	if (e->info.state != ENGINE_STARTING || e->pid == 0)
		return;
	/* We did not run: what it said meanwhile is not read yet. */
	if (engine_overslept(e->probe.life_expected))
		engine_life_sign(e);
	engine_use_update(e);
	now = clock_ms();
	d = policy_start_deadline(e->m, now - e->info.spawned_at, now - e->info.quiet_since);
	if (d == DEADLINE_NONE) {
		arm(e);
		return;
	}
	text_duration(t, sizeof(t), d == DEADLINE_TOTAL ? e->m->start_timeout : e->m->health_check_timeout, true);
	snprintf(v.text, sizeof(v.text), d == DEADLINE_TOTAL ? "not ready after %s" : "no sign of life for %s", t);
	engine_output_cause(e, cause, sizeof(cause));
	engine_dead(e, &v, cause);
}
