/* SPDX-License-Identifier: ISC
 * Eight ANSI colours on the terminal's own background, and a monochrome column that says the same. */
#include "ui/ui_theme.h"

#include <stddef.h>
#include <string.h>

#include <curses.h>

enum { PAIR_OK = 1, PAIR_BUSY, PAIR_BAD };

static void
theme_mono(struct ui_theme *t)
{
	t->attrs[ROLE_OK] = A_BOLD;
	t->attrs[ROLE_WARN] = A_BOLD | A_UNDERLINE;
	t->attrs[ROLE_BAD] = A_REVERSE;
}

static void
theme_colour(struct ui_theme *t, bool light)
{
	init_pair(PAIR_OK, COLOR_CYAN, -1);
	init_pair(PAIR_BUSY, light ? COLOR_MAGENTA : COLOR_YELLOW, -1);
	init_pair(PAIR_BAD, COLOR_RED, -1);
	t->pairs[ROLE_OK] = PAIR_OK;
	t->pairs[ROLE_BUSY] = PAIR_BUSY;
	t->pairs[ROLE_WARN] = PAIR_BUSY;
	t->attrs[ROLE_WARN] = A_BOLD;
	t->pairs[ROLE_BAD] = PAIR_BAD;
	t->attrs[ROLE_BAD] = A_BOLD;
}

void
ui_theme_init(struct ui_theme *t, const char *name, bool mono)
{
	memset(t, 0, sizeof(*t));
	t->attrs[ROLE_SELECT] = A_REVERSE;
	t->attrs[ROLE_MUTED] = A_DIM;
	t->attrs[ROLE_TITLE] = A_BOLD;
	if (mono || (name != NULL && strcmp(name, "mono") == 0) || !has_colors() || start_color() == ERR || COLORS < 8) {
		theme_mono(t);
		return;
	}
	use_default_colors();
	theme_colour(t, name != NULL && strcmp(name, "light") == 0);
}
