/* SPDX-License-Identifier: ISC
 * The header: title, state, what the state needs to be understood, metrics. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "ui/ui_head.h"

void
head_bar(const struct ui_state *s, struct grid *g, int row, int col, int width, int filled, int mark)
{
	for (int i = 0; i < width; i++)
		grid_put(g, row, col + i, 1, i == mark ? ROLE_TEXT : ROLE_BUSY,
		    i == mark ? s->g->mark : i < filled ? s->g->full : s->g->empty);
}

/* Elapsed against the usual time, whose end is a mark; the load's own progress where it tells; else a moving block. */
void
head_progress(const struct ui_state *s, struct grid *g, int row, int col, int width, const struct view_engine *e,
    uint64_t elapsed)
{
	int mark = width * 7 / 15, filled;

	if (width < 1)
		return;
	if (e->progress >= 0) {
		head_bar(s, g, row, col, width, width * (e->progress > 1000 ? 1000 : e->progress) / 1000, -1);
		return;
	}
	if (e->usual_ms > 0) {
		filled = (int)(elapsed * (uint64_t)mark / e->usual_ms > (uint64_t)width ? (uint64_t)width :
		    elapsed * (uint64_t)mark / e->usual_ms);
		head_bar(s, g, row, col, width, filled, mark);
		return;
	}
	head_bar(s, g, row, col, width, 0, -1);
	for (int i = 0; i < 4; i++)
		grid_put(g, row, col + (int)((elapsed / 250 + (uint64_t)i) % (uint64_t)width), 1, ROLE_BUSY, s->g->full);
}

const char *
head_glyph(const struct ui_state *s)
{
	switch (s->screen) {
	case SCREEN_RUNNING:
		return s->g->ok;
	case SCREEN_BACKOFF:
		return s->g->warn;
	case SCREEN_FAILED:
		return s->g->bad;
	case SCREEN_STOPPED:
	case SCREEN_NONE:
		return s->g->off;
	case SCREEN_LINK_DOWN:
		return s->g->unknown;
	default:
		return s->g->busy;
	}
}

int
head_put_model(const struct ui_state *s, struct grid *g, int row, int col, int width, enum ui_role role,
    const struct view_engine *e)
{
	bool mark = e->pinned && width > 4;
	int used = grid_put_model(g, row, col, mark ? width - 2 : width, role, e->name);

	if (mark)
		used += 1 + grid_put(g, row, col + used + 1, 1, role, s->g->pin);
	return used;
}

static void
title_row(struct ui_state *s, struct grid *g, const struct view *v, const struct ui_link_state *link, uint64_t now)
{
	char left[512], right[96] = "", clock[16], up[32], version[32];
	bool down = s->screen == SCREEN_LINK_DOWN;
	size_t n;
	int col;

	snprintf(version, sizeof(version), "%s", v->version != NULL ? v->version : PACKAGE_VERSION);
	n = strlen(version);
	if (n > 2 && strcmp(version + n - 2, ".0") == 0 && strchr(version, '.') != version + n - 2)
		version[n - 2] = '\0';
	snprintf(left, sizeof(left), "mai %s  %s  %s%s", version,
	    !down && v->listen != NULL ? v->listen : link->where != NULL ? link->where : "",
	    s->foreground ? "foreground" : "attached", s->read_only ? ", read-only" : "");
	ui_wall_time(clock, sizeof(clock), clock_wall_ms());
	if (!down && v->version != NULL && view_now(v, now) >= v->started) {
		text_duration(up, sizeof(up), view_now(v, now) - v->started, false);
		snprintf(right, sizeof(right), "supervisor up %s  %s", up, clock);
		if (text_width(left) + text_width(right) + 4 > g->cols)
			snprintf(right, sizeof(right), "%s", clock);
	} else {
		snprintf(right, sizeof(right), "%s", clock);
	}
	col = grid_put_right(g, 0, g->cols - s->lay.margin, ROLE_TEXT, right);
	grid_put_end(g, 0, 1, col - 2, ROLE_TITLE, left);
}

/* The right end of the state row. */
static void
state_note(const struct ui_state *s, char *out, size_t size, const struct view *v, const struct view_engine *e,
    uint64_t now)
{
	char d[32];

	out[0] = '\0';
	if (e == NULL)
		return;
	switch (s->screen) {
	case SCREEN_RUNNING:
		text_duration(d, sizeof(d), head_since(now, e->spawned_at != 0 ? e->spawned_at : e->since), false);
		snprintf(out, size, "up %s", d);
		break;
	case SCREEN_STARTING:
	case SCREEN_STOPPING:
	case SCREEN_STOPPED:
		if (e->since != 0)
			text_duration(out, size, head_since(now, e->since), false);
		break;
	case SCREEN_SWAPPING:
		text_duration(out, size, head_since(now, v->swap_since), false);
		break;
	default:
		break;
	}
}

static void
state_row(struct ui_state *s, struct grid *g, const struct view *v, const struct view_engine *e, uint64_t now)
{
	char note[64], name[1024], word[32];
	enum ui_role role = ui_screen_role(s->screen);
	int right = g->cols - s->lay.margin, col;

	snprintf(word, sizeof(word), "%-8s", ui_screen_word(s->screen));
	state_note(s, note, sizeof(note), v, e, now);
	if (note[0] != '\0')
		right = grid_put_right(g, 1, right, ROLE_TEXT, note) - 1;
	grid_put(g, 1, 1, 1, role, head_glyph(s));
	col = 3 + grid_put(g, 1, 3, right - 3, role, word) + 1;
	if (s->screen == SCREEN_SWAPPING && v->swap_to != NULL) {
		if (v->swap_from != NULL)
			snprintf(name, sizeof(name), "%s -> %s", head_name(v, v->swap_from), head_name(v, v->swap_to));
		else
			snprintf(name, sizeof(name), "%s", head_name(v, v->swap_to));
		grid_put_end(g, 1, col, right - col, ROLE_TITLE, name);
	} else if (e != NULL) {
		head_put_model(s, g, 1, col, right - col, ROLE_TITLE, e);
	}
}

static void
spark(const struct ui_state *s, struct grid *g, int row, int col, int width, const float *h, int n, float top,
    bool zero_blank)
{
	for (int i = 0; i < width; i++) {
		int at = n - width + i, level;

		if (at < 0 || (zero_blank && h[at] <= 0) || h[at] < 0)
			continue;
		level = top > 0 ? (int)(h[at] * 7 / top + 0.5f) : 0;
		grid_put(g, row, col + i, 1, ROLE_TEXT, s->g->spark[level > 7 ? 7 : level]);
	}
}

static float
highest(const float *h, int n)
{
	float top = 0;

	for (int i = 0; i < n; i++)
		top = h[i] > top ? h[i] : top;
	return top;
}

/* The past of the model that is shown. The core's own is longer, but of whatever was current, and of all of several. */
static const struct view_hist *
hist_of(const struct ui_state *s, const struct view *v, const struct view_engine *e)
{
	static const struct view_hist none;
	bool current = e == NULL || e == view_current(v);

	if (current && (s->lay.models == 0 || e == NULL || e->hist == NULL))
		return &v->hist;
	return e->hist != NULL ? e->hist : &none;
}

static void
tokens_row(struct ui_state *s, struct grid *g, const struct view *v, const struct view_engine *e)
{
	bool live = head_generating(s, v), own = s->lay.models > 0 && e != NULL && e->tps >= 0;
	char value[32] = "-", right[128], top[32];
	const struct view_hist *h = hist_of(s, v, e);
	int vcol = s->lay.wide ? 15 : 13, scol = s->lay.wide ? 17 : 14, row = s->lay.use_row;
	float max = highest(h->tps, h->n);
	double tps = own ? e->tps : v->tps;

	grid_put(g, row, 2, 5, ROLE_TEXT, "tok/s");
	if (live && tps >= 0)
		snprintf(value, sizeof(value), "%s%.1f", head_estimated(v, own ? e : NULL) ? "~" : "", tps);
	grid_put_right(g, row, vcol, ROLE_TEXT, value);
	if (live && s->lay.spark)
		spark(s, g, row, scol, s->lay.wide ? 40 : 20, h->tps, h->n, max, false);
	if (s->lay.wide && max > 0) {
		snprintf(top, sizeof(top), "max %.0f", (double)max);
		grid_put(g, row, 60, 12, ROLE_TEXT, top);
	}
	snprintf(right, sizeof(right), "in flight %llu  queued %llu  done %llu  %s %llu", (unsigned long long)v->in_flight,
	    (unsigned long long)v->queued, (unsigned long long)v->done, s->lay.wide ? "errors" : "err",
	    (unsigned long long)v->errors);
	if (g->cols >= 60 + (s->lay.wide ? 20 : 0) || text_width(right) < g->cols - 16)
		grid_put_right(g, row, g->cols - s->lay.margin, ROLE_TEXT, right);
}

static void
memory_row(struct ui_state *s, struct grid *g, const struct view *v, const struct view_engine *e)
{
	bool alive = head_alive(s, e);
	bool other = e != NULL && e != view_current(v);
	uint64_t rss = (v->rss != 0 && !other) || e == NULL ? v->rss : e->rss;
	uint64_t cpu = (v->cpu_permille != 0 && !other) || e == NULL ? v->cpu_permille : e->cpu_permille;
	const struct view_hist *h = hist_of(s, v, e);
	int row = s->lay.use_row + 1;
	char value[32] = "-", mem[64] = "", used[24], total[24], load[32];
	int vcol = s->lay.wide ? 15 : 13, scol = s->lay.wide ? 17 : 14, right = g->cols - s->lay.margin;

	grid_put(g, row, 2, 3, ROLE_TEXT, "RSS");
	if (alive && rss != 0)
		text_size(value, sizeof(value), rss);
	grid_put_right(g, row, vcol, ROLE_TEXT, value);
	if (!alive)
		return;
	if (s->lay.spark)
		spark(s, g, row, scol, s->lay.wide ? 40 : 20, h->rss, h->n, highest(h->rss, h->n) * 7 / 6, true);
	if (v->memory_total != 0 && v->memory_free <= v->memory_total) {
		text_size(used, sizeof(used), v->memory_total - v->memory_free);
		text_size(total, sizeof(total), v->memory_total);
		if (strlen(used) > 1 && used[strlen(used) - 1] == total[strlen(total) - 1])
			used[strlen(used) - 1] = '\0';
		snprintf(mem, sizeof(mem), "MEM %s/%s", used, total);
		right = grid_put_right(g, row, right, ROLE_TEXT, mem) - 2;
	}
	snprintf(load, sizeof(load), "CPU %4u%%", (unsigned)(cpu / 10));
	if (s->lay.wide)
		grid_put(g, row, 60, 12, ROLE_TEXT, load);
	else
		grid_put_right(g, row, right, ROLE_TEXT, load);
}

void
ui_pane_head(struct ui_state *s, struct grid *g, const struct view *v, const struct ui_link_state *link, uint64_t now)
{
	const struct view_engine *e = ui_engine(s, v);
	uint64_t core = view_now(v, now);

	if (s->lay.short_head && s->lay.models > 0 && s->screen != SCREEN_LINK_DOWN) {
		ui_pane_models(s, g, v, core);
		return;
	}
	if (s->lay.short_head) {
		ui_head_narrow(s, g, v, e, link, now);
		return;
	}
	title_row(s, g, v, link, now);
	if (s->lay.models > 0 && s->screen != SCREEN_LINK_DOWN) {
		ui_pane_models(s, g, v, core);
	} else {
		state_row(s, g, v, e, core);
		ui_head_detail(s, g, v, e, link, now);
	}
	tokens_row(s, g, v, e);
	memory_row(s, g, v, e);
	if (s->screen == SCREEN_LINK_DOWN)
		for (int r = s->lay.use_row; r < s->lay.head_rows; r++)
			grid_set_role(g, r, 0, g->cols, ROLE_MUTED);
}
