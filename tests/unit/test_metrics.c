/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "metrics/metrics.h"

static struct metrics *m;
static struct strbuf out;

static int
setup(void **state)
{
	(void)state;
	m = metrics_new();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	metrics_free(&m);
	assert_null(m);
	strbuf_fini(&out);
	return 0;
}

static bool
has(const char *line)
{
	return strstr(strbuf_str(&out), line) != NULL;
}

static void
test_text(void **state)
{
	char l[128];

	(void)state;
	metrics_declare(m, "mai_requests_total", METRIC_COUNTER, "Requests,\nby \\ code.");
	metrics_declare(m, "mai_unused", METRIC_GAUGE, "Nothing yet.");
	metrics_declare(m, "mai_wait_seconds", METRIC_HISTOGRAM, "Wait.");
	metrics_labels(l, sizeof(l), "model", "a\"b\\c\n", "code", "200", (char *)NULL);
	assert_streq(l, "model=\"a\\\"b\\\\c\\n\",code=\"200\"");
	metrics_add(m, "mai_requests_total", l, 1);
	metrics_add(m, "mai_requests_total", l, 2);
	metrics_add(m, "mai_requests_total", NULL, .5);
	metrics_set(m, "mai_free", "x=\"1\"", -3);
	metrics_observe(m, "mai_wait_seconds", "model=\"a\"", .005);
	metrics_observe(m, "mai_wait_seconds", "model=\"a\"", 0.3);
	metrics_observe(m, "mai_wait_seconds", "model=\"a\"", 1e6);
	metrics_text(m, &out);
	assert_true(has("# HELP mai_requests_total Requests,\\nby \\\\ code.\n# TYPE mai_requests_total counter\n"
	    "mai_requests_total{model=\"a\\\"b\\\\c\\n\",code=\"200\"} 3\nmai_requests_total 0.5\n"));
	assert_false(has("mai_unused"));
	assert_true(has("# TYPE mai_free gauge\nmai_free{x=\"1\"} -3\n"));
	assert_true(has("mai_wait_seconds_bucket{model=\"a\",le=\"0.005\"} 1\n"));
	assert_true(has("mai_wait_seconds_bucket{model=\"a\",le=\"0.25\"} 1\n"));
	assert_true(has("mai_wait_seconds_bucket{model=\"a\",le=\"0.5\"} 2\n"));
	assert_true(has("mai_wait_seconds_bucket{model=\"a\",le=\"600\"} 2\n"));
	assert_true(has("mai_wait_seconds_bucket{model=\"a\",le=\"+Inf\"} 3\n"));
	assert_true(has("mai_wait_seconds_sum{model=\"a\"} 1000000.3\n") || has("mai_wait_seconds_sum{model=\"a\"} 1000000.31\n"));
	assert_true(has("mai_wait_seconds_count{model=\"a\"} 3\n"));
	assert_true(has("mai_metrics_dropped_total 0\n"));
}

static void
test_limit(void **state)
{
	char l[32];

	(void)state;
	for (int i = 0; i < 1500; i++)
		for (int k = 0; k < 2; k++) {
			snprintf(l, sizeof(l), "n=\"%d\"", i);
			metrics_add(m, "mai_many_total", l, 1);
		}
	metrics_add(m, "mai_other_total", "n=\"1\"", 1);
	metrics_text(m, &out);
	assert_true(has("mai_many_total{n=\"0\"} 2\n"));
	assert_true(has("mai_many_total{n=\"999\"} 2\n"));
	assert_false(has("mai_many_total{n=\"1000\"}"));
	assert_true(has("mai_other_total{n=\"1\"} 1\n"));
	assert_true(has("mai_metrics_dropped_total 1000\n"));
}

static void
test_labels_room(void **state)
{
	char l[16];

	(void)state;
	metrics_labels(l, sizeof(l), "a", "12345", "b", "123456789", (char *)NULL);
	assert_streq(l, "a=\"12345\"");
	metrics_labels(l, sizeof(l), "longer_than_it", "1", (char *)NULL);
	assert_streq(l, "");
	metrics_labels(l, sizeof(l), "a", "\"\"\"\"\"\"\"\"", (char *)NULL);
	assert_streq(l, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
		cmocka_unit_test(test_labels_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
