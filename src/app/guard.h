/* SPDX-License-Identifier: ISC
 * The guard: a tiny process, the core's parent. It forwards signals to the core, and when the core dies, for whatever
 * reason, it kills what the core leaves behind and ends with the core's status. */
#ifndef APP_GUARD_H
#define APP_GUARD_H

/* Forks the core, which runs core(arg, fd) in a session of its own and exits with what that returns. fd is the core's
 * end of the pipe to its guard: it reads EOF when the guard is gone, and takes "+PGID\n" and "-PGID\n" lines. Returns
 * the status to exit with: the core's, or 128 + the signal that killed it; -1 when fork failed (errno). Where the
 * terminal that was there at the start goes away, SIGHUP is passed on as SIGTERM; otherwise as it is. */
int guard_run(int (*core)(void *arg, int fd), void *arg);

#endif
