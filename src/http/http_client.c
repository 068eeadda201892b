/* SPDX-License-Identifier: ISC
 * Exchanges with an engine over pooled connections. */
#include "http/http_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/xmalloc.h"
#include "http/http_client_priv.h"

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

void
xfer_retire(struct http_xfer *x, bool keep)
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

	xfer_retire(x, false);
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

enum http_close
xfer_close_of_errno(int err)
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

void
xfer_broke(struct http_xfer *x, enum http_close why)
{
	if (x->reused && !x->retried && !x->c->dropped && x->received == 0 && why != HTTP_CLOSE_TIMEOUT) {
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

void
xfer_dropped(struct http_xfer *x)
{
	if (!x->connected && x->failing == HTTP_CLOSE_NONE)
		fail_later(x, HTTP_CLOSE_REFUSED);
}

static void
on_connect_timer(void *arg)
{
	struct http_xfer *x = arg;

	xfer_broke(x, HTTP_CLOSE_TIMEOUT);
}

void
xfer_arm(struct http_xfer *x)
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
		fail_later(x, xfer_close_of_errno(errno));
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
		xfer_arm(x);
		return;
	}
	if (got < 0) {
		/* An answer may have come before the engine closed: reading tells. */
		if (!x->connected && !x->reused) {
			fail_later(x, xfer_close_of_errno(errno));
			return;
		}
		x->sent = false;
		x->blocked = false;
		x->req[0].iov_len = x->req[1].iov_len = 0;
		xfer_arm(x);
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
	xfer_arm(x);
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
		xfer_arm(x);
}

void
http_xfer_resume(struct http_xfer *x)
{
	x->paused = false;
	if (x->failing == HTTP_CLOSE_NONE)
		xfer_arm(x);
}

void
http_xfer_cancel(struct http_xfer **xp)
{
	struct http_xfer *x = *xp;

	*xp = NULL;
	if (x != NULL && !x->gone)
		xfer_retire(x, false);
}

uint64_t
http_xfer_received(const struct http_xfer *x, uint64_t *when)
{
	if (when != NULL)
		*when = x->when;
	return x->received;
}

/* what comes and goes ------------------------------------------------------------------------------------------ */

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
	xfer_arm(x);
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
		xfer_read(c->x);
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
	xfer_arm(x);
	x->over_high = x->over_high || http_out_left(&x->out) > HTTP_HIGH_WATER;
	return http_out_left(&x->out);
}
