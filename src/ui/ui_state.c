/* SPDX-License-Identifier: ISC
 * The dashboard's memory, and a frame as the sum of its panes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "ui/ui_prompt.h"

#define SAY_AGAIN_MS 8000	/* the same words within are not kept twice */
#define SAID_MAX 8192

void
ui_state_init(struct ui_state *s, const struct ui_opts *o)
{
	memset(s, 0, sizeof(*s));
	s->ascii = o->ascii;
	s->read_only = o->read_only;
	s->foreground = o->foreground;
	s->bell = false;
	s->g = ui_glyphs(o->ascii);
	s->rows = 24;
	s->cols = 80;
	s->link = UI_LINK_CONNECTING;
	ui_log_init(&s->log);
}

void
ui_state_fini(struct ui_state *s)
{
	ui_log_fini(&s->log);
	ui_popup_close(s);
	strbuf_fini(&s->copy);
	strbuf_fini(&s->said);
}

enum ui_screen
ui_screen_of_engine(const struct view_engine *e)
{
	static const enum ui_screen screens[ENGINE_NSTATES] = {
		[ENGINE_STOPPED] = SCREEN_STOPPED,
		[ENGINE_STARTING] = SCREEN_STARTING,
		[ENGINE_READY] = SCREEN_RUNNING,
		[ENGINE_DRAINING] = SCREEN_STOPPING,
		[ENGINE_STOPPING] = SCREEN_STOPPING,
		[ENGINE_BACKOFF] = SCREEN_BACKOFF,
		[ENGINE_FAILED] = SCREEN_FAILED,
	};

	return (unsigned)e->state < ENGINE_NSTATES ? screens[e->state] : SCREEN_STOPPED;
}

enum ui_screen
ui_screen_of(const struct ui_state *s, const struct view *v, enum ui_link link)
{
	const struct view_engine *e = ui_engine(s, v);
	bool list = ui_loaded(s, v) > 0;

	if (link == UI_LINK_DOWN)
		return SCREEN_LINK_DOWN;
	if (link == UI_LINK_CONNECTING && v->version == NULL)
		return SCREEN_CONNECTING;
	if (e == NULL)
		return SCREEN_NONE;
	if (v->swap_to != NULL && (!list || strcmp(e->id, v->swap_to) == 0 ||
	    (v->swap_from != NULL && strcmp(e->id, v->swap_from) == 0)))
		return SCREEN_SWAPPING;
	return ui_screen_of_engine(e);
}

const char *
ui_screen_word(enum ui_screen screen)
{
	static const char *const words[SCREEN_N] = {"CONNECTING", "NO MODEL", "RUNNING", "STARTING", "SWAPPING", "STOPPING",
		"BACKOFF", "FAILED", "STOPPED", "LINK DOWN"};

	return words[screen];
}

enum ui_role
ui_screen_role(enum ui_screen screen)
{
	static const enum ui_role roles[SCREEN_N] = {ROLE_BUSY, ROLE_MUTED, ROLE_OK, ROLE_BUSY, ROLE_BUSY, ROLE_BUSY,
		ROLE_WARN, ROLE_BAD, ROLE_MUTED, ROLE_BAD};

	return roles[screen];
}

void
ui_short_time(char *out, size_t size, uint64_t ms)
{
	char *m;

	text_duration(out, size, ms, false);
	m = strchr(out, 'h') != NULL ? strchr(out, 'm') : NULL;
	if (m != NULL)
		m[1] = '\0';
}

void
ui_wall_time(char *out, size_t size, uint64_t wall_ms)
{
	time_t t = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL || strftime(out, size, "%H:%M:%S", &tm) == 0)
		snprintf(out, size, "--:--:--");
}

void
ui_say(struct ui_state *s, enum ui_message level, uint64_t now, const char *fmt, ...)
{
	char text[UI_TEXT_MAX];
	va_list ap;
	bool again;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	again = s->msg.at != 0 && now < s->msg.at + SAY_AGAIN_MS && strcmp(text, s->msg.text) == 0;
	s->msg.level = level;
	s->msg.at = now > 0 ? now : 1;
	memcpy(s->msg.text, text, sizeof(text));
	if (again || s->said.len > SAID_MAX)
		return;
	strbuf_putc(&s->said, level == UI_MSG_INFO ? ' ' : 'W');
	strbuf_add(&s->said, text, strlen(text) + 1);
}

/* What was said is also kept among mai's lines. */
static void
keep_said(struct ui_state *s, struct view_log *log)
{
	char text[UI_TEXT_MAX + 16];

	for (const char *p = s->said.p; s->said.len != 0 && p < s->said.p + s->said.len; p += strlen(p) + 1) {
		snprintf(text, sizeof(text), "screen: %s", p + 1);
		view_log_note(log, clock_wall_ms(), SOURCE_MAI, p[0], text);
	}
	strbuf_clear(&s->said);
}

void
ui_count_text(char *out, size_t size, uint64_t n)
{
	char digits[32];
	size_t len, o = 0;

	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	len = strlen(digits);
	for (size_t i = 0; i < len && o + 2 < size; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			out[o++] = ',';
		out[o++] = digits[i];
	}
	out[o] = '\0';
}

void
ui_rule(struct ui_state *s, struct grid *g, int row, bool focused, const char *title, const char *note)
{
	const char *line = focused ? s->g->heavy : s->g->light;
	int right = g->cols, used;

	if (row < 0)
		return;
	grid_fill(g, row, 0, g->cols, ROLE_MUTED, line);
	if (note != NULL && text_width(note) + 4 < g->cols / 2 + g->cols / 4) {
		right = g->cols - 3 - text_width(note);
		grid_put(g, row, right, 1, ROLE_TEXT, " ");
		grid_put(g, row, right + 1, g->cols - right - 2, ROLE_TEXT, note);
		grid_put(g, row, g->cols - 2, 1, ROLE_TEXT, " ");
	}
	if (right < 6)
		return;
	grid_put(g, row, 1, 1, ROLE_TEXT, " ");
	used = grid_put_end(g, row, 2, right - 4, focused ? ROLE_TITLE : ROLE_TEXT, title);
	grid_put(g, row, 2 + used, 1, ROLE_TEXT, " ");
}

/* A failure rings, and the log shows its error unless the person is reading elsewhere; leaving it follows again. */
static void
note_screen(struct ui_state *s, const struct view *v, const struct view_log *log, uint64_t now)
{
	const struct view_engine *e = ui_engine(s, v);
	uint64_t target = e != NULL ? ui_list_key(e->id) : 0;
	enum ui_screen was = s->screen;

	if (target != s->target)
		s->target_since = s->target != 0 ? now : 0;
	s->target = target;

	s->view_seq = v->seq;
	s->screen = ui_screen_of(s, v, s->link);
	if (s->screen != was && s->screen != SCREEN_LINK_DOWN && was != SCREEN_LINK_DOWN) {
		s->log.want_failure = s->bell = s->screen == SCREEN_FAILED;
		if (s->log.auto_pause)
			ui_log_follow(&s->log);
	}
	s->log.want_failure = s->log.want_failure && s->log.follow && s->screen == SCREEN_FAILED;
	if (s->log.want_failure && ui_log_show_failure(&s->log, log, e->id) == UI_FOUND) {
		s->log.want_failure = false;
		s->log.auto_pause = true;
	}
}

static void
note_link(struct ui_state *s, const struct ui_link_state *link)
{
	s->link = link->link;
	s->link_since = link->since;
	s->link_gone = link->gone;
	if (link->replay)
		s->foreground = link->foreground;
	s->log.older = link->older;
}

/* One that was chosen and has no row any more is chosen no more: keys are for another, and so are the panes. */
static void
drop_choice(struct ui_state *s, const struct view *v)
{
	const struct view_engine *e = view_engine_find(v, s->model);

	if (s->link == UI_LINK_UP && (e == NULL || !ui_is_loaded(s, e)))
		s->model[0] = '\0';
}

/* The log is of the model that was chosen among several. */
static void
lay_out(struct ui_state *s, const struct view *v)
{
	struct ui_wish w = {.cols = s->cols, .rows = s->rows, .nmodels = ui_loaded(s, v), .zoom = s->zoom, .split = s->split};
	uint64_t *keys;
	size_t *at;

	w.nrequests = (int)ui_requests_shown(s, v, &at, &keys);
	free(at);
	free(keys);
	if (w.nmodels == 0 && s->focus == FOCUS_MODELS)
		s->focus = FOCUS_LOG;
	if (s->zoom_auto) {
		w.zoom = ZOOM_NONE;
		ui_layout(&s->lay, &w);
		/* There is room, or nothing to show. */
		if (s->lay.req_rows > 0 || w.nrequests == 0) {
			s->zoom = ZOOM_NONE;
			s->zoom_auto = false;
		}
		w.zoom = s->zoom;
	}
	ui_layout(&s->lay, &w);
	snprintf(s->log.model, sizeof(s->log.model), "%s", w.nmodels > 0 ? s->model : "");
}

void
ui_compose(struct ui_state *s, struct grid *g, const struct view *v, struct view_log *log,
    const struct ui_link_state *link, uint64_t now)
{
	enum ui_jump waited;

	note_link(s, link);
	drop_choice(s, v);
	lay_out(s, v);
	g->ascii = s->ascii;
	grid_size(g, s->lay.rows, s->lay.cols);
	s->nhits = 0;
	ui_log_sync(&s->log, log);
	keep_said(s, log);
	/* The few lines that are new are looked at first; of many the rest is done between frames. */
	ui_log_scan(&s->log, log, clock_us() + UI_SLICE_US / 2);
	note_screen(s, v, log, now);
	waited = s->log.jump;
	ui_prompt_told(s, log, waited, ui_log_settle(&s->log, log), now);
	ui_popup_check(s, v, now);
	ui_pane_head(s, g, v, link, now);
	ui_pane_requests(s, g, v, now);
	ui_pane_log(s, g, v, log);
	/* The bar says what can be done in a popup, which is known once it was laid out. */
	s->box.height = 0;
	if (s->popup.kind != POPUP_NONE)
		ui_popup_draw(s, g, v, now);
	ui_pane_bar(s, g, v, log, link, now);
}

int
ui_tick(const struct ui_state *s, const struct view *v, uint64_t now)
{
	const struct view_engine *e = ui_engine(s, v);
	uint64_t core = view_now(v, now), life = s->msg.level == UI_MSG_INFO ? 4000 : 8000;
	int ms = 1000 - (int)(clock_wall_ms() % 1000) + 1;

	if (s->screen == SCREEN_LINK_DOWN || (s->screen == SCREEN_BACKOFF && e != NULL && e->retry_at > core &&
	    e->retry_at - core < 10 * 1000))
		ms = ms < 100 ? ms : 100;
	else if (s->screen == SCREEN_STARTING && e != NULL && e->progress < 0 && e->usual_ms == 0)
		ms = ms < 250 ? ms : 250;
	if (s->npending > 0)
		ms = ms < 250 ? ms : 250;
	if (s->msg.at != 0 && s->msg.level != UI_MSG_ERROR && now < s->msg.at + life && s->msg.at + life - now < (uint64_t)ms)
		ms = (int)(s->msg.at + life - now);
	return ms > 0 ? ms : 1;
}
