/* SPDX-License-Identifier: ISC
 * What the verbs that talk to a supervisor share. */
#ifndef APP_CMD_PRIV_H
#define APP_CMD_PRIV_H

#include <stdio.h>

#include "app/cmd.h"
#include "base/json.h"
#include "base/strbuf.h"

/* One call, with its errors told on stderr (with --json the answer on stdout). 2xx: CMD_OK and the answer in body
 * (strbuf_fini), else an exit code. */
int cmd_call(const struct cmd_opts *o, const char *method, const char *path, const char *body, struct strbuf *answer);
/* The same for an answer that is there already. */
int cmd_judge(const struct cmd_opts *o, int status, const char *answer, size_t n);
/* Says that a call got no answer. */
int cmd_no_answer(const struct cmd_opts *o, enum client_result r, const char *text);
/* cmd_call, then the answer parsed: with --json it is printed and *j stays NULL. Owned by the caller. */
int cmd_call_json(const struct cmd_opts *o, const char *method, const char *path, const char *body, cJSON **j);

/* "Unknown model x (known: a, b)" out of an error's body, in any of the shapes that the API has. */
void cmd_error_text(struct strbuf *out, int status, const char *answer, size_t n);
int cmd_exit_of(int status);

/* Percent-encodes for a query (slash: also '/'). */
void cmd_encode(struct strbuf *out, const char *s, bool slash);
/* Prints text that came from elsewhere, made harmless line by line. */
void cmd_print_clean(FILE *f, const char *s, size_t n);

/* What `mai status` prints, from the answers of GET /status and (may be NULL) GET /running. */
void cmd_status_text(struct strbuf *out, const cJSON *s, const cJSON *running, bool color);
/* The same in a line, without anything that only counts. */
void cmd_status_line(struct strbuf *out, const cJSON *s);
/* Tables of `mai models` and `mai ps`. */
void cmd_models_text(struct strbuf *out, const cJSON *models);
void cmd_ps_text(struct strbuf *out, const cJSON *requests);

/* What is going on with model (NULL: the current one), as one line; "" when nothing is. Times are left out of a line that
 * is not a bar's. now: the core's clock. */
struct view;
void cmd_progress_text(struct strbuf *out, const struct view *v, const char *model, uint64_t now, bool bar, bool utf8);

/* Whether f is a terminal that may get colours. */
bool cmd_color(const struct cmd_opts *o, FILE *f);

#endif
