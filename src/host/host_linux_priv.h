/* SPDX-License-Identifier: ISC
 * Reading /proc: one process's line, and a walk over all processes. */
#ifndef HOST_HOST_LINUX_PRIV_H
#define HOST_HOST_LINUX_PRIV_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_stat {
	pid_t pid, ppid, pgrp;
	char state;
	uint64_t ticks;		/* user + system */
	uint64_t start;		/* ticks since boot */
	uint64_t rss;		/* bytes */
};

/* The file's bytes, NUL-terminated; -1 when it cannot be read. */
ssize_t proc_read(const char *path, char *buf, size_t size);
/* 0, or -1 when there is no such process. */
int proc_stat_read(pid_t pid, struct proc_stat *out);
/* The next numeric entry of an open directory (/proc, a fd or task folder); -1 at its end. */
long proc_next(DIR *d);

#endif
