/* SPDX-License-Identifier: ISC
 * Size tiers. */
#include "ui/ui_layout.h"

#include <string.h>

/* State, metrics and hint, as many as fit; log lines where there is room between. */
static void
layout_micro(struct ui_layout *l)
{
	l->micro = true;
	l->head_rows = l->rows >= 2 ? 2 : 1;
	if (l->rows >= 3)
		l->bar_row = l->rows - 1;
	if (l->rows >= 6) {
		l->log_row = 2;
		l->log_rows = l->rows - 3;
	}
}

static int
request_rows(int rows, int nrequests)
{
	int most = rows >= 30 ? 8 : rows >= 20 ? 4 : 0;

	if (nrequests == 0 || most == 0)
		return 0;
	return 1 + (nrequests < most ? nrequests : most);
}

void
ui_layout(struct ui_layout *l, int cols, int rows, int nrequests)
{
	int row;

	if (cols <= 0 || rows <= 0) {
		cols = 80;
		rows = 24;
	}
	memset(l, 0, sizeof(*l));
	l->rows = rows;
	l->cols = cols;
	l->narrow = cols < 60;
	l->spark = cols >= 80;
	l->wide = cols >= 100;
	l->margin = l->narrow ? 0 : 1;
	l->req_rule = l->log_rule = l->msg_row = l->bar_row = -1;
	if (cols < 40 || rows < 10) {
		layout_micro(l);
		return;
	}
	l->head_rows = l->narrow ? 2 : 5;
	row = l->head_rows;
	if (!l->narrow && rows >= 14) {
		l->req_rule = row++;
		l->req_row = row;
		l->req_rows = request_rows(rows, nrequests);
		row += l->req_rows;
	}
	l->log_rule = row++;
	l->bar_row = rows - 1;
	if (rows >= 14)
		l->msg_row = rows - 2;
	l->log_row = row;
	l->log_rows = (l->msg_row >= 0 ? l->msg_row : l->bar_row) - row;
}
