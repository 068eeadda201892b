/* SPDX-License-Identifier: ISC
 * Requests as their handlers see them. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "http/http_priv.h"

static void
tell_gone(void *arg)
{
	struct http_req *req = arg;

	req->dying = true;
	if (req->ops.gone != NULL)
		req->ops.gone(req->arg, HTTP_CLOSE_PEER);
	conn_req_free(req);
}

/* Invites the body that the client holds back. */
static void
send_continue(struct http_conn *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct iovec v = {(void *)(uintptr_t)text, sizeof(text) - 1};

	if (c->req->head.expect_continue && c->req->head.minor > 0 && c->req->body_bytes == 0 && c->in.len == 0 &&
	    !c->req->started)
		conn_write(c, &v, 1);
	c->req->head.expect_continue = false;
}

void
http_req_attach(struct http_req *req, const struct http_req_ops *ops, void *arg)
{
	struct http_conn *c = req->c;
	bool first = !req->attached;

	req->ops = *ops;
	req->arg = arg;
	req->attached = true;
	if (c == NULL) {
		if (first)
			loop_defer(req->loop, tell_gone, req);
		return;
	}
	if (req->body_done) {
		conn_body_ended(c);
		return;
	}
	if (!first || c->state != CONN_BODY)
		return;
	req->body_since = clock_ms();
	send_continue(c);
	if (!c->busy) {
		if (c->in.len != 0)
			conn_kick(c);
		conn_arm(c);
	}
}

static void
collect_body(void *arg, const char *p, size_t n)
{
	struct http_req *req = arg;

	strbuf_add(&req->collect->b, p, n);
	if (req->collect->b.full)
		conn_error(req->c, 413, "the request body is too large");
}

static void
collect_end(void *arg)
{
	struct http_req *req = arg;
	struct http_collect *co = req->collect;

	/* From here on it belongs to who gets it, as if it had not been attached. */
	req->collect = NULL;
	req->attached = false;
	co->done(co->arg, req, strbuf_str(&co->b), co->b.len);
	strbuf_fini(&co->b);
	free(co);
}

void
http_req_collect(struct http_req *req, size_t max, void (*done)(void *, struct http_req *, const char *, size_t),
    void *arg)
{
	static const struct http_req_ops ops = {.body = collect_body, .end = collect_end};

	if (req->c != NULL && req->head.framing == HTTP_BODY_LENGTH && req->head.content_length > max) {
		conn_error(req->c, 413, "the request body is too large");
		return;
	}
	req->collect = xcalloc(1, sizeof(*req->collect));
	req->collect->b.max = max == 0 ? 1 : max;
	req->collect->done = done;
	req->collect->arg = arg;
	http_req_attach(req, &ops, req);
}

const struct http_head *
http_req_head(const struct http_req *req)
{
	return &req->head;
}

const struct http_url *
http_req_url(const struct http_req *req)
{
	return &req->url;
}

const char *
http_req_peer(const struct http_req *req)
{
	return req->c != NULL ? req->c->peer : "-";
}

long
http_req_peer_uid(const struct http_req *req)
{
	return req->c != NULL ? req->c->uid : -1;
}

int
http_req_tag(const struct http_req *req)
{
	return req->c != NULL ? req->c->lst->tag : -1;
}

int
http_req_local_port(const struct http_req *req)
{
	return req->c != NULL ? req->c->lst->port : 0;
}

uint64_t
http_req_since(const struct http_req *req)
{
	return req->since;
}

void
http_req_pause(struct http_req *req)
{
	if (req->paused)
		return;
	req->paused = true;
	req->paused_at = clock_ms();
}

void
http_req_resume(struct http_req *req)
{
	if (!req->paused)
		return;
	req->paused = false;
	req->body_since += clock_ms() - req->paused_at;
	if (req->c == NULL || req->c->busy)
		return;
	if (req->c->in.len != 0)
		conn_kick(req->c);
	conn_arm(req->c);
}

void
http_req_close(struct http_req *req)
{
	req->close_after = true;
}

void
http_req_tunnel(struct http_req *req)
{
	if (req->c == NULL || req->c->state == CONN_DEAD)
		return;
	req->c->state = CONN_TUNNEL;
	req->swallow = false;
	req->length = HTTP_LENGTH_CHUNKED;
	if (!req->c->busy && req->c->in.len != 0)
		conn_kick(req->c);
}
