/* SPDX-License-Identifier: ISC
 * The dead: one signal may stand for many, so that every one is asked for; those we do not know (adopted orphans of
 * engines) are reaped all the same. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/log.h"
#include "engine/engine_priv.h"

static struct engine *
find(struct engine_env *env, pid_t pid)
{
	for (struct engine *e = env->first; e != NULL; e = e->next)
		if (e->pid == pid)
			return e;
	return NULL;
}

/* Whose stop command it was. */
static struct engine *
find_stopped(struct engine_env *env, pid_t pid)
{
	for (struct engine *e = env->first; e != NULL; e = e->next)
		if (e->cmdstop.pid != 0 && e->cmdstop.pid == pid)
			return e;
	return NULL;
}

static uint64_t
peak_of(const struct rusage *ru)
{
#ifdef __APPLE__
	return (uint64_t)ru->ru_maxrss;
#else
	return (uint64_t)ru->ru_maxrss * 1024;
#endif
}

static void
on_chld(void *arg, int sig)
{
	struct engine_env *env = arg;
	struct rusage ru;
	bool strangers = false;
	int status;
	pid_t pid;

	(void)sig;
	while ((pid = wait4(-1, &status, WNOHANG, &ru)) > 0 || (pid < 0 && errno == EINTR)) {
		struct engine *e = pid > 0 ? find(env, pid) : NULL, *stopped = e == NULL ? find_stopped(env, pid) : NULL;

		if (stopped != NULL) {
			engine_cmdstop_exited(stopped, status);
		} else if (e != NULL) {
			engine_exited(e, status, peak_of(&ru));
		} else {
			strangers = true;
			log_debug("engine", NULL, "reaped pid %ld", (long)pid);
		}
	}
	/* An adopted one may have been the last of an engine's rest. */
	for (struct engine *e = env->first; strangers && e != NULL; e = e->next)
		if (e->pgid != 0 && e->pid == 0)
			engine_watch_gone(e);
}

void
engine_reap_start(struct engine_env *env)
{
	sigwatch_start(&env->chld, env->loop, SIGCHLD, on_chld, env);
}

void
engine_reap_stop(struct engine_env *env)
{
	sigwatch_stop(&env->chld);
}
