/* SPDX-License-Identifier: ISC
 * The dashboard on a screen: one loop of events, keys and frames. */
#include "app/top.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/top_act.h"
#include "base/clock.h"
#include "base/xmalloc.h"

#define FRAME_MS 100	/* between frames */
#define ECHO_MS 33	/* between frames after keys */
#define GONE_MS 50	/* between looks at a core that is ending */

struct top {
	struct top_link l;
	const struct cmd_opts *o;
	struct ui *ui;
	bool foreground;
	struct watch keys;
	struct timer draw, tick, gone;
	struct sigwatch sig[5];
	uint64_t drawn_at;
	uint64_t actions;		/* last action of the view that was told */
	bool told;			/* actions is valid */
	bool stopping;			/* the person wants the core to end */
	bool leaving;
	struct act *acts;		/* (owned) calls under way */
	pid_t spawned;			/* a supervisor started from here; 0: none */
	const char *farewell;
};

/* One call under way. */
struct act {
	struct top *t;
	struct act *next;
	enum ui_intent_kind kind;
	uint64_t since;
};

static bool
is_ending(const struct top *t)
{
	return t->l.ever_up && (t->stopping || (t->foreground && t->l.view.shutting_down));
}

static void
draw(void *arg)
{
	struct top *t = arg;
	struct top_link *l = &t->l;
	uint64_t now = clock_ms();
	struct ui_link_state s = {.text = l->why, .gone = l->gone, .tries = l->tries, .since = l->since,
	    .retry_at = l->retry_at, .where = t->o->url != NULL ? t->o->url : t->o->name};
	char where[128];
	int ms;

	if (t->leaving)
		return;
	if (t->o->url == NULL) {
		snprintf(where, sizeof(where), "mai/%s.sock", t->o->name);
		s.where = where;
	}
	/* A core that was told to end may hang up: that is no news. */
	s.link = l->up || is_ending(t) ? UI_LINK_UP : l->since == 0 ? UI_LINK_CONNECTING : UI_LINK_DOWN;
	ui_draw(t->ui, &l->view, l->log, &s, now);
	t->drawn_at = clock_ms();
	ms = ui_next_tick(t->ui, &l->view, t->drawn_at);
	if (ms >= 0)
		timer_set(&t->tick, (uint64_t)ms);
}

/* At once after quiet, else when the last frame is old enough. */
static void
want_frame(struct top *t, uint64_t gap)
{
	uint64_t now = clock_ms(), due = t->drawn_at + gap;

	if (timer_armed(&t->draw) && timer_left(&t->draw) <= (due > now ? due - now : 0))
		return;
	timer_set(&t->draw, due > now ? due - now : 0);
}

static void
on_tick(void *arg)
{
	want_frame(arg, FRAME_MS);
}

static void
leave(struct top *t, const char *how, const char *farewell)
{
	if (t->leaving)
		return;
	t->leaving = true;
	t->farewell = farewell;
	watch_set(&t->keys, 0);
	timer_stop(&t->draw);
	timer_stop(&t->tick);
	timer_stop(&t->gone);
	top_link_leave(&t->l, how);
}

static void
act_free(struct act *a)
{
	struct act **p = &a->t->acts;

	while (*p != a)
		p = &(*p)->next;
	*p = a->next;
	free(a);
}

static void
on_outcome(void *arg, enum client_result r, int status, const char *answer, size_t n)
{
	struct act *a = arg;
	struct top *t = a->t;
	struct strbuf text = STRBUF_INIT;
	uint64_t now = clock_ms();
	bool ok;

	if (t->ui != NULL && !t->leaving) {
		ok = top_act_outcome(a->kind, r, status, answer, n, now - a->since, &text);
		ui_pending(t->ui, a->kind, a->kind == UI_QUIT_STOP && ok);
		if (!(t->stopping && r != CLIENT_OK))
			ui_message(t->ui, ok ? UI_MSG_INFO : UI_MSG_ERROR, strbuf_str(&text), now);
		if (a->kind == UI_QUIT_STOP && !ok && r == CLIENT_OK)
			t->stopping = false;
		want_frame(t, ECHO_MS);
	}
	strbuf_fini(&text);
	act_free(a);
}

static void
call(struct top *t, const struct ui_intent *in)
{
	struct strbuf path = STRBUF_INIT, body = STRBUF_INIT;
	struct act *a;

	if (top_act_call(in, &path, &body)) {
		a = xcalloc(1, sizeof(*a));
		*a = (struct act){.t = t, .next = t->acts, .kind = in->kind, .since = clock_ms()};
		t->acts = a;
		ui_pending(t->ui, in->kind, true);
		top_link_post(&t->l, strbuf_str(&path), body.len > 0 ? strbuf_str(&body) : NULL, on_outcome, a);
	}
	strbuf_fini(&path);
	strbuf_fini(&body);
}

static void
start_core(struct top *t)
{
	struct err e = {{0}};
	char text[600];

	if (t->o->url != NULL) {
		ui_message(t->ui, UI_MSG_WARN, "a remote supervisor cannot be started from here", clock_ms());
	} else if (top_start_core(t->o, &t->spawned, &e) != 0) {
		snprintf(text, sizeof(text), "cannot start a supervisor: %s", e.msg);
		ui_message(t->ui, UI_MSG_ERROR, text, clock_ms());
	} else {
		client_watch_retry_now(t->l.watch);
	}
}

static void
obey(struct top *t, const struct ui_intent *in)
{
	switch (in->kind) {
	case UI_NONE:
	case UI_LOG_SOURCE:	/* all sources are fetched anyway */
		break;
	case UI_DETACH:
		leave(t, "detach", t->foreground && t->l.up && !t->stopping ?
		    "mai: detached; the supervisor goes on (mai attach, mai shutdown)" : NULL);
		break;
	case UI_RETRY_LINK:
		client_watch_retry_now(t->l.watch);
		break;
	case UI_START_CORE:
		start_core(t);
		break;
	case UI_KILL:
		if (!t->l.up)
			leave(t, "detach", "mai: left while the supervisor was ending");
		else
			call(t, in);
		break;
	default:
		t->stopping = t->stopping || in->kind == UI_QUIT_STOP;
		call(t, in);
		break;
	}
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
		obey(t, &in);
		if (ui_wants_suspend(t->ui)) {
			ui_suspend(t->ui);
			t->drawn_at = 0;
		}
	}
	if (lost)
		leave(t, "hangup", NULL);
	else if (any)
		want_frame(t, ECHO_MS);
}

static void
on_signal(void *arg, int sig)
{
	struct top *t = arg;

	if (sig == SIGWINCH) {
		ui_resize(t->ui);
		want_frame(t, ECHO_MS);
	} else {
		leave(t, sig == SIGHUP ? "hangup" : "stop", NULL);
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
	if (strcmp(event, "hello") == 0 && v->protocol != VIEW_PROTOCOL) {
		ui_set_read_only(t->ui);
		snprintf(text, sizeof(text), "mai %s is running, this is %s: read-only", v->version != NULL ? v->version : "?",
		    PACKAGE_VERSION);
		ui_message(t->ui, UI_MSG_ERROR, text, clock_ms());
	}
	tell_action(t);
	want_frame(t, FRAME_MS);
}

static void
on_lines(void *arg)
{
	want_frame(arg, FRAME_MS);
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

	if (t->spawned > 0 && waitpid(t->spawned, NULL, WNOHANG) != 0)
		t->spawned = 0;
	if (up)
		ui_pending(t->ui, UI_START_CORE, false);
	if (!up && is_ending(t)) {
		if (t->l.gone)
			timer_set(&t->gone, 0);
		else if (t->l.tries == 1)
			loop_defer(t->l.loop, retry, t->l.watch);
	}
	t->told = t->told && up;
	want_frame(t, FRAME_MS);
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
		leave(t, "detach", "mai: stopped");
}

static int
open_screen(struct top *t, const struct cmd_opts *o, struct err *e)
{
	const char *no_color = getenv("NO_COLOR");
	struct ui_opts uo = {.ascii = o->ascii, .read_only = o->read_only, .foreground = t->foreground, .bell = true,
	    .mono = o->no_color || (no_color != NULL && *no_color != '\0')};

	if (o->plain)
		return err_set(e, "plain");
	t->ui = ui_open(&uo, e);
	return t->ui != NULL ? 0 : -1;
}

static void
watch_signals(struct top *t)
{
	static const int sigs[] = {SIGWINCH, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
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
	struct top t = {.o = o, .foreground = foreground};
	struct err e = {{0}};

	if (open_screen(&t, o, &e) != 0)
		return top_plain(o, target, foreground);
	atexit(ui_emergency_restore);
	t.l.changed = on_changed;
	t.l.lines = on_lines;
	t.l.linked = on_link;
	t.l.arg = &t;
	top_link_open(&t.l, target, foreground);
	timer_init(&t.draw, t.l.loop, draw, &t);
	timer_init(&t.tick, t.l.loop, on_tick, &t);
	timer_init(&t.gone, t.l.loop, on_gone, &t);
	watch_init(&t.keys, t.l.loop, STDIN_FILENO, on_keys, &t);
	watch_set(&t.keys, LOOP_READ);
	watch_signals(&t);
	timer_set(&t.draw, 0);
	loop_run(t.l.loop);

	t.leaving = true;
	ui_close(&t.ui);
	watch_set(&t.keys, 0);
	timer_stop(&t.draw);
	timer_stop(&t.tick);
	timer_stop(&t.gone);
	loop_undefer(t.l.loop, t.l.watch);
	for (size_t i = 0; i < ARRAY_LEN(t.sig); i++)
		sigwatch_stop(&t.sig[i]);
	top_link_close(&t.l);
	while (t.acts != NULL)
		act_free(t.acts);
	if (t.farewell != NULL)
		fprintf(stderr, "%s\n", t.farewell);
	return CMD_OK;
}
