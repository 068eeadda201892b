/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "http/http_listen.h"
#include "net.h"

static struct loop *loop;
static struct http_server *srv;
static int port;
static struct net_peer a, b;

/* What the handler does is set by each test; held keeps requests that are answered later. */
static void (*on_request)(struct http_req *req);
static struct http_req *held[8];
static int nheld, ngone, nend, nwritable;
static enum http_close gone_why;
static struct strbuf got;

static void
body_cb(void *arg, const char *p, size_t n)
{
	(void)arg;
	strbuf_add(&got, p, n);
}

static void
end_cb(void *arg)
{
	(void)arg;
	nend++;
}

static void
writable_cb(void *arg)
{
	(void)arg;
	nwritable++;
}

static void
gone_cb(void *arg, enum http_close why)
{
	(void)arg;
	ngone++;
	gone_why = why;
}

static const struct http_req_ops ops = {body_cb, end_cb, writable_cb, gone_cb};

static void
handler(void *arg, struct http_req *req)
{
	(void)arg;
	on_request(req);
}

static void
say_path(struct http_req *req)
{
	struct http_str p = http_req_url(req)->path;

	http_reply(req, 200, "text/plain", NULL, p.p, p.n);
}

static void
hold(struct http_req *req)
{
	held[nheld++] = req;
	http_req_attach(req, &ops, NULL);
}

static void
hold_unattached(struct http_req *req)
{
	held[nheld++] = req;
}

static int
setup(void **state)
{
	const struct http_limits lim = {32768, 10000, 75000, 100};
	struct err e;

	(void)state;
	loop = loop_new();
	srv = http_server_new(loop, &lim, handler, NULL);
	port = 0;
	assert_int_equal(http_server_listen_tcp(srv, "127.0.0.1", &port, 7, &e), 0);
	on_request = say_path;
	nheld = ngone = nend = nwritable = 0;
	gone_why = HTTP_CLOSE_NONE;
	strbuf_clear(&got);
	a = net_connect(port);
	b.fd = -1;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	net_close(&a);
	net_close(&b);
	http_server_free(&srv);
	loop_free(&loop);
	strbuf_fini(&got);
	return 0;
}

static void
limits(uint64_t head_ms, uint64_t idle_ms, int max)
{
	const struct http_limits lim = {32768, head_ms, idle_ms, max};

	http_server_set_limits(srv, &lim);
}

#define UNTIL(cond) NET_UNTIL(loop, cond)

static void
test_keep_alive(void **state)
{
	(void)state;
	net_send(&a, "GET /one HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(net_has(&a, "/one"));
	assert_non_null(strstr(a.in.p, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(a.in.p, "\r\nDate: "));
	assert_non_null(strstr(a.in.p, "Content-Length: 4\r\n\r\n/one"));
	net_send(&a, "GET /two HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	UNTIL(net_ended(&a));
	assert_non_null(strstr(a.in.p, "Connection: close\r\n"));
	assert_non_null(strstr(a.in.p, "/two"));
	UNTIL(http_server_connections(srv) == 0);
}

static void
test_byte_at_a_time(void **state)
{
	const char *req = "POST /p?q=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n10\r\n"
	    "0123456789abcdef\r\n0\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n";

	(void)state;
	on_request = hold;
	for (const char *p = req; *p != '\0'; p++) {
		net_sendn(&a, p, 1);
		loop_once(loop, 0);
		if (nheld == 1 && nend == 1 && !http_reply_started(held[0])) {
			http_reply(held[0], 200, NULL, NULL, got.p, got.len);
			on_request = say_path;
			nheld = 2;
		}
	}
	UNTIL(net_has(&a, "/next"));
	assert_streq(got.p, "abc0123456789abcdef");
	assert_non_null(strstr(a.in.p, "\r\n\r\nabc0123456789abcdefHTTP/1.1 200"));
	assert_int_equal(ngone, 0);
}

static void
test_pipelining(void **state)
{
	(void)state;
	on_request = hold;
	net_send(&a, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3 HTTP/1.1\r\nHost: x\r\n\r\n");
	for (int i = 0; i < 3; i++) {
		UNTIL(nheld == i + 1);
		loop_once(loop, 0);
		assert_int_equal(nheld, i + 1);
		say_path(held[i]);
	}
	UNTIL(net_has(&a, "/3"));
	assert_true(strstr(a.in.p, "\n/1HTTP") < strstr(a.in.p, "\n/2HTTP"));
}

static void
collected(void *arg, struct http_req *req, const char *body, size_t n)
{
	(void)arg;
	strbuf_add(&got, body, n);
	http_reply(req, 200, NULL, NULL, body, n);
}

static void
collect(struct http_req *req)
{
	http_req_collect(req, 10, collected, NULL);
}

static void
test_continue(void **state)
{
	(void)state;
	on_request = hold_unattached;
	net_send(&a, "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	UNTIL(nheld == 1);
	loop_once(loop, 0);
	net_read(&a);
	assert_int_equal(a.in.len, 0);
	collect(held[0]);
	UNTIL(net_has(&a, "HTTP/1.1 100 Continue\r\n\r\n"));
	net_send(&a, "abc");
	UNTIL(net_has(&a, "\r\n\r\nabc"));
	/* Refused: no 100, the status comes, and the connection ends. */
	net_send(&a, "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	UNTIL(nheld == 2);
	http_reply(held[1], 401, NULL, NULL, "no", 2);
	UNTIL(net_ended(&a));
	assert_int_equal(net_count(&a, "100 Continue"), 1);
	assert_non_null(strstr(a.in.p, "HTTP/1.1 401 "));
}

static void
test_collect_limit(void **state)
{
	char chunk[64] = "20\r\n0123456789abcdef0123456789abcdef\r\n";

	(void)state;
	on_request = collect;
	net_send(&a, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n");
	UNTIL(net_ended(&a));
	assert_non_null(strstr(a.in.p, "HTTP/1.1 413 "));
	assert_non_null(strstr(a.in.p, "\"code\":\"body_too_large\""));
	b = net_connect(port);
	net_send(&b, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	net_send(&b, chunk);
	UNTIL(net_has(&b, "HTTP/1.1 413 "));
	assert_int_equal(got.len, 0);
	/* The client goes on sending for a while: it gets the status, not a reset. */
	net_send(&b, chunk);
	UNTIL(net_ended(&b));
	assert_false(b.reset);
}

static void
test_head_and_bare(void **state)
{
	(void)state;
	net_send(&a, "HEAD /h HTTP/1.1\r\nHost: x\r\n\r\nGET /after HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(net_has(&a, "/after"));
	assert_non_null(strstr(a.in.p, "Content-Length: 2\r\n\r\nHTTP/1.1 200"));
	on_request = hold;
	net_send(&a, "GET /204 HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(nheld == 1);
	strbuf_clear(&a.in);
	http_reply(held[0], 204, NULL, NULL, NULL, 0);
	UNTIL(net_has(&a, "\r\n\r\n"));
	assert_null(strstr(a.in.p, "Content-Length"));
	assert_null(strstr(a.in.p, "Transfer-Encoding"));
}

static void
stream_two(struct http_req *req)
{
	http_reply_start(req, 200, NULL, HTTP_LENGTH_CHUNKED);
	http_reply_body(req, "hello", 5);
	http_reply_body(req, "", 0);
	http_reply_body(req, "world!", 6);
	http_reply_end(req);
}

static void
test_chunked_and_old(void **state)
{
	(void)state;
	on_request = stream_two;
	net_send(&a, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(net_has(&a, "\r\n\r\n5\r\nhello\r\n6\r\nworld!\r\n0\r\n\r\n"));
	assert_false(net_ended(&a));
	b = net_connect(port);
	net_send(&b, "GET / HTTP/1.0\r\n\r\n");
	UNTIL(net_ended(&b));
	assert_non_null(strstr(b.in.p, "\r\n\r\nhelloworld!"));
	assert_null(strstr(b.in.p, "chunked"));
	assert_false(b.reset);
}

static void
test_abort(void **state)
{
	(void)state;
	on_request = hold;
	net_send(&a, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(nheld == 1);
	http_reply_start(held[0], 200, NULL, HTTP_LENGTH_CHUNKED);
	http_reply_cork(held[0]);
	http_reply_body(held[0], "part", 4);
	http_reply_abort(held[0]);
	UNTIL(net_ended(&a));
	assert_non_null(strstr(a.in.p, "4\r\npart\r\n"));
	assert_null(strstr(a.in.p, "0\r\n\r\n"));
	/* Ended by close, it must not look whole. */
	b = net_connect(port);
	net_send(&b, "GET / HTTP/1.0\r\n\r\n");
	UNTIL(nheld == 2);
	http_reply_start(held[1], 200, NULL, HTTP_LENGTH_CHUNKED);
	http_reply_body(held[1], "part", 4);
	http_reply_abort(held[1]);
	UNTIL(net_ended(&b));
	assert_true(b.reset);
	/* Less than was promised is an abort too. */
	net_close(&a);
	a = net_connect(port);
	net_send(&a, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(nheld == 3);
	http_reply_start(held[2], 200, NULL, 10);
	http_reply_body(held[2], "part", 4);
	http_reply_end(held[2]);
	UNTIL(net_ended(&a));
}

static void
test_gone_while_waiting(void **state)
{
	struct linger l = {.l_onoff = 1};

	(void)state;
	on_request = hold;
	net_send(&a, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(nheld == 1 && nend == 1);
	shutdown(a.fd, SHUT_WR);	/* half-closed counts as gone */
	UNTIL(ngone == 1);
	assert_int_equal(gone_why, HTTP_CLOSE_PEER);
	b = net_connect(port);
	net_send(&b, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(nheld == 2);
	http_reply_start(held[1], 200, NULL, HTTP_LENGTH_CHUNKED);
	http_reply_body(held[1], "x", 1);
	setsockopt(b.fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	net_close(&b);
	UNTIL(ngone == 2);
	UNTIL(http_server_connections(srv) == 0);
}

static void
test_gone_behind_data(void **state)
{
	char junk[4096];

	(void)state;
	memset(junk, 'x', sizeof(junk));
	on_request = hold;
	net_send(&a, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(nheld == 1);
	for (int i = 0; i < 20; i++) {
		if (send(a.fd, junk, sizeof(junk), MSG_NOSIGNAL) < 0)
			break;
		loop_once(loop, 0);
	}
	net_close(&a);
	UNTIL(ngone == 1);
}

static void
test_gone_unattached(void **state)
{
	(void)state;
	on_request = hold_unattached;
	net_send(&a, "GET /z HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(nheld == 1);
	net_close(&a);
	UNTIL(http_server_connections(srv) == 0);
	/* Its holder may still answer, */
	http_reply(held[0], 200, NULL, NULL, "x", 1);
	b = net_connect(port);
	net_send(&b, "GET /z HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(nheld == 2);
	net_close(&b);
	UNTIL(http_server_connections(srv) == 0);
	/* or attach, and hears of it. */
	http_req_attach(held[1], &ops, NULL);
	assert_int_equal(ngone, 0);
	UNTIL(ngone == 1);
}

static void
test_gone_mid_body(void **state)
{
	(void)state;
	on_request = hold;
	net_send(&a, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
	UNTIL(got.len == 3);
	net_close(&a);
	UNTIL(ngone == 1);
	assert_int_equal(gone_why, HTTP_CLOSE_TRUNCATED);
	assert_int_equal(nend, 0);
}

static void
test_bad(void **state)
{
	static const char *const bad[] = {
		"GET / HTTP/1.1\nHost: x\n\n",
		"GET /a%2fb HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a/../b HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct net_peer p = net_connect(port);

		net_send(&p, bad[i]);
		UNTIL(net_ended(&p));
		assert_false(p.reset);
		assert_memory_equal(p.in.p, "HTTP/1.1 ", 9);
		assert_true(p.in.p[9] == '4' || p.in.p[9] == '5');
		assert_int_equal(net_count(&p, "HTTP/1.1 "), 1);
		assert_non_null(strstr(p.in.p, "{\"error\":{\"message\":\""));
		net_close(&p);
	}
	/* A body that turns bad: its owner hears, the client too. */
	on_request = hold;
	net_send(&a, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nab\r\n");
	UNTIL(net_ended(&a));
	assert_non_null(strstr(a.in.p, "HTTP/1.1 400 "));
	assert_int_equal(gone_why, HTTP_CLOSE_BAD);
}

static void
test_times(void **state)
{
	uint64_t t0, last = 0;

	(void)state;
	limits(120, 200, 100);
	b = net_connect(port);	/* says nothing */
	t0 = clock_ms();
	net_send(&a, "GET / HT");
	/* Dripping does not help. */
	while (!net_has(&a, "408")) {
		loop_once(loop, 10);
		if (!a.eof && clock_ms() - last >= 10) {
			send(a.fd, "x", 1, MSG_NOSIGNAL);
			last = clock_ms();
		}
		assert_true(clock_ms() - t0 < 2000);
	}
	assert_true(clock_ms() - t0 >= 115);
	UNTIL(net_ended(&b));
	assert_true(clock_ms() - t0 >= 190);
	assert_int_equal(b.in.len, 0);
}

static void
test_slow_body_and_reader(void **state)
{
	static char block[65536];
	const struct http_limits lim = {
		.max_head = 32768, .head_timeout = 10000, .idle_timeout = 75000, .max_connections = 100,
		.body_grace = 100, .write_stall = 100,
	};

	(void)state;
	http_server_set_limits(srv, &lim);
	on_request = hold;
	net_send(&a, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nab");
	UNTIL(net_has(&a, "HTTP/1.1 408 "));
	assert_int_equal(ngone, 1);
	assert_int_equal(gone_why, HTTP_CLOSE_TIMEOUT);
	UNTIL(net_ended(&a));
	b = net_connect(port);
	net_send(&b, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(nheld == 2);
	http_reply_start(held[1], 200, NULL, HTTP_LENGTH_CHUNKED);
	while (http_reply_body(held[1], block, sizeof(block)) <= HTTP_HIGH_WATER)
		;
	UNTIL(ngone == 2);
	assert_int_equal(gone_why, HTTP_CLOSE_TIMEOUT);
}

/* A fast begin is no reason to keep what was sent for hours. */
static void
test_body_that_stops(void **state)
{
	static char block[40000];
	const struct http_limits lim = {
		.max_head = 32768, .head_timeout = 10000, .idle_timeout = 75000, .max_connections = 100, .body_grace = 100,
	};

	(void)state;
	memset(block, 'x', sizeof(block) - 1);
	http_server_set_limits(srv, &lim);
	on_request = hold;
	net_send(&a, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n");
	net_send(&a, block);
	UNTIL(net_has(&a, "HTTP/1.1 408 "));
	assert_int_equal(gone_why, HTTP_CLOSE_TIMEOUT);
}

static void
test_back_pressure(void **state)
{
	static char block[32768];
	size_t sent = 0, left = 0, body;

	(void)state;
	on_request = hold;
	net_send(&a, "GET / HTTP/1.0\r\n\r\n");
	UNTIL(nheld == 1);
	http_reply_start(held[0], 200, NULL, HTTP_LENGTH_CHUNKED);
	while (left <= HTTP_HIGH_WATER) {
		left = http_reply_body(held[0], block, sizeof(block));
		sent += sizeof(block);
		assert_true(sent < (64u << 20));
	}
	assert_int_equal(nwritable, 0);
	UNTIL(net_has(&a, "200") && nwritable == 1);
	assert_true(http_reply_backlog(held[0]) <= HTTP_LOW_WATER);
	assert_int_equal(http_reply_bytes(held[0]), sent);
	http_reply_end(held[0]);
	UNTIL(net_ended(&a));
	body = a.in.len - (size_t)(strstr(a.in.p, "\r\n\r\n") + 4 - a.in.p);
	assert_int_equal(body, sent);
}

static void
test_early_answer(void **state)
{
	static char block[32768];

	(void)state;
	on_request = hold_unattached;
	net_send(&a, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n");
	UNTIL(nheld == 1);
	http_reply(held[0], 403, NULL, NULL, "no", 2);
	for (int i = 0; i < 9; i++) {
		net_sendn(&a, block, sizeof(block));
		loop_once(loop, 1);
	}
	UNTIL(net_ended(&a));
	assert_false(a.reset);
	assert_non_null(strstr(a.in.p, "HTTP/1.1 403 "));
}

static void
test_pause(void **state)
{
	(void)state;
	on_request = hold;
	net_send(&a, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nab");
	UNTIL(got.len == 2);
	http_req_pause(held[0]);
	net_send(&a, "cd");
	for (int i = 0; i < 5; i++)
		loop_once(loop, 2);
	assert_int_equal(got.len, 2);
	http_req_resume(held[0]);
	UNTIL(got.len == 4);
	net_send(&a, "ef");
	UNTIL(nend == 1);
	say_path(held[0]);
	UNTIL(net_has(&a, "200 OK"));
}

static void
test_max_connections(void **state)
{
	(void)state;
	on_request = hold;
	limits(10000, 75000, 1);
	net_send(&a, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(nheld == 1);
	b = net_connect(port);
	net_send(&b, "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
	for (int i = 0; i < 5; i++)
		loop_once(loop, 2);
	assert_int_equal(nheld, 1);
	assert_int_equal(http_server_connections(srv), 1);
	net_close(&a);
	UNTIL(nheld == 2);
	say_path(held[1]);
	UNTIL(net_has(&b, "/2"));
}

static void
test_unix(void **state)
{
	char path[64];
	struct sockaddr_un u = {.sun_family = AF_UNIX};
	struct stat st;
	struct err e;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/mai-test-%ld.sock", (long)getpid());
	assert_int_equal(http_server_listen_unix(srv, path, 9, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	b = (struct net_peer){.fd = socket(AF_UNIX, SOCK_STREAM, 0)};
	snprintf(u.sun_path, sizeof(u.sun_path), "%s", path);
	assert_int_equal(connect(b.fd, (struct sockaddr *)&u, sizeof(u)), 0);
	fcntl(b.fd, F_SETFL, O_NONBLOCK);
	on_request = hold;
	net_send(&b, "GET /u HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(nheld == 1);
	assert_int_equal(http_req_peer_uid(held[0]), (long)getuid());
	assert_streq(http_req_peer(held[0]), "unix");
	assert_int_equal(http_req_tag(held[0]), 9);
	assert_int_equal(http_req_local_port(held[0]), 0);
	say_path(held[0]);
	UNTIL(net_has(&b, "/u"));
	unlink(path);
}

/* Who owns the socket's directory must reach mai however many clients there are. */
static void
test_unix_beyond_the_limit(void **state)
{
	char path[64];
	struct sockaddr_un u = {.sun_family = AF_UNIX};
	struct err e;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/mai-test-%ld.sock", (long)getpid());
	assert_int_equal(http_server_listen_unix(srv, path, 9, &e), 0);
	on_request = hold;
	limits(10000, 75000, 1);
	net_send(&a, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(nheld == 1);
	b = (struct net_peer){.fd = socket(AF_UNIX, SOCK_STREAM, 0)};
	snprintf(u.sun_path, sizeof(u.sun_path), "%s", path);
	assert_int_equal(connect(b.fd, (struct sockaddr *)&u, sizeof(u)), 0);
	fcntl(b.fd, F_SETFL, O_NONBLOCK);
	net_send(&b, "GET /u HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(nheld == 2);
	say_path(held[1]);
	UNTIL(net_has(&b, "/u"));
	unlink(path);
}

static void
test_drain(void **state)
{
	(void)state;
	on_request = hold;
	net_send(&a, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
	b = net_connect(port);
	UNTIL(nheld == 1 && http_server_connections(srv) == 2);
	assert_true(strncmp(http_req_peer(held[0]), "127.0.0.1:", 10) == 0);
	assert_int_equal(http_req_local_port(held[0]), port);
	http_server_drain(srv);
	UNTIL(net_ended(&b));
	say_path(held[0]);
	UNTIL(net_ended(&a));
	assert_non_null(strstr(a.in.p, "Connection: close\r\n"));
}

static void
test_server_ends(void **state)
{
	(void)state;
	on_request = hold;
	net_send(&a, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(nheld == 1);
	http_server_free(&srv);
	assert_int_equal(ngone, 1);
	assert_int_equal(gone_why, HTTP_CLOSE_SHUTDOWN);
}

static void
test_tunnel(void **state)
{
	(void)state;
	on_request = hold;
	net_send(&a, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
	UNTIL(nheld == 1);
	http_reply_start(held[0], 101, NULL, HTTP_LENGTH_NONE);
	http_req_tunnel(held[0]);
	http_reply_body(held[0], "ping", 4);
	UNTIL(net_has(&a, "\r\n\r\nping"));
	net_send(&a, "pong");
	UNTIL(got.len == 4);
	http_reply_end(held[0]);
	UNTIL(net_ended(&a));
}

static void
open_tunnel(const char *early)
{
	on_request = hold;
	net_send(&a, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
	net_send(&a, early);
	UNTIL(nheld == 1);
	for (int i = 0; i < 5; i++)
		loop_once(loop, 1);
	assert_int_equal(got.len, 0);
	http_reply_start(held[0], 101, NULL, HTTP_LENGTH_NONE);
	http_req_tunnel(held[0]);
	http_reply_flush(held[0]);
	UNTIL(net_has(&a, "\r\n\r\n"));
	assert_null(strstr(a.in.p, "Content-Length"));
	assert_null(strstr(a.in.p, "Connection: close"));
	strbuf_clear(&a.in);
}

/* What the client sends before it has the 101 belongs to the tunnel. */
static void
test_tunnel_early_data(void **state)
{
	(void)state;
	open_tunnel("GET /evil HTTP/1.1\r\n\r\n");
	UNTIL(got.len == 22);
	assert_memory_equal(got.p, "GET /evil HTTP/1.1\r\n\r\n", 22);
	assert_int_equal(nheld, 1);
	net_send(&a, "more");
	UNTIL(got.len == 26);
	net_close(&a);
	UNTIL(ngone == 1);
}

/* Paused, it keeps a little and leaves the rest to the sender. */
static void
test_tunnel_pause(void **state)
{
	static char block[65536];
	size_t sent = 0;

	(void)state;
	open_tunnel("");
	http_req_pause(held[0]);
	memset(block, 'b', sizeof(block));
	for (int i = 0; i < 2000; i++) {
		ssize_t k = send(a.fd, block, sizeof(block), MSG_NOSIGNAL);

		sent += k > 0 ? (size_t)k : 0;
		loop_once(loop, 0);
	}
	assert_int_equal(got.len, 0);
	assert_true(sent > 100000 && sent < 48u << 20);
	http_req_resume(held[0]);
	UNTIL(got.len == sent);
	http_reply_end(held[0]);
	UNTIL(net_ended(&a));
}

/* The far side ended while the client still sends: it reads everything that was said, and then the end. */
static void
test_tunnel_ends_gently(void **state)
{
	static char block[65536];
	size_t said = 0;

	(void)state;
	open_tunnel("");
	memset(block, 'e', sizeof(block));
	while (said < 300000)
		said += (http_reply_body(held[0], block, 60000), 60000);
	net_send(&a, "unread");
	http_reply_end(held[0]);
	net_send(&a, "and more");
	UNTIL(net_ended(&a));
	assert_false(a.reset);
	assert_int_equal(a.in.len, said);
	net_close(&a);
	UNTIL(http_server_connections(srv) == 0);
	assert_int_equal(ngone, 0);
}

static void
close_at_once(struct http_req *req)
{
	http_req_close(req);
	say_path(req);
}

static void
test_close_after(void **state)
{
	(void)state;
	on_request = close_at_once;
	net_send(&a, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(net_ended(&a));
	assert_non_null(strstr(a.in.p, "Connection: close\r\n\r\n/1"));
	assert_null(strstr(a.in.p, "/2"));
}

static void
test_out_of_descriptors(void **state)
{
	struct rlimit rl, low;
	int fds[64], n = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &rl), 0);
	low = rl;
	low.rlim_cur = 60;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	while (n < 64 && (fds[n] = dup(0)) >= 0)
		n++;
	/* Leaves the peer one descriptor, the server none. */
	close(fds[--n]);
	b = net_connect(port);
	net_send(&b, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
	for (int i = 0; i < 5; i++)
		loop_once(loop, 5);
	while (n > 0)
		close(fds[--n]);
	UNTIL(net_has(&b, "/late"));
	setrlimit(RLIMIT_NOFILE, &rl);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_keep_alive), T(test_byte_at_a_time), T(test_pipelining), T(test_continue),
		T(test_collect_limit), T(test_head_and_bare), T(test_chunked_and_old), T(test_abort),
		T(test_gone_while_waiting), T(test_gone_behind_data), T(test_gone_unattached), T(test_gone_mid_body),
		T(test_bad), T(test_times), T(test_slow_body_and_reader), T(test_body_that_stops),
		T(test_back_pressure), T(test_early_answer), T(test_pause),
		T(test_max_connections), T(test_unix), T(test_unix_beyond_the_limit), T(test_drain), T(test_server_ends), T(test_tunnel),
		T(test_tunnel_early_data), T(test_tunnel_pause), T(test_tunnel_ends_gently), T(test_close_after),
		T(test_out_of_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
