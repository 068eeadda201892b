/* SPDX-License-Identifier: ISC
 * What is known of each model, and what the policy is told of it. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "router/router_priv.h"

#define NEED_FRESH 30000	/* ms after which a model's need is asked for anew */

static bool
restarting(const struct slot *s)
{
	enum engine_state st = slot_state(s);

	return (st == ENGINE_DRAINING || st == ENGINE_STOPPING) && s->router->eng->info(s->engine)->wanted;
}

bool
slot_leaves(const struct slot *s)
{
	enum engine_state st = slot_state(s);

	return (st == ENGINE_DRAINING || st == ENGINE_STOPPING) && !s->router->eng->info(s->engine)->wanted;
}

bool
slot_dying(const struct slot *s)
{
	return s->engine != NULL && s->router->eng->info(s->engine)->lingers;
}

bool
slot_pinned(const struct slot *s)
{
	return s->pinned < 0 ? s->model->pin : s->pinned != 0;
}

uint64_t
slot_need(const struct router *r, struct slot *s)
{
	uint64_t now = clock_ms();

	if (s->need_at == 0 || now - s->need_at >= NEED_FRESH) {
		s->need = r->eng->memory_need(r->env, s->model);
		s->need_at = now;
	}
	return s->need;
}

uint64_t
slot_memory(const struct router *r, struct slot *s)
{
	uint64_t need;
	const struct engine_info *i;

	if (r->conf->memory_budget == 0)
		return 0;
	need = slot_need(r, s);
	if (s->engine == NULL || s->model->memory != 0)
		return need;
	i = r->eng->info(s->engine);
	if (i->peak_rss > need && i->state != ENGINE_STARTING)
		need = i->peak_rss;
	/* One that serves takes what it takes, however little is known. */
	return need == 0 && (i->state == ENGINE_READY || i->state == ENGINE_DRAINING) ? 1 : need;
}

void
slot_describe(const struct router *r, struct slot *s, struct policy_model *m)
{
	const struct engine_info *i = s->engine == NULL ? NULL : r->eng->info(s->engine);
	const struct ticket *t = TAILQ_FIRST(&s->queue);
	bool again = restarting(s), dies = slot_dying(s);

	*m = (struct policy_model){
		.state = again ? ENGINE_STARTING : dies ? ENGINE_STOPPING : slot_state(s),
		.leaving = dies || slot_leaves(s),
		.may_stay = !s->leaving && !verbs_stopping(r, s),
		.bounded = i != NULL && i->kill_at != 0,
		.pinned = slot_pinned(s) && !s->leaving,
		.manual = s->manual || again,
		.in_flight = s->in_flight,
		.queued = s->queued,
		.oldest = t == NULL ? 0 : t->since,
		.turn = t == NULL ? s->turn : t->turn,
		.ready_at = i == NULL ? 0 : i->ready_at,
		.claim = s->claim,
		.word = s->word,
		.used = s->used,
		.need = slot_memory(r, s),
	};
}

struct policy_limits
plan_limits(const struct router *r)
{
	return (struct policy_limits){
		.min_resident = r->conf->min_resident, .max_swap_wait = r->conf->max_swap_wait,
		.max_loaded = r->conf->max_loaded > 0 ? (size_t)r->conf->max_loaded : 1, .budget = r->conf->memory_budget,
	};
}

bool
slot_promised(const struct slot *s)
{
	return s->queued > 0 && slot_state(s) == ENGINE_STOPPED;
}

bool
plan_fits(struct router *r, const struct slot *s)
{
	struct policy_model *m = xcalloc(r->nslots + 1, sizeof(*m));
	struct policy_limits lim = plan_limits(r);
	size_t at = 0;
	bool fits;

	for (size_t i = 0; i < r->nslots; i++) {
		slot_describe(r, r->slots[i], &m[i]);
		if (r->slots[i] == s)
			at = i;
		else if (slot_promised(r->slots[i]))
			m[i].state = ENGINE_STARTING;
	}
	fits = policy_fits(m, r->nslots, &lim, at);
	free(m);
	return fits;
}
