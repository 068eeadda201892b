/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "http/http_msg.h"

#include "base/compat.h"

static struct http_str
str(const char *z)
{
	return (struct http_str){z, strlen(z)};
}

static void
add(struct http_head *h, const char *name, const char *value)
{
	h->fields[h->nfields++] = (struct http_field){str(name), str(value)};
}

static void
test_strings(void **state)
{
	(void)state;
	assert_true(http_str_eq(str("abc"), "abc"));
	assert_false(http_str_eq(str("abc"), "abC"));
	assert_false(http_str_eq(str("ab"), "abc"));
	assert_false(http_str_eq(str("abc"), "ab"));
	assert_true(http_str_ieq(str("Content-LENGTH"), "content-length"));
	assert_false(http_str_ieq(str("content-lengt"), "content-length"));
	/* Only letters have a case. */
	assert_false(http_str_ieq(str("a@b[c"), "a`b{c"));
	assert_false(http_str_ieq(str("\xc9"), "\xe9"));
	assert_true(http_str_eq((struct http_str){NULL, 0}, ""));
	assert_true(http_str_ieq((struct http_str){NULL, 0}, ""));
}

static void
test_lookup(void **state)
{
	static struct http_head h;

	(void)state;
	h.nfields = 0;
	add(&h, "Connection", "Keep-Alive, X-Foo");
	add(&h, "connection", ",, \t x-bar\t ,");
	add(&h, "X-Foo", "1");
	add(&h, "X-Bar", "2");
	add(&h, "X-Baz", "3");
	assert_ptr_equal(http_field_find(&h, "x-bar"), &h.fields[3]);
	assert_ptr_equal(http_field_find(&h, "CONNECTION"), &h.fields[0]);
	assert_null(http_field_find(&h, "x-ba"));
	assert_true(http_list_has(http_field_find(&h, "Connection")->value, "x-foo"));
	assert_true(http_list_has(h.fields[1].value, "X-BAR"));
	assert_false(http_list_has(h.fields[1].value, "x-ba"));
	assert_false(http_list_has(h.fields[1].value, ""));
}

static void
test_hop_by_hop(void **state)
{
	static const char *const hop[] = {"Connection", "keep-alive", "TE", "Trailer",
	    "Transfer-Encoding", "Upgrade",
	    "Proxy-Connection", "Proxy-Authorization", "HTTP2-Settings", "X-Foo"};
	static const char *const end[] = {"Content-Length", "Content-Type", "Authorization",
	    "X-Foo2", "Proxy-", "T"};
	static struct http_head h;

	(void)state;
	h.nfields = 0;
	add(&h, "Connection", "x-foo");
	for (size_t i = 0; i < ARRAY_LEN(hop); i++)
		assert_true(http_field_hop_by_hop(&h, &(struct http_field){str(hop[i]), str("")}));
	for (size_t i = 0; i < ARRAY_LEN(end); i++)
		assert_false(http_field_hop_by_hop(&h, &(struct http_field){str(end[i]), str("")}));
}

static void
test_put(void **state)
{
	struct strbuf b = STRBUF_INIT;

	(void)state;
	http_put_status(&b, 200);
	http_put_field(&b, "A", "b");
	http_put_field(&b, "Empty", "");
	http_put_fieldn(&b, (struct http_str){"Xyz", 1}, (struct http_str){"123", 2});
	http_put_end(&b);
	assert_streq(b.p, "HTTP/1.1 200 OK\r\nA: b\r\nEmpty: \r\nX: 12\r\n\r\n");
	strbuf_clear(&b);
	http_put_request(&b, "POST", 4, "/a?b", 4);
	assert_streq(b.p, "POST /a?b HTTP/1.1\r\n");
	strbuf_clear(&b);
	http_put_status(&b, 599);
	assert_streq(b.p, "HTTP/1.1 599 \r\n");
	strbuf_fini(&b);
}

static void
test_put_injects_nothing(void **state)
{
	struct strbuf b = STRBUF_INIT;

	(void)state;
	http_put_field(&b, "A", "b\r\nC: d");
	http_put_field(&b, "A", "b\nC: d");
	http_put_field(&b, "A", "b\r");
	http_put_field(&b, "A\r\nB", "c");
	http_put_field(&b, "A B", "c");
	http_put_field(&b, "A:B", "c");
	http_put_field(&b, "", "c");
	http_put_fieldn(&b, str("A"), (struct http_str){"b\0c", 3});
	http_put_request(&b, "GET", 3, "/ HTTP/1.1\r\nA: b", 16);
	http_put_request(&b, "GET /", 5, "/", 1);
	assert_int_equal(b.len, 0);
	strbuf_fini(&b);
}

static void
test_reasons(void **state)
{
	(void)state;
	assert_streq(http_reason(503), "Service Unavailable");
	assert_streq(http_reason(431), "Request Header Fields Too Large");
	assert_streq(http_reason(999), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings), cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_hop_by_hop),
		cmocka_unit_test(test_put), cmocka_unit_test(test_put_injects_nothing),
		cmocka_unit_test(test_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
