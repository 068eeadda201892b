/* SPDX-License-Identifier: ISC
 * What the process as such does: prints what it was given, forks, floods its output, dies as told. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fake.h"

uint64_t fake_born;
volatile sig_atomic_t fake_terms;
long fake_start_number = 1;
struct fake_stats fake_stats;
static uint64_t flooded;	/* lines written so far */

extern char **environ;

uint64_t
fake_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* One JSON object a line, in one write, so that several processes may share the file. */
void
fake_record(const char *event, const char *fmt, ...)
{
	struct fake_buf b = {0};
	char tmp[2048];
	va_list ap;
	int fd;

	if (fake.record == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(tmp, sizeof(tmp), fmt, ap);
	va_end(ap);
	fake_addf(&b, "{\"event\":\"%s\",\"ms\":%llu,\"pid\":%ld,\"start\":%ld%s%s}\n", event,
	    (unsigned long long)fake_now(), (long)getpid(), fake_start_number, tmp[0] != '\0' ? "," : "", tmp);
	fd = open(fake.record, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, b.data, b.len) != (ssize_t)b.len)
		err(1, "%s", fake.record);
	close(fd);
	free(b.data);
}

static const struct { const char *name; int number; } signals[] = {
	{"ABRT", SIGABRT}, {"BUS", SIGBUS}, {"HUP", SIGHUP}, {"ILL", SIGILL}, {"INT", SIGINT}, {"KILL", SIGKILL},
	{"SEGV", SIGSEGV}, {"STOP", SIGSTOP}, {"TERM", SIGTERM}, {"USR1", SIGUSR1}
};

int
fake_signal_number(const char *name)
{
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		if (strcasecmp(signals[i].name, strncasecmp(name, "SIG", 3) == 0 ? name + 3 : name) == 0)
			return signals[i].number;
	errx(2, "unknown signal %s", name);
}

void
fake_die(void)
{
	fake_record("die", "\"code\":%ld", fake.exit_code);
	/* As with a GPU to hand back: its sockets are gone long before it is. */
	if (fake.slow_death != 0) {
		struct timespec t = {fake.slow_death / 1000, fake.slow_death % 1000 * 1000000};

		for (int fd = 3; fd < 1024; fd++)
			close(fd);
		nanosleep(&t, NULL);
	}
	if (fake.signal_name != NULL) {
		int sig = fake_signal_number(fake.signal_name);
		struct sigaction dfl = {.sa_handler = SIG_DFL};

		if (sig != SIGKILL && sig != SIGSTOP)
			sigaction(sig, &dfl, NULL);
		kill(getpid(), sig);
		while (sig != SIGSTOP)
			pause();
	}
	_exit((int)fake.exit_code);
}

bool
fake_ready(void)
{
	return !fake.never_ready && fake_now() >= fake_born + (uint64_t)fake.ready_after;
}

/* Blocking, as print in a real engine is; how long it blocks is a figure that a test looks at. */
static void
out(int fd, const char *data, size_t len)
{
	uint64_t before = fake_now(), took;

	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return;
		data += n;
		len -= (size_t)n;
	}
	took = fake_now() - before;
	if (took > fake_stats.max_write_ms)
		fake_stats.max_write_ms = took;
}

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void
say(const char *fmt, ...)
{
	char tmp[8192];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(tmp, sizeof(tmp), fmt, ap);
	va_end(ap);
	out(2, tmp, (size_t)n < sizeof(tmp) ? (size_t)n : sizeof(tmp) - 1);
}

void
fake_thread_died(void)
{
	say("Exception in thread Thread-1 (_generate):\nTraceback (most recent call last):\n"
	    "  File \"server.py\", line 1, in _generate\n"
	    "RuntimeError: [metal::malloc] Resource limit (499000) exceeded.\n");
}

/* \n \r \t \e \xHH and \\ of --spew. */
static void
spew(const char *text)
{
	struct fake_buf b = {0};

	for (const char *p = text; *p != '\0'; p++) {
		char ch = *p;

		if (ch == '\\' && p[1] != '\0') {
			ch = *++p;
			if (ch == 'x') {
				char hex[3] = {p[1], p[1] != '\0' ? p[2] : '\0', '\0'};

				ch = (char)strtoul(hex, NULL, 16);
				p += strlen(hex);
			} else {
				static const char from[] = "nrtes", to[] = "\n\r\t\033 ";
				const char *at = strchr(from, ch);

				ch = at != NULL ? to[at - from] : ch;
			}
		}
		fake_add(&b, &ch, 1);
	}
	fake_add(&b, "\n", 1);
	out(2, b.data, b.len);
	free(b.data);
}

static void
grandchild(bool escape)
{
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid > 0) {
		if (escape)
			waitpid(pid, NULL, 0);
		return;
	}
	if (escape) {
		setsid();
		pid = fork();
		if (pid != 0)
			_exit(pid < 0);
	}
	fake_record("grandchild", "\"escaped\":%s", escape ? "true" : "false");
	for (;;)
		pause();
}

static void
print_signals(void)
{
	sigset_t blocked;

	sigprocmask(SIG_SETMASK, NULL, &blocked);
	say("sigblk:");
	for (int s = 1; s < 32; s++)
		if (sigismember(&blocked, s) == 1)
			say(" %d", s);
	say("\nsigign:");
	for (int s = 1; s < 32; s++) {
		struct sigaction sa;

		if (sigaction(s, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
			say(" %d", s);
	}
	say("\n");
}

static void
prints(void)
{
	if (fake.print_fds) {
		struct fake_buf b = {0};

		for (int fd = 0; fd < 4096; fd++)
			if (fcntl(fd, F_GETFD) != -1)
				fake_addf(&b, " %d", fd);
		say("fds:%s\n", b.data);
		free(b.data);
	}
	if (fake.print_signals)
		print_signals();
	if (fake.print_env)
		for (char **e = environ; *e != NULL; e++)
			say("env: %s\n", *e);
	if (fake.print_tty) {
		int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);

		say("tty: %s\nsession: pid %ld pgid %ld sid %ld\n", fd < 0 ? "none" : "yes", (long)getpid(),
		    (long)getpgrp(), (long)getsid(0));
		if (fd >= 0)
			close(fd);
	}
	if (fake.stdin_check) {
		char ch;
		ssize_t n = read(0, &ch, 1);

		say("stdin: %s\n", n == 0 ? "eof" : n < 0 ? strerror(errno) : "data");
	}
}

static void
longline(size_t n)
{
	char block[65536];

	memset(block, 'L', sizeof(block));
	while (n > 0) {
		size_t part = n < sizeof(block) ? n : sizeof(block);

		out(2, block, part);
		n -= part;
	}
	out(2, "\n", 1);
}

static void
count_start(void)
{
	char tmp[32] = "";
	int fd;
	ssize_t n;

	if (fake.state == NULL)
		return;
	fd = open(fake.state, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		err(1, "%s", fake.state);
	n = read(fd, tmp, sizeof(tmp) - 1);
	fake_start_number = n > 0 ? strtol(tmp, NULL, 10) + 1 : 1;
	n = snprintf(tmp, sizeof(tmp), "%ld\n", fake_start_number);
	if (pwrite(fd, tmp, (size_t)n, 0) != n)
		err(1, "%s", fake.state);
	close(fd);
}

/* From --good-after on the engine is a good one: only what names and places it stays. */
static void
reform(void)
{
	struct fake_opts old = fake;

	if (fake.good_after < 0 || fake_start_number <= fake.good_after)
		return;
	fake_defaults();
	fake.port = old.port;
	fake.host = old.host;
	fake.model = old.model;
	fake.model_m = old.model_m;
	fake.model_name = old.model_name;
	fake.record = old.record;
	fake.state = old.state;
	fake.ready_after = old.ready_after;
	fake.answer.sse = old.answer.sse;
	fake.answer.gap = old.answer.gap;
}

void
fake_birth(void)
{
	const char *model;

	fake_born = fake_now();
	count_start();
	reform();
	fake_record("start", "\"port\":%ld,\"ppid\":%ld,\"pgid\":%ld,\"mark\":\"%s\"", fake.port, (long)getppid(),
	    (long)getpgrp(), getenv("MAI_ENGINE") != NULL ? getenv("MAI_ENGINE") : "");
	prints();
	fake_signals();
	if (fake.spew != NULL)
		spew(fake.spew);
	if (fake.longline > 0)
		longline((size_t)fake.longline);
	for (int i = 0; fake.cr_progress && i <= 9; i++)
		say("Fetching 9 files: %3d%%|###   | %d/9 [00:0%d<00:09]\r", i * 100 / 9, i, i);
	if (fake.cr_progress)
		say("\n");
	if (fake.fork)
		grandchild(false);
	if (fake.fork_setsid)
		grandchild(true);
	if (fake.close_stdout) {
		close(1);
		close(2);
	}
	model = fake.model != NULL ? fake.model : fake.model_m;
	if (fake.check_model && (model == NULL || access(model, R_OK) != 0)) {
		say("error: failed to open GGUF file %s\nsrv  main: exiting due to model loading error\n",
		    model != NULL ? model : "(none)");
		_exit(1);
	}
	if (fake.zombie)
		say("2026-01-02 03:04:05,678 - ERROR - mlx_lm.server generation thread died: No model at %s\n"
		    "Traceback (most recent call last):\n  File \"server.py\", line 1, in _generate\n"
		    "FileNotFoundError: No safetensors found in %s\n", fake_model(), fake_model());
	if (fake.exit_after == 0 || (fake.exit_after < 0 && fake.signal_name != NULL && !fake.crash_on_request &&
	    fake.answer.die_after_bytes < 0))
		fake_die();
}

void
fake_tick(uint64_t now)
{
	uint64_t want;

	if (fake.exit_after >= 0 && now >= fake_born + (uint64_t)fake.exit_after)
		fake_die();
	if (fake.flood == 0)
		return;
	want = (now - fake_born) * (uint64_t)fake.flood / 1000;
	if (want > flooded + 20000)
		want = flooded + 20000;	/* one turn stays short when the reader is slow */
	while (flooded < want) {
		struct fake_buf b = {0};

		for (int i = 0; i < 200 && flooded < want; i++)
			fake_addf(&b, "flood %llu the quick brown fox jumps over the lazy dog\n",
			    (unsigned long long)flooded++);
		out(2, b.data, b.len);
		free(b.data);
	}
}

uint64_t
fake_next(void)
{
	uint64_t at = UINT64_MAX;

	if (fake.exit_after >= 0)
		at = fake_born + (uint64_t)fake.exit_after;
	if (fake.flood > 0 && fake_now() + 5 < at)
		at = fake_now() + 5;
	return at;
}
