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
	const char *record, *replay;	/* files; NULL: not given */
	double speed;			/* of a replay; 0: all at once */
	bool force, follow, no_wait, watch;
	const char *source;		/* logs --source */
	int lines;			/* logs -n; -1: not given */
	bool help, version;		/* --help --version */
	unsigned given;			/* CMD_OPT_* of what was given */
	const char *argv0;
	const char *verb;		/* NULL: bare `mai` */
	char **args;			/* what follows the verb */
	int nargs;
};

/* Options that not every verb takes (-c --name -H --json --help are taken by all). */
#define CMD_OPT_DAEMON	0x0001u
#define CMD_OPT_CONF	0x0002u	/* --env-file --listen --insecure */
#define CMD_OPT_UI	0x0004u	/* --ascii --plain --read-only --color */
#define CMD_OPT_REPLAY	0x0080u	/* --record --replay --speed */
#define CMD_OPT_FORCE	0x0008u
#define CMD_OPT_NO_WAIT	0x0010u
#define CMD_OPT_WATCH	0x0020u
#define CMD_OPT_LOGS	0x0040u	/* -f -n --source */

struct cmd {
	const char *name, *args, *help;
	int min_args, max_args;
	int (*run)(const struct cmd_opts *o);
	unsigned opts;		/* CMD_OPT_* it takes */
	const char *more;	/* a few lines for --help, or NULL */
};
extern const struct cmd cmd_table[];	/* the first, without a name, is bare `mai` */
extern const int cmd_count;

int cmd_main(int argc, char **argv);
/* Fills o from the words; *c is the entry of table that is meant (table[0] for bare `mai` or a MODEL). 0, or -1 with why:
 * a usage error. Strings are borrowed from argv, which is put in order: o->args lie in it. */
int cmd_parse(int argc, char **argv, const struct cmd *table, int n, struct cmd_opts *o, const struct cmd **c,
    struct err *e);
/* The general usage, or that of one verb. */
void cmd_usage(const struct cmd *table, int n, const struct cmd *one, struct strbuf *out);

/* Files of one instance (--name): directories are made (0700, owner checked). Owned by the caller. */
struct cmd_paths {
	char *dir, *socket, *pidfile, *state_dir, *log;
};
/* dir is $XDG_RUNTIME_DIR/mai or /tmp/mai-UID, state_dir $XDG_STATE_HOME/mai or ~/.local/state/mai. 0, or -1 with why. */
int cmd_paths_init(struct cmd_paths *p, const char *name, struct err *e);
void cmd_paths_fini(struct cmd_paths *p);

/* Where this command talks to: -H with MAI_KEY, else the instance's socket. */
int cmd_target(const struct cmd_opts *o, struct client_target *t, struct err *e);

/* POST path with body and wait for the answer; meanwhile show what the engines do: a bar on a terminal, else a line per
 * change (on stderr). With --no-wait only a prompt refusal is waited for. Prints done (if not NULL) or the error; the
 * answer itself with --json. An exit code. */
int cmd_wait(const struct cmd_opts *o, const char *path, const char *body, const char *model, const char *done);

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
int cmd_pin(const struct cmd_opts *o);
int cmd_unpin(const struct cmd_opts *o);
int cmd_cancel(const struct cmd_opts *o);
int cmd_reload(const struct cmd_opts *o);
int cmd_shutdown(const struct cmd_opts *o);
int cmd_ask(const struct cmd_opts *o);
int cmd_version(const struct cmd_opts *o);

#endif
