/* SPDX-License-Identifier: ISC
 * Publish and subscribe. */
#include "bus/bus.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/xmalloc.h"

struct bus_sub {
	struct bus *bus;
	struct bus_sub *next;
	unsigned mask;
	void (*cb)(void *, const struct bus_event *);
	void *arg;
	bool dead;
};

struct bus {
	struct bus_sub *first;	/* (owned) in order of subscription */
	int depth;		/* deliveries under way */
	bool dirty;		/* dead ones wait for the last delivery to end */
};

struct bus *
bus_new(void)
{
	return xcalloc(1, sizeof(struct bus));
}

static void
sweep(struct bus *b)
{
	struct bus_sub **p = &b->first;

	while (*p != NULL) {
		struct bus_sub *s = *p;

		if (s->dead) {
			*p = s->next;
			free(s);
		} else {
			p = &s->next;
		}
	}
	b->dirty = false;
}

void
bus_free(struct bus **bp)
{
	if (*bp == NULL)
		return;
	sweep(*bp);
	free(*bp);
	*bp = NULL;
}

struct bus_sub *
bus_subscribe(struct bus *b, unsigned mask, void (*cb)(void *, const struct bus_event *), void *arg)
{
	struct bus_sub *s = xcalloc(1, sizeof(*s)), **p = &b->first;

	s->bus = b;
	s->mask = mask;
	s->cb = cb;
	s->arg = arg;
	while (*p != NULL)
		p = &(*p)->next;
	*p = s;
	return s;
}

void
bus_unsubscribe(struct bus_sub **sp)
{
	struct bus_sub *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	s->dead = true;
	s->bus->dirty = true;
	if (s->bus->depth == 0)
		sweep(s->bus);
}

void
bus_publish(struct bus *b, const struct bus_event *e)
{
	b->depth++;
	for (struct bus_sub *s = b->first; s != NULL; s = s->next)
		if (!s->dead && (s->mask & 1u << e->kind))
			s->cb(s->arg, e);
	if (--b->depth == 0 && b->dirty)
		sweep(b);
}
