/* SPDX-License-Identifier: ISC
 * Upgrades, and what follows a 101. */
#include "proxy_bench.h"

#define WS_REQUEST "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\nOrigin: http://mai\r\n"
#define WS_ANSWER "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" \
    "Sec-WebSocket-Accept: a\r\n\r\n"

static void
tunnel(const char *early)
{
	send_to("GET", "/upstream/qwen/ws", WS_REQUEST, early);
	at_engine("Connection: Upgrade\r\nUpgrade: websocket\r\n");
	assert_non_null(strstr(up.in.p, "GET /ws HTTP/1.1\r\n"));
	assert_non_null(strstr(up.in.p, "Sec-WebSocket-Key: k\r\n"));
	assert_null(strstr(up.in.p, "Origin"));
	strbuf_clear(&up.in);
	net_send(&up, WS_ANSWER);
	UNTIL(net_has(&cl, "\r\n\r\n"));
	assert_memory_equal(cl.in.p, "HTTP/1.1 101 Switching Protocols\r\n", 34);
	assert_non_null(strstr(cl.in.p, "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
	assert_non_null(strstr(cl.in.p, "Sec-WebSocket-Accept: a\r\n"));
	assert_non_null(strstr(cl.in.p, "X-Mai-Model: qwen\r\n"));
	strbuf_clear(&cl.in);
}

static uint64_t row_id, row_in, row_out;
static enum req_phase row_phase;

static void
see_tunnel(void *arg, const struct proxy_row *row)
{
	(void)arg;
	row_id = row->id;
	row_phase = row->phase;
	row_in = row->bytes_in;
	row_out = row->bytes_out;
}

static void
test_tunnel(void **state)
{
	(void)state;
	tunnel("");
	net_send(&cl, "from the client");
	UNTIL(net_has(&up, "from the client"));
	net_send(&up, "{\"model\":\"inner\"}");
	UNTIL(net_has(&cl, "{\"model\":\"inner\"}"));
	proxy_each(proxy, see_tunnel, NULL);
	assert_int_equal(row_phase, REQ_GENERATING);
	assert_int_equal(row_in, 15);
	assert_int_equal(row_out, 17);
	assert_int_equal(nuntimed, 1);
	assert_int_equal(ntickets, 1);
	net_send(&up, "bye");
	net_close(&up);
	UNTIL(net_ended(&cl));
	assert_streq(cl.in.p, "{\"model\":\"inner\"}bye");
	assert_false(cl.reset);
	assert_int_equal(ntickets, 0);
	assert_non_null(strstr(access_line(), " GET /upstream/qwen/ws 101 "));
	assert_int_equal(last_level, ' ');
	assert_int_equal(nsuspects, 0);
}

static void
test_tunnel_client_leaves(void **state)
{
	(void)state;
	tunnel("");
	net_send(&cl, "last");
	shutdown(cl.fd, SHUT_WR);
	UNTIL(net_ended(&up));
	assert_streq(up.in.p, "last");
	assert_int_equal(ntickets, 0);
	assert_non_null(strstr(access_line(), " 101 "));
}

/* Bytes that come too early wait for the 101; without one they are nobody's. */
static void
test_tunnel_early(void **state)
{
	static const char evil[] = "GET /upstream/qwen/evil HTTP/1.1\r\nHost: mai\r\n\r\n";

	(void)state;
	send_to("GET", "/upstream/qwen/ws", WS_REQUEST, "");
	net_send(&cl, evil);
	at_engine("Upgrade: websocket\r\n");
	for (int i = 0; i < 5; i++)
		loop_once(loop, 1);
	assert_null(strstr(up.in.p, "evil"));
	strbuf_clear(&up.in);
	net_send(&up, WS_ANSWER);
	UNTIL(net_has(&up, evil));
	assert_int_equal(ntickets, 1);
	net_close(&up);
	UNTIL(net_ended(&cl));
	net_close(&cl);
	cl = net_connect(front);
	send_to("GET", "/upstream/qwen/ws", WS_REQUEST, "");
	net_send(&cl, evil);
	at_engine("Upgrade: websocket\r\n");
	net_send(&up, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
	UNTIL(net_ended(&cl));
	assert_non_null(strstr(cl.in.p, "HTTP/1.1 403 "));
	assert_non_null(strstr(cl.in.p, "Connection: close\r\n"));
	assert_non_null(strstr(cl.in.p, "\r\n\r\nno"));
	assert_null(strstr(up.in.p, "evil"));
	assert_int_equal(ntickets, 0);
}

static void
test_tunnel_not_asked(void **state)
{
	(void)state;
	send_to("GET", "/upstream/qwen/x", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n", "");
	at_engine("\r\n\r\n");
	assert_null(strstr(up.in.p, "pgrade"));
	assert_null(strstr(up.in.p, "ettings"));
	net_send(&up, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n");
	one_answer("502", "malformed");
	/* Inference paths have no upgrades. */
	send_to("POST", "/v1/chat/completions", WS_REQUEST, "{}");
	at_engine("\r\n\r\n{}");
	assert_null(strstr(up.in.p, "ebsocket"));
	net_send(&up, ANSWER);
	one_answer("200", "\r\n\r\n");
	/* Another protocol than the one that was asked for. */
	send_to("GET", "/upstream/qwen/x", WS_REQUEST, "");
	strbuf_clear(&up.in);
	UNTIL(net_has(&up, "Upgrade: websocket\r\n"));
	net_send(&up, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n");
	one_answer("502", "nobody asked for");
	UNTIL(net_ended(&up));
}

/* Both ways, whoever does not read holds back the other side, and no more than a little is kept. */
static void
test_tunnel_back_pressure(void **state)
{
	static char block[65536];
	struct net_peer *pair[2][2] = {{&up, &cl}, {&cl, &up}};

	(void)state;
	tunnel("");
	memset(block, 'b', sizeof(block));
	for (int i = 0; i < 2; i++) {
		struct net_peer *from = pair[i][0], *to = pair[i][1];
		size_t sent = 0, had = to->in.len, still = 0;

		while (still < 200) {
			ssize_t k = send(from->fd, block, sizeof(block), MSG_NOSIGNAL);

			still = k > 0 ? 0 : still + 1;
			sent += k > 0 ? (size_t)k : 0;
			assert_true(sent < 64u << 20);
			loop_once(loop, 0);
		}
		assert_true(sent > 300000);
		UNTIL((net_read(to), to->in.len == had + sent));
	}
	proxy_each(proxy, see_tunnel, NULL);
	assert_int_equal(row_in, up.in.len);
	assert_int_equal(row_out, cl.in.len);
}

static void
test_tunnel_is_stopped(void **state)
{
	struct proxy_totals sum;

	(void)state;
	tunnel("");
	engine_event(ENGINE_STOPPING, REASON_USER);
	UNTIL(net_ended(&cl) && net_ended(&up));
	assert_int_equal(ntickets, 0);
	proxy_totals(proxy, &sum);
	assert_int_equal(sum.done, 1);
	assert_int_equal(sum.truncated, 0);
	net_close(&cl);
	cl = net_connect(front);
	tunnel("");
	proxy_each(proxy, see_tunnel, NULL);
	assert_true(proxy_cancel(proxy, row_id));
	UNTIL(net_ended(&cl) && net_ended(&up));
	assert_null(strstr(strbuf_str(&cl.in), "cancelled"));
}

static void
drain_event(enum engine_state from, enum engine_state to)
{
	const struct bus_event e = {.kind = BUS_ENGINE, .model = "qwen", .from = from, .to = to, .reason = REASON_SWAP};

	bus_publish(bus, &e);
}

/* A drain that waits for requests as long as they take does not wait for a tunnel longer than drainTimeout. */
static void
test_tunnel_drains(void **state)
{
	uint64_t t0;

	(void)state;
	qwen.drain_timeout = 50;
	tunnel("");
	drain_event(ENGINE_READY, ENGINE_DRAINING);
	drain_event(ENGINE_DRAINING, ENGINE_READY);	/* it goes on */
	t0 = clock_ms();
	while (clock_ms() - t0 < 120)
		loop_once(loop, 10);
	net_send(&cl, "still");
	UNTIL(net_has(&up, "still"));
	t0 = clock_ms();
	drain_event(ENGINE_READY, ENGINE_DRAINING);
	net_send(&cl, " there");
	UNTIL(net_has(&up, "still there"));
	UNTIL(net_ended(&cl) && net_ended(&up));
	assert_true(clock_ms() - t0 >= 49);
	assert_int_equal(ntickets, 0);
	/* One that begins while its engine drains, too. */
	net_close(&cl);
	cl = net_connect(front);
	info.state = ENGINE_DRAINING;
	tunnel("");
	UNTIL(net_ended(&cl) && net_ended(&up));
}

/* The engine dies before it answered: the next one may have the upgrade. */
static void
test_tunnel_after_a_crash(void **state)
{
	(void)state;
	send_to("GET", "/upstream/qwen/ws", WS_REQUEST, "");
	at_engine("Upgrade: websocket\r\n");
	net_close(&up);
	loop_once(loop, 2);
	engine_event(ENGINE_BACKOFF, REASON_CRASH);
	UNTIL(nrequeues == 1);
	serve_waiter();
	at_engine("Upgrade: websocket\r\n");
	net_send(&up, WS_ANSWER);
	UNTIL(net_has(&cl, "HTTP/1.1 101 "));
	strbuf_clear(&up.in);
	net_send(&cl, "hi");
	UNTIL(net_has(&up, "hi"));
	proxy_free(&proxy);
	UNTIL(net_ended(&up) && net_ended(&cl));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_tunnel), T(test_tunnel_client_leaves), T(test_tunnel_early), T(test_tunnel_not_asked),
		T(test_tunnel_back_pressure), T(test_tunnel_is_stopped), T(test_tunnel_drains),
		T(test_tunnel_after_a_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
