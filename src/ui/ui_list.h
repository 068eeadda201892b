/* SPDX-License-Identifier: ISC
 * A list one can move in: the selection is a key, not a row, so that it stays on its thing when others come and go.
 * And the filter of type-to-filter. Pure. */
#ifndef UI_UI_LIST_H
#define UI_UI_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ui_list {
	uint64_t key;	/* of the selected item; 0: none yet */
	int at;		/* its position when last seen */
	int top;	/* first item shown */
};

/* Finds the selection among the n present keys (none left: the item that now stands at its place) and scrolls so that
 * it is within the rows shown. Returns its position, -1 for an empty list. */
int ui_list_sync(struct ui_list *l, const uint64_t *keys, int n, int rows);
/* Moves by so many items, not beyond the ends; call ui_list_sync before drawing. */
void ui_list_move(struct ui_list *l, const uint64_t *keys, int n, int by);

/* How well a pattern fits a name: 0 not at all, 1 its letters come in this order, 2 as one piece, 3 at the beginning.
 * Case counts only when the pattern has a capital. An empty pattern fits everything as 1. */
int ui_list_match(const char *name, const char *pattern);

#endif
