/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include <poll.h>

#include "http/http_client.h"
#include "net.h"

static struct loop *loop;
static struct http_pool *pool;
static struct http_target target;
static int lfd, port;
static struct net_peer up;	/* the engine's end of the newest connection */

struct result {
	int heads, ends, fails, status, idles, drains;
	enum http_close why;
	bool received;
	struct strbuf body;
};

static struct result r, r2;
static struct http_xfer *cancel_in_head;

static void
on_head(void *arg, const struct http_head *h)
{
	struct result *res = arg;

	res->heads++;
	res->status = h->status;
	http_xfer_cancel(&cancel_in_head);
}

static void
on_body(void *arg, const char *p, size_t n)
{
	strbuf_add(&((struct result *)arg)->body, p, n);
}

static void
on_idle(void *arg)
{
	((struct result *)arg)->idles++;
}

static void
on_end(void *arg)
{
	((struct result *)arg)->ends++;
}

static void
on_fail(void *arg, enum http_close why, bool received)
{
	struct result *res = arg;

	res->fails++;
	res->why = why;
	res->received = received;
}

static void
on_drained(void *arg)
{
	((struct result *)arg)->drains++;
}

static const struct http_xfer_ops ops = {on_head, on_body, on_idle, on_end, on_fail, on_drained};

static int
listen_here(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	port = ntohs(a.sin_port);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static int
setup(void **state)
{
	(void)state;
	loop = loop_new();
	pool = http_pool_new(loop);
	lfd = listen_here();
	assert_int_equal(http_target_set(&target, "127.0.0.1", port), 0);
	target.generation = 5;
	target.keep_alive = true;
	up.fd = -1;
	memset(&r, 0, sizeof(r));
	memset(&r2, 0, sizeof(r2));
	cancel_in_head = NULL;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	net_close(&up);
	strbuf_fini(&r.body);
	strbuf_fini(&r2.body);
	if (lfd >= 0)
		close(lfd);
	http_pool_free(&pool);
	loop_free(&loop);
	return 0;
}

static bool
accepted(void)
{
	int fd = accept(lfd, NULL, NULL);

	if (fd < 0)
		return false;
	net_close(&up);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	up = (struct net_peer){.fd = fd};
	return true;
}

#define UNTIL(cond) NET_UNTIL(loop, cond)
#define HEAD "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
#define OK4 "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"

static struct http_xfer *
start(struct result *res)
{
	return http_xfer_start(pool, &target, HEAD, strlen(HEAD), "body", 4, false, &ops, res);
}

static void
begin(void)
{
	start(&r);
	UNTIL(accepted());
	UNTIL(net_has(&up, "\r\n\r\nbody"));
}

static void
test_keep(void **state)
{
	(void)state;
	begin();
	assert_int_equal(r.heads, 0);
	net_send(&up, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nConte");
	for (int i = 0; i < 3; i++)
		loop_once(loop, 2);
	assert_int_equal(r.heads, 0);
	net_send(&up, "nt-Length: 4\r\n\r\nab");
	UNTIL(r.body.len == 2 && r.idles == 1);
	net_send(&up, "cd");
	UNTIL(r.ends == 1);
	assert_streq(r.body.p, "abcd");
	assert_int_equal(r.heads, 1);
	assert_int_equal(http_pool_idle(pool), 1);
	/* The second one uses it again. */
	start(&r2);
	assert_int_equal(http_pool_idle(pool), 0);
	strbuf_clear(&up.in);
	UNTIL(net_has(&up, "\r\n\r\nbody"));
	net_send(&up, OK4 "wxyz");
	UNTIL(r2.ends == 1);
	assert_false(accepted());
	/* A readable event while idle ends it. */
	net_send(&up, "HTTP/1.1 408 Too late\r\n\r\n");
	UNTIL(http_pool_idle(pool) == 0);
}

static void
test_retry_once(void **state)
{
	(void)state;
	begin();
	net_send(&up, OK4 "abcd");
	UNTIL(r.ends == 1);
	/* The engine closes it just as it is used again. */
	start(&r2);
	assert_int_equal(http_pool_idle(pool), 0);
	net_close(&up);
	UNTIL(accepted());
	UNTIL(net_has(&up, "\r\n\r\nbody"));
	assert_int_equal(r2.fails, 0);
	/* Not twice. */
	net_close(&up);
	UNTIL(r2.fails == 1);
	assert_false(r2.received);
	assert_int_equal(r2.why == HTTP_CLOSE_PEER || r2.why == HTTP_CLOSE_RESET, 1);
	assert_false(accepted());
}

/* The engine says something between two exchanges: unseen by the pool, which had no turn. It is no answer to the next one. */
static void
test_stray_answer(void **state)
{
	(void)state;
	begin();
	net_send(&up, OK4 "abcd");
	UNTIL(r.ends == 1 && http_pool_idle(pool) == 1);
	net_send(&up, OK4 "evil");
	start(&r2);
	UNTIL(accepted());
	UNTIL(net_has(&up, "\r\n\r\nbody"));
	net_send(&up, OK4 "good");
	UNTIL(r2.ends == 1);
	assert_streq(r2.body.p, "good");
}

static void
test_no_retry_when_fresh(void **state)
{
	(void)state;
	begin();
	net_close(&up);
	UNTIL(r.fails == 1);
	for (int i = 0; i < 3; i++)
		loop_once(loop, 2);
	assert_false(accepted());
	assert_int_equal(r.heads, 0);
}

/* What listens there by then may be another engine. */
static void
test_no_retry_when_dropped(void **state)
{
	(void)state;
	begin();
	net_send(&up, OK4 "abcd");
	UNTIL(r.ends == 1);
	start(&r2);
	net_close(&up);
	http_pool_drop(pool, 5);
	UNTIL(r2.fails == 1);
	assert_false(r2.received);
	for (int i = 0; i < 3; i++)
		loop_once(loop, 2);
	assert_false(accepted());
}

static void
test_no_connection_when_dropped(void **state)
{
	struct sockaddr_in *a = (struct sockaddr_in *)&target.addr;
	int fds[64], n = 0;
	struct pollfd p = {.events = POLLOUT, .revents = POLLOUT};

	(void)state;
	assert_int_equal(listen(lfd, 0), 0);
	/* As many as it takes until nobody comes through any more. */
	while (n < 64 && p.revents != 0) {
		p.fd = fds[n++] = socket(AF_INET, SOCK_STREAM, 0);
		fcntl(p.fd, F_SETFL, O_NONBLOCK);
		connect(p.fd, (struct sockaddr *)a, sizeof(*a));
		poll(&p, 1, 50);
	}
	if (p.revents == 0) {
		start(&r);
		loop_once(loop, 2);
		assert_int_equal(r.fails, 0);
		http_pool_drop(pool, 4);
		loop_once(loop, 2);
		assert_int_equal(r.fails, 0);
		http_pool_drop(pool, 5);
		UNTIL(r.fails == 1);
		assert_int_equal(r.why, HTTP_CLOSE_REFUSED);
	}
	while (n != 0)
		close(fds[--n]);
}

static void
test_generation(void **state)
{
	(void)state;
	begin();
	net_send(&up, OK4 "abcd");
	UNTIL(r.ends == 1);
	target.generation = 6;
	start(&r2);
	UNTIL(accepted());
	assert_int_equal(http_pool_idle(pool), 1);
	http_pool_drop(pool, 5);
	assert_int_equal(http_pool_idle(pool), 0);
	/* An active one of a dropped generation is not kept. */
	http_pool_drop(pool, 6);
	net_send(&up, OK4 "abcd");
	UNTIL(r2.ends == 1);
	assert_int_equal(http_pool_idle(pool), 0);
}

static void
test_extra_bytes(void **state)
{
	(void)state;
	begin();
	net_send(&up, OK4 "abcdHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen");
	UNTIL(r.ends == 1);
	assert_streq(r.body.p, "abcd");
	assert_int_equal(http_pool_idle(pool), 0);
}

static void
test_until_close(void **state)
{
	(void)state;
	begin();
	net_send(&up, "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
	UNTIL(r.body.len == 9);
	net_close(&up);
	UNTIL(r.ends == 1);
	assert_int_equal(http_pool_idle(pool), 0);
}

static void
test_truncated(void **state)
{
	static const char *const cut[] = {
		OK4 "ab",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
		memset(&r, 0, sizeof(r));
		begin();
		net_send(&up, cut[i]);
		UNTIL(r.body.len == 2);
		net_close(&up);
		UNTIL(r.fails == 1);
		assert_int_equal(r.why, HTTP_CLOSE_TRUNCATED);
		assert_true(r.received);
		assert_int_equal(r.ends, 0);
		strbuf_fini(&r.body);
	}
}

static void
test_malformed(void **state)
{
	static const char *const bad[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\na",
		"HTTP/1.1 200 OK\nContent-Length: 1\n\na",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
		"garbage\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&r, 0, sizeof(r));
		begin();
		net_sendn(&up, bad[i], i == 2 ? 27 : strlen(bad[i]));
		UNTIL(r.fails == 1);
		assert_int_equal(r.why, HTTP_CLOSE_BAD);
		assert_int_equal(r.heads, 0);
		assert_int_equal(r.ends, 0);
	}
	/* A bad chunk comes after the head. */
	memset(&r, 0, sizeof(r));
	begin();
	net_send(&up, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n");
	UNTIL(r.fails == 1);
	assert_int_equal(r.why, HTTP_CLOSE_BAD);
	assert_int_equal(http_pool_idle(pool), 0);
}

static void
test_head_bomb(void **state)
{
	static char junk[4096];

	(void)state;
	memset(junk, 'a', sizeof(junk));
	begin();
	net_send(&up, "HTTP/1.1 200 OK\r\nX: ");
	for (int i = 0; i < 40 && r.fails == 0; i++) {
		if (send(up.fd, junk, sizeof(junk), MSG_NOSIGNAL) < 0)
			break;
		loop_once(loop, 2);
	}
	UNTIL(r.fails == 1);
	assert_int_equal(r.why, HTTP_CLOSE_BAD);
}

static void
test_refused(void **state)
{
	struct http_target none;

	(void)state;
	assert_false(http_target_refuses(&target));
	close(lfd);
	lfd = -1;
	assert_true(http_target_refuses(&target));
	assert_int_equal(http_target_set(&none, "unix:/nonexistent/x.sock", 0), 0);
	assert_true(http_target_refuses(&none));
	start(&r);
	assert_int_equal(r.fails, 0);	/* never from inside the call */
	UNTIL(r.fails == 1);
	assert_int_equal(r.why, HTTP_CLOSE_REFUSED);
	assert_false(r.received);
}

static void
test_early_error(void **state)
{
	size_t n = 16u << 20;
	char *big = calloc(1, n);

	(void)state;
	http_xfer_start(pool, &target, HEAD, strlen(HEAD), big, n, false, &ops, &r);
	UNTIL(accepted());
	net_send(&up, "HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nabcd");
	UNTIL(r.ends == 1);
	assert_int_equal(r.status, 413);
	assert_int_equal(http_pool_idle(pool), 0);
	free(big);
	/* The same when the engine closes at once after it. */
	net_close(&up);
}

static void
test_big_body(void **state)
{
	size_t n = 8u << 20;
	char *big = malloc(n);

	(void)state;
	memset(big, 'z', n);
	http_xfer_start(pool, &target, HEAD, strlen(HEAD), big, n, false, &ops, &r);
	UNTIL(accepted());
	UNTIL((net_read(&up), up.in.len == n + strlen(HEAD)));
	net_send(&up, OK4 "abcd");
	UNTIL(r.ends == 1);
	assert_int_equal(http_pool_idle(pool), 1);
	free(big);
}

static void
test_pause(void **state)
{
	static char block[65536];
	struct http_xfer *x;
	size_t sent = 0;
	ssize_t k;

	(void)state;
	x = start(&r);
	UNTIL(accepted());
	net_send(&up, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
	UNTIL(r.heads == 1);
	http_xfer_pause(x);
	for (int i = 0; i < 200; i++) {
		k = send(up.fd, block, sizeof(block), MSG_NOSIGNAL);
		if (k > 0)
			sent += (size_t)k;
		loop_once(loop, 0);
	}
	assert_int_equal(r.body.len, 0);
	http_xfer_resume(x);
	UNTIL(r.body.len == sent);
	http_xfer_cancel(&x);
	assert_null(x);
	UNTIL(net_ended(&up));
}

static void
test_cancel(void **state)
{
	(void)state;
	cancel_in_head = start(&r);
	UNTIL(accepted());
	net_send(&up, OK4 "abcd");
	UNTIL(r.heads == 1);
	UNTIL(net_ended(&up));
	assert_int_equal(r.body.len, 0);
	assert_int_equal(r.ends + r.fails, 0);
	assert_int_equal(http_pool_idle(pool), 0);
}

static void
test_no_body_answers(void **state)
{
	(void)state;
	http_xfer_start(pool, &target, "HEAD / HTTP/1.1\r\n\r\n", 19, NULL, 0, true, &ops, &r);
	UNTIL(accepted());
	net_send(&up, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
	UNTIL(r.ends == 1);
	assert_int_equal(http_pool_idle(pool), 1);
	start(&r2);
	net_send(&up, "HTTP/1.1 204 No Content\r\n\r\nevil");
	UNTIL(r2.ends == 1);
	assert_int_equal(r2.body.len, 0);
	assert_int_equal(http_pool_idle(pool), 0);
}

static void
test_upgrade(void **state)
{
	struct http_xfer *x = start(&r);

	(void)state;
	http_xfer_allow_upgrade(x);
	UNTIL(accepted());
	net_send(&up, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhi");
	UNTIL(r.heads == 1 && r.body.len == 2);
	http_xfer_tunnel_send(x, "there", 5);
	UNTIL(net_has(&up, "there"));
	net_close(&up);
	UNTIL(r.ends == 1);
}

static struct http_xfer *
start_tunnel(void)
{
	struct http_xfer *x = start(&r);

	http_xfer_allow_upgrade(x);
	UNTIL(accepted());
	UNTIL(net_has(&up, "\r\n\r\nbody"));
	strbuf_clear(&up.in);
	net_send(&up, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
	UNTIL(r.heads == 1);
	return x;
}

/* Whoever sends until the back-log is high and stops then is told when it may go on; nothing is lost. */
static void
test_tunnel_back_pressure(void **state)
{
	static char block[16384];
	struct http_xfer *x = start_tunnel();
	size_t sent = 0, left = 0, high = 0;

	(void)state;
	memset(block, 'b', sizeof(block));
	while (left <= HTTP_HIGH_WATER) {
		left = http_xfer_tunnel_send(x, block, sizeof(block));
		sent += sizeof(block);
		assert_true(sent < 64u << 20);
		loop_once(loop, 0);
	}
	assert_true(left <= HTTP_HIGH_WATER + sizeof(block));
	for (int i = 0; i < 20; i++)
		loop_once(loop, 0);
	assert_int_equal(r.drains, 0);	/* nobody reads */
	for (int round = 1; round <= 3; round++) {
		UNTIL((net_read(&up), r.drains == round));
		left = 0;
		while (left <= HTTP_HIGH_WATER) {
			left = http_xfer_tunnel_send(x, block, sizeof(block));
			sent += sizeof(block);
			high = left > high ? left : high;
		}
	}
	assert_true(high <= HTTP_HIGH_WATER + sizeof(block));
	UNTIL((net_read(&up), up.in.len == sent));
	assert_int_equal(r.drains, 4);
	assert_null(memchr(up.in.p, 'x', up.in.len));
	/* It was under the high-water mark all the time: nobody stopped, nobody is told. */
	http_xfer_tunnel_send(x, "x", 1);
	UNTIL((net_read(&up), up.in.len == sent + 1));
	assert_int_equal(r.drains, 4);
	http_xfer_cancel(&x);
	UNTIL(net_ended(&up));
}

/* The engine said something, then closed; what is written to it meanwhile does not take away what it said. */
static void
test_tunnel_last_words(void **state)
{
	struct http_xfer *x = start_tunnel();

	(void)state;
	http_xfer_pause(x);
	net_send(&up, "last words");
	net_close(&up);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(http_xfer_tunnel_send(x, "more", 4), 0);
		loop_once(loop, 1);
	}
	assert_int_equal(r.ends + r.fails, 0);
	http_xfer_resume(x);
	UNTIL(r.ends == 1);
	assert_int_equal(r.fails, 0);
	assert_streq(strbuf_str(&r.body), "last words");
}

static void
test_tunnel_other_callbacks(void **state)
{
	struct http_xfer *x = start_tunnel();

	(void)state;
	http_xfer_attach(x, &ops, &r2);
	net_send(&up, "hi");
	UNTIL(r2.body.len == 2);
	assert_int_equal(r.body.len, 0);
	net_close(&up);
	UNTIL(r2.ends == 1);
	assert_int_equal(r.ends, 0);
}

static void
test_idle_limit(void **state)
{
	uint64_t t0;

	(void)state;
	begin();
	net_send(&up, OK4 "abcd");
	UNTIL(r.ends == 1);
	t0 = clock_ms();
	UNTIL(net_ended(&up));
	assert_true(clock_ms() - t0 >= 3900);
	assert_int_equal(http_pool_idle(pool), 0);
}

static void
test_targets(void **state)
{
	struct http_target t;

	(void)state;
	assert_int_equal(http_target_set(&t, "::1", 80), 0);
	assert_int_equal(http_target_set(&t, "[::1]", 80), 0);
	assert_int_equal(http_target_set(&t, "unix:/tmp/x.sock", 0), 0);
	assert_int_equal(http_target_set(&t, "localhost", 80), -1);
	assert_int_equal(http_target_set(&t, "127.0.0.1", 65536), -1);
	assert_int_equal(http_target_set(&t, "unix:", 0), -1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_keep), T(test_retry_once), T(test_stray_answer), T(test_no_retry_when_fresh), T(test_no_retry_when_dropped),
		T(test_no_connection_when_dropped), T(test_generation), T(test_extra_bytes),
		T(test_until_close), T(test_truncated), T(test_malformed), T(test_head_bomb), T(test_refused),
		T(test_early_error), T(test_big_body), T(test_pause), T(test_cancel), T(test_no_body_answers),
		T(test_upgrade), T(test_tunnel_back_pressure), T(test_tunnel_last_words), T(test_tunnel_other_callbacks),
		T(test_idle_limit), T(test_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
