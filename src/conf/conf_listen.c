/* SPDX-License-Identifier: ISC
 * Addresses to listen on. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/xmalloc.h"
#include "conf/conf_priv.h"

int
conf_port_parse(const char *s, int *port)
{
	long n;

	if (*s == '\0' || strlen(s) > 5 || strspn(s, "0123456789") != strlen(s))
		return -1;
	n = strtol(s, NULL, 10);
	if (n < 1 || n > 65535)
		return -1;
	*port = (int)n;
	return 0;
}

bool
conf_host_is_literal(const char *host)
{
	unsigned char buf[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, buf) == 1 || inet_pton(AF_INET6, host, buf) == 1;
}

bool
conf_host_is_loopback(const char *host)
{
	struct in_addr a4;
	struct in6_addr a6;

	if (inet_pton(AF_INET, host, &a4) == 1)
		return ntohl(a4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &a6) == 1 && IN6_IS_ADDR_LOOPBACK(&a6);
}

void
conf_listen_clear(struct conf *c)
{
	for (size_t i = 0; i < c->nlisten; i++) {
		free(c->listen[i].host);
		free(c->listen[i].path);
	}
	free(c->listen);
	c->listen = NULL;
	c->nlisten = 0;
}

static struct conf_listen *
add(struct conf *c)
{
	c->listen = xreallocarray(c->listen, c->nlisten + 1, sizeof(*c->listen));
	memset(&c->listen[c->nlisten], 0, sizeof(*c->listen));
	return &c->listen[c->nlisten++];
}

static bool
same(const struct conf_listen *l, const char *host, int port, const char *path)
{
	if (path != NULL)
		return l->path != NULL && strcmp(l->path, path) == 0;
	return l->host != NULL && port != 0 && l->port == port && strcmp(l->host, host) == 0;
}

int
conf_listen_add_tcp(struct conf *c, const char *host, int port, struct err *e)
{
	struct conf_listen *l;

	if (strcasecmp(host, "localhost") == 0)
		host = "127.0.0.1";
	else if (strcmp(host, "*") == 0)
		host = "0.0.0.0";
	if (!conf_host_is_literal(host))
		return err_set(e, "'%s' is no address (127.0.0.1, [::1], localhost, *)", host);
	for (size_t i = 0; i < c->nlisten; i++)
		if (same(&c->listen[i], host, port, NULL))
			return err_set(e, "%s port %d is listed twice", host, port);
	l = add(c);
	l->host = xstrdup(host);
	l->port = port;
	return 0;
}

static int
add_unix(struct conf *c, const char *path, struct err *e)
{
	struct sockaddr_un sun;

	if (path[0] != '/')
		return err_set(e, "unix: needs an absolute path");
	if (strlen(path) >= sizeof(sun.sun_path))
		return err_set(e, "unix: the path is longer than %zu bytes", sizeof(sun.sun_path) - 1);
	for (size_t i = 0; i < c->nlisten; i++)
		if (same(&c->listen[i], NULL, 0, path))
			return err_set(e, "unix:%s is listed twice", path);
	add(c)->path = xstrdup(path);
	return 0;
}

int
conf_listen_add(struct conf *c, const char *text, struct err *e)
{
	const char *colon = strrchr(text, ':'), *port_text;
	char host[256];
	size_t n;
	int port = 0;

	if (strncmp(text, "unix:", 5) == 0)
		return add_unix(c, text + 5, e);
	if (strlen(text) >= sizeof(host))
		return err_set(e, "the address is too long");
	port_text = colon == NULL ? text : colon + 1;
	/* 0 is any free port: for tests, and said in the log. */
	if (strcmp(port_text, "0") != 0 && conf_port_parse(port_text, &port) < 0)
		return err_set(e, "'%s' is no address: HOST:PORT, [IPV6]:PORT or unix:/path", text);
	if (colon == NULL)
		return conf_listen_add_tcp(c, "127.0.0.1", port, e);
	n = (size_t)(colon - text);
	if (n == 0)
		return err_set(e, "'%s' has no host: 127.0.0.1%s for this machine only, *%s for all", text, text, text);
	if (text[0] == '[' && text[n - 1] == ']') {
		memcpy(host, text + 1, n - 2);
		host[n - 2] = '\0';
	} else {
		memcpy(host, text, n);
		host[n] = '\0';
		if (strchr(host, ':') != NULL)
			return err_set(e, "an IPv6 address needs brackets: [%s]:%s", host, port_text);
	}
	return conf_listen_add_tcp(c, host, port, e);
}
