/* SPDX-License-Identifier: ISC
 * Waits, deadlines, and what an end means. */
#include "engine/engine_policy.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SETTLE_MAX_MS 2000
#define SETTLE_STEP_MS 10
#define SETTLE_SAME (16u << 20)	/* less says nothing: others move as much */

uint64_t
policy_backoff(uint64_t backoff, uint64_t max, int n)
{
	uint64_t d = backoff;

	for (int i = 0; i < n && d < UINT64_MAX / 2 && (max == 0 || d < max); i++)
		d *= 2;
	return max != 0 && d > max ? max : d;
}

uint64_t
policy_probe_delay(uint64_t elapsed)
{
	if (elapsed < 1000)
		return 4;
	return elapsed / 50 < 1000 ? elapsed / 50 : 1000;
}

enum policy_deadline
policy_start_deadline(const struct conf_model *m, uint64_t elapsed, uint64_t quiet_ms)
{
	if (m->start_timeout != 0 && elapsed >= m->start_timeout)
		return DEADLINE_TOTAL;
	if (!m->external && m->health_check_timeout != 0 && quiet_ms >= m->health_check_timeout)
		return DEADLINE_QUIET;
	return DEADLINE_NONE;
}

bool
policy_settled(struct policy_settle *s, uint64_t now, uint64_t since, uint64_t need, uint64_t available)
{
	uint64_t d;

	if (s->held <= SETTLE_SAME || now - since >= SETTLE_MAX_MS)
		return true;
	if (need != 0 && available >= need + need / 8)
		return true;
	if (s->before != 0 && available >= s->before + s->held / 10 * 9)
		return true;
	if (s->last_at < since || s->last_at == 0) {
		s->last = available;
		s->last_at = now;
		return false;
	}
	if (now - s->last_at < SETTLE_STEP_MS)
		return false;
	d = available > s->last ? available - s->last : s->last - available;
	s->last = available;
	s->last_at = now;
	return d <= SETTLE_SAME;
}

static uint64_t
left(uint64_t deadline, uint64_t past, uint64_t limit)
{
	uint64_t l = deadline > past ? deadline - past : 1;

	return deadline != 0 && l < limit ? l : limit;
}

uint64_t
policy_deadline_in(const struct conf_model *m, uint64_t elapsed, uint64_t quiet_ms, uint64_t limit)
{
	limit = left(m->start_timeout, elapsed, limit);
	return m->external ? limit : left(m->health_check_timeout, quiet_ms, limit);
}

/* An engine that hangs still answers our probes: a few ms of CPU each. */
bool
policy_works(const struct policy_use *before, const struct policy_use *now, uint64_t ms)
{
	return now->cpu_ms > before->cpu_ms + ms / 20 + 10 || now->read_bytes > before->read_bytes + (256u << 10);
}

/* And next to no memory. */
bool
policy_alive(const struct policy_use *before, const struct policy_use *now, uint64_t ms)
{
	return policy_works(before, now, ms) || now->rss > before->rss + (1u << 20);
}

#define STALL_EVERY_MIN 1000
#define STALL_EVERY_MAX 15000
#define CANARY_MAX 30000
#define CANARY_MIN 1000
#define CONFIRM_MS 1000		/* a single failure may be an accident, and a moment tells nothing of CPU time */

uint64_t
policy_stall_every(uint64_t timeout)
{
	uint64_t d = timeout / 8;

	return d < STALL_EVERY_MIN ? STALL_EVERY_MIN : d > STALL_EVERY_MAX ? STALL_EVERY_MAX : d;
}

/* Where CPU time cannot speak for a long prompt in front of it, the witness gets all the time there is. */
uint64_t
policy_canary_limit(const struct conf_model *m)
{
	uint64_t d = m->external || m->stall_timeout < CANARY_MAX ? m->stall_timeout : CANARY_MAX;

	return d < CANARY_MIN ? CANARY_MIN : d;
}

static bool
is_stalled(const struct policy_quiet *q)
{
	if (q->inflight == 0 || q->silent < q->timeout)
		return false;
	/* Its processes were not looked at before it was silent for one such while. */
	return q->blind || (q->idle > 0 && q->idle + q->every >= q->timeout);
}

enum policy_stall
policy_stall(const struct policy_quiet *q)
{
	if (q->timeout == 0)
		return STALL_FINE;
	switch (q->canary) {
	case CANARY_NONE:
		return q->suspected || is_stalled(q) ? STALL_ASK : STALL_FINE;
	case CANARY_ANSWERED:
		return STALL_ANEW;
	case CANARY_FAILED:
	case CANARY_LATE:
		break;
	}
	/* It stood behind real work. */
	if (q->worked || (q->busy && !q->blind))
		return STALL_ANEW;
	/* Requests in flight are the better first witness: their own silence is judged in its own time. */
	if (q->suspected && q->inflight > 0)
		return STALL_ANEW;
	if (q->canary == CANARY_FAILED && q->asked < CONFIRM_MS)
		return STALL_ASK;
	return q->trusted || q->closed ? STALL_WEDGED : STALL_ANEW;
}

bool
policy_own_line(const char *line, const char *check_path)
{
	size_t n = check_path == NULL ? 0 : strlen(check_path);

	for (const char *p = line; n > 0 && (p = strstr(p, "GET ")) != NULL; p += 4)
		if (strncmp(p + 4, check_path, n) == 0 && strchr(" ?\"'", p[4 + n]) != NULL)
			return true;
	return false;
}

const char *
policy_signal_name(int sig)
{
	static const struct {
		int sig;
		const char *name;
	} names[] = {
		{SIGABRT, "SIGABRT"}, {SIGALRM, "SIGALRM"}, {SIGBUS, "SIGBUS"}, {SIGFPE, "SIGFPE"}, {SIGHUP, "SIGHUP"},
		{SIGILL, "SIGILL"}, {SIGINT, "SIGINT"}, {SIGKILL, "SIGKILL"}, {SIGPIPE, "SIGPIPE"}, {SIGQUIT, "SIGQUIT"},
		{SIGSEGV, "SIGSEGV"}, {SIGSYS, "SIGSYS"}, {SIGTERM, "SIGTERM"}, {SIGTRAP, "SIGTRAP"},
		{SIGUSR1, "SIGUSR1"}, {SIGUSR2, "SIGUSR2"}, {SIGXCPU, "SIGXCPU"}, {SIGXFSZ, "SIGXFSZ"},
	};
	static char other[24];

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].sig == sig)
			return names[i].name;
	snprintf(other, sizeof(other), "signal %d", sig);
	return other;
}

static void
describe(const struct policy_end *e, char *out, size_t size)
{
	if (e->exec_errno != 0) {
		snprintf(out, size, "cannot run it: %s", e->bad_interpreter ? "its interpreter does not exist" :
		    strerror(e->exec_errno));
	} else if (WIFSIGNALED(e->status)) {
		int sig = WTERMSIG(e->status);

		if (e->by_us)
			snprintf(out, size, "%s", policy_signal_name(sig));
		else if (sig == SIGKILL)
			snprintf(out, size, "SIGKILL, not by us (possible OOM)");
		else
			snprintf(out, size, "%s", policy_signal_name(sig));
	} else if (WEXITSTATUS(e->status) == 0) {
		snprintf(out, size, e->by_us ? "exit status 0" : "exited 0 unexpectedly");
	} else {
		snprintf(out, size, "exit status %d", WEXITSTATUS(e->status));
	}
}

void
policy_judge(const struct policy_end *e, struct policy_verdict *out)
{
	out->kind = VERDICT_CRASH;
	out->reason = policy_oom_line(e->cause) ? REASON_OOM : REASON_CRASH;
	describe(e, out->text, sizeof(out->text));
	if (e->exec_errno != 0) {
		/* Only these two pass by themselves. */
		bool passing = e->exec_errno == EAGAIN || e->exec_errno == ENOMEM;

		out->kind = passing ? VERDICT_CRASH : VERDICT_FATAL;
		out->reason = REASON_EXEC_FAILED;
	} else if (e->port_line && e->starting) {
		out->kind = e->port_fixed ? VERDICT_FATAL : e->repicks < POLICY_REPICKS ? VERDICT_FREE : VERDICT_CRASH;
		out->reason = REASON_PORT_BUSY;
	} else if (e->permanent != REASON_NONE && e->starting) {
		out->kind = VERDICT_FATAL;
		out->reason = e->permanent;
	} else if (WIFEXITED(e->status) && WEXITSTATUS(e->status) == 2 && !e->was_ready) {
		out->kind = VERDICT_FATAL;
		out->reason = REASON_CONFIG;
	}
}

static bool
is_path(const char *s)
{
	size_t n = strlen(s);

	return s[0] == '/' || strncmp(s, "./", 2) == 0 || strncmp(s, "../", 3) == 0 ||
	    (n > 5 && strcmp(s + n - 5, ".gguf") == 0);
}

static bool
is_missing(const char *s)
{
	struct stat st;

	return s != NULL && is_path(s) && stat(s, &st) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* Where the definition or the command may say that the model is, python -m among them; *next begins at 0. NULL: no more. */
static const char *
next_path(const struct conf_model *m, size_t *next)
{
	if (*next == 0) {
		*next = 1;
		if (m->model != NULL)
			return m->model;
	}
	for (char **a = m->argv == NULL ? NULL : m->argv + *next - 1; a != NULL && *a != NULL; a++) {
		++*next;
		if (strncmp(*a, "--model=", 8) == 0)
			return *a + 8;
		if ((strcmp(*a, "-m") == 0 || strcmp(*a, "--model") == 0) && a[1] != NULL)
			return a[1];
	}
	return NULL;
}

const char *
policy_model_path(const struct conf_model *m)
{
	struct stat st;
	const char *path;

	for (size_t i = 0; (path = next_path(m, &i)) != NULL;)
		if (stat(path, &st) == 0)
			return path;
	return NULL;
}

/* A hub id, a macro left for the engine, or a path inside a container is none of our business. */
const char *
policy_missing_model(const struct conf_model *m)
{
	bool argv_too = m->kind != NULL && m->kind->command != NULL;
	const char *path;

	if (m->external)
		return NULL;
	if (!argv_too)
		return is_missing(m->model) ? m->model : NULL;
	for (size_t i = 0; (path = next_path(m, &i)) != NULL;)
		if (is_missing(path))
			return path;
	return NULL;
}

static int
by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

uint64_t
policy_median(const uint64_t *v, size_t n)
{
	uint64_t s[16];

	if (n > ARRAY_LEN(s))
		n = ARRAY_LEN(s);
	if (n == 0)
		return 0;
	memcpy(s, v, n * sizeof(*s));
	qsort(s, n, sizeof(*s), by_value);
	return n % 2 == 1 ? s[n / 2] : (s[n / 2 - 1] + s[n / 2]) / 2;
}
