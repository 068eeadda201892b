/* SPDX-License-Identifier: ISC
 * The command line: options common to all verbs, and the table of verbs. */
#ifndef APP_CMD_H
#define APP_CMD_H

#include <stdbool.h>

#include "client/client.h"
#include "conf/conf.h"

/* Exit codes of every verb. */
enum cmd_exit { CMD_OK = 0, CMD_FAILED = 1, CMD_USAGE = 2, CMD_NO_CORE = 3, CMD_REFUSED = 4 };

struct cmd_opts {
	const char *file, *name, *url, *env_file, *listen;	/* -c --name -H --env-file --listen; name never NULL */
	bool json, insecure, daemon;
	bool ascii, plain, read_only, no_color;
	bool force, follow, no_wait, watch;
	const char *source;		/* logs --source */
	int lines;			/* logs -n; -1: not given */
	const char *argv0;
	const char *verb;		/* NULL: bare `mai` */
	char **args;			/* what follows the verb */
	int nargs;
};

struct cmd {
	const char *name, *args, *help;
	int min_args, max_args;
	int (*run)(const struct cmd_opts *o);
};
extern const struct cmd cmd_table[];
extern const int cmd_count;

int cmd_main(int argc, char **argv);

/* Files of one instance (--name): directories are made (0700, owner checked). Owned by the caller. */
struct cmd_paths {
	char *dir, *socket, *pidfile, *state_dir, *log;
};
/* 0, or -1 with why. */
int cmd_paths_init(struct cmd_paths *p, const char *name, struct err *e);
void cmd_paths_fini(struct cmd_paths *p);

/* Where this command talks to: -H with MAI_KEY, else the instance's socket. */
int cmd_target(const struct cmd_opts *o, struct client_target *t, struct err *e);

/* verbs */
int cmd_serve(const struct cmd_opts *o);	/* serve, --daemon */
int cmd_top(const struct cmd_opts *o);		/* bare mai, MODEL: core + dashboard */
int cmd_attach(const struct cmd_opts *o);
int cmd_check(const struct cmd_opts *o);
int cmd_status(const struct cmd_opts *o);
int cmd_models(const struct cmd_opts *o);
int cmd_swap(const struct cmd_opts *o);
int cmd_start(const struct cmd_opts *o);
int cmd_stop(const struct cmd_opts *o);
int cmd_restart(const struct cmd_opts *o);
int cmd_logs(const struct cmd_opts *o);
int cmd_ps(const struct cmd_opts *o);
int cmd_cancel(const struct cmd_opts *o);
int cmd_reload(const struct cmd_opts *o);
int cmd_shutdown(const struct cmd_opts *o);
int cmd_ask(const struct cmd_opts *o);
int cmd_version(const struct cmd_opts *o);

#endif
