/* SPDX-License-Identifier: ISC
 * A supervisor started from the dashboard, when the one it showed is gone. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <unistd.h>

#include "app/top_priv.h"
#include "base/xmalloc.h"

extern char **environ;

int
top_start_core(const struct cmd_opts *o, const char *config, pid_t *pid, int *complaints, struct err *e)
{
	bool model = o->verb == NULL && o->nargs > 0;
	const char *file = o->file != NULL || model ? o->file : config;
	posix_spawn_file_actions_t fa;
	char **argv = NULL;
	int rc, p[2];

	if (pipe(p) < 0)
		return err_set(e, "pipe: %s", strerror(errno));
	for (int i = 0; i < 2; i++)
		fcntl(p[i], F_SETFD, FD_CLOEXEC);
	fcntl(p[0], F_SETFL, O_NONBLOCK);

	strv_add(&argv, o->argv0 != NULL ? o->argv0 : "mai");
	strv_add(&argv, "--daemon");
	strv_add(&argv, "--name");
	strv_add(&argv, o->name);
	if (file != NULL) {
		strv_add(&argv, "-c");
		strv_add(&argv, file);
	}
	if (o->env_file != NULL) {
		strv_add(&argv, "--env-file");
		strv_add(&argv, o->env_file);
	}
	if (model)
		strv_add(&argv, o->args[0]);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&fa, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, p[1], STDERR_FILENO);
	rc = posix_spawnp(pid, argv[0], &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	strv_free(&argv);
	close(p[1]);
	if (rc != 0) {
		close(p[0]);
		return err_set(e, "%s", strerror(rc));
	}
	*complaints = p[0];
	return 0;
}
