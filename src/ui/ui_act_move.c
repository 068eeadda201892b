/* SPDX-License-Identifier: ISC
 * Moving: in the log, among the requests, among the loaded models, between the panes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "ui/ui_act.h"

static void
move_requests(struct ui_state *s, const struct view *v, int by)
{
	uint64_t *keys;
	size_t *at, n = ui_requests_shown(s, v, &at, &keys);

	ui_list_move(&s->requests, keys, (int)n, by);
	free(at);
	free(keys);
}

static void
move_models(struct ui_state *s, const struct view *v, int by)
{
	uint64_t *keys;
	size_t *at, n = ui_models_shown(s, v, &at, &keys);

	ui_list_move(&s->models, keys, (int)n, by);
	if (n > 0)
		snprintf(s->model, sizeof(s->model), "%s", v->engines[at[s->models.at]].id);
	free(at);
	free(keys);
}

/* page: 0 a line, else a page of the pane */
static void
move(struct ui_state *s, const struct view *v, const struct view_log *log, int by, bool page)
{
	int rows = s->focus == FOCUS_LOG ? s->log.rows - 1 : s->focus == FOCUS_REQUESTS ? s->lay.req_rows - 2 : 4;

	if (page)
		by *= rows > 1 ? rows : 1;
	if (s->focus == FOCUS_REQUESTS)
		move_requests(s, v, by);
	else if (s->focus == FOCUS_MODELS)
		move_models(s, v, by);
	else
		ui_log_scroll(&s->log, log, by, page);
}

static void
move_end(struct ui_state *s, const struct view *v, const struct view_log *log, bool last)
{
	if (s->focus == FOCUS_REQUESTS)
		move_requests(s, v, last ? (int)v->nrequests : -(int)v->nrequests);
	else if (s->focus == FOCUS_MODELS)
		move_models(s, v, last ? (int)v->nengines : -(int)v->nengines);
	else if (last)
		ui_log_follow(&s->log);
	else
		ui_log_oldest(&s->log, log);
}

static bool
has_pane(const struct ui_state *s, const struct view *v, enum ui_focus f)
{
	switch (f) {
	case FOCUS_MODELS:
		return s->lay.models > 0;
	case FOCUS_REQUESTS:
		/* A pane without room is shown alone. */
		return v->nrequests > 0 && !s->lay.micro;
	default:
		return true;
	}
}

static void
next_pane(struct ui_state *s, const struct view *v, int step)
{
	int f = (int)s->focus;

	s->focus_kept = false;
	if (s->zoom_auto)
		s->zoom = ZOOM_NONE;
	s->zoom_auto = false;
	do
		f = (f + step + FOCUS_N) % FOCUS_N;
	while (!has_pane(s, v, (enum ui_focus)f));
	s->focus = (enum ui_focus)f;
	if (s->zoom != ZOOM_NONE) {
		s->zoom = f == FOCUS_REQUESTS ? ZOOM_REQUESTS : ZOOM_LOG;
	} else if (f == FOCUS_REQUESTS && s->lay.req_rows == 0) {
		s->zoom = ZOOM_REQUESTS;
		s->zoom_auto = true;
	}
}

static void
zoom(struct ui_state *s)
{
	s->zoom_auto = false;
	if (s->zoom != ZOOM_NONE)
		s->zoom = ZOOM_NONE;
	else
		s->zoom = s->focus == FOCUS_REQUESTS ? ZOOM_REQUESTS : ZOOM_LOG;
}

/* The pane with the focus grows: the requests' share is what is remembered. */
static void
resize(struct ui_state *s, int by)
{
	int split = s->split + (s->focus == FOCUS_REQUESTS ? by : -by);

	if (split >= -8 && split <= s->lay.rows)
		s->split = split;
}

static void
sideways(struct ui_log *l, int by)
{
	if (by < 0)
		l->hscroll = l->hscroll > -by ? l->hscroll + by : 0;
	else
		l->hscroll = l->hscroll < 65536 ? l->hscroll + by : l->hscroll;
}

bool
ui_act_move(struct ui_state *s, enum ui_action a, const struct view *v, const struct view_log *log)
{
	switch (a) {
	case ACT_UP:
	case ACT_DOWN:
		move(s, v, log, a == ACT_UP ? -1 : 1, false);
		return true;
	case ACT_PAGE_UP:
	case ACT_PAGE_DOWN:
		move(s, v, log, a == ACT_PAGE_UP ? -1 : 1, true);
		return true;
	case ACT_TOP:
	case ACT_END:
		move_end(s, v, log, a == ACT_END);
		return true;
	case ACT_LEFT:
	case ACT_RIGHT:
		sideways(&s->log, a == ACT_LEFT ? -s->cols / 2 : s->cols / 2);
		return true;
	case ACT_FIRST_COL:
		s->log.hscroll = 0;
		return true;
	case ACT_FOCUS:
	case ACT_FOCUS_BACK:
		next_pane(s, v, a == ACT_FOCUS ? 1 : -1);
		return true;
	case ACT_ZOOM:
		zoom(s);
		return true;
	case ACT_GROW:
	case ACT_SHRINK:
		resize(s, a == ACT_GROW ? 1 : -1);
		return true;
	default:
		return false;
	}
}
