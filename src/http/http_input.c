/* SPDX-License-Identifier: ISC
 * What comes in on a connection, and who gets it: heads, bodies, what is kept for later, what is thrown away. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "http/http_priv.h"

#define LINGER_BYTES (64u << 20)

static void
rebase(struct http_str *s, const char *from, size_t n, const char *to)
{
	if (s->p >= from && s->p <= from + n)
		s->p = to + (s->p - from);
}

/* A request of its own memory from the head just parsed out of p[0..n). */
static struct http_req *
req_new(struct http_conn *c, const char *p, size_t n)
{
	const struct http_head *h = &c->srv->head;
	size_t fixed = offsetof(struct http_req, head) + offsetof(struct http_head, fields);
	size_t nfields = h->nfields * sizeof(h->fields[0]);
	struct http_req *req = xmalloc(fixed + nfields + n + 1);
	char *text = (char *)req + fixed + nfields;

	memset(req, 0, fixed);
	memcpy(&req->head, h, offsetof(struct http_head, fields) + nfields);
	memcpy(text, p, n);
	text[n] = '\0';
	rebase(&req->head.method, p, n, text);
	rebase(&req->head.target, p, n, text);
	rebase(&req->head.host, p, n, text);
	for (size_t i = 0; i < h->nfields; i++) {
		rebase(&req->head.fields[i].name, p, n, text);
		rebase(&req->head.fields[i].value, p, n, text);
	}
	req->loop = c->srv->loop;
	req->c = c;
	req->since = clock_ms();
	return req;
}

static void
begin_request(struct http_conn *c, const char *p, size_t n)
{
	struct http_req *req = req_new(c, p, n);
	const char *why = "bad request target";

	c->mid_head = false;
	if (http_str_eq(req->head.method, "CONNECT") || http_str_eq(req->head.method, "TRACE")) {
		conn_req_free(req);
		conn_error(c, 501, "the method is not implemented");
		return;
	}
	if (http_url_parse(req->head.target, &req->url, &why) < 0) {
		conn_req_free(req);
		conn_error(c, 400, why);
		return;
	}
	http_body_init(&req->body, &req->head);
	req->body_done = req->head.framing == HTTP_BODY_NONE ||
	    (req->head.framing == HTTP_BODY_LENGTH && req->head.content_length == 0);
	c->req = req;
	c->state = req->body_done ? CONN_WAIT : CONN_BODY;
	c->srv->handler(c->srv->arg, req);
}

/* Each input_* returns how many bytes it ate. */
static size_t
input_head(struct http_conn *c, const char *p, size_t n)
{
	struct http_parser *ps = c->parser != NULL ? c->parser : &c->srv->parser;
	size_t used = 0;
	int status;
	const char *why;

	if (c->parser == NULL)
		http_parser_init(ps, false, c->srv->lim.max_head);
	if (!c->mid_head) {
		c->mid_head = true;
		c->since = clock_ms();
	}
	switch (http_parse(ps, p, n, &c->srv->head, &used)) {
	case HTTP_PARSE_MORE:
		if (c->parser == NULL) {
			c->parser = xmalloc(sizeof(*ps));
			*c->parser = *ps;
		}
		return 0;
	case HTTP_PARSE_ERROR:
		status = ps->error;
		why = ps->why;
		free(c->parser);
		c->parser = NULL;
		conn_error(c, status, why);
		return n;
	case HTTP_PARSE_DONE:
		break;
	}
	free(c->parser);
	c->parser = NULL;
	begin_request(c, p, used);
	return used;
}

void
conn_body_ended(struct http_conn *c)
{
	struct http_req *req = c->req;

	if (req->end_told || !req->attached)
		return;
	req->end_told = true;
	if (req->ops.end != NULL)
		req->ops.end(req->arg);
}

static size_t
input_body(struct http_conn *c, const char *p, size_t n)
{
	struct http_req *req = c->req;
	struct http_str data = {NULL, 0};
	enum http_body_result r;
	size_t pos = 0;

	if (!req->attached || req->paused)
		return 0;
	r = http_body_next(&req->body, p, n, &pos, &data);
	if (r == HTTP_BODY_ERROR) {
		conn_req_fail(c, 400, req->body.why, HTTP_CLOSE_BAD);
		return n;
	}
	req->body_bytes += pos;
	if (r == HTTP_BODY_DONE) {
		req->body_done = true;
		c->state = CONN_WAIT;
	}
	if (data.n != 0 && req->ops.body != NULL)
		req->ops.body(req->arg, data.p, data.n);
	if (r == HTTP_BODY_DONE && c->req == req)
		conn_body_ended(c);
	return pos;
}

static size_t
input_tunnel(struct http_conn *c, const char *p, size_t n)
{
	if (c->req->paused || !c->req->attached)
		return 0;
	if (c->req->ops.body != NULL)
		c->req->ops.body(c->req->arg, p, n);
	return n;
}

static size_t
input(struct http_conn *c, const char *p, size_t n)
{
	switch (c->state) {
	case CONN_HEAD:
		/* The next request waits until the last answer has left: so answers cannot pile up. */
		return c->blocked ? 0 : input_head(c, p, n);
	case CONN_BODY:
		return input_body(c, p, n);
	case CONN_TUNNEL:
		return input_tunnel(c, p, n);
	case CONN_FLUSH:
	case CONN_LINGER:
		c->junk += n;
		if (c->junk > LINGER_BYTES)
			conn_close(c, HTTP_CLOSE_ABORT);
		return n;
	case CONN_WAIT:
	case CONN_DEAD:
		break;
	}
	return 0;
}

/* Gives bytes to whoever is next, as far as they are wanted. Returns how many went. */
static size_t
conn_run(struct http_conn *c, const char *p, size_t n)
{
	size_t pos = 0;

	c->busy = true;
	while (pos < n && c->state != CONN_DEAD && c->broken == HTTP_CLOSE_NONE) {
		enum conn_state was = c->state;
		size_t used = input(c, p + pos, n - pos);

		pos += used;
		if (used == 0 && c->state == was)
			break;
	}
	c->busy = false;
	return pos;
}

static void
run_kept(struct http_conn *c)
{
	size_t went = conn_run(c, c->in.p, c->in.len);

	if (went == c->in.len)
		strbuf_fini(&c->in);
	else if (went != 0)
		strbuf_shift(&c->in, went);
}

void
conn_kicked(void *arg)
{
	struct http_conn *c = arg;

	c->kicked = false;
	if (c->broken != HTTP_CLOSE_NONE) {
		conn_close(c, c->broken);
		return;
	}
	if (c->in.len != 0)
		run_kept(c);
	conn_arm(c);
}

static void
on_eof(struct http_conn *c)
{
	c->eof = true;
	if (c->state == CONN_FLUSH && c->blocked) {
		conn_arm(c);
	} else if (c->state == CONN_HEAD && c->blocked) {
		c->state = CONN_FLUSH;
		conn_arm(c);
	} else {
		conn_close(c, c->state == CONN_BODY ? HTTP_CLOSE_TRUNCATED : HTTP_CLOSE_PEER);
	}
}

static void
on_readable(struct http_conn *c)
{
	char *buf = loop_scratch(c->srv->loop);
	ssize_t n = recv(c->fd, buf, LOOP_SCRATCH, 0);

	if (n < 0) {
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			conn_close(c, errno == ECONNRESET ? HTTP_CLOSE_RESET : HTTP_CLOSE_IO);
		return;
	}
	if (n == 0) {
		on_eof(c);
		return;
	}
	if (c->in.len != 0) {
		strbuf_add(&c->in, buf, (size_t)n);
		run_kept(c);
	} else {
		size_t went = conn_run(c, buf, (size_t)n);

		if (went < (size_t)n && c->state != CONN_DEAD)
			strbuf_add(&c->in, buf + went, (size_t)n - went);
	}
	conn_arm(c);
}

static void
on_writable(struct http_conn *c)
{
	size_t before = http_out_left(&c->out);
	struct http_req *req;

	if (http_out_writev(&c->out, c->fd, NULL, 0) < 0) {
		conn_close(c, HTTP_CLOSE_RESET);
		return;
	}
	if (http_out_left(&c->out) < before)
		c->stalled = clock_ms();
	if (http_out_left(&c->out) == 0) {
		c->blocked = false;
		if (c->state == CONN_FLUSH) {
			conn_flushed(c);
			return;
		}
		if (c->state == CONN_HEAD) {
			c->since = clock_ms();
			if (c->in.len != 0)
				conn_kick(c);
		}
	}
	req = c->req;
	if (req != NULL && req->over_high && http_out_left(&c->out) <= HTTP_LOW_WATER) {
		req->over_high = false;
		if (req->attached && req->ops.writable != NULL)
			req->ops.writable(req->arg);
	}
	conn_arm(c);
}

void
conn_event(void *arg, int what)
{
	struct http_conn *c = arg;

	if (c->state == CONN_DEAD || c->broken != HTTP_CLOSE_NONE)
		return;
	if (what == LOOP_READ)
		on_readable(c);
	else if (what == LOOP_WRITE)
		on_writable(c);
	else
		on_eof(c);
}
