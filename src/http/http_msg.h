/* SPDX-License-Identifier: ISC
 * One parsed head (RFC 9112): start line, fields, and how the body is framed. Plain data; every
 * slice points into the buffer it was parsed from. */
#ifndef HTTP_HTTP_MSG_H
#define HTTP_HTTP_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/strbuf.h"

#define HTTP_MAX_FIELDS 100

struct http_str {
	const char *p;
	size_t n;
};

struct http_field {
	struct http_str name, value;	/* value without surrounding blanks */
};

enum http_framing {
	HTTP_BODY_NONE,		/* no body follows */
	HTTP_BODY_LENGTH,	/* content_length bytes */
	HTTP_BODY_CHUNKED,
	HTTP_BODY_CLOSE		/* until the connection closes (responses only) */
};

struct http_head {
	bool is_response;
	struct http_str method, target;	/* request */
	struct http_str host;		/* of the Host field, or of an absolute-form target */
	int status;			/* response */
	struct http_str reason;
	int minor;			/* HTTP/1.minor, 0 or 1 */
	enum http_framing framing;
	uint64_t content_length;	/* HTTP_BODY_LENGTH */
	bool keep_alive;		/* the peer allows another message on this connection */
	bool expect_continue;		/* Expect: 100-continue */
	bool upgrade;			/* Connection: upgrade with an Upgrade field */
	size_t nfields;
	/* Last: a copy may hold only those in use. */
	struct http_field fields[HTTP_MAX_FIELDS];
};

/* ASCII case-insensitive compare of n bytes; no locale has a say in it. */
bool http_ieq(const char *a, const char *b, size_t n);
/* The same with a NUL-terminated string. Here, for literals' lengths are known then, and for most of a list's names differ
 * in the first byte. */
static inline bool
http_str_ieq(struct http_str s, const char *z)
{
	if (s.n != 0 && (s.p[0] | 0x20) != (z[0] | 0x20))
		return false;
	return s.n == strlen(z) && http_ieq(s.p, z, s.n);
}

static inline bool
http_str_eq(struct http_str s, const char *z)
{
	if (s.n != 0 && s.p[0] != z[0])
		return false;
	return s.n == strlen(z) && (s.n == 0 || memcmp(s.p, z, s.n) == 0);
}

/* The first field of that name, or NULL. Borrowed. */
const struct http_field *http_field_find(const struct http_head *h, const char *name);
/* Whether the value of a comma-separated list field holds a token (RFC 9110 section 5.6.1). */
bool http_list_has(struct http_str list, const char *token);
/* Whether a field must not be forwarded: the hop-by-hop ones of RFC 9110 section 7.6.1, Trailer
 * (trailers are dropped), Proxy-*, and those that Connection names. Content-Length is not among
 * them: framing is the sender's business. */
bool http_field_hop_by_hop(const struct http_head *h, const struct http_field *f);
/* The standard reason phrase; "" when unknown. Static. */
const char *http_reason(int status);

/* Serialisers: append to b. Values must not hold CR, LF or NUL: such a field is left out (never
 * injected). */
void http_put_status(struct strbuf *b, int status);
void http_put_request(struct strbuf *b, const char *method, size_t nmethod, const char *target,
    size_t ntarget);
void http_put_field(struct strbuf *b, const char *name, const char *value);
void http_put_fieldn(struct strbuf *b, struct http_str name, struct http_str value);
void http_put_end(struct strbuf *b);

#endif
