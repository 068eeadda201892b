/* SPDX-License-Identifier: ISC
 * The core: builds every module, wires them, runs the loop, and takes all of it down again. */
#ifndef APP_SERVER_H
#define APP_SERVER_H

#include "app/cmd.h"

struct server_opts {	/* all borrowed */
	struct conf *conf;
	struct conf_request request;	/* to load it again */
	const struct cmd_paths *paths;
	const char *name;
	int lock_fd;		/* of the pid file */
	int guard_fd;		/* the pipe to the guard, or -1 */
	int report_fd;		/* who waits to hear that it listens, or -1 */
	bool foreground;	/* a dashboard belongs to it */
	bool log_stderr;	/* log lines to stderr too */
	bool autostart;		/* start the default model at once */
};

/* Runs until it is told to end; returns the exit status. */
int server_run(const struct server_opts *o);

#endif
