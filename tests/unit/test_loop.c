/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"

static struct loop *loop;
static char trace[32];

static void
add(void *arg)
{
	strncat(trace, arg, sizeof(trace) - strlen(trace) - 1);
}

static void
stop(void *arg)
{
	add(arg);
	loop_stop(loop);
}

static void
test_timers_in_order(void **state)
{
	struct timer a, b, c;

	(void)state;
	trace[0] = '\0';
	timer_init(&a, loop, add, (char[]){"a"});
	timer_init(&b, loop, stop, (char[]){"b"});
	timer_init(&c, loop, add, (char[]){"c"});
	timer_set(&b, 20);
	timer_set(&a, 5);
	timer_set(&c, 10);
	timer_stop(&c);
	assert_true(timer_armed(&a));
	assert_false(timer_armed(&c));
	assert_true(timer_left(&b) <= 20);
	loop_run(loop);
	assert_streq(trace, "ab");
	assert_false(timer_armed(&a));
}

static struct timer late;
static uint64_t late_set, late_came;

static void
on_late(void *arg)
{
	late_came = clock_ms();
	stop(arg);
}

/* A turn that takes its time before it sets a timer. */
static void
slow_turn(void *arg)
{
	for (uint64_t end = clock_ms() + 60; clock_ms() < end;)
		;
	late_set = clock_ms();
	timer_set(&late, 80);
	add(arg);
}

static void
test_a_timer_is_never_early(void **state)
{
	struct timer first;

	(void)state;
	trace[0] = '\0';
	timer_init(&first, loop, slow_turn, (char[]){"a"});
	timer_init(&late, loop, on_late, (char[]){"b"});
	timer_set(&first, 1);
	loop_run(loop);
	assert_streq(trace, "ab");
	/* the kernel's coarse clock is up to 10 ms behind */
	assert_true(late_came - late_set >= 70);
}

static void
test_defer(void **state)
{
	static char x[] = "x", y[] = "y";

	(void)state;
	trace[0] = '\0';
	loop_defer(loop, add, x);
	loop_defer(loop, add, y);
	loop_undefer(loop, y);
	loop_defer(loop, stop, x);
	loop_run(loop);
	assert_streq(trace, "xx");
}

static void
on_fd(void *arg, int what)
{
	char c;

	assert_int_equal(what, LOOP_READ);
	assert_int_equal(read(*(int *)arg, &c, 1), 1);
	add((char[]){'r', 0});
	loop_stop(loop);
}

static void
test_watch(void **state)
{
	struct watch w;
	int p[2];

	(void)state;
	trace[0] = '\0';
	assert_int_equal(pipe(p), 0);
	watch_init(&w, loop, p[0], on_fd, &p[0]);
	watch_set(&w, LOOP_READ);
	watch_set(&w, LOOP_READ);
	assert_int_equal(write(p[1], "x", 1), 1);
	loop_run(loop);
	watch_set(&w, 0);
	assert_int_equal(write(p[1], "x", 1), 1);
	loop_once(loop, 0);
	assert_streq(trace, "r");
	close(p[0]);
	close(p[1]);
}

static void
on_sig(void *arg, int sig)
{
	assert_int_equal(sig, SIGUSR2);
	add(arg);
	loop_stop(loop);
}

static void
test_signal(void **state)
{
	struct sigwatch s;

	(void)state;
	trace[0] = '\0';
	sigwatch_start(&s, loop, SIGUSR2, on_sig, (char[]){"s"});
	raise(SIGUSR2);
	loop_run(loop);
	sigwatch_stop(&s);
	assert_streq(trace, "s");
}

static void
test_fake_clock(void **state)
{
	(void)state;
	clock_fake(1234, 99);
	assert_int_equal(clock_ms(), 1234);
	assert_int_equal(clock_wall_ms(), 99);
	clock_fake_off();
	assert_true(clock_wall_ms() > 1000000);
}

static int
setup(void **state)
{
	(void)state;
	loop = loop_new();
	return loop == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	loop_free(&loop);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timers_in_order), cmocka_unit_test(test_a_timer_is_never_early),
		cmocka_unit_test(test_defer),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_signal),
		cmocka_unit_test(test_fake_clock),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
