/* SPDX-License-Identifier: ISC
 * Several loaded models: a row each, and the selected one drives the panes below. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/xmalloc.h"
#include "ui/ui_head.h"

/* One that gave up is worth a row until somebody has put it away; one that could not even be tried is not: who asked for
 * it was told. */
static bool
shows_failure(const struct ui_state *s, const struct view_engine *e)
{
	bool tried = e->attempt > 0 || (e->reason != REASON_EXEC_FAILED && e->reason != REASON_MODEL_MISSING &&
	    e->reason != REASON_CONFIG && e->reason != REASON_PORT_BUSY);

	for (int i = 0; i < s->naway; i++)
		if (s->away[i].what == ui_list_key(e->id) && s->away[i].failed_wall == e->failed_wall)
			return false;
	return e->current || tried;
}

void
ui_put_away(struct ui_state *s, const struct view_engine *e)
{
	if (s->naway == UI_AWAY)
		memmove(&s->away[0], &s->away[1], sizeof(s->away[0]) * (size_t)--s->naway);
	s->away[s->naway].what = ui_list_key(e->id);
	s->away[s->naway++].failed_wall = e->failed_wall;
}

bool
ui_is_loaded(const struct ui_state *s, const struct view_engine *e)
{
	return e->state != ENGINE_STOPPED && (e->state != ENGINE_FAILED || shows_failure(s, e));
}

int
ui_loaded(const struct ui_state *s, const struct view *v)
{
	int n = 0, pair = 0;

	for (size_t i = 0; i < v->nengines; i++) {
		const struct view_engine *e = &v->engines[i];
		bool swaps = (v->swap_from != NULL && strcmp(e->id, v->swap_from) == 0) ||
		    (v->swap_to != NULL && strcmp(e->id, v->swap_to) == 0);

		if (!ui_is_loaded(s, e))
			continue;
		n++;
		pair += swaps;
	}
	return n - (pair == 2) > 1 ? n : 0;
}

bool
ui_models_hidden(const struct ui_state *s, const struct view *v, char *out, size_t size)
{
	int n = ui_loaded(s, v);
	bool hidden = s->lay.models > 0 && n > s->lay.models;

	snprintf(out, size, "%d of %d models", s->lay.models, n);
	return hidden;
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

	return e != NULL && ui_is_loaded(s, e) && ui_loaded(s, v) > 0 ? e : view_current(v);
}

size_t
ui_models_shown(const struct ui_state *s, const struct view *v, size_t **at, uint64_t **keys)
{
	size_t n = 0;

	*at = xreallocarray(NULL, v->nengines + 1, sizeof(**at));
	*keys = xreallocarray(NULL, v->nengines + 1, sizeof(**keys));
	for (size_t i = 0; i < v->nengines; i++) {
		if (!ui_is_loaded(s, &v->engines[i]))
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

/* What stands in the columns at the right: rate and memory, or a text over both; then how long. */
struct fields {
	char rate[24], mem[24], both[48], last[64];
	const char *all;	/* over all of them; NULL */
};

/* Columns of rate, memory and duration. */
struct widths {
	int rate, mem, last;
};

static void
ready_fields(struct fields *f, const struct view_engine *e, uint64_t now, bool small)
{
	uint64_t up = head_since(now, e->spawned_at != 0 ? e->spawned_at : e->since);
	char d[32];

	if (e->tps >= 0)
		snprintf(f->rate, sizeof(f->rate), small ? "%.0f" : e->tps < 1000 ? "%.1f t/s" : "%.0f t/s", e->tps);
	text_duration(d, sizeof(d), up, false);
	if (small) {
		ui_short_time(d, sizeof(d), up);
		if (strlen(d) > 5)
			d[strcspn(d, "d") + 1] = '\0';
	}
	snprintf(f->last, sizeof(f->last), small ? "%s" : "up %s", d);
}

static void
backoff_fields(struct fields *f, const struct view_engine *e, uint64_t now, bool small)
{
	char d[32];

	text_duration(d, sizeof(d), e->retry_at > now ? e->retry_at - now : 0, true);
	if (small) {
		snprintf(f->both, sizeof(f->both), strlen(d) > 4 ? "%s" : "retry %s", d);
		snprintf(f->last, sizeof(f->last), "%d/%d", e->attempt, e->max_attempts);
	} else {
		snprintf(f->both, sizeof(f->both), strlen(d) > 5 ? "retry %s" : "retry in %s", d);
		end_text(f->last, sizeof(f->last), e);
	}
}

static void
fields_of(struct fields *f, const struct view_engine *e, uint64_t now, bool small)
{
	memset(f, 0, sizeof(*f));
	if (e->rss != 0 && (e->state == ENGINE_READY || e->state == ENGINE_STARTING))
		text_size(f->mem, sizeof(f->mem), e->rss);
	switch (e->state) {
	case ENGINE_READY:
		ready_fields(f, e, now, small);
		break;
	case ENGINE_STARTING:
		if (e->progress >= 0)
			snprintf(f->rate, sizeof(f->rate), "%d%%", e->progress / 10);
		text_duration(f->last, sizeof(f->last), head_since(now, e->since), false);
		break;
	case ENGINE_DRAINING:
	case ENGINE_STOPPING:
		if (e->in_flight > 0)
			snprintf(f->both, sizeof(f->both), small ? "%d req" : "%d in flight", e->in_flight);
		text_duration(f->last, sizeof(f->last), head_since(now, e->since), false);
		break;
	case ENGINE_BACKOFF:
		backoff_fields(f, e, now, small);
		break;
	case ENGINE_FAILED:
		if (small)
			end_text(f->both, sizeof(f->both), e);
		else
			f->all = e->last_exit != NULL ? e->last_exit : engine_reason_text(e->reason);
		break;
	case ENGINE_STOPPED:
	case ENGINE_NSTATES:
		break;
	}
}

/* Returns the column where they begin. */
static int
put_fields(struct grid *g, int row, int right, const struct widths *w, const struct fields *f)
{
	int last = right - w->last, mem = last - 1 - w->mem, rate = mem - 1 - w->rate, both = last - 1 - rate;

	if (f->all != NULL)
		grid_put_end(g, row, rate, right - rate, ROLE_TEXT, f->all);
	else if (text_width(f->both) > both)
		grid_put_end(g, row, rate, both, ROLE_TEXT, f->both);
	else if (f->both[0] != '\0')
		grid_put_right(g, row, last - 1, ROLE_TEXT, f->both);
	grid_put_right(g, row, mem - 1, ROLE_TEXT, f->rate);
	grid_put_right(g, row, last - 1, ROLE_TEXT, f->mem);
	grid_put_end(g, row, last, w->last, ROLE_TEXT, f->last);
	return rate;
}

/* Columns of "n/max" where all rows have their place for it. */
static int
attempt_width(const struct ui_state *s, const struct view *v)
{
	char t[32];
	int most = 3;

	for (size_t i = 0; i < v->nengines; i++) {
		const struct view_engine *e = &v->engines[i];
		int n = snprintf(t, sizeof(t), "%d/%d", e->attempt, e->max_attempts);

		if (ui_is_loaded(s, e) && n > most)
			most = n;
	}
	return most;
}

static void
model_row(const struct ui_state *s, struct grid *g, int row, const struct view_engine *e, bool selected, int attempts,
    uint64_t now)
{
	static const struct widths narrow = {4, 5, 5}, normal = {8, 5, 11}, wide = {8, 5, 24};
	enum ui_screen screen = ui_screen_of_engine(e);
	bool small = g->cols < 70;
	int right = g->cols - s->lay.margin, col = s->lay.narrow ? 7 : 12;
	struct fields f;
	char t[32], word[16];

	grid_put(g, row, 0, 1, s->focus == FOCUS_MODELS ? ROLE_SELECT : ROLE_TITLE, selected ? ">" : " ");
	grid_put(g, row, 1, 1, ui_screen_role(screen), glyph_of(s, screen));
	snprintf(word, sizeof(word), "%s", ui_screen_word(screen));
	if (s->lay.narrow)
		word[3] = '\0';
	grid_put(g, row, 3, 8, ui_screen_role(screen), word);
	fields_of(&f, e, now, small);
	right = put_fields(g, row, right, small ? &narrow : s->lay.wide ? &wide : &normal, &f);
	if (!small) {
		snprintf(t, sizeof(t), "%d/%d", e->attempt, e->max_attempts);
		grid_put_right(g, row, right - 1, ROLE_TEXT, t);
		right -= 1 + attempts;
		snprintf(t, sizeof(t), ":%d", e->port);
		grid_put_right(g, row, right - 1, ROLE_TEXT, e->port != 0 ? t : "");
		right -= 7;
	}
	head_put_model(s, g, row, col, right - 1 - col, selected ? ROLE_TITLE : ROLE_TEXT, e);
}

void
ui_pane_models(struct ui_state *s, struct grid *g, const struct view *v, uint64_t core_now)
{
	const struct view_engine *e = ui_engine(s, v);
	uint64_t *keys;
	size_t *at, n = ui_models_shown(s, v, &at, &keys);
	int sel, attempts = attempt_width(s, v);

	s->models.key = e != NULL ? ui_list_key(e->id) : 0;
	sel = ui_list_sync(&s->models, keys, (int)n, s->lay.models);
	for (int i = 0; i < s->lay.models && s->models.top + i < (int)n; i++) {
		int k = s->models.top + i;

		model_row(s, g, s->lay.models_row + i, &v->engines[at[k]], k == sel, attempts, core_now);
		ui_hit_add(s, s->lay.models_row + i, 0, g->cols, 1, HIT_MODEL, keys[k]);
	}
	if (s->screen == SCREEN_LINK_DOWN)
		for (int i = 0; i < s->lay.models; i++)
			grid_set_role(g, s->lay.models_row + i, 0, g->cols, ROLE_MUTED);
	free(at);
	free(keys);
}
