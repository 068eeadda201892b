/* SPDX-License-Identifier: ISC
 * The log: a gutter of time, source and level, then the text, cleaned again and cut by cell width. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/text.h"
#include "ui/ui_state.h"

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
rule(struct ui_state *s, struct grid *g, const struct view_log *log)
{
	struct ui_log *l = &s->log;
	char title[256], note[96];
	const char *wrap = s->lay.narrow ? "" : l->wrap ? "  wrap on" : "  wrap off";

	snprintf(title, sizeof(title), "Log %s", source_name(l->mask));
	if (l->filter.text[0] != '\0') {
		ui_log_count_hidden(l, log);
		if (s->lay.narrow)
			snprintf(title, sizeof(title), "Log %s", l->filter.text);
		else
			snprintf(title, sizeof(title), "Log %s  filter %s (%llu hidden)", source_name(l->mask),
			    l->filter.text, (unsigned long long)l->hidden);
	}
	if (l->follow)
		snprintf(note, sizeof(note), "FOLLOW%s", wrap);
	else if (l->at_error && s->lay.narrow)
		snprintf(note, sizeof(note), "PAUSED");
	else if (l->at_error)
		snprintf(note, sizeof(note), "PAUSED at error %d of %d", l->error_n, l->error_of);
	else
		snprintf(note, sizeof(note), "PAUSED +%llu%s%s", (unsigned long long)ui_log_new_lines(l, log),
		    s->lay.narrow ? "" : " new", wrap);
	if (l->at_error && l->auto_pause)
		strncat(title, ", last error", sizeof(title) - strlen(title) - 1);
	ui_rule(s, g, s->lay.log_rule, s->focus == FOCUS_LOG, title, note);
}

/* Where the text begins: "12:04:14 cE text" or "cE04:25 text". */
static int
gutter(const struct ui_state *s)
{
	return s->lay.narrow || s->lay.micro ? 8 : 12;
}

static void
draw_gutter(const struct ui_state *s, struct grid *g, int row, uint64_t wall_ms, enum log_source source, char level)
{
	enum ui_role role = level == 'E' ? ROLE_BAD : level == 'W' ? ROLE_WARN : ROLE_TEXT;
	char clock[16], mark[3] = {"cma"[source % 3], level == 'E' || level == 'W' ? level : ' ', '\0'};
	bool narrow = gutter(s) == 8;

	ui_wall_time(clock, sizeof(clock), wall_ms);
	grid_put(g, row, narrow ? 2 : 0, 8, ROLE_MUTED, narrow ? clock + 3 : clock);
	grid_put(g, row, narrow ? 0 : 9, 2, role, mark);
}

/* The part of a text from column skip on, at most cols wide; what follows stays for the next row. */
static const char *
skip_columns(const char *p, int skip)
{
	uint32_t cp;

	while (*p != '\0' && skip > 0) {
		size_t n = text_utf8(p, strlen(p), &cp);
		int w = n > 0 ? text_cp_width(cp) : 1;

		p += n > 0 ? n : 1;
		skip -= w > 0 ? w : 0;
	}
	while (*p != '\0' && text_utf8(p, strlen(p), &cp) > 0 && text_cp_width(cp) == 0)
		p += text_utf8(p, strlen(p), &cp);
	return p;
}

/* How many bytes of a row of width columns: never a half character, always at least one. */
static size_t
row_bytes(const char *p, int width)
{
	size_t len = 0;
	int used = 0;

	while (p[len] != '\0') {
		uint32_t cp;
		size_t n = text_utf8(p + len, strlen(p + len), &cp);
		int w = n > 0 ? text_cp_width(cp) : 1;

		w = w < 0 ? 1 : w;
		if (used + w > width && len > 0)
			break;
		used += w;
		len += n > 0 ? n : 1;
	}
	return len;
}

static void
clean(const struct ui_state *s, struct strbuf *b, const char *text, size_t len)
{
	size_t most = s->log.wrap ? (size_t)s->cols * (size_t)s->rows * 4 :
	    ((size_t)s->cols + (size_t)s->log.hscroll) * 4 + 64;

	strbuf_clear(b);
	text_clean(b, text, len < most ? len : most, most * 2);
}

/* Rows a line takes in the pane. */
static int
line_rows(const struct ui_state *s, const struct view_line *l, struct strbuf *b)
{
	int width = s->cols - gutter(s), rows = 0;

	if (!s->log.wrap || width < 1)
		return 1;
	clean(s, b, l->text, l->len);
	for (const char *p = strbuf_str(b); *p != '\0' || rows == 0; rows++)
		p += row_bytes(p, width);
	return rows;
}

/* Draws a line from its row-th row `from` on; returns the rows drawn. */
static int
draw_text(struct ui_state *s, struct grid *g, int row, int left, int from, const char *text, size_t len,
    struct strbuf *b)
{
	int col = gutter(s), width = g->cols - col, drawn = 0;
	const char *p;

	if (width < 1)
		return 1;
	clean(s, b, text, len);
	p = strbuf_str(b);
	if (!s->log.wrap) {
		grid_put_end(g, row, col, width, ROLE_TEXT, skip_columns(p, s->log.hscroll));
		return 1;
	}
	for (int i = 0; *p != '\0' || i == 0; i++) {
		size_t n = row_bytes(p, width);
		char part[4096];

		if (i >= from && drawn < left) {
			snprintf(part, sizeof(part), "%.*s", (int)n, p);
			grid_put(g, row + drawn++, col, width, ROLE_TEXT, part);
		}
		p += n;
	}
	return drawn;
}

static bool
is_hit(const struct ui_log *s, const struct view_line *l)
{
	return s->search.text[0] != '\0' && ui_pattern_match(&s->search, l->text);
}

static int
draw_line(struct ui_state *s, struct grid *g, int row, int left, int from, const struct view_line *l, struct strbuf *b)
{
	int n;

	if (from == 0)
		draw_gutter(s, g, row, l->wall_ms, l->source, l->level);
	n = draw_text(s, g, row, left, from, l->text, l->len, b);
	if (is_hit(&s->log, l))
		for (int i = 0; i < n; i++)
			grid_set_role(g, row + i, gutter(s), g->cols - gutter(s),
			    l->seq == s->log.hit ? ROLE_SELECT : ROLE_TITLE);
	return n;
}

/* From the end upwards until the pane is full; then down again. */
static void
draw_follow(struct ui_state *s, struct grid *g, const struct view_log *log, int rows, struct strbuf *b)
{
	int need = 0, row = s->lay.log_row, from = 0, end = row + rows;
	long i = (long)view_log_count(log) - 1, first = -1;

	while (need < rows && (i = ui_log_step(&s->log, log, i, -1)) >= 0) {
		need += line_rows(s, view_log_at(log, (size_t)i), b);
		first = i--;
	}
	s->log.shown_top = first >= 0 ? view_log_at(log, (size_t)first)->seq : 0;
	if (need > rows)
		from = need - rows;
	for (i = first; i >= 0 && row < end; i++) {
		i = ui_log_step(&s->log, log, i, 1);
		if (i < 0)
			break;
		row += draw_line(s, g, row, end - row, from, view_log_at(log, (size_t)i), b);
		from = 0;
	}
}

static void
draw_paused(struct ui_state *s, struct grid *g, const struct view_log *log, int rows, struct strbuf *b)
{
	int row = s->lay.log_row, end = row + rows;
	long i = (long)view_log_find(log, s->log.top);
	char gone[64];

	s->log.shown_top = s->log.top;
	if (view_log_count(log) > 0 && view_log_at(log, 0)->seq > s->log.top) {
		snprintf(gone, sizeof(gone), "-- %llu lines gone --",
		    (unsigned long long)(view_log_at(log, 0)->seq - s->log.top));
		grid_put(g, row++, 0, g->cols, ROLE_MUTED, gone);
	}
	for (; row < end; i++) {
		i = ui_log_step(&s->log, log, i, 1);
		if (i < 0)
			break;
		row += draw_line(s, g, row, end - row, 0, view_log_at(log, (size_t)i), b);
	}
}

/* The line without newline, as the last row while following. */
static const char *
live_line(const struct ui_state *s, const struct view *v)
{
	const struct view_engine *e = view_current(v);

	if (v->swap_to != NULL && view_engine_find(v, v->swap_to) != NULL && v->swap_step == 3)
		e = view_engine_find(v, v->swap_to);
	if (!s->log.follow || e == NULL || e->live == NULL || e->live[0] == '\0' ||
	    (s->log.mask & (1u << SOURCE_CHILD)) == 0 || s->link == UI_LINK_DOWN)
		return NULL;
	return ui_pattern_match(&s->log.filter, e->live) ? e->live : NULL;
}

static int
shown_rows(const struct ui_state *s, const struct view_log *log, int rows, struct strbuf *b)
{
	long i = (long)view_log_count(log) - 1;
	int n = 0;

	while (n < rows && (i = ui_log_step(&s->log, log, i, -1)) >= 0)
		n += line_rows(s, view_log_at(log, (size_t)i--), b);
	return n < rows ? n : rows;
}

void
ui_pane_log(struct ui_state *s, struct grid *g, const struct view *v, const struct view_log *log)
{
	int rows = s->lay.log_rows, at;
	const char *live = live_line(s, v);
	struct strbuf b = STRBUF_INIT;

	s->log.rows = rows;
	s->log.cols = g->cols;
	rule(s, g, log);
	if (rows < 1)
		return;
	if (live != NULL) {
		bool wrap = s->log.wrap;

		at = shown_rows(s, log, --rows, &b);
		draw_gutter(s, g, s->lay.log_row + at, clock_wall_ms(), SOURCE_CHILD, ' ');
		s->log.wrap = false;
		draw_text(s, g, s->lay.log_row + at, 1, 0, live, strlen(live), &b);
		s->log.wrap = wrap;
	}
	if (rows > 0 && s->log.follow)
		draw_follow(s, g, log, rows, &b);
	else if (rows > 0)
		draw_paused(s, g, log, rows, &b);
	strbuf_fini(&b);
}
