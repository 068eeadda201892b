/* SPDX-License-Identifier: ISC
 * The dashboard as a process: joins the event stream, the calls and the screens. */
#ifndef APP_TOP_H
#define APP_TOP_H

#include "app/cmd.h"

/* Shows the core behind t until the person leaves, and says how that went. foreground: this terminal started the core, so
 * q asks whether to stop it, and losing the terminal says so to the core. Without a terminal that can be drawn on, or with
 * --plain, events come as lines. An exit code. */
int top_run(const struct cmd_opts *o, const struct client_target *t, bool foreground);

#endif
