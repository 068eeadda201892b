/* SPDX-License-Identifier: ISC
 * The command that stops an engine in SIGTERM's place. It bears the engine's mark and is told to the guard, so that whatever
 * ends the core ends it too; it is not counted as something left of the engine, and never outlives its bound. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "base/xmalloc.h"
#include "engine/engine_fork.h"
#include "engine/engine_priv.h"

#define LINE_BYTES 4096
#define LINES_MAX 200		/* more of its output is not shown */
#define READS 16

/* Output ---------------------------------------------------------------------------------------------------------- */

static void
put_line(struct engine *e)
{
	struct engine_cmdstop *s = &e->cmdstop;
	struct strbuf *c = &e->env->clean;

	if (s->lines++ < LINES_MAX) {
		strbuf_clear(c);
		strbuf_puts(c, "[cmdStop] ");
		text_clean(c, s->line.p, s->line.len, LINE_BYTES);
		ring_put(e->env->ring, RING_CHILD, e->id, policy_level(s->line.p, s->line.len), strbuf_str(c), c->len);
	}
	strbuf_clear(&s->line);
}

static void
close_output(struct engine_cmdstop *s)
{
	if (s->fd < 0)
		return;
	watch_set(&s->w, 0);
	close(s->fd);
	s->fd = -1;
}

static void
read_output(struct engine *e)
{
	struct engine_cmdstop *s = &e->cmdstop;
	char buf[2048];
	ssize_t n = 0;

	for (int i = 0; i < READS && s->fd >= 0; i++) {
		n = read(s->fd, buf, sizeof(buf));
		for (ssize_t k = 0; k < n; k++)
			if (buf[k] == '\n')
				put_line(e);
			else if (s->line.len < LINE_BYTES)
				strbuf_putc(&s->line, buf[k]);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			close_output(s);
		if (n <= 0)
			return;
	}
}

static void
on_output(void *arg, int what)
{
	(void)what;
	read_output(arg);
}

/* Its life -------------------------------------------------------------------------------------------------------- */

static void
kill_it(struct engine *e)
{
	pid_t pid = e->cmdstop.pid;

	/* It may not have reached setsid yet. */
	if (pid != 0 && kill(-pid, SIGKILL) < 0 && errno == ESRCH)
		kill(pid, SIGKILL);
}

static void
on_bound(void *arg)
{
	struct engine *e = arg;

	if (e->cmdstop.pid == 0)
		return;
	log_warn("engine", e->id, "cmdStop takes too long: it is killed");
	e->cmdstop.killed = true;
	kill_it(e);
}

static bool
could_not(struct engine *e, const char *what, const char *why)
{
	log_error("engine", e->id, "cmdStop cannot be run: %s: %s", what, why);
	return false;
}

/* What became of execve: the end of file says that it runs. */
static int
exec_error(struct engine_cmdstop *s)
{
	int err = 0;
	ssize_t n = s->exec_fd < 0 ? 0 : read(s->exec_fd, &err, sizeof(err));

	if (s->exec_fd >= 0)
		close(s->exec_fd);
	s->exec_fd = -1;
	return n == (ssize_t)sizeof(err) ? err : 0;
}

static bool
fork_it(struct engine *e, struct engine_plan *p)
{
	struct engine_cmdstop *s = &e->cmdstop;
	pid_t pid;

	p->argv = s->argv;
	p->env = engine_command_env(e);
	p->path = engine_command_find(s->argv[0], p->env);
	if (p->path == NULL)
		return could_not(e, s->argv[0], errno == ENOENT ? "command not found" : strerror(errno));
	if (engine_plan_open(p, true) < 0)
		return could_not(e, s->argv[0], strerror(errno));
	pid = engine_plan_fork(p);
	if (pid < 0)
		return could_not(e, s->argv[0], strerror(errno));
	s->pid = pid;
	s->fd = p->rd_out;
	s->exec_fd = p->rd_exec;
	p->rd_out = p->rd_exec = -1;
	return true;
}

bool
engine_cmdstop_run(struct engine *e, uint64_t bound)
{
	struct engine_cmdstop *s = &e->cmdstop;
	struct engine_plan p = ENGINE_PLAN;
	bool runs;

	s->ran = true;
	s->killed = false;
	s->lines = 0;
	strbuf_clear(&s->line);
	strv_free(&s->argv);
	s->argv = conf_argv(e->m->cmd_stop, e->info.port, e->pid, e->id);
	runs = fork_it(e, &p);
	engine_plan_fini(&p);
	if (!runs)
		return false;
	engine_env_tell_guard(e->env, '+', s->pid);
	watch_init(&s->w, e->env->loop, s->fd, on_output, e);
	watch_set(&s->w, LOOP_READ);
	timer_set(&s->bound, bound);
	log_info("engine", e->id, "cmdStop runs as pid %ld", (long)s->pid);
	return true;
}

void
engine_cmdstop_kill(struct engine *e)
{
	if (e->cmdstop.pid == 0)
		return;
	e->cmdstop.killed = true;
	kill_it(e);
}

static void
tell_end(const struct engine *e, int status, int err)
{
	if (err != 0)
		log_error("engine", e->id, "cmdStop cannot be run: %s: %s", e->cmdstop.argv[0], strerror(err));
	else if (WIFSIGNALED(status))
		log_warn("engine", e->id, "cmdStop ended by %s", policy_signal_name(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		log_warn("engine", e->id, "cmdStop failed with exit status %d", WEXITSTATUS(status));
	else
		log_info("engine", e->id, "cmdStop is done");
}

void
engine_cmdstop_exited(struct engine *e, int status)
{
	struct engine_cmdstop *s = &e->cmdstop;
	int err = exec_error(s);

	timer_stop(&s->bound);
	read_output(e);
	if (s->line.len > 0)
		put_line(e);
	close_output(s);
	/* What it left in its group is no part of anything any more. */
	kill(-s->pid, SIGKILL);
	engine_env_tell_guard(e->env, '-', s->pid);
	s->pid = 0;
	tell_end(e, status, err);
	if (!s->killed && (err != 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0))
		engine_term_group(e);
	engine_cmdstop_over(e);
}

void
engine_cmdstop_init(struct engine *e)
{
	e->cmdstop.fd = e->cmdstop.exec_fd = -1;
	timer_init(&e->cmdstop.bound, e->env->loop, on_bound, e);
}

void
engine_cmdstop_fini(struct engine *e)
{
	struct engine_cmdstop *s = &e->cmdstop;

	engine_cmdstop_kill(e);
	if (s->pid != 0)
		engine_env_tell_guard(e->env, '-', s->pid);
	s->pid = 0;
	timer_stop(&s->bound);
	close_output(s);
	exec_error(s);
	strbuf_fini(&s->line);
	strv_free(&s->argv);
}
