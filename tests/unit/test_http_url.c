/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "http/http_url.h"

#include "base/compat.h"

static struct http_str
str(const char *z)
{
	return (struct http_str){z, strlen(z)};
}

static void
test_split(void **state)
{
	static const struct {
		const char *target, *path, *query;
	} cases[] = {
		{"/", "/", ""}, {"/v1/models?x=1&y", "/v1/models", "x=1&y"}, {"/a?", "/a", ""},
		{"/a?b?c/../d//", "/a", "b?c/../d//"},
		{"http://h:1/a?b", "/a", "b"}, {"HTTPS://h", "/", ""}, {"http://h?x=/", "/", "x=/"},
		{"/%41%c3%a9", "/%41%c3%a9", ""},
		{"/a/", "/a/", ""}, {"/.../..a/a..", "/.../..a/a..", ""},
		{"/.well-known/x", "/.well-known/x", ""},
	};
	struct http_url u;
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (http_url_parse(str(cases[i].target), &u, &why) != 0)
			fail_msg("%s: %s", cases[i].target, why);
		assert_true(http_str_eq(u.path, cases[i].path));
		assert_true(http_str_eq(u.query, cases[i].query));
	}
}

static void
test_refused(void **state)
{
	static const char *const bad[] = {
		"", "*", "a", "a/b", "http://", "http:///x", "http:/x", "ftp://a/", "a:443",
		"/a%2fb", "/a%2Fb", "/a%5cb", "/a\\b", "/a%00b", "/a%0ab", "/a%7fb", "/%", "/%4",
		"/%4g", "/%zz",
		"/.", "/..", "/./a", "/../a", "/a/.", "/a/..", "/a/../b", "/%2e", "/%2e%2E/a",
		"/.%2e/a", "/a/%2e/b",
		"//", "//a", "/a//b", "/a//", "/a b", "/a\tb", "/\xc3\xa9", "/a#b", "/a?b#c",
		"/a?b c", "/a?\x7f",
		"http://h/../x", "http://h//x",
	};
	struct http_url u;
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		/* Memory that ends where the target does. */
		char *copy = malloc(strlen(bad[i]) == 0 ? 1 : strlen(bad[i]));
		int rc;

		assert_non_null(copy);
		memcpy(copy, bad[i], strlen(bad[i]));
		why = NULL;
		rc = http_url_parse((struct http_str){copy, strlen(bad[i])}, &u, &why);
		free(copy);
		if (rc != -1)
			print_error("accepted: %s\n", bad[i]);
		assert_int_equal(rc, -1);
		assert_non_null(why);
	}
}

static void
test_decode(void **state)
{
	char out[8];

	(void)state;
	assert_int_equal(http_url_decode(str("a%20b+c"), false, out, sizeof(out)), 0);
	assert_streq(out, "a b+c");
	assert_int_equal(http_url_decode(str("a%2Bb+c"), true, out, sizeof(out)), 0);
	assert_streq(out, "a+b c");
	assert_int_equal(http_url_decode(str(""), true, out, sizeof(out)), 0);
	assert_streq(out, "");
	assert_int_equal(http_url_decode(str("1234567"), false, out, sizeof(out)), 0);
	assert_int_equal(http_url_decode(str("12345678"), false, out, sizeof(out)), -1);
	assert_int_equal(http_url_decode(str("%00"), false, out, sizeof(out)), -1);
	assert_int_equal(http_url_decode(str("%4"), false, out, sizeof(out)), -1);
	assert_int_equal(http_url_decode(str("%x1"), false, out, sizeof(out)), -1);
	assert_int_equal(http_url_decode(str(""), false, out, 0), -1);
}

static void
test_param(void **state)
{
	char out[16];

	(void)state;
	assert_int_equal(http_url_param(str("a=1&model=x%2Fy&model=z"), "model", out, sizeof(out)),
	    1);
	assert_streq(out, "x/y");
	assert_int_equal(http_url_param(str("a&b=&c=d=e"), "a", out, sizeof(out)), 1);
	assert_streq(out, "");
	assert_int_equal(http_url_param(str("a&b=&c=d=e"), "b", out, sizeof(out)), 1);
	assert_streq(out, "");
	assert_int_equal(http_url_param(str("a&b=&c=d=e"), "c", out, sizeof(out)), 1);
	assert_streq(out, "d=e");
	assert_int_equal(http_url_param(str("m%6fdel=x"), "model", out, sizeof(out)), 1);
	assert_int_equal(http_url_param(str("xmodel=1&modelx=2&&"), "model", out, sizeof(out)), 0);
	assert_int_equal(http_url_param(str(""), "model", out, sizeof(out)), 0);
	assert_int_equal(http_url_param(str("%zz=1&model=%zz"), "model", out, sizeof(out)), -1);
	assert_int_equal(http_url_param(str("model=12345678901234567"), "model", out, sizeof(out)),
	    -1);
}

static void
test_host(void **state)
{
	static const struct {
		const char *host, *name;
		int port;
	} good[] = {
		{"localhost", "localhost", 0}, {"LocalHost:8081", "localhost", 8081},
		{"127.0.0.1:0", "127.0.0.1", 0},
		{"[::1]", "::1", 0}, {"[FE80::A]:65535", "fe80::a", 65535},
		{"a.b-c_d~e", "a.b-c_d~e", 0}, {"a:", "a", 0},
		{"0.0.0.0=5000", "0.0.0.0=5000", 0},
		{"[::ffff:127.0.0.1]:1", "::ffff:127.0.0.1", 1},
	};
	static const char *const bad[] = {
		"", ":80", "a:b", "a:65536", "a:123456", "a:1:2", "a b", "a/b", "a?b", "a@b", "a#b",
		"a%41", "[", "[]", "[::1",
		"[::1]x", "[::1]:x", "[::1%25lo]", "[1.2.3.4]", "[v1.a]", "::1", "a\\b", "a\"",
		"a<b", "\xc3\xa9", "a\tb", "a:-1", "a:+1",
		"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]",
	};
	char out[256], big[300];
	int port;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		port = -1;
		assert_int_equal(http_host_parse(str(good[i].host), out, sizeof(out), &port), 0);
		assert_streq(out, good[i].name);
		assert_int_equal(port, good[i].port);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (http_host_parse(str(bad[i]), out, sizeof(out), &port) != -1)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(http_host_parse(str(bad[i]), NULL, 0, &port), -1);
	}
	assert_int_equal(http_host_parse((struct http_str){"a\0b", 3}, out, sizeof(out), &port),
	    -1);
	assert_int_equal(http_host_parse((struct http_str){"[::1\0]", 6}, out, sizeof(out), &port),
	    -1);
	assert_int_equal(http_host_parse(str("localhost"), out, 9, &port), -1);
	memset(big, 'a', sizeof(big));
	assert_int_equal(http_host_parse((struct http_str){big, 255}, out, sizeof(out), &port), 0);
	assert_int_equal(http_host_parse((struct http_str){big, 256}, out, sizeof(out), &port), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_param), cmocka_unit_test(test_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
