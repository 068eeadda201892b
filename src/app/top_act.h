/* SPDX-License-Identifier: ISC
 * What a person wants, as calls of the API, and how they came out. */
#ifndef APP_TOP_ACT_H
#define APP_TOP_ACT_H

#include "app/top_priv.h"
#include "ui/ui.h"

/* What a call of an intent is. False: it is no call. path and body are filled. */
bool top_act_call(const struct ui_intent *in, struct strbuf *path, struct strbuf *body);
/* The line for the message row; took in ms; gave_way: another model had to go for it. True when it went well. */
bool top_act_outcome(enum ui_intent_kind kind, bool gave_way, enum client_result r, int status, const char *answer,
    size_t n, uint64_t took, struct strbuf *out);

#endif
