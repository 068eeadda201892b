/* SPDX-License-Identifier: ISC
 * The dashboard's copy of log lines: a queue in one array. */
#include "view/view_log_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

#define NOTES_MAX 200
#define MODELS_MAX 4096

struct view_log *
view_log_new(size_t max_bytes)
{
	struct view_log *l = xcalloc(1, sizeof(*l));

	l->max[SOURCE_MAI] = l->max[SOURCE_ACCESS] = max_bytes / 8;
	l->max[SOURCE_CHILD] = max_bytes / 8 * 6;
	return l;
}

void
view_log_free(struct view_log **lp)
{
	struct view_log *l = *lp;

	if (l == NULL)
		return;
	for (size_t i = 0; i < l->n; i++) {
		free(l->lines[l->start + i].text);
		free(l->lines[l->start + i].colors);
	}
	for (size_t i = 0; i < l->nmodels; i++)
		free(l->models[i]);
	free(l->models);
	free(l->lines);
	free(l);
	*lp = NULL;
}

size_t
view_log_bytes(const struct view_line *x)
{
	return x->len + sizeof(*x) + x->ncolors * sizeof(x->colors[0]);
}

static void
count_out(struct view_log *l, struct view_line *x)
{
	l->bytes[x->source] -= view_log_bytes(x);
	l->notes -= x->note;
	free(x->text);
	free(x->colors);
	x->text = NULL;
	x->colors = NULL;
}

void
view_log_restart(struct view_log *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct view_line *x = &l->lines[l->start + i];

		if (x->dead)
			continue;
		if (!x->note) {
			count_out(l, x);
			continue;
		}
		x->seq = 0;
		x->key = kept + 1;
		l->lines[kept++] = *x;
	}
	memset(l->oldest, 0, sizeof(l->oldest));
	l->start = l->dead = 0;
	l->n = kept;
	l->generation++;
}

unsigned
view_log_generation(const struct view_log *l)
{
	return l->generation;
}

uint16_t
view_log_model_number(struct view_log *l, const char *id)
{
	uint16_t known = view_log_model_find(l, id);

	if (known != 0 || id == NULL || *id == '\0' || l->nmodels == MODELS_MAX)
		return known;
	l->models = xreallocarray(l->models, l->nmodels + 1, sizeof(*l->models));
	l->models[l->nmodels++] = xstrdup(id);
	return (uint16_t)l->nmodels;
}

const char *
view_log_model(const struct view_log *l, uint16_t model)
{
	return model != 0 && model <= l->nmodels ? l->models[model - 1] : "";
}

uint16_t
view_log_model_find(const struct view_log *l, const char *id)
{
	for (size_t i = 0; id != NULL && i < l->nmodels; i++)
		if (strcmp(l->models[i], id) == 0)
			return (uint16_t)(i + 1);
	return 0;
}

/* room ------------------------------------------------------------------------------------------------------------- */

/* The first line goes at once, others leave a hole until many have. */
static void
drop_at(struct view_log *l, size_t i)
{
	struct view_line *x = &l->lines[l->start + i];

	count_out(l, x);
	x->dead = true;
	l->dead++;
	while (l->n != 0 && l->lines[l->start].dead) {
		l->start++;
		l->n--;
		l->dead--;
		for (size_t k = 0; k < NSOURCES; k++)
			l->oldest[k] -= l->oldest[k] > 0;
	}
}

static void
close_holes(struct view_log *l)
{
	size_t kept = 0;

	if (l->dead < 256 || l->dead < l->n / 3)
		return;
	for (size_t i = 0; i < l->n; i++)
		if (!l->lines[l->start + i].dead)
			l->lines[l->start + kept++] = l->lines[l->start + i];
	l->n = kept;
	l->dead = 0;
	memset(l->oldest, 0, sizeof(l->oldest));
}

static void
drop_oldest(struct view_log *l, enum log_source source)
{
	size_t i = l->oldest[source];

	while (i < l->n && (l->lines[l->start + i].dead || l->lines[l->start + i].source != source))
		i++;
	l->oldest[source] = i;
	if (i < l->n)
		drop_at(l, i);
}

static void
make_room(struct view_log *l)
{
	if (l->start + l->n < l->cap)
		return;
	if (l->start > l->cap / 2) {
		memmove(l->lines, l->lines + l->start, l->n * sizeof(*l->lines));
		l->start = 0;
		return;
	}
	l->cap = l->cap ? l->cap * 2 : 256;
	l->lines = xreallocarray(l->lines, l->cap, sizeof(*l->lines));
}

void
view_log_make_room_before(struct view_log *l, size_t more)
{
	struct view_line *lines;
	size_t start;

	if (l->start >= more)
		return;
	start = more + l->n / 2;
	l->cap = start + l->n + 256;
	lines = xreallocarray(NULL, l->cap, sizeof(*lines));
	if (l->n != 0)
		memcpy(lines + start, l->lines + l->start, l->n * sizeof(*lines));
	free(l->lines);
	l->lines = lines;
	l->start = start;
}

uint64_t
view_log_last_key(const struct view_log *l)
{
	return l->n != 0 ? l->lines[l->start + l->n - 1].key : 0;
}

static void
append(struct view_log *l, struct view_line *x)
{
	make_room(l);
	l->lines[l->start + l->n++] = *x;
	l->bytes[x->source] += view_log_bytes(x);
	while (l->bytes[x->source] > l->max[x->source] && l->bytes[x->source] > view_log_bytes(x))
		drop_oldest(l, x->source);
	close_holes(l);
}

/* Notes from before the first line of a core stand right before it, so that older lines find their place. */
static void
place_notes(struct view_log *l, uint64_t seq)
{
	for (size_t i = 0; i < l->n && i < 4000; i++) {
		l->lines[l->start + i].seq = seq - 1;
		l->lines[l->start + i].key = VIEW_KEY(seq - 1) + 1 + i;
	}
}

/* Takes x. */
void
view_log_take(struct view_log *l, struct view_line *x)
{
	if (l->n != 0 && l->n == l->notes + l->dead)
		place_notes(l, x->seq);
	append(l, x);
}

void
view_log_put(struct view_log *l, uint64_t seq, uint64_t wall_ms, enum log_source source, char level,
    const char *model, const char *text, size_t len)
{
	struct view_line x = {.seq = seq, .key = VIEW_KEY(seq), .wall_ms = wall_ms, .source = source, .level = level};

	if (x.key <= view_log_last_key(l))
		return;
	x.text = xstrndup(text, len);
	x.len = (uint32_t)strlen(x.text);
	x.model = view_log_model_number(l, model);
	view_log_take(l, &x);
}

void
view_log_note(struct view_log *l, uint64_t wall_ms, enum log_source source, char level, const char *text)
{
	struct view_line x = {.key = view_log_last_key(l) + 1, .wall_ms = wall_ms, .source = source, .level = level, .note = true};

	x.seq = x.key / VIEW_KEY(1);
	if (x.key % VIEW_KEY(1) == 0)
		return;
	for (size_t i = 0; l->notes >= NOTES_MAX && i < l->n; i++)
		if (l->lines[l->start + i].note && !l->lines[l->start + i].dead) {
			drop_at(l, i);
			break;
		}
	x.text = xstrdup(text);
	x.len = (uint32_t)strlen(x.text);
	append(l, &x);
	l->notes++;
}

/* reading ---------------------------------------------------------------------------------------------------------- */

size_t
view_log_count(const struct view_log *l)
{
	return l->n;
}

struct view_line *
view_log_at(const struct view_log *l, size_t i)
{
	return i < l->n ? &l->lines[l->start + i] : NULL;
}

size_t
view_log_find(const struct view_log *l, uint64_t key)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (l->lines[l->start + mid].key < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint64_t
view_log_first(const struct view_log *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (!l->lines[l->start + i].note && !l->lines[l->start + i].dead)
			return l->lines[l->start + i].seq;
	return 0;
}

bool
view_log_full(const struct view_log *l)
{
	return l->bytes[SOURCE_CHILD] >= l->max[SOURCE_CHILD] / 8 * 7;
}
