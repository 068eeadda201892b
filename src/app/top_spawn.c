/* SPDX-License-Identifier: ISC
 * A supervisor started from the dashboard, when the one it showed is gone. */
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <unistd.h>

#include "app/top_priv.h"
#include "base/xmalloc.h"

extern char **environ;

int
top_start_core(const struct cmd_opts *o, pid_t *pid, struct err *e)
{
	posix_spawn_file_actions_t fa;
	char **argv = NULL;
	int rc;

	strv_add(&argv, o->argv0 != NULL ? o->argv0 : "mai");
	strv_add(&argv, "--daemon");
	strv_add(&argv, "--name");
	strv_add(&argv, o->name);
	if (o->file != NULL) {
		strv_add(&argv, "-c");
		strv_add(&argv, o->file);
	}
	if (o->env_file != NULL) {
		strv_add(&argv, "--env-file");
		strv_add(&argv, o->env_file);
	}
	if (o->verb == NULL && o->nargs > 0)
		strv_add(&argv, o->args[0]);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&fa, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&fa, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	rc = posix_spawnp(pid, argv[0], &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	strv_free(&argv);
	if (rc != 0)
		return err_set(e, "%s", strerror(rc));
	return 0;
}
