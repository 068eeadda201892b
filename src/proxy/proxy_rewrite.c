/* SPDX-License-Identifier: ISC
 * The client's name instead of the engine's. */
#include "proxy/proxy_rewrite.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static const char key[] = "\"model\":";
#define NKEY (sizeof(key) - 1)

const char *
proxy_find_key(const char *p, size_t n, const char *k, size_t nk)
{
	const char *end = p + n, *q = n < nk ? end : p + nk - 1;

	while (q < end && (q = memchr(q, ':', (size_t)(end - q))) != NULL) {
		if (q[-1] == '"' && q[-2] == k[nk - 3] && memcmp(q + 1 - nk, k, nk) == 0)
			return q + 1 - nk;
		q++;
	}
	return NULL;
}

static char *
quote(const char *s, size_t *n)
{
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);

	jw_str(&w, s);
	*n = b.len;
	return strbuf_take(&b);
}

void
proxy_rewrite_init(struct proxy_rewrite *w, const char *to, void (*out)(void *, const char *, size_t), void *arg)
{
	*w = (struct proxy_rewrite){.out = out, .arg = arg};
	w->to = quote(to, &w->nto);
}

void
proxy_rewrite_fini(struct proxy_rewrite *w)
{
	free(w->to);
	w->to = NULL;
	strbuf_fini(&w->held);
}

/* How many bytes at the end of p may be the begin of the key. */
static size_t
open_tail(const char *p, size_t n)
{
	for (size_t k = n < NKEY - 1 ? n : NKEY - 1; k > 0; k--)
		if (memcmp(p + n - k, key, k) == 0)
			return k;
	return 0;
}

enum value { VALUE_NONE, VALUE_OPEN, VALUE_STRING };

/* What follows a key: *from..*to is the string with its quotes. OPEN: only more bytes can tell. */
static enum value
find_value(const char *p, size_t n, size_t *from, size_t *to)
{
	size_t i = 0;

	while (i < n && p[i] == ' ' && i < 8)
		i++;
	*from = i;
	if (i == n)
		return VALUE_OPEN;
	if (p[i] != '"')
		return VALUE_NONE;
	for (i++; i < n; i++) {
		if (i - *from > PROXY_REWRITE_MAX || (unsigned char)p[i] < 0x20)
			return VALUE_NONE;
		if (p[i] == '\\') {
			i++;
		} else if (p[i] == '"') {
			*to = i + 1;
			return VALUE_STRING;
		}
	}
	return VALUE_OPEN;
}

static bool
is_right(const struct proxy_rewrite *w, const char *p, size_t n)
{
	return n == w->nto && memcmp(p, w->to, n) == 0;
}

/* Passes p on as far as it is clear; returns how many bytes that was. */
static size_t
pass(struct proxy_rewrite *w, const char *p, size_t n)
{
	size_t done = 0, at = 0, end = n;

	for (;;) {
		const char *q = proxy_find_key(p + at, n - at, key, NKEY);
		size_t v, from, to;
		enum value kind;

		if (q == NULL) {
			end = n - open_tail(p + at, n - at);
			break;
		}
		v = (size_t)(q - p) + NKEY;
		kind = find_value(p + v, n - v, &from, &to);
		if (kind == VALUE_OPEN) {
			end = (size_t)(q - p);
			break;
		}
		at = v + (kind == VALUE_STRING ? to : 0);
		if (kind == VALUE_NONE || is_right(w, p + v + from, to - from))
			continue;
		w->out(w->arg, p + done, v + from - done);
		w->out(w->arg, w->to, w->nto);
		done = at;
	}
	if (end > done)
		w->out(w->arg, p + done, end - done);
	return end > done ? end : done;
}

bool
proxy_rewrite_same(const struct proxy_rewrite *w, const char *p, size_t n)
{
	size_t at = 0;

	for (;;) {
		const char *q = proxy_find_key(p + at, n - at, key, NKEY);
		size_t v, from, to;

		if (q == NULL)
			return true;
		v = (size_t)(q - p) + NKEY;
		at = v;
		if (find_value(p + v, n - v, &from, &to) != VALUE_STRING)
			continue;
		if (!is_right(w, p + v + from, to - from))
			return false;
		at = v + to;
	}
}

void
proxy_rewrite_feed(struct proxy_rewrite *w, const char *p, size_t n)
{
	size_t went;

	if (w->held.len != 0) {
		strbuf_add(&w->held, p, n);
		went = pass(w, w->held.p, w->held.len);
		strbuf_shift(&w->held, went);
		return;
	}
	went = pass(w, p, n);
	if (went < n)
		strbuf_add(&w->held, p + went, n - went);
}

void
proxy_rewrite_end(struct proxy_rewrite *w)
{
	if (w->held.len != 0)
		w->out(w->arg, w->held.p, w->held.len);
	strbuf_clear(&w->held);
}
