/* SPDX-License-Identifier: ISC
 * Jumps to search hits and to errors. What has not been looked at yet may hold a nearer one; then the jump waits. */
#include "ui/ui_log.h"

#include <string.h>

/* Positions of what is looked for: the nearest before and behind a key, the first and the last of all; -1: none. */
struct spots {
	long before, behind, first, last;
};

static void
add_spot(struct spots *p, long i, uint64_t key, uint64_t at, bool at_counts)
{
	if (key < at || (key == at && at_counts))
		p->before = i;
	else if (key > at && p->behind < 0)
		p->behind = i;
	if (p->first < 0)
		p->first = i;
	p->last = i;
}

static struct spots
find_hits(const struct ui_log *s, const struct view_log *log, uint64_t at, bool at_counts)
{
	struct spots p = {-1, -1, -1, -1};

	for (size_t i = 0; i < view_log_count(log); i++) {
		const struct view_line *l = view_log_at(log, i);

		if (l->search == UI_YES && ui_log_shows(s, log, l))
			add_spot(&p, (long)i, l->key, at, at_counts);
	}
	return p;
}

bool
ui_log_in_error(const struct view_line *l, bool in)
{
	return l->level == 'E' || (in && (l->text[0] == ' ' || l->text[0] == '\t'));
}

/* Errors come in runs (a traceback): the first line of each is the spot. */
static struct spots
find_errors(const struct ui_log *s, const struct view_log *log, uint64_t at)
{
	struct spots p = {-1, -1, -1, -1};
	bool in = false;

	for (size_t i = 0; i < view_log_count(log); i++) {
		const struct view_line *l = view_log_at(log, i);

		if (!ui_log_shows(s, log, l))
			continue;
		if (l->level == 'E' && !in)
			add_spot(&p, (long)i, l->key, at, false);
		in = ui_log_in_error(l, in);
	}
	return p;
}

static enum ui_found
wait(struct ui_log *s, enum ui_jump what)
{
	s->jump = what;
	return UI_NOT_YET;
}

static enum ui_found
jump_search(struct ui_log *s, const struct view_log *log, enum ui_jump what)
{
	uint64_t at = s->hit != 0 ? s->hit : s->follow ? UINT64_MAX : what == JUMP_NEAREST ? s->shown_end : s->cur;
	struct spots p = find_hits(s, log, at, what == JUMP_NEAREST);
	bool scanned = ui_log_scanned(s, log), known = scanned && !s->older;
	long i;

	if (what == JUMP_NEXT) {
		/* Everything newer was looked at first, unless the scan has not come as far down. */
		if (!scanned && s->lo > at)
			return wait(s, what);
		i = p.behind >= 0 ? p.behind : p.first;
		if (p.behind < 0 && !known)
			return wait(s, what);
	} else {
		i = p.before >= 0 ? p.before : p.last;
		if (p.before < 0 && !known)
			return wait(s, what);
	}
	if (i < 0)
		return UI_NOT_FOUND;
	ui_log_show(s, log, i, s->rows / 2);
	s->at_error = false;
	s->hit = s->cur;
	return UI_FOUND;
}

bool
ui_log_at_cause(const struct ui_log *s)
{
	return s->at_error && s->cur == s->cause;
}

static enum ui_found
jump_error(struct ui_log *s, const struct view_log *log, enum ui_jump what, uint64_t at)
{
	struct spots p = find_errors(s, log, at);
	bool was_auto = s->auto_pause, back = what == JUMP_ERROR_BACK || s->follow;
	long i = back ? p.before : p.behind;

	/* Who asks for the last error of a failure has it before him. */
	if (!back && was_auto && ui_log_at_cause(s)) {
		s->auto_pause = false;
		return UI_IS_LAST;
	}
	if (i < 0 && (s->older || !ui_log_scanned(s, log)) && (back || p.first < 0))
		return wait(s, what);
	if (i < 0)
		i = back ? p.last : p.first;
	if (i < 0)
		return UI_NOT_FOUND;
	ui_log_show(s, log, i, 2);
	s->auto_pause = was_auto;
	s->at_error = true;
	return UI_FOUND;
}

static bool
is_of(const struct view_log *log, const struct view_line *l, const char *model)
{
	return !l->dead && !l->note && (l->model == 0 || strcmp(view_log_model(log, l->model), model) == 0);
}

/* Position of the line with which the last run of a model began; -1: it is not there. */
static long
run_began(const struct view_log *log, const char *model)
{
	for (long i = (long)view_log_count(log); i-- > 0;) {
		const struct view_line *l = view_log_at(log, (size_t)i);

		if (is_of(log, l, model) && l->source == SOURCE_MAI &&
		    (strncmp(l->text, "starting ", 9) == 0 || strstr(l->text, "-> starting") != NULL))
			return i;
	}
	return -1;
}

/* What a run died of: of one that never got ready the engine's first error, from which the others follow; of one that did
 * the last, for earlier ones may be years old. Without any, what mai says of it; never what became of requests. */
static long
find_cause(const struct ui_log *s, const struct view_log *log, const char *model, long from)
{
	long first = -1, last = -1, said = -1;
	bool ready = from < 0, in = false;

	for (long i = from < 0 ? 0 : from; i < (long)view_log_count(log); i++) {
		const struct view_line *l = view_log_at(log, (size_t)i);

		if (!is_of(log, l, model) || l->source == SOURCE_ACCESS)
			continue;
		if (l->source == SOURCE_MAI) {
			ready = ready || strstr(l->text, "-> ready") != NULL;
			in = false;
			if (said < 0 && l->level != ' ' && ui_log_shows(s, log, l))
				said = i;
			continue;
		}
		if (l->level == 'E' && !in && ui_log_shows(s, log, l)) {
			last = i;
			first = first < 0 ? i : first;
		}
		in = ui_log_in_error(l, in);
	}
	return first < 0 ? said : ready ? last : first;
}

enum ui_found
ui_log_show_failure(struct ui_log *s, const struct view_log *log, const char *model)
{
	long from = run_began(log, model), i = find_cause(s, log, model, from);

	if ((from < 0 && s->older) || (i < 0 && !ui_log_scanned(s, log)))
		return UI_NOT_YET;
	if (i < 0)
		return UI_NOT_FOUND;
	if (!s->follow && s->cur == view_log_at(log, (size_t)i)->key)
		return UI_IS_LAST;
	ui_log_show(s, log, i, 2);
	s->cause = s->cur;
	s->at_error = view_log_at(log, (size_t)i)->level == 'E';
	return UI_FOUND;
}

/* Who has the line before him is told so once, when it came by itself, and goes on to the next error. */
static enum ui_found
jump_failure(struct ui_log *s, const struct view_log *log)
{
	enum ui_found found = ui_log_show_failure(s, log, s->failed);

	if (found == UI_IS_LAST && !s->auto_pause)
		return jump_error(s, log, JUMP_ERROR, s->cur);
	s->auto_pause = s->auto_pause && found != UI_IS_LAST;
	return found == UI_NOT_YET ? wait(s, JUMP_FAILURE) : found;
}

enum ui_found
ui_log_jump(struct ui_log *s, const struct view_log *log, enum ui_jump what)
{
	s->jump = JUMP_NONE;
	switch (what) {
	case JUMP_NONE:
		return UI_NOT_FOUND;
	case JUMP_ERROR:
	case JUMP_ERROR_BACK:
		return jump_error(s, log, what, s->follow ? UINT64_MAX :
		    s->at_error || what == JUMP_ERROR_BACK ? s->cur : s->top);
	case JUMP_FAILURE:
		return jump_failure(s, log);
	default:
		return jump_search(s, log, what);
	}
}

enum ui_found
ui_log_settle(struct ui_log *s, const struct view_log *log)
{
	return s->jump != JUMP_NONE ? ui_log_jump(s, log, s->jump) : UI_NOT_YET;
}
