/* SPDX-License-Identifier: ISC
 * Exchanges with an engine over pooled connections. */
#include "http/http_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "http/http_body.h"
#include "http/http_out.h"
#include "http/http_pool.h"

#define MAX_HEAD (64 * 1024)

struct http_xfer {
	struct http_pool *pool;
	struct upconn *c;		/* (owned while it lasts) NULL: failing or before a retry */
	struct http_target target;
	const struct http_xfer_ops *ops;
	void *arg;
	struct iovec req[2];		/* what is left to send; borrowed until an answer comes */
	struct iovec whole[2];
	struct http_out out;		/* tunnel bytes; a request's rest after an early answer */
	struct strbuf in;		/* (owned) a head in pieces */
	struct http_parser *parser;	/* (owned) of it */
	struct http_body body;
	struct timer connect_t;
	uint64_t received, when;
	enum http_close failing;	/* fail is deferred with this */
	bool connected, sent, reused, retried;
	bool head_request, upgrade, tunnel, head_done, keep;
	bool paused, blocked, gone;
	bool over_high;			/* the tunnel's back-log was: drained is due */
	bool deaf;			/* the engine takes no more bytes */
};

static void on_upstream(void *arg, int what);
static void start_fresh(struct http_xfer *x);
static void send_request(struct http_xfer *x);

/* exchanges ---------------------------------------------------------------------------------------------------- */

static void
free_xfer(void *arg)
{
	struct http_xfer *x = arg;

	http_out_fini(&x->out);
	strbuf_fini(&x->in);
	free(x->parser);
	free(x);
}

/* Off the books; the memory goes at the end of the turn, as callbacks may be on the stack. */
static void
retire(struct http_xfer *x, bool keep)
{
	struct upconn *c = x->c;

	x->gone = true;
	x->c = NULL;
	timer_stop(&x->connect_t);
	if (c != NULL)
		pool_release(c, keep);
	loop_undefer(x->pool->loop, x);
	loop_defer(x->pool->loop, free_xfer, x);
}

static void
do_fail(void *arg)
{
	struct http_xfer *x = arg;
	enum http_close why = x->failing;

	retire(x, false);
	x->ops->fail(x->arg, why, x->received != 0);
}

static void
fail_later(struct http_xfer *x, enum http_close why)
{
	if (x->c != NULL)
		watch_set(&x->c->w, 0);
	x->failing = why;
	loop_defer(x->pool->loop, do_fail, x);
}

static enum http_close
close_of_errno(int err)
{
	switch (err) {
	case ECONNREFUSED:
	case ENOENT:
		return HTTP_CLOSE_REFUSED;
	case ECONNRESET:
	case EPIPE:
		return HTTP_CLOSE_RESET;
	case ETIMEDOUT:
		return HTTP_CLOSE_TIMEOUT;
	default:
		return HTTP_CLOSE_IO;
	}
}

/* The connection broke. A kept one that ended before a byte came back may just have been closed by the engine as idle:
 * the request goes out once more, on a new one. */
static void
broke(struct http_xfer *x, enum http_close why)
{
	if (x->reused && !x->retried && x->received == 0 && why != HTTP_CLOSE_TIMEOUT) {
		struct upconn *c = x->c;

		x->retried = true;
		x->reused = false;
		x->c = NULL;
		pool_release(c, false);
		x->req[0] = x->whole[0];
		x->req[1] = x->whole[1];
		x->sent = x->blocked = false;
		start_fresh(x);
		return;
	}
	x->failing = why;
	do_fail(x);
}

static void
on_connect_timer(void *arg)
{
	struct http_xfer *x = arg;

	broke(x, HTTP_CLOSE_TIMEOUT);
}

static void
arm(struct http_xfer *x)
{
	if (x->c != NULL)
		watch_set(&x->c->w, (x->paused ? 0 : LOOP_READ) | (x->blocked ? LOOP_WRITE : 0));
}

static void
start_fresh(struct http_xfer *x)
{
	x->connected = false;
	x->c = pool_open(x->pool, &x->target, on_upstream);
	if (x->c == NULL) {
		fail_later(x, close_of_errno(errno));
		return;
	}
	x->c->x = x;
	send_request(x);
}

/* Sends what is left of the request. On a connection still being made the first try says whether it is there. */
static void
send_request(struct http_xfer *x)
{
	struct iovec v[2];
	int n = 0;
	ssize_t got;

	for (int i = 0; i < 2; i++)
		if (x->req[i].iov_len != 0)
			v[n++] = x->req[i];
	got = http_writev(x->c->fd, v, n);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOTCONN || errno == EINTR)) {
		x->blocked = true;
		if (!x->connected && !timer_armed(&x->connect_t) && x->target.connect_timeout != 0)
			timer_set(&x->connect_t, x->target.connect_timeout);
		arm(x);
		return;
	}
	if (got < 0) {
		/* An answer may have come before the engine closed: reading tells. */
		if (!x->connected && !x->reused) {
			fail_later(x, close_of_errno(errno));
			return;
		}
		x->sent = false;
		x->blocked = false;
		x->req[0].iov_len = x->req[1].iov_len = 0;
		arm(x);
		return;
	}
	if (!x->connected) {
		x->connected = true;
		timer_stop(&x->connect_t);
	}
	for (int i = 0; i < 2; i++) {
		size_t k = (size_t)got < x->req[i].iov_len ? (size_t)got : x->req[i].iov_len;

		x->req[i].iov_base = (char *)x->req[i].iov_base + k;
		x->req[i].iov_len -= k;
		got -= (ssize_t)k;
	}
	x->sent = x->req[0].iov_len == 0 && x->req[1].iov_len == 0;
	x->blocked = !x->sent;
	arm(x);
}

struct http_xfer *
http_xfer_start(struct http_pool *p, const struct http_target *t, const char *head, size_t nhead, const char *body,
    size_t nbody, bool head_request, const struct http_xfer_ops *ops, void *arg)
{
	struct http_xfer *x = xcalloc(1, sizeof(*x));

	x->pool = p;
	x->target = *t;
	x->ops = ops;
	x->arg = arg;
	x->head_request = head_request;
	x->whole[0] = x->req[0] = (struct iovec){(void *)(uintptr_t)head, nhead};
	x->whole[1] = x->req[1] = (struct iovec){(void *)(uintptr_t)body, nbody};
	timer_init(&x->connect_t, p->loop, on_connect_timer, x);
	if (t->keep_alive && t->generation != 0)
		x->c = pool_take(p, t);
	if (x->c == NULL) {
		start_fresh(x);
		return x;
	}
	x->c->x = x;
	x->reused = x->connected = true;
	send_request(x);
	return x;
}

void
http_xfer_allow_upgrade(struct http_xfer *x)
{
	x->upgrade = true;
}

void
http_xfer_attach(struct http_xfer *x, const struct http_xfer_ops *ops, void *arg)
{
	x->ops = ops;
	x->arg = arg;
}

void
http_xfer_pause(struct http_xfer *x)
{
	x->paused = true;
	if (x->failing == HTTP_CLOSE_NONE)
		arm(x);
}

void
http_xfer_resume(struct http_xfer *x)
{
	x->paused = false;
	if (x->failing == HTTP_CLOSE_NONE)
		arm(x);
}

void
http_xfer_cancel(struct http_xfer **xp)
{
	struct http_xfer *x = *xp;

	*xp = NULL;
	if (x != NULL && !x->gone)
		retire(x, false);
}

uint64_t
http_xfer_received(const struct http_xfer *x, uint64_t *when)
{
	if (when != NULL)
		*when = x->when;
	return x->received;
}

/* answers ------------------------------------------------------------------------------------------------------ */

/* The request's memory goes once the head is told. A rest that the engine still reads is copied; after an error it is
 * not sent any more. */
static void
settle_request(struct http_xfer *x, int status)
{
	if (x->sent)
		return;
	if (status < 300)
		for (int i = 0; i < 2; i++)
			http_out_add(&x->out, x->req[i].iov_base, x->req[i].iov_len);
	else
		x->blocked = false;
	x->req[0].iov_len = x->req[1].iov_len = 0;
	x->keep = false;
	arm(x);
}

/* One head off p[0..n): bytes used; 0 when more are needed; -1 when it failed (x is gone). */
static ssize_t
answer_head(struct http_xfer *x, const char *p, size_t n)
{
	struct http_parser *ps = x->parser != NULL ? x->parser : &x->pool->parser;
	struct http_head *h = &x->pool->head;
	size_t used = 0;

	if (x->parser == NULL) {
		http_parser_init(ps, true, MAX_HEAD);
		ps->head_request = x->head_request;
	}
	switch (http_parse(ps, p, n, h, &used)) {
	case HTTP_PARSE_MORE:
		if (x->parser == NULL) {
			x->parser = xmalloc(sizeof(*ps));
			*x->parser = *ps;
		}
		return 0;
	case HTTP_PARSE_ERROR:
		broke(x, HTTP_CLOSE_BAD);
		return -1;
	case HTTP_PARSE_DONE:
		break;
	}
	free(x->parser);
	x->parser = NULL;
	if (h->status == 101 && !x->upgrade) {
		broke(x, HTTP_CLOSE_BAD);
		return -1;
	}
	if (h->status < 200 && h->status != 101)
		return (ssize_t)used;
	x->head_done = true;
	x->tunnel = h->status == 101;
	x->keep = h->keep_alive && x->sent && !x->tunnel;
	http_body_init(&x->body, h);
	settle_request(x, h->status);
	x->ops->head(x->arg, h);
	return x->gone ? -1 : (ssize_t)used;
}

static void
finish(struct http_xfer *x, bool keep)
{
	retire(x, keep);
	x->ops->end(x->arg);
}

/* Body bytes; false when x is gone. */
static bool
answer_body(struct http_xfer *x, const char *p, size_t n)
{
	size_t pos = 0;

	if (x->tunnel) {
		if (n != 0)
			x->ops->body(x->arg, p, n);
		return !x->gone;
	}
	for (;;) {
		struct http_str data = {NULL, 0};
		size_t was = pos;
		enum http_body_result r = http_body_next(&x->body, p, n, &pos, &data);

		if (r == HTTP_BODY_ERROR) {
			broke(x, HTTP_CLOSE_BAD);
			return false;
		}
		if (data.n != 0)
			x->ops->body(x->arg, data.p, data.n);
		if (x->gone)
			return false;
		if (r == HTTP_BODY_DONE) {
			/* What comes behind the answer belongs to nobody. */
			finish(x, x->keep && pos == n && x->body.framing != HTTP_BODY_CLOSE);
			return false;
		}
		if (pos == n || (pos == was && data.n == 0))
			return true;
	}
}

/* All bytes of one read. */
static void
answer(struct http_xfer *x, const char *p, size_t n)
{
	size_t pos = 0;

	while (!x->head_done) {
		ssize_t used;

		if (pos == n) {
			strbuf_clear(&x->in);	/* interim heads are done with */
			return;
		}
		used = answer_head(x, p + pos, n - pos);
		if (used < 0)
			return;
		if (used == 0) {
			/* The rest of a head in pieces; p may be x->in itself. */
			if (p != x->in.p)
				strbuf_add(&x->in, p + pos, n - pos);
			else if (pos != 0)
				strbuf_shift(&x->in, pos);
			return;
		}
		pos += (size_t)used;
	}
	if (answer_body(x, p + pos, n - pos)) {
		strbuf_fini(&x->in);
		if (x->ops->idle != NULL)
			x->ops->idle(x->arg);
	}
}

static void
on_upstream_eof(struct http_xfer *x, enum http_close why)
{
	if (x->head_done && (x->tunnel || (why == HTTP_CLOSE_PEER && http_body_eof_ok(&x->body)))) {
		finish(x, false);
		return;
	}
	if (x->head_done && why == HTTP_CLOSE_PEER)
		why = HTTP_CLOSE_TRUNCATED;
	broke(x, why);
}

static void
on_upstream_read(struct http_xfer *x)
{
	char *buf = loop_scratch(x->pool->loop);
	ssize_t n = recv(x->c->fd, buf, LOOP_SCRATCH, 0);

	if (n < 0) {
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			on_upstream_eof(x, close_of_errno(errno));
		return;
	}
	if (n == 0) {
		on_upstream_eof(x, HTTP_CLOSE_PEER);
		return;
	}
	x->received += (uint64_t)n;
	x->when = clock_ms();
	if (!x->head_done && x->in.len != 0) {
		strbuf_add(&x->in, buf, (size_t)n);
		answer(x, x->in.p, x->in.len);
	} else {
		answer(x, buf, (size_t)n);
	}
}

/* It takes no more. What it said before is still to be read, and reading tells what became of it. */
static void
stop_sending(struct http_xfer *x)
{
	x->deaf = true;
	http_out_fini(&x->out);
}

static void
on_upstream_write(struct http_xfer *x)
{
	if (!x->head_done) {
		send_request(x);
		return;
	}
	if (http_out_writev(&x->out, x->c->fd, NULL, 0) < 0)
		stop_sending(x);
	x->blocked = http_out_left(&x->out) != 0;
	arm(x);
	if (x->over_high && http_out_left(&x->out) <= HTTP_LOW_WATER) {
		x->over_high = false;
		if (x->ops->drained != NULL)
			x->ops->drained(x->arg);
	}
}

static void
on_upstream(void *arg, int what)
{
	struct upconn *c = arg;

	if (c->dead)
		return;
	if (c->x == NULL) {
		pool_close(c);
		return;
	}
	if (what == LOOP_WRITE)
		on_upstream_write(c->x);
	else if (what == LOOP_READ && !c->x->paused)
		on_upstream_read(c->x);
}

size_t
http_xfer_tunnel_send(struct http_xfer *x, const void *p, size_t n)
{
	struct iovec v = {(void *)(uintptr_t)p, n};

	if (x->c == NULL || x->failing != HTTP_CLOSE_NONE || x->deaf)
		return 0;
	if (x->blocked)
		http_out_add(&x->out, p, n);
	else if (http_out_writev(&x->out, x->c->fd, &v, 1) < 0)
		stop_sending(x);
	else
		x->blocked = http_out_left(&x->out) != 0;
	arm(x);
	x->over_high = x->over_high || http_out_left(&x->out) > HTTP_HIGH_WATER;
	return http_out_left(&x->out);
}
