/* SPDX-License-Identifier: ISC
 * A port for the next start: the configured one, or a free one. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/engine_priv.h"
#include "host/host.h"

#define PORT_TRIES 2000

static int
bind_test(const struct sockaddr *sa, socklen_t len)
{
	int fd = socket(sa->sa_family, SOCK_STREAM, 0), on = 1, err = 0;

	if (fd < 0)
		return 0;
	/* As servers do: what lingers in TIME_WAIT is no obstacle, a listener is. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, sa, len) < 0)
		err = errno;
	close(fd);
	return err;
}

/* Whether nobody listens there. An address that is not ours to bind says nothing. */
static bool
is_free(const char *host, int port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	int err;

	if (host != NULL && inet_pton(AF_INET6, host, &sin6.sin6_addr) == 1)
		err = bind_test((struct sockaddr *)&sin6, sizeof(sin6));
	else if (inet_pton(AF_INET, host == NULL ? "127.0.0.1" : host, &sin.sin_addr) == 1)
		err = bind_test((struct sockaddr *)&sin, sizeof(sin));
	else
		return true;
	return err != EADDRINUSE && err != EACCES;
}

/* Another engine of ours may have been given it and not have bound it yet. */
static bool
is_promised(const struct engine *e, int port)
{
	for (const struct engine *o = e->env->first; o != NULL; o = o->next)
		if (o != e && o->pgid != 0 && o->info.port == port)
			return true;
	return false;
}

static void
name_owner(int port, char *text, size_t size)
{
	pid_t who = 0;
	char comm[64] = "";

	if (host_port_owner(port, NULL, 0, &who, comm, sizeof(comm)) == HOST_OWNER_OTHER)
		snprintf(text, size, "port %d is held by pid %ld (%s)", port, (long)who, comm);
	else
		snprintf(text, size, "port %d is in use by another process", port);
}

int
engine_port_pick(struct engine *e, int *port, bool *fixed, char *text, size_t size)
{
	const struct conf_model *m = e->m;
	int from = e->conf->start_port > 0 ? e->conf->start_port : 5800;

	*fixed = m->port > 0 && !m->port_preferred;
	*port = m->port;
	if (m->port > 0 && is_free(m->proxy_host, m->port) && !is_promised(e, m->port))
		return 0;
	if (*fixed) {
		name_owner(m->port, text, size);
		return -1;
	}
	/* A port lost in a race is not tried again at once. */
	from += e->repicks;
	for (int i = 0; i < PORT_TRIES && from + i <= 65535; i++)
		if (!is_promised(e, from + i) && is_free(m->proxy_host, from + i)) {
			*port = from + i;
			return 0;
		}
	snprintf(text, size, "no free port from %d on", from);
	return -1;
}

bool
engine_port_possible(const struct engine *e, char *text, size_t size)
{
	const struct conf_model *m = e->m;

	/* An engine of ours that holds it gives way before this one starts, or the start itself will say so. */
	if (m->port <= 0 || m->port_preferred || is_promised(e, m->port) || is_free(m->proxy_host, m->port))
		return true;
	name_owner(m->port, text, size);
	return false;
}
