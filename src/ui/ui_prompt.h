/* SPDX-License-Identifier: ISC
 * The prompt on the message row. */
#ifndef UI_UI_PROMPT_H
#define UI_UI_PROMPT_H

#include "ui/ui_state.h"

void ui_prompt_open(struct ui_state *s, enum ui_prompt p);
void ui_prompt_key(struct ui_state *s, int key, struct view_log *log, uint64_t now, struct ui_intent *out);
/* What Enter does, with a text from wherever. */
void ui_prompt_apply(struct ui_state *s, enum ui_prompt p, const char *text, struct view_log *log, uint64_t now,
    struct ui_intent *out);
/* "search (~ regex): " */
const char *ui_prompt_label(const struct ui_state *s);
/* Jumps in the log, or says that there is nothing. */
void ui_prompt_jump(struct ui_state *s, struct view_log *log, enum ui_jump what, uint64_t now);
/* What came of a jump that waited. */
void ui_prompt_told(struct ui_state *s, const struct view_log *log, enum ui_jump what, enum ui_found found,
    uint64_t now);

#endif
