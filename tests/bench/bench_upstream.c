/* SPDX-License-Identifier: ISC
 * A fast pretend engine: bench_upstream --port P [ignored...]. POST answers 605 bytes of JSON, or with ?events=N&gap=MS a
 * stream of N events of 205 bytes (N 0: without end, as fast as it is read). Keep-alive; one thread; epoll. */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define EVENT 205
#define BODY 605
#define BODY_START "{\"object\":\"chat.completion\",\"model\":\"m\",\"choices\":[{\"message\":{\"content\":\""
#define BODY_END "\"}}]}"
#define HEAD_MAX 8192

struct conn {
	int fd;
	char head[HEAD_MAX];
	size_t nhead;
	size_t body_left;
	bool in_body, streaming, blocked;
	long events, gap_ms;
	uint64_t due;
	char pending[EVENT + 32];
	size_t npending, sent;
	struct conn *next, *prev;	/* of those that stream */
};

static int ep;
static struct conn *streams;
static char whole[1024];
static size_t nwhole;

static void
stream_remove(struct conn *c)
{
	if (!c->streaming)
		return;
	c->streaming = false;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		streams = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
}

static void
drop(struct conn *c)
{
	stream_remove(c);
	close(c->fd);
	free(c);
}

static void
want(struct conn *c, bool out)
{
	struct epoll_event ev = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c};

	if (c->blocked == out)
		return;
	c->blocked = out;
	epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
}

/* 1 sent, 0 would block, -1 gone. */
static int
push(struct conn *c)
{
	while (c->sent < c->npending) {
		ssize_t n = send(c->fd, c->pending + c->sent, c->npending - c->sent, MSG_NOSIGNAL);

		if (n < 0) {
			if (errno != EAGAIN)
				return -1;
			want(c, true);
			return 0;
		}
		c->sent += (size_t)n;
	}
	c->sent = c->npending = 0;
	want(c, false);
	return 1;
}

static void
make_event(struct conn *c)
{
	char text[EVENT + 1];
	int n = snprintf(text, sizeof(text), "data: {\"id\":\"b\",\"object\":\"chat.completion.chunk\",\"model\":\"m\","
	    STAMP "%019llu,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"", (unsigned long long)bench_ns());

	memset(text + n, 'x', EVENT - (size_t)n);
	memcpy(text + EVENT - 8, "\"}}]} \n\n", 8);
	c->npending = (size_t)snprintf(c->pending, sizeof(c->pending), "%x\r\n%.*s\r\n", EVENT, EVENT, text);
}

/* -1 when the connection is gone. */
static int
stream_more(struct conn *c, uint64_t now)
{
	while (c->streaming) {
		int r = c->npending > 0 ? push(c) : 1;

		if (r <= 0)
			return r;
		if (c->events == 1) {
			c->npending = (size_t)snprintf(c->pending, sizeof(c->pending),
			    "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
			stream_remove(c);
			return push(c) < 0 ? -1 : 0;
		}
		if (c->gap_ms > 0 && now < c->due)
			return 0;
		make_event(c);
		if (c->events > 0)
			c->events--;
		c->due += (uint64_t)c->gap_ms * 1000000;
	}
	return 0;
}

static int
reply(struct conn *c)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
	const char *q = strstr(c->head, "events="), *g = strstr(c->head, "gap=");

	if (q == NULL)
		return send(c->fd, whole, nwhole, MSG_NOSIGNAL) == (ssize_t)nwhole ? 0 : -1;
	c->events = strtol(q + 7, NULL, 10);
	if (c->events > 0)
		c->events++;
	c->gap_ms = g != NULL ? strtol(g + 4, NULL, 10) : 0;
	c->due = bench_ns();
	if (send(c->fd, head, sizeof(head) - 1, MSG_NOSIGNAL) < 0)
		return -1;
	c->streaming = true;
	c->prev = NULL;
	c->next = streams;
	if (streams != NULL)
		streams->prev = c;
	streams = c;
	return stream_more(c, c->due);
}

static int
take(struct conn *c)
{
	static char sink[262144];

	for (;;) {
		char *end, *cl;
		ssize_t n = c->in_body ? recv(c->fd, sink, c->body_left < sizeof(sink) ? c->body_left : sizeof(sink), 0) :
		    recv(c->fd, c->head + c->nhead, HEAD_MAX - 1 - c->nhead, 0);

		if (n == 0)
			return -1;
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		if (c->in_body) {
			c->body_left -= (size_t)n;
		} else {
			c->nhead += (size_t)n;
			c->head[c->nhead] = '\0';
			end = strstr(c->head, "\r\n\r\n");
			if (end == NULL)
				continue;
			cl = strcasestr(c->head, "\r\ncontent-length:");
			c->body_left = cl != NULL && cl < end ? (size_t)strtoul(cl + 17, NULL, 10) : 0;
			n = (ssize_t)(c->nhead - (size_t)(end + 4 - c->head));
			c->body_left -= (size_t)n < c->body_left ? (size_t)n : c->body_left;
			c->in_body = true;
		}
		if (c->body_left == 0) {
			c->in_body = false;
			c->nhead = 0;
			if (reply(c) < 0)
				return -1;
		}
	}
}

static void
accept_all(int lfd)
{
	int fd, one = 1;

	while ((fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));
		struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

		if (c == NULL)
			err(1, "calloc");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c->fd = fd;
		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	}
}

static int
next_due(uint64_t now)
{
	uint64_t at = UINT64_MAX;

	for (struct conn *c = streams; c != NULL; c = c->next)
		if (c->npending == 0 && c->due < at)
			at = c->due;
	return at == UINT64_MAX ? -1 : at <= now ? 0 : (int)((at - now) / 1000000) + 1;
}

static int
listen_on(long port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0 || listen(fd, 1024) != 0)
		err(1, "port %ld", port);
	return fd;
}

int
main(int argc, char **argv)
{
	struct epoll_event evs[256], ev = {.events = EPOLLIN};
	long port = 0;
	char pad[BODY];
	int lfd;

	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], "--port") == 0)
			port = strtol(argv[i + 1], NULL, 10);
	if (port == 0)
		errx(2, "usage: bench_upstream --port P");
	memset(pad, 'y', sizeof(pad));
	nwhole = (size_t)snprintf(whole, sizeof(whole), "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	    "Content-Length: %d\r\n\r\n%s%.*s%s", BODY, BODY_START, BODY - (int)strlen(BODY_START BODY_END), pad, BODY_END);
	lfd = listen_on(port);
	ep = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(ep, EPOLL_CTL_ADD, lfd, &ev);
	for (;;) {
		int n = epoll_wait(ep, evs, 256, next_due(bench_ns()));

		for (int i = 0; i < n; i++) {
			struct conn *c = evs[i].data.ptr;

			if (c == NULL)
				accept_all(lfd);
			else if ((evs[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && take(c) < 0)
				drop(c);
			else if ((evs[i].events & EPOLLOUT) != 0 && c->npending > 0 && push(c) < 0)
				drop(c);
		}
		for (struct conn *c = streams, *next; c != NULL; c = next) {
			next = c->next;
			if (!c->blocked && stream_more(c, bench_ns()) < 0)
				drop(c);
		}
	}
}
