/* SPDX-License-Identifier: ISC
 * The rings, read: lanes merged by sequence number, forward and backward. */
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "ring/ring_priv.h"

struct cursor {
	const struct lane *l;
	size_t chunk, line;	/* forward: the next one; backward: one behind it */
};

static const struct entry *
cursor_at(const struct cursor *c)
{
	return c->chunk < c->l->nq && c->line < c->l->q[c->chunk]->n ? chunk_entry(c->l->q[c->chunk], c->line) : NULL;
}

static const char *
cursor_model(const struct cursor *c, const struct entry *e)
{
	if (c->l->source == RING_CHILD)
		return c->l->model;
	return chunk_text(c->l->q[c->chunk]) + e->off + entry_len(e) + 1;
}

static void
get_colors(const struct entry *e, struct ring_line *line)
{
	const char *p = line->text + entry_len(e) + 1;

	if ((e->len_level & LEVEL_COLORS) == 0)
		return;
	line->ncolors = (unsigned char)*p++;
	for (size_t i = 0; i < line->ncolors; i++, p += sizeof(uint32_t)) {
		uint32_t word;

		memcpy(&word, p, sizeof(word));
		line->colors[i] = (struct text_color){word >> 8, (uint8_t)(word & 0xff)};
	}
}

static bool
cursor_wanted(const struct cursor *c, const struct entry *e, const char *model)
{
	return model == NULL || c->l->source != RING_MAI || strcmp(cursor_model(c, e), model) == 0;
}

static void
cursor_next(struct cursor *c)
{
	if (++c->line >= c->l->q[c->chunk]->n) {
		c->chunk++;
		c->line = 0;
	}
}

/* To the first line with seq >= from. */
static void
cursor_seek(struct cursor *c, uint64_t from)
{
	const struct lane *l = c->l;
	size_t lo = 0, hi = l->nq;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct chunk *k = l->q[mid];

		if (chunk_entry(k, k->n - 1)->seq < from)
			lo = mid + 1;
		else
			hi = mid;
	}
	c->chunk = lo;
	c->line = 0;
	if (lo == l->nq)
		return;
	hi = l->q[lo]->n;
	for (size_t a = 0; a < hi;) {
		size_t mid = a + (hi - a) / 2;

		if (chunk_entry(l->q[lo], mid)->seq < from)
			a = mid + 1;
		else
			hi = mid;
	}
	c->line = hi;
}

/* The lanes that mask and model ask for; returns how many were written to out (owned by the caller). */
static size_t
lanes(const struct ring *r, unsigned mask, const char *model, struct cursor **out)
{
	struct cursor *c = xcalloc(r->nchild + 2, sizeof(*c));
	size_t n = 0;

	if ((mask & (1u << RING_CHILD)) != 0) {
		for (size_t i = 0; i < r->nchild; i++)
			if (model == NULL || strcmp(r->child[i]->model, model) == 0)
				c[n++].l = r->child[i];
	}
	if ((mask & (1u << RING_MAI)) != 0)
		c[n++].l = &r->mai;
	if ((mask & (1u << RING_ACCESS)) != 0)
		c[n++].l = &r->access;
	*out = c;
	return n;
}

/* Of lines that left: those from `from` on; in a piece that lies across it, its share. */
static void
count_gone(const struct lane *l, uint64_t from, uint64_t *lines, uint64_t *bytes)
{
	for (size_t i = 0; i < l->ngone; i++) {
		const struct gone *g = &l->gone[i];
		uint64_t span = g->last - g->first + 1, part;

		if (g->last < from)
			continue;
		part = from <= g->first ? span : g->last - from + 1;
		*lines += part == span ? g->lines : (uint64_t)((double)g->lines * (double)part / (double)span);
		*bytes += part == span ? g->bytes : (uint64_t)((double)g->bytes * (double)part / (double)span);
	}
}

uint64_t
ring_dropped(const struct ring *r, unsigned mask, const char *model, uint64_t from, uint64_t *bytes)
{
	struct cursor *c;
	size_t n = lanes(r, mask, model, &c);
	uint64_t lines = 0, sum = 0;

	for (size_t i = 0; i < n; i++)
		if (model == NULL || c[i].l->source != RING_MAI)
			count_gone(c[i].l, from, &lines, &sum);
	free(c);
	if (bytes != NULL)
		*bytes = sum;
	return lines;
}

uint64_t
ring_read(const struct ring *r, unsigned mask, const char *model, uint64_t from,
    bool (*fn)(void *, const struct ring_line *), void *arg, uint64_t *dropped)
{
	struct cursor *c;
	size_t n = lanes(r, mask, model, &c);
	uint64_t next = r->next;

	if (dropped != NULL)
		*dropped = ring_dropped(r, mask, model, from, NULL);
	for (size_t i = 0; i < n; i++)
		cursor_seek(&c[i], from);
	for (;;) {
		struct cursor *min = NULL;
		const struct entry *e = NULL;
		struct ring_line line;

		for (size_t i = 0; i < n; i++) {
			const struct entry *x = cursor_at(&c[i]);

			if (x != NULL && (e == NULL || x->seq < e->seq)) {
				e = x;
				min = &c[i];
			}
		}
		if (e == NULL)
			break;
		line = (struct ring_line){.seq = e->seq, .wall_ms = e->wall_ms, .source = min->l->source,
		    .level = (char)(e->len_level & 0x7f), .model = cursor_model(min, e),
		    .text = chunk_text(min->l->q[min->chunk]) + e->off, .len = entry_len(e)};
		get_colors(e, &line);
		if (cursor_wanted(min, e, model) && !fn(arg, &line)) {
			next = line.seq + 1;
			break;
		}
		cursor_next(min);
	}
	free(c);
	return next;
}

static const struct entry *
cursor_before(struct cursor *c)
{
	if (c->line == 0) {
		if (c->chunk == 0)
			return NULL;
		c->line = c->l->q[--c->chunk]->n;
	}
	return chunk_entry(c->l->q[c->chunk], c->line - 1);
}

uint64_t
ring_tail(const struct ring *r, unsigned mask, const char *model, size_t n)
{
	struct cursor *c;
	size_t nc = lanes(r, mask, model, &c);
	uint64_t from = r->next;

	for (size_t i = 0; i < nc; i++)
		c[i].chunk = c[i].l->nq;
	while (n > 0) {
		struct cursor *max = NULL;
		const struct entry *e = NULL;

		for (size_t i = 0; i < nc; i++) {
			const struct entry *x = cursor_before(&c[i]);

			if (x != NULL && (e == NULL || x->seq > e->seq)) {
				e = x;
				max = &c[i];
			}
		}
		if (e == NULL)
			break;
		max->line--;
		if (cursor_wanted(max, e, model)) {
			from = e->seq;
			n--;
		}
	}
	free(c);
	return from;
}

uint64_t
ring_first(const struct ring *r, unsigned mask)
{
	struct cursor *c;
	size_t n = lanes(r, mask, NULL, &c);
	uint64_t first = r->next;

	for (size_t i = 0; i < n; i++) {
		const struct entry *e = cursor_at(&c[i]);

		if (e != NULL && e->seq < first)
			first = e->seq;
	}
	free(c);
	return first;
}
