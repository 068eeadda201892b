/* SPDX-License-Identifier: ISC
 * The header tables. */
#include "proxy/proxy_header.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/compat.h"

struct name {
	const char *p;
	size_t n;
};
#define NAME(s) {s, sizeof(s) - 1}

static bool
among(struct http_str s, const struct name *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (names[i].n == s.n && strncasecmp(names[i].p, s.p, s.n) == 0)
			return true;
	return false;
}

static bool
begins(struct http_str s, const char *with, size_t n)
{
	return s.n >= n && strncasecmp(s.p, with, n) == 0;
}

/* Ours to make, the client's secrets, or of no meaning behind us. */
static bool
stays_here(struct http_str name)
{
	static const struct name names[] = {
		NAME("host"), NAME("content-length"), NAME("authorization"), NAME("x-api-key"), NAME("cookie"),
		NAME("accept-encoding"), NAME("expect"), NAME("forwarded"), NAME("x-request-id"), NAME("origin"),
		NAME("x-real-ip"), NAME("via"), NAME("api-key"),
	};

	return among(name, names, ARRAY_LEN(names)) || begins(name, "x-forwarded-", 12) || begins(name, "sec-", 4) ||
	    begins(name, "x-mai-", 6);
}

static void
put_host(struct strbuf *out, const struct http_target *t)
{
	char ip[24];

	strbuf_add(out, "Host: ", 6);
	if (t->addr.ss_family == AF_INET) {
		const struct sockaddr_in *a = (const struct sockaddr_in *)&t->addr;
		const unsigned char *b = (const unsigned char *)&a->sin_addr;

		if (a->sin_addr.s_addr == htonl(INADDR_LOOPBACK)) {
			strbuf_add(out, "127.0.0.1:", 10);
		} else {
			snprintf(ip, sizeof(ip), "%d.%d.%d.%d:", b[0], b[1], b[2], b[3]);
			strbuf_puts(out, ip);
		}
		strbuf_num(out, ntohs(a->sin_port));
	} else if (t->addr.ss_family == AF_INET6) {
		const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)&t->addr;

		strbuf_puts(out, "localhost:");
		strbuf_num(out, ntohs(a->sin6_port));
	} else {
		strbuf_puts(out, "localhost");
	}
	strbuf_add(out, "\r\n", 2);
}

static void
put_line(struct strbuf *out, const struct http_head *h, const struct http_url *url)
{
	/* The target was checked: printable, no blanks. */
	strbuf_add(out, h->method.p, h->method.n);
	strbuf_putc(out, ' ');
	strbuf_add(out, url->path.p, url->path.n);
	if (url->query.n != 0) {
		strbuf_putc(out, '?');
		strbuf_add(out, url->query.p, url->query.n);
	}
	strbuf_puts(out, " HTTP/1.1\r\n");
}

/* The only field of that name; NULL when there is none, or more than one. */
static const struct http_field *
only_field(const struct http_head *h, const char *name)
{
	const struct http_field *f = http_field_find(h, name);

	for (const struct http_field *g = f; g != NULL && ++g < h->fields + h->nfields;)
		if (http_str_ieq(g->name, name))
			return NULL;
	return f;
}

struct http_str
proxy_header_upgrade(const struct http_head *h)
{
	static const struct name never[] = {NAME("h2c"), NAME("h2"), NAME("http"), NAME("tls")};
	const struct http_field *f = h->upgrade ? only_field(h, "upgrade") : NULL;
	const struct http_str none = {NULL, 0};

	if (f == NULL)
		return none;
	for (size_t i = 0; i < f->value.n;) {
		struct http_str token = {f->value.p + i, 0};

		/* "TLS/1.0, HTTP/2.0": a name, perhaps with a version. */
		while (i + token.n < f->value.n && strchr(" \t,/", token.p[token.n]) == NULL)
			token.n++;
		if (among(token, never, ARRAY_LEN(never)))
			return none;
		i += token.n;
		while (i < f->value.n && f->value.p[i] != ',')
			i++;
		while (i < f->value.n && strchr(" \t,", f->value.p[i]) != NULL)
			i++;
	}
	return f->value;
}

static void
put_upgrade(struct strbuf *out, struct http_str upgrade)
{
	strbuf_puts(out, "Connection: Upgrade\r\nUpgrade: ");
	strbuf_add(out, upgrade.p, upgrade.n);
	strbuf_puts(out, "\r\n");
}

void
proxy_header_request(struct strbuf *out, const struct http_head *h, const struct http_url *url,
    const struct http_target *t, size_t body, const char *request_id, struct http_str upgrade)
{
	strbuf_room(out, 511);
	put_line(out, h, url);
	put_host(out, t);
	for (size_t i = 0; i < h->nfields; i++) {
		const struct http_field *f = &h->fields[i];

		if (http_field_hop_by_hop(h, f) ||
		    (stays_here(f->name) && !(upgrade.n != 0 && begins(f->name, "sec-websocket-", 14))))
			continue;
		http_put_fieldn(out, f->name, f->value);
	}
	http_put_field(out, "X-Request-Id", request_id);
	if (body != 0 || h->framing != HTTP_BODY_NONE) {
		strbuf_add(out, "Content-Length: ", 16);
		strbuf_num(out, body);
		strbuf_add(out, "\r\n", 2);
	}
	if (upgrade.n != 0)
		put_upgrade(out, upgrade);
	else if (!t->keep_alive)
		strbuf_puts(out, "Connection: close\r\n");
	strbuf_add(out, "\r\n", 2);
}

static void
put_ours(struct strbuf *out, bool sse, const struct proxy_header_info *i)
{
	if (sse)
		strbuf_puts(out, "X-Accel-Buffering: no\r\n");
	http_put_field(out, "X-Mai-Model", i->model);
	http_put_field(out, "X-Request-Id", i->request_id);
	if (i->waited_ms != 0) {
		strbuf_puts(out, "X-Queue-Ms: ");
		strbuf_num(out, i->waited_ms);
		strbuf_add(out, "\r\n", 2);
	}
}

void
proxy_header_stream(struct strbuf *out, const struct proxy_header_info *i)
{
	http_put_field(out, "Content-Type", i->chat ? "text/event-stream; charset=utf-8" : "text/event-stream");
	http_put_field(out, "Cache-Control", "no-cache");
	put_ours(out, true, i);
}

/* Compressed, though it was not asked for: what is in it cannot be seen. */
static bool
coded(const struct http_head *h)
{
	const struct http_field *f = http_field_find(h, "content-encoding");

	return f != NULL && f->value.n != 0 && !http_str_ieq(f->value, "identity");
}

bool
proxy_header_json(const struct http_head *h)
{
	const struct http_field *f = http_field_find(h, "content-type");

	return f != NULL && !coded(h) && begins(f->value, "application/json", 16);
}

bool
proxy_header_answer(struct strbuf *out, const struct http_head *h, const struct proxy_header_info *i)
{
	static const struct name names[] = {
		NAME("content-length"), NAME("server"), NAME("date"), NAME("x-request-id"), NAME("x-accel-buffering"),
		/* They would speak for the whole of mai's host, not for one engine. */
		NAME("service-worker-allowed"), NAME("strict-transport-security"), NAME("alt-svc"), NAME("clear-site-data"),
	};
	const struct http_field *type = http_field_find(h, "content-type");
	bool sse = type != NULL && begins(type->value, "text/event-stream", 17);

	strbuf_room(out, 255);
	for (size_t k = 0; k < h->nfields; k++) {
		const struct http_field *f = &h->fields[k];

		if (among(f->name, names, ARRAY_LEN(names)) || begins(f->name, "access-control-", 15) ||
		    begins(f->name, "x-mai-", 6) || begins(f->name, "x-queue-ms", 10) ||
		    (sse && i->chat && f == type) || http_field_hop_by_hop(h, f))
			continue;
		http_put_fieldn(out, f->name, f->value);
	}
	if (sse && i->chat)
		strbuf_puts(out, "Content-Type: text/event-stream; charset=utf-8\r\n");
	put_ours(out, sse, i);
	return sse && !coded(h);
}

bool
proxy_header_switch(struct strbuf *out, const struct http_head *h, const struct proxy_header_info *i,
    struct http_str upgrade)
{
	const struct http_field *f = only_field(h, "upgrade");
	char token[64];

	if (f == NULL || f->value.n == 0 || f->value.n >= sizeof(token))
		return false;
	memcpy(token, f->value.p, f->value.n);
	token[f->value.n] = '\0';
	if (!http_list_has(upgrade, token))
		return false;
	proxy_header_answer(out, h, i);
	put_upgrade(out, f->value);
	return true;
}
