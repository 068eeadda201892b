/* SPDX-License-Identifier: ISC
 * What serve, --daemon and the bare command share. */
#ifndef APP_CMD_SERVE_H
#define APP_CMD_SERVE_H

#include <stdio.h>

#include "app/cmd.h"

enum serve_mode { SERVE_FOREGROUND, SERVE_DAEMON, SERVE_DASHBOARD };

/* Loads what the options ask for; prints every error. NULL: refused, or *none set: nothing names a model. Owned by the
 * caller. req is filled for later reloads; its strings are borrowed from o. */
struct conf *serve_load(const struct cmd_opts *o, struct conf_request *req, bool *none);
void serve_say_no_model(FILE *f);
/* A configuration without models, for a dashboard that opens on its picker; prints errors. Owned by the caller. */
struct conf *serve_load_none(struct conf_request *req);
/* Runs a guard and a core. SERVE_FOREGROUND returns when they have ended, with their status; the others return once the
 * core listens (0), or could not (1, said on stderr). */
int serve_start(const struct cmd_opts *o, struct conf *c, const struct conf_request *req, enum serve_mode mode);

#endif
