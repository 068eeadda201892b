/* SPDX-License-Identifier: ISC
 * What filters make of a body: what goes, what comes, and that nothing else moves. */
#include "unit.h"

#include "base/json.h"
#include "base/xmalloc.h"
#include "proxy/proxy_filter.h"

/* A model whose filters are lists of words, divided by blanks; by_id in threes, set in twos. */
static struct conf_model
model(const char *strip, const char *set, const char *by_id)
{
	struct conf_model m = {.id = (char *)(uintptr_t)"m"};
	const char *const texts[] = {strip, set, by_id};
	char ***const lists[] = {&m.strip_params, &m.set_params, &m.set_params_by_id};

	for (int i = 0; i < 3; i++)
		for (const char *p = texts[i]; p != NULL && *p != '\0';) {
			size_t n = strcspn(p, " ");
			char *word = xstrndup(p, n);

			strv_add(lists[i], word);
			free(word);
			p += n + (p[n] == ' ');
		}
	strv_add(&m.aliases, "m:high");
	strv_add(&m.aliases, "other");
	return m;
}

static void
model_fini(struct conf_model *m)
{
	strv_free(&m->strip_params);
	strv_free(&m->set_params);
	strv_free(&m->set_params_by_id);
	strv_free(&m->aliases);
}

struct cases {
	const char *strip, *set, *body, *want;	/* want NULL: untouched */
};

static void
check(const struct cases *c, const char *by_id, const char *asked)
{
	struct conf_model m = model(c->strip, c->set, by_id);
	struct strbuf b = STRBUF_INIT;
	bool changed;

	strbuf_puts(&b, c->body);
	changed = proxy_filter_apply(&b, &m, asked);
	assert_streq(strbuf_str(&b), c->want != NULL ? c->want : c->body);
	assert_int_equal(b.len, strlen(strbuf_str(&b)));
	assert_int_equal(changed, c->want != NULL);
	strbuf_fini(&b);
	model_fini(&m);
}

static void
check_all(const struct cases *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check(&c[i], NULL, "m");
}

static void
test_strip(void **state)
{
	static const struct cases cases[] = {
		{"a", NULL, "{\"a\":1,\"b\":2}", "{\"b\":2}"},
		{"a", NULL, "{\"b\":2,\"a\":1}", "{\"b\":2}"},
		{"a", NULL, "{\"b\":2,\"a\":1,\"c\":3}", "{\"b\":2,\"c\":3}"},
		{"a", NULL, "{\"a\":1}", "{}"},
		{"a b", NULL, "{\"a\":1,\"b\":2}", "{}"},
		{"a b", NULL, "{\"a\":1,\"x\":[\"a\",{\"a\":1}],\"b\":2}", "{\"x\":[\"a\",{\"a\":1}]}"},
		{"a", NULL, " {\n  \"b\" : 2 ,\n  \"a\" : [1, \"}\"] ,\n  \"c\" : \"x\"\n}\n",
		    " {\n  \"b\" : 2 ,\n  \"c\" : \"x\"\n}\n"},
		{"a", NULL, " {\n  \"b\" : 2,\n  \"a\" : 1\n}\n", " {\n  \"b\" : 2\n}\n"},
		/* Several of the same name go all, whatever they hold. */
		{"a", NULL, "{\"a\":1,\"b\":2,\"a\":{\"x\":\"\\\"}\"},\"c\":\"\\\\\",\"a\":\"\"}", "{\"b\":2,\"c\":\"\\\\\"}"},
		/* Escapes hide nothing. */
		{"top_p", NULL, "{\"t\\u006fp_\\u0070\":1,\"b\":2}", "{\"b\":2}"},
		{"a\"b", NULL, "{\"a\\\"b\":1,\"c\":2}", "{\"c\":2}"},
		/* Not there, or only nearly. */
		{"a", NULL, "{\"b\":\"a\",\"A\":1,\"aa\":1,\"\":1,\"\\u0000a\":1,\"a\\u0000\":1}", NULL},
		{"a", NULL, "{}", NULL},
		{"a", NULL, "{\"x\":{\"a\":1}}", NULL},
		/* No object, or none that ends. */
		{"a", NULL, "[\"a\",1]", NULL},
		{"a", NULL, "", NULL},
		{"a", NULL, "{\"a\":1,", NULL},
		{"a", NULL, "{\"a\":1,\"b\"}", NULL},
		{"a", NULL, "{\"a\":1,\"b\":\"x}", NULL},
		{"a", NULL, "{\"a\":1 \"b\":2}", NULL},
		{"a", NULL, "{\"a\":1,\"b\":[1,2}", NULL},
	};

	(void)state;
	check_all(cases, sizeof(cases) / sizeof(cases[0]));
}

static void
test_set(void **state)
{
	static const struct cases cases[] = {
		{NULL, "a 5", "{}", "{\"a\":5}"},
		{NULL, "a 5", "{ }", "{\"a\":5 }"},
		{NULL, "a 5", "{\"b\":1}", "{\"b\":1,\"a\":5}"},
		{NULL, "a 5", "{\"a\":1,\"b\":1}", "{\"b\":1,\"a\":5}"},
		{NULL, "a 5", "{\"a\":1, \"b\":1, \"a\":2\n}", "{ \"b\":1,\"a\":5\n}"},
		{NULL, "a 5", "{\"\\u0061\":1}", "{\"a\":5}"},
		{NULL, "a 0.7 b true c null d \"x\" e {\"f\":[1]}", "{\"m\":1}",
		    "{\"m\":1,\"a\":0.7,\"b\":true,\"c\":null,\"d\":\"x\",\"e\":{\"f\":[1]}}"},
		{NULL, "a\"b 1", "{}", "{\"a\\\"b\":1}"},
		/* What is taken out first may be set again. */
		{"a", "a 5", "{\"a\":1}", "{\"a\":5}"},
		/* Only where it is missing: null, 0 and false are there. */
		{NULL, "a? 5", "{}", "{\"a\":5}"},
		{NULL, "a? 5", "{\"a\":null}", NULL},
		{NULL, "a? 5", "{\"a\":0,\"a\":1}", NULL},
		{"a", "a? 5", "{\"a\":1}", "{\"a\":5}"},
		{NULL, "a? 5 b 6", "{\"a\":1}", "{\"a\":1,\"b\":6}"},
		{NULL, "a 5", "{\"a\":1", NULL},
		{NULL, "a 5", "7", NULL},
	};

	(void)state;
	check_all(cases, sizeof(cases) / sizeof(cases[0]));
}

static void
test_paths(void **state)
{
	static const struct cases cases[] = {
		{NULL, "k.t false", "{}", "{\"k\":{\"t\":false}}"},
		{NULL, "k.t.u 1", "{\"k\":{\"a\":1}}", "{\"k\":{\"a\":1,\"t\":{\"u\":1}}}"},
		{NULL, "k.t 1", "{\"k\":{\"t\":0,\"a\":1},\"z\":1}", "{\"z\":1,\"k\":{\"a\":1,\"t\":1}}"},
		{NULL, "k.t 1", "{\"k\":\"text\"}", "{\"k\":{\"t\":1}}"},
		{NULL, "k.t 1", "{\"k\":null}", "{\"k\":{\"t\":1}}"},
		{NULL, "k.t 1", "{\"k\":[{\"t\":0}]}", NULL},
		{NULL, "k.0 1", "{\"k\":[0]}", NULL},
		{NULL, "k {\"x\":1} k.t 1", "{\"k\":2}", "{\"k\":{\"x\":1,\"t\":1}}"},
		{NULL, "k.a 1 k.b 2", "{}", "{\"k\":{\"a\":1,\"b\":2}}"},
		{NULL, "k.t? 1", "{\"k\":{\"t\":0}}", NULL},
		{NULL, "k.t? 1", "{\"k\":{\"u\":0}}", "{\"k\":{\"u\":0,\"t\":1}}"},
		{"k.t", NULL, "{\"k\":{\"t\":0,\"u\":1}}", "{\"k\":{\"u\":1}}"},
		{"k.t", NULL, "{\"k\":{\"u\":1}}", NULL},
		{"k.t", NULL, "{\"k\":5}", NULL},
		{"k.t", NULL, "{\"z\":5}", NULL},
		{"k.t", "k.v 1", "{\"k\":{\"t\":0}}", "{\"k\":{\"v\":1}}"},
		{"k\\.t", NULL, "{\"k\":{\"t\":0},\"k.t\":1}", "{\"k\":{\"t\":0}}"},
		/* What is no JSON inside stays, or what follows would be read as something else. */
		{"k.a", NULL, "{\"k\":{\"a\":x\"y,\"b\":z\"w},\"c\":1}", NULL},
		{"k.a", NULL, "{\"k\":{\"a\":1,\"b\"},\"c\":1}", NULL},
		{NULL, "k.a 1", "{\"k\":{\"a\":0]},\"c\":1}", NULL},
		/* Of several objects the last one counts, and the others do not stay beside it. */
		{NULL, "k.t 1", "{\"k\":{\"a\":1},\"k\":{\"b\":2}}", "{\"k\":{\"b\":2,\"t\":1}}"},
		{"k.t", NULL, "{\"k\":{\"t\":1},\"k\":{\"b\":2}}", "{\"k\":{\"b\":2}}"},
	};

	(void)state;
	check_all(cases, sizeof(cases) / sizeof(cases[0]));
}

static void
test_by_id(void **state)
{
	static const char by_id[] = "m a 1 m:high a 2 m:high b? 3";
	const struct cases plain = {NULL, "a 9", "{\"z\":0}", "{\"z\":0,\"a\":1}"};
	const struct cases high = {NULL, "a 9", "{\"a\":0}", "{\"a\":2,\"b\":3}"};
	const struct cases none = {NULL, "a 9", "{}", "{\"a\":9}"};
	const struct cases alone = {NULL, NULL, "{\"a\":0}", NULL};

	(void)state;
	check(&plain, by_id, "m");
	check(&high, by_id, "m:high");
	check(&none, by_id, "other");
	check(&alone, by_id, "other");
	/* A name that leads here otherwise (fallbackModel) is asked as the model itself. */
	check(&plain, by_id, "gpt-9");
}

static void
test_has(void **state)
{
	struct conf_model m = model(NULL, NULL, NULL);

	(void)state;
	assert_false(proxy_filter_has(&m));
	model_fini(&m);
	m = model(NULL, NULL, "x a 1");
	assert_true(proxy_filter_has(&m));
	model_fini(&m);
}

/* The client's limit is not for what is added, and stays for what comes later. */
static void
test_limit(void **state)
{
	char set[512], want[512];
	struct strbuf b = {.max = 8};
	struct conf_model m;

	(void)state;
	snprintf(set, sizeof(set), "a \"%0400d\"", 7);
	snprintf(want, sizeof(want), "{\"b\":12,\"a\":%s}", set + 2);
	m = model(NULL, set, NULL);
	strbuf_puts(&b, "{\"b\":12}");
	assert_true(proxy_filter_apply(&b, &m, "m"));
	assert_true(b.cap > b.len);
	assert_streq(b.p, want);
	assert_int_equal(b.max, 8);
	strbuf_fini(&b);
	model_fini(&m);
}

/* 32 MiB that consist of nothing but what has to go: what is remembered of it does not grow with it. The longest name, and
 * one that is too long to be held. */
static void
test_large(void **state)
{
	static const char unit[] = "\"a\":1,\"b\":{\"c\":2},";
	struct conf_model m = model("a", "b.c 3", NULL);
	struct strbuf b = STRBUF_INIT;

	(void)state;
	strbuf_putc(&b, '{');
	while (b.len < (32u << 20))
		strbuf_add(&b, unit, sizeof(unit) - 1);
	strbuf_puts(&b, "\"z\":0}");
	assert_true(proxy_filter_apply(&b, &m, "m"));
	assert_streq(b.p, "{\"z\":0,\"b\":{\"c\":3}}");
	strbuf_clear(&b);
	strbuf_puts(&b, "{\"\\u0061");
	while (b.len < 4096)
		strbuf_putc(&b, 'x');
	strbuf_puts(&b, "\":1}");
	assert_true(proxy_filter_apply(&b, &m, "m"));
	assert_non_null(strstr(b.p, "x\":1,\"b\":{\"c\":3}}"));
	strbuf_fini(&b);
	model_fini(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strip),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_by_id),
		cmocka_unit_test(test_has),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
