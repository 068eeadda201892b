/* SPDX-License-Identifier: ISC
 * Moving in the log. */
#include "ui/ui_log.h"

#include <string.h>

void
ui_log_init(struct ui_log *s)
{
	memset(s, 0, sizeof(*s));
	s->mask = UI_LOG_ALL;
	s->follow = true;
}

void
ui_log_fini(struct ui_log *s)
{
	ui_pattern_clear(&s->filter);
	ui_pattern_clear(&s->search);
}

void
ui_log_sync(struct ui_log *s, const struct view_log *log)
{
	if (s->generation == view_log_generation(log))
		return;
	s->generation = view_log_generation(log);
	s->scanned = false;
	s->since = 0;
	s->jump = JUMP_NONE;
	ui_log_follow(s);
}

bool
ui_log_shows(const struct ui_log *s, const struct view_log *log, const struct view_line *l)
{
	if (l->dead || l->key <= s->since)
		return false;
	if (l->level == UI_LOG_MARK || l->level == UI_LOG_GAP)
		return true;
	/* What the screen said is kept, but in nobody's way. */
	if (l->note && s->mask != (1u << SOURCE_MAI))
		return false;
	if ((s->mask & (1u << l->source)) == 0 || (s->filter.text[0] != '\0' && l->filter != UI_YES))
		return false;
	return s->model[0] == '\0' || l->model == 0 || strcmp(view_log_model(log, l->model), s->model) == 0;
}

long
ui_log_step(const struct ui_log *s, const struct view_log *log, long i, int step)
{
	long n = (long)view_log_count(log);

	for (; i >= 0 && i < n; i += step)
		if (ui_log_shows(s, log, view_log_at(log, (size_t)i)))
			return i;
	return -1;
}

const struct view_line *
ui_log_selected(const struct ui_log *s, const struct view_log *log)
{
	long n = (long)view_log_count(log), i;

	if (s->follow) {
		i = ui_log_step(s, log, n - 1, -1);
	} else {
		i = ui_log_step(s, log, (long)view_log_find(log, s->cur), 1);
		if (i < 0)
			i = ui_log_step(s, log, n - 1, -1);
	}
	return i >= 0 ? view_log_at(log, (size_t)i) : NULL;
}

static uint64_t
last_key(const struct view_log *log)
{
	size_t n = view_log_count(log);

	return n > 0 ? view_log_at(log, n - 1)->key : 0;
}

/* The key of the line so many shown lines away from key, as far as there are any. */
static uint64_t
moved(const struct ui_log *s, const struct view_log *log, uint64_t key, int by)
{
	int step = by < 0 ? -1 : 1;
	long i = (long)view_log_find(log, key), next;

	for (; by != 0; by -= step) {
		next = ui_log_step(s, log, i + step, step);
		if (next < 0)
			break;
		i = next;
	}
	return i < (long)view_log_count(log) ? view_log_at(log, (size_t)i)->key : key;
}

void
ui_log_set_top(struct ui_log *s, uint64_t key)
{
	if (key != s->top)
		s->skip = 0;
	s->top = key;
}

void
ui_log_size(struct ui_log *s, int rows, int cols)
{
	if ((rows == s->rows && cols == s->cols) || s->follow) {
		s->rows = rows;
		s->cols = cols;
		return;
	}
	if (!s->sized) {
		s->home = s->top;
		s->home_skip = s->skip;
	}
	s->sized = true;
	s->rows = rows;
	s->cols = cols;
	s->top = s->home;
	s->skip = s->home_skip;
}

/* Whether what was last drawn is still what would be shown. */
static bool
still_shown(const struct ui_log *s, const struct view_log *log)
{
	size_t i = view_log_find(log, s->shown_end);
	const struct view_line *l = s->redrawn && s->shown_end != 0 ? view_log_at(log, i) : NULL;

	return l != NULL && l->key == s->shown_end && ui_log_shows(s, log, l);
}

void
ui_log_pause(struct ui_log *s, const struct view_log *log)
{
	const struct view_line *last = ui_log_selected(s, log);

	if (!s->follow)
		return;
	s->follow = false;
	s->auto_pause = false;
	s->below = 0;
	if (still_shown(s, log)) {
		s->cur = s->shown_end;
		s->top = s->shown_top;
		s->skip = s->shown_skip;
		s->paused_at = s->drawn_last;
		return;
	}
	s->cur = last != NULL ? last->key : last_key(log);
	s->top = moved(s, log, s->cur, s->rows > 1 ? 1 - s->rows : 0);
	s->skip = 0;
	s->paused_at = last_key(log);
}

void
ui_log_follow(struct ui_log *s)
{
	s->follow = true;
	s->at_error = s->auto_pause = s->sized = false;
	s->hit = 0;
}

/* Through a line that is higher than the pane. */
static bool
scroll_inside(struct ui_log *s, int by)
{
	int room = by > 0 ? s->below : s->top == s->cur ? s->skip : 0, rows = by > 0 ? by : -by;

	if (room == 0)
		return false;
	rows = rows < room ? rows : room;
	s->skip += by > 0 ? rows : -rows;
	s->below -= by > 0 ? rows : -rows;
	s->top = s->cur;
	return true;
}

void
ui_log_scroll(struct ui_log *s, const struct view_log *log, int by, bool page)
{
	uint64_t last;

	if (s->follow && by >= 0)
		return;
	ui_log_pause(s, log);
	s->at_error = s->auto_pause = false;
	if (scroll_inside(s, by))
		return;
	s->cur = moved(s, log, s->cur, by);
	if (!page)
		return;
	ui_log_set_top(s, moved(s, log, s->top, by));
	/* The last page is a full one. */
	last = moved(s, log, last_key(log), 1 - s->rows);
	if (by > 0 && s->top > last)
		ui_log_set_top(s, last);
}

void
ui_log_oldest(struct ui_log *s, const struct view_log *log)
{
	long i = ui_log_step(s, log, 0, 1);

	ui_log_pause(s, log);
	s->at_error = s->auto_pause = false;
	s->skip = 0;
	if (i >= 0)
		s->top = s->cur = view_log_at(log, (size_t)i)->key;
}

void
ui_log_select(struct ui_log *s, const struct view_log *log, uint64_t key)
{
	ui_log_pause(s, log);
	s->at_error = s->auto_pause = false;
	s->cur = key;
}

void
ui_log_set_mask(struct ui_log *s, unsigned mask)
{
	s->mask = mask;
	s->at_error = s->redrawn = false;
}

void
ui_log_set_wrap(struct ui_log *s, bool on)
{
	s->wrap = on;
	s->hscroll = 0;
	s->redrawn = false;
}

/* Whether something is shown behind what is hidden, but for what the screen itself said. */
static bool
has_come(const struct ui_log *s, const struct view_log *log)
{
	for (long i = (long)view_log_count(log); (i = ui_log_step(s, log, i - 1, -1)) >= 0;)
		if (!view_log_at(log, (size_t)i)->note || view_log_at(log, (size_t)i)->level == UI_LOG_MARK)
			return true;
	return false;
}

void
ui_log_put_away(struct ui_log *s, const struct view_log *log, uint64_t wall_ms)
{
	uint64_t last = last_key(log);

	if (s->since != 0 && !has_come(s, log)) {
		s->since = s->since_wall = 0;
		return;
	}
	s->since = last;
	s->since_wall = wall_ms;
	s->jump = JUMP_NONE;
	ui_log_follow(s);
}

void
ui_log_show(struct ui_log *s, const struct view_log *log, long i, int before)
{
	long up;

	ui_log_pause(s, log);
	s->sized = false;
	s->cur = view_log_at(log, (size_t)i)->key;
	for (; before > 0; before--) {
		up = ui_log_step(s, log, i - 1, -1);
		if (up < 0)
			break;
		i = up;
	}
	s->top = view_log_at(log, (size_t)i)->key;
	s->skip = 0;
}
