/* SPDX-License-Identifier: ISC
 * What the verbs print, from literal answers. */
#include "unit.h"

#include "app/cmd_priv.h"
#include "app/top_priv.h"
#include "view/view.h"

static struct strbuf out;

static cJSON *
json(const char *s)
{
	cJSON *j = json_parse(s, strlen(s), NULL);

	assert_non_null(j);
	return j;
}

static const char *
status(const char *s, const char *running)
{
	cJSON *j = json(s), *r = running != NULL ? json(running) : NULL;

	strbuf_clear(&out);
	cmd_status_text(&out, j, r, false);
	cJSON_Delete(j);
	cJSON_Delete(r);
	return strbuf_str(&out);
}

static void
test_status_ready(void **state)
{
	(void)state;
	assert_streq(status("{\"status\":\"running\",\"state\":\"ready\",\"current_model\":\"qwen\",\"uptime_seconds\":7507,"
	    "\"port\":8081,\"restart_attempts\":0,\"max_attempts\":3,\"in_flight\":2,\"queued\":1,\"pid\":42,"
	    "\"reason\":\"request\",\"last_exit\":null}",
	    "{\"running\":[{\"model\":\"qwen\",\"state\":\"ready\",\"port\":5801,\"pid\":42,\"pinned\":true},"
	    "{\"model\":\"gem\",\"state\":\"failed\",\"pid\":null,\"pinned\":true,\"last_exit\":{\"text\":\"exit status 1\"}}]}"),
	    "qwen  ready  up 2h05m07s  pinned\n"
	    "  engine     pid 42, port 5801\n"
	    "  api        port 8081\n"
	    "  restarts   0/3\n"
	    "  requests   2 in flight, 1 queued\n"
	    "gem  failed  pinned  exit status 1\n");
}

static void
test_status_failed(void **state)
{
	const char *text;

	(void)state;
	text = status("{\"status\":\"stopped\",\"state\":\"failed\",\"reason\":\"crash\",\"current_model\":\"gem\","
	    "\"uptime_seconds\":0,\"port\":8081,\"restart_attempts\":0,\"last_exit\":{\"text\":\"exit status 1\","
	    "\"cause\":\"unknown model\\u001b[31m architecture\",\"attempt\":3,\"uptime_seconds\":9.1,\"requests_lost\":2,"
	    "\"peak_rss\":1073741824,\"tail\":[\"line one\",\"line two\"]}}", NULL);
	assert_streq(text, "gem  failed\n"
	    "  why        the engine died\n"
	    "  api        port 8081\n"
	    "  restarts   3/3, gave up\n"
	    "  requests   0 in flight, 0 queued\n"
	    "  last exit  exit status 1, after 9.1s, peak memory 1.0G, 2 requests lost\n"
	    "  cause      unknown model architecture\n"
	    "  last lines\n"
	    "    | line one\n"
	    "    | line two\n");
	/* The same with the tail as one text. */
	text = status("{\"state\":\"backoff\",\"current_model\":\"gem\",\"next_retry_seconds\":3.4,\"restart_attempts\":2,"
	    "\"last_exit\":{\"text\":\"SIGKILL after 12s\",\"tail\":\"a\\nb\\n\"}}", NULL);
	assert_non_null(strstr(text, "gem  backoff  retry in 3.4s\n"));
	assert_non_null(strstr(text, "  restarts   2/3\n"));
	assert_non_null(strstr(text, "  last exit  SIGKILL after 12s\n  last lines\n    | a\n    | b\n"));
}

static void
test_status_bare(void **state)
{
	(void)state;
	/* The seed's keys alone, as another implementation would answer. */
	assert_streq(status("{\"status\":\"stopped\",\"mlx_server_running\":false,\"current_model\":null,"
	    "\"uptime_seconds\":0,\"port\":8081,\"restart_attempts\":1}", NULL),
	    "(no model)  stopped\n  api        port 8081\n  restarts   1/3\n  requests   0 in flight, 0 queued\n");
	strbuf_clear(&out);
	cmd_status_text(&out, json_get(NULL, "x"), NULL, true);
	assert_non_null(strstr(strbuf_str(&out), "(no model)"));
}

static void
line_is(const char *s, const char *want)
{
	cJSON *j = json(s);

	strbuf_clear(&out);
	cmd_status_line(&out, j);
	assert_streq(strbuf_str(&out), want);
	cJSON_Delete(j);
}

static void
test_status_line(void **state)
{
	(void)state;
	line_is("{\"state\":\"ready\",\"current_model\":\"q\",\"pid\":5,\"uptime_seconds\":3}", "q ready pid 5");
	line_is("{\"state\":\"backoff\",\"current_model\":\"q\",\"restart_attempts\":1,"
	    "\"last_exit\":{\"text\":\"SIGSEGV\",\"cause\":\"bad\"}}", "q backoff restarts 1/3: SIGSEGV: bad");
}

static void
error_is(int code, const char *body, const char *want)
{
	strbuf_clear(&out);
	cmd_error_text(&out, code, body, strlen(body));
	assert_streq(strbuf_str(&out), want);
}

static void
test_errors(void **state)
{
	(void)state;
	error_is(404, "{\"detail\":\"Unknown model x\",\"models\":[\"a\",\"b\"]}", "Unknown model x (known: a, b)");
	error_is(500, "{\"detail\":\"Failed to load model\",\"cause\":\"no such file\"}", "Failed to load model: no such file");
	error_is(422, "{\"detail\":[{\"type\":\"missing\",\"loc\":[\"body\",\"model\"],\"msg\":\"Field required\"}]}",
	    "Field required (body.model)");
	error_is(503, "{\"error\":{\"message\":\"it died\",\"code\":\"engine_failed\"},\"mai\":{\"cause\":\"oom\"}}",
	    "it died: oom");
	error_is(503, "{\"error\":{\"message\":\"it died: oom\"},\"mai\":{\"cause\":\"oom\"}}", "it died: oom");
	error_is(502, "<html>Bad gateway</html>", "the supervisor answers 502");
	error_is(400, "bad line\nmore", "bad line");
	error_is(500, "", "the supervisor answers 500");
	assert_int_equal(cmd_exit_of(200), CMD_OK);
	assert_int_equal(cmd_exit_of(404), CMD_REFUSED);
	assert_int_equal(cmd_exit_of(401), CMD_REFUSED);
	assert_int_equal(cmd_exit_of(500), CMD_FAILED);
	assert_int_equal(cmd_exit_of(302), CMD_FAILED);
}

static void
test_encode(void **state)
{
	(void)state;
	strbuf_clear(&out);
	cmd_encode(&out, "org/na me%\xc3\xa9?&", true);
	assert_streq(strbuf_str(&out), "org%2Fna%20me%25%C3%A9%3F%26");
	strbuf_clear(&out);
	cmd_encode(&out, "org/x", false);
	assert_streq(strbuf_str(&out), "org/x");
}

static void
test_tables(void **state)
{
	cJSON *j = json("{\"object\":\"list\",\"data\":[{\"id\":\"qwen\",\"status\":{\"value\":\"loaded\"},"
	    "\"aliases\":[\"gpt-4o\"]},{\"id\":\"a-longer-one\",\"status\":{\"value\":\"unloaded\"}}]}");

	(void)state;
	strbuf_clear(&out);
	cmd_models_text(&out, j);
	assert_streq(strbuf_str(&out), "MODEL         STATE\nqwen          loaded    also gpt-4o\na-longer-one  unloaded\n");
	cJSON_Delete(j);
	j = json("{\"requests\":[{\"id\":1283,\"client\":\"127.0.0.1:52011\",\"model\":\"qwen\",\"path\":\"/v1/chat/completions\","
	    "\"phase\":\"gen\",\"age_seconds\":29.4,\"waited_seconds\":3.2,\"tokens_in\":9200,\"tokens_out\":1204,"
	    "\"tokens_per_second\":41.83},{\"id\":1284},{\"id\":5,\"phase\":\"queued\",\"position\":2},"
	    "{\"id\":6,\"phase\":\"prefill\",\"prompt_done\":2048,\"prompt_total\":8192}]}");
	strbuf_clear(&out);
	cmd_ps_text(&out, j);
	assert_non_null(strstr(strbuf_str(&out), "1283    127.0.0.1:52011        gen           29s      3.2s    9.2k    1204"));
	assert_non_null(strstr(strbuf_str(&out), "41.8    qwen                  /v1/chat/completions\n"));
	assert_non_null(strstr(strbuf_str(&out), "  queued 2      "));
	assert_non_null(strstr(strbuf_str(&out), "  prefill 25%   "));
	assert_non_null(strstr(strbuf_str(&out), "1284    -  "));
	cJSON_Delete(j);
}

static const char *
progress(const struct view *v, const char *model, uint64_t now, bool bar)
{
	strbuf_clear(&out);
	cmd_progress_text(&out, v, model, now, bar, false);
	return strbuf_str(&out);
}

static void
test_progress(void **state)
{
	struct view_engine e[2] = {
		{.id = (char[]){"a"}, .name = (char[]){"a"}, .state = ENGINE_STARTING, .since = 1000, .usual_ms = 42000,
		    .progress = -1, .max_attempts = 3, .current = true},
		{.id = (char[]){"b"}, .name = (char[]){"b"}, .state = ENGINE_DRAINING, .in_flight = 2, .kill_at = 20000,
		    .progress = -1, .max_attempts = 3},
	};
	struct view v = {.engines = e, .nengines = 2};

	(void)state;
	assert_streq(progress(&v, "a", 22000, true), "a starting  ############............  21s, usually 42s");
	assert_streq(progress(&v, "a", 22000, false), "a starting, usually 42s");
	assert_streq(progress(&v, "b", 8000, true), "b draining, 2 in flight, 12s left");
	assert_streq(progress(&v, "b", 8000, false), "b draining, 2 in flight");
	e[0].progress = 750;
	e[0].attempt = 2;
	assert_streq(progress(&v, NULL, 5000, true), "a starting  ##################......  4.0s, usually 42s, attempt 2/3");
	e[0].progress = -1;
	e[0].usual_ms = 0;
	assert_streq(progress(&v, "a", 1200, true), "a starting  .#......................  0.2s, attempt 2/3");
	/* In a swap the one that goes has the word first. */
	v.swap_from = e[1].id;
	v.swap_to = e[0].id;
	v.swap_step = 1;
	assert_streq(progress(&v, "a", 8000, false), "b draining, 2 in flight");
	v.swap_step = 3;
	e[0].state = ENGINE_BACKOFF;
	e[0].retry_at = 9400;
	e[0].retry_total = 4000;
	e[0].last_exit = (char[]){"SIGKILL after 12s"};
	e[0].cause = (char[]){"out of memory"};
	assert_streq(progress(&v, "a", 6000, true), "a crashed (SIGKILL after 12s), retry 2/3 in 3.4s: out of memory");
	assert_streq(progress(&v, "a", 6000, false), "a crashed (SIGKILL after 12s), retry 2/3 in 4.0s: out of memory");
	e[0].state = ENGINE_READY;
	assert_streq(progress(&v, "a", 6000, true), "");
	v.nengines = 0;
	assert_streq(progress(&v, "a", 6000, true), "");
}

static int
done(void **state)
{
	(void)state;
	strbuf_fini(&out);
	return 0;
}

static const char *
info(const char *answer)
{
	strbuf_clear(&out);
	top_info_text(&out, answer, strlen(answer));
	return strbuf_str(&out);
}

static void
test_info(void **state)
{
	static const char headers[] = "{\"headers\":{\"Host\":\"x\",\"Cookie\":\"***\"}}";

	(void)state;
	assert_streq(info("{\"kind\":\"llama-server\",\"argv\":[\"llama-server\",\"-m\",\"/a b/it's.gguf\",\"\",\"--port=1\"],"
	    "\"cmd_stop\":[\"kill\",\"9\"],\"env\":{\"A\":\"1\",\"HF_TOKEN\":\"***\"},\"config\":\"/x/mai.yaml:3:5\","
	    "\"listen\":[\"127.0.0.1:8081\",\"unix:/s\"],\"engine_port\":5800,\"pid\":7,\"state\":\"ready\",\"starts\":2,\"crashes\":1,"
	    "\"last_load_seconds\":1.5,\"usual_load_seconds\":2,\"peak_rss_bytes\":1048576,\"exits\":["
	    "{\"text\":\"SIGKILL\",\"cause\":\"bad\\u001b[31m news\",\"expected\":false,\"uptime_seconds\":12},"
	    "{\"text\":\"exit status 0\",\"cause\":\"x\",\"expected\":true}]}"),
	    "engine\tllama-server\ncommand\tllama-server -m '/a b/it'\\''s.gguf' '' --port=1\nstop command\tkill 9\n"
	    "environment\tA=1\n\tHF_TOKEN=***\nconfigured\t/x/mai.yaml:3:5\nlistens on\t127.0.0.1:8081\n\tunix:/s\n"
	    "engine port\t5800\npid\t7\nstate\tready\nload\tlast 1.5s, usually 2.0s\npeak memory\t1.0M\nstarts\t2, 1 crashed\n"
	    "exits\tSIGKILL after 12s: bad news\n\texit status 0\n");
	assert_streq(info("nonsense"), "");
	assert_streq(info("{\"exits\":[]}"), "exits\tnone yet\n");
	strbuf_clear(&out);
	top_details_text(&out, headers, strlen(headers));
	assert_streq(strbuf_str(&out), "headers\tHost: x\n\tCookie: ***\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_info),
		cmocka_unit_test(test_status_ready),
		cmocka_unit_test(test_status_failed),
		cmocka_unit_test(test_status_bare),
		cmocka_unit_test(test_status_line),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_progress),
	};

	return cmocka_run_group_tests(tests, NULL, done);
}
