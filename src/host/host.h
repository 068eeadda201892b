/* SPDX-License-Identifier: ISC
 * What the system knows of processes: use of memory and CPU, descendants, who listens on a port. Linux reads /proc,
 * macOS asks libproc; elsewhere each function says that it does not know. No forks, nothing that blocks for long. */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct host_use {
	uint64_t rss;		/* bytes, summed */
	uint64_t cpu_ms;	/* user + system, summed, of the living */
	uint64_t read_bytes;	/* read from storage or cache, summed; 0 where unknown */
	int nprocs;
};

/* Sums over a process group and, on Linux, all descendants of its leader. 0, or -1 when nothing is known or left. */
int host_group_use(pid_t pgid, struct host_use *out);
/* This process alone. */
int host_self_use(struct host_use *out);
/* Memory a new process could take without swapping, and the machine's total; -1 when unknown. */
int host_memory(uint64_t *available, uint64_t *total);

/* The processes that belong to an engine: in group pgid, pid and its descendants, or those descendants of this process that
 * carry MAI_ENGINE=mark in their environment (not those of another core that counts its engines alike). 0 or NULL leaves
 * a test out; zombies do not count. At most max pids are written; returns how many there are, 0 when none is left. */
size_t host_engine_pids(pid_t pid, pid_t pgid, const char *mark, pid_t *out, size_t max);
/* Whether a process has MAI_ENGINE=mark in its environment; false where that cannot be seen. */
bool host_carries(pid_t pid, const char *mark);
/* Those who carry the mark and whom nobody has taken in but init or one of our own ancestors: what is left of an engine whose
 * core died and who had gone out of its group and its parents' sight. Nobody where that cannot be seen. */
size_t host_orphans(const char *mark, pid_t *out, size_t max);
/* Direct children of a process; as above. Used by the guard. */
size_t host_children(pid_t parent, pid_t *out, size_t max);
/* Start time in clock ticks since boot (Linux) or microseconds since 1970 (macOS): with the pid, a process's identity.
 * 0 when it does not exist. */
uint64_t host_start_time(pid_t pid);

enum host_owner {
	HOST_OWNER_OURS,	/* in the engine's tree */
	HOST_OWNER_UNKNOWN,	/* nobody of ours holds it visibly: taken for ours */
	HOST_OWNER_OTHER,	/* provably another process */
	HOST_OWNER_NONE		/* nobody listens */
};
/* Who listens on 127.0.0.1:port (or any address)? pids: the engine's processes. *who and comm (may be NULL) tell of another owner. */
enum host_owner host_port_owner(int port, const pid_t *pids, size_t npids, pid_t *who, char *comm, size_t comm_size);

/* This machine's host name; static. */
const char *host_name(void);

#endif
