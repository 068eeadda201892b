/* SPDX-License-Identifier: ISC
 * Who is loaded: a place for each who wants one, in order, and who gives way for it. */
#include "router/router_policy.h"

#include <stdlib.h>

#include "base/xmalloc.h"

#define NEVER UINT64_MAX

/* What becomes of a model by this plan. */
enum role {
	ROLE_OUT,	/* it holds no place and wants none */
	ROLE_STAY,
	ROLE_GOES,	/* it holds a place and leaves it */
	ROLE_NEXT	/* a place is kept for it; it may not have it yet */
};

struct work {
	const struct policy_model *m;
	size_t n;
	const struct policy_limits *lim;
	uint64_t now;
	enum role *role;
	bool *begun;	/* started by this plan */
	bool *hurried;	/* its drain gets a limit by this plan */
	struct policy_plan *plan;
};

bool
policy_occupies(enum engine_state s)
{
	return s != ENGINE_STOPPED && s != ENGINE_FAILED;
}

static bool
present(const struct policy_model *m)
{
	return policy_occupies(m->state);
}

/* what fits -------------------------------------------------------------------------------------------------------- */

/* What is not known is taken for all that the pinned ones leave: such a model is loaded alone once, and known then. */
static uint64_t
bytes(const struct policy_model *m, size_t n, const struct policy_limits *lim, size_t i)
{
	uint64_t pinned = 0;

	if (lim->budget == 0 || m[i].need != 0)
		return m[i].need;
	for (size_t k = 0; k < n; k++)
		if (k != i && m[k].pinned && present(&m[k]))
			pinned += m[k].need;
	return pinned < lim->budget ? lim->budget - pinned : 1;
}

static bool
within(const struct policy_limits *lim, size_t count, uint64_t sum)
{
	return count <= lim->max_loaded && (lim->budget == 0 || sum <= lim->budget);
}

/* Once those who leave have left, and those who come are there. */
static bool
fits_later(const struct work *w)
{
	size_t count = 0;
	uint64_t sum = 0;

	for (size_t i = 0; i < w->n; i++)
		if (w->role[i] == ROLE_STAY || w->role[i] == ROLE_NEXT) {
			count++;
			sum += bytes(w->m, w->n, w->lim, i);
		}
	return within(w->lim, count, sum);
}

/* Beside everything that is there at this moment, but for those in gone (NULL: none). */
static bool
fits_now(const struct work *w, size_t c, const bool *gone)
{
	size_t count = 1;
	uint64_t sum = bytes(w->m, w->n, w->lim, c);

	for (size_t i = 0; i < w->n; i++)
		if (i != c && (present(&w->m[i]) || w->begun[i]) && (gone == NULL || !gone[i])) {
			count++;
			sum += bytes(w->m, w->n, w->lim, i);
		}
	return within(w->lim, count, sum);
}

bool
policy_fits(const struct policy_model *m, size_t n, const struct policy_limits *lim, size_t c)
{
	size_t count = 1;
	uint64_t sum = bytes(m, n, lim, c);

	for (size_t i = 0; i < n; i++)
		if (i != c && present(&m[i])) {
			count++;
			sum += bytes(m, n, lim, i);
		}
	return within(lim, count, sum);
}

/* the plan --------------------------------------------------------------------------------------------------------- */

static void
step(struct work *w, enum policy_act act, size_t model, size_t by, bool bounded)
{
	w->plan->steps[w->plan->n++] = (struct policy_step){act, model, by, bounded};
}

static void
again(struct work *w, uint64_t in)
{
	if (in != 0 && in != NEVER && (w->plan->again_in == 0 || in < w->plan->again_in))
		w->plan->again_in = in;
}

static enum policy_claim
claim_of(const struct policy_model *m)
{
	if (m->claim == CLAIM_PERSON || m->queued == 0)
		return m->claim;
	/* Waiters of a failed one are told so; they start nothing. */
	return m->state == ENGINE_FAILED ? CLAIM_NONE : CLAIM_REQUEST;
}

static bool
before(const struct policy_model *a, const struct policy_model *b)
{
	enum policy_claim ca = claim_of(a), cb = claim_of(b);

	if (ca != cb)
		return ca > cb;
	if (ca == CLAIM_PERSON)
		return a->word > b->word;
	return a->turn < b->turn;
}

/* Those who want a place and have none, or are on their way out of it, in order. */
static size_t
claimants(const struct work *w, size_t *out)
{
	size_t count = 0;

	for (size_t i = 0; i < w->n; i++) {
		size_t at = count;

		if (w->role[i] == ROLE_STAY || claim_of(&w->m[i]) == CLAIM_NONE)
			continue;
		for (; at > 0 && before(&w->m[i], &w->m[out[at - 1]]); at--)
			out[at] = out[at - 1];
		out[at] = i;
		count++;
	}
	return count;
}

/* who gives way ---------------------------------------------------------------------------------------------------- */

static uint64_t
until(uint64_t when, uint64_t now)
{
	return when > now ? when - now : 0;
}

/* How long until v may give way to c's waiters: 0 now, NEVER not by the passing of time. */
static uint64_t
yields_to_request(const struct work *w, const struct policy_model *v, const struct policy_model *c)
{
	uint64_t resident = until(v->ready_at + w->lim->min_resident, w->now);
	uint64_t patience = until(c->oldest + w->lim->max_swap_wait, w->now);

	if (v->state != ENGINE_READY)
		return v->queued > 0 || v->manual ? NEVER : 0;
	if (v->in_flight == 0 && v->queued == 0)
		return resident;
	/* Its own waiters came before: it was loaded for them. */
	if (v->queued > 0 && v->turn <= c->turn)
		return NEVER;
	return patience > resident ? patience : resident;
}

static uint64_t
yields(const struct work *w, size_t vi, size_t ci)
{
	const struct policy_model *v = &w->m[vi], *c = &w->m[ci];

	if (v->pinned)
		return NEVER;
	switch (claim_of(c)) {
	case CLAIM_PERSON:
		return v->word > c->word ? NEVER : 0;
	case CLAIM_REQUEST:
		return yields_to_request(w, v, c);
	case CLAIM_RETURN:
	case CLAIM_PRELOAD:
	case CLAIM_NONE:
	default:
		return NEVER;
	}
}

static bool
idle(const struct policy_model *m)
{
	return m->state == ENGINE_READY && m->in_flight == 0 && m->queued == 0;
}

/* Whom it costs least: idle ones, loads for nobody, those that work, loads for somebody. */
static int
cost(const struct policy_model *m)
{
	if (m->state == ENGINE_READY)
		return m->in_flight == 0 && m->queued == 0 ? 0 : 2;
	return m->queued == 0 && !m->manual ? 1 : 3;
}

static bool
cheaper(const struct policy_model *a, const struct policy_model *b)
{
	return cost(a) != cost(b) ? cost(a) < cost(b) : a->used < b->used;
}

static size_t
next_victim(struct work *w, size_t c)
{
	size_t best = POLICY_NONE;

	for (size_t i = 0; i < w->n; i++) {
		uint64_t in;

		if (w->role[i] != ROLE_STAY)
			continue;
		in = yields(w, i, c);
		if (in == 0 && (best == POLICY_NONE || cheaper(&w->m[i], &w->m[best])))
			best = i;
	}
	return best;
}

/* Of those chosen the dearest that is not needed stays after all. */
static void
spare(struct work *w, size_t *victims, size_t *count)
{
	for (size_t k = *count; k-- > 0;) {
		w->role[victims[k]] = ROLE_STAY;
		if (fits_later(w)) {
			for (size_t j = k; j + 1 < *count; j++)
				victims[j] = victims[j + 1];
			--*count;
		} else {
			w->role[victims[k]] = ROLE_GOES;
		}
	}
}

/* Makes room for c, whose role is NEXT. False, and nothing changed, when that is not possible now. */
static bool
make_room(struct work *w, size_t c, size_t *victims)
{
	size_t count = 0;

	while (!fits_later(w)) {
		size_t v = next_victim(w, c);

		if (v == POLICY_NONE) {
			while (count > 0)
				w->role[victims[--count]] = ROLE_STAY;
			return false;
		}
		w->role[v] = ROLE_GOES;
		victims[count++] = v;
	}
	spare(w, victims, &count);
	for (size_t k = 0; k < count; k++)
		step(w, POLICY_EVICT, victims[k], c, claim_of(&w->m[c]) == CLAIM_PERSON);
	return true;
}

/* What keeps c out for good: a pinned model, one that a person asked for later, or c itself by its size. False when
 * patience is all that it takes. */
static bool
hopeless(const struct work *w, size_t c, size_t *by)
{
	size_t count = 1;
	uint64_t sum = bytes(w->m, w->n, w->lim, c);
	bool person = claim_of(&w->m[c]) == CLAIM_PERSON;

	*by = c;
	for (size_t i = 0; i < w->n; i++) {
		const struct policy_model *v = &w->m[i];

		if (i == c || w->role[i] == ROLE_OUT || w->role[i] == ROLE_GOES ||
		    !(v->pinned || (person && v->word > w->m[c].word)))
			continue;
		if (*by == c || v->need > w->m[*by].need)
			*by = i;
		count++;
		sum += bytes(w->m, w->n, w->lim, i);
	}
	return !within(w->lim, count, sum);
}

static bool
something_moves(const struct work *w, size_t c)
{
	for (size_t i = 0; i < w->n; i++)
		if (i != c && (w->role[i] == ROLE_GOES || w->role[i] == ROLE_NEXT ||
		    (w->role[i] == ROLE_STAY && w->m[i].state != ENGINE_READY)))
			return true;
	return false;
}

/* There is no room for c, and nobody may give way now. */
static void
wait_or_refuse(struct work *w, size_t c)
{
	enum policy_claim claim = claim_of(&w->m[c]);
	bool weak = claim == CLAIM_RETURN || claim == CLAIM_PRELOAD;
	size_t by;
	bool never = hopeless(w, c, &by);

	if (never || (weak && !something_moves(w, c))) {
		w->role[c] = present(&w->m[c]) ? ROLE_GOES : ROLE_OUT;
		step(w, POLICY_REFUSE, c, never ? by : c, false);
		return;
	}
	/* Free room is nothing to be kept for those that take only that. */
	if (weak)
		w->role[c] = present(&w->m[c]) ? ROLE_GOES : ROLE_OUT;
	for (size_t i = 0; i < w->n; i++)
		if (w->role[i] == ROLE_STAY)
			again(w, yields(w, i, c));
}

/* A person does not wait without end for what drains: as many as c needs get a limit. */
static void
hurry(struct work *w, size_t c)
{
	bool *gone = xcalloc(w->n + 1, sizeof(*gone));

	for (size_t i = 0; i < w->n; i++)
		gone[i] = w->role[i] == ROLE_GOES && (w->m[i].state == ENGINE_STOPPING || w->m[i].bounded);
	for (size_t i = 0; i < w->n && !fits_now(w, c, gone); i++) {
		if (w->role[i] != ROLE_GOES || gone[i])
			continue;
		gone[i] = true;
		if (w->m[i].leaving && w->m[i].state == ENGINE_DRAINING && !w->hurried[i]) {
			w->hurried[i] = true;
			step(w, POLICY_EVICT, i, c, true);
		}
	}
	free(gone);
}

static void
serve(struct work *w, size_t c, size_t *victims)
{
	const struct policy_model *m = &w->m[c];

	w->role[c] = ROLE_NEXT;
	if (!fits_later(w) && !make_room(w, c, victims)) {
		wait_or_refuse(w, c);
		return;
	}
	/* Its role is left: what is kept by this plan is not taken by it for a later one. */
	if (m->state == ENGINE_DRAINING && (m->may_stay || claim_of(m) == CLAIM_PERSON)) {
		step(w, POLICY_KEEP, c, POLICY_NONE, false);
	} else if (!present(m) && fits_now(w, c, NULL)) {
		w->begun[c] = true;
		step(w, POLICY_START, c, POLICY_NONE, false);
	} else if (claim_of(m) == CLAIM_PERSON) {
		hurry(w, c);
	}
}

/* Nobody needs its place any more. */
static void
keep_unneeded(struct work *w)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct policy_model *m = &w->m[i];

		if (w->role[i] != ROLE_GOES || !m->leaving || !m->may_stay || m->state != ENGINE_DRAINING)
			continue;
		w->role[i] = ROLE_STAY;
		if (fits_later(w))
			step(w, POLICY_KEEP, i, POLICY_NONE, false);
		else
			w->role[i] = ROLE_GOES;
	}
}

/* They grew, or the limits shrank: the least recently used idle ones go. */
static void
trim(struct work *w)
{
	while (!fits_later(w)) {
		size_t best = POLICY_NONE;

		for (size_t i = 0; i < w->n; i++) {
			const struct policy_model *m = &w->m[i];

			if (w->role[i] != ROLE_STAY || m->pinned || !idle(m))
				continue;
			if (w->now < m->ready_at + w->lim->min_resident)
				again(w, m->ready_at + w->lim->min_resident - w->now);
			else if (best == POLICY_NONE || m->used < w->m[best].used)
				best = i;
		}
		if (best == POLICY_NONE)
			return;
		w->role[best] = ROLE_GOES;
		step(w, POLICY_EVICT, best, POLICY_NONE, false);
	}
}

void
router_policy(const struct policy_model *m, size_t n, const struct policy_limits *lim, uint64_t now,
    struct policy_plan *plan)
{
	size_t *order = xcalloc(n + 1, 2 * sizeof(*order)), *victims = order + n + 1, count;
	struct work w = {.m = m, .n = n, .lim = lim, .now = now, .plan = plan};

	w.role = xcalloc(n + 1, sizeof(*w.role));
	w.begun = xcalloc(n + 1, 2 * sizeof(*w.begun));
	w.hurried = w.begun + n + 1;
	plan->n = 0;
	plan->again_in = 0;
	for (size_t i = 0; i < n; i++)
		if (present(&m[i]))
			w.role[i] = m[i].leaving ? ROLE_GOES : ROLE_STAY;
	count = claimants(&w, order);
	for (size_t i = 0; i < count; i++)
		serve(&w, order[i], victims);
	if (count == 0)
		trim(&w);
	keep_unneeded(&w);
	free(order);
	free(w.role);
	free(w.begun);
}
