/* SPDX-License-Identifier: ISC
 * A screenful of cells that panes are composed into: text by cell width, clipped and harmless, each cell with the role
 * it plays. No curses: what is on it can be compared, tested, and written out by ui_term. */
#ifndef UI_UI_GRID_H
#define UI_UI_GRID_H

#include <stdbool.h>
#include <stddef.h>

/* What a piece of text is; ui_term maps it to attributes. */
enum ui_role {
	ROLE_TEXT,
	ROLE_OK,
	ROLE_BUSY,
	ROLE_WARN,
	ROLE_BAD,
	ROLE_SELECT,
	ROLE_MUTED,
	ROLE_TITLE,
	ROLE_N
};

#define CELL_BYTES 18

struct cell {
	char s[CELL_BYTES - 3];	/* one character with what combines, not terminated; n 0: the right half of a wide one */
	unsigned char n, width, role;
};

struct grid {
	int rows, cols;
	bool ascii;		/* whatever is not ASCII becomes '?' */
	struct cell *cells;	/* (owned) */
};

/* Blank, of this size (at least 1x1). Works on a zeroed struct and on a used one. */
void grid_size(struct grid *g, int rows, int cols);
void grid_clear(struct grid *g);
void grid_fini(struct grid *g);

/* Writes s from col on in at most width columns; controls become '?', what is outside of the grid or too wide is not drawn, a wide character
 * that would straddle the edge becomes a blank. Returns the columns used. */
int grid_put(struct grid *g, int row, int col, int width, enum ui_role role, const char *s);
/* The same with an ellipsis at the end, or in the middle, where s is too wide. */
int grid_put_end(struct grid *g, int row, int col, int width, enum ui_role role, const char *s);
int grid_put_middle(struct grid *g, int row, int col, int width, enum ui_role role, const char *s);
/* A model's name: "org/" goes first, then the middle. A path: its beginning goes. */
int grid_put_model(struct grid *g, int row, int col, int width, enum ui_role role, const char *s);
int grid_put_path(struct grid *g, int row, int col, int width, enum ui_role role, const char *s);
/* Ends before column right; returns the column where it begins. */
int grid_put_right(struct grid *g, int row, int right, enum ui_role role, const char *s);
/* Repeats one glyph. */
void grid_fill(struct grid *g, int row, int col, int width, enum ui_role role, const char *glyph);
/* Only the role. */
void grid_set_role(struct grid *g, int row, int col, int width, enum ui_role role);

bool grid_row_same(const struct grid *a, const struct grid *b, int row);
void grid_copy(struct grid *to, const struct grid *from);
/* The row as text without trailing blanks. */
void grid_row_text(const struct grid *g, int row, char *out, size_t size);

#endif
