/* SPDX-License-Identifier: ISC
 * Going to the background with a word from there, and the lock that makes an instance the only one. */
#ifndef APP_DAEMON_H
#define APP_DAEMON_H

#include <sys/types.h>

#include "app/cmd.h"

/* Takes the instance's lock. 0 with *fd (close-on-exec, to be kept open while the instance lives); -1 with the running
 * one's pid in *holder (0 when unknown), or with why in e and *holder -1. */
int daemon_lock(const struct cmd_paths *p, int *fd, pid_t *holder, struct err *e);
/* Writes our pid into the locked file. */
void daemon_write_pid(int fd);
/* At the end, by who holds the lock: nothing is left in the runtime directory. */
void daemon_remove(const struct cmd_paths *p);
/* The pid of the running instance, 0 when none runs. */
pid_t daemon_running(const struct cmd_paths *p);

/* Forks a child that is in a session of its own, with stdin, stdout and stderr on /dev/null (stderr on log, where that
 * is not NULL), and waits for its word. In the child: returns 0 and *report is where daemon_report writes. In the
 * parent: returns 1 when the child said that all is well, else -1 with its reason in e. */
int daemon_fork(const char *log, int *report, struct err *e);
/* NULL: all is well. Closes the pipe. fd -1: nobody waits. */
void daemon_report(int *fd, const char *failure);

/* Tells a service manager that listens on NOTIFY_SOCKET (sd_notify(3)); quiet without one. */
void daemon_notify(const char *state);

#endif
