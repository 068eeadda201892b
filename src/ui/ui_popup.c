/* SPDX-License-Identifier: ISC
 * What all popups have in common: the box, opening, closing, which is which. */
#include "ui/ui_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct ui_box
ui_box_draw(struct ui_state *s, struct grid *g, int height, int width, const char *title, const char *footer)
{
	struct ui_box b = {.height = height < g->rows ? height : g->rows, .width = width < g->cols ? width : g->cols};
	int last;

	b.row = (g->rows - b.height) / 2;
	b.col = (g->cols - b.width) / 2;
	last = b.row + b.height - 1;
	s->box = b;
	/* What lies below takes no clicks. */
	s->nhits = 0;
	ui_hit_add(s, b.row, b.col, b.width, b.height, HIT_BOX, 0);
	for (int r = b.row; r <= last; r++)
		grid_fill(g, r, b.col, b.width, ROLE_TEXT, " ");
	grid_fill(g, b.row, b.col, b.width, ROLE_TEXT, s->g->h);
	grid_fill(g, last, b.col, b.width, ROLE_TEXT, s->g->h);
	grid_put(g, b.row, b.col, 1, ROLE_TEXT, s->g->tl);
	grid_put(g, b.row, b.col + b.width - 1, 1, ROLE_TEXT, s->g->tr);
	grid_put(g, last, b.col, 1, ROLE_TEXT, s->g->bl);
	grid_put(g, last, b.col + b.width - 1, 1, ROLE_TEXT, s->g->br);
	if (b.width > 6) {
		char t[160];

		snprintf(t, sizeof(t), " %s ", title);
		grid_put_end(g, b.row, b.col + 2, b.width - 3, ROLE_TITLE, t);
		snprintf(t, sizeof(t), " %s ", footer);
		grid_put_end(g, last, b.col + 2, b.width - 3, ROLE_TEXT, t);
	}
	return b;
}

int
ui_box_first(const struct ui_box *b, int all)
{
	return b->height >= all ? 3 : b->height > 3 ? 2 : 1;
}

void
ui_popup_open(struct ui_state *s, enum ui_popup_kind kind, const char *model, uint64_t id, uint64_t now)
{
	ui_popup_close(s);
	s->popup.kind = kind;
	s->popup.opened = now;
	s->popup.id = id;
	snprintf(s->popup.model, sizeof(s->popup.model), "%s", model != NULL ? model : "");
}

void
ui_popup_close(struct ui_state *s)
{
	free(s->popup.text);
	free(s->popup.last);
	memset(&s->popup, 0, sizeof(s->popup));
}

/* A supervisor that was started without any model asks which one. log_next comes with the snapshot. */
static void
offer_models(struct ui_state *s, const struct view *v, uint64_t now)
{
	if (s->offered || s->read_only || v->log_next == 0 || s->link != UI_LINK_UP)
		return;
	s->offered = true;
	for (size_t i = 0; i < v->nengines; i++)
		if (!v->engines[i].discovered)
			return;
	if (s->foreground && s->popup.kind == POPUP_NONE)
		ui_popup_open(s, POPUP_PICKER, NULL, 0, now);
}

static bool
asks_core(enum ui_popup_kind kind)
{
	return kind == POPUP_STOP || kind == POPUP_RESTART || kind == POPUP_FORCE || kind == POPUP_CANCEL || kind == POPUP_QUIT;
}

void
ui_popup_check(struct ui_state *s, const struct view *v, uint64_t now)
{
	const struct view_engine *e = view_engine_find(v, s->popup.model);
	/* A stop of what drains already would cut what the question gives time to. */
	bool drains = e != NULL && e->state == ENGINE_DRAINING && s->popup.kind == POPUP_RESTART;
	bool on = e != NULL && (e->state == ENGINE_READY || e->state == ENGINE_STARTING || drains);

	offer_models(s, v, now);
	/* A question to a core that is not there has no answer. */
	if (asks_core(s->popup.kind) && s->link != UI_LINK_UP) {
		ui_say(s, UI_MSG_WARN, now, "not connected any more");
		ui_popup_close(s);
		return;
	}
	switch (s->popup.kind) {
	case POPUP_STOP:
	case POPUP_RESTART:
		if (on)
			return;
		ui_say(s, UI_MSG_WARN, now, "%s is %s now", e != NULL ? e->name : "the model",
		    e != NULL ? engine_state_name(e->state) : "gone");
		break;
	case POPUP_CANCEL:
		if (view_request_find(v, s->popup.id) != NULL)
			return;
		ui_say(s, UI_MSG_INFO, now, "request %llu has ended", (unsigned long long)s->popup.id);
		break;
	default:
		return;
	}
	ui_popup_close(s);
}

/* After what is in the box, which a very small one does not hold. */
static void
draw_sides(const struct ui_state *s, struct grid *g)
{
	const struct ui_box *b = &s->box;

	for (int r = b->row + 1; r < b->row + b->height - 1; r++) {
		grid_put(g, r, b->col, 1, ROLE_TEXT, s->g->v);
		grid_put(g, r, b->col + b->width - 1, 1, ROLE_TEXT, s->g->v);
	}
}

void
ui_popup_draw(struct ui_state *s, struct grid *g, const struct view *v, uint64_t now)
{
	switch (s->popup.kind) {
	case POPUP_NONE:
		break;
	case POPUP_PICKER:
		ui_picker_draw(s, g, v);
		break;
	case POPUP_HELP:
		ui_help_draw(s, g);
		break;
	case POPUP_PALETTE:
		ui_palette_draw(s, g, v);
		break;
	case POPUP_INFO:
	case POPUP_DETAILS:
		ui_text_draw(s, g, v, now);
		break;
	default:
		ui_confirm_draw(s, g, v);
		break;
	}
	draw_sides(s, g);
}

void
ui_popup_key(struct ui_state *s, int key, const struct view *v, struct view_log *log, uint64_t now,
    struct ui_intent *out)
{
	/* The view may be newer than the question on the screen. */
	ui_popup_check(s, v, now);
	switch (s->popup.kind) {
	case POPUP_NONE:
		break;
	case POPUP_PICKER:
		ui_picker_key(s, key, v, now, out);
		break;
	case POPUP_HELP:
		ui_help_key(s, key);
		break;
	case POPUP_PALETTE:
		ui_palette_key(s, key, v, log, now, out);
		break;
	case POPUP_INFO:
	case POPUP_DETAILS:
		ui_text_key(s, key, now);
		break;
	default:
		ui_confirm_key(s, key, now, out);
		break;
	}
}

bool
ui_popup_types(const struct ui_state *s)
{
	return s->popup.kind == POPUP_PICKER || s->popup.kind == POPUP_PALETTE ||
	    (s->popup.kind == POPUP_HELP && s->popup.finding);
}

const char *
ui_popup_hint(const struct ui_state *s)
{
	static const char *const text_hints[2][2] = {{"Esc close", "Esc close  Up/Down more"},
		{"K cancel  Esc close", "K cancel  Esc close  Up/Down more"}};

	switch (s->popup.kind) {
	case POPUP_PICKER:
		return "Enter swap  Esc cancel  Up/Down move  Tab all/configured";
	case POPUP_PALETTE:
		return "Enter do it  Esc cancel  Up/Down move  Tab complete";
	case POPUP_HELP:
		return s->popup.finding ? "type a word or a key  Esc all keys" :
		    s->popup.pages > 1 ? "Esc close  PgDn more  / find a key" : "Esc close  / find a key";
	case POPUP_INFO:
	case POPUP_DETAILS:
		return text_hints[s->popup.kind == POPUP_DETAILS && !s->read_only && !s->popup.ended]
		    [s->popup.lines > s->popup.rows];
	case POPUP_QUIT:
		return "d detach  s stop and quit  Esc cancel";
	case POPUP_STOP:
		return "y stop  n/Esc/Enter cancel";
	case POPUP_RESTART:
	case POPUP_FORCE:
		return "y restart  n/Esc/Enter cancel";
	case POPUP_REPLACE:
		return "y replace  n/Esc/Enter cancel";
	default:
		return "y cancel the request  n/Esc/Enter keep it";
	}
}
