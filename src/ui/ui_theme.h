/* SPDX-License-Identifier: ISC
 * Roles to terminal attributes. */
#ifndef UI_UI_THEME_H
#define UI_UI_THEME_H

#include <stdbool.h>

#include "ui/ui_grid.h"

struct ui_theme {
	unsigned long attrs[ROLE_N];	/* of curses */
	short pairs[ROLE_N];
};

/* After newterm. mono, or fewer than 8 colours: no colour at all. name: default, light, mono. */
void ui_theme_init(struct ui_theme *t, const char *name, bool mono);

#endif
