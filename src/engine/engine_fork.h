/* SPDX-License-Identifier: ISC
 * A command of an engine as a process: the engine itself, or what stops it. Everything that allocates or looks things up
 * happens before the fork; the child makes only system calls. */
#ifndef ENGINE_ENGINE_FORK_H
#define ENGINE_ENGINE_FORK_H

#include <stdbool.h>
#include <sys/types.h>

struct engine_plan {
	char *path;		/* (owned) */
	char **argv;		/* borrowed */
	char **env;		/* (owned) */
	int in, out, err, exec;	/* the child's ends, all above 9; -1: none */
	int rd_out, rd_err;	/* ours, non-blocking; whoever takes one sets it to -1 */
	int rd_exec;		/* execve's errno comes here, or the end of file */
	pid_t parent;
	char oom[16];		/* "" where it cannot be said */
};

#define ENGINE_PLAN {.in = -1, .out = -1, .err = -1, .exec = -1, .rd_out = -1, .rd_err = -1, .rd_exec = -1}

/* The descriptors: stdin from /dev/null, stdout and stderr on pipes (one: both on rd_out). 0, or -1 with errno. */
int engine_plan_open(struct engine_plan *p, bool one);
/* Closes what is still open and frees. */
void engine_plan_fini(struct engine_plan *p);
/* Its own session, no other descriptors, all signals at their defaults, dead with us where the system can. The pid, or -1
 * with errno. */
pid_t engine_plan_fork(const struct engine_plan *p);

#endif
