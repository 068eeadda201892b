/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "http/http_body.h"

#include "base/compat.h"

struct outcome {
	enum http_body_result result;
	const char *why;
	size_t left;	/* bytes that belong to the next message */
	bool eof_ok;
	struct strbuf data;
};

/* Feeds s in pieces: [0,cut) and the rest (cut <= n), or byte by byte (cut > n), from memory of
 * exactly that size. */
static void
feed(struct outcome *o, enum http_framing framing, uint64_t length, const char *s, size_t n,
    size_t cut)
{
	const struct http_head h = {.framing = framing, .content_length = length};
	struct http_body b;
	size_t from = 0;

	strbuf_clear(&o->data);
	http_body_init(&b, &h);
	do {
		size_t to = cut > n ? from + 1 : from < cut ? cut : n, pos = 0;
		struct http_str data;
		char *piece;

		to = to > n ? n : to;
		piece = malloc(to == from ? 1 : to - from);
		assert_non_null(piece);
		memcpy(piece, s + from, to - from);
		do {
			size_t before = pos;

			o->result = http_body_next(&b, piece, to - from, &pos, &data);
			strbuf_add(&o->data, data.p, data.n);
			assert_true(pos > before || o->result != HTTP_BODY_MORE || to == from);
		} while (o->result == HTTP_BODY_MORE && pos < to - from);
		free(piece);
		from += pos;
		if (o->result != HTTP_BODY_MORE)
			break;
	} while (from < n);
	o->left = n - from;
	o->why = b.why;
	o->eof_ok = http_body_eof_ok(&b);
}

static void
check(enum http_framing framing, uint64_t length, const char *s, size_t n,
    enum http_body_result result,
    const char *data, size_t left)
{
	struct outcome o = {0};

	for (size_t cut = 0; cut <= n + 1; cut++) {
		feed(&o, framing, length, s, n, cut);
		if (o.result != result)
			print_error("%s (cut %zu): %s\n", s, cut, o.why == NULL ? "no error" :
			    o.why);
		assert_int_equal(o.result, result);
		assert_int_equal(o.why != NULL, result == HTTP_BODY_ERROR);
		assert_int_equal(o.eof_ok, result == HTTP_BODY_DONE || framing == HTTP_BODY_CLOSE);
		if (result != HTTP_BODY_ERROR) {
			assert_streq(strbuf_str(&o.data), data);
			assert_int_equal(o.left, left);
		}
	}
	strbuf_fini(&o.data);
}

static void
test_plain(void **state)
{
	(void)state;
	check(HTTP_BODY_NONE, 0, "GET", 3, HTTP_BODY_DONE, "", 3);
	check(HTTP_BODY_NONE, 0, "", 0, HTTP_BODY_DONE, "", 0);
	check(HTTP_BODY_LENGTH, 5, "helloGET", 8, HTTP_BODY_DONE, "hello", 3);
	check(HTTP_BODY_LENGTH, 5, "hell", 4, HTTP_BODY_MORE, "hell", 0);
	check(HTTP_BODY_LENGTH, 0, "GET", 3, HTTP_BODY_DONE, "", 3);
	check(HTTP_BODY_LENGTH, 0, "", 0, HTTP_BODY_DONE, "", 0);
	check(HTTP_BODY_CLOSE, 0, "hello", 5, HTTP_BODY_MORE, "hello", 0);
	check(HTTP_BODY_CLOSE, 0, "", 0, HTTP_BODY_MORE, "", 0);
}

static void
chunked(const char *s, enum http_body_result result, const char *data, size_t left)
{
	check(HTTP_BODY_CHUNKED, 0, s, strlen(s), result, data, left);
}

static void
test_chunked(void **state)
{
	(void)state;
	chunked("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET", HTTP_BODY_DONE, "hello world", 3);
	chunked("0\r\n\r\n", HTTP_BODY_DONE, "", 0);
	chunked("000\r\n\r\n", HTTP_BODY_DONE, "", 0);
	chunked("0000000000000003\r\nabc\r\n0\r\n\r\n", HTTP_BODY_DONE, "abc", 0);
	chunked("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", HTTP_BODY_DONE,
	    "01234567890123456789", 0);
	chunked("1\r\n\r\r\n1\r\n\n\r\n0\r\n\r\n", HTTP_BODY_DONE, "\r\n", 0);
	chunked("1\r\na\r\n0\r\nVary: *\r\nX:\r\nEt-Ag: \"\xc3\xa4\"\t\r\n\r\nx", HTTP_BODY_DONE,
	    "a", 1);
	chunked("5\r\nhel", HTTP_BODY_MORE, "hel", 0);
	chunked("5\r\nhello\r\n0\r\n", HTTP_BODY_MORE, "hello", 0);
	chunked("7fffffffffffffff\r\nhello", HTTP_BODY_MORE, "hello", 0);
	chunked("", HTTP_BODY_MORE, "", 0);
}

static void
test_chunked_refused(void **state)
{
	static const char *const bad[] = {
		"0x2\r\nab\r\n", "2;a=b\r\nab\r\n", "2 \r\nab\r\n", " 2\r\nab\r\n", "\t2\r\n",
		"+2\r\n", "-2\r\n", "2_0\r\n",
		"2\nab\r\n", "2\r\r\n", "2\rab\r\n", "\r\n", ";a=b\r\n", "g\r\n", "2\r\nab0\r\n",
		"2\r\nab\n0\r\n", "2\r\nab\r0\r\n",
		"2\r\nabc\r\n", "8000000000000000\r\n", "ffffffffffffffff\r\n",
		"00000000000000001\r\n",
		"0\r\nfoo\r\n\r\n", "0\r\n foo: a\r\n\r\n", "0\r\nfoo : a\r\n\r\n",
		"0\r\nfoo: a\n\r\n", "0\r\n\n", "0\r\n\rx",
		"0\r\nfoo: a\x01\r\n\r\n", "0\r\nfoo: a\r\n b\r\n\r\n", "0\r\n: a\r\n\r\n",
		"0\r\nfoo: a\rb\r\n\r\n",
		"0\r\nGET / HTTP/1.1\r\n", "0\n\n", "0;\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		chunked(bad[i], HTTP_BODY_ERROR, NULL, 0);
	check(HTTP_BODY_CHUNKED, 0, "0\r\nf\0o: a\r\n\r\n", 13, HTTP_BODY_ERROR, NULL, 0);
	check(HTTP_BODY_CHUNKED, 0, "\0" "5\r\n", 4, HTTP_BODY_ERROR, NULL, 0);
}

static void
test_trailer_limit(void **state)
{
	struct strbuf b = STRBUF_INIT;
	struct outcome o = {0};

	(void)state;
	strbuf_puts(&b, "0\r\n");
	while (b.len < 8 * 1024)
		strbuf_puts(&b, "Name: value\r\n");
	feed(&o, HTTP_BODY_CHUNKED, 0, b.p, 8 * 1024, 0);
	assert_int_equal(o.result, HTTP_BODY_MORE);
	while (b.len < 9 * 1024)
		strbuf_puts(&b, "Name: value\r\n");
	feed(&o, HTTP_BODY_CHUNKED, 0, b.p, b.len, 0);
	assert_int_equal(o.result, HTTP_BODY_ERROR);
	assert_streq(o.why, "trailer too large");
	strbuf_fini(&b);
	strbuf_fini(&o.data);
}

/* What the encoder writes the decoder reads. */
static void
test_encoder(void **state)
{
	static const struct {
		uint64_t n;
		const char *head;
	} cases[] = {{0, "0\r\n"}, {1, "1\r\n"}, {15, "f\r\n"}, {16, "10\r\n"}, {26, "1a\r\n"},
	    {65536, "10000\r\n"},
	    {UINT64_MAX, "ffffffffffffffff\r\n"}};
	struct strbuf b = STRBUF_INIT;
	struct outcome o = {0};
	char head[20];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n = http_chunk_head(head, cases[i].n);

		assert_int_equal(n, strlen(cases[i].head));
		assert_memory_equal(head, cases[i].head, n);
	}
	for (size_t n = 1; n < 300; n += 37) {
		strbuf_add(&b, head, http_chunk_head(head, n));
		for (size_t i = 0; i < n; i++)
			strbuf_putc(&b, 'x');
		strbuf_puts(&b, "\r\n");
	}
	strbuf_puts(&b, "0\r\n\r\n");
	feed(&o, HTTP_BODY_CHUNKED, 0, b.p, b.len, b.len + 1);
	assert_int_equal(o.result, HTTP_BODY_DONE);
	assert_int_equal(o.data.len, 1 + 38 + 75 + 112 + 149 + 186 + 223 + 260 + 297);
	strbuf_fini(&b);
	strbuf_fini(&o.data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain), cmocka_unit_test(test_chunked),
		cmocka_unit_test(test_chunked_refused),
		cmocka_unit_test(test_trailer_limit), cmocka_unit_test(test_encoder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
