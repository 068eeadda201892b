/* SPDX-License-Identifier: ISC
 * Processes and memory as /proc tells them. */
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xmalloc.h"
#include "host/host_linux_priv.h"

/* How often "nobody is left" is asked again when somebody died meanwhile. */
#define MAX_LOOKS 4

struct table {
	struct proc_stat *v;	/* (owned) */
	size_t n, cap;
	bool vanished;		/* a listed process was gone when it was looked at */
};

ssize_t
proc_read(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;

	if (fd < 0)
		return -1;
	while (n < size - 1) {
		ssize_t r = read(fd, buf + n, size - 1 - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	close(fd);
	buf[n] = '\0';
	return (ssize_t)n;
}

int
proc_stat_read(pid_t pid, struct proc_stat *out)
{
	char path[64], buf[1024], *p;
	unsigned long long ut, st, start;
	long ppid, pgrp, rss;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	if (proc_read(path, buf, sizeof(buf)) <= 0)
		return -1;
	/* The name in parentheses may hold anything, parentheses too. */
	p = strrchr(buf, ')');
	if (p == NULL || sscanf(p + 1, " %c %ld %ld %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d"
	    " %llu %*u %ld", &out->state, &ppid, &pgrp, &ut, &st, &start, &rss) != 7)
		return -1;
	out->pid = pid;
	out->ppid = (pid_t)ppid;
	out->pgrp = (pid_t)pgrp;
	out->ticks = ut + st;
	out->start = start;
	out->rss = rss > 0 ? (uint64_t)rss * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
	return 0;
}

long
proc_next(DIR *d)
{
	struct dirent *e;

	while ((e = readdir(d)) != NULL) {
		char *end;
		long n;

		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		n = strtol(e->d_name, &end, 10);
		if (*end == '\0')
			return n;
	}
	return -1;
}

static void
table_add(struct table *t, const struct proc_stat *s)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 256;
		t->v = xreallocarray(t->v, t->cap, sizeof(*t->v));
	}
	t->v[t->n++] = *s;
}

static void
scan_all(struct table *t)
{
	DIR *d = opendir("/proc");
	struct proc_stat s;
	long pid;

	if (d == NULL)
		return;
	t->n = 0;
	t->vanished = false;
	while ((pid = proc_next(d)) > 0)
		if (proc_stat_read((pid_t)pid, &s) == 0)
			table_add(t, &s);
		else
			t->vanished = true;
	closedir(d);
}

static const struct proc_stat *
table_find(const struct table *t, pid_t pid)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].pid == pid)
			return &t->v[i];
	return NULL;
}

/* A chain of parents cannot be longer than the table; a snapshot taken while processes move may hold a ring. */
static bool
descends(const struct table *t, const struct proc_stat *s, pid_t from)
{
	for (size_t i = 0; s != NULL && i <= t->n; i++) {
		if (s->ppid == from)
			return true;
		s = s->ppid > 1 ? table_find(t, s->ppid) : NULL;
	}
	return false;
}

/* Children of all threads of a process, from the kernel's own lists: far cheaper than a walk over all processes.
 * False where the kernel has no such files. */
static bool
each_child(pid_t pid, void (*fn)(void *arg, pid_t child), void *arg)
{
	char path[96], buf[8192], *p, *end;
	bool known = false;
	DIR *d;
	long tid;

	snprintf(path, sizeof(path), "/proc/%ld/task", (long)pid);
	if ((d = opendir(path)) == NULL)
		return true;
	while ((tid = proc_next(d)) > 0) {
		snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", (long)pid, tid);
		if (proc_read(path, buf, sizeof(buf)) < 0)
			continue;
		known = true;
		for (p = buf;; p = end) {
			long child = strtol(p, &end, 10);

			if (end == p)
				break;
			fn(arg, (pid_t)child);
		}
	}
	closedir(d);
	return known;
}

struct walk {
	struct table *t;
	pid_t group;	/* 0: take all, else only members of this group */
};

static void
walk_add(void *arg, pid_t pid)
{
	struct walk *w = arg;
	struct proc_stat s;

	if (proc_stat_read(pid, &s) == 0 && (w->group == 0 || s.pgrp == w->group) && table_find(w->t, pid) == NULL)
		table_add(w->t, &s);
}

/* The leader, its descendants, and members of the group that were adopted by us when their parent died. */
static bool
collect_group(struct table *t, pid_t pgid)
{
	struct walk w = {t, pgid};
	bool known;

	walk_add(&w, pgid);
	known = each_child(getpid(), walk_add, &w);
	w.group = 0;
	for (size_t i = 0; known && i < t->n; i++)
		each_child(t->v[i].pid, walk_add, &w);
	return known;
}

static void
collect_group_slowly(struct table *t, pid_t pgid)
{
	struct table all = {0};

	t->n = 0;
	scan_all(&all);
	for (size_t i = 0; i < all.n; i++)
		if (all.v[i].pgrp == pgid || descends(&all, &all.v[i], pgid))
			table_add(t, &all.v[i]);
	free(all.v);
}

static uint64_t
read_bytes(pid_t pid)
{
	char path[64], buf[512];
	unsigned long long n;

	snprintf(path, sizeof(path), "/proc/%ld/io", (long)pid);
	if (proc_read(path, buf, sizeof(buf)) <= 0 || sscanf(buf, "rchar: %llu", &n) != 1)
		return 0;
	return n;
}

static void
sum(const struct table *t, struct host_use *out)
{
	uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < t->n; i++) {
		if (t->v[i].state == 'Z' || t->v[i].state == 'X')
			continue;
		out->nprocs++;
		out->rss += t->v[i].rss;
		out->cpu_ms += t->v[i].ticks * 1000 / (hz ? hz : 100);
		out->read_bytes += read_bytes(t->v[i].pid);
	}
}

int
host_group_use(pid_t pgid, struct host_use *out)
{
	struct table t = {0};

	memset(out, 0, sizeof(*out));
	if (pgid <= 1)
		return -1;
	if (!collect_group(&t, pgid))
		collect_group_slowly(&t, pgid);
	sum(&t, out);
	free(t.v);
	return out->nprocs > 0 ? 0 : -1;
}

int
host_self_use(struct host_use *out)
{
	struct proc_stat s;
	struct table t = {.v = &s, .n = 1};

	memset(out, 0, sizeof(*out));
	if (proc_stat_read(getpid(), &s) < 0)
		return -1;
	sum(&t, out);
	return 0;
}

static uint64_t
meminfo(const char *text, const char *key)
{
	const char *p = strstr(text, key);
	unsigned long long kib;

	return p != NULL && sscanf(p + strlen(key), " %llu", &kib) == 1 ? (uint64_t)kib * 1024 : 0;
}

int
host_memory(uint64_t *available, uint64_t *total)
{
	char buf[4096];

	*available = *total = 0;
	if (proc_read("/proc/meminfo", buf, sizeof(buf)) <= 0)
		return -1;
	*available = meminfo(buf, "MemAvailable:");
	*total = meminfo(buf, "MemTotal:");
	return *available != 0 && *total != 0 ? 0 : -1;
}

/* 1 yes, 0 no, -1: it has no environment any more (it is dying) or is not ours to ask. */
static int
carries(pid_t pid, const char *mark)
{
	char path[64], want[300];
	static char buf[128 * 1024];	/* where the kernel's own limit for one variable ends */
	size_t nwant;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%ld/environ", (long)pid);
	n = proc_read(path, buf, sizeof(buf));
	nwant = (size_t)snprintf(want, sizeof(want), "MAI_ENGINE=%s", mark);
	if (nwant >= sizeof(want))
		return 0;
	if (n <= 0)
		return -1;
	for (const char *p = buf; p < buf + n; p += strlen(p) + 1)
		if (strcmp(p, want) == 0)
			return 1;
	return 0;
}

bool
host_carries(pid_t pid, const char *mark)
{
	return carries(pid, mark) == 1;
}

/* One look. *unsure: somebody died during it who may have forked after the list was made. */
static size_t
look(struct table *t, pid_t pid, pid_t pgid, const char *mark, pid_t *out, size_t max, bool *unsure)
{
	size_t n = 0;

	scan_all(t);
	*unsure = t->vanished;
	for (size_t i = 0; i < t->n; i++) {
		const struct proc_stat *s = &t->v[i];
		int marked = 0;

		if (s->state == 'Z' || s->state == 'X') {
			*unsure = *unsure || s->pgrp == pgid || descends(t, s, getpid());
			continue;
		}
		if (s->pid == getpid())
			continue;
		if (mark != NULL && descends(t, s, getpid()))
			marked = carries(s->pid, mark);
		*unsure = *unsure || marked < 0;
		if (marked > 0 || (pid > 1 && (s->pid == pid || descends(t, s, pid))) ||
		    (pgid > 1 && s->pgrp == pgid)) {
			if (n < max)
				out[n] = s->pid;
			n++;
		}
	}
	return n;
}

size_t
host_engine_pids(pid_t pid, pid_t pgid, const char *mark, pid_t *out, size_t max)
{
	struct table t = {0};
	bool unsure = true;
	size_t n = 0;

	for (int i = 0; i < MAX_LOOKS && n == 0 && unsure; i++)
		n = look(&t, pid, pgid, mark, out, max, &unsure);
	free(t.v);
	return n;
}

/* Up through those who carry the mark as well: who has taken the first of them in? A core that lives is none of these. */
static bool
is_orphan(const struct table *t, const struct proc_stat *s, const char *mark, bool nested)
{
	const struct proc_stat *self = table_find(t, getpid());
	size_t i = 0;

	while (s != NULL && s->ppid > 1 && i++ <= t->n && carries(s->ppid, mark) == 1)
		s = table_find(t, s->ppid);
	if (s == NULL)
		return false;
	return s->ppid <= 1 || (!nested && (s->ppid == getpid() || (self != NULL && descends(t, self, s->ppid))));
}

size_t
host_orphans(const char *mark, pid_t *out, size_t max)
{
	struct table t = {0};
	/* Started by an engine: among our ancestors is a core that lives. */
	bool nested = getenv("MAI_ENGINE") != NULL;
	size_t n = 0;

	scan_all(&t);
	for (size_t i = 0; i < t.n && n < max; i++)
		if (t.v[i].state != 'Z' && t.v[i].state != 'X' && t.v[i].pid != getpid() &&
		    carries(t.v[i].pid, mark) == 1 && is_orphan(&t, &t.v[i], mark, nested))
			out[n++] = t.v[i].pid;
	free(t.v);
	return n;
}

struct child_list {
	pid_t *out;
	size_t n, max;
};

static void
child_add(void *arg, pid_t pid)
{
	struct child_list *l = arg;

	if (l->n < l->max)
		l->out[l->n] = pid;
	l->n++;
}

size_t
host_children(pid_t parent, pid_t *out, size_t max)
{
	struct child_list l = {out, 0, max};
	struct table t = {0};

	if (each_child(parent, child_add, &l))
		return l.n;
	scan_all(&t);
	for (size_t i = 0; i < t.n; i++)
		if (t.v[i].ppid == parent)
			child_add(&l, t.v[i].pid);
	free(t.v);
	return l.n;
}

uint64_t
host_start_time(pid_t pid)
{
	struct proc_stat s;

	return proc_stat_read(pid, &s) == 0 ? s.start : 0;
}
