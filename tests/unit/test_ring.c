/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "base/clock.h"
#include "base/strbuf.h"
#include "ring/ring.h"

#define ALL ((1u << RING_CHILD) | (1u << RING_MAI) | (1u << RING_ACCESS))

struct got {
	struct strbuf text;
	size_t n, stop_after;
	uint64_t last;
};

static bool
take(void *arg, const struct ring_line *l)
{
	struct got *g = arg;

	assert_true(l->seq > g->last);
	assert_int_equal(strlen(l->text), l->len);
	g->last = l->seq;
	strbuf_printf(&g->text, "%d%c%s:%s|", l->source, l->level, l->model, l->text);
	g->n++;
	return g->stop_after == 0 || g->n < g->stop_after;
}

static uint64_t
put(struct ring *r, int source, const char *model, const char *text)
{
	return ring_put(r, source, model, ' ', text, strlen(text));
}

static void
test_merge(void **state)
{
	struct ring *r = ring_new(65536, 1 << 20, 65536, 65536);
	struct got g = {0};
	uint64_t dropped = 9, next;

	(void)state;
	clock_fake(5, 1234);
	assert_int_equal(ring_first(r, ALL), 1);
	assert_int_equal(put(r, RING_CHILD, "a", "one"), 1);
	ring_put(r, RING_MAI, "a", 'W', "two", 3);
	put(r, RING_CHILD, "b", "three");
	put(r, RING_ACCESS, NULL, "four");
	put(r, RING_MAI, NULL, "");
	put(r, RING_CHILD, "a", "six");
	next = ring_read(r, ALL, NULL, 0, take, &g, &dropped);
	assert_int_equal(next, 7);
	assert_int_equal(dropped, 0);
	assert_streq(strbuf_str(&g.text), "0 a:one|1Wa:two|0 b:three|2 :four|1 :|0 a:six|");

	strbuf_clear(&g.text);
	g.last = 0;
	ring_read(r, ALL, "a", 2, take, &g, NULL);
	assert_streq(strbuf_str(&g.text), "1Wa:two|2 :four|0 a:six|");

	strbuf_clear(&g.text);
	g = (struct got){.text = g.text, .stop_after = 2};
	assert_int_equal(ring_read(r, 1u << RING_CHILD, NULL, 0, take, &g, NULL), 4);
	assert_streq(strbuf_str(&g.text), "0 a:one|0 b:three|");

	assert_int_equal(ring_tail(r, ALL, NULL, 2), 5);
	assert_int_equal(ring_tail(r, 1u << RING_CHILD, NULL, 2), 3);
	assert_int_equal(ring_tail(r, 1u << RING_MAI, "a", 5), 2);
	assert_int_equal(ring_tail(r, ALL, NULL, 100), 1);
	assert_int_equal(ring_tail(r, ALL, NULL, 0), 7);
	assert_int_equal(ring_first(r, 1u << RING_ACCESS), 4);
	assert_int_equal(ring_read(r, ALL, NULL, 7, take, &g, NULL), 7);
	strbuf_fini(&g.text);
	ring_free(&r);
	assert_null(r);
	clock_fake_off();
}

static bool
count(void *arg, const struct ring_line *l)
{
	(void)l;
	++*(uint64_t *)arg;
	return true;
}

static void
test_bound_and_dropped(void **state)
{
	struct ring *r = ring_new(8192, 16384, 4096, 4096);
	uint64_t n = 0, dropped, bytes, next;
	char line[128];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(line, sizeof(line), "line %05d with some text behind it", i);
		put(r, RING_CHILD, "m", line);
		assert_true(ring_bytes(r) <= 16384);
	}
	next = ring_read(r, 1u << RING_CHILD, NULL, 1, count, &n, &dropped);
	assert_int_equal(next, 5001);
	assert_int_equal(n + dropped, 5000);
	assert_true(n > 50);
	assert_int_equal(ring_first(r, ALL), dropped + 1);
	/* Of one writer alone the count is exact wherever the reader stood, also far back. */
	for (uint64_t from = 1; from < 5000; from += 97) {
		n = 0;
		ring_read(r, 1u << RING_CHILD, "m", from, count, &n, &dropped);
		assert_int_equal(n + dropped, 5001 - from);
	}
	assert_true(ring_dropped(r, ALL, NULL, 1, &bytes) > 0);
	assert_int_equal(bytes / (strlen(line) + 1), ring_dropped(r, ALL, NULL, 1, NULL));
	ring_free(&r);
}

static void
test_children_share(void **state)
{
	struct ring *r = ring_new(8192, 16384, 4096, 4096);
	uint64_t n = 0;
	char model[16];

	(void)state;
	put(r, RING_CHILD, "quiet", "the only words");
	for (int i = 0; i < 4000; i++) {
		snprintf(model, sizeof(model), "m%d", i % 5);
		put(r, RING_CHILD, model, "chatter chatter chatter");
		assert_true(ring_bytes(r) <= 16384);
	}
	ring_read(r, 1u << RING_CHILD, "quiet", 0, count, &n, NULL);
	assert_int_equal(n, 1);
	/* Many names do not grow it without end either. */
	for (int i = 0; i < 2000; i++) {
		snprintf(model, sizeof(model), "n%d", i);
		put(r, RING_CHILD, model, "x");
		assert_true(ring_bytes(r) <= 16384);
	}
	ring_free(&r);
}

static void
test_long_lines(void **state)
{
	struct ring *r = ring_new(8192, 1 << 20, 4096, 4096);
	char *big = malloc(200001);
	struct got g = {0};

	(void)state;
	memset(big, 'x', 200000);
	big[200000] = '\0';
	memcpy(big + 65535, "\xc3\xa9", 2);
	ring_put(r, RING_CHILD, "m", 'E', big, 200000);
	put(r, RING_CHILD, "m", "after");
	ring_put(r, RING_MAI, big, 'E', big, 10);
	ring_read(r, 1u << RING_CHILD, NULL, 0, take, &g, NULL);
	assert_true(g.n >= 1 && strstr(strbuf_str(&g.text), "after") != NULL);
	assert_true(g.text.len < 70000);
	strbuf_fini(&g.text);
	free(big);
	ring_free(&r);
}

static void
heard(void *arg)
{
	++*(int *)arg;
}

static void
test_live(void **state)
{
	struct ring *r = ring_new(8192, 16384, 4096, 4096);
	int n = 0, other = 0, third = 0;

	(void)state;
	ring_listen(r, heard, &n);
	assert_streq(ring_live(r, "m"), "");
	ring_set_live(r, "m", NULL);
	assert_int_equal(n, 0);
	ring_set_live(r, "m", "10%");
	ring_set_live(r, "m", "10%");
	ring_set_live(r, "m", "20%");
	assert_int_equal(n, 2);
	assert_streq(ring_live(r, "m"), "20%");
	assert_streq(ring_live(r, "k"), "");
	assert_streq(ring_live(r, NULL), "");
	assert_int_equal(ring_next(r), 1);
	ring_set_live(r, "m", "");
	assert_streq(ring_live(r, "m"), "");
	put(r, RING_MAI, NULL, "x");
	assert_int_equal(n, 4);
	ring_listen(r, heard, &other);
	ring_listen(r, heard, &third);	/* there is no place for it */
	put(r, RING_MAI, NULL, "y");
	ring_listen(r, NULL, &n);
	put(r, RING_MAI, NULL, "z");
	assert_int_equal(n, 5);
	assert_int_equal(other, 2);
	assert_int_equal(third, 0);
	ring_free(&r);
}

static void
test_speed(void **state)
{
	struct ring *r = ring_new(8 << 20, 64 << 20, 1 << 20, 4 << 20);
	static const char line[] = "an ordinary line of an engine's output, about eighty bytes long, I should think";
	uint64_t t = clock_us(), n = 0;

	(void)state;
	for (int i = 0; i < 500000; i++)
		ring_put(r, RING_CHILD, "model", ' ', line, sizeof(line) - 1);
	t = clock_us() - t;
	print_message("put: %.1f M lines/s\n", 0.5e6 / (double)t);
	/* A tenth of the goal: sanitizers and a loaded machine are no reason to fail, a quadratic is. */
	assert_true(t < 5000000);
	t = clock_us();
	for (int i = 0; i < 1000; i++)
		ring_read(r, ALL, NULL, ring_next(r) - 5, count, &n, NULL);
	assert_int_equal(n, 5000);
	assert_true(clock_us() - t < 1000000);
	ring_free(&r);
}

static bool
take_colors(void *arg, const struct ring_line *l)
{
	struct strbuf *b = arg;

	strbuf_printf(b, "%c%s", l->level, l->text);
	for (size_t i = 0; i < l->ncolors; i++)
		strbuf_printf(b, " %u:%u", (unsigned)l->colors[i].at, (unsigned)l->colors[i].color);
	strbuf_putc(b, '|');
	return true;
}

/* Colours lie beside their line, whatever its level and its neighbours. */
static void
test_colors(void **state)
{
	struct ring *r = ring_new(65536, 1 << 20, 65536, 65536);
	struct text_color c[TEXT_COLORS_MAX] = {{0, 1}, {65530, TEXT_COLOR_NONE}};
	struct strbuf b = STRBUF_INIT;
	static char big[70000];

	(void)state;
	put(r, RING_CHILD, "a", "plain");
	ring_put_colors(r, "a", 'E', "red", 3, c, 1);
	ring_put_colors(r, "a", 'W', "", 0, NULL, 0);
	put(r, RING_MAI, "a", "mai");
	ring_read(r, ALL, NULL, 0, take_colors, &b, NULL);
	assert_streq(strbuf_str(&b), " plain|Ered 0:1|W| mai|");
	memset(big, 'x', sizeof(big) - 1);
	ring_put_colors(r, "b", ' ', big, sizeof(big) - 1, c, 2);
	strbuf_clear(&b);
	ring_read(r, ALL, "b", 5, take_colors, &b, NULL);
	assert_non_null(strstr(strbuf_str(&b), "xxx 0:1 65530:16|"));
	/* More than a line may have are not kept. */
	for (uint32_t i = 0; i < TEXT_COLORS_MAX; i++)
		c[i] = (struct text_color){i, 2};
	ring_put_colors(r, "c", ' ', "0123456789abcdef!", 17, c, 200);
	strbuf_clear(&b);
	ring_read(r, ALL, "c", 6, take_colors, &b, NULL);
	assert_non_null(strstr(strbuf_str(&b), " 15:2|"));
	ring_free(&r);
	strbuf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_colors),
		cmocka_unit_test(test_bound_and_dropped),
		cmocka_unit_test(test_children_share),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_live),
		cmocka_unit_test(test_speed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
