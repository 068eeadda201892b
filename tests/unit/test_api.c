/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "api_core.h"
#include "base/clock.h"
#include "view/view.h"

#define S(s) ((char[]){s})

static char *origins[] = {S("https://ok.example"), NULL};
static struct conf_key keys[] = {{S("root-key"), SCOPE_ADMIN}, {S("infer-key"), SCOPE_INFER}};

static int
setup(void **state)
{
	(void)state;
	core_start();
	return 0;
}

static int
setup_daemon(void **state)
{
	(void)state;
	core_start_daemon();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	core_stop();
	return 0;
}

/* An answer has this status and, in it, this text (NULL: any). */
static void
check(const char *answer, int status, const char *text)
{
	char line[32];

	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	if (strncmp(answer, line, strlen(line)) != 0 || (text != NULL && strstr(answer, text) == NULL))
		fail_msg("wanted %d with %s; got\n%s", status, text != NULL ? text : "anything", answer);
}

static void
test_seed_reading(void **state)
{
	const char *a;

	(void)state;
	a = ask("GET", "/status", NULL, NULL);
	check(a, 200, "\r\n\r\n{\"status\":\"running\",\"mlx_server_running\":true,\"current_model\":\"a\",\"uptime_seconds\":2.");
	check(a, 200, ",\"port\":8081,\"restart_attempts\":0,\"state\":\"ready\"");
	check(a, 200, "X-Content-Type-Options: nosniff\r\n");
	check(a, 200, "Cache-Control: no-store\r\n");
	check(a, 200, "Content-Type: application/json\r\n");
	check(ask("GET", "/health", NULL, NULL), 200, "{\"status\":\"healthy\",\"engine\":{\"status\":\"running\",");
	check(ask("GET", "/ready", NULL, NULL), 200, "\r\n\r\n{\"status\":\"ready\",\"model\":\"a\"}");
	check(ask("HEAD", "/ready", NULL, NULL), 200, "Content-Length: 30\r\n");

	core.info[0].state = ENGINE_BACKOFF;
	core.info[0].pid = 0;
	core.info[0].attempt = 2;
	core.info[0].retry_at = clock_ms() + 3900;
	a = ask("GET", "/status", NULL, NULL);
	check(a, 200, "{\"status\":\"stopped\",\"mlx_server_running\":false,\"current_model\":\"a\",\"uptime_seconds\":0,");
	check(a, 200, "\"restart_attempts\":2,\"state\":\"backoff\"");
	check(a, 200, "\"next_retry_seconds\":3.");
	check(ask("GET", "/ready", NULL, NULL), 503, "\r\n\r\n{\"detail\":\"MLX server not ready\"}");
	check(ask("GET", "/health", NULL, NULL), 200, "{\"status\":\"starting\"");
	core.info[0].state = ENGINE_FAILED;
	check(ask("GET", "/status", NULL, NULL), 200, "\"restart_attempts\":0,\"state\":\"failed\"");
	core.current = -1;
	core.last = 1;
	a = ask("GET", "/status", NULL, NULL);
	check(a, 200, "\"current_model\":null,\"uptime_seconds\":0,");
	check(a, 200, "\"cause\":\"secret words of the engine\"");
	check(ask("GET", "/models/available", NULL, NULL), 200, "\r\n\r\n{\"models\":[]}");
}

static void
test_load(void **state)
{
	(void)state;
	check(ask("POST", "/load", NULL, "{\"model\":\"org/c\",\"max_tokens\":77}"), 200,
	    "\r\n\r\n{\"status\":\"success\",\"model\":\"org/c\",\"message\":\"Model org/c loaded successfully\"}");
	assert_int_equal(core.verb, VERB_LOAD);
	assert_streq(core.asked, "org/c");
	assert_streq(core.who, "127.0.0.1");
	assert_int_equal(core.max_tokens, 77);
	check(ask("POST", "/load", NULL, "{}"), 422,
	    "{\"detail\":[{\"type\":\"missing\",\"loc\":[\"body\",\"model\"],\"msg\":\"Field required\",\"input\":{}}]}");
	check(ask("POST", "/load", NULL, "{nope"), 422, "\"type\":\"json_invalid\"");
	check(ask("POST", "/load", NULL, NULL), 422, NULL);
	assert_int_equal(core.nverbs, 1);
	core.outcome = (struct router_outcome){.refusal = REFUSE_FAILED, .reason = REASON_CRASH, .cause = "no GPU"};
	check(ask("POST", "/load", NULL, "{\"model\":\"b\"}"), 500,
	    "\r\n\r\n{\"detail\":\"Failed to load model\",\"cause\":\"no GPU\"}");
	core.outcome = (struct router_outcome){.refusal = REFUSE_NOT_FOUND};
	check(ask("POST", "/load", NULL, "{\"model\":\"zz\"}"), 404, "{\"detail\":\"Unknown model zz\",");
	check(ask("POST", "/load", NULL, "{\"model\":\"zz\"}"), 404, "\"models\":[\"a\",\"b\",\"org/c\"]");
	core.outcome = (struct router_outcome){.refusal = REFUSE_SHUTDOWN};
	check(ask("POST", "/load", NULL, "{\"model\":\"zz\"}"), 503, "Retry-After:");
	core.hold = true;
	check(ask("POST", "/load", NULL, "{\"model\":\"b\",\"wait\":false}"), 202, "{\"status\":\"accepted\"}");
	core_finish_verb();
}

static void
test_stop_and_start(void **state)
{
	(void)state;
	check(ask("POST", "/stop", NULL, NULL), 200, "\r\n\r\n{\"status\":\"stopped\"}");
	assert_int_equal(core.verb, VERB_STOP);
	assert_streq(core.asked, "a");
	core.current = -1;
	check(ask("POST", "/stop", NULL, NULL), 200, "{\"status\":\"stopped\"}");
	assert_streq(core.asked, "(none)");
	check(ask("POST", "/start", NULL, NULL), 200, "\r\n\r\n{\"status\":\"started\",\"model\":\"a\"}");
	assert_streq(core.asked, "(none)");
	check(ask("POST", "/start?model=org%2Fc", NULL, NULL), 200, NULL);
	assert_streq(core.asked, "org/c");
	core.outcome = (struct router_outcome){.refusal = REFUSE_CONFLICT, .cause = "a is running"};
	check(ask("POST", "/start?model=b", NULL, NULL), 409, "{\"detail\":\"a is running\"");
	core.outcome = (struct router_outcome){.refusal = REFUSE_FAILED};
	check(ask("POST", "/start", NULL, NULL), 500, "{\"detail\":\"Failed to start server\"");
}

static void
test_client_leaves_a_verb(void **state)
{
	struct peer *p = peer_open();

	(void)state;
	core.hold = true;
	peer_send(p, "POST /load HTTP/1.1\r\nHost: localhost\r\nContent-Length: 13\r\n\r\n{\"model\":\"b\"}");
	for (int i = 0; i < 500 && core.nverbs == 0; i++)
		core_turn(1);
	assert_int_equal(core.nverbs, 1);
	peer_close(&p);
	for (int i = 0; i < 500 && core.forgotten == 0; i++)
		core_turn(1);
	assert_int_equal(core.forgotten, 1);
	/* One that still waits when the API ends is answered. */
	p = peer_open();
	peer_send(p, "POST /api/restart HTTP/1.1\r\nHost: localhost\r\nContent-Length: 14\r\n\r\n{\"force\":true}");
	for (int i = 0; i < 500 && core.nverbs == 1; i++)
		core_turn(1);
	assert_true(core.force);
	assert_streq(core.asked, "a");
	api_free(&core.api);
	assert_true(peer_until(p, "shutting_down"));
	peer_close(&p);
}

static void
test_models(void **state)
{
	const char *a;

	(void)state;
	core.current = 1;
	core.info[1].state = ENGINE_READY;
	core.models[2].unlisted = true;
	a = ask("GET", "/v1/models", NULL, NULL);
	check(a, 200, "\r\n\r\n{\"object\":\"list\",\"data\":[{\"id\":\"b\",\"object\":\"model\",\"created\":");
	check(a, 200, "\"owned_by\":\"mai\",\"status\":{\"value\":\"loaded\"}},{\"id\":\"a\"");
	assert_null(strstr(a, "org/c"));
	check(ask("GET", "/v1/models/org/c", NULL, NULL), 200, "{\"id\":\"org/c\",\"object\":\"model\"");
	check(ask("GET", "/v1/models/org/c", NULL, NULL), 200, "\"value\":\"unloaded\"");
	check(ask("GET", "/v1/models/zz", NULL, NULL), 404, "\"code\":\"model_not_found\"");
	core.info[1].state = ENGINE_BACKOFF;
	check(ask("GET", "/models", NULL, NULL), 200, "\"value\":\"loading\"");
	check(ask("GET", "/v1/models", NULL, NULL), 200, NULL);
	core.conf.source = CONF_ENV;
	check(ask("GET", "/v1/models", NULL, NULL), 503, "{\"detail\":\"MLX server not ready\"}");

	check(ask("POST", "/models/load", NULL, "{\"model\":\"b\"}"), 200, "\r\n\r\n{\"success\":true}");
	assert_int_equal(core.verb, VERB_LOAD);
	check(ask("POST", "/models/unload", NULL, "{\"model\":\"b\"}"), 200, "\r\n\r\n{\"success\":true}");
	assert_int_equal(core.verb, VERB_STOP);
	check(ask("POST", "/models/load", NULL, "{\"model\":\"zz\"}"), 404, NULL);
	check(ask("POST", "/api/models/unload", NULL, NULL), 200, "{\"msg\":\"ok\"}");
	assert_streq(core.asked, "(none)");
	check(ask("POST", "/api/models/unload/org/c", NULL, NULL), 200, "\r\n\r\nOK");
	assert_streq(core.asked, "org/c");
	check(ask("POST", "/unload", NULL, NULL), 200, NULL);
	check(ask("GET", "/unload", NULL, NULL), 405, "Allow: POST\r\n");
	check(ask("GET", "/upstream", NULL, NULL), 200, "\r\n\r\na\nb\norg/c\n");
	check(ask("GET", "/upstream/", NULL, NULL), 200, "text/plain");
}

static void
test_errors_of_paths(void **state)
{
	static const struct {
		const char *method, *path;
		int status;
		const char *text;
	} table[] = {
		{"GET", "/nope", 404, "\r\n\r\n{\"detail\":\"Not Found\"}"},
		{"POST", "/status", 405, "\r\n\r\n{\"detail\":\"Method Not Allowed\"}"},
		{"POST", "/status", 405, "Allow: GET, HEAD\r\n"}, {"DELETE", "/stop", 405, "Allow: POST\r\n"},
		{"POST", "/upstream", 405, "Allow: GET, HEAD\r\n"}, {"POST", "/v1/models", 405, "Allow: GET, HEAD\r\n"},
		{"GET", "/v1/audio/voices", 200, "proxied"}, {"GET", "/status/", 404, NULL},
		{"GET", "/v1/models/a%2fb", 400, NULL}, {"GET", "/a/../status", 400, NULL}, {"GET", "//status", 400, NULL},
		{"POST", "/api/viewers/1/bye", 404, NULL}, {"POST", "/api/requests/zz/cancel", 404, NULL},
		{"POST", "/api/requests/5/cancel", 404, "No such request"},
		{"GET", "/api/requests/5", 404, "No such request"}, {"GET", "/api/requests/x", 404, NULL},
		{"GET", "/api/requests/7", 200, "{\"id\":7,\"headers\":{\"X-Plain\":\"seen\",\"Authorization\":\"***\",\"cookie\":\"***\","
		    "\"X-Api-Key\":\"***\"}}"}, {"GET", "/api/logs?from=x", 400, NULL},
		{"GET", "/logs?source=nobody", 400, NULL}, {"GET", "/logs/stream/zz", 404, NULL},
		{"GET", "/logs?model=zz", 404, "Unknown model zz"}, {"GET", "/api/logs?model=zz", 404, NULL},
		{"GET", "/api/info?model=zz", 404, NULL}, {"GET", "/api/events?since=-1", 400, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		check(ask(table[i].method, table[i].path, NULL, NULL), table[i].status, table[i].text);
	check(ask("POST", "/v1/chat/completions", NULL, "{}"), 200, "proxied");
	assert_int_equal(core.proxied, 2);
}

static void
test_origins_and_keys(void **state)
{
	const char *a;

	(void)state;
	core.conf.allowed_origins = origins;
	a = ask("POST", "/v1/chat/completions", "Origin: https://ok.example\r\n", "{}");
	check(a, 200, "Access-Control-Allow-Origin: https://ok.example\r\n");
	check(a, 200, "Vary: Origin\r\n");
	check(ask("GET", "/status", "Origin: https://ok.example\r\n", NULL), 200, "Access-Control-Allow-Origin: https://ok");
	a = ask("GET", "/status", "Origin: https://evil.example\r\n", NULL);
	check(a, 403, "\"code\":\"forbidden\"");
	assert_null(strstr(a, "Access-Control"));
	check(ask("OPTIONS", "/v1/chat/completions",
	    "Origin: https://ok.example\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-a, x-b\r\n",
	    NULL), 204, "Access-Control-Allow-Headers: x-a, x-b\r\n");
	check(ask("OPTIONS", "/status", NULL, NULL), 405, NULL);
	core.conf.keys = keys;
	core.conf.nkeys = 2;
	check(ask("GET", "/status", NULL, NULL), 401, "WWW-Authenticate: Bearer\r\n");
	check(ask("POST", "/v1/chat/completions", NULL, "{}"), 401, "\"code\":\"unauthorized\"");
	check(ask("GET", "/livez", NULL, NULL), 200, NULL);
	core.last = 1;
	core.current = -1;
	a = ask("GET", "/status", "X-Api-Key: infer-key\r\n", NULL);
	check(a, 200, "SIGKILL");
	assert_null(strstr(a, "secret words"));
	check(ask("GET", "/status", "X-Api-Key: root-key\r\n", NULL), 200, "secret words");
	check(ask("POST", "/stop", "X-Api-Key: infer-key\r\n", NULL), 403, "inference only");
	check(ask("GET", "/api/info?model=a", "X-Api-Key: root-key\r\n", NULL), 200, "\"HF_TOKEN\":\"***\",\"PLAIN\":\"seen\"");
}

static void
test_management(void **state)
{
	const char *a;

	(void)state;
	a = ask("GET", "/running", NULL, NULL);
	check(a, 200, "\r\n\r\n{\"running\":[{\"model\":\"a\",\"state\":\"ready\"");
	check(a, 200, "\"cmd\":\"fake --model 'a b'\",\"proxy\":\"http://127.0.0.1:9001\",\"ttl\":0");
	core.rows[0] = (struct proxy_row){.id = 7, .client = "127.0.0.1:5", .model = "a", .path = "/v1/x", .api = "chat",
	    .phase = REQ_GENERATING, .since = 1000, .first_byte_at = 1250, .waited_ms = 150, .tokens_in = -1, .tokens_out = 3,
	    .tokens_cached = 2, .prompt_done = -1, .prompt_total = 8192, .tokens_per_second = 2.5, .estimated = true};
	core.nrows = 1;
	a = ask("GET", "/api/requests", NULL, NULL);
	check(a, 200, "{\"requests\":[{\"id\":7,\"client\":\"127.0.0.1:5\",\"model\":\"a\",\"path\":\"/v1/x\"");
	check(a, 200, "\"phase\":\"gen\"");
	check(a, 200, "\"waited_seconds\":0.15,\"first_byte_seconds\":0.25,\"first_token_seconds\":null");
	check(a, 200, "\"prompt_done\":null,\"prompt_total\":8192");
	check(a, 200, "\"tokens_in\":null,\"tokens_cached\":2,\"tokens_out\":3,\"tokens_per_second\":2.5,\"estimated\":true");
	check(ask("POST", "/api/requests/7/cancel", NULL, NULL), 200, "{\"status\":\"cancelled\"}");
	assert_int_equal(core.cancelled, 7);
	check(ask("POST", "/api/restart", NULL, "{\"model\":\"b\"}"), 200, "{\"status\":\"restarted\",\"model\":\"a\"");
	assert_int_equal(core.verb, VERB_RESTART);
	assert_false(core.force);
	check(ask("GET", "/api/version", NULL, NULL), 200, "\"protocol\":1,");
	check(ask("GET", "/", NULL, NULL), 200, "mai attach");
	check(ask("GET", "/api/info", NULL, NULL), 200, "\"config\":\"mai.yaml:4:3\"");
	check(ask("POST", "/api/reload", NULL, NULL), 200, "{\"status\":\"reloaded\"}");
	core.reload_fails = true;
	check(ask("POST", "/api/reload", NULL, NULL), 409, "mai.yaml:3:1: no such key");
	check(ask("POST", "/api/shutdown", NULL, NULL), 200, "{\"status\":\"shutting_down\"}");
	assert_int_equal(core.shutdowns, 1);
	assert_false(core.forced);
	check(ask("POST", "/api/shutdown", NULL, "{\"force\":true}"), 200, "{\"status\":\"shutting_down\"}");
	assert_int_equal(core.shutdowns, 2);
	assert_true(core.forced);
	check(ask("POST", "/load", "Content-Length: 2000000\r\n", NULL), 413, NULL);
}

static void
test_metrics(void **state)
{
	const char *a;

	(void)state;
	metrics_add(core.metrics, "mai_requests_total", "model=\"a\"", 5);
	a = ask("GET", "/metrics", NULL, NULL);
	check(a, 200, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
	check(a, 200, "mai_requests_total{model=\"a\"} 5\n");
	check(a, 200, "mai_engine_state{model=\"a\",state=\"ready\"} 1\n");
	check(a, 200, "mai_engine_state{model=\"org/c\",state=\"stopped\"} 1\n");
	check(a, 200, "mai_engine_rss_bytes{model=\"a\"} 1052672\n");
	check(a, 200, "# TYPE mai_uptime_seconds gauge\n");
	check(a, 200, "mai_swaps_total 4\n");
}

static void
log_line(int source, const char *model, const char *text)
{
	ring_put(core.ring, source, model, ' ', text, strlen(text));
}

static void
test_logs(void **state)
{
	struct peer *p;
	const char *a;
	char big[1024];

	(void)state;
	log_line(RING_CHILD, "a", "from a");
	log_line(RING_CHILD, "b", "from b");
	log_line(RING_MAI, NULL, "from mai");
	log_line(RING_ACCESS, NULL, "access");
	check(ask("GET", "/logs", NULL, NULL), 200, "[a] from a\n[b] from b\nfrom mai\n");
	check(ask("GET", "/logs?model=a", NULL, NULL), 200, "\r\nfrom a\n");
	a = ask("GET", "/logs?n=1&source=all", NULL, NULL);
	check(a, 200, "access\n");
	assert_null(strstr(a, "from"));
	check(ask("GET", "/api/logs", NULL, NULL), 200, "\r\n\r\n{\"first\":1,\"next\":5,\"dropped\":0,\"lines\":[[1,");
	a = ask("GET", "/api/logs?source=child,access&from=2", NULL, NULL);
	check(a, 200, ",\"child\",\" \",\"from b\",\"b\"],[4,");
	assert_null(strstr(a, "from mai"));
	a = ask("GET", "/api/logs?max=1&source=child&model=b", NULL, NULL);
	check(a, 200, "\"next\":3,");
	check(ask("GET", "/api/logs?n=1", NULL, NULL), 200, "\"lines\":[[4,");

	p = peer_open();
	peer_send(p, "GET /logs/stream/a?no-history HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_true(peer_until(p, "\r\n\r\n"));
	log_line(RING_CHILD, "b", "not asked for");
	log_line(RING_CHILD, "a", "live line");
	assert_true(peer_until(p, "live line\n"));
	assert_null(strstr(strbuf_str(&p->in), "from a"));
	assert_null(strstr(strbuf_str(&p->in), "not asked for"));
	/* A reader that does not read loses lines, is told how much, and holds nobody up. */
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	for (int i = 0; i < 20000; i++) {
		log_line(RING_CHILD, "a", big);
		if (i % 20 == 0)
			loop_once(core.loop, 0);
	}
	core_turn(30);
	log_line(RING_CHILD, "a", "the last one");
	assert_true(peer_until(p, "the last one\n"));
	assert_non_null(strstr(strbuf_str(&p->in), " bytes dropped --\n"));
	peer_close(&p);
}

/* events ---------------------------------------------------------------------------------------------------------- */

static struct peer *
watch(const char *query, const char *extra)
{
	struct peer *p = peer_open();
	char req[512];

	snprintf(req, sizeof(req), "GET /api/events%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", query, extra);
	peer_send(p, req);
	assert_true(peer_until(p, "event: hello\n"));
	return p;
}

static void
engine_event(void)
{
	const struct bus_event e = {.kind = BUS_ENGINE, .model = "a", .to = core.info[0].state};

	bus_publish(core.bus, &e);
}

static void
forget(struct peer *p)
{
	strbuf_clear(&p->in);
}

static void
test_events(void **state)
{
	struct bus_event e = {.kind = BUS_ACTION, .who = "ann", .text = "stop a"};
	struct peer *p = watch("", "X-Mai-Viewer: ann,pts/1,attached\r\n");

	(void)state;
	assert_true(peer_until(p, "event: snapshot\n"));
	assert_true(peer_until(p, "\n\n"));
	assert_non_null(strstr(strbuf_str(&p->in), "Content-Type: text/event-stream; charset=utf-8\r\n"));
	assert_non_null(strstr(strbuf_str(&p->in), "X-Accel-Buffering: no\r\n"));
	assert_non_null(strstr(strbuf_str(&p->in), "\"viewer\":1,\"viewer_name\":\"attach#1 ann\""));
	assert_int_equal(api_viewers(core.api), 1);
	forget(p);
	core.info[0].state = ENGINE_STOPPING;
	engine_event();
	assert_true(peer_until(p, "event: engine\ndata: {"));
	assert_true(peer_until(p, "\"id\":\"a\""));
	assert_true(peer_until(p, "\"state\":\"stopping\""));
	assert_null(strstr(strbuf_str(&p->in), "\"id\":\"b\""));
	forget(p);
	bus_publish(core.bus, &e);
	assert_true(peer_until(p, "event: action\ndata: {\"who\":\"ann\",\"text\":\"stop a\"}\n\n"));
	log_line(RING_MAI, NULL, "x");
	assert_true(peer_until(p, "event: log\ndata: {\"next\":2}\n\n"));
	core.rows[0] = (struct proxy_row){.id = 7, .client = "c", .model = "a", .phase = REQ_PREFILL, .tokens_in = -1};
	core.nrows = 1;
	e = (struct bus_event){.kind = BUS_REQUEST, .id = 7, .phase = REQ_PREFILL};
	bus_publish(core.bus, &e);
	assert_true(peer_until(p, "event: request\n"));
	assert_true(peer_until(p, "\"phase\":\"prefill\""));
	/* The tick tells figures that moved, each of them. */
	core.rows[0].prompt_done = 2048;
	assert_true(peer_until(p, "\"prompt_done\":2048"));
	core.rows[0].prompt_total = 8192;
	assert_true(peer_until(p, "\"prompt_total\":8192"));
	core.rows[0].first_byte_at = 77;
	assert_true(peer_until(p, "\"first_byte_at\":77"));
	core.nrows = 0;
	e.phase = REQ_DONE;
	bus_publish(core.bus, &e);
	assert_true(peer_until(p, "\"phase\":\"done\""));
	core.totals.tokens_per_second = 55.5;
	assert_true(peer_until(p, "\"tps\":55.5"));
	core.rate = 41.5;
	assert_true(peer_until(p, ",41.5]"));
	e = (struct bus_event){.kind = BUS_SHUTDOWN, .text = "mai is ending"};
	bus_publish(core.bus, &e);
	assert_true(peer_until(p, "event: shutdown\ndata: {\"text\":\"mai is ending\"}\n\n"));
	/* An author by number. */
	check(ask("POST", "/stop", "X-Mai-Viewer-Id: 1\r\n", NULL), 200, NULL);
	assert_streq(core.who, "attach#1 ann");
	api_free(&core.api);
	assert_true(peer_until(p, "0\r\n\r\n"));
	peer_close(&p);
}

/* Every view event is applied by the other side without complaint and gives the same state. */
static void
test_events_are_understood(void **state)
{
	struct peer *p;
	struct view v;
	const char *s;
	int applied = 0;

	(void)state;
	p = watch("", "");
	core.info[0].state = ENGINE_READY;
	core.info[0].progress = 3;
	assert_true(peer_until(p, "event: snapshot\n"));
	core.info[0].state = ENGINE_STOPPING;
	core.info[0].kill_at = 99;
	core.swapping = true;
	engine_event();
	assert_true(peer_until(p, "\"swap_to\":\"b\""));
	assert_true(peer_until(p, "\"kill_at\":99"));
	core_turn(5);
	view_init(&v);
	for (s = strstr(strbuf_str(&p->in), "event: "); s != NULL; s = strstr(s, "event: ")) {
		char name[32];
		const char *data = strstr(s, "\ndata: "), *end = data != NULL ? strstr(data, "\n\n") : NULL;
		struct err e;

		if (end == NULL)
			break;
		sscanf(s, "event: %31s", name);
		data += 7;
		/* Chunk borders are between events. */
		assert_int_equal(view_apply(&v, name, data, (size_t)(end - data), clock_ms(), &e), 0);
		applied++;
		s = end;
	}
	assert_true(applied >= 3);
	assert_int_equal(v.nengines, 3);
	assert_int_equal(v.engines[0].state, ENGINE_STOPPING);
	assert_int_equal(v.engines[0].kill_at, 99);
	assert_streq(v.swap_to, "b");
	assert_streq(v.instance, "test");
	assert_int_equal(v.protocol, VIEW_PROTOCOL);
	view_fini(&v);
	peer_close(&p);
}

static uint64_t
last_id(const struct peer *p)
{
	uint64_t id = 0;

	for (const char *s = strstr(strbuf_str(&p->in), "\nid: "); s != NULL; s = strstr(s + 1, "\nid: "))
		id = strtoull(s + 5, NULL, 10);
	return id;
}

static void
test_since(void **state)
{
	struct bus_event e = {.kind = BUS_ACTION, .text = "first"};
	struct peer *p = watch("", ""), *q;
	char query[64];
	uint64_t id;

	(void)state;
	bus_publish(core.bus, &e);
	assert_true(peer_until(p, "\"first\"}\n\n"));
	id = last_id(p);
	assert_true(id > 1600000000000);
	e.text = "second";
	bus_publish(core.bus, &e);
	assert_true(peer_until(p, "\"second\"}\n\n"));
	assert_true(last_id(p) > id);
	snprintf(query, sizeof(query), "?since=%llu", (unsigned long long)id);
	q = watch(query, "");
	assert_true(peer_until(q, "\"second\"}\n\n"));
	assert_null(strstr(strbuf_str(&q->in), "\"first\""));
	assert_null(strstr(strbuf_str(&q->in), "event: snapshot"));
	peer_close(&q);
	q = watch("?since=12", "");
	assert_true(peer_until(q, "event: snapshot\n"));
	peer_close(&q);
	peer_close(&p);
	/* What happened while nobody listened cannot be replayed. */
	engine_event();
	q = watch(query, "");
	assert_true(peer_until(q, "event: snapshot\n"));
	peer_close(&q);
}

static void
test_slow_reader(void **state)
{
	struct peer *slow = watch("", ""), *quick = watch("", "");
	struct bus_event e = {.kind = BUS_ACTION};
	static char text[100000];
	const char *s;

	(void)state;
	assert_true(peer_until(slow, "event: snapshot\n"));
	assert_true(peer_until(slow, "\n\n"));
	core_turn(60);
	forget(slow);
	memset(text, 'x', sizeof(text) - 1);
	for (int round = 0; round < 4; round++) {
		e.text = text;
		for (int i = 0; i < 30; i++)
			bus_publish(core.bus, &e);
		e.text = "round";
		bus_publish(core.bus, &e);
		forget(quick);
		assert_true(peer_until(quick, "\"round\""));
	}
	/* What it had not read when it fell behind comes, then a snapshot that tells the rest. */
	assert_true(peer_until(slow, "event: snapshot\n"));
	assert_true(peer_until(slow, "\"history\":"));
	s = strstr(strbuf_str(&slow->in), "event: snapshot\n");
	assert_non_null(strstr(s, "\"lost\":"));
	assert_true(strtol(strstr(s, "\"lost\":") + 7, NULL, 10) >= 31);
	assert_true(slow->in.len < 10u << 20);
	/* And it hears again. */
	forget(slow);
	e.text = "the end";
	bus_publish(core.bus, &e);
	assert_true(peer_until(slow, "\"the end\""));
	peer_close(&slow);
	peer_close(&quick);
}

static void
test_viewers_and_goodbyes(void **state)
{
	struct peer *at = watch("", "X-Mai-Viewer: bob\xe2\x80\xae,pts/2,attached\r\n"), *fg;

	(void)state;
	assert_true(peer_until(at, "attach#1 bob<202e>\""));
	check(ask("POST", "/api/viewers/1/bye", NULL, "{\"how\":\"stop\"}"), 200, "serving");
	check(ask("POST", "/api/viewers/1/bye", NULL, "{\"how\":\"kill\"}"), 422, NULL);
	assert_int_equal(core.shutdowns, 0);
	fg = watch("", "X-Mai-Viewer: ann,pts/1,foreground\r\n");
	assert_int_equal(api_viewers(core.api), 2);
	core.conf.hangup_detach = true;
	check(ask("POST", "/api/viewers/2/bye", NULL, "{\"how\":\"hangup\"}"), 200, "serving");
	core.conf.hangup_detach = false;
	check(ask("POST", "/api/viewers/2/bye", NULL, "{\"how\":\"hangup\"}"), 200, "shutting_down");
	assert_int_equal(core.shutdowns, 1);
	check(ask("POST", "/api/viewers/2/bye", "X-Mai-Viewer-Id: 2\r\n", "{\"how\":\"stop\"}"), 200, "shutting_down");
	assert_int_equal(core.shutdowns, 2);
	assert_streq(core.who, "ann");
	peer_close(&fg);
	peer_close(&at);
	for (int i = 0; i < 500 && api_viewers(core.api) != 0; i++)
		core_turn(1);
	assert_int_equal(api_viewers(core.api), 0);
}

/* The viewer of a core that has died joins what took its place. */
static void
test_goodbyes_to_a_daemon(void **state)
{
	struct peer *fg = watch("", "X-Mai-Viewer: ann,pts/1,foreground\r\n");

	(void)state;
	assert_true(peer_until(fg, "\"foreground\":false"));
	check(ask("POST", "/api/viewers/1/bye", NULL, "{\"how\":\"hangup\"}"), 200, "serving");
	check(ask("POST", "/api/viewers/1/bye", NULL, "{\"how\":\"stop\"}"), 200, "serving");
	assert_int_equal(core.shutdowns, 0);
	peer_close(&fg);
}

static void
test_a_new_configuration(void **state)
{
	const struct bus_event e = {.kind = BUS_CONFIG};
	struct peer *p = watch("", "");
	const char *s;

	(void)state;
	assert_true(peer_until(p, "\"history\":"));
	forget(p);
	core.models[2].name = S("Renamed");
	bus_publish(core.bus, &e);
	api_set_conf(core.api, &core.conf);
	assert_true(peer_until(p, "\"history\":"));
	core_turn(20);
	peer_until(p, "\"history\":");
	s = strstr(strbuf_str(&p->in), "event: snapshot\n");
	assert_non_null(s);
	assert_non_null(strstr(s, "\"Renamed\""));
	assert_null(strstr(s + 1, "event: snapshot\n"));
	peer_close(&p);
}

static void
test_snapshot(void **state)
{
	const char *a = ask("GET", "/api/snapshot", NULL, NULL), *body = strstr(a, "\r\n\r\n");
	struct view v;
	struct err e;

	(void)state;
	check(a, 200, NULL);
	assert_non_null(body);
	view_init(&v);
	assert_int_equal(view_apply(&v, "snapshot", body + 4, strlen(body + 4), clock_ms(), &e), 0);
	assert_int_equal(v.nengines, 3);
	assert_true(v.engines[0].current);
	assert_streq(v.engines[0].kind, conf_kind_find("mlx_lm")->label);
	assert_streq(v.engines[1].last_exit, "SIGKILL, not by us after 12s");
	assert_streq(v.engines[1].cause, "secret words of the engine");
	assert_int_equal(v.swaps, 4);
	view_fini(&v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_seed_reading, setup, teardown),
		cmocka_unit_test_setup_teardown(test_load, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop_and_start, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client_leaves_a_verb, setup, teardown),
		cmocka_unit_test_setup_teardown(test_models, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors_of_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_origins_and_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(test_management, setup, teardown),
		cmocka_unit_test_setup_teardown(test_metrics, setup, teardown),
		cmocka_unit_test_setup_teardown(test_logs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events_are_understood, setup, teardown),
		cmocka_unit_test_setup_teardown(test_since, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_viewers_and_goodbyes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_goodbyes_to_a_daemon, setup_daemon, teardown),
		cmocka_unit_test_setup_teardown(test_a_new_configuration, setup, teardown),
		cmocka_unit_test_setup_teardown(test_snapshot, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
