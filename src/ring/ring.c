/* SPDX-License-Identifier: ISC
 * The rings, filled. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "ring/ring_priv.h"

#define CHUNK_MAX ((size_t)64 * 1024)
#define CHUNK_MIN ((size_t)256)
#define LINE_MAX_BYTES ((size_t)64 * 1024)
#define LIVE_MAX ((size_t)4096)
#define MODEL_MAX ((size_t)255)
#define CHILDREN_MAX 256

char *
chunk_text(const struct chunk *c)
{
	return (char *)(uintptr_t)c->data;
}

struct entry *
chunk_entry(const struct chunk *c, size_t i)
{
	return (struct entry *)(void *)(chunk_text(c) + c->size) - (i + 1);
}

static size_t
chunk_bytes(const struct chunk *c)
{
	return sizeof(*c) + c->size;
}

size_t
entry_len(const struct entry *e)
{
	return e->len_level >> 8;
}

static void
lane_init(struct lane *l, int source, size_t limit)
{
	*l = (struct lane){.source = source, .limit = limit};
	/* Small enough that losing one chunk does not lose the better part of the lane. */
	l->chunk = limit / 8 < CHUNK_MIN ? CHUNK_MIN : limit / 8 > CHUNK_MAX ? CHUNK_MAX : limit / 8;
	l->chunk &= ~(size_t)7;
}

static void
lane_fini(struct lane *l)
{
	for (size_t i = 0; i < l->nq; i++)
		free(l->q[i]);
	free(l->q);
	free(l->model);
	free(l->live);
}

struct ring *
ring_new(size_t child, size_t child_total, size_t mai, size_t access)
{
	struct ring *r = xcalloc(1, sizeof(*r));

	lane_init(&r->mai, RING_MAI, mai);
	lane_init(&r->access, RING_ACCESS, access);
	r->child_limit = child;
	r->child_total = child_total;
	r->next = 1;
	return r;
}

void
ring_free(struct ring **rp)
{
	struct ring *r = *rp;

	if (r == NULL)
		return;
	lane_fini(&r->mai);
	lane_fini(&r->access);
	for (size_t i = 0; i < r->nchild; i++) {
		lane_fini(r->child[i]);
		free(r->child[i]);
	}
	free(r->child);
	free(r);
	*rp = NULL;
}

static void
remember_gone(struct lane *l, const struct gone *g)
{
	if (l->ngone == HISTORY) {
		l->gone[0].last = l->gone[1].last;
		l->gone[0].lines += l->gone[1].lines;
		l->gone[0].bytes += l->gone[1].bytes;
		memmove(&l->gone[1], &l->gone[2], (HISTORY - 2) * sizeof(l->gone[0]));
		l->ngone--;
	}
	l->gone[l->ngone++] = *g;
}

static void
drop_oldest(struct ring *r, struct lane *l)
{
	struct chunk *c = l->q[0];
	struct gone g = {.lines = c->n, .bytes = c->used};

	if (c->n != 0) {
		g.first = chunk_entry(c, 0)->seq;
		g.last = chunk_entry(c, c->n - 1)->seq;
		remember_gone(l, &g);
	}
	l->bytes -= chunk_bytes(c);
	if (l->source == RING_CHILD)
		r->child_bytes -= chunk_bytes(c);
	l->nq--;
	memmove(l->q, l->q + 1, l->nq * sizeof(l->q[0]));
	free(c);
}

/* The child with the most text gives way, so that one chatterbox does not silence the others. */
static void
make_room_for_child(struct ring *r, size_t need)
{
	while (r->child_bytes + need > r->child_total) {
		struct lane *big = NULL;

		for (size_t i = 0; i < r->nchild; i++)
			if (r->child[i]->nq != 0 && (big == NULL || r->child[i]->bytes > big->bytes))
				big = r->child[i];
		if (big == NULL)
			return;
		drop_oldest(r, big);
	}
}

static struct chunk *
lane_grow(struct ring *r, struct lane *l, size_t need)
{
	size_t size = need > l->chunk ? (need + 7) & ~(size_t)7 : l->chunk;
	struct chunk *c;

	while (l->nq != 0 && l->bytes + sizeof(*c) + size > l->limit)
		drop_oldest(r, l);
	if (l->source == RING_CHILD)
		make_room_for_child(r, sizeof(*c) + size);
	c = xmalloc(sizeof(*c) + size);
	c->size = size;
	c->used = 0;
	c->n = 0;
	if (l->nq == l->capq) {
		l->capq = l->capq ? l->capq * 2 : 4;
		l->q = xreallocarray(l->q, l->capq, sizeof(l->q[0]));
	}
	l->q[l->nq++] = c;
	l->bytes += chunk_bytes(c);
	if (l->source == RING_CHILD)
		r->child_bytes += chunk_bytes(c);
	return c;
}

/* The child lane that was written to longest ago makes place for a new model. */
static size_t
oldest_child(const struct ring *r)
{
	size_t best = 0;
	uint64_t best_seq = UINT64_MAX;

	for (size_t i = 0; i < r->nchild; i++) {
		const struct lane *l = r->child[i];
		const struct chunk *c = l->nq != 0 ? l->q[l->nq - 1] : NULL;
		uint64_t seq = c != NULL && c->n != 0 ? chunk_entry(c, c->n - 1)->seq : 0;

		if (seq < best_seq) {
			best_seq = seq;
			best = i;
		}
	}
	return best;
}

struct lane *
ring_child(const struct ring *r, const char *model)
{
	if (r->last < r->nchild && strcmp(r->child[r->last]->model, model) == 0)
		return r->child[r->last];
	for (size_t i = 0; i < r->nchild; i++)
		if (strcmp(r->child[i]->model, model) == 0)
			return r->child[i];
	return NULL;
}

static struct lane *
child_lane(struct ring *r, const char *model)
{
	struct lane *l = ring_child(r, model);
	size_t i;

	if (l != NULL && r->child[r->last] == l)
		return l;
	if (l == NULL) {
		if (r->nchild == CHILDREN_MAX) {
			i = oldest_child(r);
			while (r->child[i]->nq != 0)
				drop_oldest(r, r->child[i]);
			lane_fini(r->child[i]);
			free(r->child[i]);
			r->child[i] = r->child[--r->nchild];
		}
		l = xcalloc(1, sizeof(*l));
		lane_init(l, RING_CHILD, r->child_limit);
		l->model = xstrdup(model);
		r->child = xreallocarray(r->child, r->nchild + 1, sizeof(r->child[0]));
		r->child[r->nchild++] = l;
	}
	for (i = 0; r->child[i] != l; i++)
		;
	r->last = i;
	return l;
}

/* Cuts to max bytes, not inside a character. */
static size_t
cut(const char *s, size_t n, size_t max)
{
	if (n <= max)
		return n;
	while (max > 0 && ((unsigned char)s[max] & 0xc0) == 0x80)
		max--;
	return max;
}

static void
tell(const struct ring *r)
{
	for (size_t i = 0; i < LISTENERS; i++)
		if (r->listener[i].fn != NULL)
			r->listener[i].fn(r->listener[i].arg);
}

/* A line to be put: behind the text stand the model, for lanes of several, or how many colours there are, and these. */
struct putting {
	char level;
	const char *text, *model;
	size_t len;
	const struct text_color *colors;
	size_t ncolors;
};

static size_t
tail_bytes(const struct lane *l, const struct putting *p)
{
	if (l->source != RING_CHILD)
		return cut(p->model, strlen(p->model), MODEL_MAX) + 1;
	return p->ncolors != 0 ? 1 + p->ncolors * sizeof(uint32_t) : 0;
}

static void
put_tail(const struct lane *l, const struct putting *p, char *to, size_t n)
{
	if (l->source != RING_CHILD) {
		memcpy(to, p->model, n - 1);
		to[n - 1] = '\0';
		return;
	}
	*to++ = (char)p->ncolors;
	for (size_t i = 0; i < p->ncolors; i++, to += sizeof(uint32_t)) {
		uint32_t word = p->colors[i].at << 8 | p->colors[i].color;

		memcpy(to, &word, sizeof(word));
	}
}

static uint64_t
put(struct ring *r, struct lane *l, const struct putting *p)
{
	size_t tail = tail_bytes(l, p), need = p->len + 1 + tail + sizeof(struct entry);
	struct chunk *c = l->nq != 0 ? l->q[l->nq - 1] : NULL;
	struct entry *e;
	char *to;

	if (c == NULL || c->used + (c->n * sizeof(*e)) + need > c->size)
		c = lane_grow(r, l, need);
	to = chunk_text(c) + c->used;
	if (p->len != 0)
		memcpy(to, p->text, p->len);
	to[p->len] = '\0';
	if (tail != 0)
		put_tail(l, p, to + p->len + 1, tail);
	e = chunk_entry(c, c->n);
	e->seq = r->next++;
	e->wall_ms = clock_wall_ms();
	e->off = (uint32_t)c->used;
	e->len_level = (uint32_t)(p->len << 8) | (p->ncolors != 0 ? LEVEL_COLORS : 0u) | ((unsigned char)p->level & 0x7f);
	c->used += p->len + 1 + tail;
	c->n++;
	tell(r);
	return e->seq;
}

uint64_t
ring_put(struct ring *r, int source, const char *model, char level, const char *text, size_t len)
{
	struct putting p = {.level = level, .text = text, .model = model != NULL ? model : "",
	    .len = cut(text, len, LINE_MAX_BYTES)};

	return put(r, source == RING_CHILD ? child_lane(r, p.model) : source == RING_MAI ? &r->mai : &r->access, &p);
}

uint64_t
ring_put_colors(struct ring *r, const char *model, char level, const char *text, size_t len,
    const struct text_color *colors, size_t ncolors)
{
	struct putting p = {.level = level, .text = text, .model = model, .len = cut(text, len, LINE_MAX_BYTES),
	    .colors = colors, .ncolors = ncolors < TEXT_COLORS_MAX ? ncolors : TEXT_COLORS_MAX};

	return put(r, child_lane(r, model), &p);
}

void
ring_set_live(struct ring *r, const char *model, const char *text)
{
	struct lane *l;

	if (model == NULL)
		return;
	if (text == NULL || text[0] == '\0') {
		l = ring_child(r, model);
		if (l == NULL || l->live == NULL)
			return;
		free(l->live);
		l->live = NULL;
	} else {
		l = child_lane(r, model);
		if (l->live != NULL && strcmp(l->live, text) == 0)
			return;
		free(l->live);
		l->live = xstrndup(text, cut(text, strlen(text), LIVE_MAX));
	}
	tell(r);
}

const char *
ring_live(const struct ring *r, const char *model)
{
	const struct lane *l = model == NULL ? NULL : ring_child(r, model);

	return l == NULL || l->live == NULL ? "" : l->live;
}

uint64_t
ring_next(const struct ring *r)
{
	return r->next;
}

size_t
ring_bytes(const struct ring *r)
{
	return r->mai.bytes + r->access.bytes + r->child_bytes;
}

void
ring_listen(struct ring *r, void (*fn)(void *), void *arg)
{
	size_t i = 0;

	while (i < LISTENERS && (r->listener[i].fn == NULL || r->listener[i].arg != arg))
		i++;
	for (size_t k = 0; k < LISTENERS && i == LISTENERS && fn != NULL; k++)
		if (r->listener[k].fn == NULL)
			i = k;
	if (i == LISTENERS)
		return;
	r->listener[i].fn = fn;
	r->listener[i].arg = arg;
}
