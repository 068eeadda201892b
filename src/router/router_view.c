/* SPDX-License-Identifier: ISC
 * What is to be seen of the router: rows, counts, the swap under way. */
#include "base/log.h"
#include "router/router_priv.h"

void
router_each(struct router *r, void (*fn)(void *, const struct router_row *), void *arg)
{
	for (size_t i = 0; i < r->nslots; i++) {
		struct slot *s = r->slots[i];
		struct router_row row = {s->engine, s->model, s->in_flight, s->queued, s == r->last, slot_pinned(s)};

		if (!s->leaving || policy_occupies(slot_state(s)))
			fn(arg, &row);
	}
}

bool
router_row(struct router *r, const char *model, struct router_row *out)
{
	struct slot *s = r->last;

	if (model != NULL)
		s = slot_find(r, model);
	else if ((s == NULL || s->leaving) && r->conf->default_model != NULL)
		s = slot_find(r, r->conf->default_model);
	if (s == NULL)
		return false;
	*out = (struct router_row){s->engine, s->model, s->in_flight, s->queued, s == r->last, slot_pinned(s)};
	return true;
}

bool
router_pin(struct router *r, const char *model, bool pin)
{
	struct slot *s = slot_find(r, model);
	struct bus_event e = {.kind = BUS_ENGINE};

	if (s == NULL || s->leaving)
		return false;
	s->pinned = pin;
	e.from = e.to = slot_state(s);
	e.model = s->model->id;
	bus_publish(r->bus, &e);
	log_info("router", s->model->id, pin ? "pinned" : "not pinned any more");
	router_kick(r);
	return true;
}

const char *
router_current(const struct router *r)
{
	return r->current == NULL ? NULL : r->current->model->id;
}

const char *
router_last(const struct router *r)
{
	return r->last != NULL ? r->last->model->id : r->conf->default_model;
}

int
router_in_flight(const struct router *r)
{
	int n = 0;

	for (size_t i = 0; i < r->nslots; i++)
		n += r->slots[i]->in_flight;
	return n;
}

int
router_queued(const struct router *r)
{
	int n = 0;

	for (size_t i = 0; i < r->nslots; i++)
		n += r->slots[i]->queued;
	return n;
}

uint64_t
router_swaps(const struct router *r)
{
	return r->swaps;
}

bool
router_swapping(const struct router *r, const char **from, const char **to, int *step)
{
	const struct slot *s = NULL;

	for (size_t i = 0; i < r->nslots && s == NULL; i++)
		if (plan_swapping(r->slots[i]))
			s = r->slots[i];
	if (s == NULL)
		return false;
	*from = s->replaces->model->id;
	*to = s->model->id;
	switch (slot_state(s->replaces)) {
	case ENGINE_READY:
	case ENGINE_DRAINING:
		*step = 1;
		break;
	case ENGINE_STOPPING:
		*step = 2;
		break;
	case ENGINE_STOPPED:
	case ENGINE_STARTING:
	case ENGINE_BACKOFF:
	case ENGINE_FAILED:
	default:
		*step = r->settle_since != 0 && !policy_occupies(slot_state(s)) ? 2 : 3;
		break;
	}
	return true;
}

struct conf *
router_conf(const struct router *r)
{
	return r->conf;
}
