/* SPDX-License-Identifier: ISC
 * Requests: which model a name leads to, the ticket of who waits or is in flight, and its end. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "router/router_priv.h"

/* Whom a person asked for last and that does not run yet; NULL. What was asked for before the current model was is not: it will
 * not take its place. */
static struct slot *
asked_for(struct router *r)
{
	struct slot *best = NULL;
	uint64_t since = r->current != NULL && r->current->claim == CLAIM_NONE ? r->current->word : 0;

	for (size_t i = 0; i < r->nslots; i++) {
		struct slot *s = r->slots[i];

		if (s->claim == CLAIM_PERSON && s->word > since && (best == NULL || s->word > best->word))
			best = s;
	}
	return best;
}

/* Who answers when no name decides: the current model, or another one that is loaded, or the default one. */
static struct slot *
served(struct router *r)
{
	struct slot *s = r->current != NULL ? r->current : r->last, *other;

	if (r->conf->max_loaded > 1 && (s == NULL || !policy_occupies(slot_state(s)))) {
		other = router_occupant(r, NULL);
		if (other != NULL && !other->leaving)
			s = other;
	}
	if ((s == NULL || s->leaving) && r->conf->default_model != NULL)
		s = slot_find(r, r->conf->default_model);
	return s != NULL && s->leaving ? NULL : s;
}

static struct slot *
promised(struct router *r, const struct slot *except)
{
	for (size_t i = 0; i < r->nslots; i++)
		if (r->slots[i] != except && slot_promised(r->slots[i]))
			return r->slots[i];
	return NULL;
}

/* Who is in the way of a request that may not make a swap, and would; NULL. */
static struct slot *
in_the_way(struct router *r, struct slot *s)
{
	struct slot *other = router_occupant(r, s), *asked = asked_for(r);

	if (asked == s)
		return NULL;
	if (asked != NULL && r->conf->max_loaded <= 1)
		return asked;
	if (policy_occupies(slot_state(s)) && !slot_leaves(s))
		return NULL;
	if (asked != NULL)
		other = asked;
	else if (other == NULL)
		other = promised(r, s);
	return other != NULL && !plan_fits(r, s) ? other : NULL;
}

/* The served model answers for every name; a known one that is loaded beside it for its own. */
static struct slot *
route_loaded(struct router *r, const char *model)
{
	struct slot *named = model == NULL ? NULL : slot_find(r, model), *asked = asked_for(r);

	if (named != NULL && r->conf->max_loaded > 1 && !named->leaving && policy_occupies(slot_state(named)))
		return named;
	if (asked != NULL)
		return asked;
	return r->current == NULL && named != NULL && !named->leaving ? named : served(r);
}

/* The slot a request's model name leads to; NULL with why in *why, and who is in the way in *holder. */
static struct slot *
route(struct router *r, const char *model, enum router_refusal *why, struct slot **holder)
{
	struct slot *s;

	*why = REFUSE_NOT_FOUND;
	if (model == NULL || r->conf->route == ROUTE_LOADED)
		return route_loaded(r, model);
	s = slot_find(r, model);
	if (s == NULL && r->conf->fallback_model != NULL)
		s = slot_find(r, r->conf->fallback_model);
	if (s == NULL || s->leaving)
		return NULL;
	*holder = r->conf->route == ROUTE_REJECT ? in_the_way(r, s) : NULL;
	if (*holder != NULL) {
		*why = REFUSE_CONFLICT;
		return NULL;
	}
	return s;
}

const char *
router_leads_to(struct router *r, const char *model)
{
	enum router_refusal why;
	struct slot *holder = NULL, *s = route(r, model, &why, &holder);

	return s != NULL ? s->model->id : NULL;
}

const char *
router_ticket_model(const struct ticket *t)
{
	return t->slot != NULL ? t->slot->model->id : NULL;
}

void
flight_enter(struct ticket *t)
{
	struct slot *s = t->slot;

	s->in_flight++;
	t->router->eng->set_inflight(s->engine, s->in_flight);
}

static void
wait_from(struct ticket *t, uint64_t now)
{
	uint64_t limit = t->router->conf->queue_max_wait;

	t->queued_at = now;
	t->deadline = limit == 0 ? 0 : now + limit;
}

struct ticket *
router_submit(struct router *r, const char *model, router_cb *cb, void *arg, struct router_answer *now, bool *waits)
{
	enum router_refusal why;
	struct slot *holder = NULL, *s = route(r, model, &why, &holder);
	struct ticket *t;
	char cause[160];

	*waits = false;
	if (r->shutting) {
		refusal_fill(now, s, REFUSE_SHUTDOWN, "mai is shutting down");
		return NULL;
	}
	if (s == NULL) {
		cause[0] = '\0';
		if (why == REFUSE_CONFLICT)
			snprintf(cause, sizeof(cause), "%s is loaded and route is reject", holder->model->id);
		refusal_fill(now, NULL, why, cause);
		return NULL;
	}
	if (slot_state(s) == ENGINE_FAILED && s->claim != CLAIM_PERSON) {
		refusal_fill(now, s, REFUSE_FAILED, NULL);
		return NULL;
	}
	if (s->queued >= r->conf->queue_max && !slot_admits(s)) {
		snprintf(cause, sizeof(cause), "%d requests wait for %s already", s->queued, s->model->id);
		refusal_fill(now, s, REFUSE_QUEUE_FULL, cause);
		return NULL;
	}
	t = xcalloc(1, sizeof(*t));
	t->router = r;
	t->slot = s;
	t->conf = conf_ref(r->conf);
	t->cb = cb;
	t->arg = arg;
	t->since = clock_ms();
	t->turn = ++r->arrivals;
	wait_from(t, t->since);
	if (s->queued == 0 && slot_admits(s)) {
		flight_enter(t);
		ticket_fill_grant(t, now);
		return t;
	}
	*waits = true;
	queue_put(s, t, false);
	router_kick(r);
	return t;
}

void
router_held(struct ticket *t, bool held)
{
	struct slot *s = t == NULL ? NULL : t->slot;

	if (s == NULL || t->waiting || t->held == held)
		return;
	t->held = held;
	s->held += held ? 1 : -1;
	if (s->engine != NULL)
		t->router->eng->set_held(s->engine, s->held);
}

static void
leave_flight(struct ticket *t)
{
	struct slot *s = t->slot;

	router_held(t, false);
	s->in_flight--;
	/* Also while others are in flight: the last one may be one that does not count. */
	if (!t->untimed) {
		s->idle_since = clock_ms();
		s->used = ++t->router->uses;
	}
	if (s->engine != NULL)
		t->router->eng->set_inflight(s->engine, s->in_flight);
	/* The common case, nobody waiting anywhere, costs nothing more. */
	if (s->queued > 0 || s->in_flight == 0)
		router_kick(t->router);
}

void
router_done(struct ticket **tp)
{
	struct ticket *t = *tp;

	if (t == NULL)
		return;
	*tp = NULL;
	if (t->waiting) {
		queue_remove(t);
		/* What others were to do for it may not be needed any more. */
		router_kick(t->router);
	} else if (t->slot != NULL) {
		leave_flight(t);
	}
	conf_unref(&t->conf);
	free(t);
}

/* Whom it waits for whose engine died: it takes no place that a person gave to another one meanwhile, but gets what those got
 * who waited then, as `route` says. NULL: nobody. */
static struct slot *
next_for(struct router *r, struct slot *s)
{
	switch (r->conf->route) {
	case ROUTE_LOADED:
		return r->conf->max_loaded > 1 && policy_occupies(slot_state(s)) && !slot_leaves(s) ? s : route_loaded(r, NULL);
	case ROUTE_REJECT:
		return in_the_way(r, s) == NULL ? s : NULL;
	case ROUTE_SWAP:
	default:
		return s;
	}
}

bool
router_requeue(struct ticket *t)
{
	struct slot *s = t->slot, *to;

	if (s == NULL || t->requeued || t->waiting || t->router->shutting || s->leaving || s->stopped)
		return false;
	to = next_for(t->router, s);
	if (to == NULL || slot_state(to) == ENGINE_FAILED)
		return false;
	t->requeued = true;
	leave_flight(t);
	/* Its turn stays, but what it waits for from now on has nothing to do with the time it was being answered. */
	wait_from(t, clock_ms());
	queue_put(to, t, true);
	router_kick(t->router);
	return true;
}

int
router_position(const struct ticket *t)
{
	const struct ticket *o;
	int n = 1;

	if (!t->waiting)
		return 0;
	TAILQ_FOREACH(o, &t->slot->queue, link) {
		if (o == t)
			return n;
		n++;
	}
	return n;
}

void
router_untimed(struct ticket *t)
{
	t->untimed = true;
}

void
router_progress(struct ticket *t)
{
	if (t != NULL && t->slot != NULL && t->slot->engine != NULL && !t->waiting)
		t->router->eng->progress(t->slot->engine);
}

void
router_suspect(struct ticket *t)
{
	if (t->slot != NULL && t->slot->engine != NULL)
		t->router->eng->suspect(t->slot->engine);
}
