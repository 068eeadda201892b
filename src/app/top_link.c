/* SPDX-License-Identifier: ISC
 * The dashboard's end of the link: the event stream into the view, log lines by sequence into the bounded copy. */
#include "app/top_priv.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xmalloc.h"

#define FETCH_MS 100		/* not more often than this */
#define FETCH_BYTES (128 * 1024)
#define FIRST_LINES 2000	/* of history, at first */
#define BEHIND_LINES 5000	/* further behind than this the flood is left to the core */
#define FLOOD_LINES 300
#define LEAVE_MS 500

static void fetch(struct top_link *l);

static void
on_lines(void *arg, enum client_result r, int status, const char *answer, size_t n)
{
	struct top_link *l = arg;
	uint64_t next = l->log_next;
	int got = -1;

	l->fetching = false;
	l->fetched_at = clock_ms();
	if (r == CLIENT_OK && status == 200)
		got = view_log_apply(l->log, answer, n, &next, NULL);
	if (got < 0) {
		timer_set(&l->fetch, 1000);
		return;
	}
	if (next > l->log_next)
		l->log_next = next;
	if (got > 0 && l->lines != NULL)
		l->lines(l->arg);
	fetch(l);
}

/* Lines are fetched by sequence number, one call at a time; a flood costs a screenful for each call. */
static void
fetch(struct top_link *l)
{
	uint64_t head = l->view.log_next, most = view_log_count(l->log) == 0 ? FIRST_LINES : BEHIND_LINES;
	uint64_t wait = l->fetched_at + FETCH_MS;
	char path[128];

	if (!l->up || l->fetching || head <= l->log_next)
		return;
	if (clock_ms() < wait && l->fetched_at != 0) {
		if (!timer_armed(&l->fetch))
			timer_set(&l->fetch, wait - clock_ms());
		return;
	}
	if (head - l->log_next > most)
		l->log_next = head - (most == FIRST_LINES ? FIRST_LINES : FLOOD_LINES);
	if (l->log_next == 0)
		l->log_next = 1;
	snprintf(path, sizeof(path), "/api/logs?source=all&from=%llu&max=%d", (unsigned long long)l->log_next, FETCH_BYTES);
	l->fetching = true;
	client_async(l->client, "GET", path, NULL, l->view.viewer_id, on_lines, l);
}

static void
on_fetch_timer(void *arg)
{
	fetch(arg);
}

static void
on_event(void *arg, const char *event, const char *id, const char *data, size_t n)
{
	struct top_link *l = arg;

	(void)id;
	if (view_apply(&l->view, event, data, n, clock_ms(), NULL) != 0)
		return;
	/* Another core counts its lines anew. */
	if (l->view.pid != l->core_pid || l->view.started != l->core_started) {
		view_log_clear(l->log);
		l->log_next = 0;
		l->core_pid = l->view.pid;
		l->core_started = l->view.started;
	}
	fetch(l);
	l->changed(l->arg, event);
}

static void
on_up(void *arg)
{
	struct top_link *l = arg;

	l->up = l->ever_up = true;
	l->gone = false;
	l->tries = 0;
	l->linked(l->arg, true);
}

static void
on_down(void *arg, enum client_result why, const char *text, int n, uint64_t retry_ms)
{
	struct top_link *l = arg;
	uint64_t now = clock_ms();

	if (l->up || l->since == 0)
		l->since = now;
	l->up = false;
	l->gone = why == CLIENT_DOWN;
	snprintf(l->why, sizeof(l->why), "%s", l->gone ? "supervisor not running" : text != NULL ? text : "?");
	l->tries = n;
	l->retry_at = now + retry_ms;
	l->linked(l->arg, false);
}

void
top_link_open(struct top_link *l, const struct client_target *t, bool foreground)
{
	static const struct client_watch_ops ops = {on_event, on_up, on_down};
	const struct passwd *pw = getpwuid(getuid());
	const char *tty = ttyname(STDIN_FILENO);
	char viewer[256];

	l->loop = loop_new();
	if (l->loop == NULL)
		fatal("no event loop");
	view_init(&l->view);
	l->log = view_log_new(TOP_LOG_BYTES);
	l->client = client_new(l->loop, t);
	timer_init(&l->fetch, l->loop, on_fetch_timer, l);
	if (tty != NULL && strncmp(tty, "/dev/", 5) == 0)
		tty += 5;
	snprintf(viewer, sizeof(viewer), "%s,%s,%s", pw != NULL ? pw->pw_name : "?", tty != NULL ? tty : "-",
	    foreground ? "foreground" : "attached");
	l->watch = client_watch_new(l->client, viewer, &ops, l);
}

void
top_link_close(struct top_link *l)
{
	timer_stop(&l->fetch);
	client_watch_free(&l->watch);
	client_free(&l->client);
	view_log_free(&l->log);
	view_fini(&l->view);
	loop_free(&l->loop);
}

static void
answered(void *arg, enum client_result r, int status, const char *answer, size_t n)
{
	(void)arg;
	(void)r;
	(void)status;
	(void)answer;
	(void)n;
}

void
top_link_post(struct top_link *l, const char *path, const char *body,
    void (*done)(void *arg, enum client_result r, int status, const char *answer, size_t n), void *arg)
{
	client_async(l->client, "POST", path, body, l->view.viewer_id, done != NULL ? done : answered, arg);
}

static void
said_bye(void *arg, enum client_result r, int status, const char *answer, size_t n)
{
	struct top_link *l = arg;

	answered(NULL, r, status, answer, n);
	loop_stop(l->loop);
}

static void
on_leave_timer(void *arg)
{
	struct top_link *l = arg;

	loop_stop(l->loop);
}

void
top_link_leave(struct top_link *l, const char *how)
{
	char path[64], body[64];

	if (!l->up || l->view.viewer_id <= 0) {
		loop_stop(l->loop);
		return;
	}
	snprintf(path, sizeof(path), "/api/viewers/%d/bye", l->view.viewer_id);
	snprintf(body, sizeof(body), "{\"how\":\"%s\"}", how);
	timer_stop(&l->fetch);
	timer_init(&l->fetch, l->loop, on_leave_timer, l);
	timer_set(&l->fetch, LEAVE_MS);
	client_async(l->client, "POST", path, body, l->view.viewer_id, said_bye, l);
}
