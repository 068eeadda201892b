/* SPDX-License-Identifier: ISC
 * Targets and hosts: everything that two readers might take for different things is refused
 * here. */
#include "http/http_url.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/text.h"

static bool
alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Reads one character of a path, which may be an escape. Returns its value, *n the bytes it took;
 * -1 on a bad escape. */
static int
path_char(const char *p, const char *end, size_t *n)
{
	int hi, lo;

	*n = 1;
	if (*p != '%')
		return (unsigned char)*p;
	if (end - p < 3)
		return -1;
	hi = text_hex(p[1]);
	lo = text_hex(p[2]);
	if (hi < 0 || lo < 0)
		return -1;
	*n = 3;
	return hi << 4 | lo;
}

/* The path begins with a slash. Dot segments are counted in decoded characters. */
static const char *
path_fault(const char *p, const char *end)
{
	size_t seg = 0, dots = 0, n;

	for (; p < end; p += n) {
		int c = path_char(p, end, &n);

		if (c < 0)
			return "bad escape in the path";
		if (n == 3 && (c == '/' || c == '\\'))
			return "encoded slash in the path";
		if (c < ' ' || c == 0x7f)
			return "control character in the path";
		if (c == '\\')
			return "backslash in the path";
		if (c != '/') {
			seg++;
			dots += c == '.';
			continue;
		}
		if (seg > 0 && seg == dots && seg <= 2)
			return "dot segment in the path";
		seg = dots = 0;
		if (p + 1 < end && p[1] == '/')
			return "empty segment in the path";
	}
	return seg > 0 && seg == dots && seg <= 2 ? "dot segment in the path" : NULL;
}

/* Length of "http://" or "https://" and the authority behind it; 0 when t is no absolute-form
 * target. */
static size_t
skip_authority(struct http_str t)
{
	size_t n;

	if (t.n > 7 && http_ieq(t.p, "http://", 7))
		n = 7;
	else if (t.n > 8 && http_ieq(t.p, "https://", 8))
		n = 8;
	else
		return 0;
	if (t.p[n] == '/' || t.p[n] == '?')
		return 0;
	while (n < t.n && t.p[n] != '/' && t.p[n] != '?')
		n++;
	return n;
}

int
http_url_parse(struct http_str target, struct http_url *out, const char **why)
{
	const char *q;
	size_t skip;

	for (size_t i = 0; i < target.n; i++) {
		if (target.p[i] <= ' ' || target.p[i] >= 0x7f || target.p[i] == '#') {
			*why = "bad byte in the request target";
			return -1;
		}
	}
	if (target.n == 0 || target.p[0] != '/') {
		skip = target.n == 0 ? 0 : skip_authority(target);
		if (skip == 0) {
			*why = "bad form of the request target";
			return -1;
		}
		target.p += skip;
		target.n -= skip;
	}
	q = target.n == 0 ? NULL : memchr(target.p, '?', target.n);
	out->path = (struct http_str){target.p, q == NULL ? target.n : (size_t)(q - target.p)};
	out->query = q == NULL ? (struct http_str){"", 0} :
	    (struct http_str){q + 1, target.n - out->path.n - 1};
	if (out->path.n == 0)
		out->path = (struct http_str){"/", 1};
	*why = path_fault(out->path.p, out->path.p + out->path.n);
	return *why == NULL ? 0 : -1;
}

int
http_url_decode(struct http_str s, bool query, char *out, size_t size)
{
	const char *p = s.p, *end = s.p + s.n;
	size_t o = 0, n;

	while (p < end) {
		int c = path_char(p, end, &n);

		if (c <= 0 || o + 1 >= size)
			return -1;
		out[o++] = query && *p == '+' ? ' ' : (char)c;
		p += n;
	}
	if (o >= size)
		return -1;
	out[o] = '\0';
	return 0;
}

int
http_url_param(struct http_str query, const char *key, char *out, size_t size)
{
	char name[64];

	while (query.n > 0) {
		const char *amp = memchr(query.p, '&', query.n);
		size_t n = amp == NULL ? query.n : (size_t)(amp - query.p);
		const char *eq = memchr(query.p, '=', n);
		struct http_str k = {query.p, eq == NULL ? n : (size_t)(eq - query.p)};
		struct http_str v = {query.p + n, 0};

		if (eq != NULL)
			v = (struct http_str){eq + 1, n - k.n - 1};
		if (http_url_decode(k, true, name, sizeof(name)) == 0 && strcmp(name, key) == 0)
			return http_url_decode(v, true, out, size) == 0 ? 1 : -1;
		query.p += amp == NULL ? n : n + 1;
		query.n -= amp == NULL ? n : n + 1;
	}
	return 0;
}

/* ":" and digits, or nothing. */
static int
port_parse(const char *p, size_t n, int *port)
{
	*port = 0;
	if (n == 0)
		return 0;
	if (p[0] != ':' || n > 6)
		return -1;
	for (size_t i = 1; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		*port = *port * 10 + (p[i] - '0');
	}
	return *port <= 65535 ? 0 : -1;
}

static bool
ipv6_ok(const char *p, size_t n)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr a;

	if (n == 0 || n >= sizeof(text) || memchr(p, '\0', n) != NULL)
		return false;
	memcpy(text, p, n);
	text[n] = '\0';
	return inet_pton(AF_INET6, text, &a) == 1;
}

int
http_host_parse(struct http_str host, char *out, size_t size, int *port)
{
	const char *name = host.p, *close;
	size_t n = 0, rest;

	if (host.n > 0 && host.p[0] == '[') {
		close = memchr(host.p, ']', host.n);
		if (close == NULL)
			return -1;
		name = host.p + 1;
		n = (size_t)(close - name);
		if (!ipv6_ok(name, n))
			return -1;
		rest = n + 2;
	} else {
		/* A registered name of RFC 3986, but without escapes: nobody needs them and readers
		 * differ. */
		while (n < host.n && (alnum(name[n]) ||
		    (name[n] != '\0' && strchr("-._~!$&'()*+,;=", name[n]) != NULL)))
			n++;
		if (n == 0 || n > 255)
			return -1;
		rest = n;
	}
	if (port_parse(host.p + rest, host.n - rest, port) != 0)
		return -1;
	if (out == NULL)
		return 0;
	if (n >= size)
		return -1;
	for (size_t i = 0; i < n; i++)
		out[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + ('a' - 'A')) : name[i];
	out[n] = '\0';
	return 0;
}
