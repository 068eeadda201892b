/* SPDX-License-Identifier: ISC
 * Standard error is shared with whoever started us, so that it is not made non-blocking itself: it is opened once more
 * where that is possible, and asked before each write where it is not. */
#include "app/log_out.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int own = -1;		/* a description of our own */
static bool file;		/* a plain file: it never makes anybody wait, and its offset is shared */
static bool cut;		/* the last line went out in part */
static unsigned long long dropped;

void
log_out_open(void)
{
	struct stat st;

	if (fstat(STDERR_FILENO, &st) < 0)
		return;
	file = S_ISREG(st.st_mode);
	if (file || S_ISSOCK(st.st_mode))
		return;
#ifdef __linux__
	own = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
#endif
}

static ssize_t
put(const char *p, size_t n)
{
	struct pollfd pfd = {.fd = STDERR_FILENO, .events = POLLOUT};
	ssize_t w;

	if (own >= 0 || file)
		return write(own >= 0 ? own : STDERR_FILENO, p, n);
	w = send(STDERR_FILENO, p, n, MSG_DONTWAIT);
	if (w >= 0 || errno != ENOTSOCK)
		return w;
	if (poll(&pfd, 1, 0) <= 0 || !(pfd.revents & POLLOUT))
		return -1;
	/* A pipe that can be written to has room for this much. */
	return write(STDERR_FILENO, p, n < PIPE_BUF ? n : PIPE_BUF);
}

static bool
whole(const char *p, size_t n)
{
	ssize_t w = put(p, n);

	if (w > 0)
		cut = (size_t)w < n;
	return w > 0;
}

void
log_out_dropped(unsigned long long lines)
{
	dropped += lines;
}

static unsigned long long
count(const char *p, size_t n)
{
	unsigned long long lines = 0;

	for (const char *end = p + n; p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		lines++;
	return lines;
}

void
log_out(const char *lines, size_t n)
{
	char text[64];
	int len;

	if (cut && !whole("\n", 1)) {
		dropped += count(lines, n);
		return;
	}
	if (dropped > 0) {
		len = snprintf(text, sizeof(text), "mai: %llu lines not shown\n", dropped);
		if (!whole(text, (size_t)len)) {
			dropped += count(lines, n);
			return;
		}
		dropped = 0;
	}
	if (!whole(lines, n))
		dropped += count(lines, n);
}
