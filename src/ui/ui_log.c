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

bool
ui_log_shows(const struct ui_log *s, const struct view_line *l)
{
	return (s->mask & (1u << l->source)) != 0 && ui_pattern_match(&s->filter, l->text);
}

long
ui_log_step(const struct ui_log *s, const struct view_log *log, long i, int step)
{
	long n = (long)view_log_count(log);

	for (; i >= 0 && i < n; i += step)
		if (ui_log_shows(s, view_log_at(log, (size_t)i)))
			return i;
	return -1;
}

static uint64_t
last_seq(const struct view_log *log)
{
	size_t n = view_log_count(log);

	return n > 0 ? view_log_at(log, n - 1)->seq : 0;
}

void
ui_log_pause(struct ui_log *s, const struct view_log *log)
{
	if (!s->follow)
		return;
	s->follow = false;
	s->auto_pause = false;
	s->top = s->shown_top;
	s->paused_at = last_seq(log);
}

void
ui_log_follow(struct ui_log *s)
{
	s->follow = true;
	s->at_error = s->auto_pause = false;
	s->hit = 0;
}

void
ui_log_scroll(struct ui_log *s, const struct view_log *log, int by)
{
	long i, next;
	int step = by < 0 ? -1 : 1;

	if (s->follow && by >= 0)
		return;
	ui_log_pause(s, log);
	s->at_error = s->auto_pause = false;
	i = (long)view_log_find(log, s->top);
	for (; by != 0; by -= step) {
		next = ui_log_step(s, log, i + step, step);
		if (next < 0)
			break;
		i = next;
	}
	if ((size_t)i < view_log_count(log))
		s->top = view_log_at(log, (size_t)i)->seq;
}

void
ui_log_oldest(struct ui_log *s, const struct view_log *log)
{
	ui_log_pause(s, log);
	s->at_error = s->auto_pause = false;
	if (view_log_count(log) > 0)
		s->top = view_log_at(log, 0)->seq;
}

void
ui_log_set_mask(struct ui_log *s, unsigned mask)
{
	s->mask = mask;
	s->hidden = s->counted_to = 0;
	s->at_error = false;
}

uint64_t
ui_log_new_lines(const struct ui_log *s, const struct view_log *log)
{
	uint64_t n = 0;

	for (size_t i = view_log_find(log, s->paused_at + 1); i < view_log_count(log); i++)
		n += ui_log_shows(s, view_log_at(log, i));
	return n;
}

/* Puts the anchor so that some lines before i are seen too. */
static void
show_at(struct ui_log *s, const struct view_log *log, long i, int before)
{
	long up;

	ui_log_pause(s, log);
	for (; before > 0; before--) {
		up = ui_log_step(s, log, i - 1, -1);
		if (up < 0)
			break;
		i = up;
	}
	s->top = view_log_at(log, (size_t)i)->seq;
}

static bool
is_error(const struct ui_log *s, const struct view_line *l)
{
	return l->level == 'E' && ui_log_shows(s, l);
}

/* Walks over the runs of error lines: calls them 1..n and returns n; where[0] becomes the position of the first one at
 * or behind seq, where[1] of the last one before it, where[2] of the last (-1: none), with their numbers in no[]. */
static int
error_runs(const struct ui_log *s, const struct view_log *log, uint64_t seq, long where[3], int no[3])
{
	bool in = false;
	int n = 0;

	where[0] = where[1] = where[2] = -1;
	no[0] = no[1] = no[2] = 0;
	for (size_t i = 0; i < view_log_count(log); i++) {
		const struct view_line *l = view_log_at(log, i);

		if (!ui_log_shows(s, l))
			continue;
		if (l->level == 'E' && !in) {
			int slot = l->seq >= seq ? 0 : 1;

			n++;
			if (slot == 1 || where[0] < 0) {
				where[slot] = (long)i;
				no[slot] = n;
			}
			where[2] = (long)i;
			no[2] = n;
		}
		in = l->level == 'E';
	}
	return n;
}

static void
show_error(struct ui_log *s, const struct view_log *log, long i, int n, int of)
{
	bool was_auto = s->auto_pause;

	show_at(s, log, i, 2);
	s->auto_pause = was_auto;
	s->at_error = true;
	s->error_n = n;
	s->error_of = of;
	s->hit = view_log_at(log, (size_t)i)->seq;
}

bool
ui_log_error(struct ui_log *s, const struct view_log *log, int dir)
{
	uint64_t from = s->at_error ? s->hit : s->top;
	long where[3];
	int no[3], n, slot = 2;

	n = error_runs(s, log, dir > 0 && s->at_error ? from + 1 : from, where, no);
	if (n == 0)
		return false;
	if (!s->follow && dir > 0 && where[0] >= 0)
		slot = 0;
	else if (!s->follow && dir < 0 && where[1] >= 0)
		slot = 1;
	else if (!s->follow && dir > 0) {
		error_runs(s, log, 0, where, no);
		slot = 0;
	}
	show_error(s, log, where[slot], no[slot], n);
	return true;
}

bool
ui_log_failure(struct ui_log *s, const struct view_log *log, uint64_t wall_ms)
{
	size_t i = 0;
	long where[3];
	int no[3], n;

	while (i < view_log_count(log) && (view_log_at(log, i)->wall_ms < wall_ms || !is_error(s, view_log_at(log, i))))
		i++;
	if (i == view_log_count(log))
		return false;
	n = error_runs(s, log, view_log_at(log, i)->seq, where, no);
	if (where[0] < 0)
		where[0] = where[2], no[0] = no[2];
	show_error(s, log, where[0], no[0], n);
	s->auto_pause = true;
	return true;
}

bool
ui_log_find(struct ui_log *s, const struct view_log *log, int dir)
{
	uint64_t at = s->hit != 0 ? s->hit : s->follow ? UINT64_MAX : s->top;
	long best = -1, first = -1, last = -1;
	int n = 0, best_n = 0;

	for (size_t i = 0; i < view_log_count(log); i++) {
		const struct view_line *l = view_log_at(log, i);

		if (!ui_log_shows(s, l) || !ui_pattern_match(&s->search, l->text))
			continue;
		n++;
		first = first < 0 ? (long)i : first;
		last = (long)i;
		if ((dir == 0 && l->seq <= at) || (dir < 0 && l->seq < at) || (dir > 0 && l->seq > at && best < 0)) {
			best = (long)i;
			best_n = n;
		}
	}
	if (n == 0)
		return false;
	if (best < 0) {
		best = dir > 0 ? first : last;
		best_n = dir > 0 ? 1 : n;
	}
	show_at(s, log, best, s->rows / 2);
	s->at_error = false;
	s->hit = view_log_at(log, (size_t)best)->seq;
	s->hit_n = best_n;
	s->hit_of = n;
	return true;
}

void
ui_log_count_hidden(struct ui_log *s, const struct view_log *log)
{
	if (s->filter.text[0] == '\0') {
		s->hidden = s->counted_to = 0;
		return;
	}
	for (size_t i = view_log_find(log, s->counted_to + 1); i < view_log_count(log); i++) {
		const struct view_line *l = view_log_at(log, i);

		s->hidden += (s->mask & (1u << l->source)) != 0 && !ui_log_shows(s, l);
		s->counted_to = l->seq;
	}
}
