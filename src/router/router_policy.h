/* SPDX-License-Identifier: ISC
 * The decision which models are to be loaded, apart from everything that carries it out: from what each model is and who
 * waits for it to what is to be done now. Pure: no clock, no processes, no memory of earlier decisions. */
#ifndef ROUTER_ROUTER_POLICY_H
#define ROUTER_ROUTER_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/vocab.h"

/* What wants a model loaded although nobody waits for it, the weakest first. Its waiters count as CLAIM_REQUEST. */
enum policy_claim {
	CLAIM_NONE,
	CLAIM_PRELOAD,	/* the configuration; takes free room only */
	CLAIM_RETURN,	/* it gave way to a model that did not start; takes free room only */
	CLAIM_REQUEST,
	CLAIM_PERSON	/* somebody said so */
};

/* One model as the policy sees it. Times are clock_ms. */
struct policy_model {
	enum engine_state state;	/* starting also where it restarts because somebody said so */
	bool leaving;			/* draining or stopping, and not to come back by itself */
	bool may_stay;			/* leaving: as long as it drains it may be kept */
	bool bounded;			/* leaving: its drain has a limit */
	bool pinned;			/* never gives way */
	bool manual;			/* loading because a person said so: not given up for a request */
	int in_flight, queued;
	uint64_t oldest;		/* arrival of its oldest waiter */
	uint64_t turn;			/* the ordinal of that arrival (two may come in one millisecond), or of the claim */
	uint64_t ready_at;		/* 0: not ready */
	uint64_t used;			/* ordinal of its last use, or of becoming ready */
	enum policy_claim claim;
	uint64_t word;			/* when a person last asked for it, as an ordinal; 0: never */
	uint64_t need;			/* bytes it takes or will take; 0: not known */
};

struct policy_limits {
	uint64_t min_resident, max_swap_wait;	/* ms */
	size_t max_loaded;
	uint64_t budget;		/* bytes for all that are loaded; 0: any */
};

#define POLICY_NONE ((size_t)-1)

enum policy_act {
	POLICY_START,	/* there is room for it */
	POLICY_EVICT,	/* it gives way to `by` (POLICY_NONE: there are too many): drain, then stop */
	POLICY_KEEP,	/* it was leaving and need not */
	POLICY_REFUSE	/* it does not fit, and nothing that goes by itself will change that; `by` is in the way */
};

struct policy_step {
	enum policy_act act;
	size_t model, by;
	bool bounded;	/* EVICT: the drain has a limit, because a person asked */
};

struct policy_plan {
	struct policy_step *steps;	/* room for 2 * n, given by the caller */
	size_t n;
	uint64_t again_in;		/* ms after which to ask again although nothing happened; 0: no need */
};

/* Whether an engine in this state holds a place (its process may be alive, or it is about to start again). */
bool policy_occupies(enum engine_state s);

/* What to do now for m[0..n). Those who want a model that is not loaded are served in this order: what a person asked for
 * (the last word first), then waiters (the oldest first), then what returns, then what is preloaded. For one that does
 * not fit others give way: idle ones first, the least recently used first; a model that works only when a waiter has
 * waited max_swap_wait; none before it was ready for min_resident, none that is loading for somebody or that has older
 * waiters of its own. Later ones never take what an earlier one waits for, so that nobody starves. */
void router_policy(const struct policy_model *m, size_t n, const struct policy_limits *lim, uint64_t now,
    struct policy_plan *plan);

/* Whether model c could be loaded beside all that are there, without anybody giving way. */
bool policy_fits(const struct policy_model *m, size_t n, const struct policy_limits *lim, size_t c);

#endif
