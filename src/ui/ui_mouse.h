/* SPDX-License-Identifier: ISC
 * What came with UI_K_MOUSE. */
#ifndef UI_UI_MOUSE_H
#define UI_UI_MOUSE_H

enum ui_mouse_what { MOUSE_CLICK, MOUSE_UP, MOUSE_DOWN };	/* the wheel up and down */

struct ui_mouse {
	int row, col;
	enum ui_mouse_what what;
};

#endif
