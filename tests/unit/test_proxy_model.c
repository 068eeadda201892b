/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "proxy/proxy_model.h"
#include "proxy/proxy_rewrite.h"

/* Scans whole, and at every split; all must agree. 1 with the name, 0 none, -1 refused. */
static int
model_of(const char *json, char *out)
{
	size_t n = strlen(json);
	int first = 0;

	for (size_t split = 0; split <= n; split++) {
		struct proxy_scan s = {0};
		char name[PROXY_MODEL_MAX] = "";
		int rc;

		proxy_scan(&s, json, split);
		proxy_scan(&s, json, n);
		rc = proxy_scan_end(&s) ? proxy_scan_model(&s, json, name, sizeof(name)) : -1;
		if (rc < 0)
			assert_non_null(s.error);
		if (split == 0) {
			first = rc;
			snprintf(out, PROXY_MODEL_MAX, "%s", name);
		}
		assert_int_equal(rc, first);
		assert_streq(name, out);
	}
	return first;
}

static void
test_found(void **state)
{
	static const struct {
		const char *json, *name;
	} cases[] = {
		{"{\"model\":\"a\"}", "a"},
		{" \r\n\t{ \"model\" : \"a/b:c\" , \"x\":1 } \n", "a/b:c"},
		{"{\"messages\":[{\"model\":\"no\",\"c\":\"}]\\\"\\\\\"}],\"model\":\"yes\"}", "yes"},
		{"{\"x\":{\"model\":\"no\"},\"model\":\"yes\",\"y\":null}", "yes"},
		{"{\"x\":\"\\\\\",\"model\":\"yes\"}", "yes"},
		{"{\"x\":\"model\",\"y\":-1.5e3,\"model\":\"yes\"}", "yes"},
		{"{\"mod\\u0065l\":\"\\u0061\\n\\ud83d\\ude00\"}", "a\n\xf0\x9f\x98\x80"},
		{"{\"model\":\"\"}", ""},
	};
	char out[PROXY_MODEL_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(model_of(cases[i].json, out), 1);
		assert_streq(out, cases[i].name);
	}
	assert_int_equal(model_of("{}", out), 0);
	assert_int_equal(model_of("{\"model\":null}", out), 0);
	assert_int_equal(model_of("{\"models\":\"x\",\"mode\":\"y\"}", out), 0);
}

static void
test_refused(void **state)
{
	static const char *const bad[] = {
		"", " ", "[]", "\"model\"", "{", "{\"model\"", "{\"model\":", "{\"model\":\"a", "{\"model\":\"a\"",
		"{\"model\":\"a\",}", "{,}", "{\"model\" \"a\"}", "{\"model\":}", "{\"model\":1}", "{\"model\":{}}",
		"{\"model\":\"a\",\"model\":\"b\"}", "{\"model\":\"a\",\"mode\\u006c\":\"b\"}", "{\"x\":[}]}",
		"{\"x\":1}}", "{\"x\":1} x", "{\"model\":\"\\x\"}", "{\"model\":\"\\ud800\"}", "{\"model\":\"\\u0000\"}",
		"{\"a\":1 \"b\":2}", "{\"model\":\"a\nb\"}", "{\"model\":\"x\\",
	};
	char out[PROXY_MODEL_MAX], deep[400] = "{\"x\":";

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(model_of(bad[i], out), -1);
	memset(deep + 5, '[', 100);
	memset(deep + 105, ']', 100);
	memcpy(deep + 205, "}", 2);
	assert_int_equal(model_of(deep, out), -1);
	/* As deep as allowed. */
	memset(deep + 5, '[', 63);
	memset(deep + 68, ']', 63);
	memcpy(deep + 131, "}", 2);
	assert_int_equal(model_of(deep, out), 0);
	/* A name too long to be one. */
	memcpy(deep, "{\"model\":\"", 11);
	memset(deep + 10, 'm', 300);
	memcpy(deep + 310, "\"}", 3);
	assert_int_equal(model_of(deep, out), -1);
}

/* Each byte is looked at once, however many pieces a body comes in: what was seen may be anything afterwards. */
static void
test_one_scan(void **state)
{
	static const size_t steps[] = {1, 7, 4096};
	const size_t size = 1 << 20;
	char *body = malloc(size), name[PROXY_MODEL_MAX];

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
		struct proxy_scan s = {0};
		size_t head = (size_t)snprintf(body, size, "{\"model\":\"a/b\",\"pad\":\"");

		memset(body + head, 'y', size - head - 2);
		memcpy(body + size - 2, "\"}", 2);
		for (size_t n = steps[k]; n < size; n += steps[k]) {
			proxy_scan(&s, body, n);
			if (n > head)
				memset(body + head, '"', n - head);
		}
		proxy_scan(&s, body, size);
		assert_true(proxy_scan_end(&s));
		assert_int_equal(proxy_scan_model(&s, body, name, sizeof(name)), 1);
		assert_streq(name, "a/b");
	}
	free(body);
}

static void
edits(const char *json, const char *model, bool drop, bool defaults, const char *want)
{
	struct strbuf b = STRBUF_INIT;
	struct proxy_scan s = {0};
	const struct proxy_edit e = {model, drop, defaults};

	strbuf_puts(&b, json);
	proxy_scan(&s, b.p, b.len);
	assert_true(proxy_scan_end(&s));
	assert_int_equal(proxy_body_edit(&b, &s, &e), strcmp(json, want) != 0);
	assert_streq(b.p, want);
	assert_int_equal(b.len, strlen(want));
	strbuf_fini(&b);
}

static void
test_edit(void **state)
{
	(void)state;
	edits("{\"model\":\"a\"}", NULL, true, false, "{\"model\":\"a\"}");
	edits("{\"model\": \"a\" }", "\"longer\"", true, false, "{\"model\": \"longer\" }");
	edits("{\"x\":1,\"model\":\"much longer\",\"y\":2}", "\"s\"", true, false, "{\"x\":1,\"model\":\"s\",\"y\":2}");
	edits("{\"x\":1}", "\"s\"", true, false, "{\"model\":\"s\",\"x\":1}");
	edits("{ }", "\"s\"", true, false, "{\"model\":\"s\" }");
	edits("{\"model\":null}", "\"s\"", true, false, "{\"model\":\"s\"}");
	edits("{\"model\":null}", NULL, true, false, "{}");
	edits("{\"model\":null,\"x\":1}", NULL, true, false, "{\"x\":1}");
	edits("{\"x\":1, \"model\" : null}", NULL, true, false, "{\"x\":1}");
	edits("{\"x\":1,\"model\":null,\"y\":2}", NULL, true, false, "{\"x\":1,\"y\":2}");
	edits("{\"model\":null}", NULL, false, false, "{\"model\":null}");
	edits("{}", NULL, true, true, "{\"max_tokens\":2048,\"temperature\":0.7,\"top_p\":1.0}");
	edits("{\"model\":null}", NULL, true, true, "{\"max_tokens\":2048,\"temperature\":0.7,\"top_p\":1.0}");
	edits("{\"top_p\":0.5,\"model\":\"a\"}", "\"bcd\"", true, true,
	    "{\"max_tokens\":2048,\"temperature\":0.7,\"top_p\":0.5,\"model\":\"bcd\"}");
	edits("{\"max_tokens\":1,\"temperature\":0,\"top_p\":1}", NULL, true, true,
	    "{\"max_tokens\":1,\"temperature\":0,\"top_p\":1}");
}

static void
test_multipart(void **state)
{
	static const char form[] = "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"model\"\r\n\r\n"
	    "name=\"model\"\r\n--XY\r\n\r\n--XX\r\ncontent-disposition: form-data; name=\"model\"\r\nX: y\r\n\r\nwhisper\r\n"
	    "--XX--\r\n";
	size_t at = 0, len = 0;

	(void)state;
	assert_int_equal(proxy_multipart_model(form, sizeof(form) - 1, "XX", 2, &at, &len), 1);
	assert_int_equal(len, 7);
	assert_memory_equal(form + at, "whisper", 7);
	/* Cut anywhere it finds it or not, but never reads beyond. */
	for (size_t n = 0; n < sizeof(form) - 1; n++) {
		char *copy = malloc(n + 1);

		memcpy(copy, form, n);
		proxy_multipart_model(copy, n, "XX", 2, &at, &len);
		free(copy);
	}
	assert_int_equal(proxy_multipart_model(form, sizeof(form) - 1, "ZZ", 2, &at, &len), 0);
	assert_int_equal(proxy_multipart_model(form, sizeof(form) - 1, NULL, 0, &at, &len), 0);
}

static void
collect(void *arg, const char *p, size_t n)
{
	strbuf_add(arg, p, n);
}

static void
test_rewrite(void **state)
{
	static const char in[] = "data: {\"id\":\"model\",\"model\":\"/a/b\\\"c.gguf\",\"c\":\"\\\"model\\\":\\\"up\\\"\"}\n\n"
	    "data: {\"model\": \"up\"}\n\n{\"model\":null}{\"model\":{}}{\"model\":\"my/name\"}{\"model\":\"\"}\"mod";
	static const char want[] = "data: {\"id\":\"model\",\"model\":\"my/name\",\"c\":\"\\\"model\\\":\\\"up\\\"\"}\n\n"
	    "data: {\"model\": \"my/name\"}\n\n{\"model\":null}{\"model\":{}}{\"model\":\"my/name\"}{\"model\":\"my/name\"}\"mod";
	size_t n = sizeof(in) - 1;

	(void)state;
	for (size_t i = 0; i <= n; i++) {
		for (size_t j = i; j <= n; j += 3) {
			struct strbuf out = STRBUF_INIT;
			struct proxy_rewrite w;

			proxy_rewrite_init(&w, "my/name", collect, &out);
			proxy_rewrite_feed(&w, in, i);
			proxy_rewrite_feed(&w, in + i, j - i);
			/* An event that is whole is not held back. */
			if (j > 1 && in[j - 1] == '\n')
				assert_int_equal(w.held.len, 0);
			proxy_rewrite_feed(&w, in + j, n - j);
			proxy_rewrite_end(&w);
			assert_streq(out.p, want);
			assert_true(proxy_rewrite_same(&w, want, sizeof(want) - 1));
			assert_false(proxy_rewrite_same(&w, in, n));
			proxy_rewrite_fini(&w);
			strbuf_fini(&out);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found), cmocka_unit_test(test_refused), cmocka_unit_test(test_one_scan), cmocka_unit_test(test_edit),
		cmocka_unit_test(test_multipart), cmocka_unit_test(test_rewrite),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
