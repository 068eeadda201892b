/* SPDX-License-Identifier: ISC
 * The newest lines of an output, kept for the day it dies. */
#include "engine/engine_priv.h"

void
engine_lines_add(struct engine_lines *l, const char *s, size_t n, size_t max)
{
	struct strbuf *b = &l->v[l->next];

	strbuf_clear(b);
	strbuf_add(b, s, n < max ? n : max);
	l->next = (l->next + 1) % l->size;
	if (l->n < l->size)
		l->n++;
}

void
engine_lines_clear(struct engine_lines *l)
{
	l->n = l->next = 0;
}

void
engine_lines_fini(struct engine_lines *l)
{
	for (size_t i = 0; i < ENGINE_TAIL; i++)
		strbuf_fini(&l->v[i]);
	engine_lines_clear(l);
}

size_t
engine_lines_get(const struct engine_lines *l, const char **out)
{
	for (size_t i = 0; i < l->n; i++)
		out[i] = strbuf_str(&l->v[(l->next + l->size - l->n + i) % l->size]);
	return l->n;
}
