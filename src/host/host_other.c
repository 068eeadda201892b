/* SPDX-License-Identifier: ISC
 * A system of which nothing more than POSIX is known. */
#include "host/host.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

int
host_group_use(pid_t pgid, struct host_use *out)
{
	(void)pgid;
	memset(out, 0, sizeof(*out));
	return -1;
}

int
host_self_use(struct host_use *out)
{
	memset(out, 0, sizeof(*out));
	return -1;
}

int
host_memory(uint64_t *available, uint64_t *total)
{
	*available = *total = 0;
	return -1;
}

/* The group is all that can be asked for: it is left as long as a signal could be sent to it. */
size_t
host_orphans(const char *mark, pid_t *out, size_t max)
{
	(void)mark;
	(void)out;
	(void)max;
	return 0;
}

size_t
host_engine_pids(pid_t pid, pid_t pgid, const char *mark, pid_t *out, size_t max)
{
	(void)pid;
	(void)mark;
	if (pgid <= 1 || (kill(-pgid, 0) < 0 && errno == ESRCH))
		return 0;
	if (max > 0)
		out[0] = pgid;
	return 1;
}

bool
host_carries(pid_t pid, const char *mark)
{
	(void)pid;
	(void)mark;
	return false;
}

size_t
host_children(pid_t parent, pid_t *out, size_t max)
{
	(void)parent;
	(void)out;
	(void)max;
	return 0;
}

uint64_t
host_start_time(pid_t pid)
{
	(void)pid;
	return 0;
}

enum host_owner
host_port_owner(int port, const pid_t *pids, size_t npids, pid_t *who, char *comm, size_t comm_size)
{
	(void)port;
	(void)pids;
	(void)npids;
	(void)who;
	(void)comm;
	(void)comm_size;
	return HOST_OWNER_UNKNOWN;
}
