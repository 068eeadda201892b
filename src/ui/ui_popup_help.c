/* SPDX-License-Identifier: ISC
 * The help, made from the key table. */
#include <stdio.h>

#include "base/text.h"
#include "ui/ui_state.h"

#define HELP_LINES 64

struct line {
	const struct ui_binding *b;	/* NULL: the heading of group */
	enum ui_group group;
};

static int
lines_of(struct line *out, int n, enum ui_group g)
{
	if (n < HELP_LINES)
		out[n++] = (struct line){.group = g};
	for (size_t i = 0; i < ui_nbindings && n < HELP_LINES; i++)
		if (ui_bindings[i].group == g && ui_bindings[i].keys != NULL)
			out[n++] = (struct line){.b = &ui_bindings[i], .group = g};
	return n;
}

static void
draw_line(struct grid *g, int row, int col, int width, int key_width, const struct line *l)
{
	if (l->b == NULL) {
		grid_put(g, row, col, width, ROLE_TITLE, ui_group_name(l->group));
		return;
	}
	grid_put(g, row, col, key_width, ROLE_TITLE, l->b->keys);
	grid_put_end(g, row, col + key_width, width - key_width, ROLE_TEXT, l->b->help);
}

/* Two columns where they fit, else pages of one. */
void
ui_help_draw(struct ui_state *s, struct grid *g)
{
	struct line left[HELP_LINES], right[HELP_LINES];
	int nl = 0, nr = 0, rows, per;
	struct ui_box b;
	char title[48];
	bool two = g->cols >= 78;

	nl = lines_of(left, nl, GROUP_MODEL);
	nl = lines_of(left, nl, GROUP_VIEW);
	if (two) {
		nr = lines_of(right, nr, GROUP_LOG);
		nr = lines_of(right, nr, GROUP_REQUESTS);
	} else {
		nl = lines_of(left, nl, GROUP_LOG);
		nl = lines_of(left, nl, GROUP_REQUESTS);
	}
	rows = nl > nr ? nl : nr;
	per = rows < g->rows - 3 ? rows : g->rows - 3;
	if (per < 1)
		per = 1;
	s->popup.pages = (rows + per - 1) / per;
	if (s->popup.page >= s->popup.pages)
		s->popup.page = s->popup.pages - 1;
	if (s->popup.pages > 1)
		snprintf(title, sizeof(title), "Help %d/%d", s->popup.page + 1, s->popup.pages);
	else
		snprintf(title, sizeof(title), "Help");
	b = ui_box_draw(s, g, per + 2, two ? 78 : g->cols, title, s->popup.pages > 1 ? "PgDn more  Esc" : "Esc close");
	for (int i = 0; i < per && i < b.height - 2; i++) {
		int at = s->popup.page * per + i;

		if (at < nl)
			draw_line(g, b.row + 1 + i, b.col + 2, two ? 36 : b.width - 4, two ? 7 : 10, &left[at]);
		if (two && at < nr)
			draw_line(g, b.row + 1 + i, b.col + 38, b.width - 40, 12, &right[at]);
	}
}

void
ui_help_key(struct ui_state *s, int key)
{
	enum ui_action a = ui_key_action(key);

	if (a == ACT_PAGE_DOWN || a == ACT_DOWN || key == UI_K_ENTER)
		s->popup.page = s->popup.page + 1 < s->popup.pages ? s->popup.page + 1 : s->popup.page;
	else if (a == ACT_PAGE_UP || a == ACT_UP)
		s->popup.page = s->popup.page > 0 ? s->popup.page - 1 : 0;
	else if (a == ACT_ESCAPE || a == ACT_HELP || a == ACT_QUIT)
		ui_popup_close(s);
}
