/* SPDX-License-Identifier: ISC
 * The help, made from the key table. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ui/ui_state.h"

#define HELP_LINES 64

struct line {
	const struct ui_binding *b;	/* NULL: the heading of group, or */
	enum ui_group group;
	const char *text;		/* a line of its own */
};

static int
lines_of(const struct ui_state *s, struct line *out, int n, enum ui_group g)
{
	if (n < HELP_LINES)
		out[n++] = (struct line){.group = g};
	for (size_t i = 0; i < ui_nbindings && n < HELP_LINES; i++)
		if (ui_bindings[i].group == g && ui_bindings[i].keys != NULL && ui_allowed(s, ui_bindings[i].action))
			out[n++] = (struct line){.b = &ui_bindings[i], .group = g};
	return n;
}

static void
draw_line(struct grid *g, int row, int col, int width, int key_width, const struct line *l)
{
	if (l->text != NULL) {
		grid_put_end(g, row, col, width, ROLE_MUTED, l->text);
		return;
	}
	if (l->b == NULL) {
		grid_put(g, row, col, width, ROLE_TITLE, ui_group_name(l->group));
		return;
	}
	grid_put(g, row, col, key_width, ROLE_TITLE, l->b->keys);
	grid_put_end(g, row, col + key_width, width - key_width, ROLE_TEXT, l->b->help);
}

static int
height_of(int lines, const struct grid *g)
{
	int most = g->rows - 4;

	return lines > most ? (most > 1 ? most : 1) : lines > 1 ? lines : 1;
}

/* What was looked for, by key, words or command, in one column. */
static void
draw_found(struct ui_state *s, struct grid *g)
{
	struct line found[HELP_LINES];
	struct ui_box b;
	int n = 0, rows;

	for (size_t i = 0; i < ui_nbindings && n < HELP_LINES; i++) {
		const struct ui_binding *k = &ui_bindings[i];
		const char *text = s->popup.edit.text;

		if (ui_allowed(s, k->action) && (ui_list_match(k->help, text) > 1 || strcmp(k->shown, text) == 0 ||
		    (k->command != NULL && ui_list_match(k->command, text) > 1)))
			found[n++] = (struct line){.b = k, .group = k->group};
	}
	rows = height_of(n + 2, g);
	b = ui_box_draw(s, g, rows + 2, g->cols < 78 ? g->cols : 78, "Help", "type a word or a key  Esc all keys");
	grid_put(g, b.row + 1, b.col + 2, 6, ROLE_TEXT, "find: ");
	ui_edit_draw(&s->popup.edit, g, b.row + 1, b.col + 8, b.width - 10, ROLE_TITLE, s->g->cursor);
	for (int i = 0; i < n && i + 2 < rows; i++) {
		grid_put(g, b.row + 3 + i, b.col + 2, 10, ROLE_TITLE, found[i].b->shown);
		grid_put_end(g, b.row + 3 + i, b.col + 12, b.width - 14, ROLE_TEXT, found[i].b->help);
	}
	if (n == 0)
		grid_put(g, b.row + 2, b.col + 8, b.width - 10, ROLE_MUTED, "no such key");
}

static const char *
mouse_line(const struct ui_state *s)
{
	return s->mouse ? "mouse on: Shift selects text; M turns it off" :
	    "mouse off: the terminal's own selection works; M turns it on";
}

/* The columns: all in the left one, or the log's keys and the requests' in the right one. */
struct columns {
	struct line left[HELP_LINES], right[HELP_LINES];
	int nl, nr;
	char pin[80];
};

static void
fill(const struct ui_state *s, struct columns *c, bool two)
{
	snprintf(c->pin, sizeof(c->pin), "%s pinned: never gives way to another model", s->g->pin);
	c->nl = lines_of(s, c->left, 0, GROUP_MODEL);
	c->nr = 0;
	c->nl = lines_of(s, c->left, c->nl, GROUP_VIEW);
	if (two) {
		c->nr = lines_of(s, c->right, 0, GROUP_LOG);
		c->nr = lines_of(s, c->right, c->nr, GROUP_REQUESTS);
		return;
	}
	c->nl = lines_of(s, c->left, c->nl, GROUP_LOG);
	c->nl = lines_of(s, c->left, c->nl, GROUP_REQUESTS);
	c->left[c->nl++] = (struct line){.text = c->pin};
	c->left[c->nl++] = (struct line){.text = mouse_line(s)};
}

/* Two columns where they fit, else pages of one. */
void
ui_help_draw(struct ui_state *s, struct grid *g)
{
	struct columns c;
	int rows, per, foot;
	struct ui_box b;
	char title[48];
	bool two = g->cols >= 78;

	if (s->popup.finding) {
		draw_found(s, g);
		return;
	}
	fill(s, &c, two);
	rows = c.nl > c.nr ? c.nl : c.nr;
	foot = two && rows + 4 <= g->rows ? 2 : 0;
	per = rows + 2 <= g->rows ? rows : height_of(rows, g);
	s->popup.pages = (rows + per - 1) / per;
	if (s->popup.page >= s->popup.pages)
		s->popup.page = s->popup.pages - 1;
	if (s->popup.pages > 1)
		snprintf(title, sizeof(title), "Help %d/%d", s->popup.page + 1, s->popup.pages);
	else
		snprintf(title, sizeof(title), "Help");
	b = ui_box_draw(s, g, per + 2 + foot, two ? 78 : g->cols, title,
	    s->popup.pages > 1 ? "PgDn more  / find  Esc" : "Esc close  / find a key");
	for (int i = 0; i < per && i < b.height - 2; i++) {
		int at = s->popup.page * per + i;

		if (at < c.nl)
			draw_line(g, b.row + 1 + i, b.col + 2, two ? 36 : b.width - 4, two ? 9 : 10, &c.left[at]);
		if (at < c.nr)
			draw_line(g, b.row + 1 + i, b.col + 39, b.width - 41, 11, &c.right[at]);
	}
	if (foot != 0) {
		grid_put_end(g, b.row + b.height - 3, b.col + 2, b.width - 4, ROLE_MUTED, c.pin);
		grid_put_end(g, b.row + b.height - 2, b.col + 2, b.width - 4, ROLE_MUTED, mouse_line(s));
	}
}

void
ui_help_key(struct ui_state *s, int key)
{
	enum ui_action a = ui_key_action(key);

	if (s->popup.finding) {
		if (key == UI_K_ESC || key == 3) {
			s->popup.finding = false;
			ui_edit_clear(&s->popup.edit);
		} else {
			ui_edit_key(&s->popup.edit, key);
		}
		return;
	}
	if (a == ACT_SEARCH)
		s->popup.finding = true;
	else if (a == ACT_PAGE_DOWN || a == ACT_DOWN || key == UI_K_ENTER)
		s->popup.page = s->popup.page + 1 < s->popup.pages ? s->popup.page + 1 : s->popup.page;
	else if (a == ACT_PAGE_UP || a == ACT_UP)
		s->popup.page = s->popup.page > 0 ? s->popup.page - 1 : 0;
	else if (a == ACT_ESCAPE || a == ACT_HELP || a == ACT_QUIT)
		ui_popup_close(s);
}
