/* SPDX-License-Identifier: ISC
 * Connections to engines that wait for their next exchange. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "http/http_client_priv.h"
#include "http/http_priv.h"

#define IDLE_TIME 4000			/* ms; engines close after 5 s */
#define MAX_IDLE 256

int
http_target_set(struct http_target *t, const char *host, int port)
{
	memset(t, 0, sizeof(*t));
	t->connect_timeout = 5000;
	if (strncmp(host, "unix:", 5) == 0) {
		struct sockaddr_un *u = (struct sockaddr_un *)&t->addr;
		size_t n = strlen(host + 5);

		if (n == 0 || n >= sizeof(u->sun_path))
			return -1;
		u->sun_family = AF_UNIX;
		memcpy(u->sun_path, host + 5, n + 1);
		t->addr_len = sizeof(*u);
		return 0;
	}
	if (port < 0 || port > 65535)
		return -1;
	struct sockaddr_in *a = (struct sockaddr_in *)&t->addr;
	struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)&t->addr;
	char bare[INET6_ADDRSTRLEN];
	size_t n = strlen(host);

	if (inet_pton(AF_INET, host, &a->sin_addr) == 1) {
		a->sin_family = AF_INET;
		a->sin_port = htons((uint16_t)port);
		t->addr_len = sizeof(*a);
		return 0;
	}
	if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
		host++;
		n -= 2;
	}
	if (n >= sizeof(bare))
		return -1;
	memcpy(bare, host, n);
	bare[n] = '\0';
	if (inet_pton(AF_INET6, bare, &a6->sin6_addr) != 1)
		return -1;
	a6->sin6_family = AF_INET6;
	a6->sin6_port = htons((uint16_t)port);
	t->addr_len = sizeof(*a6);
	return 0;
}

static void
unlink_conn(struct upconn *c)
{
	struct http_pool *p = c->pool;

	if (c->prev != NULL)
		c->prev->next = c->next;
	else if (c->idle)
		p->idle = c->next;
	else
		p->active = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	else if (c->idle)
		p->oldest = c->prev;
	if (c->idle)
		p->nidle--;
	c->prev = c->next = NULL;
}

static void
link_conn(struct upconn *c, bool idle)
{
	struct http_pool *p = c->pool;
	struct upconn **head = idle ? &p->idle : &p->active;

	c->idle = idle;
	c->prev = NULL;
	c->next = *head;
	if (*head != NULL)
		(*head)->prev = c;
	*head = c;
	if (idle) {
		if (c->next == NULL)
			p->oldest = c;
		p->nidle++;
	}
}

void
pool_close(struct upconn *c)
{
	if (c->dead)
		return;
	c->dead = true;
	unlink_conn(c);
	watch_set(&c->w, 0);
	close(c->fd);
	loop_defer(c->pool->loop, free, c);
}

static void
on_pool_timer(void *arg)
{
	struct http_pool *p = arg;
	uint64_t now = clock_ms();

	while (p->oldest != NULL && now - p->oldest->idle_since >= IDLE_TIME)
		pool_close(p->oldest);
	if (p->oldest != NULL)
		timer_set(&p->t, p->oldest->idle_since + IDLE_TIME - now);
}

void
pool_release(struct upconn *c, bool keep)
{
	struct http_pool *p = c->pool;

	c->x = NULL;
	if (!keep || c->no_keep) {
		pool_close(c);
		return;
	}
	unlink_conn(c);
	link_conn(c, true);
	c->idle_since = clock_ms();
	watch_set(&c->w, LOOP_READ);
	if (!timer_armed(&p->t))
		timer_set(&p->t, IDLE_TIME);
	if (p->nidle > MAX_IDLE)
		pool_close(p->oldest);
}

/* Whether the engine neither closed it nor said anything since. The loop may not have come to that yet, and a stray answer would
 * be taken for that to the next request. */
static bool
is_quiet(const struct upconn *c)
{
	char byte;

	return recv(c->fd, &byte, 1, MSG_PEEK) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

struct upconn *
pool_take(struct http_pool *p, const struct http_target *t)
{
	for (struct upconn *c = p->idle, *next; c != NULL; c = next) {
		next = c->next;
		if (c->generation != t->generation || c->addr_len != t->addr_len ||
		    memcmp(&c->addr, &t->addr, t->addr_len) != 0)
			continue;
		if (!is_quiet(c)) {
			pool_close(c);
			continue;
		}
		unlink_conn(c);
		link_conn(c, false);
		return c;
	}
	return NULL;
}

static int
new_socket(int family)
{
#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
#else
	int fd = socket(family, SOCK_STREAM, 0);

	if (fd >= 0 && http_fd_setup(fd) < 0) {
		close(fd);
		return -1;
	}
	return fd;
#endif
}

struct upconn *
pool_open(struct http_pool *p, const struct http_target *t, void (*cb)(void *, int))
{
	int fd = new_socket(t->addr.ss_family);
	struct upconn *c;

	if (fd < 0)
		return NULL;
	if (t->addr.ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	if (connect(fd, (const struct sockaddr *)&t->addr, t->addr_len) != 0 && errno != EINPROGRESS &&
	    errno != EINTR) {
		int err = errno;

		close(fd);
		errno = err;
		return NULL;
	}
	c = xcalloc(1, sizeof(*c));
	c->pool = p;
	c->fd = fd;
	c->generation = t->generation;
	c->no_keep = !t->keep_alive || t->generation == 0;
	c->addr = t->addr;
	c->addr_len = t->addr_len;
	watch_init(&c->w, p->loop, fd, cb, c);
	link_conn(c, false);
	return c;
}

bool
http_target_refuses(const struct http_target *t)
{
	int fd = new_socket(t->addr.ss_family), err = 0;
	socklen_t len = sizeof(err);
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	if (fd < 0)
		return false;
	if (connect(fd, (const struct sockaddr *)&t->addr, t->addr_len) != 0)
		err = errno;
	if (err == EINPROGRESS && (poll(&p, 1, 0) != 1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0))
		err = 0;
	close(fd);
	return err == ECONNREFUSED || err == ENOENT;
}

struct http_pool *
http_pool_new(struct loop *l)
{
	struct http_pool *p = xcalloc(1, sizeof(*p));

	p->loop = l;
	timer_init(&p->t, l, on_pool_timer, p);
	return p;
}

void
http_pool_free(struct http_pool **pp)
{
	struct http_pool *p = *pp;

	if (p == NULL)
		return;
	while (p->idle != NULL)
		pool_close(p->idle);
	timer_stop(&p->t);
	free(p);
	*pp = NULL;
}

void
http_pool_drop(struct http_pool *p, uint64_t generation)
{
	for (struct upconn *c = p->idle, *next; c != NULL; c = next) {
		next = c->next;
		if (c->generation == generation)
			pool_close(c);
	}
	for (struct upconn *c = p->active; c != NULL; c = c->next) {
		if (c->generation != generation)
			continue;
		c->no_keep = c->dropped = true;
		if (c->x != NULL)
			xfer_dropped(c->x);
	}
}

size_t
http_pool_idle(const struct http_pool *p)
{
	return p->nidle;
}
