/* SPDX-License-Identifier: ISC
 * One member after the other, read as proxy_model.c reads them: what that has taken for an object is one here. */
#include "proxy/proxy_walk.h"

#include <string.h>

static bool
blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void
skip_blanks(struct proxy_walk *w)
{
	while (w->pos < w->n && blank(w->p[w->pos]))
		w->pos++;
}

/* Past c, which has to be the next that is no blank. */
static bool
expect(struct proxy_walk *w, char c)
{
	skip_blanks(w);
	if (w->pos == w->n || w->p[w->pos] != c)
		return false;
	w->pos++;
	return true;
}

bool
proxy_walk_begin(struct proxy_walk *w, const struct strbuf *b, bool inner)
{
	*w = (struct proxy_walk){.p = strbuf_str(b), .n = b->len, .inner = inner};
	if (!expect(w, '{'))
		return false;
	w->open = w->pos;
	return true;
}

/* From behind the opening quote past the closing one. */
static bool
string(struct proxy_walk *w)
{
	size_t start = w->pos;

	while (w->pos < w->n) {
		const char *q = memchr(w->p + w->pos, '"', w->n - w->pos);
		size_t at, back = 0;

		if (q == NULL)
			return false;
		at = (size_t)(q - w->p);
		while (at - back > start && w->p[at - back - 1] == '\\')
			back++;
		w->pos = at + 1;
		if (back % 2 == 0)
			return true;
	}
	return false;
}

static bool
nested(struct proxy_walk *w)
{
	size_t depth = 0;

	while (w->pos < w->n) {
		switch (w->p[w->pos++]) {
		case '"':
			if (!string(w))
				return false;
			break;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			if (--depth == 0)
				return true;
			break;
		default:
			break;
		}
	}
	return false;
}

static bool
value(struct proxy_walk *w)
{
	char c = w->pos < w->n ? w->p[w->pos] : ',';

	if (c == ',' || c == '}' || c == ']' || c == ':')
		return false;
	if (c == '{' || c == '[')
		return nested(w);
	if (c == '"') {
		w->pos++;
		return string(w);
	}
	for (; w->pos < w->n && !blank(w->p[w->pos]) && w->p[w->pos] != ',' && w->p[w->pos] != '}'; w->pos++)
		/* Without this one the rest would read otherwise than it was read when the end was looked for. */
		if (w->inner && strchr("\"{[]\\", w->p[w->pos]) != NULL)
			return false;
	return true;
}

int
proxy_walk_next(struct proxy_walk *w, struct proxy_part *m)
{
	bool first = w->pos == w->open;

	skip_blanks(w);
	if (w->pos < w->n && w->p[w->pos] == '}')
		return 0;
	if (!first && !expect(w, ','))
		return -1;
	w->start = first ? w->open : w->pos;
	if (!expect(w, '"'))
		return -1;
	m->key = w->pos;
	if (!string(w))
		return -1;
	m->nkey = w->pos - 1 - m->key;
	if (!expect(w, ':'))
		return -1;
	skip_blanks(w);
	m->at = w->pos;
	if (!value(w))
		return -1;
	m->end = w->pos;
	return 1;
}
