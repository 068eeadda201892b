/* SPDX-License-Identifier: ISC
 * The dashboard on a terminal: state, a frame, the terminal. */
#include "ui/ui.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "ui/ui_log_line.h"
#include "ui/ui_term.h"

struct ui {
	struct ui_state s;
	struct grid frame;
	bool force, bell, mono, read_only;
	char theme[16];	/* in use */
};

struct ui *
ui_open(const struct ui_opts *o, struct err *e)
{
	struct ui_opts opts = *o;
	const char *note = NULL;
	struct ui *u;

	if (term_open(o->theme, o->mono, &note, e) != 0)
		return NULL;
	opts.ascii = o->ascii || !term_utf8();
	u = xcalloc(1, sizeof(*u));
	ui_state_init(&u->s, &opts);
	u->bell = o->bell;
	u->mono = o->mono;
	u->read_only = o->read_only;
	snprintf(u->theme, sizeof(u->theme), "%s", o->theme != NULL ? o->theme : "default");
	if (note != NULL)
		ui_say(&u->s, UI_MSG_WARN, clock_ms(), "%s", note);
	ui_resize(u);
	return u;
}

void
ui_close(struct ui **up)
{
	if (*up == NULL)
		return;
	term_close();
	ui_state_fini(&(*up)->s);
	grid_fini(&(*up)->frame);
	free(*up);
	*up = NULL;
}

void
ui_emergency_restore(void)
{
	term_emergency();
}

/* The core's configuration names the theme. */
static void
follow_theme(struct ui *u, const struct view *v)
{
	if (v->theme == NULL || strcmp(v->theme, u->theme) == 0)
		return;
	snprintf(u->theme, sizeof(u->theme), "%s", v->theme);
	term_theme(u->theme, u->mono);
	u->force = true;
}

/* So does it say whether the mouse is on, until the person does. */
static void
follow_mouse(struct ui *u, const struct view *v)
{
	if (!u->s.mouse_set && v->version != NULL)
		u->s.mouse = v->mouse;
	term_mouse(u->s.mouse);
}

void
ui_draw(struct ui *u, const struct view *v, struct view_log *log, const struct ui_link_state *link, uint64_t now)
{
	follow_theme(u, v);
	follow_mouse(u, v);
	ui_compose(&u->s, &u->frame, v, log, link, now);
	if (u->s.bell && u->bell && v->bell)
		term_bell();
	u->s.bell = false;
	term_show(&u->frame, u->force || u->s.redraw);
	u->force = u->s.redraw = false;
}

/* The terminal keeps what is copied; where it cannot, a file can. */
static void
send_copy(struct ui *u, uint64_t now)
{
	size_t n = u->s.copy.len;

	if (n == 0)
		return;
	if (term_copy(u->s.copy.p, n))
		ui_say(&u->s, UI_MSG_INFO, now, "sent %zu bytes to the terminal's clipboard", n);
	else
		ui_say(&u->s, UI_MSG_WARN, now, "this terminal has no clipboard for programs; S saves to a file");
	strbuf_clear(&u->s.copy);
}

bool
ui_key(struct ui *u, const struct view *v, struct view_log *log, uint64_t now, struct ui_intent *out, bool *lost)
{
	int key = term_key(lost, &u->s.clicked);

	*out = (struct ui_intent){.kind = UI_NONE};
	if (key == 0 || *lost)
		return false;
	if (key == UI_K_RESIZE)
		ui_resize(u);
	else if (key != UI_K_NOTHING)
		ui_handle(&u->s, key, v, log, now, out);
	send_copy(u, now);
	return true;
}

bool
ui_work(struct ui *u, const struct view_log *log)
{
	return ui_log_scan(&u->s.log, log, clock_us() + UI_SLICE_US);
}

bool
ui_wants_older(const struct ui *u)
{
	return u->s.log.wants_older;
}

void
ui_resize(struct ui *u)
{
	term_resize(&u->s.rows, &u->s.cols);
	u->force = true;
}

bool
ui_wants_suspend(struct ui *u)
{
	return u->s.suspend;
}

void
ui_suspend(struct ui *u)
{
	u->s.suspend = false;
	term_suspend();
	ui_resize(u);
}

void
ui_message(struct ui *u, enum ui_message level, const char *text, uint64_t now)
{
	ui_say(&u->s, level, now, "%s", text);
}

void
ui_pending(struct ui *u, enum ui_intent_kind kind, const char *model, uint64_t id, bool on)
{
	ui_pend(&u->s, kind, model, id, on, clock_ms());
	if (!on && kind == UI_QUIT_STOP)
		u->s.quitting = false;
}

void
ui_set_read_only(struct ui *u, bool on)
{
	u->s.read_only = on || u->read_only;
}

void
ui_set_foreground(struct ui *u, bool on)
{
	u->s.foreground = on;
}

void
ui_show_info(struct ui *u, const char *title, const char *lines)
{
	struct ui_popup *p = &u->s.popup;

	if (p->kind != POPUP_INFO || strcmp(p->model, title) != 0)
		return;
	free(p->text);
	p->text = xstrdup(lines);
}

void
ui_show_details(struct ui *u, uint64_t id, const char *lines)
{
	struct ui_popup *p = &u->s.popup;

	if (p->kind != POPUP_DETAILS || p->id != id)
		return;
	free(p->text);
	p->text = xstrdup(lines);
}

void
ui_ask_replace(struct ui *u, const char *path, uint64_t now)
{
	ui_popup_open(&u->s, POPUP_REPLACE, path, 0, now);
}

size_t
ui_log_text(const struct ui *u, const struct view_log *log, struct strbuf *out)
{
	size_t n = 0;

	for (size_t i = 0; i < view_log_count(log); i++) {
		const struct view_line *l = view_log_at(log, i);

		if (!ui_log_shows(&u->s.log, log, l))
			continue;
		ui_line_text(log, l, out);
		n++;
	}
	return n;
}

int
ui_next_tick(struct ui *u, const struct view *v, uint64_t now)
{
	return ui_tick(&u->s, v, now);
}
