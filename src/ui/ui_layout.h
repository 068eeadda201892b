/* SPDX-License-Identifier: ISC
 * Which rows belong to what, from the size of the terminal. Pure. */
#ifndef UI_UI_LAYOUT_H
#define UI_UI_LAYOUT_H

#include <stdbool.h>

struct ui_layout {
	int rows, cols;
	bool micro;		/* below 40x10: state, metrics, hint */
	bool narrow;		/* below 60 columns: two header rows */
	bool spark;		/* from 80 columns: sparklines */
	bool wide;		/* from 100 columns: model and path of requests */
	int margin;		/* blank columns at the right of header and bar */
	int head_rows;		/* from row 0 on */
	int req_rule;		/* -1: none */
	int req_row, req_rows;	/* the table with its heading; 0 rows: none */
	int log_rule;
	int log_row, log_rows;
	int msg_row, bar_row;	/* -1: none */
};

/* 0x0 counts as 80x24. */
void ui_layout(struct ui_layout *l, int cols, int rows, int nrequests);

#endif
