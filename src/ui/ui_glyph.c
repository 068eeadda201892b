/* SPDX-License-Identifier: ISC
 * The two sets of marks. */
#include "ui/ui_glyph.h"

#include <stddef.h>

static const struct ui_glyphs utf8 = {
	.light = "─", .heavy = "━",
	.full = "█", .empty = "░", .mark = "│",
	.spark = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
	.ok = "●", .busy = "◌", .warn = "▲", .bad = "■", .off = "○", .unknown = "?",
	.tl = "┌", .tr = "┐", .bl = "└", .br = "┘", .h = "─", .v = "│",
	.pin = "◆",
	.cursor = "▏",
	.ell = "…",
};

static const struct ui_glyphs plain = {
	.light = "-", .heavy = "=",
	.full = "#", .empty = ".", .mark = "|",
	.spark = {" ", ".", ":", "-", "=", "+", "*", "#"},
	.ok = "*", .busy = "~", .warn = "!", .bad = "X", .off = "o", .unknown = "?",
	.tl = "+", .tr = "+", .bl = "+", .br = "+", .h = "-", .v = "|",
	.pin = "^",
	.cursor = "_",
	.ell = "~",
};

const struct ui_glyphs *
ui_glyphs(bool ascii)
{
	return ascii ? &plain : &utf8;
}

bool
ui_glyphs_each(bool (*fn)(const char *glyph))
{
	const char *const all[] = {utf8.light, utf8.heavy, utf8.full, utf8.empty, utf8.mark, utf8.ok, utf8.busy, utf8.warn,
		utf8.bad, utf8.off, utf8.tl, utf8.tr, utf8.bl, utf8.br, utf8.pin, utf8.cursor, utf8.ell};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!fn(all[i]))
			return false;
	for (size_t i = 0; i < 8; i++)
		if (!fn(utf8.spark[i]))
			return false;
	return true;
}
