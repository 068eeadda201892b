/* SPDX-License-Identifier: ISC
 * Between the parts that carry actions out. Each takes an action and says whether it was its own. */
#ifndef UI_UI_ACT_H
#define UI_UI_ACT_H

#include "ui/ui_state.h"

bool ui_act_model(struct ui_state *s, enum ui_action a, const struct view *v, uint64_t now, struct ui_intent *out);
bool ui_act_move(struct ui_state *s, enum ui_action a, const struct view *v, const struct view_log *log);
bool ui_act_log(struct ui_state *s, enum ui_action a, const struct view *v, struct view_log *log, uint64_t now);

#endif
