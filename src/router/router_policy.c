/* SPDX-License-Identifier: ISC
 * The choice of the served model. */
#include "router/router_policy.h"

bool
policy_occupies(enum engine_state s)
{
	return s != ENGINE_STOPPED && s != ENGINE_FAILED;
}

static size_t
occupant(const struct policy_model *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (policy_occupies(m[i].state))
			return i;
	return POLICY_NONE;
}

static size_t
oldest_waiter(const struct policy_model *m, size_t n, size_t except)
{
	size_t best = POLICY_NONE;

	for (size_t i = 0; i < n; i++) {
		if (i == except || m[i].queued == 0 || m[i].state == ENGINE_FAILED)
			continue;
		if (best == POLICY_NONE || m[i].oldest < m[best].oldest)
			best = i;
	}
	return best;
}

static struct policy_choice
later(uint64_t due, uint64_t now)
{
	return (struct policy_choice){POLICY_NONE, due > now ? due - now : 1};
}

static struct policy_choice
choose(size_t target)
{
	return (struct policy_choice){target, 0};
}

/* The loaded model is up and another one is asked for. */
static struct policy_choice
against_ready(const struct policy_model *a, const struct policy_model *b, size_t target,
    const struct policy_limits *lim, uint64_t now)
{
	uint64_t resident = a->ready_at + lim->min_resident;
	uint64_t patience = b->oldest + lim->max_swap_wait;

	if (now < resident)
		return later(resident, now);
	if (a->in_flight == 0 && a->queued == 0)
		return choose(target);
	/* Waiters of the loaded model that came before: it was loaded for them. */
	if (now < patience)
		return later(patience, now);
	return choose(target);
}

struct policy_choice
router_policy(const struct policy_model *m, size_t n, const struct policy_limits *lim, uint64_t now)
{
	size_t a = occupant(m, n), b = oldest_waiter(m, n, a);

	if (b == POLICY_NONE) {
		/* Nobody else waits: who holds the machine and is on its way out comes back for its own waiters. */
		if (a != POLICY_NONE && m[a].queued > 0 &&
		    (m[a].state == ENGINE_DRAINING || m[a].state == ENGINE_STOPPING))
			return choose(a);
		return (struct policy_choice){POLICY_NONE, 0};
	}
	if (a == POLICY_NONE)
		return choose(b);
	switch (m[a].state) {
	case ENGINE_READY:
		return against_ready(&m[a], &m[b], b, lim, now);
	case ENGINE_STARTING:
	case ENGINE_BACKOFF:
		/* A load is carried through for those who wait for it, or who asked for it. */
		if (m[a].queued > 0 || m[a].manual)
			return (struct policy_choice){POLICY_NONE, 0};
		return choose(b);
	case ENGINE_DRAINING:
	case ENGINE_STOPPING:
		/* On its way out: its own waiters may be older. */
		if (m[a].queued > 0 && m[a].oldest < m[b].oldest)
			return choose(a);
		return choose(b);
	case ENGINE_STOPPED:
	case ENGINE_FAILED:
	default:
		return choose(b);
	}
}
