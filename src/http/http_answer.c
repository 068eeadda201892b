/* SPDX-License-Identifier: ISC
 * What an engine answers: heads, bodies by their framing, and after a 101 bytes as they come. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "http/http_client_priv.h"

#define MAX_HEAD (64 * 1024)

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
	xfer_arm(x);
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
		xfer_broke(x, HTTP_CLOSE_BAD);
		return -1;
	case HTTP_PARSE_DONE:
		break;
	}
	free(x->parser);
	x->parser = NULL;
	if (h->status == 101 && !x->upgrade) {
		xfer_broke(x, HTTP_CLOSE_BAD);
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
	xfer_retire(x, keep);
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
			xfer_broke(x, HTTP_CLOSE_BAD);
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
	xfer_broke(x, why);
}

void
xfer_read(struct http_xfer *x)
{
	char *buf = loop_scratch(x->pool->loop);
	ssize_t n = recv(x->c->fd, buf, LOOP_SCRATCH, 0);

	if (n < 0) {
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			on_upstream_eof(x, xfer_close_of_errno(errno));
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
