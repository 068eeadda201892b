/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "engine/engine_fsm.h"

#define SIGNALS (ACT_TERM | ACT_KILL | ACT_LINGER)

/* Every state, input and context; a child cannot be there when stopped, and must be in the states that live on one. */
static bool
possible(enum engine_state s, unsigned ctx)
{
	if (s == ENGINE_STOPPED)
		return !(ctx & CTX_CHILD);
	if (s == ENGINE_READY || s == ENGINE_DRAINING || s == ENGINE_STOPPING)
		return (ctx & CTX_CHILD) != 0;
	return true;
}

#define FOR_ALL(s, in, ctx)                                          \
	for (int s = 0; s < ENGINE_NSTATES; s++)                     \
		for (int in = 0; in < IN_N; in++)                    \
			for (unsigned ctx = 0; ctx <= CTX_ALL; ctx++)

static void
test_total(void **state)
{
	(void)state;
	for (int s = 0; s < ENGINE_NSTATES; s++)
		for (int in = 0; in < IN_N; in++)
			if (!engine_fsm_defined(s, in))
				fail_msg("%s + %s is not defined", engine_state_name(s), engine_input_name(in));
}

static void
test_no_signal_without_child(void **state)
{
	(void)state;
	FOR_ALL(s, in, ctx) {
		struct engine_step st = engine_fsm(s, in, ctx);

		if (!(ctx & CTX_CHILD) || in == IN_GONE)
			assert_int_equal(st.actions & SIGNALS, 0);
	}
}

static void
test_never_two_children(void **state)
{
	(void)state;
	FOR_ALL(s, in, ctx) {
		struct engine_step st = engine_fsm(s, in, ctx);

		if (st.actions & ACT_SPAWN) {
			assert_true(!(ctx & CTX_CHILD) || in == IN_GONE);
			assert_int_equal(st.to, ENGINE_STARTING);
		}
		/* Into starting only by a spawn. */
		if (st.to == ENGINE_STARTING && s != (int)ENGINE_STARTING)
			assert_true(st.actions & ACT_SPAWN);
	}
}

/* Where a child may be left, the state is not stopped and there is a way on: a signal was sent or is due. */
static void
test_child_never_forgotten(void **state)
{
	(void)state;
	FOR_ALL(s, in, ctx) {
		struct engine_step st = engine_fsm(s, in, ctx);

		if (!possible(s, ctx) || !(ctx & CTX_CHILD) || in == IN_GONE)
			continue;
		assert_int_not_equal(st.to, ENGINE_STOPPED);
		if ((int)st.to != s && (st.to == ENGINE_STOPPING || st.to == ENGINE_BACKOFF || st.to == ENGINE_FAILED) &&
		    s != ENGINE_BACKOFF && s != ENGINE_FAILED)
			assert_true(st.actions & (ACT_TERM | ACT_KILL));
		if (st.to == ENGINE_DRAINING && s != ENGINE_DRAINING)
			assert_true(st.actions & ACT_DRAIN);
	}
}

static void
test_stop_always_ends(void **state)
{
	static const enum engine_input stops[] = {IN_STOP, IN_STOP_NOW, IN_KILL};

	(void)state;
	for (int s = 0; s < ENGINE_NSTATES; s++)
		for (unsigned ctx = 0; ctx <= CTX_ALL; ctx++)
			for (size_t i = 0; i < 3; i++) {
				struct engine_step st = engine_fsm(s, stops[i], ctx);
				unsigned after = ctx & ~(st.actions & ACT_FORGET ? CTX_AGAIN : 0);

				if (!possible(s, ctx))
					continue;
				/* drain over, patience over, gone */
				if (st.to == ENGINE_DRAINING)
					st = engine_fsm(st.to, IN_TIMEOUT, after);
				if (st.to == ENGINE_STOPPING)
					st = engine_fsm(st.to, IN_TIMEOUT, after);
				if (st.to == ENGINE_STOPPING)
					st = engine_fsm(st.to, IN_GONE, after);
				assert_int_equal(st.to, ENGINE_STOPPED);
			}
}

static void
test_crashes(void **state)
{
	struct engine_step st;

	(void)state;
	st = engine_fsm(ENGINE_READY, IN_CRASH, CTX_CHILD | CTX_MORE);
	assert_int_equal(st.to, ENGINE_BACKOFF);
	assert_int_equal(st.actions, ACT_COUNT | ACT_KILL | ACT_BACKOFF);
	st = engine_fsm(ENGINE_STARTING, IN_CRASH, 0);
	assert_int_equal(st.to, ENGINE_FAILED);
	st = engine_fsm(ENGINE_STARTING, IN_CRASH_FATAL, CTX_MORE | CTX_CHILD);
	assert_int_equal(st.to, ENGINE_FAILED);
	st = engine_fsm(ENGINE_STARTING, IN_CRASH_FREE, CTX_CHILD);
	assert_int_equal(st.to, ENGINE_BACKOFF);
	assert_true(st.actions & ACT_SOON && !(st.actions & ACT_COUNT));
	/* failed stays failed until a person says so */
	st = engine_fsm(ENGINE_FAILED, IN_START_AUTO, 0);
	assert_int_equal(st.to, ENGINE_FAILED);
	st = engine_fsm(ENGINE_FAILED, IN_START, 0);
	assert_int_equal(st.to, ENGINE_STARTING);
	assert_true(st.actions & ACT_RESET);
	/* stop in backoff: at once, nothing spawned */
	st = engine_fsm(ENGINE_BACKOFF, IN_STOP, CTX_MORE);
	assert_int_equal(st.to, ENGINE_STOPPED);
	assert_int_equal(st.actions & ACT_SPAWN, 0);
	/* the remains are waited for, also when the backoff is over */
	st = engine_fsm(ENGINE_BACKOFF, IN_TIMEOUT, CTX_CHILD);
	assert_int_equal(st.to, ENGINE_BACKOFF);
	assert_int_equal(st.actions, ACT_DUE);
	st = engine_fsm(ENGINE_BACKOFF, IN_GONE, CTX_CHILD | CTX_DUE);
	assert_int_equal(st.to, ENGINE_STARTING);
}

/* A look at what is not running may say that it has failed; it never ends or starts anything. */
static void
test_unfit(void **state)
{
	(void)state;
	for (int s = 0; s < ENGINE_NSTATES; s++)
		for (unsigned ctx = 0; ctx <= CTX_ALL; ctx++) {
			struct engine_step st = engine_fsm(s, IN_UNFIT, ctx);

			if (!possible(s, ctx))
				continue;
			assert_int_equal(st.actions, 0);
			assert_int_equal(st.to, s == ENGINE_STOPPED ? ENGINE_FAILED : s);
		}
}

/* A world of one slot: at most one child, dying when signalled or by itself. */
static void
test_random_walk(void **state)
{
	unsigned ctx = CTX_MORE;
	enum engine_state s = ENGINE_STOPPED;
	uint32_t rnd = 12345;
	int children = 0, attempt = 0;
	bool leader = false;

	(void)state;
	for (long i = 0; i < 2000000; i++) {
		enum engine_input in;
		struct engine_step st;

		rnd = rnd * 1664525u + 1013904223u;
		in = (enum engine_input)(rnd >> 16) % IN_N;
		if (in == IN_READY && !(s == ENGINE_STARTING && leader))
			continue;
		if ((in == IN_CRASH || in == IN_CRASH_FATAL || in == IN_CRASH_FREE) && !children)
			continue;
		if (in == IN_GONE && !(children && s != ENGINE_READY && s != ENGINE_DRAINING && s != ENGINE_STARTING))
			continue;
		ctx = (ctx & ~(CTX_MORE | CTX_BUSY)) | (attempt < 3 ? CTX_MORE : 0) | (rnd & 1 ? CTX_BUSY : 0);
		ctx = children ? ctx | CTX_CHILD : ctx & ~CTX_CHILD;
		if (in == IN_GONE)
			children = 0;
		st = engine_fsm(s, in, ctx);
		if (st.to != s)
			ctx &= ~CTX_DUE;
		if (st.actions & ACT_DUE)
			ctx |= CTX_DUE;
		if (st.actions & ACT_FORGET)
			ctx &= ~CTX_AGAIN;
		if (st.actions & ACT_AGAIN)
			ctx |= CTX_AGAIN;
		attempt = st.actions & ACT_RESET ? 0 : st.actions & ACT_COUNT ? attempt + 1 : attempt;
		if (st.actions & ACT_SPAWN) {
			assert_int_equal(children, 0);
			children = 1;
			leader = true;
		}
		if (in == IN_CRASH || in == IN_CRASH_FATAL || in == IN_CRASH_FREE)
			leader = leader && st.to == ENGINE_STARTING;
		assert_true(children <= 1 && attempt <= 3);
		assert_true(possible(st.to, children ? CTX_CHILD : 0));
		s = st.to;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_total), cmocka_unit_test(test_no_signal_without_child),
		cmocka_unit_test(test_never_two_children), cmocka_unit_test(test_child_never_forgotten),
		cmocka_unit_test(test_stop_always_ends), cmocka_unit_test(test_crashes),
		cmocka_unit_test(test_unfit),
		cmocka_unit_test(test_random_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
