/* SPDX-License-Identifier: ISC
 * Cells. */
#include "ui/ui_grid.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/xmalloc.h"

static struct cell *
cell_at(const struct grid *g, int row, int col)
{
	return &g->cells[(size_t)row * (size_t)g->cols + (size_t)col];
}

static void
cell_set(struct cell *c, const char *s, size_t n, int width, enum ui_role role)
{
	memset(c, 0, sizeof(*c));
	memcpy(c->s, s, n);
	c->n = (unsigned char)n;
	c->width = (unsigned char)width;
	c->role = (unsigned char)role;
}

void
grid_clear(struct grid *g)
{
	for (int r = 0; r < g->rows; r++)
		for (int c = 0; c < g->cols; c++)
			cell_set(cell_at(g, r, c), " ", 1, 1, ROLE_TEXT);
}

void
grid_size(struct grid *g, int rows, int cols)
{
	rows = rows < 1 ? 1 : rows;
	cols = cols < 1 ? 1 : cols;
	if (g->cells == NULL || g->rows != rows || g->cols != cols) {
		free(g->cells);
		g->cells = xreallocarray(NULL, (size_t)rows * (size_t)cols, sizeof(*g->cells));
		g->rows = rows;
		g->cols = cols;
	}
	grid_clear(g);
}

void
grid_fini(struct grid *g)
{
	free(g->cells);
	memset(g, 0, sizeof(*g));
}

/* A half of a wide character must not outlive the other half. */
static void
cell_break(struct grid *g, int row, int col)
{
	struct cell *c = cell_at(g, row, col);

	if (c->n == 0 && col > 0)
		cell_set(c - 1, " ", 1, 1, (c - 1)->role);
	if (c->width == 2 && col + 1 < g->cols)
		cell_set(c + 1, " ", 1, 1, (c + 1)->role);
}

/* What combines joins the character before it, as long as there is room in its cell. */
static void
cell_join(struct grid *g, int row, int col, const char *s, size_t n)
{
	struct cell *c = cell_at(g, row, col);

	if (c->n == 0 && col > 0)
		c--;
	if (!g->ascii && (size_t)c->n + n <= sizeof(c->s)) {
		memcpy(c->s + c->n, s, n);
		c->n = (unsigned char)(c->n + n);
	}
}

/* Draws one character; the columns it took, or -1 when there is no room. */
static int
put_char(struct grid *g, int row, int col, int left, enum ui_role role, const char *s, size_t n, int width)
{
	if (width > left) {
		if (left > 0) {
			cell_break(g, row, col);
			cell_set(cell_at(g, row, col), " ", 1, 1, role);
		}
		return -1;
	}
	cell_break(g, row, col);
	if (width == 2)
		cell_break(g, row, col + 1);
	if (g->ascii && (n > 1 || width == 2)) {
		for (int i = 0; i < width; i++)
			cell_set(cell_at(g, row, col + i), "?", 1, 1, role);
		return width;
	}
	cell_set(cell_at(g, row, col), s, n, width, role);
	if (width == 2)
		cell_set(cell_at(g, row, col + 1), "", 0, 0, role);
	return width;
}

int
grid_put(struct grid *g, int row, int col, int width, enum ui_role role, const char *s)
{
	int used = 0;

	if (row < 0 || row >= g->rows || col < 0 || col >= g->cols)
		return 0;
	if (width > g->cols - col)
		width = g->cols - col;
	for (size_t len = strlen(s); len > 0;) {
		uint32_t cp;
		size_t n = text_utf8(s, len, &cp), take = n == 0 ? 1 : n;
		int w = n == 0 ? -1 : text_cp_width(cp), got;

		/* Texts are clean when they come here; this is the last line. */
		if (n != 0 && text_is_format(cp) && cp != 0x200d)
			w = -1;
		if (w == 0) {
			if (used > 0)
				cell_join(g, row, col + used - 1, s, n);
		} else {
			got = w < 0 ? put_char(g, row, col + used, width - used, role, "?", 1, 1) :
			    put_char(g, row, col + used, width - used, role, s, n, w);
			if (got < 0)
				break;
			used += got;
		}
		s += take;
		len -= take;
	}
	return used;
}

int
grid_put_end(struct grid *g, int row, int col, int width, enum ui_role role, const char *s)
{
	char buf[4096];

	if (width > g->cols - col)
		width = g->cols - col;
	if (width <= 0)
		return 0;
	text_clip_end(buf, sizeof(buf), s, width, g->ascii ? "~" : "…");
	return grid_put(g, row, col, width, role, buf);
}

/* Somewhat more of the beginning than of the end. */
int
grid_put_middle(struct grid *g, int row, int col, int width, enum ui_role role, const char *s)
{
	char buf[4096];
	int head, used;

	if (width > g->cols - col)
		width = g->cols - col;
	if (width < 5 || text_width(s) <= width)
		return grid_put_end(g, row, col, width, role, s);
	head = (width * 11 + 10) / 20;
	text_clip_end(buf, sizeof(buf), s, head, "");
	used = grid_put(g, row, col, head, role, buf);
	used += grid_put(g, row, col + used, 1, role, g->ascii ? "~" : "…");
	text_clip_start(buf, sizeof(buf), s, width - used, "");
	return used + grid_put(g, row, col + used, width - used, role, buf);
}

int
grid_put_model(struct grid *g, int row, int col, int width, enum ui_role role, const char *s)
{
	const char *name = strrchr(s, '/');

	if (name != NULL && name[1] != '\0' && text_width(s) > (width < g->cols - col ? width : g->cols - col))
		s = name + 1;
	return grid_put_middle(g, row, col, width, role, s);
}

int
grid_put_path(struct grid *g, int row, int col, int width, enum ui_role role, const char *s)
{
	char buf[4096];

	if (width > g->cols - col)
		width = g->cols - col;
	if (width <= 0)
		return 0;
	text_clip_start(buf, sizeof(buf), s, width, g->ascii ? "~" : "…");
	return grid_put(g, row, col, width, role, buf);
}

int
grid_put_right(struct grid *g, int row, int right, enum ui_role role, const char *s)
{
	int w = text_width(s), col = right - w;

	if (col < 0) {
		col = 0;
		w = right;
	}
	grid_put(g, row, col, w, role, s);
	return col;
}

void
grid_fill(struct grid *g, int row, int col, int width, enum ui_role role, const char *glyph)
{
	for (int i = 0; i < width; i++)
		grid_put(g, row, col + i, 1, role, glyph);
}

void
grid_set_role(struct grid *g, int row, int col, int width, enum ui_role role)
{
	if (row < 0 || row >= g->rows || col < 0)
		return;
	for (int i = col; i < col + width && i < g->cols; i++)
		cell_at(g, row, i)->role = (unsigned char)role;
}

bool
grid_row_same(const struct grid *a, const struct grid *b, int row)
{
	return a->cols == b->cols && row < a->rows && row < b->rows &&
	    memcmp(cell_at(a, row, 0), cell_at(b, row, 0), (size_t)a->cols * sizeof(struct cell)) == 0;
}

void
grid_copy(struct grid *to, const struct grid *from)
{
	grid_size(to, from->rows, from->cols);
	to->ascii = from->ascii;
	memcpy(to->cells, from->cells, (size_t)from->rows * (size_t)from->cols * sizeof(struct cell));
}

void
grid_row_text(const struct grid *g, int row, char *out, size_t size)
{
	size_t len = 0, end = 0;

	for (int c = 0; c < g->cols; c++) {
		const struct cell *e = cell_at(g, row, c);

		if (len + e->n + 1 > size)
			break;
		memcpy(out + len, e->s, e->n);
		len += e->n;
		if (!(e->n == 1 && e->s[0] == ' '))
			end = len;
	}
	out[end] = '\0';
}
