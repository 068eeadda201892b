/* SPDX-License-Identifier: ISC
 * The prompt on the message row. */
#ifndef UI_UI_PROMPT_H
#define UI_UI_PROMPT_H

#include "ui/ui_state.h"

void ui_prompt_open(struct ui_state *s, enum ui_prompt p);
void ui_prompt_key(struct ui_state *s, int key, const struct view_log *log, uint64_t now);

#endif
