/* SPDX-License-Identifier: ISC
 * Log lines out of the answers of GET /api/logs. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/xmalloc.h"
#include "view/view_log_int.h"

struct item {
	uint64_t seq, wall_ms;
	enum log_source source;
	char level;
	const char *text, *model;
	const cJSON *colors;
};

static bool
get_item(const cJSON *j, struct item *out)
{
	const cJSON *seq = cJSON_GetArrayItem(j, 0), *ms = cJSON_GetArrayItem(j, 1), *source = cJSON_GetArrayItem(j, 2),
		    *level = cJSON_GetArrayItem(j, 3), *text = cJSON_GetArrayItem(j, 4), *model = cJSON_GetArrayItem(j, 5);

	out->colors = cJSON_GetArrayItem(j, 6);
	if (!cJSON_IsNumber(seq) || !cJSON_IsNumber(ms) || !cJSON_IsString(source) || !cJSON_IsString(level) ||
	    !cJSON_IsString(text) || !(seq->valuedouble >= 1 && seq->valuedouble < 2e15) ||
	    !(ms->valuedouble >= 0 && ms->valuedouble < 9e15) || log_source_parse(source->valuestring, &out->source) != 0)
		return false;
	out->seq = (uint64_t)seq->valuedouble;
	out->wall_ms = (uint64_t)ms->valuedouble;
	out->level = level->valuestring[0] != '\0' ? level->valuestring[0] : ' ';
	out->text = text->valuestring;
	out->model = cJSON_IsString(model) ? model->valuestring : NULL;
	return true;
}

/* [at, color, at, color, ...], in rising order and within the text. */
static void
get_colors(struct view_line *x, const cJSON *list)
{
	struct text_color colors[TEXT_COLORS_MAX];
	const cJSON *at = cJSON_GetArrayItem(list, 0), *color;
	size_t n = 0;

	for (; at != NULL && (color = at->next) != NULL && n < TEXT_COLORS_MAX; at = color->next) {
		if (!cJSON_IsNumber(at) || !cJSON_IsNumber(color) || !(at->valuedouble >= 0 && at->valuedouble < x->len) ||
		    (n > 0 && !(at->valuedouble > colors[n - 1].at)))
			break;
		colors[n++] = (struct text_color){(uint32_t)at->valuedouble,
		    color->valuedouble >= 0 && color->valuedouble < 16 ? (uint8_t)color->valuedouble : TEXT_COLOR_NONE};
	}
	if (n == 0)
		return;
	x->colors = xreallocarray(NULL, n, sizeof(colors[0]));
	memcpy(x->colors, colors, n * sizeof(colors[0]));
	x->ncolors = (unsigned char)n;
}

static struct view_line
line_of(struct view_log *l, const struct item *x)
{
	struct view_line line = {.seq = x->seq, .key = VIEW_KEY(x->seq), .wall_ms = x->wall_ms, .source = x->source,
	    .level = x->level, .text = xstrdup(x->text), .model = view_log_model_number(l, x->model)};

	line.len = (uint32_t)strlen(line.text);
	get_colors(&line, x->colors);
	return line;
}

/* NULL with why; else owned by the caller. */
static cJSON *
parse_answer(const char *json, size_t n, const cJSON **lines, uint64_t *next, struct err *e)
{
	cJSON *o = json_parse(json, n, e);
	int64_t go_on = json_int(o, "next", -1);

	*lines = json_get(o, "lines");
	if (cJSON_IsArray(*lines) && go_on >= 0) {
		*next = (uint64_t)go_on;
		return o;
	}
	if (o != NULL)
		err_set(e, "no log answer");
	cJSON_Delete(o);
	return NULL;
}

int
view_log_apply(struct view_log *l, const char *json, size_t n, uint64_t until, uint64_t *next, struct err *e)
{
	const cJSON *lines, *j;
	cJSON *o = parse_answer(json, n, &lines, next, e);
	struct view_line line;
	struct item x;
	int count = 0;

	if (o == NULL)
		return -1;
	cJSON_ArrayForEach(j, lines) {
		if (!get_item(j, &x) || VIEW_KEY(x.seq) <= view_log_last_key(l) || (until != 0 && x.seq >= until))
			continue;
		line = line_of(l, &x);
		view_log_take(l, &line);
		count++;
	}
	cJSON_Delete(o);
	return count;
}

/* Backwards, so that what finds no room is the oldest. */
static int
put_older(struct view_log *l, const cJSON *lines)
{
	int total = cJSON_GetArraySize(lines), count = 0;
	const cJSON **all = xreallocarray(NULL, (size_t)total + 1, sizeof(*all)), *j;
	uint64_t before = l->n != 0 ? l->lines[l->start].key : UINT64_MAX;
	struct item x;
	size_t k = 0;

	cJSON_ArrayForEach(j, lines)
		all[k++] = j;
	view_log_make_room_before(l, (size_t)total);
	while (k-- > 0) {
		struct view_line line;

		if (!get_item(all[k], &x) || VIEW_KEY(x.seq) >= before || l->bytes[x.source] >= l->max[x.source])
			continue;
		line = line_of(l, &x);
		before = line.key;
		l->lines[--l->start] = line;
		l->n++;
		l->bytes[x.source] += view_log_bytes(&line);
		count++;
	}
	memset(l->oldest, 0, sizeof(l->oldest));
	free(all);
	return count;
}

int
view_log_apply_older(struct view_log *l, const char *json, size_t n, bool *gap, struct err *e)
{
	uint64_t next = 0, first = view_log_first(l);
	const cJSON *lines;
	cJSON *o = parse_answer(json, n, &lines, &next, e);
	int count = 0;

	*gap = false;
	if (o == NULL)
		return -1;
	if (next < first)
		*gap = true;
	else
		count = put_older(l, lines);
	cJSON_Delete(o);
	return count;
}
