/* SPDX-License-Identifier: ISC
 * The guard. On Linux it is a child subreaper: whatever the core leaves becomes its child, setsid escapees included.
 * Elsewhere it knows the process groups that the core told it. */
#include "app/guard.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef HAVE_SYS_PRCTL_H
#include <sys/prctl.h>
#endif

#include "host/host.h"

#define MAX_GROUPS 64
#define SWEEP_MS 10000	/* what is not dead by then cannot be killed */

static const int forwarded[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
static int wake_fd = -1;

struct guard {
	pid_t core;
	int fd;			/* our end */
	bool had_tty;
	bool nohup;		/* SIGHUP was ignored when we began: it is to outlive the terminal */
	pid_t groups[MAX_GROUPS];
	char line[32];
	size_t nline;
};

static void
on_signal(int sig)
{
	unsigned char c = (unsigned char)sig;
	int saved = errno;

	if (write(wake_fd, &c, 1) < 0) {
		/* The pipe is full of signals already. */
	}
	errno = saved;
}

static bool
tty_is_there(void)
{
	int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static void
note_group(struct guard *g, char sign, pid_t pgid)
{
	for (size_t i = 0; i < MAX_GROUPS; i++) {
		if (sign == '+' && g->groups[i] == 0) {
			g->groups[i] = pgid;
			return;
		}
		if (sign == '-' && g->groups[i] == pgid)
			g->groups[i] = 0;
	}
}

static void
read_lines(struct guard *g)
{
	char buf[256];
	ssize_t n = read(g->fd, buf, sizeof(buf));

	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] != '\n') {
			if (g->nline + 1 < sizeof(g->line))
				g->line[g->nline++] = buf[i];
			continue;
		}
		g->line[g->nline] = '\0';
		g->nline = 0;
		if (g->line[0] == '+' || g->line[0] == '-') {
			long pgid = strtol(g->line + 1, NULL, 10);

			if (pgid > 1)
				note_group(g, g->line[0], (pid_t)pgid);
		}
	}
}

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Kills until nothing is left. Children of the killed become ours in turn. */
static void
sweep(struct guard *g)
{
	uint64_t end = now_ms() + SWEEP_MS;
	struct timespec pause = {0, 200000};
	pid_t pids[256];

	for (;;) {
		size_t n;

		for (size_t i = 0; i < MAX_GROUPS; i++)
			if (g->groups[i] != 0 && kill(-g->groups[i], SIGKILL) < 0 && errno == ESRCH)
				g->groups[i] = 0;
		n = host_children(getpid(), pids, 256);
		for (size_t i = 0; i < n && i < 256; i++)
			kill(pids[i], SIGKILL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			continue;
		if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
			break;
		if (now_ms() > end)
			break;
		nanosleep(&pause, NULL);
	}
}

static int
status_of(int st)
{
	return WIFSIGNALED(st) ? 128 + WTERMSIG(st) : WEXITSTATUS(st);
}

static void
forward(struct guard *g, int sig)
{
	if (sig == SIGHUP && g->had_tty && !tty_is_there()) {
		if (g->nohup)
			return;
		sig = SIGTERM;
	}
	kill(g->core, sig);
}

/* Until the core is gone; returns its wait status. */
static int
watch(struct guard *g, int sigfd)
{
	for (;;) {
		struct pollfd p[2] = {{.fd = sigfd, .events = POLLIN}, {.fd = g->fd, .events = POLLIN}};
		unsigned char sig;
		int st;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return -1;
		if (p[1].revents != 0) {
			read_lines(g);
			if (p[1].revents & (POLLHUP | POLLERR))
				g->fd = -1;	/* poll(2) leaves out negative fds */
		}
		while (read(sigfd, &sig, 1) == 1) {
			pid_t pid;

			if (sig != SIGCHLD) {
				forward(g, sig);
				continue;
			}
			while ((pid = waitpid(-1, &st, WNOHANG)) > 0)
				if (pid == g->core)
					return st;
		}
	}
}

static void
catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	sigfillset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(*forwarded); i++)
		sigaction(forwarded[i], &sa, NULL);
	sigaction(SIGCHLD, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
}

static void
core_main(int (*core)(void *, int), void *arg, int fd, const sigset_t *mask)
{
	struct sigaction sa = {.sa_handler = SIG_DFL};

	for (size_t i = 0; i < sizeof(forwarded) / sizeof(*forwarded); i++)
		sigaction(forwarded[i], &sa, NULL);
	sigaction(SIGCHLD, &sa, NULL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	setsid();
	exit(core(arg, fd));
}

int
guard_run(int (*core)(void *, int), void *arg)
{
	struct guard g = {.fd = -1, .had_tty = tty_is_there()};
	int pair[2], sigpipe[2], st;
	sigset_t all, old;
	struct sigaction hup;

#if defined(HAVE_PRCTL) && defined(PR_SET_CHILD_SUBREAPER)
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
#endif
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || pipe(sigpipe) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		fcntl(pair[i], F_SETFD, FD_CLOEXEC);
		fcntl(sigpipe[i], F_SETFD, FD_CLOEXEC);
		fcntl(sigpipe[i], F_SETFL, O_NONBLOCK);
	}
	/* Nothing the core does may wait for its guard. */
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	wake_fd = sigpipe[1];
	/* No signal may come between the handlers and the fork, or it would be lost to one of the two. */
	g.nohup = sigaction(SIGHUP, NULL, &hup) == 0 && hup.sa_handler == SIG_IGN;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	catch_signals();
	g.core = fork();
	if (g.core < 0) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		return -1;
	}
	if (g.core == 0) {
		close(pair[0]);
		close(sigpipe[0]);
		close(sigpipe[1]);
		core_main(core, arg, pair[1], &old);
	}
	close(pair[1]);
	g.fd = pair[0];
	fcntl(g.fd, F_SETFL, O_NONBLOCK);
	sigemptyset(&old);
	sigprocmask(SIG_SETMASK, &old, NULL);
	st = watch(&g, sigpipe[0]);
	if (g.fd >= 0)
		read_lines(&g);
	sweep(&g);
	return st < 0 ? 1 : status_of(st);
}
