/* SPDX-License-Identifier: ISC
 * The tap: streams as real engines wrote them, cut at every place, and what they do not show. */
#include "unit.h"

#include <math.h>

#include "base/compat.h"
#include "proxy/proxy_usage.h"

static char text[65536];
static size_t ntext;

/* A recording; they are the fuzz target's corpus, too. */
static void
load(const char *name)
{
	const char *src = getenv("srcdir");
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/proxy_usage/%s", src != NULL ? src : "..", name);
	f = fopen(path, "rb");
	assert_non_null(f);
	ntext = fread(text, 1, sizeof(text), f);
	assert_true(ntext > 0 && ntext < sizeof(text));
	fclose(f);
}

static void
feed(struct proxy_usage *u, const char *s)
{
	proxy_usage_feed(u, s, strlen(s));
}

struct want {
	const char *name;
	bool sse;
	enum proxy_ends ends;
	uint64_t events;
	int64_t in, out, cached, prompt_done, prompt_total;
	double rate;
	bool finished;		/* its choices had a reason, each */
};

static const struct want recorded[] = {
	{"chat-llama", true, ENDS_DONE, 6, 33, 6, 0, -1, -1, 105.6970721911003, true},
	{"chat-llama-progress", true, ENDS_DONE, 4, 631, 4, 0, 631, 631, 124.04382881951624, true},
	{"text-llama", true, ENDS_DONE, 6, 1, 6, 0, -1, -1, 185.6596, true},
	{"chat-mlx", true, ENDS_DONE, 4, 33, 4, 0, 33, 33, -1, true},
	{"chat-mlx-long", true, ENDS_DONE, 3, 2410, 3, -1, 2410, 2410, -1, true},
	{"messages-llama", true, ENDS_MESSAGE, 6, 33, 6, 32, -1, -1, -1, false},
	{"responses-llama", true, ENDS_RESPONSE, 6, 33, 6, 32, -1, -1, 180.13474078610798, false},
	{"native-llama", true, ENDS_STOP, 6, 1, 6, 0, -1, -1, 171.12738722705183, false},
	{"chat-llama-json", false, ENDS_DONE, 0, 33, 6, 32, -1, -1, 186.9158878504673, false},
	{"messages-llama-json", false, ENDS_MESSAGE, 0, 33, 6, 32, -1, -1, -1, false},
};

static void
check(const struct proxy_usage *u, const struct want *w)
{
	assert_int_equal(u->events, w->events);
	assert_int_equal(proxy_usage_in(u), w->in);
	assert_int_equal(proxy_usage_out(u), w->out);
	assert_int_equal(proxy_usage_cached(u), w->cached);
	assert_int_equal(u->prompt_done, w->prompt_done);
	assert_int_equal(u->prompt_total, w->prompt_total);
	assert_true(fabs(u->rate - w->rate) < 1e-4);
	assert_false(u->error);
	if (!w->sse)
		return;
	assert_true(u->done && u->real && u->began);
	assert_true(proxy_usage_between(u));
	assert_true(proxy_usage_ended(u, false));
	assert_int_equal(u->seen != 0 && u->seen == u->finished, w->finished);
}

static void
test_recorded(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(recorded); k++) {
		const struct want *w = &recorded[k];

		load(w->name);
		for (size_t i = 0; i <= ntext; i++) {
			struct proxy_usage u;

			proxy_usage_init(&u, w->sse, w->ends);
			proxy_usage_feed(&u, text, i);
			proxy_usage_feed(&u, text + i, ntext - i);
			proxy_usage_end(&u);
			check(&u, w);
			proxy_usage_fini(&u);
		}
	}
}

/* Byte by byte: it is whole from the line that says so on, and not before. */
static void
test_recorded_cut(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(recorded); k++) {
		const struct want *w = &recorded[k];
		struct proxy_usage u;
		size_t end = 0;

		if (!w->sse)
			continue;
		load(w->name);
		proxy_usage_init(&u, true, w->ends);
		for (size_t i = 0; i < ntext; i++) {
			assert_int_equal(proxy_usage_ended(&u, false), end != 0);
			proxy_usage_feed(&u, text + i, 1);
			if (end == 0 && u.done)
				end = i + 1;
		}
		/* Only line ends follow. */
		assert_true(end != 0);
		for (size_t i = end; i < ntext; i++)
			assert_true(text[i] == '\n');
		check(&u, w);
		proxy_usage_fini(&u);
	}
}

struct piece {
	enum proxy_ends ends;
	bool framed, ended;
	const char *text;
};

static void
test_ends(void **state)
{
#define CHOICE(i, r) "data: {\"choices\":[{\"index\":" #i ",\"delta\":{\"content\":\"x\"},\"finish_reason\":" r "}]}\n\n"
#define LLAMA(i, r) "data: {\"choices\":[{\"finish_reason\":" r ",\"index\":" #i ",\"delta\":{}}]}\n\n"
	static const struct piece cases[] = {
		{ENDS_DONE, false, true, "data: [DONE]\n\n"},
		{ENDS_DONE, false, true, "data:[DONE]\r\n\r\n"},
		{ENDS_DONE, true, false, ""},
		{ENDS_DONE, true, false, CHOICE(0, "null")},
		{ENDS_DONE, true, true, CHOICE(0, "null") CHOICE(0, "\"stop\"")},
		{ENDS_DONE, false, false, CHOICE(0, "null") CHOICE(0, "\"stop\"")},
		{ENDS_DONE, true, false, CHOICE(0, "null") CHOICE(1, "null") CHOICE(0, "\"stop\"")},
		{ENDS_DONE, true, true, CHOICE(0, "null") CHOICE(1, "null") CHOICE(1, " \"length\"") CHOICE(0, "\"stop\"")},
		{ENDS_DONE, true, false, CHOICE(0, "\"\"")},
		{ENDS_DONE, true, false, CHOICE(64, "\"stop\"") CHOICE(0, "\"stop\"")},
		{ENDS_DONE, true, true, LLAMA(0, "null") LLAMA(1, "\"stop\"") LLAMA(0, "\"stop\"")},
		{ENDS_DONE, true, false, LLAMA(0, "null") LLAMA(1, "\"stop\"")},
		/* The calls of tools have numbers of their own. */
		{ENDS_DONE, true, true, "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":3,\"function\":{}}]},"
		    "\"finish_reason\":null}]}\n\n" CHOICE(0, "\"tool_calls\"")},
		{ENDS_DONE, true, true, "data: {\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":3"
		    "}]}}]}\n\n" LLAMA(0, "\"tool_calls\"")},
		/* What a model says is no end. */
		{ENDS_DONE, true, false, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\\"finish_reason\\\":\\\"stop\\\"\"}}]}\n\n"},
		{ENDS_DONE, true, false, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"},
		{ENDS_MESSAGE, false, true, "event: message_stop\ndata: {}\n\n"},
		{ENDS_MESSAGE, false, true, "data: {\"type\": \"message_stop\"}\n\n"},
		{ENDS_MESSAGE, true, false, "event: message_stop\n"},
		{ENDS_MESSAGE, true, false, "event: message_stop\n\ndata: {}\n\n"},
		{ENDS_MESSAGE, true, false, "event: message_delta\ndata: {\"type\":\"message_delta\"}\n\n"},
		{ENDS_MESSAGE, true, false, "data: {\"type\":\"x\",\"metadata\":{\"type\":\"message_stop\"}}\n\n"},
		{ENDS_MESSAGE, true, false, "data: [DONE]\n\n"},
		{ENDS_RESPONSE, false, true, "data: {\"type\":\"response.completed\",\"response\":{}}\n\n"},
		{ENDS_RESPONSE, false, true, "event: response.incomplete\ndata: {\"response\":{\"type\":\"x\"}}\n\n"},
		{ENDS_RESPONSE, false, true, "event: response.failed\ndata: {}\n\n"},
		{ENDS_RESPONSE, true, false, "event: response.in_progress\ndata: {\"type\":\"response.in_progress\",\"response\":"
		    "{\"metadata\":{\"type\":\"response.completed\"}}}\n\n"},
		{ENDS_STOP, false, true, "data: {\"content\":\"\",\"stop\":true}\n\n"},
		{ENDS_STOP, true, false, "data: {\"content\":\"x\",\"stop\":false,\"generation_settings\":{\"stop\":[]}}\n\n"},
		{ENDS_STOP, true, false, "data: [DONE]\n\n"},
		{ENDS_FRAMING, true, true, "data: x\n\n"},
		{ENDS_FRAMING, false, false, "data: x\n\n"},
		{ENDS_FRAMING, false, true, "data: x\n\ndata: [DONE]\n\n"},
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
		const struct piece *c = &cases[k];
		size_t n = strlen(c->text);

		for (size_t i = 0; i <= n; i++) {
			struct proxy_usage u;

			proxy_usage_init(&u, true, c->ends);
			proxy_usage_feed(&u, c->text, i);
			proxy_usage_feed(&u, c->text + i, n - i);
			proxy_usage_end(&u);
			if (proxy_usage_ended(&u, c->framed) != c->ended)
				fail_msg("case %zu cut at %zu: %s", k, i, c->text);
			proxy_usage_fini(&u);
		}
	}
}

static void
test_errors(void **state)
{
	static const struct {
		enum proxy_ends ends;
		bool error;
		const char *text;
	} cases[] = {
		{ENDS_DONE, true, "data: {\"error\":{\"message\":\"x\"}}\n\n"},
		{ENDS_DONE, true, "data: { \"error\": \"x\"}\n\n"},
		{ENDS_DONE, false, "data: {\"error\":null,\"choices\":[]}\n\n"},
		{ENDS_DONE, false, "data: {\"x\":{\"error\":1}}\n\n"},
		{ENDS_DONE, true, "event: error\ndata: x\n\n"},
		{ENDS_MESSAGE, true, "event: error\ndata: {\"type\":\"error\",\"error\":{}}\n\n"},
		{ENDS_MESSAGE, true, "data: {\"type\":\"error\",\"error\":{}}\n\n"},
		{ENDS_RESPONSE, true, "data: {\"type\":\"response.failed\"}\n\n"},
		{ENDS_RESPONSE, true, "event: response.failed\ndata: {}\n\n"},
		{ENDS_RESPONSE, false, "event: response.completed\ndata: {}\n\n"},
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
		struct proxy_usage u;

		proxy_usage_init(&u, true, cases[k].ends);
		feed(&u, cases[k].text);
		assert_int_equal(u.error, cases[k].error);
		proxy_usage_fini(&u);
	}
}

/* Which events carry text. */
static void
test_tokens(void **state)
{
	static const struct {
		enum proxy_ends ends;
		int events;
		const char *text;
	} cases[] = {
		{ENDS_DONE, 1, "data: {\"choices\":[{\"delta\":{\"content\":\"a\",\"reasoning\":\"b\"}}]}\n\n"},
		{ENDS_DONE, 1, "data: {\"choices\": [{\"delta\": {\"reasoning\": \"b\"}}]}\n\n"},
		{ENDS_DONE, 1, "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"b\"}}]}\n\n"},
		{ENDS_DONE, 1, "data: {\"delta\":{\"tool_calls\":[{\"function\":{\"arguments\":\"{\\\"\"}}]}}\n\n"},
		{ENDS_DONE, 0, "data: {\"delta\":{\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}\n\n"},
		{ENDS_DONE, 0, "data: {\"delta\":{\"role\":\"assistant\",\"content\":null}}\n\n"},
		{ENDS_DONE, 0, "data: {\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}\n\n: x\n\ndata: [DONE]\n\n"},
		{ENDS_MESSAGE, 3, "data: {\"delta\":{\"text\":\"a\"}}\n\ndata: {\"delta\":{\"thinking\":\"b\"}}\n\n"
		    "data: {\"delta\":{\"partial_json\":\"{\"}}\n\n"},
		{ENDS_MESSAGE, 0, "data: {\"type\":\"content_block_start\",\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"},
		{ENDS_RESPONSE, 1, "data: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n"
		    "data: {\"type\":\"response.output_text.done\",\"text\":\"all of it\"}\n\n"},
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
		struct proxy_usage u;

		proxy_usage_init(&u, true, cases[k].ends);
		feed(&u, cases[k].text);
		assert_int_equal(u.events, cases[k].events);
		assert_int_equal(proxy_usage_out(&u), cases[k].events);
		proxy_usage_fini(&u);
	}
}

static void
test_counts(void **state)
{
	struct proxy_usage u;

	(void)state;
	/* The first count of an Anthropic stream is none; what comes from a cache went in as well. */
	proxy_usage_init(&u, true, ENDS_MESSAGE);
	feed(&u, "data: {\"type\":\"message_start\",\"message\":{\"type\":\"message\",\"usage\":{\"input_tokens\":5,"
	    "\"cache_creation_input_tokens\":20,\"cache_read_input_tokens\":300,\"output_tokens\":1}}}\n\n");
	assert_int_equal(proxy_usage_in(&u), 325);
	assert_int_equal(proxy_usage_cached(&u), 300);
	assert_int_equal(proxy_usage_out(&u), 0);
	assert_false(proxy_usage_estimated(&u));
	feed(&u, "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n");
	assert_int_equal(proxy_usage_out(&u), 1);
	assert_true(proxy_usage_estimated(&u));
	feed(&u, "data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":77}}\n\n");
	assert_int_equal(proxy_usage_out(&u), 77);
	assert_false(proxy_usage_estimated(&u));
	proxy_usage_fini(&u);
	/* "total" tells of the prompt only within its progress. */
	proxy_usage_init(&u, true, ENDS_DONE);
	feed(&u, "data: {\"total\":9,\"processed\":8}\n\n");
	assert_int_equal(u.prompt_total, -1);
	assert_true(u.began);
	proxy_usage_fini(&u);
	proxy_usage_init(&u, true, ENDS_DONE);
	feed(&u, "data: {\"prompt_progress\":{\"total\":9,\"cache\":0,\"processed\":8,\"time_ms\":1}}\n\n");
	assert_int_equal(u.prompt_done, 8);
	assert_int_equal(u.prompt_total, 9);
	assert_false(u.began);
	assert_int_equal(proxy_usage_in(&u), 9);
	proxy_usage_fini(&u);
}

static void
test_comments(void **state)
{
	struct proxy_usage u;
	uint64_t work;

	(void)state;
	proxy_usage_init(&u, true, ENDS_DONE);
	feed(&u, ": keepalive 10/40\n\n");
	assert_int_equal(u.prompt_done, 10);
	assert_int_equal(u.prompt_total, 40);
	assert_false(u.real);
	assert_true(proxy_usage_between(&u));
	/* Signs of life that show no work are none. */
	work = u.work;
	feed(&u, ": keepalive 10/40\n\n:\n\n: ping\n\n:\r\n\r\n");
	assert_int_equal(u.work, work);
	feed(&u, ": keepalive 11/40\n\n");
	assert_true(u.work > work);
	/* Not such a comment. */
	feed(&u, ": keepalive 9\n\n: keepalive x/2\n\n: keepalive 50/40\n\n: keepalive 1/2/3\n\n: keepalive 12/40 and more\n\n");
	assert_int_equal(u.prompt_done, 11);
	assert_int_equal(u.prompt_total, 40);
	feed(&u, ": half a co");
	assert_false(proxy_usage_between(&u));
	feed(&u, "mment\n");
	assert_false(proxy_usage_between(&u));
	assert_false(u.real);
	feed(&u, "\n");
	assert_true(proxy_usage_between(&u));
	work = u.work;
	feed(&u, "da");
	assert_true(u.real);
	assert_true(u.work > work);
	proxy_usage_fini(&u);
}

/* An event that is longer than what is kept of it: nothing is lost, and nothing is kept. */
static void
test_long_lines(void **state)
{
	static const char head[] = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"",
	    tail[] = "\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":12345,\"completion_tokens\":678}}\n\n";
	static char fill[30000];

	(void)state;
	memset(fill, ':', sizeof(fill));
	for (size_t n = 3800; n < 4200; n++) {
		struct proxy_usage u;

		proxy_usage_init(&u, true, ENDS_DONE);
		feed(&u, head);
		proxy_usage_feed(&u, fill, n);
		feed(&u, tail);
		assert_int_equal(u.events, 1);
		assert_int_equal(proxy_usage_in(&u), 12345);
		assert_int_equal(proxy_usage_out(&u), 678);
		assert_true(proxy_usage_ended(&u, true));
		assert_true(proxy_usage_between(&u));
		proxy_usage_fini(&u);
	}
	for (size_t step = 1; step < 9000; step = step * 3 + 1) {
		struct proxy_usage u;

		proxy_usage_init(&u, true, ENDS_DONE);
		feed(&u, head);
		for (size_t i = 0; i < sizeof(fill); i += step)
			proxy_usage_feed(&u, fill, sizeof(fill) - i < step ? sizeof(fill) - i : step);
		assert_true(u.keep.cap <= 16384);
		assert_false(proxy_usage_between(&u));
		for (const char *p = tail; *p != '\0'; p++)
			proxy_usage_feed(&u, p, 1);
		assert_int_equal(u.events, 1);
		assert_int_equal(proxy_usage_in(&u), 12345);
		assert_int_equal(proxy_usage_out(&u), 678);
		assert_true(proxy_usage_ended(&u, true));
		proxy_usage_fini(&u);
	}
}

static void
test_json(void **state)
{
	static char big[70000];
	struct proxy_usage u;

	(void)state;
	memset(big, 'x', sizeof(big));
	/* The counts stand at its end, */
	proxy_usage_init(&u, false, ENDS_DONE);
	feed(&u, "{\"choices\":[");
	proxy_usage_feed(&u, big, sizeof(big));
	feed(&u, "],\"usage\":{\"completion_tok");
	feed(&u, "ens\":7,\"prompt_tokens\":3}}");
	proxy_usage_end(&u);
	assert_int_equal(proxy_usage_in(&u), 3);
	assert_int_equal(proxy_usage_out(&u), 7);
	assert_true(u.keep.cap <= 16384);
	proxy_usage_fini(&u);
	/* or at its begin. */
	memcpy(big, "{\"object\":\"list\",\"usage\":{\"prompt_tokens\":9},\"data\":\"", 53);
	proxy_usage_init(&u, false, ENDS_FRAMING);
	proxy_usage_feed(&u, big, sizeof(big));
	proxy_usage_end(&u);
	assert_int_equal(proxy_usage_in(&u), 9);
	assert_int_equal(proxy_usage_out(&u), -1);
	proxy_usage_fini(&u);
}

static void
test_followed(void **state)
{
	struct proxy_usage u;

	(void)state;
	proxy_usage_init(&u, false, ENDS_DONE);
	u.follow = true;
	feed(&u, " {\"a\":[1,\"}]\\\"");
	assert_false(proxy_usage_whole(&u));
	feed(&u, "\"]");
	assert_false(proxy_usage_whole(&u));
	feed(&u, "}\n");
	assert_true(proxy_usage_whole(&u));
	proxy_usage_fini(&u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded), cmocka_unit_test(test_recorded_cut), cmocka_unit_test(test_ends),
		cmocka_unit_test(test_errors), cmocka_unit_test(test_tokens), cmocka_unit_test(test_counts),
		cmocka_unit_test(test_comments), cmocka_unit_test(test_long_lines), cmocka_unit_test(test_json),
		cmocka_unit_test(test_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
