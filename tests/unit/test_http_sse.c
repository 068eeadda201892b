/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "http/http_sse.h"

#include "base/compat.h"

static struct strbuf seen;

static void
on_event(void *arg, const char *event, const char *id, const char *data, size_t n)
{
	assert_streq(arg, "arg");
	assert_int_equal(data[n], '\0');
	strbuf_printf(&seen, "[%s|%s|", event, id);
	strbuf_add(&seen, data, n);
	strbuf_putc(&seen, ']');
}

static void
on_comment(void *arg, const char *text, size_t n)
{
	assert_streq(arg, "arg");
	strbuf_putc(&seen, '<');
	strbuf_add(&seen, text, n);
	strbuf_putc(&seen, '>');
}

static void
feed(struct http_sse *s, const char *p, size_t n)
{
	char *copy = malloc(n == 0 ? 1 : n);

	assert_non_null(copy);
	memcpy(copy, p, n);
	http_sse_feed(s, copy, n);
	free(copy);
}

/* In one piece, cut in two at every place, and byte by byte. */
static void
check(const char *text, size_t n, size_t max, const char *want)
{
	for (size_t cut = 0; cut <= n + 1; cut++) {
		struct http_sse s;

		strbuf_clear(&seen);
		http_sse_init(&s, max, on_event, (char[]){"arg"});
		s.on_comment = on_comment;
		if (cut <= n) {
			feed(&s, text, cut);
			feed(&s, text + cut, n - cut);
		} else {
			for (size_t i = 0; i < n; i++)
				feed(&s, text + i, 1);
		}
		http_sse_fini(&s);
		assert_streq(strbuf_str(&seen), want);
	}
	strbuf_fini(&seen);
}

static void
events(const char *text, const char *want)
{
	check(text, strlen(text), 0, want);
	check(text, strlen(text), 1000, want);
}

static void
test_events(void **state)
{
	(void)state;
	events("data: hello\n\n", "[message||hello]");
	events("data: {\"a\":1}\n\ndata: [DONE]\n\n", "[message||{\"a\":1}][message||[DONE]]");
	events("event: ping\ndata: x\n\ndata: y\n\n", "[ping||x][message||y]");
	events("data: a\ndata: b\ndata:c\n\n", "[message||a\nb\nc]");
	events("id: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
	    "[message|7|a][message|7|b][message||c]");
	events("data\n\n", "[message||]");
	events("data\ndata\n\n", "[message||\n]");
	events("data:  two blanks\n\n", "[message|| two blanks]");
	events("data: a: b\n\n", "[message||a: b]");
	events("event: lonely\n\ndata: x\n\n", "[message||x]");
	events("\n\n\n", "");
	events("data: cut off\n", "");
	events("data: cut off", "");
	events("datax: 1\nretry: 5\nxdata: 2\n\n", "");
}

static void
test_line_ends(void **state)
{
	(void)state;
	events("data: a\r\n\r\n", "[message||a]");
	events("data: a\r\r", "[message||a]");
	events("data: a\r\rdata: b\n\ndata: c\r\n\r\ndata: d\r\n\n",
	    "[message||a][message||b][message||c][message||d]");
	events("data: a\r\n\rdata: b\n\r", "[message||a][message||b]");
}

static void
test_comments(void **state)
{
	(void)state;
	events(": ping\n\n:\ndata: x\n:y\n\n", "< ping><><y>[message||x]");
}

static void
test_mark(void **state)
{
	(void)state;
	events("\xef\xbb\xbf" "data: x\n\n", "[message||x]");
	events("\xef\xbb\xbf\xef\xbb\xbf" "data: x\n\ndata: y\n\n", "[message||y]");
	events("data: y\n\n\xef\xbb\xbf" "data: x\n\n", "[message||y]");
}

static void
test_nul(void **state)
{
	static const char id[] = "id: 1\ndata: a\n\nid: 2\0" "3\ndata: b\n\n";

	(void)state;
	check(id, sizeof(id) - 1, 0, "[message|1|a][message|1|b]");
}

static void
test_caps(void **state)
{
	static const char joined[] = "data: 1234\ndata: 5678\n\n"
	    "data: 1234\ndata: 56789\n\ndata: x\n\n";
	static const char lines[] = "data: 123456789\n\ndata: 1234567890\n\ndata: x\n\n"
	    "data: 1\nlong: 12345678901234567890\ndata: 2\n\ndata: y\n\n";

	(void)state;
	check(joined, sizeof(joined) - 1, 9, "[message||1234\n5678][message||x]");
	check(lines, sizeof(lines) - 1, 9, "[message||123456789][message||x][message||y]");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events), cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_comments),
		cmocka_unit_test(test_mark), cmocka_unit_test(test_nul),
		cmocka_unit_test(test_caps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
