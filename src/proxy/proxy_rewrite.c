/* SPDX-License-Identifier: ISC
 * The client's name instead of the engine's. */
#include "proxy/proxy_rewrite.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static const char key[] = "\"model\":";
#define NKEY (sizeof(key) - 1)

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
proxy_rewrite_init(struct proxy_rewrite *w, const char *from, const char *to,
    void (*out)(void *, const char *, size_t), void *arg)
{
	*w = (struct proxy_rewrite){.out = out, .arg = arg};
	w->from = quote(from, &w->nfrom);
	w->to = quote(to, &w->nto);
}

void
proxy_rewrite_fini(struct proxy_rewrite *w)
{
	free(w->from);
	free(w->to);
	w->from = w->to = NULL;
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

/* Passes p on as far as it is clear; returns how many bytes that was. */
static size_t
pass(struct proxy_rewrite *w, const char *p, size_t n)
{
	size_t done = 0, at = 0;

	for (;;) {
		const char *q = n - at >= NKEY ? memmem(p + at, n - at, key, NKEY) : NULL;
		size_t v, have;

		if (q == NULL) {
			size_t end = n - open_tail(p + at, n - at);

			if (end > done)
				w->out(w->arg, p + done, end - done);
			return end > done ? end : done;
		}
		v = (size_t)(q - p) + NKEY;
		if (v < n && p[v] == ' ')
			v++;
		have = n - v < w->nfrom ? n - v : w->nfrom;
		if (memcmp(p + v, w->from, have) != 0) {
			at = v;
			continue;
		}
		if (have < w->nfrom) {
			/* Only the rest can tell. */
			size_t from = (size_t)(q - p);

			if (from > done)
				w->out(w->arg, p + done, from - done);
			return from;
		}
		if (v > done)
			w->out(w->arg, p + done, v - done);
		w->out(w->arg, w->to, w->nto);
		done = at = v + w->nfrom;
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
