/* SPDX-License-Identifier: ISC
 * From the served model to the wanted one: drain, stop, settle, start. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "router/router_priv.h"

/* The target was reached, failed or was given up. */
static void
swap_end(struct router *r)
{
	r->target = NULL;
	r->from = NULL;
	r->target_manual = r->target_started = r->target_replaces = false;
	r->settle_since = 0;
}

void
swap_cancel(struct router *r)
{
	if (r->target != NULL)
		log_info("router", r->target->model->id, "no longer on its way to be the served model");
	swap_end(r);
}

void
swap_to(struct router *r, struct slot *to, bool manual)
{
	if (r->target == to) {
		r->target_manual |= manual;
	} else {
		struct slot *a = router_occupant(r, to);

		/* What a target that was given up waited for is still to settle. */
		r->target = to;
		r->target_manual = manual;
		r->target_started = false;
		r->target_replaces = a != NULL;
		r->from = a;
		to->load_since = clock_ms();
		if (a != NULL)
			log_info("router", to->model->id, "takes the place of %s", a->model->id);
	}
	if (manual)
		queue_follow(r, to);
	router_kick(r);
}

/* Gets the present holder out of the way; true while there is one. */
static bool
make_room(struct router *r, struct slot *to)
{
	struct slot *a = router_occupant(r, to);

	if (a == NULL)
		return false;
	switch (slot_state(a)) {
	case ENGINE_DRAINING:
		/* It was let drain for as long as it takes; a person's word has a limit. */
		if (r->target_manual && r->eng->info(a->engine)->kill_at == 0)
			r->eng->stop(a->engine, REASON_SWAP, false, false);
		break;
	case ENGINE_STOPPING:
		if (r->eng->info(a->engine)->wanted)
			r->eng->stop(a->engine, REASON_SWAP, false, false);
		break;
	default:
		r->eng->stop(a->engine, REASON_SWAP, false, !r->target_manual);
		break;
	}
	r->settle_since = clock_ms();
	return true;
}

static void
swap_started(struct router *r, struct slot *to)
{
	enum engine_reason why = r->target_manual ? REASON_USER : REASON_REQUEST;

	to->manual = r->target_manual;
	r->target_started = true;
	r->current = r->last = to;
	r->eng->start(slot_engine(to), why, r->target_manual);
}

static void
note_load(struct router *r, struct slot *to)
{
	char labels[256];

	metrics_observe(r->metrics, "mai_load_seconds",
	    metrics_labels(labels, sizeof(labels), "model", to->model->id, NULL),
	    (double)(clock_ms() - to->load_since) / 1000);
}

/* One step towards the target; called on every change and from the tick. */
void
swap_step(struct router *r)
{
	struct slot *to = r->target;

	if (to == NULL || r->shutting)
		return;
	switch (slot_state(to)) {
	case ENGINE_READY:
		if (r->target_replaces)
			r->swaps++;
		note_load(r, to);
		r->current = r->last = to;
		swap_end(r);
		queue_grant(to);
		/* Others may have waited for their turn while this was on its way. */
		router_kick(r);
		return;
	case ENGINE_STARTING:
	case ENGINE_BACKOFF:
		if (router_occupant(r, to) == NULL) {
			/* On its way already: a person's word gives it all its attempts anew, and its end is the end. */
			if (!r->target_started)
				swap_started(r, to);
			return;
		}
		break;
	case ENGINE_DRAINING:
		/* Wanted again before anything was done to it: it goes on, unless a person wants it gone first. */
		if (!r->eng->info(to->engine)->wanted && (r->target_manual || !verbs_stopping(r, to)))
			swap_started(r, to);
		return;
	case ENGINE_STOPPING:
		return;
	case ENGINE_FAILED:
	case ENGINE_STOPPED:
	default:
		/* It failed after we started it, or only a person may start it again, or it was stopped meanwhile. */
		if (r->target_started || (slot_state(to) == ENGINE_FAILED && !r->target_manual)) {
			swap_end(r);
			router_kick(r);
			return;
		}
		break;
	}
	if (make_room(r, to))
		return;
	if (r->settle_since != 0 && !r->eng->settled(r->env, r->settle_since)) {
		if (!timer_armed(&r->tick) || timer_left(&r->tick) > 10)
			timer_set(&r->tick, 10);
		return;
	}
	r->settle_since = 0;
	if (slot_state(to) == ENGINE_STOPPED || slot_state(to) == ENGINE_FAILED)
		swap_started(r, to);
}

static bool
restarting(const struct slot *s)
{
	enum engine_state st = slot_state(s);

	return (st == ENGINE_DRAINING || st == ENGINE_STOPPING) && s->router->eng->info(s->engine)->wanted;
}

/* What requests want. *again_in: when to ask again. */
void
swap_policy(struct router *r, uint64_t now, uint64_t *again_in)
{
	struct policy_model *m;
	struct policy_limits lim = {r->conf->min_resident, r->conf->max_swap_wait};
	struct policy_choice c;

	*again_in = 0;
	if (r->target != NULL || r->shutting || router_queued(r) == 0)
		return;
	m = xcalloc(r->nslots, sizeof(*m));
	for (size_t i = 0; i < r->nslots; i++) {
		struct slot *s = r->slots[i];
		struct ticket *t = TAILQ_FIRST(&s->queue);

		/* One that is being restarted is as good as starting, because somebody said so. */
		m[i] = (struct policy_model){
			.state = restarting(s) ? ENGINE_STARTING : slot_state(s),
			.ready_at = s->engine == NULL ? 0 : r->eng->info(s->engine)->ready_at,
			.in_flight = s->in_flight,
			.queued = s->queued,
			.oldest = t == NULL ? 0 : t->since,
			.manual = s->manual,
		};
	}
	c = router_policy(m, r->nslots, &lim, now);
	free(m);
	*again_in = c.again_in;
	if (c.target != POLICY_NONE && slot_state(r->slots[c.target]) != ENGINE_READY)
		swap_to(r, r->slots[c.target], false);
}
