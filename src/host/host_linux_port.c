/* SPDX-License-Identifier: ISC
 * Who listens on a port: the socket's inode from /proc/net, then the process that has it open. */
#include "host/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/host_linux_priv.h"

#define MAX_INODES 8
#define TCP_LISTEN_HEX 0x0A

struct inodes {
	unsigned long v[MAX_INODES];
	int n;
};

/* Whether a connection to 127.0.0.1 or ::1 can end at this local address (hex words in host order, as the kernel
 * prints them). */
static bool
is_local(const char *addr)
{
	static const char *const ok[] = {
		"0100007F", "00000000", "00000000000000000000000000000000", "00000000000000000000000001000000",
		"0000000000000000FFFF00000100007F",
	};
	static const char *const ok_be[] = {"7F000001", "00000000000000000000000000000001",
		"00000000000000000000FFFF7F000001"};

	for (size_t i = 0; i < sizeof(ok) / sizeof(ok[0]); i++)
		if (strcmp(addr, ok[i]) == 0)
			return true;
	for (size_t i = 0; i < sizeof(ok_be) / sizeof(ok_be[0]); i++)
		if (strcmp(addr, ok_be[i]) == 0)
			return true;
	return false;
}

static void
find_listeners(const char *path, int port, struct inodes *in)
{
	char line[512], addr[40];
	unsigned p, state;
	unsigned long inode;
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return;
	while (in->n < MAX_INODES && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, " %*d: %39[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %*u %*d %lu", addr,
		    &p, &state, &inode) == 4 && state == TCP_LISTEN_HEX && p == (unsigned)port && is_local(addr))
			in->v[in->n++] = inode;
	fclose(f);
}

static bool
holds(pid_t pid, const struct inodes *in)
{
	char dir[64], path[96], to[64];
	bool found = false;
	long fd;
	DIR *d;

	snprintf(dir, sizeof(dir), "/proc/%ld/fd", (long)pid);
	if ((d = opendir(dir)) == NULL)
		return false;
	while (!found && (fd = proc_next(d)) >= 0) {
		unsigned long inode;
		ssize_t n;

		snprintf(path, sizeof(path), "%s/%ld", dir, fd);
		n = readlink(path, to, sizeof(to) - 1);
		if (n <= 0)
			continue;
		to[n] = '\0';
		if (sscanf(to, "socket:[%lu]", &inode) != 1)
			continue;
		for (int i = 0; i < in->n; i++)
			if (in->v[i] == inode)
				found = true;
	}
	closedir(d);
	return found;
}

static void
name_of(pid_t pid, char *comm, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/comm", (long)pid);
	if (proc_read(path, comm, size) <= 0)
		snprintf(comm, size, "?");
	comm[strcspn(comm, "\n")] = '\0';
}

enum host_owner
host_port_owner(int port, const pid_t *pids, size_t npids, pid_t *who, char *comm, size_t comm_size)
{
	struct inodes in = {.n = 0};
	enum host_owner owner = HOST_OWNER_UNKNOWN;
	long pid;
	DIR *d;

	find_listeners("/proc/net/tcp", port, &in);
	find_listeners("/proc/net/tcp6", port, &in);
	if (in.n == 0)
		return HOST_OWNER_NONE;
	for (size_t i = 0; i < npids; i++)
		if (holds(pids[i], &in))
			return HOST_OWNER_OURS;
	if ((d = opendir("/proc")) == NULL)
		return owner;
	/* Other users' descriptors cannot be read: then nobody is found. */
	while (owner == HOST_OWNER_UNKNOWN && (pid = proc_next(d)) > 0) {
		if (!holds((pid_t)pid, &in))
			continue;
		owner = HOST_OWNER_OTHER;
		if (who != NULL)
			*who = (pid_t)pid;
		if (comm != NULL && comm_size > 0)
			name_of((pid_t)pid, comm, comm_size);
	}
	closedir(d);
	return owner;
}
