/* SPDX-License-Identifier: ISC
 * The dashboard as lines: what changes, and the logs. For pipes, dumb terminals and screen readers. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/top_priv.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/xmalloc.h"

/* The state of an engine as it was last told. */
struct told {
	char *id;	/* (owned) */
	enum engine_state state;
};

struct plain {
	struct top_link l;
	bool stopping, leaving, hushed;
	struct told *told;	/* (owned) */
	size_t ntold;
	uint64_t line_next;	/* log lines from here on are new */
	uint64_t actions;
	struct sigwatch sig[4];
};

static void
leave(struct plain *p, const char *how)
{
	if (p->leaving)
		return;
	p->leaving = true;
	top_link_leave(&p->l, how);
}

static void
say(struct plain *p, uint64_t wall_ms, const char *gutter, const char *text)
{
	struct strbuf clean = STRBUF_INIT;
	time_t sec = (time_t)(wall_ms / 1000);
	char clock[16] = "--:--:--";
	struct tm tm;

	if (p->leaving && p->hushed)
		return;
	if (localtime_r(&sec, &tm) != NULL)
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	text_clean(&clean, text, strlen(text), 65536);
	if (printf("%s %s %s\n", clock, gutter, strbuf_str(&clean)) < 0 || fflush(stdout) != 0) {
		p->hushed = true;
		leave(p, "hangup");
	}
	strbuf_fini(&clean);
}

static void
say_state(struct plain *p, const struct view_engine *e)
{
	struct strbuf b = STRBUF_INIT;

	strbuf_printf(&b, "%s %s", e->name, engine_state_name(e->state));
	if (e->state == ENGINE_BACKOFF || e->state == ENGINE_FAILED) {
		strbuf_printf(&b, " (%d/%d)", e->attempt, e->max_attempts);
		if (e->last_exit != NULL)
			strbuf_printf(&b, ": %s", e->last_exit);
		if (e->cause != NULL)
			strbuf_printf(&b, ": %s", e->cause);
	}
	say(p, clock_wall_ms(), "= ", strbuf_str(&b));
	strbuf_fini(&b);
}

static struct told *
told_of(struct plain *p, const char *id)
{
	for (size_t i = 0; i < p->ntold; i++)
		if (strcmp(p->told[i].id, id) == 0)
			return &p->told[i];
	p->told = xreallocarray(p->told, p->ntold + 1, sizeof(*p->told));
	p->told[p->ntold] = (struct told){.id = xstrdup(id), .state = ENGINE_STOPPED};
	return &p->told[p->ntold++];
}

/* What is said in a replay was said then. */
static void
set_clock(struct plain *p)
{
	if (p->l.replay != NULL)
		top_replay_clock(p->l.replay, clock_ms());
}

static void
on_changed(void *arg, const char *event)
{
	struct plain *p = arg;
	struct view *v = &p->l.view;
	char text[512];

	set_clock(p);
	for (size_t i = 0; i < v->nengines; i++) {
		struct told *t = told_of(p, v->engines[i].id);

		if (t->state != v->engines[i].state) {
			t->state = v->engines[i].state;
			say_state(p, &v->engines[i]);
		}
	}
	if (strcmp(event, "action") == 0 && v->action_n != p->actions && v->action != NULL) {
		snprintf(text, sizeof(text), "%s%s%s", v->action_who != NULL ? v->action_who : "",
		    v->action_who != NULL ? ": " : "", v->action);
		say(p, clock_wall_ms(), "> ", text);
	}
	p->actions = v->action_n;
}

static void
on_lines(void *arg)
{
	struct plain *p = arg;
	size_t n = view_log_count(p->l.log);

	for (size_t i = view_log_find(p->l.log, p->line_next); i < n && !p->leaving; i++) {
		const struct view_line *l = view_log_at(p->l.log, i);
		char gutter[3] = {"cma"[l->source % 3], l->level, '\0'};

		if (l->dead || l->key < p->line_next)
			continue;
		if (l->note)
			gutter[0] = gutter[1] = '-';
		p->line_next = l->key + 1;
		say(p, l->wall_ms, gutter, l->text);
	}
}

static void
on_link(void *arg, bool up)
{
	struct plain *p = arg;
	bool ending = p->stopping || (p->l.foreground && p->l.view.shutting_down);
	char text[600];

	set_clock(p);
	if (!up && p->l.gone && ending) {
		leave(p, "detach");
		return;
	}
	if (up) {
		p->line_next = 0;
		say(p, clock_wall_ms(), "= ", "connected");
	} else if (p->l.tries == 1) {
		snprintf(text, sizeof(text), "not connected: %s", p->l.why);
		say(p, clock_wall_ms(), "=W", text);
	}
}

/* On a screen the end is looked at; here all has been said. */
static void
on_ended(void *arg)
{
	leave(arg, "detach");
}

/* In the foreground an interrupt ends the core and is waited for; a second one hurries it. */
static void
on_signal(void *arg, int sig)
{
	struct plain *p = arg;

	if (sig == SIGHUP) {
		leave(p, "hangup");
	} else if (!p->l.foreground || !p->l.up) {
		leave(p, p->l.foreground ? "stop" : "detach");
	} else {
		top_link_post(&p->l, "/api/shutdown", p->stopping ? "{\"force\":true}" : "{}", NULL, NULL);
		p->stopping = true;
	}
}

int
top_plain(const struct cmd_opts *o, const struct client_target *target, bool foreground)
{
	static const int sigs[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct plain p = {0};
	struct sigaction ignore;
	struct err e = {{0}};

	memset(&ignore, 0, sizeof(ignore));
	ignore.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &ignore, NULL);
	p.l.changed = on_changed;
	p.l.lines = on_lines;
	p.l.linked = on_link;
	p.l.ended = on_ended;
	p.l.arg = &p;
	if (top_link_open(&p.l, o, target, foreground, &e) != 0) {
		fprintf(stderr, "mai: %s\n", e.msg);
		top_link_close(&p.l);
		return CMD_FAILED;
	}
	for (size_t i = 0; i < ARRAY_LEN(sigs); i++)
		sigwatch_start(&p.sig[i], p.l.loop, sigs[i], on_signal, &p);
	loop_run(p.l.loop);
	p.leaving = p.hushed = true;
	for (size_t i = 0; i < ARRAY_LEN(sigs); i++)
		sigwatch_stop(&p.sig[i]);
	top_link_close(&p.l);
	for (size_t i = 0; i < p.ntold; i++)
		free(p.told[i].id);
	free(p.told);
	return CMD_OK;
}
