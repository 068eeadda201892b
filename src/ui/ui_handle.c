/* SPDX-License-Identifier: ISC
 * Where a key goes: into a paste, a prompt, a popup, or to what it does by the table. */
#include <stdio.h>
#include <string.h>

#include "ui/ui_act.h"
#include "ui/ui_prompt.h"

#define PASTE_PAUSE_MS 300

/* Closes what is open, innermost first; never quits. */
static void
escape(struct ui_state *s, const struct view_log *log)
{
	struct err e = {{0}};
	int rc = 0;

	if (s->log.search.text[0] != '\0') {
		rc = ui_log_set_search(&s->log, log, "", &e);
	} else if (s->log.filter.text[0] != '\0') {
		rc = ui_log_set_filter(&s->log, log, "", &e);
	} else if (s->zoom != ZOOM_NONE) {
		s->zoom = ZOOM_NONE;
	} else if (s->log.since != 0) {
		s->log.since = 0;
	} else if (s->model[0] != '\0') {
		s->model[0] = '\0';
		s->target = 0;
	} else if (s->focus != FOCUS_LOG) {
		s->focus = FOCUS_LOG;
		s->focus_kept = false;
	}
	if (rc != 0)
		s->log.hit = 0;
}

static void
quit(struct ui_state *s, int key, uint64_t now, struct ui_intent *out)
{
	if (s->quitting && key == 3)
		*out = (struct ui_intent){.kind = UI_KILL};
	else if (s->quitting)
		ui_say(s, UI_MSG_WARN, now, "stopping already; ^C kills the engines now, d leaves");
	else if (s->foreground && s->link == UI_LINK_UP)
		ui_popup_open(s, POPUP_QUIT, NULL, 0, now);
	else
		ui_send(s, out, UI_DETACH, NULL, 0, now);
}

static void
sort(struct ui_state *s, uint64_t now)
{
	static const char *const words[SORT_N] = {"age", "tokens", "rate"};

	s->sort = (enum ui_sort)((s->sort + 1) % SORT_N);
	ui_say(s, UI_MSG_INFO, now, "requests by %s", words[s->sort]);
}

static void
act_view(struct ui_state *s, enum ui_action a, int key, const struct view_log *log, uint64_t now,
    struct ui_intent *out)
{
	switch (a) {
	case ACT_REDRAW:
		s->redraw = true;
		break;
	case ACT_SUSPEND:
		s->suspend = true;
		break;
	case ACT_DETACH:
		ui_send(s, out, UI_DETACH, NULL, 0, now);
		break;
	case ACT_HELP:
		ui_popup_open(s, POPUP_HELP, NULL, 0, now);
		break;
	case ACT_PALETTE:
	case ACT_SET:
		ui_popup_open(s, POPUP_PALETTE, NULL, 0, now);
		break;
	case ACT_MOUSE:
		s->mouse = !s->mouse;
		s->mouse_set = true;
		ui_say(s, UI_MSG_INFO, now, s->mouse ? "mouse on; Shift selects text, M turns it off" : "mouse off");
		break;
	case ACT_SORT:
		sort(s, now);
		break;
	case ACT_QUIT:
		quit(s, key, now, out);
		break;
	case ACT_ESCAPE:
		escape(s, log);
		break;
	default:
		ui_say(s, UI_MSG_INFO, now, "unknown key; ? shows all");
		break;
	}
}

void
ui_act(struct ui_state *s, enum ui_action a, int key, const struct view *v, struct view_log *log, uint64_t now,
    struct ui_intent *out)
{
	const struct view_engine *e = ui_engine(s, v);

	if (a == ACT_ENTER && s->focus == FOCUS_REQUESTS)
		a = ACT_DETAILS;
	/* The key is for both, the commands are not. */
	if (a == ACT_PIN && key != 0 && e != NULL && e->pinned)
		a = ACT_UNPIN;
	if (a == ACT_NONE || (!ui_act_model(s, a, v, now, out) && !ui_act_move(s, a, v, log) &&
	    !ui_act_log(s, a, v, log, now)))
		act_view(s, a, key, log, now, out);
}

/* A paste is text for a text field and nothing anywhere else. */
static bool
paste_key(struct ui_state *s, int key, uint64_t now)
{
	bool field = s->prompt != PROMPT_NONE || ui_popup_types(s);
	bool paused = s->pasting && now > s->pasted_at + PASTE_PAUSE_MS;

	/* Its end may have been lost: Esc, after a pause, is a person's. Who presses something else is told. */
	if (paused && key == UI_K_ESC)
		key = UI_K_PASTE_END;
	else if (paused && key != UI_K_PASTE_END)
		ui_say(s, UI_MSG_WARN, now, "in the middle of a paste; Esc ends it");
	s->pasted_at = now;
	if (key == UI_K_PASTE_BEGIN) {
		s->pasting = true;
		return true;
	}
	if (key == UI_K_PASTE_END) {
		if (s->pasting && !field)
			ui_say(s, UI_MSG_INFO, now, "pasted text ignored");
		s->pasting = false;
		return true;
	}
	if (!s->pasting)
		return false;
	if (field && key >= ' ' && key < UI_K_UP)
		ui_edit_key(s->prompt != PROMPT_NONE ? &s->edit : &s->popup.edit, key);
	return true;
}

void
ui_handle(struct ui_state *s, int key, const struct view *v, struct view_log *log, uint64_t now,
    struct ui_intent *out)
{
	enum ui_action a = ui_key_action(key);

	*out = (struct ui_intent){.kind = UI_NONE};
	if (paste_key(s, key, now))
		return;
	s->log.want_failure = false;
	s->log.jump = JUMP_NONE;
	s->log.sized = false;
	if (s->msg.level == UI_MSG_ERROR)
		s->msg.at = 0;
	if (key == UI_K_MOUSE)
		ui_click(s, v, log, now, out);
	else if (a == ACT_SUSPEND || a == ACT_REDRAW)
		ui_act(s, a, key, v, log, now, out);
	else if (s->prompt != PROMPT_NONE)
		ui_prompt_key(s, key, log, now, out);
	else if (s->popup.kind != POPUP_NONE)
		ui_popup_key(s, key, v, log, now, out);
	else
		ui_act(s, a, key, v, log, now, out);
}
