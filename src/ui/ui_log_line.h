/* SPDX-License-Identifier: ISC
 * One line of the log on the grid: its gutter of time, source and level, and its text. */
#ifndef UI_UI_LOG_LINE_H
#define UI_UI_LOG_LINE_H

#include "ui/ui_state.h"

/* Where the text begins: "12:04:14 cE text", "cE04:25 text", " cE text". */
int ui_line_gutter(const struct ui_state *s);
/* Rows a line takes in the pane; b is scratch. */
int ui_line_rows(const struct ui_state *s, const struct view_log *log, const struct view_line *l, struct strbuf *b);
/* Draws a line from its row-th row `from` on in at most `left` rows; returns the rows drawn. */
int ui_line_draw(const struct ui_state *s, struct grid *g, int row, int left, int from, const struct view_log *log,
    const struct view_line *l, struct strbuf *b);
/* Appends it as a line of a file: date, time, source, level, text. */
void ui_line_text(const struct view_log *log, const struct view_line *l, struct strbuf *out);

#endif
