/* SPDX-License-Identifier: ISC
 * The dashboard's copy of log lines: a queue in one array. */
#include "view/view_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/xmalloc.h"

struct view_log {
	struct view_line *lines;	/* (owned) from start on, n of them */
	size_t start, n, cap;
	size_t bytes, max;
	uint64_t lost;
};

struct view_log *
view_log_new(size_t max_bytes)
{
	struct view_log *l = xcalloc(1, sizeof(*l));

	l->max = max_bytes;
	return l;
}

void
view_log_clear(struct view_log *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->lines[l->start + i].text);
	l->start = l->n = l->bytes = 0;
	l->lost = 0;
}

void
view_log_free(struct view_log **lp)
{
	struct view_log *l = *lp;

	if (l == NULL)
		return;
	view_log_clear(l);
	free(l->lines);
	free(l);
	*lp = NULL;
}

static void
drop_oldest(struct view_log *l)
{
	struct view_line *x = &l->lines[l->start];

	l->bytes -= x->len + sizeof(*x);
	free(x->text);
	l->start++;
	l->n--;
	l->lost++;
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
view_log_put(struct view_log *l, uint64_t seq, uint64_t wall_ms, enum log_source source, char level,
    const char *text, size_t len)
{
	struct view_line *x;

	if (l->n != 0 && seq <= l->lines[l->start + l->n - 1].seq)
		return;
	make_room(l);
	x = &l->lines[l->start + l->n];
	*x = (struct view_line){.seq = seq, .wall_ms = wall_ms, .source = source, .level = level,
	    .text = xstrndup(text, len)};
	x->len = strlen(x->text);
	l->n++;
	l->bytes += x->len + sizeof(*x);
	while (l->bytes > l->max && l->n > 1)
		drop_oldest(l);
}

static bool
put_line(struct view_log *l, const cJSON *j)
{
	const cJSON *seq = cJSON_GetArrayItem(j, 0), *ms = cJSON_GetArrayItem(j, 1), *source = cJSON_GetArrayItem(j, 2),
		    *level = cJSON_GetArrayItem(j, 3), *text = cJSON_GetArrayItem(j, 4);
	enum log_source s;
	uint64_t before = l->n != 0 ? l->lines[l->start + l->n - 1].seq : 0;

	if (!cJSON_IsNumber(seq) || !cJSON_IsNumber(ms) || !cJSON_IsString(source) || !cJSON_IsString(level) ||
	    !cJSON_IsString(text) || !(seq->valuedouble >= 1 && seq->valuedouble < 9e15) ||
	    !(ms->valuedouble >= 0 && ms->valuedouble < 9e15) || log_source_parse(source->valuestring, &s) != 0)
		return false;
	if ((uint64_t)seq->valuedouble <= before)
		return false;
	view_log_put(l, (uint64_t)seq->valuedouble, (uint64_t)ms->valuedouble, s,
	    level->valuestring[0] != '\0' ? level->valuestring[0] : ' ', text->valuestring, strlen(text->valuestring));
	return true;
}

int
view_log_apply(struct view_log *l, const char *json, size_t n, uint64_t *next, struct err *e)
{
	cJSON *o = json_parse(json, n, e);
	const cJSON *lines = json_get(o, "lines"), *j;
	int64_t go_on = json_int(o, "next", -1), dropped = json_int(o, "dropped", 0);
	int count = 0;

	if (!cJSON_IsArray(lines) || go_on < 0) {
		if (o != NULL)
			err_set(e, "no log answer");
		cJSON_Delete(o);
		return -1;
	}
	cJSON_ArrayForEach(j, lines)
		count += put_line(l, j);
	if (dropped > 0)
		l->lost += (uint64_t)dropped;
	*next = (uint64_t)go_on;
	cJSON_Delete(o);
	return count;
}

size_t
view_log_count(const struct view_log *l)
{
	return l->n;
}

const struct view_line *
view_log_at(const struct view_log *l, size_t i)
{
	return i < l->n ? &l->lines[l->start + i] : NULL;
}

size_t
view_log_find(const struct view_log *l, uint64_t seq)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (l->lines[l->start + mid].seq < seq)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint64_t
view_log_lost(const struct view_log *l)
{
	return l->lost;
}
