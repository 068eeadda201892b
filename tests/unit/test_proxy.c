/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "proxy_bench.h"

/* Requests ------------------------------------------------------------------------------------------------------- */

static void
test_plain(void **state)
{
	static const char answer[] = "{\"model\":\"qwen\",\"usage\":{\"prompt_tokens\":902,\"completion_tokens\":318}}";
	char head[300];

	(void)state;
	post("{\"model\":\"qwen\",\"x\":1}");
	at_engine("{\"model\":\"qwen\",\"x\":1}");
	assert_streq(asked, "qwen");
	assert_memory_equal(up.in.p, "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:", 52);
	assert_non_null(strstr(up.in.p, "\r\nContent-Length: 22\r\n"));
	assert_non_null(strstr(up.in.p, "\r\nX-Keep: kept\r\n"));
	assert_null(strstr(up.in.p, "secret"));
	assert_null(strstr(up.in.p, "gzip"));
	assert_null(strstr(up.in.p, "hop"));
	assert_null(strstr(up.in.p, "1.2.3.4"));
	assert_null(strstr(up.in.p, "chunked"));
	snprintf(head, sizeof(head), "HTTP/1.1 201 Created\r\nServer: engine\r\nAccess-Control-Allow-Origin: *\r\n"
	    "Date: long ago\r\nConnection: X-Hop\r\nX-Hop: 1\r\nX-Engine: yes\r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\n\r\n", strlen(answer));
	net_send(&up, head);
	net_send(&up, answer);
	UNTIL(net_has(&cl, answer));
	assert_memory_equal(cl.in.p, "HTTP/1.1 201 Created\r\n", 22);
	assert_non_null(strstr(cl.in.p, "\r\nX-Engine: yes\r\n"));
	assert_non_null(strstr(cl.in.p, "\r\nX-Mai-Model: qwen\r\n"));
	assert_non_null(strstr(cl.in.p, "\r\nX-Request-Id: "));
	assert_null(strstr(cl.in.p, "X-Queue-Ms"));
	assert_null(strstr(cl.in.p, "X-Hop"));
	assert_null(strstr(cl.in.p, "Access-Control"));
	assert_null(strstr(cl.in.p, "Server:"));
	assert_null(strstr(cl.in.p, "long ago"));
	assert_non_null(strstr(access_line(), " POST /v1/chat/completions 201 "));
	assert_non_null(strstr(last_access, " 902 in 318 out"));
	assert_int_equal(last_level, ' ');
	assert_int_equal(http_pool_idle(pool), 1);
	assert_int_equal(ntickets, 0);
	assert_true(nrequests_seen >= 4);
}

static void
test_stream(void **state)
{
	struct strbuf text = STRBUF_INIT;
	struct proxy_totals sum;

	(void)state;
	waited = 40;
	post("{\"stream\":true,\"model\":null}");
	at_engine("{\"stream\":true}");
	assert_streq(asked, "(none)");
	net_send(&up, SSE_HEAD);
	for (int i = 0; i < 3; i++)
		loop_once(loop, 2);
	net_read(&cl);
	assert_int_equal(cl.in.len, 0);	/* nothing before the first byte of content */
	net_send(&up, "1d\r\n: ping\n\ndata: {\"content\":\"1\"}\r\n2\r\n\n\n\r\n");
	UNTIL(net_has(&cl, ": ping\n\ndata: {\"content\":\"1\"}"));
	assert_non_null(strstr(cl.in.p, "Content-Type: text/event-stream; charset=utf-8\r\n"));
	assert_non_null(strstr(cl.in.p, "X-Accel-Buffering: no\r\n"));
	assert_non_null(strstr(cl.in.p, "X-Queue-Ms: 40\r\n"));
	assert_non_null(strstr(cl.in.p, "Transfer-Encoding: chunked\r\n"));
	net_send(&up, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
	UNTIL(net_has(&cl, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"));
	proxy_totals(proxy, &sum);
	assert_int_equal(sum.done, 1);
	assert_int_equal(sum.truncated, 0);
	assert_int_equal(sum.tokens_out, 1);
	metrics_text(metrics, &text);
	assert_non_null(strstr(text.p, "mai_requests_total{model=\"qwen\",code=\"200\"} 1"));
	assert_non_null(strstr(text.p, "mai_tokens_total{model=\"qwen\"} 1"));
	strbuf_fini(&text);
}

static void
test_upstream_name(void **state)
{
	(void)state;
	qwen.upstream_model = (char[]){"default_model"};
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"default_model\"}");
	net_send(&up, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n{\"model\": \"defa");
	for (int i = 0; i < 3; i++)
		loop_once(loop, 2);
	net_send(&up, "ult_model\"}\n");
	UNTIL(net_has(&cl, "\r\n\r\n{\"model\": \"qwen\"}\n"));
	assert_null(strstr(cl.in.p, "default_model"));
	assert_non_null(strstr(cl.in.p, "Content-Length: 18\r\n"));
}

static void
test_defaults(void **state)
{
	(void)state;
	conf.fill_defaults = true;
	post("{\"model\":\"qwen\",\"temperature\":0}");
	at_engine("{\"max_tokens\":2048,\"top_p\":1.0,\"model\":\"qwen\",\"temperature\":0}");
	assert_non_null(strstr(up.in.p, "Content-Length: 62\r\n"));
}

static void
test_waits(void **state)
{
	(void)state;
	must_wait = true;
	post("{\"model\":\"qwen\"}");
	UNTIL(newest != NULL && ntickets == 1);
	for (int i = 0; i < 3; i++)
		loop_once(loop, 2);
	assert_false(accepted());
	waited = 1500;
	serve_waiter();
	at_engine("{\"model\":\"qwen\"}");
	net_send(&up, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	UNTIL(net_has(&cl, "\r\n\r\nok"));
	assert_non_null(strstr(cl.in.p, "X-Queue-Ms: 1500\r\n"));
}

static void
test_leaves_while_waiting(void **state)
{
	(void)state;
	must_wait = true;
	post("{\"model\":\"qwen\"}");
	UNTIL(ntickets == 1);
	net_close(&cl);
	UNTIL(ntickets == 0);
	assert_non_null(strstr(access_line(), " 499 "));
	assert_int_equal(last_level, 'W');
	assert_false(accepted());
}

static void
test_leaves_mid_stream(void **state)
{
	(void)state;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	net_send(&up, SSE_HEAD "9\r\ndata: 1\n\n\r\n");
	UNTIL(net_has(&cl, "data: 1"));
	net_close(&cl);
	UNTIL(net_ended(&up));
	assert_int_equal(ntickets, 0);
	assert_non_null(strstr(access_line(), " 499 "));
}

static void
test_abort_drain(void **state)
{
	(void)state;
	qwen.abort_drain = true;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	net_send(&up, SSE_HEAD "9\r\ndata: 1\n\n\r\n");
	UNTIL(net_has(&cl, "data: 1"));
	net_close(&cl);
	UNTIL(strstr(access_line(), " 499 ") != NULL);
	assert_int_equal(ntickets, 1);
	net_send(&up, "9\r\ndata: 2\n\n\r\n0\r\n\r\n");
	UNTIL(ntickets == 0);
	assert_false(net_ended(&up));
}

static void
begin_drain(void)
{
	qwen.abort_drain = true;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	net_send(&up, SSE_HEAD "9\r\ndata: 1\n\n\r\n");
	UNTIL(net_has(&cl, "data: 1"));
	net_close(&cl);
	UNTIL(strstr(access_line(), " 499 ") != NULL);
	assert_int_equal(ntickets, 1);
}

/* An engine that never ends keeps nothing for ever. */
static void
test_abort_drain_takes_its_time(void **state)
{
	(void)state;
	qwen.drain_timeout = 150;
	begin_drain();
	for (uint64_t end = clock_ms() + 50; clock_ms() < end;)
		loop_once(loop, 5);
	assert_int_equal(ntickets, 1);
	UNTIL(ntickets == 0);
	UNTIL(net_ended(&up));
}

static void
test_abort_drain_takes_so_much(void **state)
{
	static char piece[64 * 1024];
	char head[16];
	size_t sent = 0;

	(void)state;
	qwen.drain_timeout = 600000;
	begin_drain();
	memset(piece, 'x', sizeof(piece) - 1);
	snprintf(head, sizeof(head), "%zx\r\n", sizeof(piece) - 1);
	while (ntickets != 0 && sent < (20u << 20)) {
		net_send(&up, head);
		net_send(&up, piece);
		net_send(&up, "\r\n");
		sent += sizeof(piece);
		for (int i = 0; i < 4; i++)
			loop_once(loop, 0);
		/* Not before 16 MiB. */
		assert_true(ntickets == 1 || sent >= (16u << 20));
	}
	assert_int_equal(ntickets, 0);
}

static void
test_refusals(void **state)
{
	static const struct {
		enum router_refusal r;
		const char *status, *code;
	} cases[] = {
		{REFUSE_NOT_FOUND, "404", "model_not_found"}, {REFUSE_CONFLICT, "409", "model_conflict"},
		{REFUSE_QUEUE_FULL, "503", "queue_full"}, {REFUSE_FAILED, "503", "engine_failed"},
		{REFUSE_SHUTDOWN, "503", "shutting_down"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char want[64];

		verdict = (struct router_answer){.refusal = cases[i].r, .cause = "because"};
		strbuf_clear(&cl.in);
		post("{\"model\":\"other\"}");
		snprintf(want, sizeof(want), "\"code\":\"%s\",\"param\":null}", cases[i].code);
		UNTIL(net_has(&cl, want));
		assert_memory_equal(cl.in.p + 9, cases[i].status, 3);
		assert_int_equal(strstr(cl.in.p, "\r\nRetry-After: ") != NULL, cases[i].status[0] == '5');
		assert_non_null(strstr(cl.in.p, "\"cause\":\"because\""));
	}
	verdict.refusal = REFUSE_NOT_FOUND;
	strbuf_clear(&cl.in);
	post_to("/v1/messages", "{\"model\":\"other\"}");
	UNTIL(net_has(&cl, "{\"type\":\"error\",\"error\":{\"message\":\"there is no model \\\"other\\\"; configured: qwen\""));
	conf.nmodels = 0;	/* or all of them unlisted */
	strbuf_clear(&cl.in);
	post_to("/v1/messages", "{\"model\":\"other\"}");
	UNTIL(net_has(&cl, "{\"type\":\"error\",\"error\":{\"message\":\"there is no model \\\"other\\\"\","));
}

static void
test_bad_requests(void **state)
{
	(void)state;
	post("{\"model\":");
	UNTIL(net_has(&cl, "400 Bad Request"));
	assert_non_null(strstr(cl.in.p, "\"code\":\"bad_request\""));
	strbuf_clear(&cl.in);
	post("{\"model\":1}");
	UNTIL(net_has(&cl, "model is no string"));
	strbuf_clear(&cl.in);
	net_send(&cl, "GET /v1/chat/completions HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(net_has(&cl, "{\"detail\":\"Method Not Allowed\"}"));
	assert_non_null(strstr(cl.in.p, "Allow: POST\r\n"));
	strbuf_clear(&cl.in);
	net_send(&cl, "GET /props HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(net_has(&cl, "?model= is needed"));
	assert_int_equal(ntickets, 0);
	assert_false(accepted());
}

static void
test_other_ways_to_name(void **state)
{
	(void)state;
	net_send(&cl, "GET /props?model=qwen HTTP/1.1\r\nHost: x\r\n\r\n");
	at_engine("GET /props?model=qwen HTTP/1.1\r\n");
	assert_streq(asked, "qwen");
	net_send(&up, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	UNTIL(net_has(&cl, "\r\n\r\n{}"));
	qwen.upstream_model = (char[]){"up"};
	net_send(&cl, "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=\"B\"\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n49\r\n--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper"
	    "\r\n--B--\r\n\r\n\r\n\r\n0\r\n\r\n");
	UNTIL(net_has(&up, "name=\"model\"\r\n\r\nup\r\n--B--"));
	assert_streq(asked, "whisper");
	assert_non_null(strstr(up.in.p, "Content-Length: 68\r\n"));
	net_send(&up, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
	UNTIL(net_has(&cl, "\r\n\r\nhi"));
	net_send(&cl, "GET /extra HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(net_has(&up, "GET /extra"));
	assert_false(proxy_claims(proxy, (struct http_str){"/slots", 6}));
	assert_false(proxy_claims(proxy, (struct http_str){"/v1/audio/", 10}));
}

static void
test_too_large(void **state)
{
	static char big[65536];

	(void)state;
	conf.max_body = 100000;
	net_send(&cl, "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n");
	UNTIL(net_has(&cl, "HTTP/1.1 413 "));
	net_close(&cl);
	cl = net_connect(front);
	memset(big, ' ', sizeof(big));
	net_send(&cl, "POST /v1/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n");
	net_sendn(&cl, big, sizeof(big));
	for (int i = 0; i < 3; i++)
		loop_once(loop, 1);
	net_sendn(&cl, big, sizeof(big));
	UNTIL(net_has(&cl, "body_too_large"));
	assert_false(accepted());
}

static void
test_body_memory(void **state)
{
	static char big[65536];
	struct net_peer first = cl;

	(void)state;
	conf.body_memory = 1;	/* the first is over it at once, and goes on when it is alone */
	memset(big, ' ', sizeof(big));
	net_send(&first, "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 65538\r\n\r\n{}");
	cl = net_connect(front);
	for (int i = 0; i < 3; i++)
		loop_once(loop, 2);
	net_sendn(&first, big, sizeof(big));
	for (int i = 0; i < 5; i++)
		loop_once(loop, 2);
	assert_int_equal(ntickets, 0);	/* paused */
	net_close(&first);
	UNTIL(strstr(access_line(), " 499 ") != NULL);
}

/* Engines that fail ---------------------------------------------------------------------------------------------- */

static void
test_no_answer(void **state)
{
	(void)state;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	net_close(&up);
	UNTIL(net_has(&cl, "HTTP/1.1 502 "));
	assert_non_null(strstr(cl.in.p, "\"code\":\"bad_gateway\""));
	assert_int_equal(nsuspects, 1);
	assert_int_equal(nrequeues, 0);
	assert_false(accepted());	/* never sent twice */
	assert_non_null(strstr(access_line(), " 502 "));
	assert_int_equal(last_level, 'E');
}

static uint64_t row_id;
static enum req_phase row_phase;
static int row_position;

static void
see(void *arg, const struct proxy_row *row)
{
	(void)arg;
	row_id = row->id;
	row_phase = row->phase;
	row_position = row->position;
	assert_streq(row->model, "qwen");
	assert_streq(row->path, "/v1/chat/completions");
	assert_streq(row->api, "chat");
}

/* It goes while it is not yet known what became of its engine, and was the last that this one waited for. */
static void
test_goes_while_deciding(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		net_close(&cl);
		cl = net_connect(front);
		post("{\"model\":\"qwen\"}");
		at_engine("{\"model\":\"qwen\"}");
		nsuspects = 0;
		net_close(&up);
		UNTIL(nsuspects == 1);
		stops_when_done = true;
		proxy_each(proxy, see, NULL);
		if (i == 0)
			assert_true(proxy_cancel(proxy, row_id));
		else
			net_close(&cl);
		UNTIL(ntickets == 0);
		for (int k = 0; k < 5; k++)
			loop_once(loop, 2);
		stops_when_done = false;
	}
}

static void
test_crash_is_invisible_once(void **state)
{
	(void)state;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	/* Even when its header came. */
	net_send(&up, SSE_HEAD);
	for (int i = 0; i < 3; i++)
		loop_once(loop, 2);
	net_close(&up);
	loop_once(loop, 2);
	engine_event(ENGINE_BACKOFF, REASON_CRASH);
	UNTIL(nrequeues == 1);
	net_read(&cl);
	assert_int_equal(cl.in.len, 0);
	serve_waiter();
	at_engine("{\"model\":\"qwen\"}");
	assert_int_equal(net_count(&up, "POST "), 1);
	/* The second time it is told. */
	engine_event(ENGINE_BACKOFF, REASON_CRASH);
	net_close(&up);
	UNTIL(net_has(&cl, "\"code\":\"engine_crashed\""));
	assert_memory_equal(cl.in.p, "HTTP/1.1 502 ", 13);
	assert_non_null(strstr(cl.in.p, "\"cause\":\"out of luck\""));
	assert_non_null(strstr(cl.in.p, "\"exit\":\"exit status 1\""));
}

static void
test_stopped_meanwhile(void **state)
{
	(void)state;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	engine_event(ENGINE_STOPPING, REASON_USER);
	UNTIL(net_ended(&up));	/* hung up on: it may wait for its clients */
	UNTIL(net_has(&cl, "HTTP/1.1 503 "));
	assert_int_equal(nrequeues, 0);
}

/* It dies while it drains: what it had sent is read to its end, and who got nothing waits again. */
static void
test_died_while_it_was_to_stop(void **state)
{
	(void)state;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	net_send(&up, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
	UNTIL(net_has(&cl, "hello"));
	engine_event(ENGINE_STOPPING, REASON_CRASH);
	for (int i = 0; i < 3; i++)
		loop_once(loop, 2);
	net_send(&up, "world");
	net_close(&up);
	UNTIL(net_has(&cl, "helloworld"));
	strbuf_clear(&cl.in);
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	engine_event(ENGINE_STOPPING, REASON_CRASH);
	net_close(&up);
	UNTIL(nrequeues == 1);
	net_read(&cl);
	assert_int_equal(cl.in.len, 0);
}

static void
test_malformed(void **state)
{
	(void)state;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	net_send(&up, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\nX-Evil: 1\r\n\r\nab");
	UNTIL(net_has(&cl, "HTTP/1.1 502 "));
	assert_null(strstr(cl.in.p, "X-Evil"));
}

static void
cut_mid_stream(const char *path)
{
	post_to(path, "{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	net_send(&up, SSE_HEAD "c\r\ndata: 1\n\ndat\r\n");
	UNTIL(net_has(&cl, "data: 1"));
	net_close(&up);
	loop_once(loop, 2);
	engine_event(ENGINE_BACKOFF, REASON_CRASH);
	UNTIL(net_ended(&cl));
	assert_null(strstr(cl.in.p, "0\r\n\r\n"));
	assert_null(strstr(cl.in.p, "[DONE]"));
	assert_non_null(strstr(access_line(), " cut short"));
	assert_int_equal(last_level, 'E');
}

static void
test_death_mid_stream(void **state)
{
	struct proxy_totals sum;

	(void)state;
	cut_mid_stream("/v1/chat/completions");
	assert_non_null(strstr(cl.in.p, "dat\r\n"));
	assert_non_null(strstr(cl.in.p, "\n\ndata: {\"error\":{\"message\":"));
	assert_non_null(strstr(cl.in.p, "\"code\":\"engine_crashed\""));
	assert_non_null(strstr(cl.in.p, "\"cause\":\"out of luck\""));
	proxy_totals(proxy, &sum);
	assert_int_equal(sum.truncated, 1);
	net_close(&cl);
	cl = net_connect(front);
	cut_mid_stream("/v1/messages");
	assert_non_null(strstr(cl.in.p, "event: error\ndata: {\"type\":\"error\",\"error\":{"));
	net_close(&cl);
	cl = net_connect(front);
	cut_mid_stream("/v1/responses");
	assert_non_null(strstr(cl.in.p, "event: response.failed\ndata: {\"type\":\"response.failed\""));
}

static void
test_json_cut(void **state)
{
	(void)state;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	net_send(&up, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"a\"");
	UNTIL(net_has(&cl, "{\"a\""));
	net_close(&up);
	UNTIL(net_ended(&cl));
	assert_null(strstr(cl.in.p, "error"));
}

/* mlx_lm.server: HTTP/1.0, the end of the connection ends the stream. */
static void
test_close_delimited(void **state)
{
	(void)state;
	target.keep_alive = false;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	assert_non_null(strstr(up.in.p, "Connection: close\r\n"));
	net_send(&up, "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\ndata: [DONE]\n\n");
	UNTIL(net_has(&cl, "data: [DONE]\n\n"));
	net_close(&up);
	UNTIL(net_has(&cl, "\r\n0\r\n\r\n"));
	strbuf_clear(&cl.in);
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	net_send(&up, "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
	UNTIL(net_has(&cl, "data: 1\n\n"));
	net_close(&up);
	UNTIL(net_ended(&cl));
	assert_non_null(strstr(cl.in.p, "data: {\"error\":{"));
	assert_null(strstr(cl.in.p, "0\r\n\r\n"));
}

static void
see_model(void *arg, const struct proxy_row *row)
{
	assert_streq(row->model, (const char *)arg);
}

/* Whether its end is honest: proxy_usage knows, here it is what the client gets. */
static void
test_ends(void **state)
{
	(void)state;
	/* The message ended properly, the answer did not. */
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	net_send(&up, SSE_HEAD);
	up_chunk("data: {\"content\":\"a\"}\n\n");
	up_last();
	UNTIL(net_ended(&cl));
	assert_non_null(strstr(cl.in.p, "\"code\":\"bad_gateway\""));
	assert_null(strstr(cl.in.p, "\r\n0\r\n\r\n"));
	assert_non_null(strstr(access_line(), " cut short"));
	/* The other way round: only the final chunk is missing. */
	net_close(&cl);
	cl = net_connect(front);
	strbuf_clear(&up.in);
	post("{\"model\":\"qwen\"}");
	UNTIL(net_has(&up, "{\"model\":\"qwen\"}"));	/* on the connection that was kept */
	net_send(&up, SSE_HEAD);
	up_chunk("data: {\"content\":\"a\"}\n\ndata: [DONE]\n\n");
	UNTIL(net_has(&cl, "[DONE]"));
	net_close(&up);
	UNTIL(net_has(&cl, "\r\n0\r\n\r\n"));
	assert_null(strstr(cl.in.p, "error"));
	assert_null(strstr(access_line(), " cut short"));
	/* Nor is anything cut where it is stopped, or its request cancelled, before it comes to it. */
	for (int i = 0; i < 2; i++) {
		strbuf_clear(&cl.in);
		post("{\"model\":\"qwen\"}");
		at_engine("{\"model\":\"qwen\"}");
		net_send(&up, SSE_HEAD);
		up_chunk("data: {\"content\":\"a\"}\n\ndata: [DONE]\n\n");
		UNTIL(net_has(&cl, "[DONE]"));
		proxy_each(proxy, see, NULL);
		if (i == 0)
			engine_event(ENGINE_STOPPING, REASON_USER);
		else
			assert_true(proxy_cancel(proxy, row_id));
		UNTIL(net_has(&cl, "\r\n0\r\n\r\n") && net_ended(&up));
		assert_null(strstr(cl.in.p, "error"));
		assert_null(strstr(access_line(), " cut short"));
	}
	/* The engine told of an error and broke off: nothing is added. */
	strbuf_clear(&cl.in);
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	net_send(&up, SSE_HEAD);
	up_chunk("data: {\"error\":{\"message\":\"no\"}}\n\n");
	UNTIL(net_has(&cl, "\"no\""));
	net_close(&up);
	UNTIL(net_ended(&cl));
	assert_int_equal(net_count(&cl, "\"error\""), 1);
	assert_null(strstr(cl.in.p, "\r\n0\r\n\r\n"));
	assert_non_null(strstr(access_line(), " with an error"));
	assert_int_equal(last_level, 'E');
	/* Nor when it is stopped at that moment. */
	net_close(&cl);
	cl = net_connect(front);
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	net_send(&up, SSE_HEAD);
	up_chunk("data: {\"error\":{\"message\":\"no\"}}\n\n");
	UNTIL(net_has(&cl, "\"no\""));
	engine_event(ENGINE_STOPPING, REASON_USER);
	UNTIL(net_ended(&cl));
	assert_int_equal(net_count(&cl, "\"error\""), 1);
}

/* Of an engine that only pings nobody says that it works. */
static void
test_what_is_work(void **state)
{
	static const struct {
		const char *text;
		int n;
	} chunks[] = {
		{":\n\n", 0}, {": ping\n\n", 0}, {": keepalive 1/4\n\n", 1}, {": keepalive 1/4\n\n", 0}, {": keepalive 2/4\n\n", 1},
		{"data: {", 1}, {"}\n\n", 1}, {":\n\n", 0},
	};

	(void)state;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	assert_int_equal(nprogress, 0);
	net_send(&up, SSE_HEAD);
	UNTIL(nprogress == 1);
	for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
		nprogress = 0;
		strbuf_clear(&cl.in);
		up_chunk(chunks[i].text);
		UNTIL(net_has(&cl, chunks[i].text));
		assert_int_equal(nprogress, chunks[i].n);
	}
}

/* Which model a request that waits is shown with. */
static void
test_who_it_waits_for(void **state)
{
	(void)state;
	must_wait = true;
	leads_to = "first";
	post("{\"model\":\"other\"}");
	UNTIL(ntickets == 1);
	proxy_each(proxy, see_model, (void *)(uintptr_t)"first");
	/* Somebody loaded another one, which answers for every name. */
	leads_to = "second";
	proxy_each(proxy, see_model, (void *)(uintptr_t)"second");
}

static void
test_slow_reader(void **state)
{
	static char chunk[65536];
	size_t sent = 0, body;

	(void)state;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	memset(chunk, 'x', sizeof(chunk));
	net_send(&up, "HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nContent-Length: 67108864\r\n\r\n");
	/* The engine cannot push more than sockets and one back-log hold. */
	for (int i = 0; i < 3000; i++) {
		ssize_t k = send(up.fd, chunk, sent + sizeof(chunk) > 67108864 ? 0 : sizeof(chunk), MSG_NOSIGNAL);

		if (k > 0)
			sent += (size_t)k;
		loop_once(loop, 0);
	}
	assert_true(sent < 48u << 20);
	while (sent < 67108864) {
		size_t n = 67108864 - sent < sizeof(chunk) ? 67108864 - sent : sizeof(chunk);
		ssize_t k = send(up.fd, chunk, n, MSG_NOSIGNAL);

		if (k > 0)
			sent += (size_t)k;
		loop_once(loop, 0);
		net_read(&cl);
	}
	UNTIL((net_read(&cl), cl.in.len > 67108864 && http_pool_idle(pool) == 1));
	UNTIL((net_read(&cl), body = cl.in.len - (size_t)(strstr(cl.in.p, "\r\n\r\n") + 4 - cl.in.p), body == 67108864));
}

static void
test_rows_and_cancel(void **state)
{
	(void)state;
	must_wait = true;
	post("{\"model\":\"qwen\"}");
	UNTIL(ntickets == 1);
	proxy_each(proxy, see, NULL);
	assert_int_equal(row_phase, REQ_QUEUED);
	assert_int_equal(row_position, 1);
	assert_false(proxy_cancel(proxy, row_id + 1));
	assert_true(proxy_cancel(proxy, row_id));
	UNTIL(net_has(&cl, "\"code\":\"cancelled\""));
	assert_int_equal(ntickets, 0);
	must_wait = false;
	strbuf_clear(&cl.in);
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	proxy_each(proxy, see, NULL);
	assert_int_equal(row_phase, REQ_PREFILL);
	net_send(&up, SSE_HEAD "9\r\ndata: 1\n\n\r\n");
	UNTIL(net_has(&cl, "data: 1"));
	proxy_each(proxy, see, NULL);
	assert_int_equal(row_phase, REQ_GENERATING);
	assert_true(proxy_cancel(proxy, row_id));
	UNTIL(net_ended(&cl) && net_ended(&up));
	assert_non_null(strstr(cl.in.p, "\"code\":\"cancelled\""));
}

static void
test_ends_with_work(void **state)
{
	(void)state;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	proxy_free(&proxy);
	UNTIL(net_has(&cl, "\"code\":\"shutting_down\""));
	UNTIL(net_ended(&up));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_plain), T(test_stream), T(test_upstream_name), T(test_defaults), T(test_waits),
		T(test_leaves_while_waiting), T(test_leaves_mid_stream), T(test_abort_drain),
		T(test_abort_drain_takes_its_time), T(test_abort_drain_takes_so_much), T(test_refusals),
		T(test_bad_requests), T(test_other_ways_to_name), T(test_too_large), T(test_body_memory),
		T(test_no_answer), T(test_goes_while_deciding), T(test_crash_is_invisible_once), T(test_stopped_meanwhile),
		T(test_died_while_it_was_to_stop), T(test_malformed),
		T(test_death_mid_stream), T(test_json_cut), T(test_close_delimited), T(test_ends),
		T(test_what_is_work), T(test_who_it_waits_for), T(test_slow_reader),
		T(test_rows_and_cancel), T(test_ends_with_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
