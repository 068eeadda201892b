/* SPDX-License-Identifier: ISC
 * The terminal: taken over, written to, read from, given back on every path. The only user of curses besides ui_theme. */
#ifndef UI_UI_TERM_H
#define UI_UI_TERM_H

#include <stdbool.h>

#include "base/err.h"
#include "ui/ui_grid.h"
#include "ui/ui_mouse.h"
#include "ui/ui_theme.h"

/* Opens the terminal on stdin and stdout. -1 with why when it is none that can be drawn on. *note becomes a text for the
 * person or NULL (static). One at a time. */
int term_open(const char *theme, bool mono, const char **note, struct err *e);
/* Whether UTF-8 and every mark of ours has its width here. */
bool term_utf8(void);
/* Restores; also safe twice. */
void term_close(void);
/* From a signal handler. */
void term_emergency(void);
/* Writes what differs from what is shown; force: everything. True when something went out. */
bool term_show(const struct grid *g, bool force);
/* The next key (ui_key_code or character), or 0 when there is none; with UI_K_MOUSE *m tells where. *lost: there is no
 * terminal any more. */
int term_key(bool *lost, struct ui_mouse *m);
/* Whether the terminal tells of clicks and the wheel. */
void term_mouse(bool on);
/* Puts n bytes into the terminal's clipboard (OSC 52); false where terminfo knows of none, or it is too much. */
bool term_copy(const char *p, size_t n);
/* Asks the terminal for its size (0x0 counts as 24x80, more than a thousand as that) and adapts. */
void term_resize(int *rows, int *cols);
void term_bell(void);
/* Other colours from now on. */
void term_theme(const char *theme, bool mono);
/* Stops the process with the terminal as it was; returns after SIGCONT. */
void term_suspend(void);

#endif
