/* SPDX-License-Identifier: ISC
 * The mouse: a frame notes what stands where; a click does what the thing does, the wheel scrolls the pane below it. */
#include <stdio.h>

#include "ui/ui_state.h"

#define WHEEL_LINES 3

void
ui_hit_add(struct ui_state *s, int row, int col, int width, int rows, enum ui_hit_kind kind, uint64_t arg)
{
	if (s->nhits < UI_HITS)
		s->hits[s->nhits++] = (struct ui_hit){(short)row, (short)col, (short)width, (short)rows, kind, arg};
}

/* What was drawn last lies on top. */
static const struct ui_hit *
under(const struct ui_state *s, int row, int col)
{
	for (int i = s->nhits; i-- > 0;) {
		const struct ui_hit *h = &s->hits[i];

		if (row >= h->row && row < h->row + h->rows && col >= h->col && col < h->col + h->width)
			return h;
	}
	return NULL;
}

static void
wheel(struct ui_state *s, const struct ui_hit *h, int by, const struct view *v, struct view_log *log, uint64_t now,
    struct ui_intent *out)
{
	enum ui_focus was = s->focus;
	int key = by < 0 ? UI_K_UP : UI_K_DOWN;

	if (s->popup.kind != POPUP_NONE) {
		ui_popup_key(s, key, v, log, now, out);
		return;
	}
	if (h != NULL && (h->kind == HIT_REQUEST || h->kind == HIT_MODEL)) {
		s->focus = h->kind == HIT_REQUEST ? FOCUS_REQUESTS : FOCUS_MODELS;
		ui_act(s, ui_key_action(key), key, v, log, now, out);
		s->focus = was;
		return;
	}
	ui_log_scroll(&s->log, log, by * WHEEL_LINES, true);
}

static void
click_model(struct ui_state *s, const struct view *v, uint64_t key)
{
	s->focus = FOCUS_MODELS;
	for (size_t i = 0; i < v->nengines; i++)
		if (ui_list_key(v->engines[i].id) == key)
			snprintf(s->model, sizeof(s->model), "%s", v->engines[i].id);
}

void
ui_click(struct ui_state *s, const struct view *v, struct view_log *log, uint64_t now, struct ui_intent *out)
{
	struct ui_mouse m = s->clicked;
	const struct ui_hit *h = under(s, m.row, m.col);

	if (m.what != MOUSE_CLICK) {
		wheel(s, h, m.what == MOUSE_UP ? -1 : 1, v, log, now, out);
		return;
	}
	if (h == NULL)
		return;
	s->focus_kept = false;
	switch (h->kind) {
	case HIT_KEY:
		ui_handle(s, (int)h->arg, v, log, now, out);
		break;
	case HIT_LOG:
		s->focus = FOCUS_LOG;
		ui_log_select(&s->log, log, h->arg);
		break;
	case HIT_REQUEST:
		s->focus = FOCUS_REQUESTS;
		s->requests.key = h->arg;
		break;
	case HIT_MODEL:
		click_model(s, v, h->arg);
		break;
	case HIT_ITEM:
		/* A click on the selected item takes it. */
		if (s->popup.list.key == h->arg)
			ui_popup_key(s, UI_K_ENTER, v, log, now, out);
		else
			s->popup.list.key = h->arg;
		break;
	case HIT_BOX:
		break;
	}
}
