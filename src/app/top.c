/* SPDX-License-Identifier: ISC
 * The dashboard on a screen: one loop of events, keys and frames. */
#include "app/top.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/top_int.h"
#include "base/clock.h"
#include "base/xmalloc.h"

#define GONE_MS 50	/* between looks at a core that is ending */

static bool
is_ending(const struct top *t)
{
	return t->l.ever_up && (t->stopping || (t->l.foreground && t->l.view.shutting_down));
}

static void
draw(void *arg)
{
	struct top *t = arg;
	struct top_link *l = &t->l;
	uint64_t now = clock_ms();
	struct ui_link_state s = {.text = l->why, .gone = l->gone, .tries = l->tries, .since = l->since,
	    .retry_at = l->retry_at, .where = l->where, .replay = l->replay != NULL,
	    .older = l->up && l->older && l->client != NULL && view_log_first(l->log) > 1};
	int ms;

	if (t->leaving)
		return;
	top_spawned(t);
	if (l->replay != NULL) {
		top_replay_clock(l->replay, now);
		s.since = l->since;
		s.retry_at = l->retry_at;
		s.foreground = top_replay_foreground(l->replay);
		s.where = top_replay_where(l->replay);
	}
	/* A core that was told to end may hang up: that is no news. */
	s.link = l->up || is_ending(t) ? UI_LINK_UP : l->since == 0 ? UI_LINK_CONNECTING : UI_LINK_DOWN;
	ui_draw(t->ui, &l->view, l->log, &s, now);
	t->drawn_at = clock_ms();
	if (ui_wants_older(t->ui) || t->save != NULL)
		top_link_older(l);
	if (!timer_armed(&t->work))
		timer_set(&t->work, 0);
	ms = ui_next_tick(t->ui, &l->view, t->drawn_at);
	if (ms >= 0)
		timer_set(&t->tick, (uint64_t)ms);
}

/* At once after quiet, else when the last frame is old enough. */
void
top_want_frame(struct top *t, uint64_t gap)
{
	uint64_t now = clock_ms(), due = t->drawn_at + gap;

	if (timer_armed(&t->draw) && timer_left(&t->draw) <= (due > now ? due - now : 0))
		return;
	timer_set(&t->draw, due > now ? due - now : 0);
}

/* A slice of search or filter between keys; what it found shows with the next frame. */
static void
on_work(void *arg)
{
	struct top *t = arg;

	if (ui_work(t->ui, t->l.log)) {
		timer_set(&t->work, 0);
		top_want_frame(t, TOP_FRAME_MS);
	} else if (t->worked) {
		top_want_frame(t, TOP_ECHO_MS);
	}
	t->worked = timer_armed(&t->work);
	top_save(t);
}

static void
on_tick(void *arg)
{
	top_want_frame(arg, TOP_FRAME_MS);
}

void
top_leave(struct top *t, const char *how, const char *farewell)
{
	if (t->leaving)
		return;
	t->leaving = true;
	t->farewell = farewell;
	watch_set(&t->keys, 0);
	timer_stop(&t->draw);
	timer_stop(&t->tick);
	timer_stop(&t->gone);
	timer_stop(&t->work);
	top_link_leave(&t->l, how);
}

static void
on_keys(void *arg, int what)
{
	struct top *t = arg;
	struct ui_intent in;
	bool lost = false, any = false;

	(void)what;
	while (!t->leaving && ui_key(t->ui, &t->l.view, t->l.log, clock_ms(), &in, &lost)) {
		any = true;
		top_obey(t, &in);
		if (ui_wants_suspend(t->ui)) {
			ui_suspend(t->ui);
			t->drawn_at = 0;
		}
	}
	if (lost)
		top_leave(t, "hangup", NULL);
	else if (any)
		top_want_frame(t, TOP_ECHO_MS);
}

static void
on_signal(void *arg, int sig)
{
	struct top *t = arg;

	if (sig == SIGWINCH) {
		ui_resize(t->ui);
		top_want_frame(t, TOP_ECHO_MS);
	} else {
		top_leave(t, sig == SIGHUP ? "hangup" : "stop", NULL);
	}
}

/* What others did; of its own deeds a viewer hears the outcome. */
static void
tell_action(struct top *t)
{
	const struct view *v = &t->l.view;
	char text[512];

	if (t->told && v->action_n != t->actions && v->action != NULL &&
	    (v->viewer_name == NULL || v->action_who == NULL || strcmp(v->viewer_name, v->action_who) != 0)) {
		snprintf(text, sizeof(text), "%s%s%s", v->action_who != NULL ? v->action_who : "",
		    v->action_who != NULL ? ": " : "", v->action);
		ui_message(t->ui, UI_MSG_INFO, text, clock_ms());
	}
	t->actions = v->action_n;
	t->told = true;
}

static void
on_changed(void *arg, const char *event)
{
	struct top *t = arg;
	const struct view *v = &t->l.view;
	char text[160];

	if (t->leaving)
		return;
	if (strcmp(event, "hello") == 0) {
		ui_set_read_only(t->ui, v->protocol != VIEW_PROTOCOL);
		ui_set_foreground(t->ui, t->l.foreground);
	}
	if (strcmp(event, "hello") == 0 && v->protocol != VIEW_PROTOCOL) {
		snprintf(text, sizeof(text), "mai %s is running, this is %s: read-only", v->version != NULL ? v->version : "?",
		    PACKAGE_VERSION);
		ui_message(t->ui, UI_MSG_ERROR, text, clock_ms());
	}
	tell_action(t);
	top_want_frame(t, TOP_FRAME_MS);
}

static void
on_lines(void *arg)
{
	struct top *t = arg;

	if (!t->leaving && (ui_wants_older(t->ui) || t->save != NULL))
		top_link_older(&t->l);
	top_want_frame(t, TOP_FRAME_MS);
}

static void
retry(void *arg)
{
	client_watch_retry_now(arg);
}

static void
on_link(void *arg, bool up)
{
	struct top *t = arg;

	if (!up && is_ending(t)) {
		if (t->l.gone)
			timer_set(&t->gone, 0);
		else if (t->l.tries == 1 && t->l.watch != NULL)
			loop_defer(t->l.loop, retry, t->l.watch);
	}
	t->told = t->told && up;
	top_want_frame(t, TOP_FRAME_MS);
}

/* The core has hung up for good: waits for its process, that is for its engines, to be gone. */
static void
on_gone(void *arg)
{
	struct top *t = arg;
	pid_t pid = t->o->url == NULL ? (pid_t)t->l.core_pid : 0;

	if (t->leaving)
		return;
	if (pid > 0 && kill(pid, 0) == 0)
		timer_set(&t->gone, GONE_MS);
	else
		top_leave(t, "detach", "mai: stopped");
}

static int
open_screen(struct top *t, const struct cmd_opts *o, bool foreground, struct err *e)
{
	const char *no_color = getenv("NO_COLOR");
	struct ui_opts uo = {.ascii = o->ascii, .read_only = o->read_only, .foreground = foreground, .bell = true,
	    .mono = o->no_color || (no_color != NULL && *no_color != '\0')};

	if (o->plain)
		return err_set(e, "plain");
	t->ui = ui_open(&uo, e);
	return t->ui != NULL ? 0 : -1;
}

static const int sigs[] = {SIGWINCH, SIGTERM, SIGINT, SIGHUP, SIGQUIT};

/* Curses brings handlers of its own that end the process; what comes before ours are there waits for them. */
static void
hold_signals(bool on)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(sigs); i++)
		sigaddset(&set, sigs[i]);
	sigprocmask(on ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static void
watch_signals(struct top *t)
{
	struct sigaction ignore;

	memset(&ignore, 0, sizeof(ignore));
	ignore.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &ignore, NULL);
	for (size_t i = 0; i < ARRAY_LEN(sigs); i++)
		sigwatch_start(&t->sig[i], t->l.loop, sigs[i], on_signal, t);
}

int
top_run(const struct cmd_opts *o, const struct client_target *target, bool foreground)
{
	struct top t = {.o = o};
	struct err e = {{0}};

	hold_signals(true);
	if (open_screen(&t, o, foreground, &e) != 0) {
		hold_signals(false);
		return top_plain(o, target, foreground);
	}
	atexit(ui_emergency_restore);
	t.l.changed = on_changed;
	t.l.lines = on_lines;
	t.l.linked = on_link;
	t.l.arg = &t;
	if (top_link_open(&t.l, o, target, foreground, &e) != 0) {
		ui_close(&t.ui);
		hold_signals(false);
		top_link_close(&t.l);
		fprintf(stderr, "mai: %s\n", e.msg);
		return CMD_FAILED;
	}
	timer_init(&t.draw, t.l.loop, draw, &t);
	timer_init(&t.tick, t.l.loop, on_tick, &t);
	timer_init(&t.gone, t.l.loop, on_gone, &t);
	timer_init(&t.work, t.l.loop, on_work, &t);
	watch_init(&t.keys, t.l.loop, STDIN_FILENO, on_keys, &t);
	watch_set(&t.keys, LOOP_READ);
	watch_signals(&t);
	hold_signals(false);
	timer_set(&t.draw, 0);
	loop_run(t.l.loop);

	t.leaving = true;
	ui_close(&t.ui);
	watch_set(&t.keys, 0);
	timer_stop(&t.draw);
	timer_stop(&t.tick);
	timer_stop(&t.gone);
	timer_stop(&t.work);
	free(t.save);
	if (t.l.watch != NULL)
		loop_undefer(t.l.loop, t.l.watch);
	for (size_t i = 0; i < ARRAY_LEN(t.sig); i++)
		sigwatch_stop(&t.sig[i]);
	top_link_close(&t.l);
	top_acts_free(&t);
	if (t.farewell != NULL)
		fprintf(stderr, "%s\n", t.farewell);
	return CMD_OK;
}
