/* SPDX-License-Identifier: ISC
 * Counting on the wire. */
#include "proxy/proxy_usage.h"

#include <string.h>

#include "proxy/proxy_rewrite.h"

#define LINE_BYTES (64 * 1024)	/* of a line kept across reads */
#define TAIL_BYTES 2048		/* of a JSON answer: usage stands at its end */

void
proxy_usage_init(struct proxy_usage *u, bool sse)
{
	*u = (struct proxy_usage){.sse = sse, .tokens_in = -1, .tokens_out = -1};
}

void
proxy_usage_fini(struct proxy_usage *u)
{
	strbuf_fini(&u->keep);
}

/* The number behind "key": in p[0..n); -1. */
static int64_t
number(const char *p, size_t n, const char *key)
{
	size_t nkey = strlen(key);
	const char *q = memmem(p, n, key, nkey), *end = p + n;
	int64_t v = -1;

	if (q == NULL)
		return -1;
	for (q += nkey; q < end && (*q == ' ' || *q == ':'); q++)
		;
	for (; q < end && *q >= '0' && *q <= '9' && v < INT64_MAX / 10 - 1; q++)
		v = (v < 0 ? 0 : v * 10) + (*q - '0');
	return v;
}

/* p begins at "usage": the engine's own counts, in either API's words. */
static void
read_usage(struct proxy_usage *u, const char *p, size_t n)
{
	int64_t in = number(p, n, "\"prompt_tokens\""), out = number(p, n, "\"completion_tokens\"");

	if (in < 0)
		in = number(p, n, "\"input_tokens\"");
	if (out < 0)
		out = number(p, n, "\"output_tokens\"");
	if (in >= 0)
		u->tokens_in = in;
	if (out >= 0)
		u->tokens_out = out;
}

static void
line(struct proxy_usage *u, const char *p, size_t n)
{
	const char *q;

	if (n != 0 && p[n - 1] == '\r')
		n--;
	if (n < 6 || memcmp(p, "data:", 5) != 0) {
		if (n >= 12 && memcmp(p, "event: error", 12) == 0)
			u->error = true;
		return;
	}
	p += 5;
	n -= 5;
	if (*p == ' ') {
		p++;
		n--;
	}
	if (n == 6 && memcmp(p, "[DONE]", 6) == 0) {
		u->done = true;
		return;
	}
	u->events++;
	if (n > 9 && memcmp(p, "{\"error\":", 9) == 0)
		u->error = true;
	q = proxy_find_key(p, n, "\"usage\":", 8);
	if (q != NULL)
		read_usage(u, q, n - (size_t)(q - p));
}

static void
keep_line(struct proxy_usage *u, const char *p, size_t n)
{
	if (u->keep.len + n > LINE_BYTES) {
		u->skip = true;
		strbuf_clear(&u->keep);
	} else if (!u->skip) {
		strbuf_add(&u->keep, p, n);
	}
}

static void
feed_sse(struct proxy_usage *u, const char *p, size_t n)
{
	while (n != 0) {
		const char *nl = memchr(p, '\n', n);
		size_t k;

		if (nl == NULL) {
			keep_line(u, p, n);
			return;
		}
		k = (size_t)(nl - p);
		u->open = u->skip || u->keep.len > 1 || (u->keep.len == 1 && (k != 0 || u->keep.p[0] != '\r')) ||
		    (u->keep.len == 0 && k != 0 && !(k == 1 && *p == '\r'));
		if (u->skip) {
			u->skip = false;
			u->events++;
		} else if (u->keep.len != 0) {
			strbuf_add(&u->keep, p, k);
			line(u, u->keep.p, u->keep.len);
			strbuf_clear(&u->keep);
		} else if (k != 0) {
			line(u, p, k);
		}
		p += k + 1;
		n -= k + 1;
	}
}

static void
feed_json(struct proxy_usage *u, const char *p, size_t n)
{
	if (n >= TAIL_BYTES) {
		strbuf_clear(&u->keep);
		p += n - TAIL_BYTES;
		n = TAIL_BYTES;
	} else if (u->keep.len + n > TAIL_BYTES) {
		strbuf_shift(&u->keep, u->keep.len + n - TAIL_BYTES);
	}
	strbuf_add(&u->keep, p, n);
}

static void
follow(struct proxy_usage *u, const char *p, size_t n)
{
	for (; n != 0; p++, n--) {
		char c = *p;

		if (u->escaped) {
			u->escaped = false;
		} else if (u->in_string) {
			u->escaped = c == '\\';
			u->in_string = c != '"';
		} else if (c == '"') {
			u->in_string = u->any = true;
		} else if (c == '{' || c == '[') {
			u->depth++;
			u->any = true;
		} else if ((c == '}' || c == ']') && u->depth > 0) {
			u->depth--;
		} else if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
			u->any = true;
		}
	}
}

void
proxy_usage_feed(struct proxy_usage *u, const char *p, size_t n)
{
	if (u->follow)
		follow(u, p, n);
	if (u->sse)
		feed_sse(u, p, n);
	else
		feed_json(u, p, n);
}

bool
proxy_usage_whole(const struct proxy_usage *u)
{
	return u->any && u->depth == 0 && !u->in_string;
}

void
proxy_usage_end(struct proxy_usage *u)
{
	const char *q;

	if (u->keep.len == 0)
		return;
	if (u->sse) {
		/* An event that lacks its newline is none, but a last [DONE] without one was meant. */
		line(u, u->keep.p, u->keep.len);
		strbuf_clear(&u->keep);
		return;
	}
	q = proxy_find_key(u->keep.p, u->keep.len, "\"usage\":", 8);
	if (q != NULL)
		read_usage(u, q, u->keep.len - (size_t)(q - u->keep.p));
}

int64_t
proxy_usage_out(const struct proxy_usage *u)
{
	if (u->tokens_out >= 0)
		return u->tokens_out;
	return u->sse ? (int64_t)u->events : -1;
}
