/* SPDX-License-Identifier: ISC
 * Size tiers. */
#include "ui/ui_layout.h"

#include <string.h>

#define MODELS_MOST 4	/* rows of the model list, then it scrolls */
#define LOG_LEAST 3	/* what the requests leave it */

/* State, metrics and hint, as many as fit; log lines where there is room between. */
static void
layout_micro(struct ui_layout *l)
{
	l->micro = l->short_head = true;
	l->head_rows = l->rows >= 2 ? 2 : 1;
	if (l->rows >= 3)
		l->bar_row = l->rows - 1;
	if (l->rows >= 4) {
		l->log_row = 2;
		l->log_rows = l->rows - 3;
	}
}

static void
layout_head(struct ui_layout *l, const struct ui_wish *w)
{
	int most = l->rows < 14 ? 2 : MODELS_MOST;

	l->short_head = l->narrow || w->zoom != ZOOM_NONE;
	l->models = w->nmodels < most ? w->nmodels : most;
	if (l->models > 0 && l->short_head) {
		l->models_row = 0;
		l->head_rows = l->models;
	} else if (l->short_head) {
		l->head_rows = 2;
	} else {
		l->models_row = 1;
		l->use_row = l->models > 0 ? 1 + l->models : 3;
		l->head_rows = l->use_row + 2;
	}
}

/* Rows of the table with its heading, of what is left for it and the log. */
static int
request_rows(const struct ui_wish *w, int rows, int left)
{
	int most = rows >= 30 ? 8 : rows >= 20 ? 4 : 0;

	if (w->zoom == ZOOM_REQUESTS)
		return left;
	if (most + w->split < most && most > 0)
		most = most + w->split > 1 ? most + w->split : 1;
	else
		most += w->split;
	/* Its heading and the log's rule need a row each. */
	if (most > left - LOG_LEAST - 2)
		most = left - LOG_LEAST - 2;
	if (w->nrequests == 0 || most <= 0)
		return 0;
	return 1 + (w->nrequests < most ? w->nrequests : most);
}

void
ui_layout(struct ui_layout *l, const struct ui_wish *w)
{
	int row;

	memset(l, 0, sizeof(*l));
	l->rows = w->cols > 0 && w->rows > 0 ? w->rows : 24;
	l->cols = w->cols > 0 && w->rows > 0 ? w->cols : 80;
	l->narrow = l->cols < 60;
	l->spark = l->cols >= 80;
	l->wide = l->cols >= 100;
	l->margin = l->narrow ? 0 : 1;
	l->use_row = l->req_rule = l->log_rule = l->msg_row = l->bar_row = -1;
	if (l->cols < 40 || l->rows < 10) {
		layout_micro(l);
		return;
	}
	layout_head(l, w);
	row = l->head_rows;
	l->bar_row = l->rows - 1;
	if (l->rows >= 14)
		l->msg_row = l->rows - 2;
	l->log_rows = (l->msg_row >= 0 ? l->msg_row : l->bar_row) - row;
	if ((!l->narrow && l->rows >= 14 && w->zoom != ZOOM_LOG) || w->zoom == ZOOM_REQUESTS) {
		l->req_rule = row++;
		l->req_row = row;
		l->req_rows = request_rows(w, l->rows, l->log_rows - 1);
		row += l->req_rows;
		l->log_rows -= 1 + l->req_rows;
	}
	if (w->zoom == ZOOM_REQUESTS) {
		l->log_rows = 0;
		return;
	}
	l->log_rule = row++;
	l->log_row = row;
	l->log_rows--;
}
