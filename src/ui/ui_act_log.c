/* SPDX-License-Identifier: ISC
 * What is done with the log. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "ui/ui_act.h"
#include "ui/ui_prompt.h"

#define COPY_MAX 8192	/* what terminals take */

static void
mark(struct ui_state *s, struct view_log *log, uint64_t now)
{
	char clock[16], text[32];

	if (!s->log.follow) {
		ui_say(s, UI_MSG_INFO, now, "paused; while following, Enter puts a mark here");
		return;
	}
	ui_wall_time(clock, sizeof(clock), clock_wall_ms());
	snprintf(text, sizeof(text), "mark %s", clock);
	view_log_note(log, clock_wall_ms(), SOURCE_MAI, UI_LOG_MARK, text);
}

/* A line; of what a model died of all of it. */
static void
copy_line(struct ui_state *s, const struct view_log *log, uint64_t now)
{
	const struct view_line *l = ui_log_selected(&s->log, log);
	bool error = s->screen == SCREEN_FAILED && s->log.at_error;

	strbuf_clear(&s->copy);
	if (l == NULL) {
		ui_say(s, UI_MSG_INFO, now, "nothing to copy");
		return;
	}
	s->copy.max = COPY_MAX;
	text_clean(&s->copy, l->text, l->len, COPY_MAX - 3);
	for (size_t i = view_log_find(log, l->key) + 1; error && i < view_log_count(log); i++) {
		l = view_log_at(log, i);
		if (!ui_log_shows(&s->log, log, l))
			continue;
		if (!ui_log_in_error(l, true))
			break;
		strbuf_putc(&s->copy, '\n');
		text_clean(&s->copy, l->text, l->len, COPY_MAX);
	}
	s->copy.max = 0;
}

static void
copy_screen(struct ui_state *s, const struct view_log *log, uint64_t now)
{
	strbuf_clear(&s->copy);
	s->copy.max = COPY_MAX;
	for (size_t i = view_log_find(log, s->log.shown_top); s->log.shown_top != 0 && i < view_log_count(log); i++) {
		const struct view_line *l = view_log_at(log, i);

		if (l->key > s->log.shown_end)
			break;
		if (!ui_log_shows(&s->log, log, l))
			continue;
		text_clean(&s->copy, l->text, l->len, COPY_MAX);
		strbuf_putc(&s->copy, '\n');
	}
	s->copy.max = 0;
	if (s->copy.len == 0)
		ui_say(s, UI_MSG_INFO, now, "nothing to copy");
}

static void
follow(struct ui_log *l, const struct view_log *log)
{
	if (l->follow)
		ui_log_pause(l, log);
	else
		ui_log_follow(l);
}

static void
stamps(struct ui_state *s, uint64_t now)
{
	static const char *const words[UI_NSTAMPS] = {"by the clock", "how long ago", "off"};

	s->log.stamp = (enum ui_stamp)((s->log.stamp + 1) % UI_NSTAMPS);
	ui_say(s, UI_MSG_INFO, now, "time: %s", words[s->log.stamp]);
}

static void
put_away(struct ui_state *s, const struct view_log *log, uint64_t now)
{
	ui_log_put_away(&s->log, log, clock_wall_ms());
	ui_say(s, UI_MSG_INFO, now, s->log.since != 0 ? "older lines are hidden; C again or Esc brings them back" :
	    "older lines are back");
}

static void
source(struct ui_state *s, enum ui_action a)
{
	static const unsigned masks[] = {UI_LOG_ALL, 1u << SOURCE_CHILD, 1u << SOURCE_MAI, 1u << SOURCE_ACCESS};

	ui_log_set_mask(&s->log, masks[a - ACT_SRC_ALL]);
}

/* What a model that is down died of, whichever source is shown. */
static void
last_error(struct ui_state *s, const struct view_engine *e, struct view_log *log, uint64_t now)
{
	if ((s->log.mask & (1u << SOURCE_CHILD)) == 0)
		ui_log_set_mask(&s->log, UI_LOG_ALL);
	snprintf(s->log.failed, sizeof(s->log.failed), "%s", e->id);
	ui_prompt_jump(s, log, JUMP_FAILURE, now);
	s->log.auto_pause = s->screen == SCREEN_FAILED && ui_log_at_cause(&s->log);
}

bool
ui_act_log(struct ui_state *s, enum ui_action a, const struct view *v, struct view_log *log, uint64_t now)
{
	/* The view may be newer than the screen: the model that is shown may be gone. */
	const struct view_engine *e = ui_engine(s, v);

	switch (a) {
	case ACT_FOLLOW:
		follow(&s->log, log);
		return true;
	case ACT_WRAP:
		ui_log_set_wrap(&s->log, !s->log.wrap);
		return true;
	case ACT_STAMPS:
		stamps(s, now);
		return true;
	case ACT_SRC_ALL:
	case ACT_SRC_CHILD:
	case ACT_SRC_MAI:
	case ACT_SRC_ACCESS:
		source(s, a);
		return true;
	case ACT_SEARCH:
		ui_prompt_open(s, PROMPT_SEARCH);
		return true;
	case ACT_FILTER:
		ui_prompt_open(s, PROMPT_FILTER);
		return true;
	case ACT_SAVE:
		ui_prompt_open(s, PROMPT_SAVE);
		return true;
	case ACT_NEXT:
	case ACT_PREVIOUS:
		ui_prompt_jump(s, log, a == ACT_NEXT ? JUMP_NEXT : JUMP_PREVIOUS, now);
		return true;
	case ACT_ERROR:
		if (!s->log.at_error && e != NULL && (s->screen == SCREEN_FAILED || s->screen == SCREEN_BACKOFF))
			last_error(s, e, log, now);
		else
			ui_prompt_jump(s, log, JUMP_ERROR, now);
		return true;
	case ACT_ERROR_BACK:
		ui_prompt_jump(s, log, JUMP_ERROR_BACK, now);
		return true;
	case ACT_ENTER:
		mark(s, log, now);
		return true;
	case ACT_COPY:
		copy_line(s, log, now);
		return true;
	case ACT_COPY_SCREEN:
		copy_screen(s, log, now);
		return true;
	case ACT_PUT_AWAY:
		put_away(s, log, now);
		return true;
	default:
		return false;
	}
}
