/* SPDX-License-Identifier: ISC
 * What all engines of a core share. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_SYS_PRCTL_H
#include <sys/prctl.h>
#endif

#include "base/log.h"
#include "base/xmalloc.h"
#include "engine/engine_priv.h"
#include "host/host.h"

struct engine_env *
engine_env_new(const struct engine_env_opts *o)
{
	struct engine_env *env = xcalloc(1, sizeof(*env));

	env->loop = o->loop;
	env->bus = o->bus;
	env->ring = o->ring;
	env->pool = o->pool;
	env->instance = xstrdup(o->instance == NULL ? "default" : o->instance);
	env->guard_fd = o->guard_fd;
	env->buf = xmalloc(64 * 1024);
	env->sizes = engine_sizes_new();
	if (o->state_dir != NULL)
		env->store = engine_store_new(o->state_dir, env->instance);
#if defined(HAVE_SYS_PRCTL_H) && defined(PR_SET_CHILD_SUBREAPER)
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
#endif
	engine_reap_start(env);
	return env;
}

void
engine_env_free(struct engine_env **ep)
{
	struct engine_env *env = *ep;

	if (env == NULL)
		return;
	engine_reap_stop(env);
	engine_store_free(&env->store);
	engine_sizes_free(&env->sizes);
	strbuf_fini(&env->clean);
	free(env->instance);
	free(env->buf);
	free(env);
	*ep = NULL;
}

void
engine_env_tell_guard(const struct engine_env *env, char sign, pid_t pgid)
{
	char line[32];
	int n = snprintf(line, sizeof(line), "%c%ld\n", sign, (long)pgid);

	if (env->guard_fd >= 0 && write(env->guard_fd, line, (size_t)n) < 0)
		log_debug("engine", NULL, "the guard did not hear of it: %s", strerror(errno));
}

void
engine_env_kill_all(struct engine_env *env)
{
	for (struct engine *e = env->first; e != NULL; e = e->next) {
		pid_t pids[ENGINE_MAX_PIDS];
		size_t n;

		if (e->pgid == 0)
			continue;
		if (e->pid != 0 && kill(-e->pgid, SIGKILL) < 0)
			kill(e->pid, SIGKILL);
		engine_cmdstop_kill(e);
		e->signalled = true;
		n = host_engine_pids(e->pid, e->pgid, e->mark, pids, ENGINE_MAX_PIDS);
		for (size_t i = 0; i < n && i < ENGINE_MAX_PIDS; i++)
			if (pids[i] > 1)
				kill(pids[i], SIGKILL);
	}
}
