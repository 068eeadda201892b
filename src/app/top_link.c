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

#define LEAVE_MS 500

static bool
is_known(const struct top_link *l)
{
	return l->up && l->view.viewer_id > 0;
}

static void
said_bye(void *arg, enum client_result r, int status, const char *answer, size_t n)
{
	struct top_link *l = arg;

	(void)r;
	(void)status;
	(void)answer;
	(void)n;
	loop_stop(l->loop);
}

/* Once. */
static void
say_bye(struct top_link *l)
{
	char path[64], body[64];

	if (l->how == NULL || !is_known(l))
		return;
	snprintf(path, sizeof(path), "/api/viewers/%d/bye", l->view.viewer_id);
	snprintf(body, sizeof(body), "{\"how\":\"%s\"}", l->how);
	l->how = NULL;
	client_async(l->client, "POST", path, body, l->view.viewer_id, said_bye, l);
}

void
top_link_event(struct top_link *l, const char *event, const char *data, size_t n)
{
	if (l->record != NULL)
		top_record_event(l->record, event, data, n);
	if (view_apply(&l->view, event, data, n, clock_ms(), NULL) != 0)
		return;
	/* Another core counts its lines anew. */
	if (l->view.pid != l->core_pid || l->view.started != l->core_started) {
		view_log_restart(l->log);
		l->log_next = l->skip_to = 0;
		l->older = true;
		l->older_lines = 0;
		l->core_pid = l->view.pid;
		l->core_started = l->view.started;
	}
	/* A daemon may take the place of the core that was started here. */
	if (strcmp(event, "hello") == 0)
		l->foreground = l->foreground && l->view.foreground;
	if (l->leaving) {
		say_bye(l);
		return;
	}
	top_link_fetch(l);
	l->changed(l->arg, event);
}

static void
on_event(void *arg, const char *event, const char *id, const char *data, size_t n)
{
	struct top_link *l = arg;

	top_link_event(l, event, data, n);
	if (id != NULL && *id != '\0')
		l->view.seq = strtoull(id, NULL, 10);
}

void
top_link_up(struct top_link *l)
{
	if (l->record != NULL)
		top_record_link(l->record, true, false, "", 0, 0);
	l->up = l->ever_up = true;
	l->gone = false;
	l->tries = 0;
	l->linked(l->arg, true);
}

static void
on_up(void *arg)
{
	top_link_up(arg);
}

void
top_link_down(struct top_link *l, bool gone, const char *text, int tries, uint64_t retry_ms)
{
	uint64_t now = clock_ms();

	if (l->record != NULL)
		top_record_link(l->record, false, gone, text, tries, retry_ms);
	if (l->up || l->since == 0)
		l->since = now;
	l->up = false;
	l->gone = gone;
	snprintf(l->why, sizeof(l->why), "%s", gone ? "supervisor not running" : text);
	l->tries = tries;
	l->retry_at = now + retry_ms;
	l->linked(l->arg, false);
}

static void
on_down(void *arg, enum client_result why, const char *text, int n, uint64_t retry_ms)
{
	top_link_down(arg, why == CLIENT_DOWN, text != NULL ? text : "?", n, retry_ms);
}

static void
open_live(struct top_link *l, const struct client_target *t, bool foreground)
{
	static const struct client_watch_ops ops = {on_event, on_up, on_down};
	const struct passwd *pw = getpwuid(getuid());
	const char *tty = ttyname(STDIN_FILENO);
	char viewer[256];

	l->client = client_new(l->loop, t);
	if (tty != NULL && strncmp(tty, "/dev/", 5) == 0)
		tty += 5;
	snprintf(viewer, sizeof(viewer), "%s,%s,%s", pw != NULL ? pw->pw_name : "?", tty != NULL ? tty : "-",
	    foreground ? "foreground" : "attached");
	l->watch = client_watch_new(l->client, viewer, &ops, l);
}

int
top_link_open(struct top_link *l, const struct cmd_opts *o, const struct client_target *t, bool foreground,
    struct err *e)
{
	l->foreground = foreground;
	l->loop = loop_new();
	if (l->loop == NULL)
		fatal("no event loop");
	view_init(&l->view);
	l->log = view_log_new(TOP_LOG_BYTES);
	timer_init(&l->fetch, l->loop, top_link_on_fetch, l);
	if (o->replay != NULL) {
		l->replay = top_replay_open(l, o->replay, o->speed, e);
		return l->replay != NULL ? 0 : -1;
	}
	if (o->url != NULL)
		snprintf(l->where, sizeof(l->where), "%s", o->url);
	else
		snprintf(l->where, sizeof(l->where), "mai/%s.sock", o->name);
	if (o->record != NULL && (l->record = top_record_open(o->record, l->where, foreground, e)) == NULL)
		return -1;
	open_live(l, t, foreground);
	return 0;
}

void
top_link_close(struct top_link *l)
{
	timer_stop(&l->fetch);
	client_watch_free(&l->watch);
	if (l->client != NULL)
		client_free(&l->client);
	top_replay_close(&l->replay);
	top_record_close(&l->record);
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
top_link_post(struct top_link *l, const char *path, const char *body, top_answer_fn *done, void *arg)
{
	if (l->client != NULL)
		client_async(l->client, "POST", path, body, l->view.viewer_id, done != NULL ? done : answered, arg);
}

/* One question that is to be recorded with its answer. */
struct question {
	struct top_link *l;
	top_answer_fn *done;
	void *arg;
	char path[];
};

static void
on_answer(void *arg, enum client_result r, int status, const char *answer, size_t n)
{
	struct question *q = arg;

	if (q->l->record != NULL && r == CLIENT_OK)
		top_record_answer(q->l->record, q->path, status, answer, n);
	q->done(q->arg, r, status, answer, n);
	free(q);
}

void
top_link_get(struct top_link *l, const char *path, top_answer_fn *done, void *arg)
{
	size_t n = strlen(path) + 1;
	const char *known;
	struct question *q;

	if (l->replay != NULL) {
		known = top_replay_answer(l->replay, path, &n);
		done(arg, known != NULL ? CLIENT_OK : CLIENT_FAILED, known != NULL ? 200 : 0, known != NULL ? known :
		    "not in the recording", known != NULL ? n : strlen("not in the recording"));
		return;
	}
	q = xmalloc(sizeof(*q) + n);
	*q = (struct question){l, done, arg};
	memcpy(q->path, path, n);
	client_async(l->client, "GET", path, NULL, l->view.viewer_id, on_answer, q);
}

void
top_link_retry(struct top_link *l)
{
	if (l->watch != NULL)
		client_watch_retry_now(l->watch);
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
	/* One that was started here is about to answer for the first time, and would go on without an owner. */
	bool soon = l->foreground && l->since == 0;

	if (l->client == NULL || (!is_known(l) && !soon)) {
		loop_stop(l->loop);
		return;
	}
	l->leaving = true;
	l->how = how;
	timer_stop(&l->fetch);
	timer_init(&l->fetch, l->loop, on_leave_timer, l);
	timer_set(&l->fetch, LEAVE_MS);
	say_bye(l);
}
