/* SPDX-License-Identifier: ISC
 * Answers: framed, held back for one write with what follows, sent at once, kept only when the socket is full. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "http/http_priv.h"

#define CORK_BYTES (16 * 1024)

/* Whether bytes may still be put on its connection. */
static bool
alive(const struct http_req *req)
{
	return req->c != NULL && !req->dying && req->c->state != CONN_DEAD && req->c->broken == HTTP_CLOSE_NONE;
}

void
conn_write(struct http_conn *c, const struct iovec *iov, int n)
{
	if (c->broken != HTTP_CLOSE_NONE)
		return;
	if (c->blocked) {
		for (int i = 0; i < n; i++)
			http_out_add(&c->out, iov[i].iov_base, iov[i].iov_len);
		return;
	}
	if (http_out_writev(&c->out, c->fd, iov, n) < 0) {
		conn_break(c, errno == EPIPE || errno == ECONNRESET ? HTTP_CLOSE_RESET : HTTP_CLOSE_IO);
		return;
	}
	if (http_out_left(&c->out) != 0) {
		c->blocked = true;
		c->stalled = clock_ms();
		conn_arm(c);
	}
}

/* After the last byte of an answer was queued: on to the next request, or towards the end of the connection. */
static void
answered(struct http_conn *c, bool keep)
{
	if (keep) {
		c->state = CONN_HEAD;
		c->since = clock_ms();
		if (c->in.len != 0 && !c->busy)
			conn_kick(c);
	} else {
		/* Where the client may be sending, a plain close would take from it what it has not read yet. */
		c->linger = !c->eof && (c->state == CONN_BODY || c->state == CONN_TUNNEL || c->in.len != 0 || c->linger);
		c->state = CONN_FLUSH;
		if (!c->busy)
			strbuf_clear(&c->in);
		if (!c->blocked) {
			conn_flushed(c);
			return;
		}
	}
	conn_arm(c);
}

void
conn_error(struct http_conn *c, int status, const char *why)
{
	struct strbuf b = STRBUF_INIT;
	struct iovec v;
	int n;
	char body[512];

	/* why is our own text: nothing in it needs escaping. */
	n = snprintf(body, sizeof(body),
	    "{\"error\":{\"message\":\"%s\",\"type\":\"invalid_request_error\",\"code\":\"%s\",\"param\":null}}",
	    why != NULL ? why : "bad request", status == 413 ? "body_too_large" : "bad_request");
	http_put_status(&b, status);
	http_put_field(&b, "Content-Type", "application/json");
	strbuf_puts(&b, server_date(c->srv));
	strbuf_printf(&b, "Content-Length: %d\r\nConnection: close\r\n\r\n%s", n, body);
	v = (struct iovec){b.p, b.len};
	if (c->req != NULL) {
		conn_req_free(c->req);
		c->req = NULL;
	}
	conn_write(c, &v, 1);
	strbuf_fini(&b);
	c->linger = true;
	answered(c, false);
}

static bool
no_body(int status, int64_t length)
{
	return length == HTTP_LENGTH_NONE || status < 200 || status == 204 || status == 304;
}

void
http_reply_start(struct http_req *req, int status, const struct strbuf *fields, int64_t length)
{
	struct http_conn *c = req->c;
	struct strbuf *out;
	bool bare = no_body(status, length), drop;

	req->started = true;
	req->status = status;
	req->length = bare ? 0 : length;
	if (!alive(req))
		return;
	req->swallow = bare || http_str_eq(req->head.method, "HEAD");
	if (!bare && length < 0) {
		if (req->head.minor == 0)
			req->close_after = true;
		else
			req->chunked = true;
	}
	if (!req->head.keep_alive || c->state == CONN_BODY || c->srv->draining)
		req->close_after = true;
	drop = req->close_after && status != 101;
	out = &c->out.b;
	http_put_status(out, status);
	if (fields != NULL)
		strbuf_add(out, strbuf_str(fields), fields->len);
	if (req->fields != NULL)
		strbuf_puts(out, req->fields);
	strbuf_puts(out, server_date(c->srv));
	if (!bare && length >= 0) {
		strbuf_add(out, "Content-Length: ", 16);
		strbuf_num(out, (unsigned long long)length);
		strbuf_add(out, "\r\n", 2);
	} else if (req->chunked)
		strbuf_puts(out, "Transfer-Encoding: chunked\r\n");
	if (drop)
		strbuf_puts(out, "Connection: close\r\n");
	else if (req->head.minor == 0 && status != 101)
		strbuf_puts(out, "Connection: keep-alive\r\n");
	strbuf_add(out, "\r\n", 2);
}

void
http_req_answer_fields(struct http_req *req, const struct strbuf *fields)
{
	free(req->fields);
	req->fields = xstrndup(strbuf_str(fields), fields->len);
}

void
http_reply_flush(struct http_req *req)
{
	if (alive(req) && !req->c->blocked && http_out_left(&req->c->out) != 0)
		conn_write(req->c, NULL, 0);
}

void
http_reply_cork(struct http_req *req)
{
	req->corked = true;
}

size_t
http_reply_backlog(const struct http_req *req)
{
	return alive(req) ? http_out_left(&req->c->out) : 0;
}

/* Collected rather than sent: it fits, and whoever corked says when. */
static bool
corked(struct http_conn *c, const struct http_req *req, const char *head, size_t nhead, const void *p, size_t n)
{
	if (!req->corked || c->blocked || http_out_left(&c->out) + nhead + n + 2 > CORK_BYTES)
		return false;
	if (nhead != 0)
		http_out_add(&c->out, head, nhead);
	http_out_add(&c->out, p, n);
	if (nhead != 0)
		http_out_add(&c->out, "\r\n", 2);
	return true;
}

size_t
http_reply_body(struct http_req *req, const void *p, size_t n)
{
	struct http_conn *c = req->c;
	struct iovec v[3];
	char head[24];
	size_t nhead = 0, left;
	int cnt = 0;

	if (!req->chunked && req->length >= 0 && n > (uint64_t)req->length - req->bytes)
		n = (size_t)((uint64_t)req->length - req->bytes);
	req->bytes += n;
	if (!alive(req))
		return 0;
	if (n == 0 || req->swallow)
		return http_out_left(&c->out);
	if (req->chunked)
		nhead = http_chunk_head(head, n);
	if (corked(c, req, head, nhead, p, n))
		return http_out_left(&c->out);
	if (nhead != 0)
		v[cnt++] = (struct iovec){head, nhead};
	v[cnt++] = (struct iovec){(void *)(uintptr_t)p, n};
	if (nhead != 0)
		v[cnt++] = (struct iovec){(void *)(uintptr_t)"\r\n", 2};
	conn_write(c, v, cnt);
	left = http_out_left(&c->out);
	if (left > HTTP_HIGH_WATER)
		req->over_high = true;
	return left;
}

/* Takes the request off its connection and frees it. False when there is no connection to go on with. */
static bool
detach(struct http_req *req)
{
	struct http_conn *c = req->c;
	bool ok = alive(req);

	if (req->dying)
		return false;	/* inside its gone: freed by the caller of that */
	if (c != NULL)
		c->req = NULL;
	conn_req_free(req);
	return ok;
}

void
http_reply_end(struct http_req *req)
{
	struct http_conn *c = req->c;
	struct iovec last = {(void *)(uintptr_t)"0\r\n\r\n", 5};
	bool keep;

	if (!req->started)
		http_reply_start(req, 500, NULL, 0);
	if (!req->swallow && !req->chunked && req->length >= 0 && req->bytes < (uint64_t)req->length) {
		http_reply_abort(req);
		return;
	}
	if (alive(req)) {
		if (req->chunked && !req->swallow)
			conn_write(c, &last, 1);
		else
			http_reply_flush(req);
	}
	keep = !req->close_after && c != NULL && c->state == CONN_WAIT;
	if (detach(req))
		answered(c, keep);
}

void
http_reply_abort(struct http_req *req)
{
	struct http_conn *c = req->c;

	http_reply_flush(req);
	/* An answer that ends with the connection looks complete after an orderly close. */
	if (alive(req) && req->started && !req->chunked && req->length < 0 && !req->swallow)
		c->reset = true;
	if (detach(req))
		answered(c, false);
}

void
http_reply(struct http_req *req, int status, const char *type, const struct strbuf *extra, const void *body, size_t n)
{
	struct strbuf b = STRBUF_INIT;

	if (type != NULL)
		http_put_field(&b, "Content-Type", type);
	if (extra != NULL)
		strbuf_add(&b, strbuf_str(extra), extra->len);
	http_reply_start(req, status, &b, n == 0 && no_body(status, 0) ? HTTP_LENGTH_NONE : (int64_t)n);
	strbuf_fini(&b);
	if (n != 0)
		http_reply_body(req, body, n);
	http_reply_end(req);
}

bool
http_reply_started(const struct http_req *req)
{
	return req->started;
}

uint64_t
http_reply_bytes(const struct http_req *req)
{
	return req->bytes;
}
