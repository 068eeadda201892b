/* SPDX-License-Identifier: ISC
 * Several loaded models: a row each, and the selected one drives the panes below. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/xmalloc.h"
#include "ui/ui_head.h"

bool
ui_is_loaded(const struct view_engine *e)
{
	return e->state != ENGINE_STOPPED;
}

int
ui_loaded(const struct view *v)
{
	int n = 0, pair = 0;

	for (size_t i = 0; i < v->nengines; i++) {
		const struct view_engine *e = &v->engines[i];
		bool swaps = (v->swap_from != NULL && strcmp(e->id, v->swap_from) == 0) ||
		    (v->swap_to != NULL && strcmp(e->id, v->swap_to) == 0);

		if (!ui_is_loaded(e))
			continue;
		n++;
		pair += swaps;
	}
	return n - (pair == 2) > 1 ? n : 0;
}

uint64_t
ui_list_key(const char *id)
{
	uint64_t h = 1469598103934665603ull;

	for (; *id != '\0'; id++)
		h = (h ^ (unsigned char)*id) * 1099511628211ull;
	return h | 1;
}

struct view_engine *
ui_engine(const struct ui_state *s, const struct view *v)
{
	struct view_engine *e = s->model[0] != '\0' ? view_engine_find(v, s->model) : NULL;

	return e != NULL && ui_is_loaded(e) && ui_loaded(v) > 0 ? e : view_current(v);
}

size_t
ui_models_shown(const struct view *v, size_t **at, uint64_t **keys)
{
	size_t n = 0;

	*at = xreallocarray(NULL, v->nengines + 1, sizeof(**at));
	*keys = xreallocarray(NULL, v->nengines + 1, sizeof(**keys));
	for (size_t i = 0; i < v->nengines; i++) {
		if (!ui_is_loaded(&v->engines[i]))
			continue;
		(*at)[n] = i;
		(*keys)[n++] = ui_list_key(v->engines[i].id);
	}
	return n;
}

static const char *
glyph_of(const struct ui_state *s, enum ui_screen screen)
{
	switch (screen) {
	case SCREEN_RUNNING:
		return s->g->ok;
	case SCREEN_BACKOFF:
		return s->g->warn;
	case SCREEN_FAILED:
		return s->g->bad;
	case SCREEN_STOPPED:
		return s->g->off;
	default:
		return s->g->busy;
	}
}

/* "SIGKILL after 12s" is short enough as "SIGKILL", "exit status 1 after 9s" as "exit 1". */
static void
end_text(char *out, size_t size, const struct view_engine *e)
{
	const char *what = e->last_exit != NULL ? e->last_exit : engine_reason_text(e->reason);
	bool status = strncmp(what, "exit status ", 12) == 0;

	if (status)
		what += 12;
	snprintf(out, size, "%s%.*s", status ? "exit " : "", (int)strcspn(what, " ,"), what);
}

/* What the state needs to be understood, for the right end of the row. */
static void
tail_text(char *out, size_t size, const struct view_engine *e, uint64_t now, bool small)
{
	char d[32], rss[24] = "-", tps[24] = "", end[64];
	const char *what = e->last_exit != NULL ? e->last_exit : engine_reason_text(e->reason);

	out[0] = '\0';
	switch (e->state) {
	case ENGINE_READY:
		if (e->rss != 0)
			text_size(rss, sizeof(rss), e->rss);
		if (e->tps >= 0)
			snprintf(tps, sizeof(tps), small ? "%.0f " : "%.1f t/s ", e->tps);
		ui_short_time(d, sizeof(d), head_since(now, e->spawned_at != 0 ? e->spawned_at : e->since));
		snprintf(out, size, small ? "%s%s %s" : "%s%s up %s", tps, rss, d);
		break;
	case ENGINE_STARTING:
		text_duration(d, sizeof(d), head_since(now, e->since), false);
		if (e->progress >= 0)
			snprintf(out, size, "%d%% %s", e->progress / 10, d);
		else
			snprintf(out, size, "%s", d);
		break;
	case ENGINE_DRAINING:
	case ENGINE_STOPPING:
		text_duration(d, sizeof(d), head_since(now, e->since), false);
		snprintf(out, size, "%d in flight %s", e->in_flight, d);
		break;
	case ENGINE_BACKOFF:
		text_duration(d, sizeof(d), e->retry_at > now ? e->retry_at - now : 0, true);
		end_text(end, sizeof(end), e);
		snprintf(out, size, small ? "%s" : "retry in %s  %s", d, end);
		break;
	case ENGINE_FAILED:
		snprintf(out, size, "%s", small ? "" : what);
		break;
	case ENGINE_STOPPED:
	case ENGINE_NSTATES:
		break;
	}
}

static void
model_row(const struct ui_state *s, struct grid *g, int row, const struct view_engine *e, bool selected, uint64_t now)
{
	enum ui_screen screen = ui_screen_of_engine(e);
	bool small = g->cols < 70;
	int tail = small ? 14 : s->lay.wide ? 34 : 25, right = g->cols - s->lay.margin - tail, col;
	char t[256], word[16];

	grid_put(g, row, 0, 1, s->focus == FOCUS_MODELS ? ROLE_SELECT : ROLE_TITLE, selected ? ">" : " ");
	grid_put(g, row, 1, 1, ui_screen_role(screen), glyph_of(s, screen));
	snprintf(word, sizeof(word), "%s", ui_screen_word(screen));
	if (s->lay.narrow)
		word[3] = '\0';
	grid_put(g, row, 3, 8, ui_screen_role(screen), word);
	col = s->lay.narrow ? 7 : 12;
	tail_text(t, sizeof(t), e, now, small);
	grid_put_end(g, row, right, tail, ROLE_TEXT, t);
	if (!small) {
		right -= 4;
		snprintf(t, sizeof(t), "%d/%d", e->attempt, e->max_attempts);
		grid_put(g, row, right, 3, ROLE_TEXT, t);
		right -= 7;
		snprintf(t, sizeof(t), ":%d", e->port);
		grid_put(g, row, right, 6, ROLE_TEXT, e->port != 0 ? t : "");
	}
	grid_put_model(g, row, col, right - 1 - col, selected ? ROLE_TITLE : ROLE_TEXT, e->name);
}

void
ui_pane_models(struct ui_state *s, struct grid *g, const struct view *v, uint64_t core_now)
{
	const struct view_engine *e = ui_engine(s, v);
	uint64_t *keys;
	size_t *at, n = ui_models_shown(v, &at, &keys);
	int sel;

	s->models.key = e != NULL ? ui_list_key(e->id) : 0;
	sel = ui_list_sync(&s->models, keys, (int)n, s->lay.models);
	for (int i = 0; i < s->lay.models && s->models.top + i < (int)n; i++) {
		int k = s->models.top + i;

		model_row(s, g, s->lay.models_row + i, &v->engines[at[k]], k == sel, core_now);
		ui_hit_add(s, s->lay.models_row + i, 0, g->cols, 1, HIT_MODEL, keys[k]);
	}
	if (s->screen == SCREEN_LINK_DOWN)
		for (int i = 0; i < s->lay.models; i++)
			grid_set_role(g, s->lay.models_row + i, 0, g->cols, ROLE_MUTED);
	free(at);
	free(keys);
}
