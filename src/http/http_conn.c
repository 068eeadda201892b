/* SPDX-License-Identifier: ISC
 * The server's side of a connection: its life, its input and its clocks. Output is http_reply.c. */
#include "http/http_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "http/http_priv.h"

#define BODY_RATE 1024			/* bytes a second a body must come with */
#define LINGER_TIME 3000
#define LINGER_BYTES (64u << 20)
#define PEEK_TIME 250			/* ms between looks where LOOP_CLOSED does not work */

struct http_collect {
	struct strbuf b;	/* (owned) */
	void (*done)(void *, struct http_req *, const char *, size_t);
	void *arg;
};

#define CLOSE_TEXT(id, text) text,
static const char *const close_texts[] = {HTTP_CLOSES(CLOSE_TEXT)};

const char *
http_close_text(enum http_close c)
{
	return (unsigned)c < HTTP_NCLOSES ? close_texts[c] : "?";
}

/* life --------------------------------------------------------------------------------------------------------- */

static void on_conn(void *arg, int what);
static void on_conn_timer(void *arg);

static void
name_peer(struct http_conn *c, const struct sockaddr_storage *addr)
{
	char ip[INET6_ADDRSTRLEN];

	if (addr->ss_family == AF_INET) {
		const struct sockaddr_in *a = (const struct sockaddr_in *)addr;

		inet_ntop(AF_INET, &a->sin_addr, ip, sizeof(ip));
		snprintf(c->peer, sizeof(c->peer), "%s:%d", ip, ntohs(a->sin_port));
	} else if (addr->ss_family == AF_INET6) {
		const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)addr;

		inet_ntop(AF_INET6, &a->sin6_addr, ip, sizeof(ip));
		snprintf(c->peer, sizeof(c->peer), "[%s]:%d", ip, ntohs(a->sin6_port));
	} else {
		memcpy(c->peer, "unix", 5);
	}
}

static long
peer_uid(int fd)
{
#if defined(HAVE_GETPEEREID)
	uid_t uid;
	gid_t gid;

	return getpeereid(fd, &uid, &gid) == 0 ? (long)uid : -1;
#elif defined(HAVE_DECL_SO_PEERCRED) && HAVE_DECL_SO_PEERCRED
	struct ucred cr;
	socklen_t len = sizeof(cr);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cr, &len) == 0 ? (long)cr.uid : -1;
#else
	return -1;
#endif
}

void
conn_new(struct http_listener *lst, int fd, const struct sockaddr_storage *addr)
{
	struct http_server *s = lst->srv;
	struct http_conn *c = xcalloc(1, sizeof(*c));

	c->srv = s;
	c->lst = lst;
	c->fd = fd;
	c->uid = -1;
	c->since = clock_ms();
	name_peer(c, addr);
	if (addr->ss_family == AF_INET || addr->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	else
		c->uid = peer_uid(fd);
	watch_init(&c->w, s->loop, fd, on_conn, c);
	timer_init(&c->t, s->loop, on_conn_timer, c);
	c->prev = s->last;
	if (s->last != NULL)
		s->last->next = c;
	else
		s->first = c;
	s->last = c;
	conn_arm(c);
}

static void
free_conn(void *arg)
{
	struct http_conn *c = arg;

	strbuf_fini(&c->in);
	http_out_fini(&c->out);
	free(c->parser);
	free(c);
}

void
conn_req_free(struct http_req *req)
{
	loop_undefer(req->loop, req);
	if (req->collect != NULL)
		strbuf_fini(&req->collect->b);
	free(req->collect);
	free(req->fields);
	free(req);
}

/* Takes the request from its connection and tells its owner; without an owner it stays for who holds it. */
static void
req_gone(struct http_conn *c, enum http_close why)
{
	struct http_req *req = c->req;

	if (req == NULL)
		return;
	if (!req->attached) {
		c->req = NULL;
		req->c = NULL;
		return;
	}
	req->dying = true;
	if (req->ops.gone != NULL)
		req->ops.gone(req->arg, why);
	c->req = NULL;
	conn_req_free(req);
}

static void on_kick(void *arg);

void
conn_close(struct http_conn *c, enum http_close why)
{
	struct http_server *s = c->srv;

	if (c->state == CONN_DEAD)
		return;
	c->state = CONN_DEAD;
	watch_set(&c->w, 0);
	timer_stop(&c->t);
	if (c->reset) {
		struct linger l = {.l_onoff = 1};

		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	}
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		s->first = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	else
		s->last = c->prev;
	req_gone(c, why);
	close(c->fd);
	c->fd = -1;
	if (c->kicked)
		loop_undefer(s->loop, c);
	server_conn_gone(s);
	loop_defer(s->loop, free_conn, c);
}

void
conn_kick(struct http_conn *c)
{
	if (c->kicked || c->state == CONN_DEAD)
		return;
	c->kicked = true;
	loop_defer(c->srv->loop, on_kick, c);
}

void
conn_break(struct http_conn *c, enum http_close why)
{
	if (c->broken != HTTP_CLOSE_NONE)
		return;
	c->broken = why;
	watch_set(&c->w, 0);
	conn_kick(c);
}

void
conn_flushed(struct http_conn *c)
{
	if (c->state != CONN_FLUSH)
		return;
	if (!c->linger || c->eof || c->reset) {
		conn_close(c, HTTP_CLOSE_DONE);
		return;
	}
	shutdown(c->fd, SHUT_WR);
	c->state = CONN_LINGER;
	c->since = clock_ms();
	conn_arm(c);
}

/* clocks ------------------------------------------------------------------------------------------------------- */

/* When something is overdue; 0: nothing can be. */
static uint64_t
conn_due(const struct http_conn *c)
{
	const struct http_req *req = c->req;
	uint64_t due = 0;

	if (c->state == CONN_LINGER)
		return c->since + LINGER_TIME;
	if (c->state == CONN_HEAD && !c->blocked) {
		uint64_t ms = c->mid_head ? c->srv->lim.head_timeout : c->srv->lim.idle_timeout;

		due = ms != 0 ? c->since + ms : 0;
	} else if (c->state == CONN_BODY && req->attached && !req->paused) {
		uint64_t ms = req->body_bytes * 1000 / BODY_RATE;

		due = req->body_since + (ms > c->srv->lim.body_grace ? ms : c->srv->lim.body_grace);
	}
	if (c->blocked && (due == 0 || c->stalled + c->srv->lim.write_stall < due))
		due = c->stalled + c->srv->lim.write_stall;
	return due;
}

static void
peek(struct http_conn *c)
{
	char b;
	ssize_t n = recv(c->fd, &b, 1, MSG_PEEK);

	if (n == 0)
		conn_close(c, HTTP_CLOSE_PEER);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		conn_close(c, HTTP_CLOSE_RESET);
}

static bool
must_peek(const struct http_conn *c)
{
	return c->in.len >= HTTP_READ_AHEAD && !loop_has_closed(c->srv->loop);
}

void
conn_arm(struct http_conn *c)
{
	int what = 0;
	uint64_t due;

	if (c->state == CONN_DEAD || c->broken != HTTP_CLOSE_NONE || c->busy)
		return;
	if (!c->eof)
		what = c->in.len < HTTP_READ_AHEAD ? LOOP_READ : LOOP_CLOSED;
	if (c->blocked)
		what |= LOOP_WRITE;
	watch_set(&c->w, what);
	due = conn_due(c);
	if (must_peek(c)) {
		uint64_t soon = clock_ms() + PEEK_TIME;

		due = due == 0 || due > soon ? soon : due;
	}
	if (due != 0 && (!timer_armed(&c->t) || c->t.due > due)) {
		uint64_t now = clock_ms();

		timer_set(&c->t, due > now ? due - now : 0);
	}
}

/* The request cannot go on: its owner hears why, the client gets a status where none was sent. */
static void
req_fail(struct http_conn *c, int status, const char *text, enum http_close why)
{
	bool started = c->req->started;

	req_gone(c, why);
	if (c->state == CONN_DEAD)
		return;
	if (started)
		conn_close(c, why);
	else
		conn_error(c, status, text);
}

static void
on_conn_timer(void *arg)
{
	struct http_conn *c = arg;
	uint64_t due, now = clock_ms();

	if (must_peek(c)) {
		peek(c);
		if (c->state == CONN_DEAD)
			return;
	}
	due = conn_due(c);
	if (due == 0 || now < due) {
		conn_arm(c);
		return;
	}
	if (c->blocked && now >= c->stalled + c->srv->lim.write_stall)
		conn_close(c, HTTP_CLOSE_TIMEOUT);
	else if (c->state == CONN_BODY)
		req_fail(c, 408, "the request body comes too slowly", HTTP_CLOSE_TIMEOUT);
	else if (c->state == CONN_HEAD && c->mid_head)
		conn_error(c, 408, "the request head did not come in time");
	else
		conn_close(c, HTTP_CLOSE_TIMEOUT);
}

/* input -------------------------------------------------------------------------------------------------------- */

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

static void
body_ended(struct http_conn *c)
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
		req_fail(c, 400, req->body.why, HTTP_CLOSE_BAD);
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
		body_ended(c);
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

static void
on_kick(void *arg)
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

static void
on_conn(void *arg, int what)
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

/* requests ----------------------------------------------------------------------------------------------------- */

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
		body_ended(c);
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

const char *
http_req_local_host(const struct http_req *req)
{
	return req->c != NULL ? req->c->lst->host : "";
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
