/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "http_feed.h"

#define MAX (32 * 1024)
#define H "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n"
#define POST "POST /v1/chat/completions HTTP/1.1\r\n" H

struct refusal {
	const char *text;
	int status;
};

static void
refuse(const struct refusal *r, size_t n, bool response)
{
	struct feed f;

	for (size_t i = 0; i < n; i++) {
		feed(&f, r[i].text, strlen(r[i].text), response, MAX);
		if (f.result != HTTP_PARSE_ERROR || f.error != r[i].status)
			print_error("%s\n", r[i].text);
		assert_int_equal(f.result, HTTP_PARSE_ERROR);
		assert_int_equal(f.error, r[i].status);
		assert_non_null(f.why);
		free(f.buf);
	}
}

static void
accept(struct feed *f, const char *text, bool response)
{
	feed(f, text, strlen(text), response, MAX);
	if (f->result != HTTP_PARSE_DONE)
		print_error("%s: %s\n", text, f->why == NULL ? "incomplete" : f->why);
	assert_int_equal(f->result, HTTP_PARSE_DONE);
}

static void
test_request(void **state)
{
	static const char text[] = "\r\n\r\nPOST /v1/chat/completions?a=b HTTP/1.1\r\n"
	    "Host: localhost:8081\r\nContent-Type:application/json\r\nX-Blank: \t \r\n"
	    "X-Text: \t D\xc3\xbcsseldorf \xff\t\r\n"
	    "content-length: 0012\r\nExpect: 100-Continue\r\n\r\n{\"model\":1}";
	struct feed f;

	(void)state;
	accept(&f, text, false);
	assert_int_equal(f.used, strlen(text) - 11);
	assert_true(http_str_eq(f.head.method, "POST"));
	assert_true(http_str_eq(f.head.target, "/v1/chat/completions?a=b"));
	assert_true(http_str_eq(f.head.host, "localhost:8081"));
	assert_int_equal(f.head.minor, 1);
	assert_int_equal(f.head.nfields, 6);
	assert_true(http_str_eq(http_field_find(&f.head, "x-text")->value,
	    "D\xc3\xbcsseldorf \xff"));
	assert_int_equal(http_field_find(&f.head, "x-blank")->value.n, 0);
	assert_int_equal(f.head.framing, HTTP_BODY_LENGTH);
	assert_int_equal(f.head.content_length, 12);
	assert_true(f.head.keep_alive);
	assert_true(f.head.expect_continue);
	assert_false(f.head.upgrade);
	assert_false(f.head.is_response);
	free(f.buf);
}

static void
test_methods(void **state)
{
	static const char *const good[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE",
	    "OPTIONS"};
	static const struct refusal bad[] = {
		{"CONNECT a:443 HTTP/1.1\r\n", 501}, {"TRACE / HTTP/1.1\r\n", 501},
		{"get / HTTP/1.1\r\n", 501},
		{"GE / HTTP/1.1\r\n", 501}, {"GETS / HTTP/1.1\r\n", 501},
		{"OPTIONSX / HTTP/1.1\r\n", 501},
		{"OPTIONSXX / HTTP/1.1\r\n", 501}, {"G\xc3\x8bT / HTTP/1.1\r\n", 400},
		{"GE(T / HTTP/1.1\r\n", 400},
		{" GET / HTTP/1.1\r\n", 400}, {"GET\r\n", 400}, {"GET: / HTTP/1.1\r\n", 400},
	};
	struct feed f;
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		snprintf(text, sizeof(text), "%s / HTTP/1.1\r\n" H "\r\n", good[i]);
		accept(&f, text, false);
		assert_true(http_str_eq(f.head.method, good[i]));
		free(f.buf);
	}
	refuse(bad, ARRAY_LEN(bad), false);
}

/* None of these has an end of head, some not even an end of line. */
static void
test_strangers(void **state)
{
	static const struct refusal bad[] = {
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505}, {"\x16\x03\x01\x02", 400},
		{"SSH-2.0-OpenSSH_9.2\r\n", 400},
		{"\x80\x2e\x01", 400}, {"GET /\r\n", 400}, {"GET / HTTP/1.1\n", 400},
		{"\nGET / HTTP/1.1\r\n", 400},
		{"\r\n\r\n\r\n", 400}, {"\rGET / HTTP/1.1\r\n", 400}, {"GET / HTTP/1.1\r\r\n", 400},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n", 400}, {"{\"model\": 1}\r\n", 400},
		{GET "Host: a\n", 400}, {GET H "\n", 400}, {GET "Foo: a\rBar: b\r\n", 400},
	};

	(void)state;
	refuse(bad, ARRAY_LEN(bad), false);
}

static void
test_start_line(void **state)
{
	static const struct refusal bad[] = {
		{"GET  / HTTP/1.1\r\n", 400}, {"GET /  HTTP/1.1\r\n", 400},
		{"GET / HTTP/1.1 \r\n", 400},
		{"GET\t/ HTTP/1.1\r\n", 400}, {"GET /a b HTTP/1.1\r\n", 400},
		{"GET /\x01 HTTP/1.1\r\n", 400},
		{"GET /\xc3\xa9 HTTP/1.1\r\n", 400}, {"GET /\x7f HTTP/1.1\r\n", 400},
		{"GET /a#b HTTP/1.1\r\n", 400},
		{"GET / HTTP/1.2\r\n", 505}, {"GET / HTTP/0.9\r\n", 505},
		{"GET / HTTP/2.0\r\n", 505},
		{"GET / HTTP/3\r\n", 400}, {"GET / HTTP/1.10\r\n", 400},
		{"GET / HTTP/01.1\r\n", 400},
		{"GET / http/1.1\r\n", 400}, {"GET / HTTP/1,1\r\n", 400},
		{"GET / ICE/1.0\r\n", 400},
		{"GET / RTSP/1.0\r\n", 400}, {"GET HTTP/1.1\r\n", 400}, {"GET  HTTP/1.1\r\n", 400},
	};
	static const struct refusal forms[] = {
		{"GET a HTTP/1.1\r\n" H "\r\n", 400}, {"GET * HTTP/1.1\r\n" H "\r\n", 400},
		{"GET ftp://a/ HTTP/1.1\r\n" H "\r\n", 400},
		{"GET http:// HTTP/1.1\r\n" H "\r\n", 400},
		{"GET http:///x HTTP/1.1\r\n" H "\r\n", 400},
		{"GET http://u:p@a/ HTTP/1.1\r\n" H "\r\n", 400},
		{"GET http://a:b/ HTTP/1.1\r\n" H "\r\n", 400},
		{"GET s://]ufd/: HTTP/1.1\r\n" H "\r\n", 400},
		{"GET a:443 HTTP/1.1\r\n" H "\r\n", 400},
	};
	struct feed f;

	(void)state;
	refuse(bad, ARRAY_LEN(bad), false);
	refuse(forms, ARRAY_LEN(forms), false);
	accept(&f, "OPTIONS * HTTP/1.1\r\n" H "\r\n", false);
	free(f.buf);
	accept(&f, "GET HTTP://Example.com:81/x?y HTTP/1.1\r\n" H "\r\n", false);
	assert_true(http_str_eq(f.head.host, "Example.com:81"));
	free(f.buf);
	accept(&f, "GET https://[::1]?y HTTP/1.1\r\n" H "\r\n", false);
	assert_true(http_str_eq(f.head.host, "[::1]"));
	free(f.buf);
}

static void
test_fields(void **state)
{
	static const struct refusal bad[] = {
		{GET "Host : a\r\n", 400}, {GET "Host\t: a\r\n", 400}, {GET "Host\r\n", 400},
		{GET ": a\r\n", 400},
		{GET " Host: a\r\n", 400}, {GET H " folded\r\n", 400}, {GET H "\tfolded\r\n", 400},
		{GET "Ho st: a\r\n", 400}, {GET "Ho\x01st: a\r\n", 400},
		{GET "H\xc3\xb6st: a\r\n", 400},
		{GET "Fo@: a\r\n", 400}, {GET "X: a\x01\r\n", 400}, {GET "X: a\x7f\r\n", 400},
		{GET "X: 12345678\x1f" "12345678\r\n", 400},
		{GET "X: 1234567812345\x7f" "678\r\n", 400},
	};
	struct feed f;
	char text[64];

	(void)state;
	refuse(bad, ARRAY_LEN(bad), false);
	accept(&f, GET H "!#$%&'*+-.^_`|~09azAZ: \"(),/:;<=>?@[\\]{}\t\x80\xff\r\n\r\n", false);
	assert_int_equal(f.head.fields[1].name.n, 21);
	assert_int_equal(f.head.fields[1].value.n, 19 + 1);
	free(f.buf);
	/* Each byte at each place of a value longer than a word. */
	for (int c = 0; c < 256; c++) {
		for (size_t at = 0; at < 19; at++) {
			bool ok = c == '\t' || (c >= ' ' && c != 0x7f);
			size_t n = strlen(GET H "X: ");

			memcpy(text, GET H "X: (234567890123456789)\r\n\r\n", n + 25);
			text[n + 1 + at] = (char)c;
			feed(&f, text, n + 25, false, MAX);
			assert_int_equal(f.result, ok ? HTTP_PARSE_DONE : HTTP_PARSE_ERROR);
			free(f.buf);
		}
	}
}

static void
test_framing_refused(void **state)
{
	static const struct refusal bad[] = {
		{POST "Content-Length: 1\r\nContent-Length: 2\r\n", 400},
		{POST "Content-Length: 1\r\nContent-Length: 1\r\n", 400},
		{POST "Content-Length: 1, 1\r\n", 400},
		{POST "Content-Length: -1\r\n", 400}, {POST "Content-Length: +1\r\n", 400},
		{POST "Content-Length: 0x1\r\n", 400}, {POST "Content-Length: 1 2\r\n", 400},
		{POST "Content-Length: 1_2\r\n", 400}, {POST "Content-Length:\r\n", 400},
		{POST "Content-Length: 9223372036854775808\r\n", 400},
		{POST "Content-Length: 18446744073709551617\r\n", 400},
		{POST "Content-Length : 1\r\n", 400}, {POST "Content_Length: 1\r\n", 400},
		{POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{POST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400},
		{POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400},
		{POST "Transfer-Encoding: chunked, chunked\r\n", 400},
		{POST "Transfer-Encoding: chunked, gzip\r\n", 400},
		{POST "Transfer-Encoding: chunked;q=1\r\n", 400},
		{POST "Transfer-Encoding:\r\n", 400},
		{POST "Transfer-Encoding: , chunked\r\n", 400},
		{POST "Transfer-Encoding: \"chunked\"\r\n", 400},
		{POST "Transfer-Encoding: \x0b" "chunked\r\n", 400},
		{POST "Transfer_Encoding: chunked\r\n", 400},
		{POST "Transfer-Encoding : chunked\r\n", 400},
		{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", 400},
		{POST "Transfer-Encoding: gzip\r\n", 501},
		{POST "Transfer-Encoding: gzip, chunked\r\n", 501},
		{POST "Transfer-Encoding: identity\r\n", 501},
		{POST "Transfer-Encoding: xchunked\r\n", 501},
		{POST "Transfer-Encoding: chunkedchunked\r\n", 501},
	};

	(void)state;
	refuse(bad, ARRAY_LEN(bad), false);
}

static void
test_framing(void **state)
{
	struct feed f;

	(void)state;
	accept(&f, POST "Transfer-Encoding: \t CHUNKED \r\n\r\n", false);
	assert_int_equal(f.head.framing, HTTP_BODY_CHUNKED);
	assert_false(f.head.expect_continue);
	free(f.buf);
	accept(&f, POST "Content-Length: 9223372036854775807\r\n\r\n", false);
	assert_true(f.head.content_length == INT64_MAX);
	free(f.buf);
	accept(&f, POST "Content-Length: 0\r\n\r\n", false);
	assert_int_equal(f.head.framing, HTTP_BODY_LENGTH);
	free(f.buf);
	accept(&f, POST "Expect: 100-continue\r\n\r\n", false);
	assert_int_equal(f.head.framing, HTTP_BODY_NONE);
	assert_false(f.head.expect_continue);
	free(f.buf);
}

static void
test_host_and_expect(void **state)
{
	static const struct refusal bad[] = {
		{GET "\r\n", 400}, {GET "A: b\r\n\r\n", 400}, {GET H H, 400},
		{GET "Host:\r\n", 400},
		{GET "Host: a b\r\n", 400}, {GET "Host: a:b\r\n", 400},
		{GET "Host: a:65536\r\n", 400},
		{GET "Host: u@a\r\n", 400}, {GET "Host: a/b\r\n", 400}, {GET "Host: [::1\r\n", 400},
		{GET "Host: [a]\r\n", 400}, {GET "Host: a%00\r\n", 400},
		{"GET / HTTP/1.0\r\n" H H, 400},
		{"GET http://a/ HTTP/1.1\r\n\r\n", 400},
		{POST "Expect: 200-ok\r\n", 417}, {POST "Expect:\r\n", 417},
		{POST "Expect: 100-continue, x\r\n", 417},
		{"POST / HTTP/1.0\r\nExpect: x\r\n", 417},
	};
	struct feed f;

	(void)state;
	refuse(bad, ARRAY_LEN(bad), false);
	accept(&f, "GET / HTTP/1.0\r\n\r\n", false);
	assert_int_equal(f.head.host.n, 0);
	free(f.buf);
	accept(&f, "POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n", false);
	assert_false(f.head.expect_continue);
	free(f.buf);
}

static void
test_connection(void **state)
{
	static const struct {
		const char *text;
		bool keep, upgrade;
	} cases[] = {
		{GET H "\r\n", true, false}, {GET H "Connection: close\r\n\r\n", false, false},
		{GET H "Connection: x, ,CLOSE\r\n\r\n", false, false},
		{GET H "Connection: closed\r\n\r\n", true, false},
		{GET H "Connection: keep-alive\r\nConnection: close\r\n\r\n", false, false},
		{"GET / HTTP/1.0\r\n\r\n", false, false},
		{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true, false},
		{GET H "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n", true, true},
		{GET H "Upgrade: websocket\r\n\r\n", true, false},
		{GET H "Connection: upgrade\r\n\r\n", true, false},
		{"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", false,
		false},
	};
	struct feed f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		accept(&f, cases[i].text, false);
		assert_int_equal(f.head.keep_alive, cases[i].keep);
		assert_int_equal(f.head.upgrade, cases[i].upgrade);
		free(f.buf);
	}
}

static void
test_limits(void **state)
{
	struct feed f;
	struct strbuf b = STRBUF_INIT;

	(void)state;
	/* A request line of exactly 8 KiB passes, one byte more does not, complete or not. */
	strbuf_puts(&b, "GET /");
	for (size_t i = 0; i < 8192 - 5 - 11; i++)
		strbuf_putc(&b, 'a');
	strbuf_puts(&b, " HTTP/1.1\r\n" H "\r\n");
	accept(&f, b.p, false);
	free(f.buf);
	strbuf_clear(&b);
	strbuf_puts(&b, "GET /");
	for (size_t i = 0; i < 8192 - 5; i++)
		strbuf_putc(&b, 'a');
	refuse(&(struct refusal){b.p, 414}, 1, false);
	strbuf_clear(&b);
	/* The whole head against the limit it was given. */
	strbuf_puts(&b, GET H "X: 12345678901234567890\r\n\r\n");
	feed(&f, b.p, b.len, false, b.len);
	assert_int_equal(f.result, HTTP_PARSE_DONE);
	free(f.buf);
	feed(&f, b.p, b.len, false, b.len - 1);
	assert_int_equal(f.error, 431);
	free(f.buf);
	feed(&f, b.p, b.len, true, 10);
	assert_int_equal(f.error, 502);
	free(f.buf);
	strbuf_clear(&b);
	strbuf_puts(&b, GET H);
	for (int i = 1; i < HTTP_MAX_FIELDS; i++)
		strbuf_puts(&b, "A: b\r\n");
	strbuf_puts(&b, "\r\n");
	accept(&f, b.p, false);
	assert_int_equal(f.head.nfields, HTTP_MAX_FIELDS);
	free(f.buf);
	b.len -= 2;
	strbuf_puts(&b, "C: d\r\n");
	refuse(&(struct refusal){b.p, 431}, 1, false);
	strbuf_fini(&b);
}

static void
test_response(void **state)
{
	struct feed f;

	(void)state;
	accept(&f, "HTTP/1.1 200 Very OK\r\nContent-Length: 2\r\n\r\nok", true);
	assert_true(f.head.is_response);
	assert_int_equal(f.head.status, 200);
	assert_true(http_str_eq(f.head.reason, "Very OK"));
	assert_int_equal(f.head.framing, HTTP_BODY_LENGTH);
	assert_true(f.head.keep_alive);
	free(f.buf);
	accept(&f, "HTTP/1.0 200\r\n\r\n", true);
	assert_int_equal(f.head.framing, HTTP_BODY_CLOSE);
	assert_int_equal(f.head.reason.n, 0);
	assert_false(f.head.keep_alive);
	free(f.buf);
	accept(&f, "HTTP/1.1 200 \r\n\r\n", true);
	assert_int_equal(f.head.framing, HTTP_BODY_CLOSE);
	assert_false(f.head.keep_alive);
	free(f.buf);
	accept(&f, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", true);
	assert_int_equal(f.head.framing, HTTP_BODY_NONE);
	assert_true(f.head.keep_alive);
	free(f.buf);
	accept(&f, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", true);
	assert_int_equal(f.head.framing, HTTP_BODY_NONE);
	free(f.buf);
	accept(&f, "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", true);
	assert_int_equal(f.head.framing, HTTP_BODY_NONE);
	free(f.buf);
	accept(&f,
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n"
	    "Host: a b\r\nHost:\r\nExpect: x\r\n\r\n", true);
	assert_int_equal(f.head.framing, HTTP_BODY_CHUNKED);
	free(f.buf);
}

static void
test_response_to_head(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
	struct http_parser p;
	struct http_head h;
	size_t used;

	(void)state;
	http_parser_init(&p, true, MAX);
	p.head_request = true;
	assert_int_equal(http_parse(&p, text, strlen(text), &h, &used), HTTP_PARSE_DONE);
	assert_int_equal(h.framing, HTTP_BODY_NONE);
	assert_true(h.keep_alive);
}

static void
test_response_refused(void **state)
{
	static const struct refusal bad[] = {
		{"hello", 502}, {"\r\nHTTP/1.1 200 OK\r\n", 502}, {"HTTP/1.1\r\n", 502},
		{"HTTP/1.1 20\r\n", 502},
		{"HTTP/1.1 2000 OK\r\n", 502}, {"HTTP/1.1 2x0 OK\r\n", 502},
		{"HTTP/1.1  200 OK\r\n", 502},
		{"HTTP/1.1 099 OK\r\n", 502}, {"HTTP/1.1 600 OK\r\n", 502},
		{"HTTP/2.0 200 OK\r\n", 502},
		{"HTTP/1.1 200 O\x01K\r\n", 502}, {"HTTP/1.1 200 OK\n", 502},
		{"HTTP/1.1 200 O\rK\r\n", 502},
		{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n", 502},
		{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 502},
		{"HTTP/1.1 204 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 502},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n", 502},
		{"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n", 502},
		{"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n", 502},
		{"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n", 502},
		{"HTTP/1.1 200 OK\r\nA: b\n", 502},
	};

	(void)state;
	refuse(bad, ARRAY_LEN(bad), true);
}

static void
test_nul(void **state)
{
	static const char text[] = GET "Ho\0st: a\r\n", value[] = GET "X: a\0b\r\n",
	    method[] = "GET\0 / HTTP/1.1\r\n";
	struct feed f;

	(void)state;
	feed(&f, text, sizeof(text) - 1, false, MAX);
	assert_int_equal(f.error, 400);
	free(f.buf);
	feed(&f, value, sizeof(value) - 1, false, MAX);
	assert_int_equal(f.error, 400);
	free(f.buf);
	feed(&f, method, sizeof(method) - 1, false, MAX);
	assert_int_equal(f.error, 400);
	free(f.buf);
}

/* An error stays. */
static void
test_error_stays(void **state)
{
	static const char text[] = "GET / HTTP/1.1\n" H "\r\n";
	struct http_parser p;
	struct http_head h;
	size_t used;

	(void)state;
	http_parser_init(&p, false, MAX);
	assert_int_equal(http_parse(&p, text, 14, &h, &used), HTTP_PARSE_MORE);
	assert_int_equal(http_parse(&p, text, 15, &h, &used), HTTP_PARSE_ERROR);
	assert_int_equal(http_parse(&p, text, sizeof(text) - 1, &h, &used), HTTP_PARSE_ERROR);
	assert_int_equal(p.error, 400);
	assert_streq(p.why, "line ends without CR");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request), cmocka_unit_test(test_methods),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_start_line), cmocka_unit_test(test_fields),
		cmocka_unit_test(test_framing_refused), cmocka_unit_test(test_framing),
		cmocka_unit_test(test_host_and_expect), cmocka_unit_test(test_connection),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_response),
		cmocka_unit_test(test_response_to_head), cmocka_unit_test(test_response_refused),
		cmocka_unit_test(test_nul), cmocka_unit_test(test_error_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
