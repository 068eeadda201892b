/* SPDX-License-Identifier: ISC
 * Search, filter and file name on the message row, each with what was typed before. */
#include "ui/ui_prompt.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

const char *
ui_prompt_label(const struct ui_state *s)
{
	static const char *const labels[PROMPT_N] = {"", "search (~ regex): ", "filter (! inverts, ~ regex): ",
		"save to: "};
	static const char *const small[PROMPT_N] = {"", "/ ", "& ", "S "};

	return s->lay.narrow || s->lay.micro ? small[s->prompt] : labels[s->prompt];
}

static void
file_name(char *out, size_t size)
{
	time_t t = (time_t)(clock_wall_ms() / 1000);
	char when[32] = "";
	struct tm tm;

	if (localtime_r(&t, &tm) != NULL)
		strftime(when, sizeof(when), "-%Y%m%d-%H%M%S", &tm);
	snprintf(out, size, "mai%s.log", when);
}

void
ui_prompt_open(struct ui_state *s, enum ui_prompt p)
{
	char name[64];

	s->prompt = p;
	ui_edit_clear(&s->edit);
	s->past[p].at = s->past[p].n;
	if (p == PROMPT_SEARCH) {
		ui_edit_offer(&s->edit, s->log.search.text);
	} else if (p == PROMPT_FILTER) {
		/* Of a search only its matches may be wanted. */
		ui_edit_offer(&s->edit, s->log.filter.text[0] != '\0' ? s->log.filter.text : s->log.search.text);
	} else if (p == PROMPT_SAVE) {
		file_name(name, sizeof(name));
		ui_edit_offer(&s->edit, name);
	}
}

static void
remember(struct ui_past *p, const char *text)
{
	if (text[0] == '\0' || (p->n > 0 && strcmp(p->text[p->n - 1], text) == 0))
		return;
	if (p->n == UI_HISTORY)
		memmove(p->text[0], p->text[1], sizeof(p->text[0]) * (size_t)--p->n);
	snprintf(p->text[p->n++], sizeof(p->text[0]), "%s", text);
}

static void
recall(struct ui_state *s, int by)
{
	struct ui_past *p = &s->past[s->prompt];
	int at = p->at + by;

	if (at < 0 || at > p->n)
		return;
	p->at = at;
	ui_edit_set(&s->edit, at < p->n ? p->text[at] : "");
}

static bool
is_for_error(enum ui_jump what)
{
	return what == JUMP_ERROR || what == JUMP_ERROR_BACK || what == JUMP_FAILURE;
}

void
ui_prompt_told(struct ui_state *s, const struct view_log *log, enum ui_jump what, enum ui_found found,
    uint64_t now)
{
	struct err e = {{0}};

	if (found == UI_IS_LAST)
		ui_say(s, UI_MSG_INFO, now, "it failed with this; e goes to the next error, E to the one before");
	if (found != UI_NOT_FOUND)
		return;
	if (is_for_error(what)) {
		ui_say(s, UI_MSG_INFO, now, s->log.mask != UI_LOG_ALL || s->log.filter.text[0] != '\0' || s->log.since != 0 ?
		    "no error among the lines that are shown" : "no error in the log");
		return;
	}
	ui_say(s, UI_MSG_WARN, now, "nothing found for %s", s->log.search.text);
	if (ui_log_set_search(&s->log, log, "", &e) != 0)
		s->log.hit = 0;
}

void
ui_prompt_jump(struct ui_state *s, struct view_log *log, enum ui_jump what, uint64_t now)
{
	if (!is_for_error(what) && s->log.search.text[0] == '\0') {
		ui_say(s, UI_MSG_INFO, now, "nothing to search for; / starts a search");
		return;
	}
	ui_prompt_told(s, log, what, ui_log_jump(&s->log, log, what), now);
}

void
ui_prompt_apply(struct ui_state *s, enum ui_prompt p, const char *text, struct view_log *log, uint64_t now,
    struct ui_intent *out)
{
	struct err e = {{0}};
	int rc = 0;

	remember(&s->past[p], text);
	/* What the last one came to is no answer to this one. */
	s->msg.at = 0;
	switch (p) {
	case PROMPT_FILTER:
		rc = ui_log_set_filter(&s->log, log, text, &e);
		break;
	case PROMPT_SEARCH:
		rc = ui_log_set_search(&s->log, log, text, &e);
		break;
	case PROMPT_SAVE:
		if (text[0] == '\0')
			break;
		snprintf(s->arg, sizeof(s->arg), "%s", text);
		*out = (struct ui_intent){.kind = UI_SAVE, .path = s->arg};
		break;
	case PROMPT_NONE:
	case PROMPT_N:
		break;
	}
	if (rc != 0)
		ui_say(s, UI_MSG_WARN, now, "%s", e.msg);
	/* What a slice finds shows in this very frame. */
	ui_log_scan(&s->log, log, clock_us() + UI_SLICE_US);
	if (rc == 0 && p == PROMPT_SEARCH && s->log.search.text[0] != '\0')
		ui_prompt_jump(s, log, JUMP_NEAREST, now);
}

void
ui_prompt_key(struct ui_state *s, int key, struct view_log *log, uint64_t now, struct ui_intent *out)
{
	enum ui_prompt p = s->prompt;

	switch (key) {
	case UI_K_ENTER:
		s->prompt = PROMPT_NONE;
		ui_prompt_apply(s, p, s->edit.text, log, now, out);
		break;
	case UI_K_ESC:
	case 3:
		s->prompt = PROMPT_NONE;
		break;
	case UI_K_UP:
	case 16:
		recall(s, -1);
		break;
	case UI_K_DOWN:
	case 14:
		recall(s, 1);
		break;
	default:
		ui_edit_key(&s->edit, key);
		break;
	}
}
