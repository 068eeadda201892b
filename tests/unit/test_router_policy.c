/* SPDX-License-Identifier: ISC
 * Which models are to be loaded. */
#include "unit.h"

#include "router/router_policy.h"

#define N 5
#define GIB ((uint64_t)1 << 30)

static struct policy_model m[N];
static struct policy_limits lim;
static struct policy_step steps[2 * N + 1];
static struct policy_plan plan;

static int
setup(void **state)
{
	(void)state;
	memset(m, 0, sizeof(m));
	lim = (struct policy_limits){.min_resident = 5000, .max_swap_wait = 15000, .max_loaded = 1};
	return 0;
}

static void
decide(uint64_t now)
{
	plan = (struct policy_plan){.steps = steps};
	router_policy(m, N, &lim, now, &plan);
}

static void
ready(size_t i, uint64_t at)
{
	m[i].state = ENGINE_READY;
	m[i].ready_at = m[i].used = at;
}

static void
waits(size_t i, int n, uint64_t since)
{
	m[i].queued = n;
	m[i].oldest = m[i].turn = since;
}

/* The one step of the plan. */
static void
only(enum policy_act act, size_t model, size_t by)
{
	assert_int_equal(plan.n, 1);
	assert_int_equal(steps[0].act, act);
	assert_int_equal(steps[0].model, model);
	if (act == POLICY_EVICT || act == POLICY_REFUSE)
		assert_int_equal(steps[0].by, by);
}

static bool
has(enum policy_act act, size_t model)
{
	for (size_t i = 0; i < plan.n; i++)
		if (steps[i].act == act && steps[i].model == model)
			return true;
	return false;
}

static void
nothing(uint64_t again)
{
	assert_int_equal(plan.n, 0);
	assert_int_equal(plan.again_in, again);
}

static void
test_nobody_waits(void **state)
{
	(void)state;
	decide(1000);
	nothing(0);
	ready(0, 10);
	decide(1000);
	nothing(0);
}

static void
test_the_oldest_waiter_first(void **state)
{
	(void)state;
	waits(0, 3, 500);
	waits(1, 1, 400);
	decide(1000);
	only(POLICY_START, 1, 0);
	/* A failed one starts for nobody; only a person's word does that. */
	m[1].state = ENGINE_FAILED;
	decide(1000);
	only(POLICY_START, 0, 0);
	m[1].claim = CLAIM_PERSON;
	m[1].word = 1;
	decide(1000);
	only(POLICY_START, 1, 0);
}

static void
test_idle_gives_way_after_its_time(void **state)
{
	(void)state;
	ready(0, 1000);
	waits(1, 1, 2000);
	decide(2000);
	nothing(4000);
	decide(6000);
	only(POLICY_EVICT, 0, 1);
	assert_false(steps[0].bounded);
}

static void
test_work_goes_on_until_patience_ends(void **state)
{
	(void)state;
	ready(0, 1000);
	m[0].in_flight = 2;
	waits(1, 1, 20000);
	decide(21000);
	nothing(14000);
	decide(35000);
	only(POLICY_EVICT, 0, 1);
	/* Its own waiters who came before are served first; those who came later are not. */
	waits(0, 1, 19000);
	decide(35000);
	nothing(0);
	waits(0, 1, 22000);
	decide(35000);
	only(POLICY_EVICT, 0, 1);
}

static void
test_a_load_is_for_somebody(void **state)
{
	(void)state;
	m[0].state = ENGINE_STARTING;
	waits(0, 1, 100);
	waits(1, 1, 50);
	decide(100000);
	nothing(0);
	m[0].state = ENGINE_BACKOFF;
	decide(100000);
	nothing(0);
	/* Nobody waits for it any more: it gives way to who does, unless a person wanted it. */
	m[0].queued = 0;
	m[0].manual = true;
	decide(100000);
	nothing(0);
	m[0].manual = false;
	decide(100000);
	only(POLICY_EVICT, 0, 1);
}

static void
test_a_drain_that_nobody_needs_ends(void **state)
{
	(void)state;
	ready(0, 1000);
	m[0].state = ENGINE_DRAINING;
	m[0].leaving = m[0].may_stay = true;
	m[0].in_flight = 1;
	waits(1, 1, 2000);
	decide(50000);
	nothing(0);
	m[1].queued = 0;
	decide(50000);
	only(POLICY_KEEP, 0, 0);
	/* Somebody wants it gone. */
	m[0].may_stay = false;
	decide(50000);
	nothing(0);
	/* Older waiters of its own. */
	m[0].may_stay = true;
	waits(1, 1, 2000);
	waits(0, 1, 1000);
	decide(3000);
	assert_true(has(POLICY_KEEP, 0));
}

static void
test_stopping_comes_back_for_its_older_waiters(void **state)
{
	(void)state;
	m[0].state = ENGINE_STOPPING;
	m[0].leaving = true;
	waits(0, 1, 1000);
	waits(1, 1, 2000);
	decide(3000);
	nothing(0);
	m[0].state = ENGINE_STOPPED;
	m[0].leaving = false;
	decide(3000);
	only(POLICY_START, 0, 0);
}

static void
test_several_at_once(void **state)
{
	(void)state;
	lim.max_loaded = 3;
	waits(0, 1, 10);
	waits(1, 1, 20);
	waits(2, 1, 30);
	waits(3, 1, 40);
	decide(100);
	assert_int_equal(plan.n, 3);
	assert_true(has(POLICY_START, 0) && has(POLICY_START, 1) && has(POLICY_START, 2));
}

static void
test_least_recently_used_goes(void **state)
{
	(void)state;
	lim.max_loaded = 3;
	ready(0, 1000);
	ready(1, 2000);
	ready(2, 1500);
	m[0].used = 30000;
	m[1].used = 20000;
	m[2].used = 25000;
	waits(3, 1, 40000);
	decide(40000);
	only(POLICY_EVICT, 1, 3);
	/* One that works is dearer than any idle one; a pinned one is not to be had. */
	m[1].in_flight = 1;
	decide(40000);
	only(POLICY_EVICT, 2, 3);
	m[2].pinned = true;
	decide(40000);
	only(POLICY_EVICT, 0, 3);
}

static void
test_budget(void **state)
{
	(void)state;
	lim.max_loaded = 10;
	lim.budget = 20 * GIB;
	ready(0, 1000);
	ready(1, 1000);
	m[0].need = 8 * GIB;
	m[1].need = 4 * GIB;
	m[2].need = 8 * GIB;
	m[3].need = 10 * GIB;
	waits(2, 1, 40000);
	decide(40000);
	only(POLICY_START, 2, 0);
	/* The small old one alone would not do; the big one alone does, and the small one is spared. */
	m[2].queued = 0;
	m[1].used = 500;
	waits(3, 1, 40000);
	m[3].need = 16 * GIB;
	decide(40000);
	only(POLICY_EVICT, 0, 3);
	m[3].need = 17 * GIB;
	decide(40000);
	assert_int_equal(plan.n, 2);
	assert_true(has(POLICY_EVICT, 0) && has(POLICY_EVICT, 1));
}

static void
test_what_never_fits_is_refused(void **state)
{
	(void)state;
	lim.max_loaded = 10;
	lim.budget = 20 * GIB;
	ready(0, 1000);
	m[0].need = 12 * GIB;
	m[0].pinned = true;
	ready(1, 1000);
	m[1].need = 2 * GIB;
	m[1].in_flight = 1;
	m[2].need = 9 * GIB;
	waits(2, 1, 40000);
	decide(40000);
	only(POLICY_REFUSE, 2, 0);
	/* With the other one's place it would fit: it waits for that. */
	m[2].need = 8 * GIB;
	decide(40000);
	nothing(15000);
	m[2].need = 21 * GIB;
	m[0].pinned = false;
	decide(40000);
	only(POLICY_REFUSE, 2, 2);
	lim.budget = 0;
	lim.max_loaded = 2;
	m[0].pinned = m[1].pinned = true;
	decide(40000);
	assert_int_equal(steps[0].act, POLICY_REFUSE);
}

static void
test_an_unknown_need_is_loaded_alone(void **state)
{
	(void)state;
	lim.max_loaded = 10;
	lim.budget = 20 * GIB;
	ready(0, 1000);
	m[0].need = 1 * GIB;
	waits(1, 1, 40000);
	decide(40000);
	only(POLICY_EVICT, 0, 1);
	/* But for what is pinned. */
	m[0].pinned = true;
	decide(40000);
	only(POLICY_START, 1, 0);
	/* And nothing beside it until it is known. */
	m[1].state = ENGINE_STARTING;
	m[2].need = 1 * GIB;
	waits(2, 1, 41000);
	decide(60000);
	nothing(0);
	ready(1, 61000);
	m[1].queued = 0;
	m[1].need = 3 * GIB;
	decide(61000);
	only(POLICY_START, 2, 0);
}

static void
test_later_ones_do_not_take_what_an_earlier_one_waits_for(void **state)
{
	(void)state;
	lim.max_loaded = 10;
	lim.budget = 10 * GIB;
	ready(0, 1000);
	m[0].need = 6 * GIB;
	m[0].in_flight = 1;
	m[1].need = 10 * GIB;
	m[2].need = 2 * GIB;
	waits(1, 1, 10000);
	waits(2, 1, 11000);
	decide(12000);
	/* There were room for the third now, but then the second would not fit when the first goes. */
	nothing(13000);
	/* Where both fit it goes ahead. */
	m[1].need = 8 * GIB;
	decide(12000);
	nothing(13000);
	decide(25000);
	assert_true(has(POLICY_EVICT, 0));
	assert_true(has(POLICY_START, 2));
}

static void
test_a_persons_word(void **state)
{
	(void)state;
	ready(0, 1000);
	m[0].in_flight = 1;
	m[1].claim = CLAIM_PERSON;
	m[1].word = 1;
	decide(1001);
	only(POLICY_EVICT, 0, 1);
	assert_true(steps[0].bounded);
	/* What drains for a request gets its limit, once. */
	m[0].state = ENGINE_DRAINING;
	m[0].leaving = true;
	decide(1002);
	only(POLICY_EVICT, 0, 1);
	assert_true(steps[0].bounded);
	m[0].bounded = true;
	decide(1003);
	nothing(0);
	/* The last word counts: the earlier one is refused, waiters or not. */
	m[2].claim = CLAIM_PERSON;
	m[2].word = 2;
	waits(1, 1, 900);
	decide(1004);
	assert_true(has(POLICY_REFUSE, 1));
	/* A load for somebody gives way to a later word. */
	setup(NULL);
	m[0].state = ENGINE_STARTING;
	m[0].word = 1;
	m[0].manual = true;
	waits(0, 4, 100);
	m[1].claim = CLAIM_PERSON;
	m[1].word = 2;
	decide(200);
	only(POLICY_EVICT, 0, 1);
	m[0].word = 3;
	decide(200);
	only(POLICY_REFUSE, 1, 0);
}

static void
test_a_person_bounds_only_the_drains_in_the_way(void **state)
{
	(void)state;
	lim.max_loaded = 2;
	for (size_t i = 0; i < 2; i++) {
		m[i].state = ENGINE_DRAINING;
		m[i].leaving = m[i].may_stay = true;
		m[i].in_flight = 1;
	}
	m[2].claim = CLAIM_PERSON;
	m[2].word = 1;
	waits(3, 1, 100);
	decide(200);
	assert_int_equal(plan.n, 1);
	assert_int_equal(steps[0].act, POLICY_EVICT);
	assert_true(steps[0].bounded);
}

static void
test_weak_claims_take_free_room_only(void **state)
{
	(void)state;
	lim.max_loaded = 2;
	ready(0, 1000);
	m[1].claim = CLAIM_RETURN;
	m[2].claim = CLAIM_PRELOAD;
	decide(90000);
	assert_true(has(POLICY_START, 1));
	assert_false(has(POLICY_START, 2) || has(POLICY_EVICT, 0));
	/* Nothing moves that could make room: given up. */
	ready(1, 2000);
	m[1].claim = CLAIM_NONE;
	decide(90000);
	only(POLICY_REFUSE, 2, 2);
	/* A waiter comes before them. */
	setup(NULL);
	m[1].claim = CLAIM_RETURN;
	waits(2, 1, 100);
	decide(200);
	only(POLICY_START, 2, 0);
}

static void
test_too_much_is_trimmed(void **state)
{
	(void)state;
	lim.max_loaded = 10;
	lim.budget = 10 * GIB;
	for (size_t i = 0; i < 3; i++) {
		ready(i, 1000 + i);
		m[i].need = 4 * GIB;
	}
	m[0].in_flight = 1;
	decide(3000);
	nothing(3001);
	decide(60000);
	only(POLICY_EVICT, 1, POLICY_NONE);
	lim.budget = 0;
	lim.max_loaded = 1;
	decide(60000);
	assert_int_equal(plan.n, 2);
	assert_true(has(POLICY_EVICT, 1) && has(POLICY_EVICT, 2));
}

static void
test_fits(void **state)
{
	(void)state;
	lim.max_loaded = 2;
	ready(0, 1);
	assert_true(policy_fits(m, N, &lim, 1));
	m[2].state = ENGINE_STOPPING;
	assert_false(policy_fits(m, N, &lim, 1));
	assert_true(policy_fits(m, N, &lim, 2));
	lim.max_loaded = 3;
	lim.budget = GIB;
	m[0].need = GIB / 2;
	m[2].need = 1;
	m[1].need = GIB / 2;
	assert_false(policy_fits(m, N, &lim, 1));
	m[1].need--;
	assert_true(policy_fits(m, N, &lim, 1));
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(test_nobody_waits), T(test_the_oldest_waiter_first), T(test_idle_gives_way_after_its_time),
		T(test_work_goes_on_until_patience_ends), T(test_a_load_is_for_somebody),
		T(test_a_drain_that_nobody_needs_ends), T(test_stopping_comes_back_for_its_older_waiters),
		T(test_several_at_once), T(test_least_recently_used_goes), T(test_budget),
		T(test_what_never_fits_is_refused), T(test_an_unknown_need_is_loaded_alone),
		T(test_later_ones_do_not_take_what_an_earlier_one_waits_for), T(test_a_persons_word),
		T(test_a_person_bounds_only_the_drains_in_the_way), T(test_weak_claims_take_free_room_only),
		T(test_too_much_is_trimmed), T(test_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
