/* SPDX-License-Identifier: ISC
 * From a plan to a process. */
#include "engine/engine_fork.h"

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

#include "base/xmalloc.h"

#define CHILD_OOM_STEP 300

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

void
engine_plan_fini(struct engine_plan *p)
{
	int *all[] = {&p->in, &p->out, &p->err, &p->exec, &p->rd_out, &p->rd_err, &p->rd_exec};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		close_fd(all[i]);
	free(p->path);
	strv_free(&p->env);
}

/* The engine shall be chosen before us when memory runs out. */
static void
plan_oom(struct engine_plan *p)
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

int
engine_plan_open(struct engine_plan *p, bool one)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	p->in = fcntl(fd, F_DUPFD_CLOEXEC, 10);
	close(fd);
	if (p->in < 0 || make_pipe(&p->rd_out, &p->out) < 0 || make_pipe(&p->rd_exec, &p->exec) < 0)
		return -1;
	if (one)
		p->err = fcntl(p->out, F_DUPFD_CLOEXEC, 10);
	else if (make_pipe(&p->rd_err, &p->err) < 0)
		return -1;
	p->parent = getpid();
	plan_oom(p);
	return p->err < 0 ? -1 : 0;
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
child_limits(const struct engine_plan *p)
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
child_run(const struct engine_plan *p)
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
pid_t
engine_plan_fork(const struct engine_plan *p)
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
