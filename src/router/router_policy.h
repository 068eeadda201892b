/* SPDX-License-Identifier: ISC
 * The decision which model is to be the served one, apart from everything that carries it out. Pure. */
#ifndef ROUTER_ROUTER_POLICY_H
#define ROUTER_ROUTER_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/vocab.h"

/* One model as the policy sees it. Times are clock_ms. */
struct policy_model {
	enum engine_state state;
	uint64_t ready_at;	/* 0: not ready */
	int in_flight;
	int queued;
	uint64_t oldest;	/* arrival of its oldest waiter; 0: none */
	bool manual;		/* a person started it: a load of nobody's is not given up for a request */
};

struct policy_limits {
	uint64_t min_resident, max_swap_wait;	/* ms */
};

#define POLICY_NONE ((size_t)-1)

struct policy_choice {
	size_t target;		/* the model to go for, or POLICY_NONE: leave things as they are */
	uint64_t again_in;	/* ms after which to ask again although nothing happened; 0: no need */
};

/* Whether an engine in this state holds the machine (its process may be alive, or it is about to start again). */
bool policy_occupies(enum engine_state s);

/* Which model should requests make the served one? The loaded model keeps it while it has work, but a waiter of another
 * model waits at most max_swap_wait for that; a freshly loaded one stays min_resident, and is not given up before it
 * served who waited for it. Among those who wait the oldest wins. */
struct policy_choice router_policy(const struct policy_model *m, size_t n, const struct policy_limits *lim,
    uint64_t now);

#endif
