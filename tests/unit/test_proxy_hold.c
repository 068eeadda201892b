/* SPDX-License-Identifier: ISC
 * Streams whose clients wait, by a clock that stands still. */
#include "proxy_bench.h"

#include "proxy/proxy_priv.h"

#define MS0 5000000
#define ASK "{\"model\":\"qwen\",\"stream\":true}"

static uint64_t ms;

static void
turn(void)
{
	for (int i = 0; i < 4; i++)
		loop_once(loop, 1);
	net_read(&cl);
}

/* Time passes. */
static void
pass(uint64_t n)
{
	ms += n;
	clock_fake(ms, 1700000000000 + ms);
	hold_look(proxy);
	turn();
}

static int
begin(void **state)
{
	int r;

	ms = MS0;
	clock_fake(ms, 1700000000000 + ms);
	r = setup(state);
	conf.heartbeat_after = 8000;
	conf.heartbeat_every = 10000;
	info.state = ENGINE_STARTING;
	info.progress = 430;
	must_wait = true;
	place = 2;
	return r;
}

static int
end(void **state)
{
	int r = teardown(state);

	clock_fake_off();
	return r;
}

static const struct {
	const char *path, *beat, *type;
} apis[] = {
	{"/v1/chat/completions", ": mai: loading qwen 43 %, position 2\n\n", "text/event-stream; charset=utf-8"},
	{"/v1/completions", ": mai: loading qwen 43 %, position 2\n\n", "text/event-stream"},
	{"/v1/messages", "event: ping\ndata: {\"type\": \"ping\"}\n\n", "text/event-stream"},
	{"/v1/responses", ": mai: loading qwen 43 %, position 2\n\n", "text/event-stream"},
};
#define EACH_API(i) for (size_t i = 0; i < ARRAY_LEN(apis); again(), i++)

/* A fresh connection for the next round. */
static void
again(void)
{
	turn();
	net_close(&cl);
	net_close(&up);
	UNTIL(ntickets == 0);
	cl = net_connect(front);
	must_wait = true;
	info.state = ENGINE_STARTING;
	nrequeues = 0;
}

static void
wait_in_queue(const char *path)
{
	post_to(path, ASK);
	UNTIL(ntickets == 1);
	turn();
}

/* It waits and has got its first heartbeat. */
static void
open_stream(size_t api)
{
	wait_in_queue(apis[api].path);
	pass(8000);
	assert_true(net_has(&cl, apis[api].beat));
}

/* Its turn comes, and the engine has its request. */
static void
granted(void)
{
	info.state = ENGINE_READY;
	serve_waiter();
	at_engine(ASK);
}

static void
ends_broken(const char *error)
{
	UNTIL(net_ended(&cl));
	if (strstr(cl.in.p, error) == NULL)
		fail_msg("%s\nhas no %s", cl.in.p, error);
	assert_null(strstr(cl.in.p, "\r\n0\r\n\r\n"));
	assert_null(strstr(cl.in.p, "[DONE]"));
	assert_null(strstr(cl.in.p, "message_stop"));
	assert_null(strstr(cl.in.p, "response.completed"));
	assert_int_equal(ntickets, 0);
}

static const char *
error_of(size_t api)
{
	return apis[api].path[4] == 'm' ? "\r\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"message\":" :
	    apis[api].path[4] == 'r' ? "\r\nevent: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{" :
	    "\r\ndata: {\"error\":{\"message\":";
}

static void
test_when(void **state)
{
	(void)state;
	EACH_API(i) {
		char type[100];

		wait_in_queue(apis[i].path);
		pass(7900);
		assert_int_equal(cl.in.len, 0);
		pass(100);
		assert_true(net_has(&cl, apis[i].beat));
		assert_memory_equal(cl.in.p, "HTTP/1.1 200 OK\r\n", 17);
		snprintf(type, sizeof(type), "\r\nContent-Type: %s\r\n", apis[i].type);
		assert_non_null(strstr(cl.in.p, type));
		assert_non_null(strstr(cl.in.p, "\r\nX-Accel-Buffering: no\r\n"));
		assert_non_null(strstr(cl.in.p, "\r\nX-Mai-Model: qwen\r\n"));
		assert_non_null(strstr(cl.in.p, "\r\nX-Request-Id: "));
		assert_non_null(strstr(cl.in.p, "\r\nTransfer-Encoding: chunked\r\n"));
		assert_int_equal(net_count(&cl, apis[i].beat), 1);
		pass(9900);
		assert_int_equal(net_count(&cl, apis[i].beat), 1);
		for (int k = 2; k < 30; k++) {
			pass(k == 2 ? 100 : 10000);
			assert_int_equal(net_count(&cl, apis[i].beat), k);
		}
	}
}

/* Nobody else is told: no stream, another API, an engine that answers in time. */
static void
test_who_not(void **state)
{
	static const char *const paths[] = {
		"/v1/embeddings", "/v1/messages/count_tokens", "/completion", "/v1/audio/speech", "/v1/rerank",
	};

	(void)state;
	post("{\"model\":\"qwen\"}");
	UNTIL(ntickets == 1);
	pass(100000);
	assert_int_equal(cl.in.len, 0);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		again();
		wait_in_queue(paths[i]);
		pass(100000);
		assert_int_equal(cl.in.len, 0);
	}
	again();
	conf.heartbeat_after = 0;
	wait_in_queue(apis[0].path);
	pass(100000);
	assert_int_equal(cl.in.len, 0);
	again();
	conf.heartbeat_after = 8000;
	must_wait = false;
	info.state = ENGINE_READY;
	post(ASK);
	at_engine(ASK);
	net_send(&up, SSE_HEAD);
	up_chunk("data: 1\n\n");
	UNTIL(net_has(&cl, "data: 1"));
	for (int i = 0; i < 20; i++)
		pass(10000);
	assert_null(strstr(cl.in.p, "mai:"));
	assert_false(timer_armed(&proxy->look));
}

static void
test_then_the_stream(void **state)
{
	(void)state;
	EACH_API(i) {
		const char *last = apis[i].path[4] == 'm' ? "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n" :
		    apis[i].path[4] == 'r' ? "data: {\"type\":\"response.completed\"}\n\n" : "data: [DONE]\n\n";

		open_stream(i);
		granted();
		net_send(&up, SSE_HEAD);
		up_chunk("data: {\"delta\":\"one\"}\n\n");
		UNTIL(net_has(&cl, "data: {\"delta\":\"one\"}\n\n"));
		pass(20000);
		up_chunk(last);
		up_last();
		UNTIL(net_has(&cl, "\r\n0\r\n\r\n"));
		assert_int_equal(net_count(&cl, "HTTP/1.1"), 1);
		assert_int_equal(net_count(&cl, "Content-Type"), 1);
		assert_int_equal(net_count(&cl, apis[i].beat), 1);
		assert_non_null(strstr(access_line(), " 200 "));
		assert_int_equal(last_level, ' ');
	}
}

/* It was granted at once, but the engine works on the prompt for long. */
static void
test_prefill(void **state)
{
	(void)state;
	must_wait = false;
	info.state = ENGINE_READY;
	post(ASK);
	at_engine(ASK);
	pass(8000);
	assert_true(net_has(&cl, ": mai: qwen works on the prompt\n\n"));
	/* What the engine says of it passes, and is told. */
	net_send(&up, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nX-Late: 1\r\n\r\n");
	up_chunk(": keepalive 2048/8192\n\n");
	UNTIL(net_has(&cl, ": keepalive 2048/8192\n\n"));
	assert_null(strstr(cl.in.p, "X-Late"));
	pass(9900);
	assert_int_equal(net_count(&cl, "mai:"), 1);
	pass(100);
	assert_true(net_has(&cl, ": mai: qwen works on the prompt 25 %\n\n"));
	/* In the midst of a comment of the engine's there is no place for another one. */
	up_chunk(": keepalive 4096/");
	UNTIL(net_has(&cl, ": keepalive 4096/"));
	pass(30000);
	assert_int_equal(net_count(&cl, "mai:"), 2);
	up_chunk("8192\n\n");
	turn();
	pass(250);
	assert_int_equal(net_count(&cl, "mai:"), 2);	/* the engine has just said something */
	pass(10000);
	assert_true(net_has(&cl, ": mai: qwen works on the prompt 50 %\n\n"));
	assert_int_equal(net_count(&cl, "HTTP/1.1"), 1);
}

static void
test_nothing_when_dead(void **state)
{
	(void)state;
	must_wait = false;
	info.state = ENGINE_READY;
	post(ASK);
	at_engine(ASK);
	pass(8000);
	assert_int_equal(net_count(&cl, "mai:"), 1);
	/* It behaves as if dead towards somebody else. */
	proxy->models->suspect_at = ms;
	info.check_ok_at = ms;
	for (int i = 0; i < 5; i++)
		pass(10000);
	assert_int_equal(net_count(&cl, "mai:"), 1);
	/* Without any check it is forgotten in the end. */
	ms += 61000;
	clock_fake(ms, ms);
	pass(0);
	assert_int_equal(net_count(&cl, "mai:"), 2);
	proxy->models->suspect_at = ms;
	pass(10000);
	assert_int_equal(net_count(&cl, "mai:"), 2);
	/* A check of its health was good. */
	info.check_ok_at = ms;
	pass(1000);
	assert_int_equal(net_count(&cl, "mai:"), 3);
	/* It was declared dead. */
	info.state = ENGINE_BACKOFF;
	for (int i = 0; i < 10; i++)
		pass(10000);
	assert_int_equal(net_count(&cl, "mai:"), 3);
	/* Not so for those who wait for its restart. */
	must_wait = true;
	again();
	info.state = ENGINE_BACKOFF;
	info.retry_at = ms + 12000;
	wait_in_queue(apis[0].path);
	pass(8000);
	assert_true(net_has(&cl, ": mai: qwen failed, starts again in 4 s, position 2\n\n"));
	info.state = ENGINE_FAILED;
	pass(10000);
	pass(10000);
	assert_int_equal(net_count(&cl, "mai:"), 1);
}

static void
test_swap_is_told(void **state)
{
	(void)state;
	info.state = ENGINE_STOPPED;
	swap_from = "gemma";
	swap_to = "qwen";
	wait_in_queue(apis[0].path);
	pass(8000);
	assert_true(net_has(&cl, ": mai: waiting for gemma to make room for qwen, position 2\n\n"));
	place = 1;
	swap_to = NULL;
	info.state = ENGINE_READY;
	pass(10000);
	assert_true(net_has(&cl, ": mai: waiting for a place at qwen, position 1\n\n"));
}

/* ways out ------------------------------------------------------------------------------------------------------- */

static void
test_load_fails(void **state)
{
	static const struct {
		enum router_refusal r;
		const char *code;
	} whys[] = {
		{REFUSE_FAILED, "engine_failed"}, {REFUSE_QUEUE_TIMEOUT, "queue_timeout"}, {REFUSE_STOPPED, "engine_failed"},
		{REFUSE_SHUTDOWN, "shutting_down"},
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(whys); k++) {
		EACH_API(i) {
			char code[64];

			open_stream(i);
			refuse_waiter(whys[k].r);
			ends_broken(error_of(i));
			snprintf(code, sizeof(code), "\"code\":\"%s\"", whys[k].code);
			assert_non_null(strstr(cl.in.p, code));
			assert_non_null(strstr(cl.in.p, "\"mai\":{"));
			assert_non_null(strstr(cl.in.p, "\"cause\":\"because\""));
			assert_int_equal(net_count(&cl, "HTTP/1.1"), 1);
			assert_non_null(strstr(access_line(), " 503 "));
			assert_int_equal(last_level, 'E');
		}
	}
}

static void
test_cancel_and_end(void **state)
{
	(void)state;
	EACH_API(i) {
		open_stream(i);
		assert_true(proxy_cancel(proxy, proxy->first->id));
		ends_broken("\"code\":\"cancelled\"");
	}
	open_stream(0);
	proxy_free(&proxy);
	ends_broken("\"code\":\"shutting_down\"");
}

static void
test_client_leaves(void **state)
{
	(void)state;
	EACH_API(i) {
		open_stream(i);
		net_close(&cl);
		UNTIL(ntickets == 0);
		assert_non_null(strstr(access_line(), " 499 "));
		pass(20000);
	}
}

/* A crash before the first real byte stays invisible: once. */
static void
test_crash_before_the_answer(void **state)
{
	(void)state;
	EACH_API(i) {
		open_stream(i);
		granted();
		net_send(&up, SSE_HEAD);
		up_chunk(": keepalive 1/5\n\n: keepal");
		UNTIL(net_has(&cl, ": keepal\r\n"));
		net_close(&up);
		info.state = ENGINE_BACKOFF;
		engine_event(ENGINE_BACKOFF, REASON_CRASH);
		UNTIL(nrequeues == 1);
		pass(10000);
		pass(10000);
		assert_int_equal(net_count(&cl, "error"), 0);
		granted();
		net_send(&up, SSE_HEAD);
		up_chunk("data: {\"delta\":\"two\"}\n\n");
		/* On a line of its own. */
		UNTIL(net_has(&cl, "data: {\"delta\":\"two\"}\n\n"));
		assert_non_null(strstr(cl.in.p, ": keepal\r\n2\r\n\n\n\r\n"));
		assert_int_equal(net_count(&cl, "HTTP/1.1"), 1);
		ms += 10;
		clock_fake(ms, ms);
		net_close(&up);
		engine_event(ENGINE_BACKOFF, REASON_CRASH);
		ends_broken(error_of(i));
		assert_non_null(strstr(cl.in.p, "\"code\":\"engine_crashed\""));
		assert_non_null(strstr(access_line(), " cut short"));
	}
}

static void
test_crashes_twice(void **state)
{
	(void)state;
	EACH_API(i) {
		open_stream(i);
		for (int k = 0; k < 2; k++) {
			granted();
			net_close(&up);
			ms += 10;
			clock_fake(ms, ms);
			engine_event(ENGINE_BACKOFF, REASON_CRASH);
			UNTIL(nrequeues == 1);
		}
		ends_broken(error_of(i));
		assert_non_null(strstr(cl.in.p, "\"code\":\"engine_crashed\""));
		assert_non_null(strstr(access_line(), " 502 "));
	}
}

static void
test_stopped_before_the_answer(void **state)
{
	(void)state;
	EACH_API(i) {
		open_stream(i);
		granted();
		engine_event(ENGINE_STOPPING, REASON_USER);
		ends_broken(error_of(i));
		assert_non_null(strstr(cl.in.p, "the model was stopped before it answered"));
	}
}

/* answers that are no streams ------------------------------------------------------------------------------------- */

static void
plain_answer(const char *status, const char *type, const char *body)
{
	char head[200];

	granted();
	snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", status, type,
	    strlen(body));
	net_send(&up, head);
	net_send(&up, body);
}

static void
test_error_becomes_an_event(void **state)
{
	static const struct {
		const char *status, *type, *body, *message;
	} answers[] = {
		{"400 Bad Request", "application/json", "{\"error\":{\"code\":\"too_long\",\"type\":\"odd_error\","
		    "\"message\":\"the prompt is too long\"}}", "the prompt is too long"},
		{"404 Not Found", "application/json", "{\"error\": \"generation thread died\"}", "generation thread died"},
		{"500 Internal Server Error", "text/plain", "Oops", "the engine answered with status 500"},
		{"422 Unprocessable Content", "application/json", "{\"detail\":\"no\"}", "no"},
		{"503 Service Unavailable", "application/json", "{\"error\":{\"message\":", "status 503"},
		{"200 OK", "text/html", "<html>", "the engine's answer is no stream"},
		{"200 OK", "application/json", "", "the engine's answer is no stream"},
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(answers); k++) {
		EACH_API(i) {
			char want[200];

			open_stream(i);
			plain_answer(answers[k].status, answers[k].type, answers[k].body);
			ends_broken(error_of(i));
			assert_non_null(strstr(cl.in.p, answers[k].message));
			assert_int_equal(net_count(&cl, "HTTP/1.1"), 1);
			snprintf(want, sizeof(want), " %.3s ", answers[k].status[0] == '2' ? "502" : answers[k].status);
			assert_non_null(strstr(access_line(), want));
			if (k == 0)
				assert_non_null(strstr(cl.in.p, "\"code\":\"too_long\""));
		}
	}
}

static void
test_long_error(void **state)
{
	static char body[200000];

	(void)state;
	memset(body, 'x', sizeof(body) - 1);
	open_stream(0);
	plain_answer("500 Internal Server Error", "text/plain", body);
	ends_broken("status 500");
	memcpy(body, "{\"error\":\"", 10);
	strncpy(body + 60000, "\"}", 3);
	again();
	open_stream(0);
	plain_answer("500 Internal Server Error", "application/json", body);
	ends_broken("\"message\":\"xxx");
	assert_true(cl.in.len < 4000);
}

/* The body that the client has got, without its chunks; owned by the caller. */
static char *
body(void)
{
	const char *p = strstr(cl.in.p, "\r\n\r\n");
	struct strbuf b = STRBUF_INIT;
	unsigned long n;
	char *end;

	assert_non_null(p);
	for (p += 4; (n = strtoul(p, &end, 16)) != 0; p = end + 2 + n + 2)
		strbuf_add(&b, end + 2, n);
	return strbuf_take(&b);
}

/* The engine took no notice of "stream". */
static void
test_json_becomes_an_event(void **state)
{
	(void)state;
	EACH_API(i) {
		bool done = apis[i].path[4] == 'c';
		char want[300], *got;

		open_stream(i);
		plain_answer("200 OK", "application/json", "{\r\n  \"model\": \"/models/q.gguf\",\n  \"x\": 1\n}\n");
		UNTIL(net_has(&cl, "\r\n0\r\n\r\n"));
		snprintf(want, sizeof(want), "%sdata: {    \"model\": \"qwen\",   \"x\": 1 } \n\n%s", apis[i].beat,
		    done ? "data: [DONE]\n\n" : "");
		got = body();
		assert_streq(got, want);
		free(got);
		assert_int_equal(net_count(&cl, "HTTP/1.1"), 1);
	}
	/* Cut short it ends as a stream does. While it is made the client goes on to hear of it. */
	open_stream(0);
	granted();
	net_send(&up, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n");
	turn();
	pass(10000);
	assert_int_equal(net_count(&cl, "mai:"), 2);
	net_send(&up, "{\"a\":");
	UNTIL(net_has(&cl, "{\"a\":"));
	net_close(&up);
	ends_broken("\r\n\n\ndata: {\"error\":");
}

/* Its head came before the first heartbeat was due: it stays what it is. */
static void
test_json_that_is_slow(void **state)
{
	(void)state;
	must_wait = false;
	info.state = ENGINE_READY;
	post(ASK);
	at_engine(ASK);
	net_send(&up, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":");
	turn();
	pass(20000);
	net_send(&up, "1}");
	UNTIL(net_has(&cl, "\r\n\r\n{\"a\":1}"));
	assert_non_null(strstr(cl.in.p, "Content-Length: 7\r\n"));
	assert_null(strstr(cl.in.p, "mai:"));
}

/* progress that is shown ------------------------------------------------------------------------------------------- */

#define THOUGHT "\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"loading qwen 43 %, position 2\\n\"}," \
	"\"finish_reason\":null}]}\n\n"

static void
test_shown(void **state)
{
	(void)state;
	qwen.send_loading_state = true;
	wait_in_queue(apis[0].path);
	pass(900);
	assert_int_equal(cl.in.len, 0);
	pass(100);
	assert_true(net_has(&cl, THOUGHT));
	assert_non_null(strstr(cl.in.p, "\"object\":\"chat.completion.chunk\""));
	assert_non_null(strstr(cl.in.p, "\"model\":\"qwen\""));
	for (int i = 0; i < 5; i++)
		pass(1000);
	assert_int_equal(net_count(&cl, "reasoning_content"), 1);
	info.progress = 500;
	pass(1000);
	assert_int_equal(net_count(&cl, "reasoning_content"), 2);
	assert_non_null(strstr(cl.in.p, "\"loading qwen 50 %, position 2\\n\""));
	info.progress = 510;
	pass(300);
	info.progress = 520;
	pass(300);
	assert_int_equal(net_count(&cl, "reasoning_content"), 2);
	pass(400);
	assert_int_equal(net_count(&cl, "reasoning_content"), 3);
	/* Where nothing changes the connection is kept alive all the same. */
	for (int i = 0; i < 11; i++)
		pass(1000);
	assert_int_equal(net_count(&cl, "reasoning_content"), 3);
	assert_int_equal(net_count(&cl, ": mai: loading qwen 52 %, position 2\n\n"), 1);
	/* It is about loading, not about the prompt. */
	granted();
	for (int i = 0; i < 5; i++)
		pass(1000);
	assert_int_equal(net_count(&cl, "reasoning_content"), 3);
	net_send(&up, SSE_HEAD);
	up_chunk("data: {\"choices\":[]}\n\ndata: [DONE]\n\n");
	up_last();
	UNTIL(net_has(&cl, "\r\n0\r\n\r\n"));
}

static void
test_shown_to_whom(void **state)
{
	(void)state;
	qwen.send_loading_state = true;
	for (size_t i = 1; i < ARRAY_LEN(apis); again(), i++) {
		wait_in_queue(apis[i].path);
		pass(5000);
		assert_int_equal(cl.in.len, 0);
		pass(3000);
		assert_true(net_has(&cl, apis[i].beat));
		assert_null(strstr(cl.in.p, "reasoning_content"));
	}
	post("{\"model\":\"qwen\"}");
	UNTIL(ntickets == 1);
	pass(20000);
	assert_int_equal(cl.in.len, 0);
	again();
	/* The prompt of a model that is there. */
	must_wait = false;
	info.state = ENGINE_READY;
	post(ASK);
	at_engine(ASK);
	pass(5000);
	assert_int_equal(cl.in.len, 0);
}

/* limits ----------------------------------------------------------------------------------------------------------- */

static void
test_answer_is_late(void **state)
{
	(void)state;
	qwen.first_byte_timeout = 3000;
	info.state = ENGINE_READY;
	must_wait = false;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	pass(2900);
	assert_int_equal(cl.in.len, 0);
	pass(100);
	UNTIL(net_has(&cl, "\"code\":\"engine_timeout\""));
	assert_memory_equal(cl.in.p, "HTTP/1.1 504 ", 13);
	UNTIL(net_ended(&up));
	assert_int_equal(nsuspects, 1);
	assert_non_null(strstr(access_line(), " 504 "));
	/* The time in the queue does not count. */
	qwen.first_byte_timeout = 30000;
	again();
	EACH_API(i) {
		open_stream(i);
		pass(60000);
		granted();
		pass(29900);
		assert_null(strstr(cl.in.p, "engine_timeout"));
		pass(100);
		ends_broken(error_of(i));
		assert_non_null(strstr(cl.in.p, "\"code\":\"engine_timeout\""));
		UNTIL(net_ended(&up));
	}
	/* An answer that began in time may take what it takes. */
	must_wait = false;
	info.state = ENGINE_READY;
	post(ASK);
	at_engine(ASK);
	net_send(&up, SSE_HEAD);
	turn();
	pass(100000);
	assert_null(strstr(strbuf_str(&cl.in), "engine_timeout"));
	assert_int_equal(ntickets, 1);
}

/* HTTP/1.0 has no chunks: only a reset can say that it is broken. */
static void
test_old_client(void **state)
{
	char head[200];

	(void)state;
	snprintf(head, sizeof(head), "POST /v1/chat/completions HTTP/1.0\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
	    sizeof(ASK) - 1, ASK);
	net_send(&cl, head);
	UNTIL(ntickets == 1);
	pass(8000);
	assert_true(net_has(&cl, "\r\n\r\n: mai: loading"));
	assert_null(strstr(cl.in.p, "chunked"));
	assert_non_null(strstr(cl.in.p, "Connection: close\r\n"));
	refuse_waiter(REFUSE_FAILED);
	UNTIL(net_ended(&cl));
	assert_non_null(strstr(cl.in.p, "\n\ndata: {\"error\":"));
	assert_true(cl.reset);
}

/* Many wait: each gets its own, and one timer serves them all. */
static void
test_many(void **state)
{
	struct net_peer peers[40];
	struct strbuf text = STRBUF_INIT;

	(void)state;
	net_close(&cl);
	for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
		peers[i] = cl = net_connect(front);
		post(ASK);
		UNTIL(ntickets == (int)i + 1);
		ms += 100;
		clock_fake(ms, ms);
	}
	cl = net_connect(front);
	pass(8000 - 100 * ARRAY_LEN(peers));
	for (size_t i = 0; i < ARRAY_LEN(peers); i++, pass(100))
		for (size_t k = 0; k < ARRAY_LEN(peers); k++)
			assert_int_equal(net_has(&peers[k], "mai:"), k <= i);
	metrics_text(metrics, &text);
	assert_non_null(strstr(text.p, "mai_heartbeats_total{model=\"qwen\"} 40\n"));
	strbuf_fini(&text);
	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		net_close(&peers[i]);
	UNTIL(ntickets == 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_when), T(test_who_not), T(test_then_the_stream), T(test_prefill), T(test_nothing_when_dead),
		T(test_swap_is_told), T(test_load_fails), T(test_cancel_and_end), T(test_client_leaves),
		T(test_crash_before_the_answer), T(test_crashes_twice), T(test_stopped_before_the_answer),
		T(test_error_becomes_an_event), T(test_long_error), T(test_json_becomes_an_event), T(test_json_that_is_slow),
		T(test_shown), T(test_shown_to_whom), T(test_answer_is_late), T(test_old_client), T(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
