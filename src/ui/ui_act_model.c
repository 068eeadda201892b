/* SPDX-License-Identifier: ISC
 * What is done to models and requests: what asks first opens its popup, the rest becomes an intent. */
#include <stdio.h>
#include <string.h>

#include "ui/ui_act.h"
#include "ui/ui_head.h"

#define SEEN_MS 400	/* a row that has become the current one is seen */

const char *
ui_intent_word(enum ui_intent_kind kind)
{
	static const char *const words[UI_NINTENTS] = {[UI_NONE] = "", [UI_SWAP] = "swap", [UI_START] = "start",
		[UI_PIN] = "pin", [UI_UNPIN] = "unpin", [UI_STOP] = "stop", [UI_RESTART] = "restart", [UI_FORCE_RESTART] = "force restart", [UI_CANCEL] = "cancel",
		[UI_DETACH] = "detach", [UI_QUIT_STOP] = "shutdown", [UI_RETRY_LINK] = "retry",
		[UI_START_CORE] = "start the supervisor", [UI_KILL] = "kill", [UI_INFO] = "info", [UI_DETAILS] = "details",
		[UI_SAVE] = "save"};

	return words[kind];
}

static uint64_t
what(const char *model, uint64_t id)
{
	return model != NULL ? ui_list_key(model) : id;
}

static int
find_pending(const struct ui_state *s, enum ui_intent_kind kind, uint64_t key)
{
	for (int i = 0; i < s->npending; i++)
		if (s->pending[i].kind == kind && s->pending[i].what == key)
			return i;
	return -1;
}

void
ui_pend(struct ui_state *s, enum ui_intent_kind kind, const char *model, uint64_t id, bool on, uint64_t now)
{
	int i = find_pending(s, kind, what(model, id));

	if (!on && i >= 0)
		s->pending[i] = s->pending[--s->npending];
	if (!on || (i < 0 && s->npending == UI_PENDING))
		return;
	i = i < 0 ? s->npending++ : i;
	s->pending[i].kind = kind;
	s->pending[i].what = what(model, id);
	s->pending[i].since = now;
	s->pending[i].seq = s->view_seq;
}

bool
ui_pends(const struct ui_state *s, enum ui_intent_kind kind, const char *model, uint64_t id)
{
	return find_pending(s, kind, what(model, id)) >= 0;
}

void
ui_send(struct ui_state *s, struct ui_intent *out, enum ui_intent_kind kind, const char *model, uint64_t id,
    uint64_t now)
{
	bool hurry = kind == UI_STOP && s->screen == SCREEN_STOPPING;
	bool quiet = kind == UI_DETACH || kind == UI_RETRY_LINK || kind == UI_INFO || kind == UI_DETAILS;

	if (s->link != UI_LINK_UP && !quiet) {
		ui_say(s, UI_MSG_WARN, now, "not connected");
		return;
	}
	if (ui_pends(s, kind, model, id) && !hurry && !quiet) {
		ui_say(s, UI_MSG_INFO, now, "%s: already under way", ui_intent_word(kind));
		return;
	}
	if (model != NULL && model != s->arg)
		snprintf(s->arg, sizeof(s->arg), "%s", model);
	*out = (struct ui_intent){.kind = kind, .model = model != NULL ? s->arg : NULL, .id = id};
	if (!quiet)
		ui_say(s, UI_MSG_INFO, now, "%s: sent", ui_intent_word(kind));
}

bool
ui_allowed(const struct ui_state *s, enum ui_action a)
{
	const struct ui_binding *b = ui_binding_of(a);

	if (s->screen == SCREEN_LINK_DOWN || s->screen == SCREEN_CONNECTING) {
		if (a == ACT_START)
			return s->link_gone && !s->read_only;
		if (a == ACT_RESTART)
			return true;
	}
	if (!s->read_only)
		return true;
	return b->group != GROUP_MODEL ? a != ACT_CANCEL : a == ACT_INFO;
}

/* The request that is selected; NULL with a hint. */
static const struct view_request *
selected_request(struct ui_state *s, const struct view *v, uint64_t now)
{
	const struct view_request *r = view_request_find(v, s->requests.key);

	if (s->focus == FOCUS_REQUESTS && r != NULL)
		return r;
	/* Newer than the frame. */
	if (s->focus == FOCUS_REQUESTS)
		ui_say(s, UI_MSG_INFO, now, "request %llu has ended", (unsigned long long)s->requests.key);
	else
		ui_say(s, UI_MSG_INFO, now, v->nrequests > 0 ? "Tab to the requests first" : "no request");
	return NULL;
}

static void
details(struct ui_state *s, const struct view *v, uint64_t now, struct ui_intent *out)
{
	const struct view_request *r = selected_request(s, v, now);

	if (r == NULL)
		return;
	ui_popup_open(s, POPUP_DETAILS, NULL, r->id, now);
	if (s->link == UI_LINK_UP)
		ui_send(s, out, UI_DETAILS, NULL, r->id, now);
}

static void
stop(struct ui_state *s, enum ui_screen screen, const struct view *v, const struct view_engine *e, uint64_t now,
    struct ui_intent *out)
{
	switch (screen) {
	case SCREEN_RUNNING:
		ui_popup_open(s, POPUP_STOP, e->id, 0, now);
		break;
	case SCREEN_SWAPPING:
		ui_send(s, out, UI_STOP, v->swap_to, 0, now);
		break;
	case SCREEN_STARTING:
	case SCREEN_BACKOFF:
	case SCREEN_STOPPING:
		/* A core that ends stops its models anyway: what can be hurried is its end. */
		if (v->shutting_down)
			ui_send(s, out, UI_KILL, NULL, 0, now);
		else
			ui_send(s, out, UI_STOP, e->id, 0, now);
		break;
	default:
		if (screen == SCREEN_FAILED && s->lay.models > 0) {
			ui_put_away(s, e);
			s->model[0] = '\0';
			ui_say(s, UI_MSG_INFO, now, "%s is put away; m starts it", e->name);
		} else {
			ui_say(s, UI_MSG_INFO, now, "%s is not running", e->name);
		}
		break;
	}
}

static void
restart(struct ui_state *s, enum ui_screen screen, const struct view_engine *e, uint64_t now, struct ui_intent *out)
{
	if ((screen == SCREEN_RUNNING || screen == SCREEN_STOPPING || screen == SCREEN_SWAPPING) && e->in_flight > 0)
		ui_popup_open(s, POPUP_RESTART, e->id, 0, now);
	else
		ui_send(s, out, UI_RESTART, e->id, 0, now);
}

static void
start(struct ui_state *s, enum ui_screen screen, const struct view_engine *e, uint64_t now, struct ui_intent *out)
{
	if (screen == SCREEN_STOPPED || screen == SCREEN_FAILED || screen == SCREEN_BACKOFF)
		ui_send(s, out, UI_START, e->id, 0, now);
	else
		ui_say(s, UI_MSG_INFO, now, "%s is %s", e->name, engine_state_name(e->state));
}

static void
info(struct ui_state *s, const struct view_engine *e, uint64_t now, struct ui_intent *out)
{
	ui_popup_open(s, POPUP_INFO, e->id, 0, now);
	ui_send(s, out, UI_INFO, e->id, 0, now);
}

static void
pin(struct ui_state *s, const struct view_engine *e, bool on, uint64_t now, struct ui_intent *out)
{
	if (e->pinned == on)
		ui_say(s, UI_MSG_INFO, now, on ? "%s is pinned already" : "%s is not pinned", e->name);
	else
		ui_send(s, out, on ? UI_PIN : UI_UNPIN, e->id, 0, now);
}

static void
start_core(struct ui_state *s, uint64_t now, struct ui_intent *out)
{
	*out = (struct ui_intent){.kind = UI_START_CORE};
	ui_say(s, UI_MSG_INFO, now, "%s: sent", ui_intent_word(UI_START_CORE));
}

static void
act_offline(struct ui_state *s, enum ui_action a, uint64_t now, struct ui_intent *out)
{
	if (a == ACT_RESTART)
		ui_send(s, out, UI_RETRY_LINK, NULL, 0, now);
	else if (a == ACT_START && s->link == UI_LINK_DOWN && s->link_gone && !s->read_only)
		start_core(s, now, out);
	else
		ui_say(s, UI_MSG_WARN, now, "not connected");
}

/* Whether a key for a model is for another one than the person can have seen: the current one changes by itself. */
static bool
is_news(const struct ui_state *s, const struct view_engine *e, uint64_t now)
{
	if (strcmp(e->id, s->model) == 0)
		return false;
	return (s->target != 0 && ui_list_key(e->id) != s->target) ||
	    (s->lay.models > 0 && s->target_since != 0 && now < s->target_since + SEEN_MS);
}

/* By the state it has now, which may be newer than the frame: what asks first must not be taken for what does not. */
static void
act_engine(struct ui_state *s, enum ui_action a, const struct view *v, uint64_t now, struct ui_intent *out)
{
	const struct view_engine *e = ui_engine(s, v);
	enum ui_screen screen = ui_screen_of(s, v, s->link);
	bool ends = s->screen == SCREEN_RUNNING && (screen == SCREEN_STOPPING || screen == SCREEN_SWAPPING);

	if (e == NULL)
		ui_say(s, UI_MSG_INFO, now, "no model yet: m picks one");
	else if (is_news(s, e, now))
		ui_say(s, UI_MSG_WARN, now, "keys are for %s now; again, if it is meant", e->name);
	else if (ends && (a == ACT_STOP || a == ACT_FORCE))
		/* Then these keys ask nothing, and cut what drains. */
		ui_say(s, UI_MSG_WARN, now, "%s is %s now", e->name, engine_state_name(e->state));
	else if (a == ACT_INFO)
		info(s, e, now, out);
	else if (a == ACT_PIN || a == ACT_UNPIN)
		pin(s, e, a == ACT_PIN, now, out);
	else if (a == ACT_START)
		start(s, screen, e, now, out);
	else if (a == ACT_STOP)
		stop(s, screen, v, e, now, out);
	else if (a == ACT_RESTART)
		restart(s, screen, e, now, out);
	else if (screen == SCREEN_SWAPPING && v->swap_from != NULL && v->swap_step == 1)
		ui_send(s, out, UI_STOP, v->swap_from, 0, now);	/* a second stop skips the drain */
	else
		ui_popup_open(s, POPUP_FORCE, e->id, 0, now);
}

bool
ui_act_model(struct ui_state *s, enum ui_action a, const struct view *v, uint64_t now, struct ui_intent *out)
{
	const struct view_request *r;

	if (a == ACT_DETAILS) {
		details(s, v, now, out);
		return true;
	}
	if (ui_binding_of(a)->group != GROUP_MODEL && a != ACT_CANCEL)
		return false;
	if (s->link != UI_LINK_UP) {
		act_offline(s, a, now, out);
	} else if (!ui_allowed(s, a)) {
		ui_say(s, UI_MSG_WARN, now, "read-only");
	} else if (a == ACT_CANCEL) {
		r = selected_request(s, v, now);
		if (r != NULL)
			ui_popup_open(s, POPUP_CANCEL, NULL, r->id, now);
	} else if (a == ACT_MODELS || a == ACT_SWAP) {
		ui_popup_open(s, POPUP_PICKER, NULL, 0, now);
	} else {
		act_engine(s, a, v, now, out);
	}
	return true;
}
