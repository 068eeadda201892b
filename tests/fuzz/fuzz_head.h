/* SPDX-License-Identifier: ISC
 * What must hold for any bytes given to the head parser, said without using it: the raw bytes of an
 * accepted head are looked at by naive means. */
#ifndef FUZZ_HEAD_H
#define FUZZ_HEAD_H

#include <string.h>
#include <strings.h>

#include "fuzz.h"
#include "http/http_body.h"
#include "http/http_parse.h"
#include "http/http_url.h"

#define FUZZ_MAX_HEAD 9000

struct fuzz_outcome {
	enum http_parse_result result;
	int error;
	const char *why;
	size_t used;
	struct http_head head;
};

/* data[0..size) in one piece, or in two (cut < size), or byte by byte (cut > size). */
static inline void
fuzz_parse(struct fuzz_outcome *o, const char *data, size_t size, size_t cut, bool response)
{
	struct http_parser p;
	size_t to = cut > size ? 0 : cut;

	http_parser_init(&p, response, FUZZ_MAX_HEAD);
	for (;;) {
		char *copy = malloc(to == 0 ? 1 : to);

		INSIST(copy != NULL);
		if (to != 0)
			memcpy(copy, data, to);
		o->used = 0;
		o->result = http_parse(&p, copy, to, &o->head, &o->used);
		free(copy);
		if (o->result != HTTP_PARSE_MORE || to == size)
			break;
		to = cut > size ? to + 1 : size;
	}
	o->error = p.error;
	o->why = p.why;
	/* The slices point into the copy: once more, where they can be looked at. */
	if (o->result == HTTP_PARSE_DONE) {
		http_parser_init(&p, response, FUZZ_MAX_HEAD);
		INSIST(http_parse(&p, data, size, &o->head, &to) == HTTP_PARSE_DONE &&
		    to == o->used);
	}
}

static inline size_t
fuzz_count(const char *p, size_t n, const char *name)
{
	size_t found = 0, len = strlen(name);

	for (size_t i = 0; i + len + 2 <= n; i++) {
		if (p[i] == '\r' && p[i + 1] == '\n' && strncasecmp(p + i + 2, name, len) == 0)
			found++;
	}
	return found;
}

static inline void
fuzz_inside(const char *data, size_t size, struct http_str s)
{
	if (s.n == 0)
		return;
	INSIST(s.p >= data && s.p + s.n <= data + size);
	INSIST(memchr(s.p, '\r', s.n) == NULL && memchr(s.p, '\n', s.n) == NULL);
	INSIST(memchr(s.p, '\0', s.n) == NULL);
}

static inline void
fuzz_raw(const char *p, size_t n, bool response, const struct http_head *h)
{
	size_t lengths = fuzz_count(p, n, "content-length:");
	size_t codings = fuzz_count(p, n, "transfer-encoding:"), hosts = fuzz_count(p, n, "host:");

	for (size_t i = 0; i < n; i++) {
		INSIST(p[i] != '\0');
		INSIST(p[i] != '\n' || (i > 0 && p[i - 1] == '\r'));
		INSIST(p[i] != '\r' || (i + 1 < n && p[i + 1] == '\n'));
		/* No line begins with a blank. */
		INSIST(p[i] != '\n' || i + 1 == n || (p[i + 1] != ' ' && p[i + 1] != '\t'));
	}
	INSIST(n >= 4 && memcmp(p + n - 4, "\r\n\r\n", 4) == 0);
	INSIST(lengths <= 1 && codings <= 1 && lengths + codings <= 1);
	INSIST(h->framing != HTTP_BODY_LENGTH || lengths == 1);
	INSIST(h->framing != HTTP_BODY_CHUNKED || codings == 1);
	INSIST(h->framing != HTTP_BODY_CLOSE || response);
	if (!response)
		INSIST(hosts == 1 || (h->minor == 0 && hosts == 0));
}

/* What was understood, written again, must be understood the same. */
static inline void
fuzz_again(const struct http_head *h)
{
	struct strbuf b = STRBUF_INIT;
	struct fuzz_outcome o;

	if (h->is_response)
		http_put_status(&b, h->status);
	else
		http_put_request(&b, h->method.p, h->method.n, h->target.p, h->target.n);
	for (size_t i = 0; i < h->nfields; i++)
		http_put_fieldn(&b, h->fields[i].name, h->fields[i].value);
	http_put_end(&b);
	if (b.len <= FUZZ_MAX_HEAD && h->minor == 1) {
		fuzz_parse(&o, b.p, b.len, b.len, h->is_response);
		INSIST(o.result == HTTP_PARSE_DONE || (o.error == 414 && h->target.n > 8000));
		if (o.result == HTTP_PARSE_DONE) {
			INSIST(o.used == b.len && o.head.nfields == h->nfields &&
			    o.head.framing == h->framing);
			INSIST(o.head.content_length == h->content_length &&
			    o.head.keep_alive == h->keep_alive);
			INSIST(o.head.host.n == h->host.n);
		}
	}
	strbuf_fini(&b);
}

static inline void
fuzz_body(const struct http_head *h, const char *data, size_t size)
{
	struct http_body b;
	struct http_str s;
	size_t pos = 0;

	http_body_init(&b, h);
	while (http_body_next(&b, data, size, &pos, &s) == HTTP_BODY_MORE && pos < size)
		INSIST(s.n == 0 || (s.p >= data && s.p + s.n <= data + size));
	INSIST(pos <= size);
}

static inline int
fuzz_head(const uint8_t *bytes, size_t size, bool response)
{
	static struct fuzz_outcome a, b;
	const char *data = (const char *)bytes, *start = data;
	struct http_url u;
	const char *why;

	fuzz_parse(&a, data, size, size, response);
	for (int i = 0; i < 2; i++) {
		if (i == 1 && size > 600)
			break;
		fuzz_parse(&b, data, size, i == 0 ? fuzz_cut(bytes, size) : size + 1, response);
		INSIST(a.result == b.result && a.error == b.error && a.why == b.why &&
		    a.used == b.used);
	}
	if (a.result == HTTP_PARSE_ERROR) {
		INSIST(a.why != NULL);
		INSIST(response ? a.error == 502 :
		    (a.error == 400 || a.error == 414 || a.error == 417 ||
		    a.error == 431 || a.error == 501 || a.error == 505));
	}
	if (a.result != HTTP_PARSE_DONE)
		return 0;
	INSIST(a.used <= size && a.used <= FUZZ_MAX_HEAD);
	while (*start == '\r')
		start += 2;
	fuzz_raw(start, a.used - (size_t)(start - data), response, &a.head);
	for (size_t i = 0; i < a.head.nfields; i++) {
		fuzz_inside(data, a.used, a.head.fields[i].name);
		fuzz_inside(data, a.used, a.head.fields[i].value);
		http_field_hop_by_hop(&a.head, &a.head.fields[i]);
	}
	fuzz_inside(data, a.used, a.head.method);
	fuzz_inside(data, a.used, a.head.target);
	fuzz_inside(data, a.used, a.head.host);
	fuzz_inside(data, a.used, a.head.reason);
	fuzz_again(&a.head);
	fuzz_body(&a.head, data + a.used, size - a.used);
	if (!response && http_url_parse(a.head.target, &u, &why) == 0)
		INSIST(u.path.n > 0 && u.path.p[0] == '/');
	return 0;
}

#endif
