/* SPDX-License-Identifier: ISC
 * From a definition to a running command. Everything that allocates or looks things up happens before fork; the child
 * makes only system calls. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef HAVE_SYS_PRCTL_H
#include <sys/prctl.h>
#endif
#ifdef __linux__
#include <sys/syscall.h>
#endif

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "engine/engine_priv.h"
#include "host/host.h"

#define CHILD_OOM_STEP 300

/* What the child needs, ready to use. */
struct plan {
	char *path;	/* (owned) */
	char **argv;	/* (owned by the engine) */
	char **env;	/* (owned) */
	int in, out, err, exec;	/* its ends, all above 9; -1: none */
	int rd_out, rd_err, rd_exec;
	pid_t parent;
	char oom[16];	/* "" where it cannot be said */
};

/* Both ends close on exec; the child's end is moved out of the way of 0 to 3. */
static int
make_pipe(int *rd, int *wr)
{
	int p[2], high;

#ifdef HAVE_PIPE2
	if (pipe2(p, O_CLOEXEC) < 0)
		return -1;
#else
	if (pipe(p) < 0)
		return -1;
	fcntl(p[0], F_SETFD, FD_CLOEXEC);
	fcntl(p[1], F_SETFD, FD_CLOEXEC);
#endif
	high = fcntl(p[1], F_DUPFD_CLOEXEC, 10);
	close(p[1]);
	if (high < 0) {
		close(p[0]);
		return -1;
	}
	fcntl(p[0], F_SETFL, fcntl(p[0], F_GETFL) | O_NONBLOCK);
	*rd = p[0];
	*wr = high;
	return 0;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
plan_fini(struct plan *p)
{
	int *all[] = {&p->in, &p->out, &p->err, &p->exec, &p->rd_out, &p->rd_err, &p->rd_exec};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		close_fd(all[i]);
	free(p->path);
	strv_free(&p->env);
}

static int
plan_fds(struct plan *p)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	p->in = fcntl(fd, F_DUPFD_CLOEXEC, 10);
	close(fd);
	if (p->in < 0 || make_pipe(&p->rd_out, &p->out) < 0 || make_pipe(&p->rd_err, &p->err) < 0 ||
	    make_pipe(&p->rd_exec, &p->exec) < 0)
		return -1;
	return 0;
}

/* The engine shall be chosen before us when memory runs out. */
static void
plan_oom(struct plan *p)
{
	char buf[32];
	int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	int adj;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return;
	buf[n] = '\0';
	adj = (int)strtol(buf, NULL, 10) + CHILD_OOM_STEP;
	snprintf(p->oom, sizeof(p->oom), "%d", adj > 1000 ? 1000 : adj);
}

/* Only system calls from here on ---------------------------------------------------------------------------------- */

static void
child_signals(void)
{
	struct sigaction sa;
	sigset_t none;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = SIG_DFL;
	for (int s = 1; s < NSIG; s++) {
#ifdef SYS_rt_sigaction
		/* libc hides two signals of its own, which posix_spawn of whoever started us may have left ignored; the
		 * kernel's struct is all zeros for the default. */
		static const char dfl[64];

		if (sigaction(s, &sa, NULL) < 0)
			syscall(SYS_rt_sigaction, s, dfl, NULL, (size_t)(NSIG - 1) / 8);
#else
		sigaction(s, &sa, NULL);
#endif
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
child_close_from(int from)
{
	long max;

#ifdef HAVE_CLOSE_RANGE
	if (close_range((unsigned)from, ~0u, 0) == 0)
		return;
#endif
	max = sysconf(_SC_OPEN_MAX);
	if (max < 0 || max > 65536)
		max = 65536;
	for (int fd = from; fd < max; fd++)
		close(fd);
}

static void
child_limits(const struct plan *p)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	if (p->oom[0] != '\0') {
		int fd = open("/proc/self/oom_score_adj", O_WRONLY);

		if (fd >= 0) {
			ssize_t n = write(fd, p->oom, strlen(p->oom));

			(void)n;
			close(fd);
		}
	}
#if defined(HAVE_SYS_PRCTL_H) && defined(PR_SET_PDEATHSIG)
	prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
	/* The core may have died before that took hold. */
	if (getppid() != p->parent)
		_exit(127);
}

static NORETURN void
child_run(const struct plan *p)
{
	ssize_t n;
	int err;

	setsid();
	child_limits(p);
	dup2(p->in, 0);
	dup2(p->out, 1);
	dup2(p->err, 2);
	dup2(p->exec, 3);
	fcntl(3, F_SETFD, FD_CLOEXEC);
	child_close_from(4);
	child_signals();
	execve(p->path, p->argv, p->env);
	err = errno;
	n = write(3, &err, sizeof(err));
	(void)n;
	_exit(127);
}

/* Signals stay blocked across the fork: one that hits the child before its dispositions are reset would run our handler,
 * and libevent's writes into a pipe that both share. */
static pid_t
fork_child(const struct plan *p)
{
	sigset_t all, before;
	pid_t pid;
	int err;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		child_run(p);
	err = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = err;
	return pid;
}

/* In the parent ------------------------------------------------------------------------------------------------- */

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
	watch_set(&e->exec_w, 0);
	close_fd(&e->exec_fd);
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
	if (e->exec_fd >= 0) {
		watch_set(&e->exec_w, 0);
		close_fd(&e->exec_fd);
	}
}

static int
refuse(struct policy_verdict *v, int kind, enum engine_reason reason, const char *text)
{
	v->kind = kind;
	v->reason = reason;
	snprintf(v->text, sizeof(v->text), "%s", text);
	return -1;
}

/* What can be told without starting it. */
static int
preflight(struct engine *e, int *port, struct policy_verdict *v, char *cause, size_t size)
{
	const char *missing = policy_missing_model(e->m);

	if (e->m->argv == NULL || e->m->argv[0] == NULL) {
		snprintf(cause, size, "there is no command to start it with");
		return refuse(v, VERDICT_FATAL, REASON_CONFIG, "not started");
	}
	if (missing != NULL) {
		snprintf(cause, size, "%s: %s", missing, strerror(ENOENT));
		return refuse(v, VERDICT_FATAL, REASON_MODEL_MISSING, "not started");
	}
	if (engine_port_pick(e, port, &e->port_fixed, cause, size) < 0)
		return refuse(v, VERDICT_FATAL, REASON_PORT_BUSY, "not started");
	if (http_target_set(&e->target, e->m->proxy_host == NULL ? "127.0.0.1" : e->m->proxy_host, *port) < 0) {
		snprintf(cause, size, "%s is no literal address", e->m->proxy_host);
		return refuse(v, VERDICT_FATAL, REASON_CONFIG, "not started");
	}
	return 0;
}

static int
make_plan(struct engine *e, struct plan *p, struct policy_verdict *v, char *cause, size_t size)
{
	p->argv = e->argv;
	p->env = engine_command_env(e);
	p->parent = getpid();
	p->path = engine_command_find(e->argv[0], p->env);
	if (p->path == NULL) {
		snprintf(cause, size, "%s: %s", e->argv[0], errno == ENOENT ? "command not found" : strerror(errno));
		return refuse(v, VERDICT_FATAL, REASON_EXEC_FAILED, "cannot run it");
	}
	if (plan_fds(p) < 0) {
		snprintf(cause, size, "no pipes for it: %s", strerror(errno));
		return refuse(v, VERDICT_CRASH, REASON_EXEC_FAILED, "not started");
	}
	plan_oom(p);
	return 0;
}

static void
adopt(struct engine *e, struct plan *p, pid_t pid, int port)
{
	char line[32];
	int n;

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
	n = snprintf(line, sizeof(line), "+%ld\n", (long)pid);
	if (e->env->guard_fd >= 0 && write(e->env->guard_fd, line, (size_t)n) < 0)
		log_debug("engine", e->id, "the guard did not hear of it: %s", strerror(errno));
	engine_store_alive(e->env);
	log_info("engine", e->id, "pid %ld on port %d", (long)pid, port);
}

static void
forget_last(struct engine *e)
{
	e->signalled = e->recorded = false;
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
	struct plan p = {.in = -1, .out = -1, .err = -1, .exec = -1, .rd_out = -1, .rd_err = -1, .rd_exec = -1};
	int port = 0, rc = -1;
	pid_t pid;

	cause[0] = '\0';
	forget_last(e);
	if (preflight(e, &port, v, cause, cause_size) < 0)
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
		pid = fork_child(&p);
		if (pid > 0) {
			adopt(e, &p, pid, port);
			rc = 0;
		} else {
			snprintf(cause, cause_size, "cannot fork: %s", strerror(errno));
			refuse(v, VERDICT_CRASH, REASON_EXEC_FAILED, "not started");
		}
	}
	plan_fini(&p);
	if (rc < 0)
		e->info.port = 0;
	return rc;
}
