/* SPDX-License-Identifier: ISC
 * Lock, background, word. */
#include "app/daemon.h"

#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOCK_TRIES 20
#define LOCK_WAIT_MS 10
#define END_TRIES 200
#define END_WAIT_MS 10

static pid_t
read_pid(int fd)
{
	char buf[32];
	ssize_t n = pread(fd, buf, sizeof(buf) - 1, 0);

	if (n <= 0)
		return 0;
	buf[n] = '\0';
	return (pid_t)strtol(buf, NULL, 10);
}

/* Whoever held it before removes the file at its end: the lock must be on the one that is there now. */
static bool
is_file(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* 1: ours. 0: not to be had now, with who has it in *holder (0: nobody that lives says so). -1: why in e. */
static int
try_lock(const struct cmd_paths *p, int *fd, pid_t *holder, struct err *e)
{
	*holder = 0;
	*fd = open(p->pidfile, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd < 0)
		return err_set(e, "%s: %s", p->pidfile, strerror(errno));
	if (flock(*fd, LOCK_EX | LOCK_NB) == 0) {
		/* What stands there is of one who is gone. */
		if (is_file(*fd, p->pidfile) && ftruncate(*fd, 0) == 0)
			return 1;
	} else if (errno == EWOULDBLOCK) {
		*holder = read_pid(*fd);
		if (*holder <= 0 || kill(*holder, 0) < 0)
			*holder = 0;
	} else {
		err_set(e, "%s: %s", p->pidfile, strerror(errno));
		*holder = -1;
	}
	close(*fd);
	*fd = -1;
	return *holder < 0 ? -1 : 0;
}

int
daemon_lock(const struct cmd_paths *p, int *fd, pid_t *holder, struct err *e)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		int rc = try_lock(p, fd, holder, e);

		if (rc < 0)
			*holder = -1;
		if (rc != 0)
			return rc > 0 ? 0 : -1;
		if (*holder > 0)
			return -1;
		/* Who only looks holds it for a moment; who starts or ends will be through with it soon. */
		poll(NULL, 0, LOCK_WAIT_MS);
	}
	return -1;
}

void
daemon_remove(const struct cmd_paths *p)
{
	unlink(p->socket);
	unlink(p->pidfile);
}

void
daemon_write_pid(int fd)
{
	char buf[32];
	int n = snprintf(buf, sizeof(buf), "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) < 0 || pwrite(fd, buf, (size_t)n, 0) < 0) {
		/* The lock is what counts; the number is for people. */
	}
}

pid_t
daemon_running(const struct cmd_paths *p)
{
	int fd = open(p->pidfile, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	pid_t pid = 0;

	if (fd < 0)
		return 0;
	if (flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		pid = read_pid(fd);
	close(fd);
	return pid;
}

static void
detach_stdio(const char *log)
{
	int null = open("/dev/null", O_RDWR), err = -1;

	if (log != NULL)
		err = open(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
	if (null >= 0) {
		dup2(null, 0);
		dup2(null, 1);
		dup2(err >= 0 ? err : null, 2);
	}
	if (null > 2)
		close(null);
	if (err > 2)
		close(err);
}

/* The parent's side: "ok" or a reason, ended by a NUL (the guard holds the pipe open as well); EOF without a word is a
 * death. */
static int
await_word(int fd, struct err *e)
{
	char buf[sizeof(e->msg)];
	size_t n = 0;
	ssize_t got;

	while (n + 1 < sizeof(buf) && memchr(buf, '\0', n) == NULL &&
	    ((got = read(fd, buf + n, sizeof(buf) - 1 - n)) > 0 || (got < 0 && errno == EINTR)))
		if (got > 0)
			n += (size_t)got;
	close(fd);
	buf[n] = '\0';
	if (strcmp(buf, "ok") == 0)
		return 1;
	return err_set(e, "%s", n != 0 ? buf : "it died before it said why");
}

/* One that failed still has the lock until its end: the next try shall not meet it. */
static void
await_end(pid_t pid)
{
	for (int i = 0; i < END_TRIES && waitpid(pid, NULL, WNOHANG) == 0; i++)
		poll(NULL, 0, END_WAIT_MS);
}

int
daemon_fork(const char *log, int *report, struct err *e)
{
	int p[2], rc;
	pid_t pid;

	if (pipe(p) < 0)
		return err_set(e, "pipe: %s", strerror(errno));
	fcntl(p[0], F_SETFD, FD_CLOEXEC);
	fcntl(p[1], F_SETFD, FD_CLOEXEC);
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		close(p[0]);
		close(p[1]);
		return err_set(e, "fork: %s", strerror(errno));
	}
	if (pid > 0) {
		close(p[1]);
		rc = await_word(p[0], e);
		if (rc < 0)
			await_end(pid);
		return rc;
	}
	close(p[0]);
	setsid();
	detach_stdio(log);
	*report = p[1];
	return 0;
}

void
daemon_report(int *fd, const char *failure)
{
	const char *word = failure == NULL ? "ok" : failure;

	if (*fd < 0)
		return;
	if (write(*fd, word, strlen(word) + 1) < 0) {
		/* Nobody waits any more. */
	}
	close(*fd);
	*fd = -1;
}

void
daemon_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd;

	if (path == NULL || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(sa.sun_path))
		return;
	memcpy(sa.sun_path, path, strlen(path) + 1);
	if (sa.sun_path[0] == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd < 0)
		return;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (sendto(fd, state, strlen(state), 0, (struct sockaddr *)&sa,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))) < 0) {
		/* A service manager that does not listen is no reason to fail. */
	}
	close(fd);
}
