/* SPDX-License-Identifier: ISC
 * The log pane: its rule, and the window of lines that is shown. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/text.h"
#include "ui/ui_head.h"
#include "ui/ui_log_line.h"

static const char *
source_name(unsigned mask)
{
	if (mask == (1u << SOURCE_CHILD))
		return "child";
	if (mask == (1u << SOURCE_MAI))
		return "mai";
	if (mask == (1u << SOURCE_ACCESS))
		return "access";
	return "all";
}

static void
title_text(const struct ui_state *s, char *out, size_t size, const struct view *v, const struct view_log *log)
{
	const struct ui_log *l = &s->log;
	char count[32], clock[16];
	size_t n;

	n = (size_t)snprintf(out, size, "Log %s", source_name(l->mask));
	if (l->model[0] != '\0' && n < size)
		n += (size_t)snprintf(out + n, size - n, " of %s", head_name(v, l->model));
	if (l->filter.text[0] != '\0' && s->lay.narrow) {
		n = (size_t)snprintf(out, size, "Log %s", l->filter.text);
	} else if (l->filter.text[0] != '\0' && n < size) {
		ui_count_text(count, sizeof(count), l->hidden);
		n += (size_t)snprintf(out + n, size - n, "  filter %s (%s hidden%s)", l->filter.text, count,
		    ui_log_scanned(l, log) ? "" : ", looking");
	}
	if (l->since != 0 && n < size && !s->lay.narrow) {
		ui_wall_time(clock, sizeof(clock), l->since_wall);
		n += (size_t)snprintf(out + n, size - n, "  since %s", clock);
	}
	if (ui_log_at_cause(l) && l->auto_pause && n < size)
		snprintf(out + n, size - n, ", last error");
}

static void
rule(struct ui_state *s, struct grid *g, const struct view *v, const struct view_log *log)
{
	const struct ui_log *l = &s->log;
	char title[640], note[96], count[32], models[32];
	const char *wrap = s->lay.narrow ? "" : l->wrap ? "  wrap on" : "  wrap off";

	title_text(s, title, sizeof(title), v, log);
	ui_count_text(count, sizeof(count), l->fresh);
	/* Where the requests have no rule, which tells it otherwise. */
	if (s->lay.req_rule < 0 && l->follow && l->model[0] == '\0' && ui_models_hidden(s, v, models, sizeof(models)))
		snprintf(note, sizeof(note), "%s  FOLLOW", models);
	/* What the bar has room for only on a wide screen. */
	else if (l->follow && s->lay.spark && !s->lay.wide)
		snprintf(note, sizeof(note), "%s source  FOLLOW%s", ui_binding_of(ACT_SRC_ALL)->shown, wrap);
	else if (l->follow)
		snprintf(note, sizeof(note), "FOLLOW%s", wrap);
	else if (l->at_error && s->lay.narrow)
		snprintf(note, sizeof(note), "PAUSED");
	else if (l->at_error)
		snprintf(note, sizeof(note), "PAUSED at error %d of %d", l->error_n, l->error_of);
	else if (l->fresh != 0)
		snprintf(note, sizeof(note), "PAUSED +%s%s%s", count, s->lay.narrow ? "" : " new", wrap);
	else
		snprintf(note, sizeof(note), "PAUSED%s", wrap);
	ui_rule(s, g, s->lay.log_rule, s->focus == FOCUS_LOG, title, note);
}

static void
note_shown(struct ui_state *s, const struct view_line *l)
{
	if (s->log.shown_top == 0)
		s->log.shown_top = l->key;
	s->log.shown_end = l->key;
}

/* From position i on downwards, of the first line its rows from `from` on. Says how much of the selected one finds no
 * room. */
static void
draw_lines(struct ui_state *s, struct grid *g, const struct view_log *log, long i, int row, int end, int from,
    struct strbuf *b)
{
	for (; i >= 0 && row < end; i++) {
		const struct view_line *l;
		int n;

		i = ui_log_step(&s->log, log, i, 1);
		if (i < 0)
			break;
		l = view_log_at(log, (size_t)i);
		n = ui_line_draw(s, g, row, end - row, from, log, l, b);
		if (!s->log.follow && l->key == s->log.cur)
			s->log.below = ui_line_rows(s, log, l, b) - from - n;
		ui_hit_add(s, row, 0, g->cols, n, HIT_LOG, l->key);
		note_shown(s, l);
		row += n;
		from = 0;
	}
}

/* From the end upwards until the pane is full; then down again. */
static void
draw_follow(struct ui_state *s, struct grid *g, const struct view_log *log, int rows, struct strbuf *b)
{
	int need = 0;
	long i = (long)view_log_count(log) - 1, first = -1;

	while (need < rows && (i = ui_log_step(&s->log, log, i, -1)) >= 0) {
		need += ui_line_rows(s, log, view_log_at(log, (size_t)i), b);
		first = i--;
	}
	s->log.shown_skip = need > rows ? need - rows : 0;
	draw_lines(s, g, log, first, s->lay.log_row, s->lay.log_row + rows, s->log.shown_skip, b);
	s->log.drawn_last = view_log_count(log) > 0 ? view_log_at(log, view_log_count(log) - 1)->key : 0;
}

/* Another source or filter: the nearest line that is still shown is selected. Its position, or -1. */
static long
find_selected(struct ui_state *s, const struct view_log *log)
{
	long i = (long)view_log_find(log, s->log.cur), at = i < (long)view_log_count(log) ? i : i - 1;

	i = ui_log_step(&s->log, log, at, -1);
	if (i < 0)
		i = ui_log_step(&s->log, log, at, 1);
	if (i >= 0)
		s->log.cur = view_log_at(log, (size_t)i)->key;
	return i;
}

/* The window moves so far that the selected line is in it. */
static void
keep_selected(struct ui_state *s, const struct view_log *log, int rows, struct strbuf *b)
{
	long i = find_selected(s, log);
	const struct view_line *l;
	int need = 0;

	if (i >= 0 && s->log.cur < s->log.top)
		ui_log_set_top(&s->log, s->log.cur);
	for (; i >= 0 && (i = ui_log_step(&s->log, log, i, -1)) >= 0; i--) {
		l = view_log_at(log, (size_t)i);
		need += ui_line_rows(s, log, l, b) - (l->key == s->log.top ? s->log.skip : 0);
		if (need > rows && l->key < s->log.cur) {
			i = ui_log_step(&s->log, log, i + 1, 1);
			if (i >= 0 && view_log_at(log, (size_t)i)->key > s->log.top)
				ui_log_set_top(&s->log, view_log_at(log, (size_t)i)->key);
			return;
		}
		if (l->key <= s->log.top)
			return;
	}
}

/* No row stays empty while there are earlier lines. */
static void
fill_up(struct ui_state *s, const struct view_log *log, int rows, struct strbuf *b)
{
	long i = (long)view_log_find(log, s->log.top), first;
	int n = -s->log.skip;

	for (; n < rows && (i = ui_log_step(&s->log, log, i, 1)) >= 0; i++)
		n += ui_line_rows(s, log, view_log_at(log, (size_t)i), b);
	if (n < rows && s->log.skip > 0) {
		n += s->log.skip;
		s->log.skip = n > rows ? n - rows : 0;
		n -= s->log.skip;
	}
	i = (long)view_log_find(log, s->log.top) - 1;
	for (first = -1; n < rows && (i = ui_log_step(&s->log, log, i, -1)) >= 0; first = i--)
		n += ui_line_rows(s, log, view_log_at(log, (size_t)i), b);
	if (first >= 0) {
		ui_log_set_top(&s->log, view_log_at(log, (size_t)first)->key);
		s->log.skip = n > rows ? n - rows : 0;
	}
}

/* On another width the first line has another height. */
static void
clip_skip(struct ui_state *s, const struct view_log *log, struct strbuf *b)
{
	const struct view_line *l = view_log_at(log, view_log_find(log, s->log.top));
	int most = s->log.wrap && s->log.skip > 0 && l != NULL && l->key == s->log.top && !l->dead ?
	    ui_line_rows(s, log, l, b) - 1 : 0;

	s->log.skip = s->log.skip < most ? s->log.skip : most;
}

static void
draw_paused(struct ui_state *s, struct grid *g, const struct view_log *log, int rows, struct strbuf *b)
{
	int row = s->lay.log_row, end = row + rows;
	const struct view_line *first = view_log_at(log, 0);
	char gone[64], count[32];

	clip_skip(s, log, b);
	keep_selected(s, log, rows, b);
	fill_up(s, log, rows, b);
	if (first != NULL && first->key > s->log.top && first->seq > s->log.top / VIEW_KEY(1)) {
		ui_count_text(count, sizeof(count), first->seq - s->log.top / VIEW_KEY(1));
		snprintf(gone, sizeof(gone), "-- %s lines gone --", count);
		grid_put(g, row++, 0, g->cols, ROLE_MUTED, gone);
	}
	s->log.below = 0;
	draw_lines(s, g, log, (long)view_log_find(log, s->log.top), row, end, s->log.skip, b);
	s->log.shown_top = s->log.top;
}

/* The line without newline, as the last row while following. */
static const char *
live_line(const struct ui_state *s, const struct view *v)
{
	const struct view_engine *e = ui_engine(s, v);

	if (v->swap_to != NULL && view_engine_find(v, v->swap_to) != NULL && v->swap_step == 3)
		e = view_engine_find(v, v->swap_to);
	if (!s->log.follow || e == NULL || e->live == NULL || e->live[0] == '\0' ||
	    (s->log.mask & (1u << SOURCE_CHILD)) == 0 || s->link == UI_LINK_DOWN)
		return NULL;
	return ui_pattern_match(&s->log.filter, e->live, strlen(e->live)) ? e->live : NULL;
}

static int
shown_rows(const struct ui_state *s, const struct view_log *log, int rows, struct strbuf *b)
{
	long i = (long)view_log_count(log) - 1;
	int n = 0;

	while (n < rows && (i = ui_log_step(&s->log, log, i, -1)) >= 0)
		n += ui_line_rows(s, log, view_log_at(log, (size_t)i--), b);
	return n < rows ? n : rows;
}

static void
draw_live(struct ui_state *s, struct grid *g, const struct view_log *log, int rows, const char *live,
    struct strbuf *b)
{
	struct view_line l = {.wall_ms = clock_wall_ms(), .source = SOURCE_CHILD, .level = ' ',
	    .text = (char *)(uintptr_t)live, .len = (uint32_t)strlen(live)};
	int at = shown_rows(s, log, rows, b);
	bool wrap = s->log.wrap;

	s->log.wrap = false;
	ui_line_draw(s, g, s->lay.log_row + at, 1, 0, log, &l, b);
	s->log.wrap = wrap;
}

/* An empty pane says why, where the person has chosen what is shown. */
static void
draw_empty(const struct ui_state *s, struct grid *g)
{
	char t[96] = "";

	if (s->log.filter.text[0] != '\0')
		snprintf(t, sizeof(t), "no line passes the filter; %s ends it", ui_binding_of(ACT_ESCAPE)->shown);
	else if (s->log.since != 0)
		snprintf(t, sizeof(t), "nothing yet; %s shows what is hidden", ui_binding_of(ACT_ESCAPE)->shown);
	else if (s->log.mask != UI_LOG_ALL)
		snprintf(t, sizeof(t), "nothing yet from this source; %c shows all", ui_binding_of(ACT_SRC_ALL)->codes[0]);
	grid_put_end(g, s->lay.log_row, s->lay.margin, g->cols - s->lay.margin, ROLE_MUTED, t);
}

void
ui_pane_log(struct ui_state *s, struct grid *g, const struct view *v, const struct view_log *log)
{
	int rows = s->lay.log_rows;
	const char *live = live_line(s, v);
	struct strbuf b = STRBUF_INIT;

	ui_log_size(&s->log, rows, g->cols);
	ui_log_count(&s->log, log);
	rule(s, g, v, log);
	if (s->log.follow)
		s->log.shown_top = s->log.shown_end = 0;
	if (rows < 1)
		return;
	if (live != NULL)
		draw_live(s, g, log, --rows, live, &b);
	s->log.redrawn = true;
	if (rows > 0 && s->log.follow)
		draw_follow(s, g, log, rows, &b);
	else if (rows > 0)
		draw_paused(s, g, log, rows, &b);
	if (rows > 0 && live == NULL && ui_log_scanned(&s->log, log) &&
	    ui_log_step(&s->log, log, (long)view_log_count(log) - 1, -1) < 0)
		draw_empty(s, g);
	strbuf_fini(&b);
}
