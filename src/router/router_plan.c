/* SPDX-License-Identifier: ISC
 * Carries out what the policy decides: who starts, who gives way, who comes back when a swap failed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "base/xmalloc.h"
#include "router/router_priv.h"

#define SETTLE_STEP 10	/* ms between two looks at memory that comes back */

/* beginnings ------------------------------------------------------------------------------------------------------- */

static void
load_begins(struct slot *s)
{
	if (s->load_since == 0)
		s->load_since = clock_ms();
}

/* Those that gave way for one that will not start come back. */
static void
roll_back(struct router *r, struct slot *failed)
{
	char text[640];

	for (size_t i = 0; i < r->nslots; i++) {
		struct slot *s = r->slots[i];
		struct bus_event e = {.kind = BUS_ACTION, .model = s->model->id, .text = text};

		if (s->gave_way_to != failed || s->leaving)
			continue;
		s->gave_way_to = NULL;
		if (!r->conf->rollback || r->shutting || s->claim > CLAIM_RETURN)
			continue;
		s->claim = CLAIM_RETURN;
		s->turn = ++r->arrivals;
		snprintf(text, sizeof(text), "%s did not start: %s comes back", failed->model->id, s->model->id);
		log_warn("router", s->model->id, "%s", text);
		bus_publish(r->bus, &e);
	}
}

static void
load_failed(struct router *r, struct slot *s)
{
	s->claim = CLAIM_NONE;
	s->replaces = NULL;
	s->load_since = 0;
	s->checked = s->squeezed = false;
	roll_back(r, s);
	r->undo_due = r->undo_due || r->undo_for == s;
}

/* Once for each load, before anybody gives way for it: whether it could start at all. */
static bool
checked(struct router *r, struct slot *s)
{
	bool person = s->claim == CLAIM_PERSON;

	if (s->checked)
		return true;
	load_begins(s);
	s->checked = r->eng->preflight(slot_engine(s), person ? REASON_USER : REASON_REQUEST);
	if (!s->checked) {
		log_warn("router", s->model->id, "it cannot start; nothing else was touched");
		/* Somebody asked for it, and nothing else is there: what became of it is what they want to see. */
		if (person && router_occupant(r, NULL) == NULL)
			r->current = r->last = s;
		load_failed(r, s);
		router_kick(r);
	}
	return s->checked;
}

void
slot_start(struct slot *s)
{
	struct router *r = s->router;
	bool person = s->claim == CLAIM_PERSON;
	enum engine_reason why = person || s->claim == CLAIM_PRELOAD ? REASON_USER :
	    s->claim == CLAIM_RETURN ? REASON_SWAP : REASON_REQUEST;

	load_begins(s);
	s->manual = person;
	s->stopped = false;
	s->claim = CLAIM_NONE;
	s->gave_way_to = NULL;
	r->current = r->last = s;
	r->eng->start(slot_engine(s), why, person);
}

/* False while what was held before is not back yet. */
static bool
settled(struct router *r, struct slot *s)
{
	if (r->settle_since == 0)
		return true;
	if (!r->eng->settled(r->env, r->settle_since, slot_need(r, s))) {
		if (!timer_armed(&r->tick) || timer_left(&r->tick) > SETTLE_STEP)
			timer_set(&r->tick, SETTLE_STEP);
		return false;
	}
	r->settle_since = 0;
	return true;
}

static void
do_start(struct router *r, struct slot *s)
{
	/* What is there already is waited for first, so that a failed check does not come before its time. */
	if (settled(r, s) && checked(r, s))
		slot_start(s);
}

/* v gives way to by. Had it not come to serve yet, whom it had pushed out gave way to by in truth, and it did not. */
static void
hand_over_victims(struct router *r, struct slot *v, struct slot *by)
{
	bool served = slot_state(v) == ENGINE_READY || slot_state(v) == ENGINE_DRAINING || slot_leaves(v);

	by->replaces = v;
	v->gave_way_to = by;
	for (size_t i = 0; !served && i < r->nslots; i++) {
		struct slot *s = r->slots[i];

		if (s->gave_way_to != v || s == by)
			continue;
		s->gave_way_to = by;
		v->gave_way_to = NULL;
	}
}

static void
do_evict(struct router *r, struct slot *v, struct slot *by, bool bounded)
{
	bool leaves = slot_leaves(v);

	if (by != NULL && !checked(r, by))
		return;
	if (by == NULL)
		log_info("router", v->model->id, "too much is loaded, and this was not used for the longest time");
	else if (!leaves)
		log_info("router", by->model->id, "takes the place of %s", v->model->id);
	if (by != NULL) {
		hand_over_victims(r, v, by);
		r->undo_touched = r->undo_touched || by == r->undo_for;
	}
	if (!leaves)
		v->claim = CLAIM_NONE;
	r->eng->stop(v->engine, REASON_SWAP, false, !bounded);
}

/* Nothing was done to it yet. */
static void
do_keep(struct router *r, struct slot *s)
{
	bool wanted = s->claim != CLAIM_NONE || s->queued > 0, person = s->claim == CLAIM_PERSON;

	log_info("router", s->model->id, wanted ? "stays: it is wanted again" : "stays: its place is not needed any more");
	if (s->gave_way_to != NULL && s->gave_way_to->replaces == s)
		s->gave_way_to->replaces = NULL;
	s->gave_way_to = NULL;
	s->claim = CLAIM_NONE;
	s->manual = s->manual || person;
	s->stopped = false;
	if (wanted)
		r->current = r->last = s;
	r->eng->start(s->engine, person ? REASON_USER : REASON_REQUEST, person);
}

static void
do_refuse(struct router *r, struct slot *s, struct slot *by)
{
	char cause[320], need[32], budget[32], holds[32];
	uint64_t limit = r->conf->memory_budget;

	text_size(need, sizeof(need), slot_memory(r, s));
	text_size(budget, sizeof(budget), limit);
	text_size(holds, sizeof(holds), slot_memory(r, by));
	if (s == by)
		snprintf(cause, sizeof(cause), "%s needs %s%s, and memoryBudget is %s", s->model->id, need,
		    s->model->memory != 0 ? "" : " by what was seen (its memory: overrules that)", budget);
	else if (slot_pinned(by) && limit != 0)
		snprintf(cause, sizeof(cause), "%s is pinned and holds %s of %s; %s needs %s", by->model->id, holds, budget,
		    s->model->id, need);
	else if (slot_pinned(by))
		snprintf(cause, sizeof(cause), "%s is pinned and maxLoaded is %d", by->model->id, r->conf->max_loaded);
	else
		snprintf(cause, sizeof(cause), "%s took its place", by->model->id);
	if (s->claim == CLAIM_RETURN || s->claim == CLAIM_PRELOAD)
		log_info("router", s->model->id, "not loaded: %s", s == by ? "there is no room" : cause);
	else
		log_warn("router", s->model->id, "refused: %s", cause);
	s->claim = CLAIM_NONE;
	s->checked = false;
	s->load_since = 0;
	queue_refuse_all(s, REFUSE_CONFLICT, cause);
	verbs_refuse(r, s, cause);
}

static struct slot *
at(const struct router *r, size_t i)
{
	return i == POLICY_NONE ? NULL : r->slots[i];
}

/* Nobody returns for it any more. */
static void
forget_victims(struct router *r, const struct slot *s)
{
	for (size_t i = 0; i < r->nslots; i++)
		if (r->slots[i]->gave_way_to == s)
			r->slots[i]->gave_way_to = NULL;
}

/* What was begun for waiters that left is forgotten. */
static void
tidy(struct router *r)
{
	for (size_t i = 0; i < r->nslots; i++) {
		struct slot *s = r->slots[i];

		if (slot_state(s) != ENGINE_STOPPED || s->claim != CLAIM_NONE || s->queued > 0)
			continue;
		s->replaces = NULL;
		s->load_since = 0;
		s->checked = false;
		forget_victims(r, s);
	}
}

/* Does what is to be done now; returns when to ask again (ms), 0: no need. */
uint64_t
plan_carry_out(struct router *r, uint64_t now)
{
	struct policy_limits lim = plan_limits(r);
	struct policy_plan plan = {0};
	struct policy_model *m;

	if (r->shutting)
		return 0;
	tidy(r);
	m = xcalloc(r->nslots + 1, sizeof(*m));
	plan.steps = xcalloc(2 * r->nslots + 1, sizeof(*plan.steps));
	for (size_t i = 0; i < r->nslots; i++)
		slot_describe(r, r->slots[i], &m[i]);
	router_policy(m, r->nslots, &lim, now, &plan);
	for (size_t i = 0; i < plan.n; i++) {
		const struct policy_step *st = &plan.steps[i];
		struct slot *s = at(r, st->model);

		switch (st->act) {
		case POLICY_START:
			do_start(r, s);
			break;
		case POLICY_EVICT:
			do_evict(r, s, at(r, st->by), st->bounded);
			break;
		case POLICY_KEEP:
			do_keep(r, s);
			break;
		case POLICY_REFUSE:
		default:
			do_refuse(r, s, at(r, st->by));
			break;
		}
	}
	free(plan.steps);
	free(m);
	return plan.again_in;
}

/* ends ------------------------------------------------------------------------------------------------------------- */

void
plan_forget(struct router *r, const struct slot *s)
{
	forget_victims(r, s);
	for (size_t i = 0; i < r->nslots; i++)
		if (r->slots[i]->replaces == s)
			r->slots[i]->replaces = NULL;
	if (r->undo_for == s)
		plan_undo_clear(r);
}

static void
note_load(struct router *r, const struct slot *s)
{
	char labels[256];

	metrics_observe(r->metrics, "mai_load_seconds",
	    metrics_labels(labels, sizeof(labels), "model", s->model->id, NULL),
	    (double)(clock_ms() - s->load_since) / 1000);
}

/* A load died for lack of memory: the idle model that was not used for the longest time goes before the next attempt, once. */
static void
squeeze(struct router *r, struct slot *s)
{
	struct slot *best = NULL;

	if (s->squeezed || r->eng->info(s->engine)->reason != REASON_OOM)
		return;
	for (size_t i = 0; i < r->nslots; i++) {
		struct slot *v = r->slots[i];

		if (v != s && slot_state(v) == ENGINE_READY && v->in_flight == 0 && v->queued == 0 && !slot_pinned(v) &&
		    (best == NULL || v->used < best->used))
			best = v;
	}
	if (best == NULL)
		return;
	log_warn("router", s->model->id, "memory ran out: %s makes room", best->model->id);
	s->squeezed = true;
	s->replaces = best;
	best->gave_way_to = s;
	r->eng->stop(best->engine, REASON_SWAP, false, true);
}

/* An engine's state changed. What follows for others is done from the loop. */
void
plan_changed(struct slot *s, enum engine_state from, enum engine_state to)
{
	struct router *r = s->router;

	switch (to) {
	case ENGINE_READY:
		if (from == ENGINE_DRAINING)
			break;
		s->used = ++r->uses;
		if (s->load_since != 0)
			note_load(r, s);
		if (s->replaces != NULL)
			r->swaps++;
		forget_victims(r, s);
		if (r->undo_for == s)
			plan_undo_clear(r);
		s->replaces = NULL;
		s->load_since = 0;
		s->checked = s->squeezed = false;
		break;
	case ENGINE_BACKOFF:
		if (from == ENGINE_STARTING)
			squeeze(r, s);
		break;
	case ENGINE_FAILED:
		load_failed(r, s);
		break;
	case ENGINE_STOPPED:
		r->settle_since = clock_ms();
		break;
	case ENGINE_STARTING:
	case ENGINE_DRAINING:
	case ENGINE_STOPPING:
	default:
		break;
	}
}

/* A definition that took another one's place did not start: the old one is put back. */
void
plan_undo(struct router *r)
{
	struct conf *c;
	struct slot *s;
	char *id;

	if (!r->undo_due)
		return;
	r->undo_due = false;
	if (r->undo == NULL || r->shutting || (!r->conf->rollback && r->undo_touched)) {
		plan_undo_clear(r);
		return;
	}
	c = r->undo;
	id = r->undo_id;
	r->undo = NULL;
	r->undo_id = NULL;
	r->undo_for = NULL;
	router_replace(r, c, false);
	s = slot_find(r, id);
	if (s != NULL && !policy_occupies(slot_state(s)))
		s->claim = CLAIM_RETURN;
	if (s != NULL)
		r->current = r->last = s;
	conf_unref(&c);
	free(id);
}

void
plan_undo_clear(struct router *r)
{
	conf_unref(&r->undo);
	free(r->undo_id);
	r->undo_id = NULL;
	r->undo_for = NULL;
	r->undo_due = false;
}

/* what is to be seen ----------------------------------------------------------------------------------------------- */

/* Whether a swap is under way towards s. */
bool
plan_swapping(const struct slot *s)
{
	const struct router *r = s->router;

	if (s->replaces == NULL)
		return false;
	/* Once the new one has crashed its own states tell more than the steps of the swap. */
	switch (slot_state(s)) {
	case ENGINE_STARTING:
		return r->eng->info(s->engine)->attempt == 0;
	case ENGINE_STOPPED:
	case ENGINE_STOPPING:
		return s->claim != CLAIM_NONE || s->queued > 0;
	case ENGINE_FAILED:
		return s->claim != CLAIM_NONE;
	case ENGINE_READY:
	case ENGINE_DRAINING:
	case ENGINE_BACKOFF:
	default:
		return false;
	}
}
