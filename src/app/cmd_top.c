/* SPDX-License-Identifier: ISC
 * The bare command: attach to the running core, or start one and open the dashboard on it. */
#include <stdio.h>
#include <unistd.h>

#include "app/cmd_serve.h"
#include "app/daemon.h"
#include "app/top.h"

static bool
on_terminal(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

static pid_t
running(const struct cmd_opts *o)
{
	struct cmd_paths paths;
	struct err e = {{0}};
	pid_t pid;

	if (cmd_paths_init(&paths, o->name, &e) < 0)
		return 0;
	pid = daemon_running(&paths);
	cmd_paths_fini(&paths);
	return pid;
}

int
cmd_top(const struct cmd_opts *o)
{
	struct client_target target;
	struct conf_request req;
	struct err e = {{0}};
	bool none = false;
	struct conf *c;
	int rc;

	if (o->daemon)
		return cmd_serve(o);
	if (o->url != NULL)
		return cmd_attach(o);
	if (o->nargs == 0 && o->file == NULL && running(o) != 0)
		return cmd_attach(o);
	if (!on_terminal())
		return cmd_serve(o);
	c = serve_load(o, &req, &none);
	if (c == NULL && none)
		c = serve_load_none(&req);
	if (c == NULL)
		return CMD_FAILED;
	rc = serve_start(o, c, &req, SERVE_DASHBOARD);
	conf_unref(&c);
	if (rc != CMD_OK)
		return rc;
	if (cmd_target(o, &target, &e) < 0) {
		fprintf(stderr, "mai: %s\n", e.msg);
		return CMD_FAILED;
	}
	rc = top_run(o, &target, true);
	client_target_fini(&target);
	return rc;
}
