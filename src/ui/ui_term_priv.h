/* SPDX-License-Identifier: ISC
 * Between the terminal's two files. */
#ifndef UI_UI_TERM_PRIV_H
#define UI_UI_TERM_PRIV_H

#include <curses.h>

/* Key codes of our own for curses. */
#define K_PASTE_BEGIN (KEY_MAX + 1)
#define K_PASTE_END (KEY_MAX + 2)
#define K_CLICK (KEY_MAX + 3)

#endif
