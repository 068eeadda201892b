/* SPDX-License-Identifier: ISC
 * From a definition to a running engine. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "engine/engine_fork.h"
#include "engine/engine_priv.h"
#include "host/host.h"

static void
forget_exec(struct engine *e)
{
	watch_set(&e->exec_w, 0);
	close(e->exec_fd);
	e->exec_fd = -1;
}

static void
exec_result(struct engine *e)
{
	int err = 0;
	ssize_t n = read(e->exec_fd, &err, sizeof(err));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == (ssize_t)sizeof(err)) {
		e->exec_errno = err;
		/* A name without a slash was found in PATH just before. */
		e->bad_interpreter = err == ENOENT &&
		    (strchr(e->argv[0], '/') == NULL || access(e->argv[0], F_OK) == 0);
	}
	forget_exec(e);
}

static void
on_exec(void *arg, int what)
{
	(void)what;
	exec_result(arg);
}

void
engine_spawn_settle(struct engine *e)
{
	if (e->exec_fd < 0)
		return;
	exec_result(e);
	if (e->exec_fd >= 0)
		forget_exec(e);
}

static int
make_plan(struct engine *e, struct engine_plan *p, struct policy_verdict *v, char *cause, size_t size)
{
	p->argv = e->argv;
	p->env = engine_command_env(e);
	p->path = engine_command_find(e->argv[0], p->env);
	if (p->path == NULL) {
		snprintf(cause, size, "%s: %s", e->argv[0], errno == ENOENT ? "command not found" : strerror(errno));
		return engine_refuse(v, VERDICT_FATAL, REASON_EXEC_FAILED, "cannot run it");
	}
	if (engine_plan_open(p, false) < 0) {
		snprintf(cause, size, "no pipes for it: %s", strerror(errno));
		return engine_refuse(v, VERDICT_CRASH, REASON_EXEC_FAILED, "not started");
	}
	return 0;
}

static void
adopt(struct engine *e, struct engine_plan *p, pid_t pid, int port)
{
	e->pid = e->pgid = e->info.pid = pid;
	e->info.port = port;
	e->start_time = host_start_time(pid);
	e->info.spawned_at = e->info.quiet_since = clock_ms();
	e->info.starts++;
	e->exec_fd = p->rd_exec;
	watch_init(&e->exec_w, e->env->loop, e->exec_fd, on_exec, e);
	watch_set(&e->exec_w, LOOP_READ);
	engine_output_start(e, p->rd_out, p->rd_err);
	p->rd_out = p->rd_err = p->rd_exec = -1;
	engine_env_tell_guard(e->env, '+', pid);
	engine_store_alive(e->env);
	log_info("engine", e->id, "pid %ld on port %d", (long)pid, port);
}

static void
forget_last(struct engine *e)
{
	e->signalled = e->recorded = e->cmdstop.ran = e->hurried = false;
	e->exec_errno = 0;
	e->bad_interpreter = false;
	e->info.ready_at = e->info.check_ok_at = e->info.rss = e->info.cpu_ms = e->info.peak_rss = 0;
	e->info.progress = -1;
	e->kill_since = e->sampled_at = 0;
	e->info.quarantined = false;
}

int
engine_spawn(struct engine *e, struct policy_verdict *v, char *cause, size_t cause_size)
{
	struct engine_plan p = ENGINE_PLAN;
	int port = 0, rc = -1;
	pid_t pid;

	cause[0] = '\0';
	forget_last(e);
	if (engine_preflight_all(e, &port, v, cause, cause_size) < 0)
		return -1;
	e->info.generation = ++e->env->generation;
	snprintf(e->mark, sizeof(e->mark), "%s.%llu", e->env->instance, (unsigned long long)e->info.generation);
	e->target.generation = e->info.generation;
	e->target.keep_alive = e->m->kind == NULL || e->m->kind->keep_alive;
	e->target.connect_timeout = e->m->connect_timeout;
	strv_free(&e->argv);
	e->argv = conf_argv(e->m->argv, port, 0, e->id);
	e->info.port = port;	/* the environment may name it */
	if (make_plan(e, &p, v, cause, cause_size) == 0) {
		pid = engine_plan_fork(&p);
		if (pid > 0) {
			adopt(e, &p, pid, port);
			rc = 0;
		} else {
			snprintf(cause, cause_size, "cannot fork: %s", strerror(errno));
			engine_refuse(v, VERDICT_CRASH, REASON_EXEC_FAILED, "not started");
		}
	}
	engine_plan_fini(&p);
	if (rc < 0)
		e->info.port = 0;
	return rc;
}
