/* SPDX-License-Identifier: ISC
 * Which rows belong to what, from the size of the terminal and what the person wants. Pure. */
#ifndef UI_UI_LAYOUT_H
#define UI_UI_LAYOUT_H

#include <stdbool.h>

enum ui_zoom { ZOOM_NONE, ZOOM_LOG, ZOOM_REQUESTS };

struct ui_wish {
	int cols, rows;		/* of the terminal; 0x0 counts as 80x24 */
	int nrequests;
	int nmodels;		/* loaded ones that each need a row; 0: one model, shown in full */
	enum ui_zoom zoom;
	int split;		/* rows more for the requests, or less */
};

struct ui_layout {
	int rows, cols;
	bool micro;		/* below 40x10: state, metrics, hint */
	bool narrow;		/* below 60 columns: two header rows */
	bool short_head;	/* two header rows, at any width */
	bool spark;		/* from 80 columns: sparklines */
	bool wide;		/* from 100 columns: model and path of requests */
	int margin;		/* blank columns at the right of header and bar */
	int head_rows;		/* from row 0 on */
	int models;		/* rows of the model list, from models_row on; 0: no list */
	int models_row;
	int use_row;		/* tokens, and memory below it; -1: none */
	int req_rule;		/* -1: none */
	int req_row, req_rows;	/* the table with its heading; 0 rows: none */
	int log_rule;		/* -1: none */
	int log_row, log_rows;
	int msg_row, bar_row;	/* -1: none */
};

void ui_layout(struct ui_layout *l, const struct ui_wish *w);

#endif
