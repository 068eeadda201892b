/* SPDX-License-Identifier: ISC
 * Listening sockets: accepting within the limits, and waiting calmly when there are no descriptors left. */
#include "http/http_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "http/http_client.h"
#include "http/http_priv.h"

#define ACCEPT_PAUSE 100	/* ms without accepting when descriptors run out */
#define ACCEPT_BURST 32		/* connections taken in one turn */
#define LOG_PAUSE 1000
#define BODY_GRACE 10000
#define WRITE_STALL 60000
#define OWN_ROOM 16		/* connections over the limit that a unix socket takes */
#define IDLE_AGE 1000		/* ms after which an idle connection may be given up for a new one */

/* The unix sockets are for the owner's own tools: a crowd on the others must not lock them out. */
static bool
is_full(const struct http_listener *l)
{
	return l->srv->nconns >= l->srv->lim.max_connections + (l->port == 0 ? OWN_ROOM : 0);
}

static void
listen_arm(struct http_server *s)
{
	for (struct http_listener *l = s->listeners; l != NULL; l = l->next)
		if (l->fd >= 0)
			watch_set(&l->w, s->refused || is_full(l) ? 0 : LOOP_READ);
}

/* One more descriptor for the rest of the program is set aside as long as we may accept. */
static bool
take_reserve(struct http_server *s)
{
	if (s->reserve < 0)
		s->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return s->reserve >= 0;
}

static void
on_retry(void *arg)
{
	struct http_server *s = arg;

	if (!take_reserve(s)) {
		timer_set(&s->retry, ACCEPT_PAUSE);
		return;
	}
	s->refused = false;
	listen_arm(s);
}

static void
out_of_fds(struct http_server *s, int err)
{
	uint64_t now = clock_ms();

	if (now - s->logged >= LOG_PAUSE || s->logged == 0) {
		log_warn("http", NULL, "cannot accept: %s (%d connections open)", strerror(err), s->nconns);
		s->logged = now;
	}
	if (s->reserve >= 0)
		close(s->reserve);
	s->reserve = -1;
	s->refused = true;
	listen_arm(s);
	timer_set(&s->retry, ACCEPT_PAUSE);
}

struct http_server *
http_server_new(struct loop *l, const struct http_limits *lim, http_handler *handler, void *arg)
{
	struct http_server *s = xcalloc(1, sizeof(*s));

	s->loop = l;
	s->handler = handler;
	s->arg = arg;
	s->reserve = -1;
	timer_init(&s->retry, l, on_retry, s);
	http_server_set_limits(s, lim);
	take_reserve(s);
	return s;
}

/* Each connection may need a second descriptor towards an engine: not all may be spent on clients. */
static int
max_conns(const struct http_server *s)
{
	int max = s->lim.max_connections > 0 ? s->lim.max_connections : 1024, room;
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) != 0 || rl.rlim_cur == RLIM_INFINITY || rl.rlim_cur > (1u << 24))
		return max;
	room = ((int)rl.rlim_cur - 24) / 2;
	if (room < 4)
		room = 4;
	return max < room ? max : room;
}

void
http_server_set_limits(struct http_server *s, const struct http_limits *lim)
{
	s->lim = *lim;
	s->lim.max_connections = max_conns(s);
	if (s->lim.body_grace == 0)
		s->lim.body_grace = BODY_GRACE;
	if (s->lim.write_stall == 0)
		s->lim.write_stall = WRITE_STALL;
	listen_arm(s);
}

void
http_server_stop_listening(struct http_server *s)
{
	for (struct http_listener *l = s->listeners; l != NULL; l = l->next) {
		if (l->fd < 0)
			continue;
		watch_set(&l->w, 0);
		close(l->fd);
		l->fd = -1;
	}
}

void
http_server_free(struct http_server **sp)
{
	struct http_server *s = *sp;

	if (s == NULL)
		return;
	http_server_stop_listening(s);
	while (s->first != NULL)
		conn_close(s->first, HTTP_CLOSE_SHUTDOWN);
	for (struct http_listener *l = s->listeners, *next; l != NULL; l = next) {
		next = l->next;
		free(l->host);
		free(l);
	}
	timer_stop(&s->retry);
	if (s->reserve >= 0)
		close(s->reserve);
	free(s);
	*sp = NULL;
}

static bool
is_idle(const struct http_conn *c)
{
	return c->state == CONN_HEAD && !c->mid_head && !c->blocked && c->in.len == 0 && !c->busy;
}

/* The oldest connection that waits for nothing makes room for a new one. */
static bool
close_oldest_idle(struct http_server *s)
{
	uint64_t now = clock_ms();

	for (struct http_conn *c = s->first; c != NULL; c = c->next) {
		if (is_idle(c) && now - c->since > IDLE_AGE) {
			conn_close(c, HTTP_CLOSE_DONE);
			return true;
		}
	}
	return false;
}

void
server_conn_gone(struct http_server *s)
{
	if (s->nconns-- >= s->lim.max_connections)
		listen_arm(s);
}

int
http_fd_setup(int fd)
{
	int fl = fcntl(fd, F_GETFL);

	if (fl < 0 || fcntl(fd, F_SETFL, fl | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -1;
#ifdef SO_NOSIGPIPE
	setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &(int){1}, sizeof(int));
#endif
	return 0;
}

static int
accept_one(int lfd, struct sockaddr_storage *addr, socklen_t *len)
{
#if defined(HAVE_ACCEPT4) && defined(SOCK_CLOEXEC)
	return accept4(lfd, (struct sockaddr *)addr, len, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
	int fd = accept(lfd, (struct sockaddr *)addr, len);

	if (fd >= 0 && http_fd_setup(fd) < 0) {
		close(fd);
		errno = ECONNABORTED;
		return -1;
	}
	return fd;
#endif
}

static void
on_accept(void *arg, int what)
{
	struct http_listener *l = arg;
	struct http_server *s = l->srv;

	(void)what;
	for (int i = 0; i < ACCEPT_BURST && !is_full(l) && l->fd >= 0; i++) {
		struct sockaddr_storage addr;
		socklen_t len = sizeof(addr);
		int fd;

		memset(&addr, 0, sizeof(addr));
		fd = accept_one(l->fd, &addr, &len);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
				int err = errno;

				if (!close_oldest_idle(s))
					out_of_fds(s, err);
				return;
			}
			if (errno == ECONNABORTED || errno == EINTR)
				continue;
			return;
		}
		s->nconns++;
		conn_new(l, fd, &addr);
		if (s->nconns >= s->lim.max_connections && !close_oldest_idle(s))
			listen_arm(s);
	}
}

static void
add_listener(struct http_server *s, int fd, const char *host, int port, int tag)
{
	struct http_listener *l = xcalloc(1, sizeof(*l));

	l->srv = s;
	l->fd = fd;
	l->tag = tag;
	l->port = port;
	l->host = xstrdup(host);
	watch_init(&l->w, s->loop, fd, on_accept, l);
	l->next = s->listeners;
	s->listeners = l;
	listen_arm(s);
}

static int
bound_port(int fd)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	if (getsockname(fd, (struct sockaddr *)&a, &len) != 0)
		return 0;
	if (a.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&a)->sin6_port);
	return ntohs(((struct sockaddr_in *)&a)->sin_port);
}

int
http_server_listen_tcp(struct http_server *s, const char *host, int *port, int tag, struct err *e)
{
	struct http_target t;
	int fd, one = 1;

	if (http_target_set(&t, host, *port) < 0)
		return err_set(e, "%s is no literal address", host);
	fd = socket(t.addr.ss_family, SOCK_STREAM, 0);
	if (fd < 0 || http_fd_setup(fd) < 0) {
		err_set(e, "cannot listen on %s port %d: %s", host, *port, strerror(errno));
		goto fail;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (t.addr.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&t.addr, t.addr_len) != 0 || listen(fd, SOMAXCONN) != 0) {
		err_set(e, "cannot listen on %s port %d: %s", host, *port, strerror(errno));
		goto fail;
	}
	*port = bound_port(fd);
	add_listener(s, fd, host, *port, tag);
	return 0;
fail:
	if (fd >= 0)
		close(fd);
	return -1;
}

int
http_server_listen_unix(struct http_server *s, const char *path, int tag, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	mode_t mask;
	int fd, rc;

	if (strlen(path) >= sizeof(a.sun_path))
		return err_set(e, "%s: the path is too long for a socket", path);
	memcpy(a.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0 || http_fd_setup(fd) < 0)
		goto fail;
	unlink(path);
	mask = umask(0177);
	rc = bind(fd, (struct sockaddr *)&a, sizeof(a));
	umask(mask);
	if (rc != 0 || chmod(path, 0600) != 0 || listen(fd, SOMAXCONN) != 0)
		goto fail;
	add_listener(s, fd, path, 0, tag);
	return 0;
fail:
	err_set(e, "cannot listen on %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

int
http_server_connections(const struct http_server *s)
{
	return s->nconns;
}

void
http_server_drain(struct http_server *s)
{
	s->draining = true;
	for (struct http_conn *c = s->first, *next; c != NULL; c = next) {
		next = c->next;
		if (is_idle(c))
			conn_close(c, HTTP_CLOSE_SHUTDOWN);
	}
}

/* Made once a second at most. */
const char *
server_date(struct http_server *s)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	uint64_t now = clock_wall_ms() / 1000;
	time_t t = (time_t)now;
	struct tm tm;

	if (now == s->date_at)
		return s->date;
	s->date_at = now;
	gmtime_r(&t, &tm);
	snprintf(s->date, sizeof(s->date), "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n", days + 3 * tm.tm_wday,
	    tm.tm_mday, months + 3 * tm.tm_mon, (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min, tm.tm_sec);
	return s->date;
}
