/* SPDX-License-Identifier: ISC
 * What the person wants, as calls of the API and other deeds, and what comes of them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/cmd_priv.h"
#include "app/top_act.h"
#include "app/top_int.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/xmalloc.h"

/* One call under way. */
struct act {
	struct top *t;
	struct act *next;
	enum ui_intent_kind kind;
	uint64_t since, id;
	char *model;		/* (owned) or NULL */
	char **loaded;		/* (owned) what was loaded then; NULL: nothing */
};

static void
act_free(struct act *a)
{
	struct act **p = &a->t->acts;

	while (*p != a)
		p = &(*p)->next;
	*p = a->next;
	free(a->model);
	strv_free(&a->loaded);
	free(a);
}

void
top_acts_free(struct top *t)
{
	while (t->acts != NULL)
		act_free(t->acts);
}

static struct act *
act_new(struct top *t, const struct ui_intent *in)
{
	struct act *a = xcalloc(1, sizeof(*a));

	*a = (struct act){.t = t, .next = t->acts, .kind = in->kind, .since = clock_ms(), .id = in->id,
	    .model = xstrdup0(in->model)};
	t->acts = a;
	return a;
}

/* Asked for again, to hurry: it took from the first time on. */
static void
inherit_since(struct act *a)
{
	for (struct act *o = a->next; o != NULL; o = o->next)
		if (o->kind == a->kind && o->model != NULL && a->model != NULL && strcmp(o->model, a->model) == 0 && o->since < a->since)
			a->since = o->since;
}

static bool
is_loaded(const struct view_engine *e)
{
	return e->state == ENGINE_STARTING || e->state == ENGINE_READY || e->state == ENGINE_BACKOFF;
}

static void
note_loaded(struct act *a)
{
	const struct view *v = &a->t->l.view;

	for (size_t i = 0; i < v->nengines; i++)
		if (is_loaded(&v->engines[i]))
			strv_add(&a->loaded, v->engines[i].id);
}

/* Whether one that was loaded had to go. */
static bool
gave_way(const struct act *a)
{
	for (char **id = a->loaded; id != NULL && *id != NULL; id++) {
		const struct view_engine *e = view_engine_find(&a->t->l.view, *id);

		if (e == NULL || !is_loaded(e))
			return true;
	}
	return false;
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
		ok = top_act_outcome(a->kind, gave_way(a), r, status, answer, n, now - a->since, &text);
		ui_pending(t->ui, a->kind, a->model, a->id, a->kind == UI_QUIT_STOP && ok);
		if (!(t->stopping && r != CLIENT_OK))
			ui_message(t->ui, ok ? UI_MSG_INFO : UI_MSG_ERROR, strbuf_str(&text), now);
		if (a->kind == UI_QUIT_STOP && !ok && r == CLIENT_OK)
			t->stopping = false;
		top_want_frame(t, TOP_ECHO_MS);
	}
	strbuf_fini(&text);
	act_free(a);
}

static void
call(struct top *t, const struct ui_intent *in)
{
	struct strbuf path = STRBUF_INIT, body = STRBUF_INIT;
	struct act *a;

	if (t->l.client != NULL && top_act_call(in, &path, &body)) {
		ui_pending(t->ui, in->kind, in->model, in->id, true);
		a = act_new(t, in);
		note_loaded(a);
		inherit_since(a);
		top_link_post(&t->l, strbuf_str(&path), body.len > 0 ? strbuf_str(&body) : NULL, on_outcome, a);
	}
	strbuf_fini(&path);
	strbuf_fini(&body);
}

/* questions -------------------------------------------------------------------------------------------------------- */

static void
on_answer(void *arg, enum client_result r, int status, const char *answer, size_t n)
{
	struct act *a = arg;
	struct top *t = a->t;
	struct strbuf text = STRBUF_INIT;
	bool ok = r == CLIENT_OK && status == 200;

	if (t->ui == NULL || t->leaving) {
		act_free(a);
		return;
	}
	if (a->kind == UI_DETAILS && ok) {
		top_details_text(&text, answer, n);
		ui_show_details(t->ui, a->id, strbuf_str(&text));
	} else if (a->kind == UI_INFO) {
		if (ok)
			top_info_text(&text, answer, n);
		else if (r == CLIENT_OK)
			cmd_error_text(&text, status, answer, n);
		else
			text_clean(&text, answer, n, 400);
		ui_show_info(t->ui, a->model, strbuf_str(&text));
	}
	top_want_frame(t, TOP_ECHO_MS);
	strbuf_fini(&text);
	act_free(a);
}

static void
ask(struct top *t, const struct ui_intent *in)
{
	struct strbuf path = STRBUF_INIT;

	if (in->kind == UI_INFO) {
		strbuf_puts(&path, "/api/info?model=");
		cmd_encode(&path, in->model, true);
	} else {
		strbuf_printf(&path, "/api/requests/%llu", (unsigned long long)in->id);
	}
	top_link_get(&t->l, strbuf_str(&path), on_answer, act_new(t, in));
	strbuf_fini(&path);
}

/* files ------------------------------------------------------------------------------------------------------------ */

static int
write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -1;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

static void
close_quietly(int fd)
{
	int why = errno;

	close(fd);
	errno = why;
}

static void
save_now(struct top *t)
{
	struct strbuf log = STRBUF_INIT;
	uint64_t now = clock_ms();
	char text[400], path[256];
	size_t lines;
	int fd, rc;

	snprintf(path, sizeof(path), "%s", t->save);
	/* Nothing that could wait for somebody, as a pipe does. */
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | (t->save_force ? O_TRUNC : O_EXCL), 0600);
	if (fd < 0 && errno == EEXIST && !t->save_force) {
		ui_ask_replace(t->ui, path, now);
		return;
	}
	lines = ui_log_text(t->ui, t->l.log, &log);
	rc = fd < 0 ? -1 : write_all(fd, strbuf_str(&log), log.len);
	if (fd >= 0 && rc == 0)
		rc = close(fd);
	else if (fd >= 0)
		close_quietly(fd);
	if (rc != 0) {
		snprintf(text, sizeof(text), "cannot save to %s: %s", path, strerror(errno));
		ui_message(t->ui, UI_MSG_ERROR, text, now);
	} else {
		snprintf(text, sizeof(text), "saved %zu lines to %s", lines, path);
		ui_message(t->ui, UI_MSG_INFO, text, now);
	}
	strbuf_fini(&log);
}

void
top_save(struct top *t)
{
	if (t->save == NULL || (t->l.up && t->l.older && t->l.client != NULL) || ui_work(t->ui, t->l.log))
		return;
	save_now(t);
	free(t->save);
	t->save = NULL;
	top_want_frame(t, TOP_ECHO_MS);
}

static void
save(struct top *t, const struct ui_intent *in)
{
	free(t->save);
	t->save = xstrdup(in->path);
	t->save_force = in->force;
	top_save(t);
	if (t->save != NULL)
		ui_message(t->ui, UI_MSG_INFO, "save: fetching older lines", clock_ms());
}

/* intents ---------------------------------------------------------------------------------------------------------- */

bool
top_spawned(struct top *t)
{
	struct strbuf text = STRBUF_INIT;
	int status = 0, skip;
	char said[400];
	ssize_t n;

	if (t->spawned <= 0 || waitpid(t->spawned, &status, WNOHANG) == 0)
		return t->spawned > 0;
	t->spawned = 0;
	n = read(t->complaints, said, sizeof(said) - 1);
	close(t->complaints);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		/* It is there: nobody has to wait for the next try. */
		top_link_retry(&t->l);
		return false;
	}
	said[n > 0 ? n : 0] = '\0';
	skip = strncmp(said, "mai: ", 5) == 0 ? 5 : 0;
	strbuf_puts(&text, "the supervisor did not start: ");
	text_clean(&text, said + skip, strcspn(said + skip, "\n"), sizeof(said) * 2);
	ui_message(t->ui, UI_MSG_ERROR, strbuf_str(&text), clock_ms());
	strbuf_fini(&text);
	return false;
}

static void
start_core(struct top *t)
{
	struct err e = {{0}};
	char text[600];

	if (t->o->url != NULL) {
		ui_message(t->ui, UI_MSG_WARN, "a remote supervisor cannot be started from here", clock_ms());
	} else if (top_spawned(t)) {
		ui_message(t->ui, UI_MSG_INFO, "start the supervisor: already under way", clock_ms());
	} else if (top_start_core(t->o, t->l.view.config, &t->spawned, &t->complaints, &e) != 0) {
		snprintf(text, sizeof(text), "cannot start a supervisor: %s", e.msg);
		ui_message(t->ui, UI_MSG_ERROR, text, clock_ms());
	} else {
		top_link_retry(&t->l);
	}
}

/* In a recording there is nothing to act on. */
static bool
is_idle_there(const struct top *t, enum ui_intent_kind kind)
{
	return t->l.replay != NULL && kind != UI_NONE && kind != UI_DETACH && kind != UI_INFO &&
	    kind != UI_DETAILS && kind != UI_SAVE;
}

void
top_obey(struct top *t, const struct ui_intent *in)
{
	if (is_idle_there(t, in->kind)) {
		ui_message(t->ui, UI_MSG_WARN, "this is a recording: there is nothing to act on", clock_ms());
		ui_pending(t->ui, UI_QUIT_STOP, NULL, 0, false);
		return;
	}
	switch (in->kind) {
	case UI_NONE:
		break;
	case UI_DETACH:
		top_leave(t, "detach", t->l.foreground && t->l.up && !t->stopping ?
		    "mai: detached; the supervisor goes on (mai attach, mai shutdown)" : NULL);
		break;
	case UI_RETRY_LINK:
		top_link_retry(&t->l);
		break;
	case UI_START_CORE:
		start_core(t);
		break;
	case UI_INFO:
	case UI_DETAILS:
		ask(t, in);
		break;
	case UI_SAVE:
		save(t, in);
		break;
	case UI_KILL:
		if (!t->l.up)
			top_leave(t, "detach", "mai: left while the supervisor was ending");
		else
			call(t, in);
		break;
	default:
		t->stopping = t->stopping || in->kind == UI_QUIT_STOP;
		call(t, in);
		break;
	}
}
