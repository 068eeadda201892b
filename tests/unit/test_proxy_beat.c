/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "proxy/proxy_beat.h"

static const struct beat_in usual = {.since = 1000, .after = 8000, .every = 10000, .alive = true};

static struct beat_out
at(uint64_t now, struct beat_in in)
{
	in.now = now;
	return beat_decide(&in);
}

#define IS(out, a, when)                                                  \
	do {                                                              \
		struct beat_out o_ = (out);                               \
		assert_int_equal(o_.what, a);                             \
		assert_int_equal(o_.due, when);                           \
	} while (0)

static void
test_comments(void **state)
{
	struct beat_in in = usual;

	(void)state;
	IS(at(1000, in), BEAT_NOTHING, 9000);
	IS(at(8999, in), BEAT_NOTHING, 9000);
	IS(at(9000, in), BEAT_COMMENT, 19000);
	in.opened = true;
	in.said_at = 9000;
	IS(at(9001, in), BEAT_NOTHING, 19000);
	IS(at(19005, in), BEAT_COMMENT, 29005);
	in.after = 0;
	IS(at(90000, in), BEAT_NOTHING, 0);
}

static void
test_nothing_when_dead(void **state)
{
	struct beat_in in = usual;

	(void)state;
	in.alive = false;
	IS(at(8000, in), BEAT_NOTHING, 9000);
	IS(at(9000, in), BEAT_NOTHING, 10000);
	in.opened = true;
	in.said_at = 9000;
	IS(at(19000, in), BEAT_NOTHING, 20000);
	in.alive = true;
	IS(at(20000, in), BEAT_COMMENT, 30000);
	in.alive = false;
	in.shows = in.news = true;
	IS(at(30000, in), BEAT_NOTHING, 31000);
}

static void
test_shown(void **state)
{
	struct beat_in in = usual;

	(void)state;
	in.shows = in.news = true;
	IS(at(1000, in), BEAT_NOTHING, 2000);
	IS(at(2000, in), BEAT_TEXT, 3000);
	in.opened = true;
	in.said_at = 2000;
	IS(at(2500, in), BEAT_NOTHING, 3000);
	IS(at(3000, in), BEAT_TEXT, 4000);
	/* The same words again are no news; but the line is kept alive. */
	in.news = false;
	in.said_at = 3000;
	IS(at(4000, in), BEAT_NOTHING, 5000);
	IS(at(13000, in), BEAT_COMMENT, 14000);
	/* It is shown even where there are no heartbeats. */
	in.after = 0;
	in.news = true;
	in.said_at = 13000;
	IS(at(14000, in), BEAT_TEXT, 15000);
}

static void
says(struct beat_wait w, const char *text)
{
	struct strbuf b = STRBUF_INIT;

	w.model = w.model != NULL ? w.model : "qwen";
	beat_text(&b, &w);
	assert_streq(strbuf_str(&b), text);
	strbuf_fini(&b);
}

static void
test_words(void **state)
{
	(void)state;
	says((struct beat_wait){.state = ENGINE_STARTING, .progress = 434, .position = 2}, "loading qwen 43 %, position 2");
	says((struct beat_wait){.state = ENGINE_STARTING, .progress = -1, .elapsed = 3000, .usual = 4000, .position = 1},
	    "loading qwen 75 %, position 1");
	says((struct beat_wait){.state = ENGINE_STARTING, .progress = -1, .elapsed = 9000, .usual = 4000},
	    "loading qwen 99 %");
	says((struct beat_wait){.state = ENGINE_STARTING, .progress = 1000}, "loading qwen 99 %");
	says((struct beat_wait){.state = ENGINE_STARTING, .progress = -1, .elapsed = 3000}, "loading qwen");
	says((struct beat_wait){.state = ENGINE_STARTING, .progress = -1, .elapsed = 34000}, "loading qwen, 30 s");
	says((struct beat_wait){.state = ENGINE_BACKOFF, .retry_in = 3001, .position = 1},
	    "qwen failed, starts again in 4 s, position 1");
	says((struct beat_wait){.state = ENGINE_READY, .position = 7}, "waiting for a place at qwen, position 7");
	says((struct beat_wait){.state = ENGINE_STOPPED, .swap_from = "gemma", .position = 1},
	    "waiting for gemma to make room for qwen, position 1");
	says((struct beat_wait){.state = ENGINE_STOPPED, .position = 1}, "waiting for qwen, position 1");
	says((struct beat_wait){.sent = true, .prompt_done = -1, .prompt_total = -1}, "qwen works on the prompt");
	says((struct beat_wait){.sent = true, .prompt_done = 2048, .prompt_total = 8192}, "qwen works on the prompt 25 %");
	/* A name is any text. */
	says((struct beat_wait){.model = "q\n\ndata: x\033[31m", .sent = true, .prompt_total = -1},
	    "q^J^Jdata: x works on the prompt");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comments), cmocka_unit_test(test_nothing_when_dead), cmocka_unit_test(test_shown),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
