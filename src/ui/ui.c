/* SPDX-License-Identifier: ISC
 * The dashboard on a terminal: state, a frame, the terminal. */
#include "ui/ui.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "ui/ui_state.h"
#include "ui/ui_term.h"

struct ui {
	struct ui_state s;
	struct grid frame;
	bool force, bell, mono;
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

void
ui_draw(struct ui *u, const struct view *v, const struct view_log *log, const struct ui_link_state *link, uint64_t now)
{
	follow_theme(u, v);
	ui_compose(&u->s, &u->frame, v, log, link, now);
	if (u->s.bell && u->bell && v->bell)
		term_bell();
	u->s.bell = false;
	term_show(&u->frame, u->force || u->s.redraw);
	u->force = u->s.redraw = false;
}

bool
ui_key(struct ui *u, const struct view *v, const struct view_log *log, uint64_t now, struct ui_intent *out, bool *lost)
{
	int key = term_key(lost);

	*out = (struct ui_intent){.kind = UI_NONE};
	if (key == 0 || *lost)
		return false;
	if (key == UI_K_RESIZE)
		ui_resize(u);
	else
		ui_handle(&u->s, key, v, log, now, out);
	return true;
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
ui_pending(struct ui *u, enum ui_intent_kind kind, bool on)
{
	u->s.pending[kind].on = on;
	u->s.pending[kind].since = clock_ms();
	u->s.pending[kind].seq = u->s.view_seq;
	if (!on && kind == UI_QUIT_STOP)
		u->s.quitting = false;
}

void
ui_set_read_only(struct ui *u)
{
	u->s.read_only = true;
}

int
ui_next_tick(struct ui *u, const struct view *v, uint64_t now)
{
	return ui_tick(&u->s, v, now);
}
