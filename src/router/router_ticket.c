/* SPDX-License-Identifier: ISC
 * Requests: which model a name leads to, the ticket of who waits or is in flight, and its end. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "router/router_priv.h"

/* Who is loaded or about to be. */
static struct slot *
loaded(struct router *r)
{
	if (r->target != NULL)
		return r->target;
	return r->current != NULL && policy_occupies(slot_state(r->current)) ? r->current : NULL;
}

/* The slot a request's model name leads to; NULL with why in *why. */
static struct slot *
route(struct router *r, const char *model, enum router_refusal *why)
{
	struct slot *s = NULL, *now = r->current != NULL ? r->current : r->last;

	*why = REFUSE_NOT_FOUND;
	if ((now == NULL || now->leaving) && r->conf->default_model != NULL)
		now = slot_find(r, r->conf->default_model);
	if (now != NULL && now->leaving)
		now = NULL;
	if (model == NULL || r->conf->route == ROUTE_LOADED) {
		s = model == NULL ? NULL : slot_find(r, model);
		/* The served model answers for every name; a known one is taken when nothing is served. */
		if (r->target != NULL && r->target_manual)
			return r->target;
		if (r->current == NULL && s != NULL && r->conf->route == ROUTE_LOADED)
			return s;
		return now;
	}
	s = slot_find(r, model);
	if (s == NULL && r->conf->fallback_model != NULL)
		s = slot_find(r, r->conf->fallback_model);
	if (s == NULL || s->leaving)
		return NULL;
	if (r->conf->route == ROUTE_REJECT && loaded(r) != NULL && loaded(r) != s) {
		*why = REFUSE_CONFLICT;
		return NULL;
	}
	return s;
}

struct ticket *
router_submit(struct router *r, const char *model, router_cb *cb, void *arg, struct router_answer *now, bool *waits)
{
	enum router_refusal why;
	struct slot *s = route(r, model, &why);
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
			snprintf(cause, sizeof(cause), "%s is loaded and route is reject", loaded(r)->model->id);
		refusal_fill(now, NULL, why, cause);
		return NULL;
	}
	if (slot_state(s) == ENGINE_FAILED && s != r->target) {
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
	if (s->queued == 0 && slot_admits(s)) {
		s->in_flight++;
		r->eng->set_inflight(s->engine, s->in_flight);
		ticket_fill_grant(t, now);
		return t;
	}
	*waits = true;
	if (r->conf->queue_max_wait != 0)
		t->deadline = t->since + r->conf->queue_max_wait;
	queue_put(s, t, false);
	router_kick(r);
	return t;
}

static void
leave_flight(struct ticket *t)
{
	struct slot *s = t->slot;

	s->in_flight--;
	/* Also while others are in flight: the last one may be one that does not count. */
	if (!t->untimed)
		s->idle_since = clock_ms();
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
	if (t->waiting)
		queue_remove(t);
	else if (t->slot != NULL)
		leave_flight(t);
	conf_unref(&t->conf);
	free(t);
}

bool
router_requeue(struct ticket *t)
{
	struct slot *s = t->slot;

	if (s == NULL || t->requeued || t->waiting || t->router->shutting || s->leaving || slot_state(s) == ENGINE_FAILED)
		return false;
	t->requeued = true;
	leave_flight(t);
	queue_put(s, t, true);
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
	if (t->slot != NULL && t->slot->engine != NULL && !t->waiting)
		t->router->eng->progress(t->slot->engine);
}

void
router_suspect(struct ticket *t)
{
	if (t->slot != NULL && t->slot->engine != NULL)
		t->router->eng->suspect(t->slot->engine);
}
