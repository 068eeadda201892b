/* SPDX-License-Identifier: ISC
 * Filter and search over the log copy. Each line is matched once and remembers the outcome; a large copy is gone
 * through in slices, so that it never holds up a key. */
#include "base/clock.h"
#include "ui/ui_log.h"

#define LOOK_EVERY 16	/* lines between two looks at the clock */

static void
forget(struct ui_log *s, const struct view_log *log, bool filter)
{
	for (size_t i = 0; i < view_log_count(log); i++) {
		struct view_line *l = view_log_at(log, i);

		if (filter)
			l->filter = UI_UNKNOWN;
		else
			l->search = UI_UNKNOWN;
	}
	s->scanned = false;
	s->jump = JUMP_NONE;
}

int
ui_log_set_filter(struct ui_log *s, const struct view_log *log, const char *text, struct err *e)
{
	forget(s, log, true);
	s->redrawn = false;
	return ui_pattern_set(&s->filter, text, e);
}

int
ui_log_set_search(struct ui_log *s, const struct view_log *log, const char *text, struct err *e)
{
	forget(s, log, false);
	s->hit = 0;
	return ui_pattern_set(&s->search, text, e);
}

static void
look_at(struct ui_log *s, struct view_line *l)
{
	if (l->dead)
		return;
	if (s->filter.text[0] != '\0' && l->filter == UI_UNKNOWN)
		l->filter = ui_pattern_match(&s->filter, l->text, l->len) ? UI_YES : UI_NO;
	if (s->search.text[0] != '\0' && l->search == UI_UNKNOWN)
		l->search = ui_pattern_match(&s->search, l->text, l->len) ? UI_YES : UI_NO;
}

static bool
late(size_t n, uint64_t until_us)
{
	return n % LOOK_EVERY == LOOK_EVERY - 1 && clock_us() >= until_us;
}

bool
ui_log_scan(struct ui_log *s, const struct view_log *log, uint64_t until_us)
{
	size_t n = view_log_count(log), done = 0, i;

	if (n == 0 || (s->filter.text[0] == '\0' && s->search.text[0] == '\0'))
		return false;
	if (!s->scanned || s->hi < view_log_at(log, 0)->key) {
		s->scanned = true;
		s->hi = view_log_at(log, n - 1)->key;
		s->lo = s->hi + 1;
	}
	for (i = view_log_find(log, s->hi + 1); i < n; i++) {
		look_at(s, view_log_at(log, i));
		s->hi = view_log_at(log, i)->key;
		if (late(done++, until_us))
			return true;
	}
	for (i = view_log_find(log, s->lo); i-- > 0;) {
		look_at(s, view_log_at(log, i));
		s->lo = view_log_at(log, i)->key;
		if (late(done++, until_us))
			return i != 0;
	}
	return false;
}

bool
ui_log_scanned(const struct ui_log *s, const struct view_log *log)
{
	size_t n = view_log_count(log);

	return n == 0 || (s->filter.text[0] == '\0' && s->search.text[0] == '\0') ||
	    (s->scanned && s->lo <= view_log_at(log, 0)->key && s->hi >= view_log_at(log, n - 1)->key);
}

/* Whether older lines than those of the copy would be seen, searched or filtered. */
static bool
wants_older(const struct ui_log *s, const struct view_log *log)
{
	long i;
	int n = 0;

	if (!s->older || s->since != 0)
		return false;
	if (s->filter.text[0] != '\0' || s->search.text[0] != '\0' || s->jump != JUMP_NONE || s->at_error ||
	    s->want_failure)
		return true;
	i = s->follow ? (long)view_log_count(log) : (long)view_log_find(log, s->top);
	while (n <= s->rows && (i = ui_log_step(s, log, i - 1, -1)) >= 0)
		n++;
	return n <= s->rows;
}

void
ui_log_count(struct ui_log *s, const struct view_log *log)
{
	bool error = false, filter = s->filter.text[0] != '\0', search = s->search.text[0] != '\0';

	s->hidden = s->fresh = 0;
	s->hit_n = s->hit_of = s->error_n = s->error_of = 0;
	s->wants_older = wants_older(s, log);
	if (s->follow && !filter && !search)
		return;
	for (size_t i = 0; i < view_log_count(log); i++) {
		const struct view_line *l = view_log_at(log, i);

		if (!ui_log_shows(s, log, l)) {
			s->hidden += filter && !l->dead && l->filter == UI_NO && (s->mask & (1u << l->source)) != 0;
			continue;
		}
		s->fresh += l->key > s->paused_at;
		s->hit_of += search && l->search == UI_YES;
		if (l->key <= s->hit)
			s->hit_n = s->hit_of;
		s->error_of += l->level == 'E' && !error;
		error = ui_log_in_error(l, error);
		if (l->key <= s->cur)
			s->error_n = s->error_of;
	}
}
