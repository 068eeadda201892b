/* SPDX-License-Identifier: ISC
 * For tests with real sockets: a blocking-free peer on 127.0.0.1 that is driven together with the loop. */
#ifndef NET_H
#define NET_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/strbuf.h"

#define NET_WAIT 5000	/* ms after which a condition counts as never met */

struct net_peer {
	int fd;
	struct strbuf in;
	bool eof, reset;
};

static inline struct net_peer
net_connect(int port)
{
	struct net_peer p = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(p.fd >= 0);
	assert_int_equal(connect(p.fd, (struct sockaddr *)&a, sizeof(a)), 0);
	fcntl(p.fd, F_SETFL, O_NONBLOCK);
	return p;
}

static inline void
net_close(struct net_peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	strbuf_fini(&p->in);
}

static inline void
net_sendn(struct net_peer *p, const char *s, size_t n)
{
	while (n > 0) {
		ssize_t k = send(p->fd, s, n, MSG_NOSIGNAL);

		assert_true(k > 0);
		s += k;
		n -= (size_t)k;
	}
}

static inline void
net_send(struct net_peer *p, const char *s)
{
	net_sendn(p, s, strlen(s));
}

/* Takes what has come. */
static inline void
net_read(struct net_peer *p)
{
	char buf[65536];
	ssize_t n;

	while (!p->eof && (n = recv(p->fd, buf, sizeof(buf), 0)) != -1) {
		if (n == 0)
			p->eof = true;
		else
			strbuf_add(&p->in, buf, (size_t)n);
	}
	if (!p->eof && errno == ECONNRESET)
		p->eof = p->reset = true;
}

/* Not clock_ms, which a test may have stopped. */
static inline uint64_t
net_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Turns the loop until cond holds. */
#define NET_UNTIL(l, cond)                                              \
	do {                                                            \
		uint64_t net_end = net_ms() + NET_WAIT;                 \
		while (!(cond)) {                                       \
			assert_true(net_ms() < net_end);                \
			loop_once((l), 5);                              \
		}                                                       \
	} while (0)

static inline bool
net_has(struct net_peer *p, const char *s)
{
	net_read(p);
	return p->in.len != 0 && strstr(p->in.p, s) != NULL;
}

static inline bool
net_ended(struct net_peer *p)
{
	net_read(p);
	return p->eof;
}

static inline int
net_count(const struct net_peer *p, const char *s)
{
	int n = 0;

	for (const char *q = strbuf_str(&p->in); (q = strstr(q, s)) != NULL; q += strlen(s))
		n++;
	return n;
}

#endif
