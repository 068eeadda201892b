/* SPDX-License-Identifier: ISC
 * Processes and memory as macOS tells them: libproc, sysctl and Mach statistics. */
#include "host/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libproc.h>
#include <mach/mach.h>
#include <mach/mach_time.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include "base/xmalloc.h"

/* libproc's lists may grow between two calls: room to spare, and what does not fit is left out. */
static pid_t *
list_pids(uint32_t type, uint32_t info, size_t *n)
{
	int bytes = proc_listpids(type, info, NULL, 0);
	pid_t *v;

	*n = 0;
	if (bytes <= 0)
		return NULL;
	bytes += 64 * (int)sizeof(*v);
	v = xmalloc((size_t)bytes);
	bytes = proc_listpids(type, info, v, bytes);
	if (bytes > 0)
		*n = (size_t)bytes / sizeof(*v);
	return v;
}

static bool
bsd_info(pid_t pid, struct proc_bsdinfo *bi)
{
	return pid > 0 && proc_pidinfo(pid, PROC_PIDTBSDINFO, 0, bi, sizeof(*bi)) == (int)sizeof(*bi);
}

static uint64_t
mach_to_ms(uint64_t t)
{
	static mach_timebase_info_data_t tb;

	if (tb.denom == 0)
		mach_timebase_info(&tb);
	return t * tb.numer / tb.denom / 1000000;
}

static void
add_use(pid_t pid, struct host_use *out)
{
	struct proc_taskinfo ti;
	rusage_info_v2 ru;

	if (proc_pidinfo(pid, PROC_PIDTASKINFO, 0, &ti, sizeof(ti)) != (int)sizeof(ti))
		return;
	out->nprocs++;
	out->rss += ti.pti_resident_size;
	out->cpu_ms += mach_to_ms(ti.pti_total_user + ti.pti_total_system);
	if (proc_pid_rusage(pid, RUSAGE_INFO_V2, (rusage_info_t *)&ru) == 0)
		out->read_bytes += ru.ri_diskio_bytesread;
}

int
host_group_use(pid_t pgid, struct host_use *out)
{
	size_t n;
	pid_t *v;

	memset(out, 0, sizeof(*out));
	if (pgid <= 1)
		return -1;
	v = list_pids(PROC_PGRP_ONLY, (uint32_t)pgid, &n);
	for (size_t i = 0; i < n; i++)
		if (v[i] > 0)
			add_use(v[i], out);
	free(v);
	return out->nprocs > 0 ? 0 : -1;
}

int
host_self_use(struct host_use *out)
{
	memset(out, 0, sizeof(*out));
	add_use(getpid(), out);
	return out->nprocs > 0 ? 0 : -1;
}

int
host_memory(uint64_t *available, uint64_t *total)
{
	vm_statistics64_data_t vm;
	mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
	size_t len = sizeof(*total);

	*available = *total = 0;
	if (sysctlbyname("hw.memsize", total, &len, NULL, 0) < 0 ||
	    host_statistics64(mach_host_self(), HOST_VM_INFO64, (host_info64_t)&vm, &count) != KERN_SUCCESS)
		return -1;
	*available = ((uint64_t)vm.free_count + vm.inactive_count + vm.purgeable_count) * (uint64_t)getpagesize();
	return 0;
}

/* The environment lies behind the arguments in what the kernel shows of our own user's processes. */
bool
host_carries(pid_t pid, const char *mark)
{
	int mib[3] = {CTL_KERN, KERN_PROCARGS2, pid};
	char want[300], *buf;
	size_t size = 1024 * 1024, nwant = (size_t)snprintf(want, sizeof(want), "MAI_ENGINE=%s", mark);
	bool found = false;

	if (nwant >= sizeof(want))
		return false;
	buf = xmalloc(size + 1);
	if (sysctl(mib, 3, buf, &size, NULL, 0) == 0) {
		buf[size] = '\0';
		for (size_t i = sizeof(int); !found && i < size; i += strlen(buf + i) + 1)
			found = strcmp(buf + i, want) == 0;
	}
	free(buf);
	return found;
}

static bool
descends(pid_t pid, pid_t from)
{
	struct proc_bsdinfo bi;

	for (int i = 0; i < 64 && pid > 1 && bsd_info(pid, &bi); i++) {
		if ((pid_t)bi.pbi_ppid == from)
			return true;
		pid = (pid_t)bi.pbi_ppid;
	}
	return false;
}

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
	size_t n, found = 0;
	pid_t *v = list_pids(PROC_UID_ONLY, (uint32_t)getuid(), &n);

	for (size_t i = 0; i < n; i++) {
		struct proc_bsdinfo bi;

		if (v[i] <= 1 || v[i] == getpid() || !bsd_info(v[i], &bi) || bi.pbi_status == SZOMB)
			continue;
		if ((pid > 1 && (v[i] == pid || descends(v[i], pid))) || (pgid > 1 && (pid_t)bi.pbi_pgid == pgid) ||
		    (mark != NULL && descends(v[i], getpid()) && host_carries(v[i], mark))) {
			if (found < max)
				out[found] = v[i];
			found++;
		}
	}
	free(v);
	return found;
}

size_t
host_children(pid_t parent, pid_t *out, size_t max)
{
	size_t n, found = 0;
	pid_t *v = list_pids(PROC_PPID_ONLY, (uint32_t)parent, &n);

	for (size_t i = 0; i < n; i++)
		if (v[i] > 0) {
			if (found < max)
				out[found] = v[i];
			found++;
		}
	free(v);
	return found;
}

uint64_t
host_start_time(pid_t pid)
{
	struct proc_bsdinfo bi;

	return bsd_info(pid, &bi) ? bi.pbi_start_tvsec * 1000000 + bi.pbi_start_tvusec : 0;
}

static bool
is_listener(const struct socket_fdinfo *si, int port)
{
	const struct in_sockinfo *in = &si->psi.soi_proto.pri_tcp.tcpsi_ini;

	return si->psi.soi_kind == SOCKINFO_TCP && si->psi.soi_proto.pri_tcp.tcpsi_state == TSI_S_LISTEN &&
	    ntohs((uint16_t)in->insi_lport) == port;
}

static bool
listens(pid_t pid, int port)
{
	int bytes = proc_pidinfo(pid, PROC_PIDLISTFDS, 0, NULL, 0);
	struct proc_fdinfo *fds;
	bool found = false;

	if (bytes <= 0)
		return false;
	fds = xmalloc((size_t)bytes);
	bytes = proc_pidinfo(pid, PROC_PIDLISTFDS, 0, fds, bytes);
	for (int i = 0; !found && i < bytes / (int)sizeof(*fds); i++) {
		struct socket_fdinfo si;

		if (fds[i].proc_fdtype == PROX_FDTYPE_SOCKET && proc_pidfdinfo(pid, fds[i].proc_fd,
		    PROC_PIDFDSOCKETINFO, &si, sizeof(si)) == (int)sizeof(si))
			found = is_listener(&si, port);
	}
	free(fds);
	return found;
}

enum host_owner
host_port_owner(int port, const pid_t *pids, size_t npids, pid_t *who, char *comm, size_t comm_size)
{
	enum host_owner owner = HOST_OWNER_UNKNOWN;
	size_t n;
	pid_t *v;

	for (size_t i = 0; i < npids; i++)
		if (listens(pids[i], port))
			return HOST_OWNER_OURS;
	v = list_pids(PROC_UID_ONLY, (uint32_t)getuid(), &n);
	for (size_t i = 0; i < n && owner == HOST_OWNER_UNKNOWN; i++) {
		if (v[i] <= 0 || !listens(v[i], port))
			continue;
		owner = HOST_OWNER_OTHER;
		if (who != NULL)
			*who = v[i];
		if (comm != NULL && comm_size > 0 && proc_name(v[i], comm, (uint32_t)comm_size) <= 0)
			snprintf(comm, comm_size, "?");
	}
	free(v);
	return owner;
}
