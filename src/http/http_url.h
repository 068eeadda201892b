/* SPDX-License-Identifier: ISC
 * Request targets: split, checked and decoded before anything is matched against them. */
#ifndef HTTP_HTTP_URL_H
#define HTTP_HTTP_URL_H

#include "http/http_msg.h"

struct http_url {
	struct http_str path;	/* as sent, never empty, without the query */
	struct http_str query;	/* without '?'; n = 0 when there is none */
};

/* Splits an origin-form or absolute-form target. 0; -1 with *why (static) for: encoded slashes,
 * backslashes or control characters, bad escapes, dot segments (also encoded), "//", bytes outside
 * printable ASCII, a fragment, other forms. The path borrows from target, but for "/" where an
 * absolute form has none. */
int http_url_parse(struct http_str target, struct http_url *out, const char **why);

/* Decodes %XX (and, in queries, '+') of s into out, NUL-terminated; -1 on a bad escape, NUL or lack
 * of room. */
int http_url_decode(struct http_str s, bool query, char *out, size_t size);
/* The value of the first query parameter of that name, decoded; 1 found, 0 not, -1 bad. */
int http_url_param(struct http_str query, const char *key, char *out, size_t size);

/* Host header (or authority) -> lower-case host without port and brackets into out, *port (0 when
 * none). 0, or -1 when it is no valid host[:port]. out may be NULL: only checked. */
int http_host_parse(struct http_str host, char *out, size_t size, int *port);

#endif
