/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "client/client_sse.h"

static struct strbuf seen;

static bool
note(void *arg, const char *event, const char *id, const char *data, size_t n)
{
	int *left = arg;

	strbuf_printf(&seen, "%s/%s/%.*s;", event, id, (int)n, data);
	return left == NULL || --*left > 0;
}

static const char *
split_at(const char *in, size_t n, size_t step)
{
	struct client_sse s;

	client_sse_init(&s);
	strbuf_clear(&seen);
	for (size_t i = 0; i < n; i += step)
		assert_int_equal(client_sse_feed(&s, in + i, n - i < step ? n - i : step, note, NULL), 0);
	client_sse_fini(&s);
	return strbuf_str(&seen);
}

static void
test_pieces(void **state)
{
	static const char in[] = "\xef\xbb\xbf" ": comment\n\nevent: hello\nid: 7\ndata: {\"a\":1}\n\n"
	    "data:one\r\ndata: two\r\ndata\r\n\r\n" "event: x\n\n" "data:  y: z\nretry: 5\n\nid:\ndata: q\n\ndata: unfinished\n";
	static const char want[] = "hello/7/{\"a\":1};message/7/one\ntwo\n;message/7/ y: z;message//q;";

	(void)state;
	for (size_t step = 1; step < sizeof(in); step++)
		assert_streq(split_at(in, sizeof(in) - 1, step), want);
}

static void
test_stop(void **state)
{
	static const char in[] = "data: 1\n\ndata: 2\n\ndata: 3\n\n";
	struct client_sse s;
	int left = 2;

	(void)state;
	client_sse_init(&s);
	strbuf_clear(&seen);
	assert_int_equal(client_sse_feed(&s, in, sizeof(in) - 1, note, &left), 1);
	assert_streq(strbuf_str(&seen), "message//1;message//2;");
	client_sse_reset(&s);
	strbuf_clear(&seen);
	assert_int_equal(client_sse_feed(&s, in, sizeof(in) - 1, note, NULL), 0);
	assert_streq(strbuf_str(&seen), "message//1;message//2;message//3;");
	client_sse_fini(&s);
}

static void
test_bound(void **state)
{
	static char block[65536];
	struct client_sse s;
	int r = 0;
	size_t fed = 0;

	(void)state;
	client_sse_init(&s);
	memset(block, 'x', sizeof(block));
	while (r == 0 && fed < 2 * CLIENT_SSE_MAX) {
		r = client_sse_feed(&s, block, sizeof(block), note, NULL);
		fed += sizeof(block);
	}
	assert_int_equal(r, -1);
	assert_true(fed <= CLIENT_SSE_MAX + sizeof(block));
	/* Many lines of one event are bounded too. */
	client_sse_reset(&s);
	memcpy(block, "data: ", 6);
	block[sizeof(block) - 1] = '\n';
	for (r = 0, fed = 0; r == 0 && fed < 2 * CLIENT_SSE_MAX; fed += sizeof(block))
		r = client_sse_feed(&s, block, sizeof(block), note, NULL);
	assert_int_equal(r, -1);
	client_sse_fini(&s);
}

static int
done(void **state)
{
	(void)state;
	strbuf_fini(&seen);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, done);
}
