/* SPDX-License-Identifier: ISC
 * The head parser: lines are cut by memchr and judged one by one, each at once and for good, so that a bad line needs no
 * end of head to be refused and the way the bytes were split cannot matter. */
#include "http/http_parse.h"

#include <string.h>

#include "http/http_url.h"

#define MAX_REQUEST_LINE (8 * 1024)
#define MAX_EMPTY 2

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

/* Classes of bytes: token (RFC 9110 section 5.6.2), field value (with blanks and obs-text), request target. */
#define T 1
#define V 2
#define U 4
#define A (T | V | U)
#define B (V | U)
static const unsigned char class[256] = {
	['\t'] = V, [' '] = V,
	['!'] = A, ['"'] = B, ['#'] = A & ~U, ['$'] = A, ['%'] = A, ['&'] = A, ['\''] = A, ['('] = B, [')'] = B,
	['*'] = A, ['+'] = A, [','] = B, ['-'] = A, ['.'] = A, ['/'] = B,
	['0'] = A, A, A, A, A, A, A, A, A, A,
	[':'] = B, [';'] = B, ['<'] = B, ['='] = B, ['>'] = B, ['?'] = B, ['@'] = B,
	['A'] = A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A,
	['['] = B, ['\\'] = B, [']'] = B, ['^'] = A, ['_'] = A, ['`'] = A,
	['a'] = A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A,
	['{'] = B, ['|'] = A, ['}'] = B, ['~'] = A,
#define V8 V, V, V, V, V, V, V, V
	[0x80] = V8, V8, V8, V8, V8, V8, V8, V8, V8, V8, V8, V8, V8, V8, V8, V8
};
#define IS(c, k) (class[(unsigned char)(c)] & (k))

void
http_parser_init(struct http_parser *p, bool response, size_t max_head)
{
	p->response = response;
	p->head_request = false;
	p->max_head = max_head;
	p->pos = p->scan = 0;
	p->nlines = 0;
	p->error = 0;
	p->why = NULL;
	p->nfields = 0;
	p->host = 0;
	p->length = 0;
	p->seen = 0;
	p->nempty = 0;
	p->status = 0;
	p->minor = 0;
}

static int
fail(struct http_parser *p, int status, const char *why)
{
	p->error = p->response ? 502 : status;
	p->why = why;
	return -1;
}

/* Whether all of s may stand in a field value. Eight at a time: only where one of them is a control or DEL the table is
 * asked. */
static bool
value_ok(const char *s, size_t n)
{
	const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
	uint64_t w, low, bad;

	for (; n >= 8; s += 8, n -= 8) {
		memcpy(&w, s, 8);
		/* Bytes with the high bit are fine; among the others below 0x20, or 0x7f. Without carries. */
		low = w & ~high;
		bad = (~(low + 0x60 * ones) | (low + ones)) & ~w & high;
		if (bad == 0)
			continue;
		for (size_t i = 0; i < 8; i++) {
			if (!IS(s[i], V))
				return false;
		}
	}
	for (; n > 0; s++, n--) {
		if (!IS(*s, V))
			return false;
	}
	return true;
}

static bool
is(const char *s, size_t n, const char *lower)
{
	return strlen(lower) == n && http_ieq(s, lower, n);
}

/* "HTTP/1.0" or "HTTP/1.1" at s. */
static int
version(struct http_parser *p, const char *s)
{
	if (memcmp(s, "HTTP/", 5) != 0 || s[5] < '0' || s[5] > '9' || s[6] != '.' || s[7] < '0' || s[7] > '9')
		return fail(p, 400, "bad protocol version");
	if (s[5] != '1' || s[7] > '1')
		return fail(p, 505, "protocol version is not 1.0 or 1.1");
	p->minor = s[7] - '0';
	return 0;
}

static bool
method_known(const char *s, size_t n)
{
	static const char names[][8] = {"GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (s[0] == names[i][0] && n <= sizeof(names[i]) && memcmp(s, names[i], n) == 0 &&
		    (n == sizeof(names[i]) || names[i][n] == '\0'))
			return true;
	}
	return false;
}

static int
request_line(struct http_parser *p, const char *buf, size_t pos, size_t n)
{
	const char *s = buf + pos;
	size_t m = 0, t;

	while (m < n && IS(s[m], T))
		m++;
	if (m == 0 || m == n || s[m] != ' ')
		return fail(p, 400, "bad method");
	t = m + 1;
	while (t < n && IS(s[t], U))
		t++;
	if (t == m + 1 || t == n || s[t] != ' ')
		return fail(p, 400, "bad request target");
	if (n - t != 9)
		return fail(p, 400, "bad protocol version");
	if (version(p, s + t + 1) != 0)
		return -1;
	if (!method_known(s, m))
		return fail(p, 501, "unknown method");
	p->offs[0] = pos;
	p->offs[1] = pos + m;
	p->offs[2] = pos + m + 1;
	p->offs[3] = pos + t;
	return 0;
}

static int
status_line(struct http_parser *p, const char *buf, size_t pos, size_t n)
{
	const char *s = buf + pos;

	if (n < 12 || s[8] != ' ')
		return fail(p, 502, "bad status line");
	if (version(p, s) != 0)
		return -1;
	for (size_t i = 9; i < 12; i++) {
		if (s[i] < '0' || s[i] > '9')
			return fail(p, 502, "bad status code");
		p->status = p->status * 10 + (s[i] - '0');
	}
	if (p->status < 100 || p->status > 599)
		return fail(p, 502, "bad status code");
	/* The blank is due even without a reason, but too many leave both out. */
	if (n > 12 && (s[12] != ' ' || !value_ok(s + 13, n - 13)))
		return fail(p, 502, "bad reason phrase");
	p->offs[2] = n > 12 ? pos + 13 : pos + 12;
	p->offs[3] = pos + n;
	return 0;
}

static int
content_length(struct http_parser *p, const char *v, size_t n)
{
	uint64_t x = 0;

	if (p->seen & SEEN_LENGTH)
		return fail(p, 400, "more than one Content-Length");
	if (n == 0)
		return fail(p, 400, "bad Content-Length");
	for (size_t i = 0; i < n; i++) {
		uint64_t d = (uint64_t)(v[i] - '0');

		if (v[i] < '0' || v[i] > '9')
			return fail(p, 400, "bad Content-Length");
		if (x > (INT64_MAX - d) / 10)
			return fail(p, 400, "Content-Length too large");
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
		return fail(p, 400, "more than one Transfer-Encoding");
	if (p->minor == 0)
		return fail(p, 400, "Transfer-Encoding in HTTP/1.0");
	p->seen |= SEEN_CODING;
	if (is(v, n, "chunked"))
		return 0;
	while (i < n && IS(v[i], T))
		i++;
	if (i == 0 || is(v, i, "chunked"))
		return fail(p, 400, "bad Transfer-Encoding");
	return fail(p, 501, "unknown transfer coding");
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
		return fail(p, 400, "more than one Host");
	if (http_host_parse((struct http_str){v, n}, NULL, 0, &port) != 0)
		return fail(p, 400, "bad Host");
	p->seen |= SEEN_HOST;
	p->host = p->nfields;
	return 0;
}

/* What a field means for the framing and the connection. */
static int
field_meaning(struct http_parser *p, const char *name, size_t nname, const char *v, size_t n)
{
	switch (nname) {
	case 4:
		if (!p->response && is(name, nname, "host"))
			return host(p, v, n);
		break;
	case 6:
		if (!p->response && is(name, nname, "expect")) {
			if (!is(v, n, "100-continue"))
				return fail(p, 417, "unknown expectation");
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
			return fail(p, 400, "Content-Length in disguise");
		break;
	case 17:
		if (is(name, nname, "transfer-encoding"))
			return transfer_encoding(p, v, n);
		if (is(name, nname, "transfer_encoding"))
			return fail(p, 400, "Transfer-Encoding in disguise");
		break;
	default:
		break;
	}
	return 0;
}

static int
field_line(struct http_parser *p, const char *buf, size_t pos, size_t n)
{
	const char *s = buf + pos;
	size_t name = 0, from, to = n, *o;

	if (p->nfields == HTTP_MAX_FIELDS)
		return fail(p, 431, "too many header fields");
	while (name < n && IS(s[name], T))
		name++;
	if (name == 0 || name == n || s[name] != ':')
		return fail(p, 400, name == 0 && (s[0] == ' ' || s[0] == '\t') ? "folded header field" :
		    "bad header field name");
	from = name + 1;
	while (from < to && (s[from] == ' ' || s[from] == '\t'))
		from++;
	while (to > from && (s[to - 1] == ' ' || s[to - 1] == '\t'))
		to--;
	if (!value_ok(s + from, to - from))
		return fail(p, 400, "bad byte in a header field");
	if (field_meaning(p, s, name, s + from, to - from) != 0)
		return -1;
	o = p->offs + 4 + 4 * p->nfields++;
	o[0] = pos;
	o[1] = pos + name;
	o[2] = pos + from;
	o[3] = pos + to;
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
		return fail(p, 400, "bad form of the request target");
	for (end = scheme; end < t.n && t.p[end] != '/' && t.p[end] != '?'; end++)
		;
	h->host = (struct http_str){t.p + scheme, end - scheme};
	if (http_host_parse(h->host, NULL, 0, &port) != 0)
		return fail(p, 400, "bad host in the request target");
	return 0;
}

static int
framing(struct http_parser *p, struct http_head *h)
{
	h->content_length = 0;
	if ((p->seen & (SEEN_LENGTH | SEEN_CODING)) == (SEEN_LENGTH | SEEN_CODING))
		return fail(p, 400, "both Content-Length and Transfer-Encoding");
	if (p->response && (p->head_request || p->status < 200 || p->status == 204 || p->status == 304)) {
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

/* The empty line came: judge the whole and hand it out. */
static int
finish(struct http_parser *p, const char *buf, struct http_head *h)
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
			return fail(p, 400, "no Host");
		if (target(p, h) != 0)
			return -1;
	}
	h->keep_alive = !(p->seen & SEEN_CLOSE) && (p->minor == 1 || (p->seen & SEEN_KEEP_ALIVE)) &&
	    h->framing != HTTP_BODY_CLOSE;
	h->upgrade = p->minor == 1 && (p->seen & SEEN_CONN_UPGRADE) && (p->seen & SEEN_UPGRADE);
	h->expect_continue = p->minor == 1 && (p->seen & SEEN_CONTINUE) && h->framing != HTTP_BODY_NONE;
	h->nfields = p->nfields;
	for (size_t i = 0; i < p->nfields; i++) {
		h->fields[i].name = slice(buf, p->offs + 4 + 4 * i);
		h->fields[i].value = slice(buf, p->offs + 4 + 4 * i + 2);
	}
	return 0;
}

/* Bytes that cannot begin a message are refused before a line is complete: TLS, or a banner without a line end. */
static int
first_bytes(struct http_parser *p, const char *s, size_t n)
{
	if (p->response) {
		if (memcmp(s, "HTTP/", n < 5 ? n : 5) != 0)
			return fail(p, 502, "not an HTTP answer");
	} else if (!IS(s[0], T) && s[0] != '\r' && s[0] != '\n') {
		return fail(p, 400, "bad method");
	}
	return 0;
}

/* One line without its CRLF. 1: it was the end of the head. */
static int
line(struct http_parser *p, const char *buf, size_t pos, size_t n, struct http_head *out)
{
	int rc;

	if (n == 0 && p->nlines == 0)
		return ++p->nempty > MAX_EMPTY || p->response ? fail(p, 400, "no start line") : 0;
	if (n == 0)
		return finish(p, buf, out) == 0 ? 1 : -1;
	if (p->nlines > 0)
		rc = field_line(p, buf, pos, n);
	else
		rc = p->response ? status_line(p, buf, pos, n) : request_line(p, buf, pos, n);
	p->nlines++;
	return rc;
}

enum http_parse_result
http_parse(struct http_parser *p, const char *buf, size_t len, struct http_head *out, size_t *used)
{
	int rc = p->error != 0 ? -1 : 0;

	while (rc == 0 && p->pos < len) {
		bool start = p->nlines == 0;
		size_t end = start && !p->response && p->pos + MAX_REQUEST_LINE < p->max_head ?
		    p->pos + MAX_REQUEST_LINE : p->max_head;
		size_t upto = len < end ? len : end, from = p->scan > p->pos ? p->scan : p->pos;
		const char *lf;
		size_t at;

		if (start && first_bytes(p, buf + p->pos, len - p->pos) != 0)
			break;
		lf = from < upto ? memchr(buf + from, '\n', upto - from) : NULL;
		p->scan = upto;
		if (lf == NULL && upto < end)
			return HTTP_PARSE_MORE;
		if (lf == NULL) {
			fail(p, start ? 414 : 431, start ? "request line too long" : "header fields too large");
			break;
		}
		at = (size_t)(lf - buf);
		p->scan = at + 1;
		if (at == p->pos || buf[at - 1] != '\r') {
			fail(p, 400, "line ends without CR");
			break;
		}
		rc = line(p, buf, p->pos, at - 1 - p->pos, out);
		p->pos = at + 1;
	}
	if (p->error != 0)
		return HTTP_PARSE_ERROR;
	if (rc != 1)
		return HTTP_PARSE_MORE;
	*used = p->pos;
	return HTTP_PARSE_DONE;
}
