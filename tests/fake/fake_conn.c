/* SPDX-License-Identifier: ISC
 * Connections and the loop: one thread, poll. */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake.h"

#define READ_AHEAD (128u * 1024 * 1024)

static struct fake_conn *conns;
static int nconns, listener = -1;

int
fake_in_progress(void)
{
	int n = 0;

	for (struct fake_conn *c = conns; c != NULL; c = c->next)
		n += c->completion && c->phase != CONN_READ && c->phase != CONN_DEAD;
	return n;
}

int
fake_hanging(void)
{
	int n = 0;

	for (struct fake_conn *c = conns; c != NULL; c = c->next)
		n += c->completion && c->phase == CONN_WAIT && c->due == FAKE_NEVER;
	return n;
}

bool
fake_turn(const struct fake_conn *c)
{
	for (struct fake_conn *o = conns; o != NULL && o != c; o = o->next)
		if (o->completion && o->phase != CONN_READ && o->phase != CONN_DEAD)
			return false;
	return true;
}

static void
cannot_bind(void)
{
	const char *text = "couldn't bind HTTP server socket, hostname: 127.0.0.1, port in use\n";

	if (!fake.port_in_use_hang) {
		if (write(2, text, strlen(text)) < 0)
			_exit(2);
		_exit(1);
	}
	text = "Traceback (most recent call last):\nOSError: [Errno 98] Address already in use\n";
	if (write(2, text, strlen(text)) < 0)
		_exit(2);
	for (;;)
		pause();
}

static void
listen_now(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)fake.port)};
	socklen_t len = sizeof(sin);
	int one = 1;

	if (inet_pton(AF_INET, fake.host, &sin.sin_addr) != 1)
		errx(2, "--host %s", fake.host);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0)
		err(1, "socket");
	fcntl(listener, F_SETFD, FD_CLOEXEC);
	fcntl(listener, F_SETFL, O_NONBLOCK);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&sin, sizeof(sin)) != 0 || listen(listener, (int)fake.backlog) != 0)
		cannot_bind();
	if (getsockname(listener, (struct sockaddr *)&sin, &len) == 0)
		fake.port = ntohs(sin.sin_port);
	fake_record("listen", "\"port\":%ld", fake.port);
}

static void
accept_all(uint64_t now)
{
	int fd, one = 1, size = (int)fake.write_buffer;
	struct fake_conn **tail = &conns;

	while (*tail != NULL)
		tail = &(*tail)->next;
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		struct fake_conn *c = calloc(1, sizeof(*c));

		if (c == NULL)
			err(1, "calloc");
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		fcntl(fd, F_SETFL, O_NONBLOCK);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (size > 0)
			setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		c->fd = fd;
		c->idle_since = now;
		*tail = c;
		tail = &c->next;
		nconns++;
		fake_stats.connections++;
	}
}

static void
drop(struct fake_conn *c)
{
	if (c->completion && c->phase != CONN_READ && c->phase != CONN_DEAD) {
		fake_stats.aborted++;
		fake_record("aborted", "\"events\":%ld,\"bytes\":%llu", c->sent_events,
		    (unsigned long long)c->body_sent);
	}
	if (c->tunnelled)
		fake_record("tunnel_end", "\"left\":%zu", c->out.len);
	c->phase = CONN_DEAD;
}

static void
take_input(struct fake_conn *c, uint64_t now)
{
	char buf[65536];
	ssize_t n;

	if (!fake_hears(c)) {
		drop(c);	/* it was not asked for: the connection is broken */
		return;
	}
	while (c->in.len < READ_AHEAD && (n = recv(c->fd, buf, sizeof(buf), 0)) != 0) {
		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				drop(c);
			break;
		}
		fake_add(&c->in, buf, (size_t)n);
		if (c->phase == CONN_TUNNEL)
			fake_stats.tunnel_in += (unsigned long)n;
		if (c->phase == CONN_TUNNEL && c->in.len > 4 * sizeof(buf))
			break;
	}
	if (c->in.len < READ_AHEAD && n == 0)
		drop(c);
	c->idle_since = now;
}

static void
next_request(struct fake_conn *c, uint64_t now)
{
	int r = c->in.len > 0 ? fake_parse(c) : 0;

	if (r < 0)
		drop(c);
	else if (r > 0)
		fake_answer(c, now);
}

static void
request_done(struct fake_conn *c, uint64_t now)
{
	struct linger reset = {.l_onoff = 1};

	if (c->after == 'd')
		fake_die();
	if (c->after == 'r')
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (c->completion && c->after == 0) {
		fake_stats.done++;
		fake_record("done", "\"bytes\":%llu", (unsigned long long)c->body_sent);
	}
	if (c->body_owned)
		free(c->body);
	c->body = NULL;
	c->body_owned = c->completion = false;
	c->served++;
	c->idle_since = now;
	fake_drain(&c->in, c->total);
	if (c->after != 0 || !c->keep) {
		if (c->after != 'r')
			shutdown(c->fd, SHUT_WR);
		c->phase = CONN_DEAD;
		return;
	}
	c->phase = CONN_READ;
	next_request(c, now);
}

static void
push_output(struct fake_conn *c, uint64_t now)
{
	while (c->out.len > 0) {
		ssize_t n = send(c->fd, c->out.data, c->out.len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN)
				drop(c);
			return;
		}
		if (c->completion)
			fake_stats.bytes += (unsigned long)n;
		if (c->tunnelled)
			fake_stats.tunnel_out += (unsigned long)n;
		fake_drain(&c->out, (size_t)n);
		if (c->phase == CONN_TUNNEL)
			fake_tunnel(c);
	}
	if (c->phase == CONN_FLUSH)
		request_done(c, now);
}

static void
sweep(void)
{
	for (struct fake_conn **cp = &conns; *cp != NULL;) {
		struct fake_conn *c = *cp;

		if (c->phase != CONN_DEAD) {
			cp = &c->next;
			continue;
		}
		*cp = c->next;
		fake_stats.tunnels_ended += c->tunnelled;
		close(c->fd);
		free(c->in.data);
		free(c->out.data);
		if (c->body_owned)
			free(c->body);
		free(c);
		nconns--;
	}
}

static void
term(void)
{
	fake_record("term", "\"count\":%d,\"in_progress\":%d", (int)fake_terms, fake_in_progress());
	if (!fake.wait_clients_on_term && !fake.end_streams_on_term && !fake.finish_on_term)
		exit(0);
	if (fake_terms > 1)
		exit(1);
	if (listener >= 0)
		close(listener);
	listener = -1;
}

static void
serve_conn(struct fake_conn *c, int revents, uint64_t now)
{
	if (revents & (POLLIN | POLLHUP | POLLERR))
		take_input(c, now);
	if (c->phase == CONN_READ)
		next_request(c, now);
	if (c->phase == CONN_WAIT || c->phase == CONN_STREAM)
		fake_more(c, now);
	if (c->phase == CONN_TUNNEL)
		fake_tunnel(c);
	if (c->phase != CONN_DEAD && (c->out.len > 0 || c->phase == CONN_FLUSH))
		push_output(c, now);
	if (c->phase == CONN_READ && fake.keepalive_close_after > 0 &&
	    now >= c->idle_since + (uint64_t)fake.keepalive_close_after)
		drop(c);
}

/* ms until something is due by the clock. */
static int
patience(uint64_t now)
{
	uint64_t at = fake_next();

	if (listener < 0 && fake_terms == 0 && fake_born + (uint64_t)fake.listen_after < at)
		at = fake_born + (uint64_t)fake.listen_after;
	for (struct fake_conn *c = conns; c != NULL; c = c->next) {
		if ((c->phase == CONN_WAIT || (c->phase == CONN_STREAM && c->out.len == 0)) && c->due < at)
			at = c->due;
		if (c->phase == CONN_READ && fake.keepalive_close_after > 0 &&
		    c->idle_since + (uint64_t)fake.keepalive_close_after < at)
			at = c->idle_since + (uint64_t)fake.keepalive_close_after;
	}
	if (fake.busy && fake_hanging() > 0)
		return 0;
	if (at == UINT64_MAX)
		return -1;
	return at > now ? (int)(at - now) : 0;
}

void
fake_serve(void)
{
	struct pollfd *fds = NULL;
	sig_atomic_t seen = 0;

	for (;;) {
		uint64_t now = fake_now();
		struct fake_conn *c;
		char drain[16];
		int n = 0;

		if (listener < 0 && fake_terms == 0 && now >= fake_born + (uint64_t)fake.listen_after)
			listen_now();
		if (fake_terms != seen) {
			seen = fake_terms;
			term();
		}
		if (fake_terms > 0 && (fake.wait_clients_on_term || fake.end_streams_on_term || fake.finish_on_term) &&
		    fake_in_progress() == 0)
			exit(0);
		fds = realloc(fds, ((size_t)nconns + 2) * sizeof(*fds));
		if (fds == NULL)
			err(1, "realloc");
		fds[n++] = (struct pollfd){.fd = listener, .events = POLLIN};
		fds[n++] = (struct pollfd){.fd = fake_wake[0], .events = POLLIN};
		for (c = conns; c != NULL; c = c->next)
			fds[n++] = (struct pollfd){.fd = c->fd,
			    .events = (short)((c->in.len < READ_AHEAD && fake_hears(c) ? POLLIN : 0) | (c->out.len > 0 ? POLLOUT : 0))};
		if (poll(fds, (nfds_t)n, patience(now)) < 0) {
			if (errno != EINTR)
				err(1, "poll");
			continue;
		}
		now = fake_now();
		if (fds[1].revents != 0 && read(fake_wake[0], drain, sizeof(drain)) < 0 && errno != EAGAIN)
			err(1, "read");
		n = 2;
		for (c = conns; c != NULL; c = c->next)
			serve_conn(c, fds[n++].revents, now);
		if (listener >= 0 && fds[0].revents != 0)
			accept_all(now);
		sweep();
		fake_tick(now);
	}
}
