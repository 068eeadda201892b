/* SPDX-License-Identifier: ISC
 * Waiting for an outcome: the call is under way, the event stream tells what happens meanwhile. */
#include <sys/ioctl.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <termios.h>
#include <unistd.h>

#include "app/cmd_priv.h"
#include "base/clock.h"
#include "base/text.h"
#include "view/view.h"

#define BAR_CELLS 24
#define TICK_MS 100

/* A bar of progress, or with an unknown end a block that moves. */
static void
put_bar(struct strbuf *out, const struct view_engine *e, uint64_t elapsed, bool utf8)
{
	const char *full = utf8 ? "\xe2\x96\x88" : "#", *empty = utf8 ? "\xe2\x96\x91" : ".";
	uint64_t at = elapsed / 200 % BAR_CELLS;
	int filled = -1;

	if (e->progress >= 0)
		filled = e->progress * BAR_CELLS / 1000;
	else if (e->usual_ms != 0)
		filled = (int)(elapsed * BAR_CELLS / e->usual_ms);
	if (filled >= BAR_CELLS)
		filled = BAR_CELLS - 1;
	for (int i = 0; i < BAR_CELLS; i++)
		strbuf_puts(out, (filled >= 0 ? i < filled : i == (int)at) ? full : empty);
}

static void
put_starting(struct strbuf *out, const struct view_engine *e, uint64_t now, bool bar, bool utf8)
{
	uint64_t elapsed = now > e->since ? now - e->since : 0;
	char t[32];

	strbuf_printf(out, "%s starting", e->name);
	if (bar) {
		text_duration(t, sizeof(t), elapsed, true);
		strbuf_puts(out, "  ");
		put_bar(out, e, elapsed, utf8);
		strbuf_printf(out, "  %s", t);
	}
	if (e->usual_ms >= 500) {
		text_duration(t, sizeof(t), e->usual_ms, true);
		strbuf_printf(out, ", usually %s", t);
	}
	if (e->attempt > 0)
		strbuf_printf(out, ", attempt %d/%d", e->attempt, e->max_attempts);
}

static void
put_backoff(struct strbuf *out, const struct view_engine *e, uint64_t now, bool bar)
{
	uint64_t left = e->retry_at > now ? e->retry_at - now : 0;
	char t[32];

	text_duration(t, sizeof(t), bar || e->retry_total == 0 ? left : e->retry_total, true);
	strbuf_printf(out, "%s crashed", e->name);
	if (e->last_exit != NULL)
		strbuf_printf(out, " (%s)", e->last_exit);
	strbuf_printf(out, ", retry %d/%d in %s", e->attempt, e->max_attempts, t);
	if (e->cause != NULL)
		strbuf_printf(out, ": %s", e->cause);
}

static void
put_draining(struct strbuf *out, const struct view_engine *e, uint64_t now, bool bar)
{
	char t[32];

	strbuf_printf(out, "%s draining, %d in flight", e->name, e->in_flight);
	if (bar && e->kill_at > now) {
		text_duration(t, sizeof(t), e->kill_at - now, true);
		strbuf_printf(out, ", %s left", t);
	}
}

void
cmd_progress_text(struct strbuf *out, const struct view *v, const char *model, uint64_t now, bool bar, bool utf8)
{
	const struct view_engine *e = NULL;

	/* In a swap the old model has the word until it is gone. */
	if (v->swap_to != NULL && v->swap_step < 3 && v->swap_from != NULL)
		e = view_engine_find(v, v->swap_from);
	if (e == NULL && model != NULL)
		e = view_engine_find(v, model);
	if (e == NULL && v->swap_to != NULL)
		e = view_engine_find(v, v->swap_to);
	if (e == NULL)
		e = view_current(v);
	if (e == NULL)
		return;
	switch (e->state) {
	case ENGINE_STARTING: put_starting(out, e, now, bar, utf8); break;
	case ENGINE_BACKOFF: put_backoff(out, e, now, bar); break;
	case ENGINE_DRAINING: put_draining(out, e, now, bar); break;
	case ENGINE_STOPPING: strbuf_printf(out, "%s stopping", e->name); break;
	case ENGINE_STOPPED: case ENGINE_READY: case ENGINE_FAILED: case ENGINE_NSTATES: break;
	}
}

struct waiting {
	const struct cmd_opts *o;
	const char *model;
	struct loop *loop;
	struct client *client;
	struct client_watch *watch;
	struct view view;
	struct timer tick, leave;
	struct strbuf shown;
	bool tty, utf8, over, left;
	enum client_result result;
	int status;
	struct strbuf answer;
};

static bool
is_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *v = getenv(names[i]);

		if (v != NULL && *v != '\0')
			return strcasestr(v, "utf-8") != NULL || strcasestr(v, "utf8") != NULL;
	}
	return false;
}

static int
columns(void)
{
	struct winsize ws;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 1 ? ws.ws_col - 1 : 79;
}

static void
clear_bar(struct waiting *w)
{
	if (w->tty && w->shown.len > 0)
		fputs("\r\033[K", stderr);
	strbuf_clear(&w->shown);
}

static void
show(struct waiting *w)
{
	struct strbuf line = STRBUF_INIT, clean = STRBUF_INIT;
	char cut[1024];

	if (w->o->json || w->o->no_wait)
		return;
	cmd_progress_text(&line, &w->view, w->model, view_now(&w->view, clock_ms()), w->tty, w->utf8);
	text_clean(&clean, strbuf_str(&line), line.len, 900);
	if (strcmp(strbuf_str(&clean), strbuf_str(&w->shown)) != 0) {
		if (w->tty) {
			text_clip_end(cut, sizeof(cut), strbuf_str(&clean), columns(), "~");
			fprintf(stderr, "\r\033[K%s", cut);
			fflush(stderr);
		} else if (clean.len > 0) {
			fprintf(stderr, "%s\n", strbuf_str(&clean));
		}
		strbuf_clear(&w->shown);
		strbuf_puts(&w->shown, strbuf_str(&clean));
	}
	strbuf_fini(&line);
	strbuf_fini(&clean);
}

static void
on_tick(void *arg)
{
	struct waiting *w = arg;

	show(w);
	timer_set(&w->tick, TICK_MS);
}

static void
on_event(void *arg, const char *event, const char *id, const char *data, size_t n)
{
	struct waiting *w = arg;

	(void)id;
	if (view_apply(&w->view, event, data, n, clock_ms(), NULL) == 0 && strcmp(event, "hello") != 0)
		show(w);
}

static void
on_up(void *arg)
{
	(void)arg;
}

/* Without the stream (a key that may not read it) the outcome alone is waited for. */
static void
on_down(void *arg, enum client_result why, const char *text, int n, uint64_t retry_ms)
{
	struct waiting *w = arg;

	(void)why;
	(void)text;
	(void)n;
	(void)retry_ms;
	client_watch_free(&w->watch);
}

static void
on_done(void *arg, enum client_result r, int status, const char *answer, size_t n)
{
	struct waiting *w = arg;

	w->result = r;
	w->status = status;
	strbuf_add(&w->answer, answer, n);
	w->over = true;
	loop_stop(w->loop);
}

static void
on_leave(void *arg)
{
	struct waiting *w = arg;

	w->left = true;
	loop_stop(w->loop);
}

static void
run(struct waiting *w, const struct client_target *t, const char *path, const char *body)
{
	static const struct client_watch_ops ops = {on_event, on_up, on_down};

	w->client = client_new(w->loop, t);
	timer_init(&w->tick, w->loop, on_tick, w);
	timer_init(&w->leave, w->loop, on_leave, w);
	client_async(w->client, "POST", path, body, 0, on_done, w);
	if (w->o->no_wait) {
		timer_set(&w->leave, w->o->url != NULL ? 3000 : 500);
	} else if (!w->o->json) {
		w->watch = client_watch_new(w->client, NULL, &ops, w);
		if (w->tty)
			timer_set(&w->tick, TICK_MS);
	}
	loop_run(w->loop);
	client_watch_free(&w->watch);
	timer_stop(&w->tick);
	timer_stop(&w->leave);
	client_free(&w->client);
}

static int
conclude(struct waiting *w, const char *done)
{
	int r;

	if (w->left) {
		puts(w->o->json ? "{\"status\":\"asked\"}" : "asked for; 'mai status' shows how it goes");
		return CMD_OK;
	}
	if (w->result != CLIENT_OK)
		return cmd_no_answer(w->o, w->result, strbuf_str(&w->answer));
	r = cmd_judge(w->o, w->status, strbuf_str(&w->answer), w->answer.len);
	if (r == CMD_OK && w->o->json)	/* llama-swap's paths answer in plain words */
		puts(*strbuf_str(&w->answer) == '{' ? strbuf_str(&w->answer) : "{\"status\":\"done\"}");
	else if (r == CMD_OK && done != NULL)
		puts(done);
	return r;
}

int
cmd_wait(const struct cmd_opts *o, const char *path, const char *body, const char *model, const char *done)
{
	struct waiting w = {.o = o, .model = model, .tty = isatty(STDERR_FILENO) != 0, .utf8 = is_utf8()};
	struct client_target t;
	struct err e = {{0}};
	int r;

	if (cmd_target(o, &t, &e) != 0) {
		fprintf(stderr, "mai: %s\n", e.msg);
		return CMD_FAILED;
	}
	w.loop = loop_new();
	if (w.loop == NULL) {
		client_target_fini(&t);
		fputs("mai: no event loop: too many open files?\n", stderr);
		return CMD_FAILED;
	}
	view_init(&w.view);
	run(&w, &t, path, body);
	clear_bar(&w);
	r = conclude(&w, done);
	view_fini(&w.view);
	strbuf_fini(&w.shown);
	strbuf_fini(&w.answer);
	loop_free(&w.loop);
	client_target_fini(&t);
	return r;
}
