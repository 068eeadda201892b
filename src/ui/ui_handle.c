/* SPDX-License-Identifier: ISC
 * What a key does: moves in a pane, opens a popup, or becomes an intent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "ui/ui_head.h"
#include "ui/ui_prompt.h"

const char *
ui_intent_word(enum ui_intent_kind kind)
{
	static const char *const words[UI_KILL + 1] = {[UI_NONE] = "", [UI_SWAP] = "swap", [UI_START] = "start",
		[UI_STOP] = "stop", [UI_RESTART] = "restart", [UI_FORCE_RESTART] = "force restart", [UI_CANCEL] = "cancel",
		[UI_DETACH] = "detach", [UI_QUIT_STOP] = "shutdown", [UI_RETRY_LINK] = "retry", [UI_LOG_SOURCE] = "log",
		[UI_START_CORE] = "start the supervisor", [UI_KILL] = "kill"};

	return words[kind];
}

void
ui_send(struct ui_state *s, struct ui_intent *out, enum ui_intent_kind kind, const char *model, uint64_t id,
    uint64_t now)
{
	bool hurry = kind == UI_STOP && s->screen == SCREEN_STOPPING;

	if (s->pending[kind].on && !hurry && kind != UI_DETACH) {
		ui_say(s, UI_MSG_INFO, now, "%s: already under way", ui_intent_word(kind));
		return;
	}
	if (model != NULL && model != s->arg)
		snprintf(s->arg, sizeof(s->arg), "%s", model);
	*out = (struct ui_intent){.kind = kind, .model = model != NULL ? s->arg : NULL, .id = id};
	if (kind != UI_DETACH && kind != UI_RETRY_LINK && kind != UI_LOG_SOURCE)
		ui_say(s, UI_MSG_INFO, now, "%s: sent", ui_intent_word(kind));
}

static void
request_cancel(struct ui_state *s, const struct view *v, uint64_t now)
{
	if (s->focus == FOCUS_REQUESTS && view_request_find(v, s->requests.key) != NULL)
		ui_popup_open(s, POPUP_CANCEL, NULL, s->requests.key, now);
	else
		ui_say(s, UI_MSG_INFO, now, "Tab to the requests first");
}

static void
stop(struct ui_state *s, const struct view *v, const struct view_engine *e, uint64_t now, struct ui_intent *out)
{
	switch (s->screen) {
	case SCREEN_RUNNING:
		ui_popup_open(s, POPUP_STOP, e->id, 0, now);
		break;
	case SCREEN_SWAPPING:
		ui_send(s, out, UI_STOP, v->swap_to, 0, now);
		break;
	case SCREEN_STARTING:
	case SCREEN_BACKOFF:
	case SCREEN_STOPPING:
		ui_send(s, out, UI_STOP, e->id, 0, now);
		break;
	default:
		ui_say(s, UI_MSG_INFO, now, "%s is not running", e->name);
		break;
	}
}

static void
restart(struct ui_state *s, const struct view_engine *e, uint64_t now, struct ui_intent *out)
{
	if ((s->screen == SCREEN_RUNNING || s->screen == SCREEN_STOPPING) && e->in_flight > 0)
		ui_popup_open(s, POPUP_RESTART, e->id, 0, now);
	else
		ui_send(s, out, UI_RESTART, e->id, 0, now);
}

static void
start(struct ui_state *s, const struct view_engine *e, uint64_t now, struct ui_intent *out)
{
	if (s->screen == SCREEN_STOPPED || s->screen == SCREEN_FAILED || s->screen == SCREEN_BACKOFF)
		ui_send(s, out, UI_START, e->id, 0, now);
	else
		ui_say(s, UI_MSG_INFO, now, "%s is %s", e->name, engine_state_name(e->state));
}

/* Actions on a model. True when the key was one. */
static bool
model_action(struct ui_state *s, enum ui_action a, const struct view *v, uint64_t now, struct ui_intent *out)
{
	const struct view_engine *e = view_current(v);

	if (ui_binding_of(a)->group != GROUP_MODEL && a != ACT_CANCEL)
		return false;
	if (s->link != UI_LINK_UP) {
		if (a == ACT_RESTART)
			ui_send(s, out, UI_RETRY_LINK, NULL, 0, now);
		else if (a == ACT_START && s->link == UI_LINK_DOWN && s->link_gone && !s->read_only)
			ui_send(s, out, UI_START_CORE, NULL, 0, now);
		else
			ui_say(s, UI_MSG_WARN, now, "not connected");
	} else if (s->read_only) {
		ui_say(s, UI_MSG_WARN, now, "read-only");
	} else if (a == ACT_CANCEL) {
		request_cancel(s, v, now);
	} else if (a == ACT_MODELS) {
		ui_popup_open(s, POPUP_PICKER, NULL, 0, now);
	} else if (e == NULL) {
		ui_say(s, UI_MSG_INFO, now, "no model yet: m picks one");
	} else if (a == ACT_START) {
		start(s, e, now, out);
	} else if (a == ACT_STOP) {
		stop(s, v, e, now, out);
	} else if (a == ACT_RESTART) {
		restart(s, e, now, out);
	} else if (s->screen == SCREEN_SWAPPING && v->swap_from != NULL && v->swap_step == 1) {
		ui_send(s, out, UI_STOP, v->swap_from, 0, now);	/* a second stop skips the drain */
	} else {
		ui_popup_open(s, POPUP_FORCE, e->id, 0, now);
	}
	return true;
}

static void
move_requests(struct ui_state *s, const struct view *v, int by)
{
	uint64_t *keys = xreallocarray(NULL, v->nrequests + 1, sizeof(*keys));

	for (size_t i = 0; i < v->nrequests; i++)
		keys[i] = v->requests[i].id;
	ui_list_move(&s->requests, keys, (int)v->nrequests, by);
	free(keys);
}

static void
move(struct ui_state *s, const struct view *v, const struct view_log *log, int by)
{
	if (s->focus == FOCUS_REQUESTS)
		move_requests(s, v, by);
	else
		ui_log_scroll(&s->log, log, by);
}

static bool
move_action(struct ui_state *s, enum ui_action a, const struct view *v, const struct view_log *log)
{
	int page = s->focus == FOCUS_REQUESTS ? 4 : s->log.rows > 2 ? s->log.rows - 1 : 1, half = s->cols / 2;

	switch (a) {
	case ACT_UP:
		move(s, v, log, -1);
		break;
	case ACT_DOWN:
		move(s, v, log, 1);
		break;
	case ACT_PAGE_UP:
		move(s, v, log, -page);
		break;
	case ACT_PAGE_DOWN:
		move(s, v, log, page);
		break;
	case ACT_TOP:
		if (s->focus == FOCUS_REQUESTS)
			move_requests(s, v, -(int)v->nrequests);
		else
			ui_log_oldest(&s->log, log);
		break;
	case ACT_END:
		if (s->focus == FOCUS_REQUESTS)
			move_requests(s, v, (int)v->nrequests);
		else
			ui_log_follow(&s->log);
		break;
	case ACT_LEFT:
		s->log.hscroll = s->log.hscroll > half ? s->log.hscroll - half : 0;
		break;
	case ACT_RIGHT:
		s->log.hscroll = s->log.hscroll < 65536 ? s->log.hscroll + half : s->log.hscroll;
		break;
	case ACT_FIRST_COL:
		s->log.hscroll = 0;
		break;
	default:
		return false;
	}
	return true;
}

static void
error_action(struct ui_state *s, const struct view_log *log, int dir, uint64_t now)
{
	if (!ui_log_error(&s->log, log, dir))
		ui_say(s, UI_MSG_INFO, now, "no error in the log");
}

static void
next_match(struct ui_state *s, const struct view_log *log, int dir, uint64_t now)
{
	if (s->log.search.text[0] == '\0')
		ui_say(s, UI_MSG_INFO, now, "nothing to search for; / starts a search");
	else if (!ui_log_find(&s->log, log, dir))
		ui_say(s, UI_MSG_WARN, now, "nothing found for %s", s->log.search.text);
}

static bool
log_action(struct ui_state *s, enum ui_action a, const struct view_log *log, uint64_t now, struct ui_intent *out)
{
	static const unsigned masks[] = {UI_LOG_ALL, 1u << SOURCE_CHILD, 1u << SOURCE_MAI, 1u << SOURCE_ACCESS};

	switch (a) {
	case ACT_FOLLOW:
		if (s->log.follow)
			ui_log_pause(&s->log, log);
		else
			ui_log_follow(&s->log);
		break;
	case ACT_WRAP:
		s->log.wrap = !s->log.wrap;
		s->log.hscroll = 0;
		break;
	case ACT_SRC_ALL:
	case ACT_SRC_CHILD:
	case ACT_SRC_MAI:
	case ACT_SRC_ACCESS:
		ui_log_set_mask(&s->log, masks[a - ACT_SRC_ALL]);
		*out = (struct ui_intent){.kind = UI_LOG_SOURCE, .mask = s->log.mask};
		break;
	case ACT_SEARCH:
		ui_prompt_open(s, PROMPT_SEARCH);
		break;
	case ACT_FILTER:
		ui_prompt_open(s, PROMPT_FILTER);
		break;
	case ACT_NEXT:
		next_match(s, log, 1, now);
		break;
	case ACT_PREVIOUS:
		next_match(s, log, -1, now);
		break;
	case ACT_ERROR:
		error_action(s, log, 1, now);
		break;
	case ACT_ERROR_BACK:
		error_action(s, log, -1, now);
		break;
	default:
		return false;
	}
	return true;
}

/* Closes what is open, innermost first; never quits. */
static void
escape(struct ui_state *s)
{
	if (s->log.search.text[0] != '\0') {
		ui_pattern_clear(&s->log.search);
		s->log.hit = 0;
	} else if (s->log.filter.text[0] != '\0') {
		ui_pattern_clear(&s->log.filter);
	} else if (s->focus == FOCUS_REQUESTS) {
		s->focus = FOCUS_LOG;
	}
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
view_action(struct ui_state *s, enum ui_action a, int key, uint64_t now, struct ui_intent *out)
{
	switch (a) {
	case ACT_FOCUS:
		s->focus = s->focus == FOCUS_LOG && s->lay.req_rows > 0 ? FOCUS_REQUESTS : FOCUS_LOG;
		break;
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
	case ACT_QUIT:
		quit(s, key, now, out);
		break;
	case ACT_ESCAPE:
		escape(s);
		break;
	default:
		ui_say(s, UI_MSG_INFO, now, "unknown key; ? shows all");
		break;
	}
}

/* A paste is text for a text field and nothing anywhere else. */
static bool
paste_key(struct ui_state *s, int key, uint64_t now)
{
	bool field = s->prompt != PROMPT_NONE || s->popup.kind == POPUP_PICKER;

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
ui_handle(struct ui_state *s, int key, const struct view *v, const struct view_log *log, uint64_t now,
    struct ui_intent *out)
{
	enum ui_action a = ui_key_action(key);

	*out = (struct ui_intent){.kind = UI_NONE};
	if (paste_key(s, key, now))
		return;
	s->want_failure = false;
	if (s->msg.level == UI_MSG_ERROR)
		s->msg.at = 0;
	if (a == ACT_SUSPEND || a == ACT_REDRAW) {
		view_action(s, a, key, now, out);
	} else if (s->prompt != PROMPT_NONE) {
		ui_prompt_key(s, key, log, now);
	} else if (s->popup.kind != POPUP_NONE) {
		ui_popup_key(s, key, v, now, out);
	} else if (a == ACT_NONE) {
		view_action(s, a, key, now, out);
	} else if (!model_action(s, a, v, now, out) && !move_action(s, a, v, log) && !log_action(s, a, log, now, out)) {
		view_action(s, a, key, now, out);
	}
}
