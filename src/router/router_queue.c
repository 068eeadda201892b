/* SPDX-License-Identifier: ISC
 * Who waits for a model: first in, first out, with a deadline each. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "router/router_priv.h"

void
queue_put(struct slot *s, struct ticket *t, bool head)
{
	t->slot = s;
	t->waiting = true;
	if (head)
		TAILQ_INSERT_HEAD(&s->queue, t, link);
	else
		TAILQ_INSERT_TAIL(&s->queue, t, link);
	s->queued++;
}

void
queue_remove(struct ticket *t)
{
	TAILQ_REMOVE(&t->slot->queue, t, link);
	t->slot->queued--;
	t->waiting = false;
}

/* A request may pass now: the engine is ready, and does not give way to another one (it would drain). */
bool
slot_admits(const struct slot *s)
{
	int limit = s->model->concurrency_limit;

	return slot_state(s) == ENGINE_READY && !s->leaving && (limit == 0 || s->in_flight < limit);
}

void
ticket_fill_grant(struct ticket *t, struct router_answer *a)
{
	struct slot *s = t->slot;

	*a = (struct router_answer){
		.model = s->model,
		.target = s->router->eng->target(s->engine),
		.generation = s->router->eng->info(s->engine)->generation,
		.waited_ms = clock_ms() - t->queued_at,
	};
}

void
refusal_fill(struct router_answer *a, struct slot *s, enum router_refusal why, const char *cause)
{
	*a = (struct router_answer){.refusal = why, .model = s == NULL ? NULL : s->model};
	if (why == REFUSE_FAILED)
		a->retry_after = 60;
	else if (why != REFUSE_NOT_FOUND && why != REFUSE_CONFLICT)
		a->retry_after = 5;
	if (cause == NULL && why == REFUSE_FAILED && s != NULL && s->engine != NULL) {
		const struct engine_info *i = s->router->eng->info(s->engine);

		cause = i->last_exit->cause[0] != '\0' ? i->last_exit->cause : i->last_exit->text;
		if (cause[0] == '\0')
			cause = engine_reason_text(i->reason);
	}
	snprintf(a->cause, sizeof(a->cause), "%s", cause == NULL ? "" : cause);
}

static void
answer(struct ticket *t, const struct router_answer *a)
{
	t->cb(t->arg, a);
}

/* It is neither waiting nor in flight any more; its owner ends it when it likes. */
static void
refuse(struct ticket *t, enum router_refusal why, const char *cause)
{
	struct slot *s = t->slot;
	struct router_answer a;

	queue_remove(t);
	t->slot = NULL;
	refusal_fill(&a, s, why, cause);
	a.waited_ms = clock_ms() - t->queued_at;
	answer(t, &a);
}

void
queue_grant(struct slot *s)
{
	struct ticket *t;
	struct router_answer a;

	/* The callback may end tickets or submit new ones: begin anew each time. */
	while ((t = TAILQ_FIRST(&s->queue)) != NULL && slot_admits(s)) {
		queue_remove(t);
		flight_enter(t);
		ticket_fill_grant(t, &a);
		answer(t, &a);
	}
}

void
queue_refuse_all(struct slot *s, enum router_refusal why, const char *cause)
{
	struct ticket *t;

	while ((t = TAILQ_FIRST(&s->queue)) != NULL)
		refuse(t, why, cause);
}

void
queue_follow(struct router *r, struct slot *to)
{
	char cause[160];

	if (r->conf->route == ROUTE_SWAP)
		return;
	snprintf(cause, sizeof(cause), "%s is loaded and route is reject", to->model->id);
	for (size_t i = 0; i < r->nslots; i++) {
		struct slot *s = r->slots[i];
		struct ticket *t;

		if (s == to || (r->conf->max_loaded > 1 && policy_occupies(slot_state(s))))
			continue;
		if (r->conf->route == ROUTE_REJECT)
			queue_refuse_all(s, REFUSE_CONFLICT, cause);
		while ((t = TAILQ_FIRST(&s->queue)) != NULL) {
			queue_remove(t);
			queue_put(to, t, false);
		}
	}
}

void
queue_expire(struct router *r, uint64_t now)
{
	char cause[128];

	for (size_t i = 0; i < r->nslots; i++) {
		struct slot *s = r->slots[i];
		struct ticket *t, *next;

		for (t = TAILQ_FIRST(&s->queue); t != NULL; t = next) {
			next = TAILQ_NEXT(t, link);
			if (t->deadline == 0 || t->deadline > now)
				continue;
			snprintf(cause, sizeof(cause), "waited %llu s for the model",
			    (unsigned long long)(now - t->queued_at) / 1000);
			refuse(t, REFUSE_QUEUE_TIMEOUT, cause);
			next = TAILQ_FIRST(&s->queue);
		}
	}
}

uint64_t
queue_next_deadline(const struct router *r)
{
	uint64_t due = 0;

	for (size_t i = 0; i < r->nslots; i++) {
		const struct ticket *t;

		TAILQ_FOREACH(t, &r->slots[i]->queue, link)
			if (t->deadline != 0 && (due == 0 || t->deadline < due))
				due = t->deadline;
	}
	return due;
}
