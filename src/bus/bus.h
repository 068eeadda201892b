/* SPDX-License-Identifier: ISC
 * Who tells whom: modules publish what happened without knowing the listeners. An event names the thing that changed;
 * listeners read its present state from its owner. Delivery is synchronous, in order of subscription. */
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include <stdint.h>

#include "bus/vocab.h"

enum bus_kind {
	BUS_ENGINE,	/* an engine's state, reason, pid, attempt ... changed; .model, .from, .to */
	BUS_REQUEST,	/* a request appeared, changed phase, or ended; .id, .model, .phase */
	BUS_ACTION,	/* somebody asked for something, or it came out; .text, .who */
	BUS_LOG,	/* log lines arrived */
	BUS_CONFIG,	/* the configuration was replaced */
	BUS_SHUTDOWN,	/* the core began to end */
	BUS_NKINDS
};

struct bus_event {
	enum bus_kind kind;
	const char *model;		/* borrowed; may be NULL */
	enum engine_state from, to;	/* BUS_ENGINE */
	enum engine_reason reason;	/* BUS_ENGINE */
	uint64_t id;			/* BUS_REQUEST */
	enum req_phase phase;		/* BUS_REQUEST */
	const char *who;		/* BUS_ACTION: the viewer or client that asked; may be NULL */
	const char *text;		/* BUS_ACTION: one line for people */
};

struct bus;
struct bus_sub;

struct bus *bus_new(void);
/* All subscriptions must be gone. Nulls. */
void bus_free(struct bus **bp);

/* cb gets the kinds whose bit (1 << kind) is in mask. It may subscribe, unsubscribe (itself too) and publish. */
struct bus_sub *bus_subscribe(struct bus *b, unsigned mask, void (*cb)(void *arg, const struct bus_event *e), void *arg);
/* No call after it, also when made inside a delivery. Accepts NULL, nulls. */
void bus_unsubscribe(struct bus_sub **sp);
void bus_publish(struct bus *b, const struct bus_event *e);

#endif
