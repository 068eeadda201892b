/* SPDX-License-Identifier: ISC
 * The message row and the key bar. The bar is made from the key table; what does not fit is dropped from its end, Help
 * and Quit never. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "ui/ui_head.h"
#include "ui/ui_prompt.h"

#define SILENCE_MS 1000	/* after which a core is waited for */

static uint64_t
message_time(enum ui_message level)
{
	return level == UI_MSG_INFO ? 4000 : level == UI_MSG_WARN ? 8000 : UINT64_MAX;
}

static bool
message_alive(const struct ui_state *s, uint64_t now)
{
	uint64_t t = message_time(s->msg.level);

	return s->msg.at != 0 && (t == UINT64_MAX || now < s->msg.at + t);
}

/* A core that has said nothing since an action was sent. */
static bool
waiting_text(const struct ui_state *s, char *out, size_t size, uint64_t now)
{
	for (int i = 0; i < s->npending; i++) {
		uint64_t ms = now > s->pending[i].since ? now - s->pending[i].since : 0;

		if (ms > SILENCE_MS && s->pending[i].seq == s->view_seq && s->link == UI_LINK_UP) {
			snprintf(out, size, "%s: waiting for the supervisor, %llu.%llu s", ui_intent_word(s->pending[i].kind),
			    (unsigned long long)(ms / 1000), (unsigned long long)(ms / 100 % 10));
			return true;
		}
	}
	return false;
}

static void
search_text(const struct ui_state *s, char *out, size_t size, const struct view_log *log)
{
	static const char *const sources[] = {"", " in child log", " in mai log", "", " in access log"};
	const struct ui_log *l = &s->log;
	bool scanned = ui_log_scanned(l, log);
	const char *more = scanned && !l->older ? "" : "+";
	char oldest[16] = "-";

	for (size_t i = 0; i < view_log_count(log); i++)
		if (!view_log_at(log, i)->dead) {
			ui_wall_time(oldest, sizeof(oldest), view_log_at(log, i)->wall_ms);
			break;
		}
	if (s->lay.narrow)
		snprintf(out, size, "/%s %d of %d%s  n N  Esc", l->search.text, l->hit_n, l->hit_of, more);
	else if (l->hit == 0 || !scanned)
		snprintf(out, size, "/%s   %d found so far, looking (%s)", l->search.text, l->hit_of, oldest);
	else
		snprintf(out, size, "/%s   match %d of %d%s%s (oldest line %s)", l->search.text, l->hit_n, l->hit_of, more,
		    l->mask == UI_LOG_ALL ? "" : sources[l->mask % 5], oldest);
}

/* What the row says when nothing was said: true for text that matters enough to borrow the bar of a small screen. */
static bool
standing_text(const struct ui_state *s, char *out, size_t size, enum ui_role *role, const struct view *v,
    const struct ui_link_state *link, uint64_t now)
{
	const struct view_engine *e = ui_engine(s, v);
	char clock[16];

	out[0] = '\0';
	switch (s->screen) {
	case SCREEN_SWAPPING:
		if (v->swap_who != NULL)
			snprintf(out, size, "swap requested by %s", v->swap_who);
		return v->swap_who != NULL;
	case SCREEN_BACKOFF:
	case SCREEN_FAILED:
		if (e != NULL && e->cause != NULL)
			snprintf(out, size, "cause: %s", e->cause);
		*role = s->screen == SCREEN_FAILED ? ROLE_BAD : ROLE_WARN;
		return false;
	case SCREEN_LINK_DOWN:
		ui_wall_time(clock, sizeof(clock), clock_wall_ms() - head_since(now, link->since));
		if (v->version != NULL)
			snprintf(out, size, "lost connection: %s; data is as of %s", link->text != NULL ? link->text : "?", clock);
		else
			snprintf(out, size, "no connection: %s", link->text != NULL ? link->text : "?");
		*role = ROLE_BAD;
		return false;
	default:
		if (v->shutting_down)
			snprintf(out, size, "%s", v->shutdown_text != NULL ? v->shutdown_text : "the supervisor is ending");
		return v->shutting_down;
	}
}

static bool
is_searching(const struct ui_state *s)
{
	return s->log.search.text[0] != '\0' && (s->log.hit != 0 || s->log.jump != JUMP_NONE);
}

static bool
message_text(const struct ui_state *s, char *out, size_t size, enum ui_role *role, const struct view *v,
    const struct view_log *log, const struct ui_link_state *link, uint64_t now)
{
	static const enum ui_role roles[] = {ROLE_TEXT, ROLE_WARN, ROLE_BAD};

	bool alive = message_alive(s, now), old = !alive || (s->msg.level == UI_MSG_INFO && now > s->msg.at + SILENCE_MS);

	*role = ROLE_TEXT;
	/* That something was sent is no comfort for longer. */
	if (old && waiting_text(s, out, size, now)) {
		*role = ROLE_WARN;
		return true;
	}
	if (alive) {
		snprintf(out, size, "%s", s->msg.text);
		*role = roles[s->msg.level];
		return true;
	}
	if (is_searching(s)) {
		search_text(s, out, size, log);
		return true;
	}
	return standing_text(s, out, size, role, v, link, now);
}

static int
put_item(struct ui_state *s, struct grid *g, int row, int col, int right, enum ui_action a, const char *label)
{
	const char *key = ui_binding_of(a)->shown;
	int need = text_width(key) + 1 + text_width(label);

	if (col + need > right)
		return 0;
	grid_put(g, row, col, right - col, ROLE_TITLE, key);
	grid_put(g, row, col + text_width(key) + 1, right - col, ROLE_TEXT, label);
	ui_hit_add(s, row, col, need, 1, HIT_KEY, (uint64_t)ui_binding_of(a)->codes[0]);
	return need;
}

static void
key_bar(struct ui_state *s, struct grid *g, const struct view *v, int row)
{
	const struct view_engine *e = ui_engine(s, v);
	bool help = s->screen != SCREEN_LINK_DOWN;
	bool again = e != NULL && ui_pends(s, UI_RESTART, e->id, 0) && !ui_pends(s, UI_STOP, e->id, 0);
	const char *fixed = help ? "? Help  q Quit" : "q Quit";
	int right = g->cols - s->lay.margin - text_width(fixed), col = 1, used;

	if (right < 0)
		right = 0;
	for (size_t i = 0; i < ui_nbar_items; i++) {
		const char *label = ui_bar_items[i].label;

		if (ui_bar_items[i].screen != s->screen || !ui_allowed(s, ui_bar_items[i].action))
			continue;
		/* Only a row among others can be put away. */
		if (s->screen == SCREEN_FAILED && ui_bar_items[i].action == ACT_STOP && s->lay.models == 0)
			continue;
		/* Only a drain can be cut short. */
		if (s->screen == SCREEN_SWAPPING && ui_bar_items[i].action == ACT_FORCE && v->swap_step != 1)
			continue;
		/* What drains for a restart only drains on, and is not started again. */
		if (s->screen == SCREEN_STOPPING && ui_bar_items[i].action == ACT_STOP && again)
			label = "Do not restart";
		used = put_item(s, g, row, col, right - 1, ui_bar_items[i].action, label);
		if (used == 0)
			break;
		col += used + 2;
	}
	if (help)
		right += 2 + put_item(s, g, row, right, g->cols, ACT_HELP, "Help");
	put_item(s, g, row, right, g->cols, ACT_QUIT, "Quit");
}

static const char *
mode_hint(const struct ui_state *s)
{
	if (s->popup.kind != POPUP_NONE)
		return ui_popup_hint(s);
	if (s->prompt != PROMPT_NONE)
		return s->prompt == PROMPT_SAVE ? "Enter save  Esc cancel" : "Enter apply  Esc cancel  Up/Down history";
	if (is_searching(s))
		return s->log.filter.text[0] != '\0' ? "n Next  N Previous  / Edit  & Filter  Esc Clear" :
		    "n Next  N Previous  / Edit  & Keep only matches  Esc Clear";
	return NULL;
}

static void
prompt_row(const struct ui_state *s, struct grid *g, int row, int margin)
{
	int used = grid_put(g, row, margin, g->cols - margin, ROLE_TEXT, ui_prompt_label(s));

	ui_edit_draw(&s->edit, g, row, margin + used, g->cols - margin - used, ROLE_TITLE, "_");
}

/* A row that a popup covers is the popup's. */
static int
free_row(const struct ui_state *s, int row)
{
	return row >= s->box.row && row < s->box.row + s->box.height ? -1 : row;
}

void
ui_pane_bar(struct ui_state *s, struct grid *g, const struct view *v, const struct view_log *log,
    const struct ui_link_state *link, uint64_t now)
{
	char text[1024];
	enum ui_role role;
	const char *hint = mode_hint(s);
	bool urgent = message_text(s, text, sizeof(text), &role, v, log, link, now);
	int margin = s->lay.narrow || s->lay.micro ? 0 : 1, row = s->lay.msg_row, bar = free_row(s, s->lay.bar_row);

	if (s->prompt != PROMPT_NONE)
		prompt_row(s, g, row >= 0 ? row : s->lay.bar_row, margin);
	else if (free_row(s, row) >= 0)
		grid_put_end(g, row, margin, g->cols - margin, role, text);
	if (bar < 0 || (s->prompt != PROMPT_NONE && row < 0))
		return;
	if (row < 0 && urgent && (hint == NULL || s->popup.kind == POPUP_NONE))
		grid_put_end(g, bar, 0, g->cols, role, text);
	else if (hint != NULL)
		grid_put_end(g, bar, 1, g->cols - 1, ROLE_TEXT, hint);
	else
		key_bar(s, g, v, bar);
}
