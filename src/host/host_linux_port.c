/* SPDX-License-Identifier: ISC
 * Who listens on a port: the socket's inode from the kernel's own list of listeners, else from /proc/net, then the process
 * that has it open. */
#include "host/host.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef HAVE_LINUX_INET_DIAG_H
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#endif

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

#ifdef HAVE_LINUX_INET_DIAG_H
#define DIAG_LISTEN (1u << TCP_LISTEN_HEX)

static bool
diag_is_local(const struct inet_diag_msg *m)
{
	static const struct in6_addr mapped = {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}}};
	struct in6_addr a6;
	struct in_addr a;

	if (m->idiag_family == AF_INET) {
		memcpy(&a, m->id.idiag_src, sizeof(a));
		return a.s_addr == htonl(INADDR_ANY) || a.s_addr == htonl(INADDR_LOOPBACK);
	}
	memcpy(&a6, m->id.idiag_src, sizeof(a6));
	return IN6_IS_ADDR_UNSPECIFIED(&a6) || IN6_IS_ADDR_LOOPBACK(&a6) || memcmp(&a6, &mapped, sizeof(a6)) == 0;
}

/* 1 the list ends here, 0 there is more, -1 the kernel refuses. */
static int
diag_take(const char *buf, ssize_t left, int port, struct inodes *in)
{
	while (left >= (ssize_t)sizeof(struct nlmsghdr)) {
		struct nlmsghdr h;
		struct inet_diag_msg m;
		size_t step;

		memcpy(&h, buf, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > (size_t)left || h.nlmsg_type == NLMSG_ERROR)
			return -1;
		if (h.nlmsg_type == NLMSG_DONE)
			return 1;
		if (h.nlmsg_len < NLMSG_HDRLEN + sizeof(m))
			return -1;
		memcpy(&m, buf + NLMSG_HDRLEN, sizeof(m));
		if (m.id.idiag_sport == htons((uint16_t)port) && m.idiag_state == TCP_LISTEN_HEX && diag_is_local(&m) &&
		    in->n < MAX_INODES)
			in->v[in->n++] = m.idiag_inode;
		step = NLMSG_ALIGN(h.nlmsg_len);
		if (step >= (size_t)left)
			break;
		buf += step;
		left -= (ssize_t)step;
	}
	return 0;
}

static int
diag_family(int fd, int family, int port, struct inodes *in)
{
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 r;
	} ask = {
		.h = {.nlmsg_len = sizeof(ask), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.r = {.sdiag_family = (uint8_t)family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = DIAG_LISTEN},
	};
	char buf[16 * 1024];
	int done = 0;

	if (send(fd, &ask, sizeof(ask), 0) != (ssize_t)sizeof(ask))
		return -1;
	/* The kernel has the first part ready when send returns, and each next when the last was read: nothing waits. */
	while (done == 0) {
		ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || n > (ssize_t)sizeof(buf))
			return -1;
		done = diag_take(buf, n, port, in);
	}
	return done < 0 ? -1 : 0;
}

/* Listeners alone, however many connections there are; /proc/net lists those too. False: not to be had here. */
static bool
diag_listeners(int port, struct inodes *in)
{
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	bool ok;

	if (fd < 0)
		return false;
	ok = diag_family(fd, AF_INET, port, in) == 0 && diag_family(fd, AF_INET6, port, in) == 0;
	close(fd);
	if (!ok)
		in->n = 0;
	return ok;
}
#else
static bool
diag_listeners(int port, struct inodes *in)
{
	(void)port;
	(void)in;
	return false;
}
#endif

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

	if (!diag_listeners(port, &in)) {
		find_listeners("/proc/net/tcp", port, &in);
		find_listeners("/proc/net/tcp6", port, &in);
	}
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
