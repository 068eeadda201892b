/* SPDX-License-Identifier: ISC
 * The server's side of a connection: its life and its clocks. Input is http_input.c, output http_reply.c. */
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
#define PEEK_TIME 250			/* ms between looks where LOOP_CLOSED does not work */

#define CLOSE_TEXT(id, text) text,
static const char *const close_texts[] = {HTTP_CLOSES(CLOSE_TEXT)};

const char *
http_close_text(enum http_close c)
{
	return (unsigned)c < HTTP_NCLOSES ? close_texts[c] : "?";
}

/* life --------------------------------------------------------------------------------------------------------- */

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
	watch_init(&c->w, s->loop, fd, conn_event, c);
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
	loop_defer(c->srv->loop, conn_kicked, c);
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
		due = req->body_since + c->srv->lim.body_grace;
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

void
conn_req_fail(struct http_conn *c, int status, const char *text, enum http_close why)
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

/* A body is judged anew after each grace: what came fast before does not pay for holding its memory afterwards. */
static bool
body_goes_on(struct http_conn *c, uint64_t now)
{
	struct http_req *req = c->req;

	if (req->body_bytes - req->body_mark < BODY_RATE * c->srv->lim.body_grace / 1000)
		return false;
	req->body_mark = req->body_bytes;
	req->body_since = now;
	return true;
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
	else if (c->state == CONN_BODY && body_goes_on(c, now))
		conn_arm(c);
	else if (c->state == CONN_BODY)
		conn_req_fail(c, 408, "the request body comes too slowly", HTTP_CLOSE_TIMEOUT);
	else if (c->state == CONN_HEAD && c->mid_head)
		conn_error(c, 408, "the request head did not come in time");
	else
		conn_close(c, HTTP_CLOSE_TIMEOUT);
}
