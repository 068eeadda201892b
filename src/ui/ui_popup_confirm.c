/* SPDX-License-Identifier: ISC
 * The popups that ask. They open on Cancel, name the consequence with live numbers, and take no answer in their first
 * moments, so that keys typed ahead do no harm. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ui/ui_head.h"

#define LINES_MAX 8

/* What a popup says: long for a normal screen, short for a small one. */
struct words {
	char title[160];
	const char *footer, *small_footer;
	char lines[LINES_MAX][320];
	int n;
	int buttons;	/* line of the buttons; -1: none */
	int width, small_width;
};

static void
counts(const struct view *v, const char *model, int *in_flight, int *queued, char *drain, size_t size)
{
	const struct view_engine *e = view_engine_find(v, model);

	if (e == NULL)
		e = view_current(v);
	*in_flight = e != NULL ? e->in_flight : 0;
	*queued = e != NULL ? e->queued : 0;
	text_duration(drain, size, e != NULL ? e->drain_limit : 0, false);
}

/* What runs, but for one: how many models, and requests in flight there; the longest drain of them. */
struct others {
	int models, in_flight;
	uint64_t drain;
};

static struct others
count_others(const struct view *v, const char *but)
{
	struct others o = {0};

	for (size_t i = 0; i < v->nengines; i++) {
		const struct view_engine *e = &v->engines[i];

		if (e->state == ENGINE_STOPPED || e->state == ENGINE_FAILED || strcmp(e->id, but) == 0)
			continue;
		o.models++;
		o.in_flight += e->in_flight;
		o.drain = e->drain_limit > o.drain ? e->drain_limit : o.drain;
	}
	return o;
}

static void
add(struct words *w, const char *fmt, const char *a)
{
	if (w->n < LINES_MAX)
		snprintf(w->lines[w->n++], sizeof(w->lines[0]), "%s%s", fmt, a);
}

static void
buttons(struct words *w, bool small, const char *yes)
{
	char t[64];

	snprintf(t, sizeof(t), small ? "[ Cancel ]    y %s" : "          [ Cancel ]      y  %s", yes);
	w->buttons = w->n;
	add(w, t, "");
}

static void
flight_lines(struct words *w, bool small, int in_flight, int queued, const char *drain, bool restart)
{
	char t[160];

	if (small) {
		snprintf(t, sizeof(t), "%d in flight: %s then cut", in_flight, drain);
		add(w, in_flight > 0 ? t : "none in flight", "");
		return;
	}
	if (in_flight == 1)
		snprintf(t, sizeof(t), "1 request in flight will be given %s to finish, then cut.", drain);
	else
		snprintf(t, sizeof(t), "%d requests in flight will be given %s to finish, then cut.", in_flight, drain);
	add(w, in_flight > 0 ? t : "No request is in flight.", "");
	snprintf(t, sizeof(t), "%d queued request%s will %s.", queued, queued == 1 ? "" : "s", restart ? "wait" : "get 503");
	if (queued > 0)
		add(w, t, "");
}

/* Which of several it is about, where the first line does not say it. */
static void
title(struct words *w, bool small, const struct view *v, const char *model, const char *verb, const char *usual)
{
	if (small && count_others(v, model).models > 0)
		snprintf(w->title, sizeof(w->title), "%s %s", verb, head_name(v, model));
	else
		snprintf(w->title, sizeof(w->title), "%s", usual);
}

/* What goes on. */
static void
others_line(struct words *w, bool small, const struct view *v, const char *model)
{
	struct others o = count_others(v, model);
	char t[160];

	if (small || o.models == 0)
		return;
	if (o.models == 1)
		snprintf(t, sizeof(t), "The other model goes on (%d in flight).", o.in_flight);
	else
		snprintf(t, sizeof(t), "The %d other models go on (%d in flight).", o.models, o.in_flight);
	add(w, t, "");
}

static void
words_stop(struct words *w, bool small, const struct view *v, const char *model, bool restart)
{
	int in_flight, queued;
	char drain[32], t[400];

	counts(v, model, &in_flight, &queued, drain, sizeof(drain));
	title(w, small, v, model, restart ? "Restart" : "Stop", restart ? "Restart model" : "Stop model");
	w->footer = restart ? "y restart  n/Esc/Enter cancel" : "y stop  n/Esc/Enter cancel";
	w->small_footer = restart ? "y restart  Esc cancel" : "y stop  Esc cancel";
	if (!small) {
		snprintf(t, sizeof(t), "%s %s?", restart ? "Restart" : "Stop", head_name(v, model));
		add(w, t, "");
		add(w, "", "");
	}
	flight_lines(w, small, in_flight, queued, drain, restart);
	others_line(w, small, v, model);
	if (!small)
		add(w, "", "");
	buttons(w, small, restart ? "Restart" : "Stop");
}

static void
words_force(struct words *w, bool small, const struct view *v, const char *model)
{
	const struct view_engine *e = view_engine_find(v, model);
	bool runs = e != NULL && e->state != ENGINE_STOPPED && e->state != ENGINE_FAILED && e->state != ENGINE_BACKOFF;
	int in_flight, queued;
	char drain[32], t[400];

	counts(v, model, &in_flight, &queued, drain, sizeof(drain));
	title(w, small, v, model, runs ? "Kill" : "Start", "Force restart");
	w->footer = "y restart  n/Esc/Enter cancel";
	w->small_footer = "y restart  Esc cancel";
	if (!runs) {
		snprintf(t, sizeof(t), "Start %s again?", head_name(v, model));
		if (!small) {
			add(w, t, "");
			add(w, "", "");
		}
		add(w, small ? "not running: none to kill" : "It is not running: there is nothing to kill.", "");
		others_line(w, small, v, model);
		if (!small)
			add(w, "", "");
	} else if (small) {
		snprintf(t, sizeof(t), "SIGKILL, %d in flight cut", in_flight);
		add(w, in_flight > 0 ? t : "SIGKILL, none in flight", "");
	} else {
		snprintf(t, sizeof(t), "Kill and restart %s?", head_name(v, model));
		add(w, t, "");
		add(w, "", "");
		snprintf(t, sizeof(t), "SIGKILL at once, without drain: %d in flight %s cut.", in_flight,
		    in_flight == 1 ? "is" : "are");
		add(w, in_flight > 0 ? t : "SIGKILL at once; no request is in flight.", "");
		others_line(w, small, v, model);
		add(w, "", "");
	}
	buttons(w, small, "Restart");
}

static void
words_cancel(struct words *w, bool small, const struct view *v, uint64_t id)
{
	const struct view_request *r = view_request_find(v, id);
	char t[400];

	snprintf(w->title, sizeof(w->title), "Cancel request");
	w->footer = "y cancel it  n/Esc/Enter keep it";
	w->small_footer = "y cancel it  Esc keep it";
	snprintf(t, sizeof(t), "Cancel request %llu%s%s?", (unsigned long long)id,
	    r != NULL && r->client != NULL ? " of " : "", r != NULL && r->client != NULL ? r->client : "");
	add(w, t, "");
	if (!small)
		add(w, "", "");
	snprintf(t, sizeof(t), small ? "[ Keep ]    y Cancel it" : "          [ Keep it ]     y  Cancel it");
	w->buttons = w->n;
	add(w, t, "");
}

static void
words_replace(struct words *w, bool small, const char *path)
{
	char name[128];

	snprintf(w->title, sizeof(w->title), "Save log");
	w->footer = "y replace  n/Esc/Enter cancel";
	w->small_footer = "y replace  Esc cancel";
	text_clip_start(name, sizeof(name), path, small ? 20 : 40, "...");
	add(w, "There is a file ", name);
	if (!small) {
		add(w, "", "");
		add(w, "Its content would be gone.", "");
		add(w, "", "");
	}
	buttons(w, small, "Replace it");
}

/* Of one model, of several, of none. */
static void
quit_texts(char *runs, char *stop, size_t size, bool small, const struct others *o)
{
	if (o->models > 1) {
		snprintf(runs, size, "The supervisor and its %d models run in this terminal.", o->models);
		snprintf(stop, size, "Stop %d models and quit", o->models);
	} else if (o->models == 1) {
		snprintf(runs, size, "The supervisor and its model run in this terminal.");
		snprintf(stop, size, small ? "Stop model and quit" : "Stop the model and quit");
	} else {
		snprintf(runs, size, "The supervisor runs in this terminal.");
		snprintf(stop, size, "Stop it and quit");
	}
}

static void
words_quit(struct words *w, bool small, const struct view *v)
{
	struct others all = count_others(v, "");
	char drain[32], runs[80], stop[80], t[160];

	quit_texts(runs, stop, sizeof(runs), small, &all);
	text_duration(drain, sizeof(drain), all.drain, false);
	snprintf(w->title, sizeof(w->title), "Quit mai");
	w->footer = "d detach  s stop and quit  Esc cancel";
	w->small_footer = "Esc cancel";
	w->width = 60;
	if (small) {
		add(w, "d Detach, keep serving", "");
		if (all.models > 1 && v->in_flight > 0)
			snprintf(t, sizeof(t), "s Stop %d models, %llu in flight", all.models, (unsigned long long)v->in_flight);
		else
			snprintf(t, sizeof(t), "s %s", stop);
		add(w, t, "");
		return;
	}
	add(w, runs, "");
	add(w, "", "");
	add(w, "  d  Detach: keep serving in background (mai attach)", "");
	if (v->in_flight > 0)
		snprintf(t, sizeof(t), "  s  %s (%llu in flight, %s drain)", stop, (unsigned long long)v->in_flight, drain);
	else
		snprintf(t, sizeof(t), "  s  %s", stop);
	add(w, t, "");
	add(w, "  Esc  Cancel", "");
}

/* The one that is chosen stands out; both can be clicked. */
static void
draw_buttons(struct ui_state *s, struct grid *g, int row, int col, const char *line, const char *button)
{
	int at = (int)(button - line), width = (int)(strchr(button, ']') - button) + 1, yes = at + width;

	grid_set_role(g, row, col + at, width, ROLE_SELECT);
	ui_hit_add(s, row, col + at, width, 1, HIT_KEY, UI_K_ENTER);
	yes += (int)strspn(line + yes, " ");
	ui_hit_add(s, row, col + yes, (int)strlen(line + yes), 1, HIT_KEY, 'y');
}

/* "  d  Detach" */
static void
hit_quit(struct ui_state *s, const struct ui_box *b, int i, const char *line)
{
	const char *p = line + strspn(line, " ");

	if ((p[0] == 'd' || p[0] == 's') && p[1] == ' ')
		ui_hit_add(s, b->row + 1 + i, b->col + 2, b->width - 4, 1, HIT_KEY, (uint64_t)p[0]);
	else if (strncmp(p, "Esc", 3) == 0)
		ui_hit_add(s, b->row + 1 + i, b->col + 2, b->width - 4, 1, HIT_KEY, UI_K_ESC);
}

void
ui_confirm_draw(struct ui_state *s, struct grid *g, const struct view *v)
{
	struct words w = {.buttons = -1, .width = 64, .small_width = 36};
	bool small = g->cols < 66 || g->rows < 14;
	struct ui_box b;
	const char *button;

	if (s->popup.kind == POPUP_QUIT)
		words_quit(&w, small, v);
	else if (s->popup.kind == POPUP_REPLACE)
		words_replace(&w, small, s->popup.model);
	else if (s->popup.kind == POPUP_FORCE)
		words_force(&w, small, v, s->popup.model);
	else if (s->popup.kind == POPUP_CANCEL)
		words_cancel(&w, small, v, s->popup.id);
	else
		words_stop(&w, small, v, s->popup.model, s->popup.kind == POPUP_RESTART);
	b = ui_box_draw(s, g, w.n + 2, small ? w.small_width : w.width, w.title, small ? w.small_footer : w.footer);
	for (int i = 0; i < w.n && i < b.height - 2; i++) {
		grid_put_end(g, b.row + 1 + i, b.col + 2, b.width - 4, i == 0 && !small ? ROLE_TITLE : ROLE_TEXT, w.lines[i]);
		button = i == w.buttons ? strchr(w.lines[i], '[') : NULL;
		if (button != NULL)
			draw_buttons(s, g, b.row + 1 + i, b.col + 2, w.lines[i], button);
		else if (s->popup.kind == POPUP_QUIT)
			hit_quit(s, &b, i, w.lines[i]);
	}
}

static void
quit_key(struct ui_state *s, int key, uint64_t now, struct ui_intent *out)
{
	if (key == 'd') {
		ui_popup_close(s);
		ui_send(s, out, UI_DETACH, NULL, 0, now);
	} else if (key == 's' || key == 3) {
		ui_popup_close(s);
		s->quitting = true;
		ui_send(s, out, UI_QUIT_STOP, NULL, 0, now);
	} else if (key == UI_K_ESC || key == 'n' || key == 'q' || key == UI_K_ENTER) {
		ui_popup_close(s);
	}
}

void
ui_confirm_key(struct ui_state *s, int key, uint64_t now, struct ui_intent *out)
{
	static const enum ui_intent_kind kinds[] = {[POPUP_STOP] = UI_STOP, [POPUP_RESTART] = UI_RESTART,
		[POPUP_FORCE] = UI_FORCE_RESTART, [POPUP_CANCEL] = UI_CANCEL};
	struct ui_popup p = s->popup;

	if (key == UI_K_ESC) {
		ui_popup_close(s);
		return;
	}
	if (now < p.opened + UI_ARM_MS)
		return;
	if (p.kind == POPUP_QUIT) {
		quit_key(s, key, now, out);
		return;
	}
	if (key == 'y' && p.kind == POPUP_REPLACE) {
		snprintf(s->arg, sizeof(s->arg), "%s", p.model);
		ui_popup_close(s);
		*out = (struct ui_intent){.kind = UI_SAVE, .path = s->arg, .force = true};
	} else if (key == 'y') {
		ui_popup_close(s);
		ui_send(s, out, kinds[p.kind], p.kind == POPUP_CANCEL ? NULL : p.model, p.id, now);
	} else if (key == 'n' || key == 'q' || key == 3 || key == UI_K_ENTER) {
		ui_popup_close(s);
	}
}
