/* SPDX-License-Identifier: ISC
 * What the fields of a head mean together: framing, host, persistence. Here is what smuggling
 * tries. */
#include "http/http_parse_priv.h"

#include <string.h>

#include "http/http_url.h"

enum {
	SEEN_LENGTH = 1,
	SEEN_CODING = 2,
	SEEN_HOST = 4,
	SEEN_CLOSE = 8,
	SEEN_KEEP_ALIVE = 16,
	SEEN_CONN_UPGRADE = 32,
	SEEN_UPGRADE = 64,
	SEEN_CONTINUE = 128
};

int
http_parse_fail(struct http_parser *p, int status, const char *why)
{
	p->error = p->response ? 502 : status;
	p->why = why;
	return -1;
}

static bool
is(const char *s, size_t n, const char *lower)
{
	return strlen(lower) == n && http_ieq(s, lower, n);
}

static int
content_length(struct http_parser *p, const char *v, size_t n)
{
	uint64_t x = 0;

	if (p->seen & SEEN_LENGTH)
		return http_parse_fail(p, 400, "more than one Content-Length");
	if (n == 0)
		return http_parse_fail(p, 400, "bad Content-Length");
	for (size_t i = 0; i < n; i++) {
		uint64_t d = (uint64_t)(v[i] - '0');

		if (v[i] < '0' || v[i] > '9')
			return http_parse_fail(p, 400, "bad Content-Length");
		if (x > (INT64_MAX - d) / 10)
			return http_parse_fail(p, 400, "Content-Length too large");
		x = x * 10 + d;
	}
	p->seen |= SEEN_LENGTH;
	p->length = x;
	return 0;
}

static int
transfer_encoding(struct http_parser *p, const char *v, size_t n)
{
	size_t i = 0;

	if (p->seen & SEEN_CODING)
		return http_parse_fail(p, 400, "more than one Transfer-Encoding");
	if (p->minor == 0)
		return http_parse_fail(p, 400, "Transfer-Encoding in HTTP/1.0");
	p->seen |= SEEN_CODING;
	if (is(v, n, "chunked"))
		return 0;
	while (i < n && HTTP_IS(v[i], HTTP_TOKEN))
		i++;
	if (i == 0 || is(v, i, "chunked"))
		return http_parse_fail(p, 400, "bad Transfer-Encoding");
	return http_parse_fail(p, 501, "unknown transfer coding");
}

static void
connection(struct http_parser *p, const char *v, size_t n)
{
	struct http_str s = {v, n};

	if (http_list_has(s, "close"))
		p->seen |= SEEN_CLOSE;
	if (http_list_has(s, "keep-alive"))
		p->seen |= SEEN_KEEP_ALIVE;
	if (http_list_has(s, "upgrade"))
		p->seen |= SEEN_CONN_UPGRADE;
}

static int
host(struct http_parser *p, const char *v, size_t n)
{
	int port;

	if (p->seen & SEEN_HOST)
		return http_parse_fail(p, 400, "more than one Host");
	if (http_host_parse((struct http_str){v, n}, NULL, 0, &port) != 0)
		return http_parse_fail(p, 400, "bad Host");
	p->seen |= SEEN_HOST;
	p->host = p->nfields;
	return 0;
}

int
http_parse_field(struct http_parser *p, const char *name, size_t nname, const char *v, size_t n)
{
	switch (nname) {
	case 4:
		if (!p->response && is(name, nname, "host"))
			return host(p, v, n);
		break;
	case 6:
		if (!p->response && is(name, nname, "expect")) {
			if (!is(v, n, "100-continue"))
				return http_parse_fail(p, 417, "unknown expectation");
			p->seen |= SEEN_CONTINUE;
		}
		break;
	case 7:
		if (is(name, nname, "upgrade"))
			p->seen |= SEEN_UPGRADE;
		break;
	case 10:
		if (is(name, nname, "connection"))
			connection(p, v, n);
		break;
	case 14:
		if (is(name, nname, "content-length"))
			return content_length(p, v, n);
		if (is(name, nname, "content_length"))
			return http_parse_fail(p, 400, "Content-Length in disguise");
		break;
	case 17:
		if (is(name, nname, "transfer-encoding"))
			return transfer_encoding(p, v, n);
		if (is(name, nname, "transfer_encoding"))
			return http_parse_fail(p, 400, "Transfer-Encoding in disguise");
		break;
	default:
		break;
	}
	return 0;
}

static struct http_str
slice(const char *buf, const size_t *o)
{
	return (struct http_str){buf + o[0], o[1] - o[0]};
}

/* The form of the target, and the host it names. */
static int
target(struct http_parser *p, struct http_head *h)
{
	const struct http_str t = h->target;
	size_t scheme, end;
	int port;

	if (t.p[0] == '/' || (t.n == 1 && t.p[0] == '*' && http_str_eq(h->method, "OPTIONS")))
		return 0;
	if (t.n > 7 && http_ieq(t.p, "http://", 7))
		scheme = 7;
	else if (t.n > 8 && http_ieq(t.p, "https://", 8))
		scheme = 8;
	else
		return http_parse_fail(p, 400, "bad form of the request target");
	for (end = scheme; end < t.n && t.p[end] != '/' && t.p[end] != '?'; end++)
		;
	h->host = (struct http_str){t.p + scheme, end - scheme};
	if (http_host_parse(h->host, NULL, 0, &port) != 0)
		return http_parse_fail(p, 400, "bad host in the request target");
	return 0;
}

static int
framing(struct http_parser *p, struct http_head *h)
{
	h->content_length = 0;
	if ((p->seen & (SEEN_LENGTH | SEEN_CODING)) == (SEEN_LENGTH | SEEN_CODING))
		return http_parse_fail(p, 400, "both Content-Length and Transfer-Encoding");
	if (p->response && (p->head_request || p->status < 200 || p->status == 204 ||
	    p->status == 304)) {
		h->framing = HTTP_BODY_NONE;
	} else if (p->seen & SEEN_CODING) {
		h->framing = HTTP_BODY_CHUNKED;
	} else if (p->seen & SEEN_LENGTH) {
		h->framing = HTTP_BODY_LENGTH;
		h->content_length = p->length;
	} else {
		h->framing = p->response ? HTTP_BODY_CLOSE : HTTP_BODY_NONE;
	}
	return 0;
}

int
http_parse_finish(struct http_parser *p, const char *buf, struct http_head *h)
{
	h->is_response = p->response;
	h->status = p->status;
	h->minor = p->minor;
	h->method = h->target = h->host = h->reason = (struct http_str){"", 0};
	if (framing(p, h) != 0)
		return -1;
	if (p->response) {
		h->reason = slice(buf, p->offs + 2);
	} else {
		h->method = slice(buf, p->offs);
		h->target = slice(buf, p->offs + 2);
		if (p->seen & SEEN_HOST)
			h->host = slice(buf, p->offs + 4 + 4 * p->host + 2);
		else if (p->minor == 1)
			return http_parse_fail(p, 400, "no Host");
		if (target(p, h) != 0)
			return -1;
	}
	h->keep_alive = !(p->seen & SEEN_CLOSE) && (p->minor == 1 || (p->seen & SEEN_KEEP_ALIVE)) &&
	    h->framing != HTTP_BODY_CLOSE;
	h->upgrade = p->minor == 1 && (p->seen & SEEN_CONN_UPGRADE) && (p->seen & SEEN_UPGRADE);
	h->expect_continue = p->minor == 1 && (p->seen & SEEN_CONTINUE) &&
	    h->framing != HTTP_BODY_NONE;
	h->nfields = p->nfields;
	for (size_t i = 0; i < p->nfields; i++) {
		h->fields[i].name = slice(buf, p->offs + 4 + 4 * i);
		h->fields[i].value = slice(buf, p->offs + 4 + 4 * i + 2);
	}
	return 0;
}
