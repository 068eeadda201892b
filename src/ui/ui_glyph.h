/* SPDX-License-Identifier: ISC
 * The marks the dashboard is drawn with: one set for UTF-8, one for everything else. */
#ifndef UI_UI_GLYPH_H
#define UI_UI_GLYPH_H

#include <stdbool.h>

struct ui_glyphs {
	const char *light, *heavy;		/* rules */
	const char *full, *empty, *mark;	/* progress bars */
	const char *spark[8];
	const char *ok, *busy, *warn, *bad, *off, *unknown;	/* states */
	const char *tl, *tr, *bl, *br, *h, *v;	/* boxes */
	const char *pin;			/* behind the name of a model that never gives way */
	const char *cursor;			/* of a line being edited */
	const char *ell;
};

const struct ui_glyphs *ui_glyphs(bool ascii);
/* fn for each mark of the UTF-8 set, until it returns false; false when one did. */
bool ui_glyphs_each(bool (*fn)(const char *glyph));

#endif
