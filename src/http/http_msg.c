/* SPDX-License-Identifier: ISC
 * Heads as data: lookups and the serialisers. */
#include "http/http_msg.h"

#include <string.h>

static unsigned char
lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

bool
http_ieq(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (lower(a[i]) != lower(b[i]))
			return false;
	}
	return true;
}

const struct http_field *
http_field_find(const struct http_head *h, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < h->nfields; i++) {
		if (h->fields[i].name.n == n && http_ieq(h->fields[i].name.p, name, n))
			return &h->fields[i];
	}
	return NULL;
}

/* Takes the next element of a comma-separated list off *rest; false at its end. Empty elements are
 * passed over. */
static bool
list_next(struct http_str *rest, struct http_str *tok)
{
	while (rest->n > 0) {
		const char *comma = memchr(rest->p, ',', rest->n);
		size_t n = comma == NULL ? rest->n : (size_t)(comma - rest->p);
		struct http_str s = {rest->p, n};

		rest->p += comma == NULL ? n : n + 1;
		rest->n -= comma == NULL ? n : n + 1;
		while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
			s.p++, s.n--;
		while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
			s.n--;
		if (s.n > 0) {
			*tok = s;
			return true;
		}
	}
	return false;
}

static bool
list_has(struct http_str list, const char *token, size_t n)
{
	struct http_str t;

	while (list_next(&list, &t)) {
		if (t.n == n && http_ieq(t.p, token, n))
			return true;
	}
	return false;
}

bool
http_list_has(struct http_str list, const char *token)
{
	return list_has(list, token, strlen(token));
}

bool
http_field_hop_by_hop(const struct http_head *h, const struct http_field *f)
{
	static const char *const names[] = {"connection", "keep-alive", "te", "trailer",
	    "transfer-encoding",
	    "upgrade", "http2-settings"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (http_str_ieq(f->name, names[i]))
			return true;
	}
	if (f->name.n > 6 && http_ieq(f->name.p, "proxy-", 6))
		return true;
	for (size_t i = 0; i < h->nfields; i++) {
		if (http_str_ieq(h->fields[i].name, "connection") &&
		    list_has(h->fields[i].value, f->name.p, f->name.n))
			return true;
	}
	return false;
}

const char *
http_reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = {
		{100, "Continue"}, {101, "Switching Protocols"}, {102, "Processing"},
		{103, "Early Hints"},
		{200, "OK"}, {201, "Created"}, {202, "Accepted"},
		{203, "Non-Authoritative Information"},
		{204, "No Content"}, {205, "Reset Content"}, {206, "Partial Content"},
		{300, "Multiple Choices"}, {301, "Moved Permanently"}, {302, "Found"},
		{303, "See Other"},
		{304, "Not Modified"}, {307, "Temporary Redirect"}, {308, "Permanent Redirect"},
		{400, "Bad Request"}, {401, "Unauthorized"}, {402, "Payment Required"},
		{403, "Forbidden"},
		{404, "Not Found"}, {405, "Method Not Allowed"}, {406, "Not Acceptable"},
		{407, "Proxy Authentication Required"}, {408, "Request Timeout"}, {409, "Conflict"},
		{410, "Gone"},
		{411, "Length Required"}, {412, "Precondition Failed"}, {413, "Content Too Large"},
		{414, "URI Too Long"}, {415, "Unsupported Media Type"},
		{416, "Range Not Satisfiable"},
		{417, "Expectation Failed"}, {421, "Misdirected Request"},
		{422, "Unprocessable Content"},
		{425, "Too Early"}, {426, "Upgrade Required"}, {428, "Precondition Required"},
		{429, "Too Many Requests"}, {431, "Request Header Fields Too Large"},
		{499, "Client Closed Request"},
		{500, "Internal Server Error"}, {501, "Not Implemented"}, {502, "Bad Gateway"},
		{503, "Service Unavailable"}, {504, "Gateway Timeout"},
		{505, "HTTP Version Not Supported"},
		{507, "Insufficient Storage"}, {529, "Overloaded"},
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (reasons[i].status == status)
			return reasons[i].text;
	}
	return "";
}

/* Nothing that could end the line or the head early. blanks: whether SP and HT may stand in it. */
static bool
harmless(const char *p, size_t n, bool blanks)
{
	if (blanks)
		return n == 0 || (memchr(p, '\r', n) == NULL && memchr(p, '\n', n) == NULL && memchr(p, '\0', n) == NULL);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c <= ' ' || c == 0x7f)
			return false;
	}
	return true;
}

void
http_put_status(struct strbuf *b, int status)
{
	char line[14] = "HTTP/1.1 000 ";

	line[9] = (char)('0' + status / 100 % 10);
	line[10] = (char)('0' + status / 10 % 10);
	line[11] = (char)('0' + status % 10);
	strbuf_add(b, line, 13);
	strbuf_puts(b, http_reason(status));
	strbuf_add(b, "\r\n", 2);
}

void
http_put_request(struct strbuf *b, const char *method, size_t nmethod, const char *target,
    size_t ntarget)
{
	if (!harmless(method, nmethod, false) || !harmless(target, ntarget, false))
		return;
	strbuf_add(b, method, nmethod);
	strbuf_putc(b, ' ');
	strbuf_add(b, target, ntarget);
	strbuf_add(b, " HTTP/1.1\r\n", 11);
}

void
http_put_fieldn(struct strbuf *b, struct http_str name, struct http_str value)
{
	char *to;

	if (name.n == 0 || !harmless(name.p, name.n, false) ||
	    memchr(name.p, ':', name.n) != NULL || !harmless(value.p, value.n, true))
		return;
	to = strbuf_room(b, name.n + value.n + 4);
	if (to == NULL)
		return;
	memcpy(to, name.p, name.n);
	memcpy(to + name.n, ": ", 2);
	if (value.n != 0)
		memcpy(to + name.n + 2, value.p, value.n);
	memcpy(to + name.n + 2 + value.n, "\r\n", 2);
	strbuf_wrote(b, name.n + value.n + 4);
}

void
http_put_field(struct strbuf *b, const char *name, const char *value)
{
	http_put_fieldn(b, (struct http_str){name, strlen(name)},
	    (struct http_str){value, strlen(value)});
}

void
http_put_end(struct strbuf *b)
{
	strbuf_add(b, "\r\n", 2);
}
