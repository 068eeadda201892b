/* SPDX-License-Identifier: ISC
 * Between the parts of the header pane. */
#ifndef UI_UI_HEAD_H
#define UI_UI_HEAD_H

#include "ui/ui_state.h"

void head_bar(const struct ui_state *s, struct grid *g, int row, int col, int width, int filled, int mark);
void head_progress(const struct ui_state *s, struct grid *g, int row, int col, int width, const struct view_engine *e,
    uint64_t elapsed);
/* The mark of the state. */
const char *head_glyph(const struct ui_state *s);
/* now - then, 0 when then lies ahead or is not set. */
uint64_t head_since(uint64_t now, uint64_t then);
/* A model's name, with its mark when it is pinned; returns the columns used. */
int head_put_model(const struct ui_state *s, struct grid *g, int row, int col, int width, enum ui_role role,
    const struct view_engine *e);
/* The name to show of a model id. */
const char *head_name(const struct view *v, const char *id);
/* Whether tokens can come now; whether a process is there to be measured. */
bool head_generating(const struct ui_state *s, const struct view *v);
/* Whether some rate that is part of the sum (of one model; NULL: of all) is only counted from events. */
bool head_estimated(const struct view *v, const struct view_engine *of);
bool head_alive(const struct ui_state *s, const struct view_engine *e);
/* Milliseconds a drain still has; 0: not draining. */
uint64_t head_drain_left(const struct view *v, uint64_t core_now);

/* The third row. now: local. */
void ui_head_detail(struct ui_state *s, struct grid *g, const struct view *v, const struct view_engine *e,
    const struct ui_link_state *link, uint64_t now);
/* Both rows below 60 columns. now: local. */
void ui_head_narrow(struct ui_state *s, struct grid *g, const struct view *v, const struct view_engine *e,
    const struct ui_link_state *link, uint64_t now);

#endif
