/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "bus/bus.h"

static char order[32];
static struct bus *bus;
static struct bus_sub *subs[4];

static void
note(void *arg, const struct bus_event *e)
{
	strncat(order, arg, sizeof(order) - strlen(order) - 1);
	if (e->id == 7)
		bus_unsubscribe(&subs[1]);
	if (e->id == 8) {
		const struct bus_event inner = {.kind = BUS_ACTION};
		bus_publish(bus, &inner);
	}
}

static int
setup(void **state)
{
	(void)state;
	bus = bus_new();
	order[0] = '\0';
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < 4; i++)
		bus_unsubscribe(&subs[i]);
	bus_free(&bus);
	return 0;
}

static void
test_order_and_mask(void **state)
{
	const struct bus_event e = {.kind = BUS_ENGINE};

	(void)state;
	subs[0] = bus_subscribe(bus, 1u << BUS_ENGINE, note, (char[]){"a"});
	subs[1] = bus_subscribe(bus, 1u << BUS_LOG, note, (char[]){"b"});
	subs[2] = bus_subscribe(bus, ~0u, note, (char[]){"c"});
	bus_publish(bus, &e);
	assert_streq(order, "ac");
}

static void
test_unsubscribe_inside(void **state)
{
	const struct bus_event e = {.kind = BUS_ENGINE, .id = 7};

	(void)state;
	subs[0] = bus_subscribe(bus, ~0u, note, (char[]){"a"});
	subs[1] = bus_subscribe(bus, ~0u, note, (char[]){"b"});
	subs[2] = bus_subscribe(bus, ~0u, note, (char[]){"c"});
	bus_publish(bus, &e);
	assert_streq(order, "ac");
	assert_null(subs[1]);
}

static void
test_nested(void **state)
{
	const struct bus_event e = {.kind = BUS_REQUEST, .id = 8};

	(void)state;
	subs[0] = bus_subscribe(bus, 1u << BUS_REQUEST, note, (char[]){"a"});
	subs[1] = bus_subscribe(bus, 1u << BUS_ACTION, note, (char[]){"b"});
	bus_publish(bus, &e);
	assert_streq(order, "ab");
}

static void
test_names(void **state)
{
	enum log_source s;

	(void)state;
	assert_streq(engine_state_name(ENGINE_BACKOFF), "backoff");
	assert_streq(engine_state_name((enum engine_state)99), "?");
	for (int i = 0; i < ENGINE_NSTATES; i++)
		assert_int_equal(engine_state_parse(engine_state_name(i), ENGINE_NSTATES), i);
	for (int i = 0; i < REASON_N; i++)
		assert_int_equal(engine_reason_parse(engine_reason_name(i), REASON_N), i);
	assert_int_equal(engine_state_parse("no such", ENGINE_FAILED), ENGINE_FAILED);
	assert_int_equal(log_source_parse("access", &s), 0);
	assert_int_equal(s, SOURCE_ACCESS);
	assert_int_equal(log_source_parse("x", &s), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order_and_mask, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unsubscribe_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nested, setup, teardown),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
