/* SPDX-License-Identifier: ISC
 * Requests by /upstream/, to paths of a model's own, and with methods and types of their own. */
#include "proxy_bench.h"

static char own[] = "own";
static uint64_t row_id;

static void
test_upstream_inference(void **state)
{
	(void)state;
	conf.nmodels = 2;
	zwei.upstream_model = own;
	conf.fill_defaults = true;
	post_to("/upstream/org/zwei/v1/chat/completions?a=b", "{\"model\":\"mine\"}");
	at_engine("\r\n\r\n{\"model\":\"own\"}");
	assert_streq(asked, "org/zwei");
	assert_memory_equal(up.in.p, "POST /v1/chat/completions?a=b HTTP/1.1\r\n", 40);
	assert_null(strstr(up.in.p, "secret"));
	assert_int_equal(nuntimed, 0);
	net_send(&up, ANSWER);
	UNTIL(net_has(&cl, "\r\n\r\n{\"model\":\"mine\"}"));
	assert_non_null(strstr(cl.in.p, "X-Mai-Model: org/zwei\r\n"));
	assert_non_null(strstr(access_line(), " POST /upstream/org/zwei/v1/chat/completions 200 "));
	/* Without a name of its own the reply has the one that the path has. */
	strbuf_clear(&cl.in);
	strbuf_clear(&up.in);
	post_to("/upstream/z/v1/chat/completions", "{}");
	UNTIL(net_has(&up, "\r\n\r\n{\"model\":\"own\"}"));
	net_send(&up, ANSWER);
	UNTIL(net_has(&cl, "\r\n\r\n{\"model\":\"z\"}"));
	/* What cannot be read is refused, or another reader would find a name in it; nothing at all is let through. */
	strbuf_clear(&cl.in);
	post_to("/upstream/z/v1/chat/completions", "\xef\xbb\xbf{\"model\":\"x\"}");
	one_answer("400", "bad_request");
	strbuf_clear(&up.in);
	send_to("GET", "/upstream/z/v1/chat/completions", "", "");
	UNTIL(net_has(&up, "GET /v1/chat/completions "));
	assert_int_equal(nuntimed, 1);
	net_send(&up, ANSWER);
	one_answer("200", "\"z\"");
}

static void
see_upstream(void *arg, const struct proxy_row *row)
{
	(void)arg;
	assert_streq(row->api, "upstream");
	assert_streq(row->model, "org/zwei");
	assert_streq(row->path, "/upstream/z/any%20thing");
	row_id = row->id;
}

static void
test_upstream_raw(void **state)
{
	static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

	(void)state;
	conf.nmodels = 2;
	zwei.upstream_model = own;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		char line[80];

		post("{}");	/* a connection is open then */
		if (i == 0)
			at_engine("{}");
		UNTIL(net_has(&up, "{}"));
		net_send(&up, ANSWER);
		one_answer("200", "qwen");
		strbuf_clear(&up.in);
		row_id = 0;
		send_to(methods[i], "/upstream/z/any%20thing?x=%2f&model=q", "X-Api-Key: secret\r\n", "{\"model\":1} no JSON");
		snprintf(line, sizeof(line), "%s /any%%20thing?x=%%2f&model=q HTTP/1.1\r\n", methods[i]);
		UNTIL(net_has(&up, line) && net_has(&up, "\r\n\r\n{\"model\":1} no JSON"));
		assert_null(strstr(up.in.p, "secret"));
		assert_streq(asked, "org/zwei");
		assert_int_equal(nuntimed, i + 1);
		proxy_each(proxy, see_upstream, NULL);
		assert_int_not_equal(row_id, 0);
		net_send(&up, i == 1 ? "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n" : ANSWER);
		one_answer("200", i == 1 ? "Content-Length: 17\r\n" : "{\"model\":\"inner\"}");
		strbuf_clear(&up.in);
	}
	/* Nothing is put into a stream whose meaning is not known. */
	post_to("/upstream/z/events", "x");
	UNTIL(net_has(&up, "\r\n\r\nx"));
	net_send(&up, SSE_HEAD "9\r\ndata: 1\n\n\r\n");
	UNTIL(net_has(&cl, "data: 1"));
	net_close(&up);
	UNTIL(net_ended(&cl));
	assert_null(strstr(cl.in.p, "error"));
	assert_null(strstr(cl.in.p, "0\r\n\r\n"));
}

static void
test_upstream_other_answers(void **state)
{
	(void)state;
	conf.nmodels = 2;
	send_to("GET", "/upstream/qwen", "", "");
	one_answer("308", "Location: /upstream/qwen/\r\n");
	send_to("POST", "/upstream/org/zwei?a=b", "", "");
	one_answer("308", "Location: /upstream/org/zwei/?a=b\r\n");
	send_to("GET", "/upstream/org/x", "", "");
	one_answer("404", "no configured model stands behind /upstream/org/x; configured: qwen, org/zwei");
	send_to("GET", "/upstream/org%2fzwei/", "", "");
	one_answer("400", "encoded slash");
	net_close(&cl);
	cl = net_connect(front);
	/* Parts of pages wake nobody. */
	send_to("GET", "/upstream/qwen/app.js?v=1", "", "");
	one_answer("409", "\"code\":\"model_conflict\"");
	info.state = ENGINE_READY;
	swap_from = "qwen";
	swap_to = "org/zwei";
	send_to("HEAD", "/upstream/qwen/app.js", "", "");
	UNTIL(net_has(&cl, "\r\n\r\n"));
	assert_memory_equal(cl.in.p + 9, "409", 3);
	strbuf_clear(&cl.in);
	swap_from = swap_to = NULL;
	assert_int_equal(ntickets, 0);
	send_to("GET", "/upstream/qwen/app.js", "", "");
	at_engine("GET /app.js");
	net_send(&up, ANSWER);
	one_answer("200", "inner");
	/* Where the served one answers for every name, the other engine is not it. */
	conf.route = ROUTE_LOADED;
	send_to("GET", "/upstream/z/", "", "");
	one_answer("409", "qwen is loaded and route is loaded");
	/* The path of the engine tells the shape. */
	verdict = (struct router_answer){.refusal = REFUSE_FAILED};
	send_to("POST", "/upstream/qwen/v1/messages/count_tokens", "", "{}");
	one_answer("503", "{\"type\":\"error\",\"error\":{");
	send_to("POST", "/upstream/qwen/v1/messagesx", "", "{}");
	one_answer("503", "{\"error\":{");
}

static void
test_own_paths(void **state)
{
	static const struct {
		const char *method, *path, *fields, *body, *asks;
	} good[] = {
		{"GET", "/zwei", "", "", "org/zwei"}, {"DELETE", "/zwei", "", "", "org/zwei"}, {"PUT", "/both", "", "", "qwen"},
		{"POST", "/zwei", "", "", "org/zwei"}, {"POST", "/zwei", "", "[1,{\"model\":\"x\"}]", "org/zwei"},
		{"POST", "/both", "", "{\"model\":\"z\"}", "z"}, {"PATCH", "/both?model=z", "", "", "z"},
		{"POST", "/both?model=z", "", "{\"model\":\"qwen\"}", "qwen"},
		{"POST", "/zwei", "Content-Type: text/plain\r\n", "hello", "org/zwei"},
	};
	static const struct {
		const char *method, *path, *body, *status, *has;
	} bad[] = {
		{"GET", "/zwei?model=qwen", "", "404", "this model has no such path"},
		{"POST", "/extra", "{\"model\":\"z\"}", "404", "this model has no such path"},
		{"POST", "/zwei", "{\"model\":\"z\",\"model\":\"y\"}", "400", "model is given twice"},
		{"POST", "/zwei", "{\"model\":\"z\"", "400", "ends too early"},
		{"POST", "/zwei", "\xef\xbb\xbf{\"model\":\"z\"}", "400", "bad_request"},
	};

	(void)state;
	conf.nmodels = 2;
	target.keep_alive = false;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char line[80];

		send_to(good[i].method, good[i].path, good[i].fields, good[i].body);
		snprintf(line, sizeof(line), "%s %s HTTP/1.1\r\n", good[i].method, good[i].path);
		at_engine(line);
		UNTIL(net_has(&up, good[i].body));
		assert_streq(asked, good[i].asks);
		net_send(&up, ANSWER);
		one_answer("200", "\r\n\r\n");
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		send_to(bad[i].method, bad[i].path, "", bad[i].body);
		one_answer(bad[i].status, bad[i].has);
	}
	assert_int_equal(nuntimed, 0);
	/* The served model answers for all names, but not for paths that it has not. */
	conf.route = ROUTE_LOADED;
	conf.nmodels = 2;
	send_to("POST", "/extra", "", "{\"model\":\"z\"}");
	one_answer("404", "\"mai\":{\"model\":\"org/zwei\"}");
	assert_int_equal(ntickets, 0);
}

/* No type of content makes a body pass unread where JSON is due. */
static void
test_json_by_any_type(void **state)
{
	static const char *const types[] = {"application/octet-stream", "audio/wav", "multipart/form-data; boundary=x", "text/plain"};

	(void)state;
	qwen.upstream_model = own;
	target.keep_alive = false;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		char fields[100];

		snprintf(fields, sizeof(fields), "Content-Type: %s\r\n", types[i]);
		send_to("POST", "/v1/chat/completions", fields, "{\"model\":\"evil\"}");
		at_engine("{\"model\":\"own\"}");
		assert_streq(asked, "evil");
		net_send(&up, ANSWER);
		one_answer("200", "{\"model\":\"evil\"}");
	}
	send_to("POST", "/v1/audio/transcriptions", "Content-Type: multipart/form-data; boundary=x; boundary=y\r\n", "--x--");
	one_answer("400", "no usable boundary");
	send_to("POST", "/v1/audio/speech", "Content-Type: application/octet-stream\r\n", "\x01\x02");
	at_engine("\r\n\r\n\x01\x02");
	net_send(&up, ANSWER);
	one_answer("200", "\r\n\r\n");
}

static void
test_methods(void **state)
{
	static char responses[] = "/v1/responses";
	static const struct {
		const char *method, *path, *allow;
	} cases[] = {
		{"GET", "/v1/responses", "Allow: POST\r\n"}, {"DELETE", "/v1/images/generations", "Allow: POST\r\n"},
		{"PUT", "/props?model=qwen", "Allow: GET, HEAD, POST\r\n"}, {"OPTIONS", "/v1/embeddings", "Allow: POST\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		send_to(cases[i].method, cases[i].path, "", "");
		one_answer("405", cases[i].allow);
	}
	send_to("GET", "/v1/audio/voices", "", "");
	at_engine("GET /v1/audio/voices ");
	net_send(&up, ANSWER);
	one_answer("200", "\r\n\r\n");
	/* Where a model names it, also the others. */
	extra[0] = responses;
	send_to("GET", "/v1/responses", "", "");
	UNTIL(net_has(&up, "GET /v1/responses "));
	net_send(&up, ANSWER);
	one_answer("200", "\r\n\r\n");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_upstream_inference), T(test_upstream_raw), T(test_upstream_other_answers),
		T(test_own_paths), T(test_json_by_any_type), T(test_methods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
