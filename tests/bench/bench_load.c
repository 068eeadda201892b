/* SPDX-License-Identifier: ISC
 * The load: prints one JSON object.
 *
 *   bench_load requests PORT CONNECTIONS SECONDS BODY-BYTES     closed loop: each connection asks again when answered
 *   bench_load streams PORT CONNECTIONS EVENTS GAP-MS           one stream each; delay of each event, time to first byte.
 *                                                               They begin spread over one gap: else the proxy that begins
 *                                                               them faster has its events in one burst, and looks slower
 *   bench_load stalled PORT CONNECTIONS SECONDS                 endless streams that nobody reads
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

struct conn {
	int fd;
	size_t sent;
	uint64_t asked;
	bool first, done;
	char in[65536];
	size_t nin;
};

struct samples {
	double *v;
	size_t n, cap;
};

static char *request;
static size_t nrequest;
static int ep;
static struct samples delays, firsts;
static unsigned long answered, errors;

static void
sample(struct samples *s, double v)
{
	if (s->n == s->cap) {
		s->cap = s->cap != 0 ? s->cap * 2 : 4096;
		s->v = realloc(s->v, s->cap * sizeof(*s->v));
		if (s->v == NULL)
			err(1, "realloc");
	}
	s->v[s->n++] = v;
}

static int
cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
quantile(struct samples *s, double q)
{
	if (s->n == 0)
		return 0;
	qsort(s->v, s->n, sizeof(*s->v), cmp);
	return s->v[(size_t)(q * (double)(s->n - 1))];
}

static int
dial(long port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0)
		err(1, "connect to port %ld", port);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void
make_request(const char *query, size_t body)
{
	const char *start = "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"";
	size_t least = strlen(start) + 4, cap;
	int n;

	if (query[0] == '\0')
		start = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"";
	if (body < least)
		body = least;
	cap = body + 512;
	request = malloc(cap);
	if (request == NULL)
		err(1, "malloc");
	n = snprintf(request, cap, "POST /v1/chat/completions%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\n\r\n%s", query, body, start);
	nrequest = (size_t)n - strlen(start) + body;
	memset(request + n, 'p', nrequest - (size_t)n);
	memcpy(request + nrequest - 4, "\"}]}", 4);
}

static void
arm(struct conn *c, bool out)
{
	struct epoll_event ev = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c};

	epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
}

static void
push(struct conn *c)
{
	while (c->sent < nrequest) {
		ssize_t n = send(c->fd, request + c->sent, nrequest - c->sent, MSG_NOSIGNAL);

		if (n < 0) {
			if (errno == EAGAIN)
				arm(c, true);
			else
				errors++, c->done = true;
			return;
		}
		c->sent += (size_t)n;
	}
}

static void
ask(struct conn *c)
{
	c->sent = c->nin = 0;
	c->first = true;
	c->asked = bench_ns();
	push(c);
}

/* A whole answer with Content-Length stands in c->in? */
static bool
is_whole(struct conn *c)
{
	char *end, *cl;

	c->in[c->nin] = '\0';
	end = strstr(c->in, "\r\n\r\n");
	if (end == NULL)
		return false;
	cl = strcasestr(c->in, "\r\ncontent-length:");
	if (cl == NULL || strncmp(c->in + 8, " 200", 4) != 0)
		errx(1, "unexpected answer: %.300s", c->in);
	return c->nin >= (size_t)(end + 4 - c->in) + strtoul(cl + 17, NULL, 10);
}

/* Notes each event by its birth; keeps an unfinished tail. */
static void
events(struct conn *c)
{
	uint64_t now = bench_ns();
	char *p, *rest = c->in;

	c->in[c->nin] = '\0';
	while ((p = strstr(rest, STAMP)) != NULL && (size_t)(c->in + c->nin - p) >= strlen(STAMP) + 19) {
		rest = p + strlen(STAMP);
		answered++;
		sample(&delays, (double)(now - strtoull(rest, NULL, 10)) / 1000.0);
	}
	if (strstr(rest, "[DONE]") != NULL)
		c->done = true;
	if (c->in + c->nin - rest > 64)
		rest = c->in + c->nin - 64;
	c->nin = (size_t)(c->in + c->nin - rest);
	memmove(c->in, rest, c->nin);
}

static void
take(struct conn *c, bool stream, bool more)
{
	ssize_t n = recv(c->fd, c->in + c->nin, sizeof(c->in) - 1 - c->nin, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		errors++;
		c->done = true;
		return;
	}
	c->nin += (size_t)n;
	if (c->first && stream)
		sample(&firsts, (double)(bench_ns() - c->asked) / 1000.0);
	c->first = false;
	if (stream) {
		events(c);
	} else if (is_whole(c)) {
		sample(&delays, (double)(bench_ns() - c->asked) / 1000.0);
		answered++;
		if (more)
			ask(c);
		else
			c->done = true;
	}
}

/* spread: ns between the first requests of two connections. */
static void
run(struct conn *conns, int n, bool stream, bool read_it, uint64_t until, uint64_t spread)
{
	struct epoll_event evs[256];
	uint64_t began = bench_ns();
	int left = n, next = 0;

	while (left > 0) {
		uint64_t now = bench_ns();
		int got;

		if (until != 0 && now >= until && (stream || !read_it))
			return;
		for (; next < n && now >= began + (uint64_t)next * spread; next++)
			ask(&conns[next]);
		got = epoll_wait(ep, evs, 256, next < n ? 1 : 50);
		for (int i = 0; i < got; i++) {
			struct conn *c = evs[i].data.ptr;

			if (evs[i].events & EPOLLOUT) {
				push(c);
				if (c->sent == nrequest)
					arm(c, false);
			}
			if (read_it && (evs[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
				take(c, stream, until == 0 || bench_ns() < until);
		}
		left = 0;
		for (int i = 0; i < n; i++)
			left += !conns[i].done;
	}
}

int
main(int argc, char **argv)
{
	bool stream, read_it;
	char query[64] = "";
	struct conn *conns;
	uint64_t began, until;
	long port, n, a, b;

	if (argc < 5)
		errx(2, "see the top of bench_load.c");
	stream = strcmp(argv[1], "requests") != 0;
	read_it = strcmp(argv[1], "stalled") != 0;
	port = strtol(argv[2], NULL, 10);
	n = strtol(argv[3], NULL, 10);
	a = (long)(strtod(argv[4], NULL) * 1000);
	b = argc > 5 ? strtol(argv[5], NULL, 10) : 0;
	if (stream)
		snprintf(query, sizeof(query), "?events=%ld&gap=%ld", read_it ? a / 1000 : 0, b);
	make_request(query, stream ? 750 : (size_t)b);
	ep = epoll_create1(EPOLL_CLOEXEC);
	conns = calloc((size_t)n, sizeof(*conns));
	if (conns == NULL)
		err(1, "calloc");
	for (long i = 0; i < n; i++) {
		struct epoll_event ev = {.events = read_it ? EPOLLIN : 0, .data.ptr = &conns[i]};

		conns[i].fd = dial(port);
		epoll_ctl(ep, EPOLL_CTL_ADD, conns[i].fd, &ev);
	}
	began = bench_ns();
	until = stream && read_it ? 0 : began + (uint64_t)a * 1000000;
	run(conns, (int)n, stream, read_it, until, stream && read_it ? (uint64_t)b * 1000000 / (uint64_t)n : 0);
	printf("{\"answered\":%lu,\"errors\":%lu,\"seconds\":%.6f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"first_p50_us\":%.1f}\n", answered,
	    errors, (double)(bench_ns() - began) / 1e9, quantile(&delays, 0.5), quantile(&delays, 0.99), quantile(&firsts, 0.5));
	return errors != 0;
}
