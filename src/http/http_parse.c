/* SPDX-License-Identifier: ISC
 * The head parser: lines are cut by memchr and judged one by one, each at once and for good, so
 * that a bad line needs no end of head to be refused and the way the bytes were split cannot
 * matter. */
#include "http/http_parse_priv.h"

#include <string.h>

#define MAX_REQUEST_LINE (8 * 1024)
#define MAX_EMPTY 2

#define T HTTP_TOKEN
#define V HTTP_VALUE
#define U HTTP_TARGET
#define A (T | V | U)
#define B (V | U)
const unsigned char http_class[256] = {
	['\t'] = V, [' '] = V,
	['!'] = A, ['"'] = B, ['#'] = A & ~U, ['$'] = A, ['%'] = A, ['&'] = A, ['\''] = A,
	['('] = B, [')'] = B,
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
#undef T
#undef V
#undef U
#undef A
#undef B
#undef V8

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

/* Whether all of s may stand in a field value. Eight at a time: only where one of them is a control
 * or DEL the table is asked. */
static bool
value_ok(const char *s, size_t n)
{
	const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
	uint64_t w, low, bad;

	for (; n >= 8; s += 8, n -= 8) {
		memcpy(&w, s, 8);
		/* Bytes with the high bit are fine; among the others below 0x20, or 0x7f. Without
		 * carries. */
		low = w & ~high;
		bad = (~(low + 0x60 * ones) | (low + ones)) & ~w & high;
		if (bad == 0)
			continue;
		for (size_t i = 0; i < 8; i++) {
			if (!HTTP_IS(s[i], HTTP_VALUE))
				return false;
		}
	}
	for (; n > 0; s++, n--) {
		if (!HTTP_IS(*s, HTTP_VALUE))
			return false;
	}
	return true;
}

/* "HTTP/1.0" or "HTTP/1.1" at s. */
static int
version(struct http_parser *p, const char *s)
{
	if (memcmp(s, "HTTP/", 5) != 0 || s[5] < '0' || s[5] > '9' || s[6] != '.' ||
	    s[7] < '0' || s[7] > '9')
		return http_parse_fail(p, 400, "bad protocol version");
	if (s[5] != '1' || s[7] > '1')
		return http_parse_fail(p, 505, "protocol version is not 1.0 or 1.1");
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

	while (m < n && HTTP_IS(s[m], HTTP_TOKEN))
		m++;
	if (m == 0 || m == n || s[m] != ' ')
		return http_parse_fail(p, 400, "bad method");
	t = m + 1;
	while (t < n && HTTP_IS(s[t], HTTP_TARGET))
		t++;
	if (t == m + 1 || t == n || s[t] != ' ')
		return http_parse_fail(p, 400, "bad request target");
	if (n - t != 9)
		return http_parse_fail(p, 400, "bad protocol version");
	if (version(p, s + t + 1) != 0)
		return -1;
	if (!method_known(s, m))
		return http_parse_fail(p, 501, "unknown method");
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
		return http_parse_fail(p, 502, "bad status line");
	if (version(p, s) != 0)
		return -1;
	for (size_t i = 9; i < 12; i++) {
		if (s[i] < '0' || s[i] > '9')
			return http_parse_fail(p, 502, "bad status code");
		p->status = p->status * 10 + (s[i] - '0');
	}
	if (p->status < 100 || p->status > 599)
		return http_parse_fail(p, 502, "bad status code");
	/* The blank is due even without a reason, but too many leave both out. */
	if (n > 12 && (s[12] != ' ' || !value_ok(s + 13, n - 13)))
		return http_parse_fail(p, 502, "bad reason phrase");
	p->offs[2] = n > 12 ? pos + 13 : pos + 12;
	p->offs[3] = pos + n;
	return 0;
}

static int
field_line(struct http_parser *p, const char *buf, size_t pos, size_t n)
{
	const char *s = buf + pos;
	size_t name = 0, from, to = n, *o;

	if (p->nfields == HTTP_MAX_FIELDS)
		return http_parse_fail(p, 431, "too many header fields");
	while (name < n && HTTP_IS(s[name], HTTP_TOKEN))
		name++;
	if (name == 0 || name == n || s[name] != ':')
		return http_parse_fail(p, 400, s[0] == ' ' || s[0] == '\t' ?
		    "folded header field" : "bad header field name");
	from = name + 1;
	while (from < to && (s[from] == ' ' || s[from] == '\t'))
		from++;
	while (to > from && (s[to - 1] == ' ' || s[to - 1] == '\t'))
		to--;
	if (!value_ok(s + from, to - from))
		return http_parse_fail(p, 400, "bad byte in a header field");
	if (http_parse_field(p, s, name, s + from, to - from) != 0)
		return -1;
	o = p->offs + 4 + 4 * p->nfields++;
	o[0] = pos;
	o[1] = pos + name;
	o[2] = pos + from;
	o[3] = pos + to;
	return 0;
}

/* Bytes that cannot begin a message are refused before a line is complete: TLS, or a banner without
 * a line end. */
static int
first_bytes(struct http_parser *p, const char *s, size_t n)
{
	if (p->response) {
		if (memcmp(s, "HTTP/", n < 5 ? n : 5) != 0)
			return http_parse_fail(p, 502, "not an HTTP answer");
	} else if (!HTTP_IS(s[0], HTTP_TOKEN) && s[0] != '\r' && s[0] != '\n') {
		return http_parse_fail(p, 400, "bad method");
	}
	return 0;
}

/* One line without its CRLF. 1: it was the end of the head. */
static int
line(struct http_parser *p, const char *buf, size_t pos, size_t n, struct http_head *out)
{
	int rc;

	if (n == 0 && p->nlines == 0)
		return ++p->nempty <= MAX_EMPTY ? 0 : http_parse_fail(p, 400, "no start line");
	if (n == 0)
		return http_parse_finish(p, buf, out) == 0 ? 1 : -1;
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
			http_parse_fail(p, start ? 414 : 431,
			    start ? "start line too long" : "header fields too large");
			break;
		}
		at = (size_t)(lf - buf);
		p->scan = at + 1;
		if (at == p->pos || buf[at - 1] != '\r') {
			http_parse_fail(p, 400, "line ends without CR");
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
