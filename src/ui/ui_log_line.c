/* SPDX-License-Identifier: ISC
 * A log line on the grid: cleaned again, cut or wrapped by cell width, with what was searched for marked. */
#include "ui/ui_log_line.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"

#define LINE_MAX_BYTES 65600
#define TAG_COLUMNS 12	/* of a model's name before its line */
#define TAG_NARROW 8

static bool
is_narrow(const struct ui_state *s)
{
	return s->lay.narrow || s->lay.micro;
}

int
ui_line_gutter(const struct ui_state *s)
{
	if (s->log.stamp == UI_STAMP_OFF)
		return is_narrow(s) ? 3 : 4;
	return is_narrow(s) ? 8 : 12;
}

/* "3m21s", in as many columns. */
static void
ago_text(char *out, size_t size, uint64_t wall_ms, size_t width)
{
	uint64_t now = clock_wall_ms();
	char d[32];
	size_t n;

	text_duration(d, sizeof(d), now > wall_ms ? now - wall_ms : 0, false);
	for (n = strlen(d); n > width; n = strlen(d)) {
		d[n - 1] = '\0';
		for (n--; n > 0 && strchr("dhm", d[n - 1]) == NULL; n--)
			d[n - 1] = '\0';
	}
	snprintf(out, size, "%*s", (int)width, d);
}

static void
draw_gutter(const struct ui_state *s, struct grid *g, int row, const struct view_line *l)
{
	enum ui_role role = l->level == 'E' ? ROLE_BAD : l->level == 'W' ? ROLE_WARN : ROLE_TEXT;
	char stamp[16], mark[3] = {"cma"[l->source % 3], l->level == 'E' || l->level == 'W' ? l->level : ' ', '\0'};
	bool narrow = is_narrow(s);

	if (s->log.stamp == UI_STAMP_AGO)
		ago_text(stamp, sizeof(stamp), l->wall_ms, narrow ? 5 : 8);
	else
		ui_wall_time(stamp, sizeof(stamp), l->wall_ms);
	if (s->log.stamp != UI_STAMP_OFF)
		grid_put(g, row, narrow ? 2 : 0, narrow ? 5 : 8, ROLE_MUTED,
		    narrow && s->log.stamp == UI_STAMP_CLOCK ? stamp + 3 : stamp);
	grid_put(g, row, narrow ? 0 : ui_line_gutter(s) - 3, 2, role, mark);
}

/* Of a line whose first rows are above the pane, on the first that is not. */
static void
draw_selected(const struct ui_state *s, struct grid *g, int row, const struct view_line *l)
{
	if (!s->log.follow && l->key == s->log.cur)
		grid_put(g, row, is_narrow(s) ? ui_line_gutter(s) - 1 : ui_line_gutter(s) - 4, 1, ROLE_SELECT, ">");
}

/* The part of a text from column skip on; what follows stays for the next row. */
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

/* Which model a line is of, where that is not plain; or where its name, which mai's lines begin with, would leave no room
 * for anything else. Returns what of the text that stands for. */
static size_t
put_tag(const struct ui_state *s, struct strbuf *b, const struct view_log *log, const struct view_line *l)
{
	bool several = s->lay.models > 0 && s->log.model[0] == '\0', narrow = is_narrow(s), named;
	const char *model = l->model != 0 ? view_log_model(log, l->model) : "";
	struct strbuf name = STRBUF_INIT;
	size_t n = strlen(model);
	char tag[128];

	named = n > TAG_NARROW && strncmp(l->text, model, n) == 0 && strncmp(l->text + n, ": ", 2) == 0;
	if (l->model == 0 || !(narrow ? l->source == SOURCE_MAI && named : l->source == SOURCE_CHILD && several))
		return 0;
	text_clean(&name, model, n, sizeof(tag));
	text_clip_middle(tag, sizeof(tag), strbuf_str(&name), narrow ? TAG_NARROW : TAG_COLUMNS, s->g->ell);
	strbuf_printf(b, "%s: ", tag);
	strbuf_fini(&name);
	return narrow ? n + 2 : 0;
}

/* Returns where the line itself begins in b. */
static size_t
clean(const struct ui_state *s, struct strbuf *b, const struct view_log *log, const struct view_line *l)
{
	size_t tag, skip, len, most = s->log.wrap ? LINE_MAX_BYTES : ((size_t)s->cols + (size_t)s->log.hscroll) * 4 + 64;

	strbuf_clear(b);
	skip = put_tag(s, b, log, l);
	tag = b->len;
	len = l->len - skip;
	text_clean(b, l->text + skip, len < most ? len : most, most * 2);
	return tag;
}

int
ui_line_rows(const struct ui_state *s, const struct view_log *log, const struct view_line *l, struct strbuf *b)
{
	int width = s->cols - ui_line_gutter(s), rows = 0;

	if (!s->log.wrap || width < 1 || l->level == UI_LOG_MARK || l->level == UI_LOG_GAP)
		return 1;
	clean(s, b, log, l);
	for (const char *p = strbuf_str(b); *p != '\0' || rows == 0; rows++)
		p += row_bytes(p, width);
	return rows;
}

static int
columns_of(const char *p, size_t n)
{
	char part[1024];

	snprintf(part, sizeof(part), "%.*s", (int)n, p);
	return text_width(part);
}

/* Marks the hits among bytes start .. start + n of a line, which stand in a row from column col on. */
static void
mark_hits(const struct ui_state *s, struct grid *g, int row, int col, const char *line, size_t start, size_t n,
    enum ui_role role)
{
	size_t at = 0, len, from = 0;

	while (line[from] != '\0' && (len = ui_pattern_find(&s->log.search, line, from, &at)) != 0 && at < start + n) {
		from = at + len;
		if (from <= start)
			continue;
		if (at < start) {
			len -= start - at;
			at = start;
		}
		grid_set_role(g, row, col + columns_of(line + start, at - start), columns_of(line + at, len), role);
	}
}

/* What a colour of an engine's output is here: as much as the roles can say. */
static enum ui_role
role_of(uint8_t color)
{
	static const enum ui_role roles[] = {ROLE_MUTED, ROLE_BAD, ROLE_OK, ROLE_WARN, ROLE_TITLE, ROLE_BUSY, ROLE_OK, ROLE_TEXT};

	return color < 16 ? roles[color % 8] : ROLE_TEXT;
}

/* Colours bytes start .. start + n of a text, which stand in a row from column col on. shift: where the line begins in it. */
static void
paint(struct grid *g, int row, int col, const char *text, size_t start, size_t n, size_t shift, const struct view_line *l)
{
	for (size_t i = 0; i < l->ncolors; i++) {
		size_t from = l->colors[i].at + shift, to = i + 1 < l->ncolors ? l->colors[i + 1].at + shift : start + n;

		from = from < start ? start : from;
		to = to > start + n ? start + n : to;
		if (from < to && l->colors[i].color != TEXT_COLOR_NONE)
			grid_set_role(g, row, col + columns_of(text + start, from - start), columns_of(text + from, to - from),
			    role_of(l->colors[i].color));
	}
}

/* A note of our own across the row. */
static void
draw_note(const struct ui_state *s, struct grid *g, int row, const struct view_line *l)
{
	char text[256];

	if (l->level == UI_LOG_GAP) {
		grid_put_end(g, row, 0, g->cols, ROLE_MUTED, l->text);
		return;
	}
	snprintf(text, sizeof(text), " %s ", l->text);
	grid_fill(g, row, 0, g->cols, ROLE_MUTED, s->g->light);
	grid_put_end(g, row, 2, g->cols - 4, ROLE_TITLE, text);
	if (!s->log.follow && l->key == s->log.cur)
		grid_put(g, row, 0, 1, ROLE_SELECT, ">");
}

static bool
is_boundary(const struct view_line *l)
{
	return l->source == SOURCE_CHILD && strncmp(l->text, "--- run ", 8) == 0;
}

int
ui_line_draw(const struct ui_state *s, struct grid *g, int row, int left, int from, const struct view_log *log,
    const struct view_line *l, struct strbuf *b)
{
	int col = ui_line_gutter(s), width = g->cols - col, drawn = 0;
	enum ui_role role = is_boundary(l) ? ROLE_MUTED : ROLE_TEXT;
	enum ui_role hit = l->key == s->log.hit ? ROLE_SELECT : ROLE_TITLE;
	bool searched = s->log.search.text[0] != '\0' && l->search == UI_YES;
	const char *p, *text;
	size_t shift;

	if (l->level == UI_LOG_MARK || l->level == UI_LOG_GAP) {
		draw_note(s, g, row, l);
		return 1;
	}
	if (from == 0)
		draw_gutter(s, g, row, l);
	draw_selected(s, g, row, l);
	if (width < 1)
		return 1;
	shift = clean(s, b, log, l);
	p = text = strbuf_str(b);
	if (!s->log.wrap) {
		const char *shown = skip_columns(p, s->log.hscroll);
		size_t n = row_bytes(shown, width);

		grid_put_end(g, row, col, width, role, shown);
		paint(g, row, col, text, (size_t)(shown - text), n, shift, l);
		if (searched)
			mark_hits(s, g, row, col, text, (size_t)(shown - text), n, hit);
		return 1;
	}
	for (int i = 0; *p != '\0' || i == 0; i++) {
		size_t n = row_bytes(p, width);
		char part[4096];

		if (i >= from && drawn < left) {
			snprintf(part, sizeof(part), "%.*s", (int)n, p);
			grid_put(g, row + drawn, col, width, role, part);
			paint(g, row + drawn, col, text, (size_t)(p - text), n, shift, l);
			if (searched)
				mark_hits(s, g, row + drawn, col, text, (size_t)(p - text), n, hit);
			drawn++;
		}
		p += n;
	}
	return drawn;
}

void
ui_line_text(const struct view_log *log, const struct view_line *l, struct strbuf *out)
{
	time_t t = (time_t)(l->wall_ms / 1000);
	char when[32] = "";
	struct tm tm;

	if (localtime_r(&t, &tm) != NULL)
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	strbuf_printf(out, "%s.%03d %-6s %c ", when, (int)(l->wall_ms % 1000), log_source_name(l->source),
	    l->level == 'E' || l->level == 'W' ? l->level : ' ');
	if (l->model != 0) {
		strbuf_putc(out, '[');
		text_clean(out, view_log_model(log, l->model), strlen(view_log_model(log, l->model)), LINE_MAX_BYTES);
		strbuf_puts(out, "] ");
	}
	text_clean(out, l->text, l->len, LINE_MAX_BYTES);
	strbuf_putc(out, '\n');
}
