/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "router/router_policy.h"

static const struct policy_limits lim = {5000, 15000};

static struct policy_choice
ask(const struct policy_model *a, const struct policy_model *b, uint64_t now)
{
	const struct policy_model m[2] = {*a, *b};

	return router_policy(m, 2, &lim, now);
}

static void
test_nobody_waits(void **state)
{
	const struct policy_model a = {.state = ENGINE_READY, .ready_at = 1}, b = {.state = ENGINE_STOPPED};
	struct policy_choice c = ask(&a, &b, 100000);

	(void)state;
	assert_true(c.target == POLICY_NONE);
	assert_int_equal(c.again_in, 0);
}

static void
test_idle_model_gives_way(void **state)
{
	const struct policy_model a = {.state = ENGINE_READY, .ready_at = 1000};
	const struct policy_model b = {.state = ENGINE_STOPPED, .queued = 1, .oldest = 2000};
	struct policy_choice c;

	(void)state;
	/* Loaded a second ago: it stays min_resident. */
	c = ask(&a, &b, 2000);
	assert_true(c.target == POLICY_NONE);
	assert_int_equal(c.again_in, 4000);
	c = ask(&a, &b, 6000);
	assert_int_equal(c.target, 1);
}

static void
test_busy_model_keeps_until_patience(void **state)
{
	const struct policy_model a = {.state = ENGINE_READY, .ready_at = 1000, .in_flight = 3};
	const struct policy_model b = {.state = ENGINE_STOPPED, .queued = 1, .oldest = 20000};
	struct policy_choice c;

	(void)state;
	c = ask(&a, &b, 20000);
	assert_true(c.target == POLICY_NONE);
	assert_int_equal(c.again_in, 15000);
	c = ask(&a, &b, 34999);
	assert_true(c.target == POLICY_NONE);
	c = ask(&a, &b, 35000);
	assert_int_equal(c.target, 1);
}

static void
test_loading_is_carried_through(void **state)
{
	struct policy_model a = {.state = ENGINE_STARTING, .queued = 1, .oldest = 1};
	const struct policy_model b = {.state = ENGINE_STOPPED, .queued = 1, .oldest = 2};

	(void)state;
	assert_true(ask(&a, &b, 100000).target == POLICY_NONE);
	/* Nobody waits for it any more, and no person asked for it. */
	a.queued = 0;
	assert_int_equal(ask(&a, &b, 100000).target, 1);
	a.manual = true;
	assert_true(ask(&a, &b, 100000).target == POLICY_NONE);
	a.manual = false;
	a.state = ENGINE_BACKOFF;
	assert_int_equal(ask(&a, &b, 100000).target, 1);
}

static void
test_oldest_wins(void **state)
{
	const struct policy_model m[3] = {
		{.state = ENGINE_STOPPED, .queued = 5, .oldest = 300},
		{.state = ENGINE_STOPPED, .queued = 1, .oldest = 100},
		{.state = ENGINE_FAILED, .queued = 1, .oldest = 50},
	};

	(void)state;
	assert_int_equal(router_policy(m, 3, &lim, 1000).target, 1);
}

static void
test_stopping_comes_back_for_its_own(void **state)
{
	struct policy_model a = {.state = ENGINE_STOPPING, .queued = 1, .oldest = 10};
	struct policy_model b = {.state = ENGINE_STOPPED};

	(void)state;
	assert_int_equal(ask(&a, &b, 100).target, 0);
	b.queued = 1;
	b.oldest = 5;
	assert_int_equal(ask(&a, &b, 100).target, 1);
	b.oldest = 20;
	assert_int_equal(ask(&a, &b, 100).target, 0);
}

/* Whatever the numbers: it never names a model without waiters, nor a failed one, nor waits for ever. */
static void
test_invariants(void **state)
{
	unsigned x = 1;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		struct policy_model m[4];
		struct policy_choice c;
		bool someone = false;

		for (size_t i = 0; i < 4; i++) {
			x = x * 1103515245u + 12345u;
			m[i] = (struct policy_model){
				.state = (enum engine_state)((x >> 8) % ENGINE_NSTATES),
				.ready_at = (x >> 12) % 50000,
				.in_flight = (int)((x >> 16) % 3),
				.queued = (int)((x >> 20) % 3),
				.manual = (x >> 24) & 1,
			};
			m[i].oldest = m[i].queued == 0 ? 0 : 1 + (x >> 5) % 50000;
			someone |= m[i].queued > 0;
		}
		c = router_policy(m, 4, &lim, 50000);
		if (c.target != POLICY_NONE) {
			assert_true(m[c.target].queued > 0);
			assert_true(m[c.target].state != ENGINE_FAILED);
		}
		assert_true(c.again_in <= 15000);
		if (!someone)
			assert_true(c.target == POLICY_NONE && c.again_in == 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_waits),
		cmocka_unit_test(test_idle_model_gives_way),
		cmocka_unit_test(test_busy_model_keeps_until_patience),
		cmocka_unit_test(test_loading_is_carried_through),
		cmocka_unit_test(test_oldest_wins),
		cmocka_unit_test(test_stopping_comes_back_for_its_own),
		cmocka_unit_test(test_invariants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
