/* SPDX-License-Identifier: ISC
 * The header in two rows, and what is left of it on less. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ui/ui_head.h"

static void
note_text(const struct ui_state *s, char *out, size_t size, const struct view *v, const struct view_engine *e,
    const struct ui_link_state *link, uint64_t now)
{
	uint64_t core = view_now(v, now);
	char d[32];

	out[0] = '\0';
	if (s->screen == SCREEN_LINK_DOWN)
		ui_short_time(out, size, head_since(now, link->since));
	else if (s->screen == SCREEN_SWAPPING)
		snprintf(out, size, "%d/3", v->swap_step);
	if (e == NULL || out[0] != '\0')
		return;
	switch (s->screen) {
	case SCREEN_RUNNING:
		ui_short_time(out, size, head_since(core, e->spawned_at != 0 ? e->spawned_at : e->since));
		break;
	case SCREEN_STARTING:
	case SCREEN_STOPPING:
		ui_short_time(out, size, head_since(core, e->since));
		break;
	case SCREEN_BACKOFF:
		text_duration(d, sizeof(d), e->retry_at > core ? e->retry_at - core : 0, true);
		snprintf(out, size, "%s %d/%d", d, e->attempt, e->max_attempts);
		break;
	case SCREEN_FAILED:
		snprintf(out, size, "%d/%d", e->attempt, e->max_attempts);
		break;
	default:
		break;
	}
}

/* Of several models the numbers are those of the one that is named. */
static void
running_text(const struct ui_state *s, char *out, size_t size, const struct view *v, const struct view_engine *e)
{
	bool own = ui_loaded(s, v) > 0;
	uint64_t rss = v->rss != 0 && e == view_current(v) ? v->rss : e->rss;
	uint64_t in_flight = own ? (uint64_t)e->in_flight : v->in_flight;
	uint64_t waiting = own ? (uint64_t)e->queued : v->queued;
	double tps = own ? e->tps : v->tps;
	char mem[32] = "", queued[32] = "";

	if (rss != 0)
		text_size(mem, sizeof(mem), rss);
	if (waiting > 0)
		snprintf(queued, sizeof(queued), " +%llu q", (unsigned long long)waiting);
	if (in_flight == 0 && waiting == 0)
		snprintf(out, size, "idle  %s", mem);
	else if (tps >= 0)
		snprintf(out, size, "%s%.1f tok/s  %llu req%s  %s", head_estimated(v, own ? e : NULL) ? "~" : "", tps,
		    (unsigned long long)in_flight, queued, mem);
	else
		snprintf(out, size, "%llu req%s  %s", (unsigned long long)in_flight, queued, mem);
}

static void
second_text(const struct ui_state *s, char *out, size_t size, const struct view *v, const struct view_engine *e,
    const struct ui_link_state *link, uint64_t now)
{
	uint64_t left = link->retry_at > now ? link->retry_at - now : 0;
	const struct view_engine *from;
	const char *what, *after;
	char d[32];
	size_t end;

	out[0] = '\0';
	switch (s->screen) {
	case SCREEN_LINK_DOWN:
		text_duration(d, sizeof(d), left, true);
		snprintf(out, size, "%s%s; retry %d in %s", e != NULL ? "was " : "never up",
		    e != NULL ? ui_screen_word(ui_screen_of_engine(e)) : "", link->tries, d);
		break;
	case SCREEN_RUNNING:
		running_text(s, out, size, v, e);
		break;
	case SCREEN_SWAPPING:
		from = v->swap_from != NULL ? view_engine_find(v, v->swap_from) : NULL;
		text_duration(d, sizeof(d), head_drain_left(v, view_now(v, now)), false);
		if (v->swap_step == 1)
			snprintf(out, size, "drain %d req %s", from != NULL ? from->in_flight : 0, d);
		else
			snprintf(out, size, "%s", v->swap_step == 2 ? "stop" : "start");
		break;
	case SCREEN_BACKOFF:
		what = e->last_exit != NULL ? e->last_exit : "?";
		after = strstr(what, " after ");
		end = after != NULL ? (size_t)(after - what) : strlen(what);
		snprintf(out, size, "%sexit: %.*s", s->read_only ? "" : "r retry now  ",
		    (int)(strcspn(what, ",") < end ? strcspn(what, ",") : end), what);
		break;
	case SCREEN_FAILED:
		snprintf(out, size, "%s", e->cause != NULL ? e->cause : e->last_exit != NULL ? e->last_exit :
		    engine_reason_text(e->reason));
		break;
	case SCREEN_STOPPED:
		snprintf(out, size, "%s", s->read_only ? "" : "s start");
		break;
	case SCREEN_STOPPING:
		snprintf(out, size, "%s %d req", e->state == ENGINE_DRAINING ? "drain" : "stop", e->in_flight);
		break;
	default:
		break;
	}
}

static void
starting_row(struct ui_state *s, struct grid *g, const struct view *v, const struct view_engine *e, uint64_t now)
{
	char t[48], d[32];
	int width = g->cols * 3 / 5;

	head_progress(s, g, 1, 0, width, e, head_since(view_now(v, now), e->since));
	if (e->usual_ms == 0)
		return;
	text_duration(d, sizeof(d), e->usual_ms, false);
	snprintf(t, sizeof(t), " usually %s", d);
	grid_put_end(g, 1, width, g->cols - width, ROLE_TEXT, t);
}

void
ui_head_narrow(struct ui_state *s, struct grid *g, const struct view *v, const struct view_engine *e,
    const struct ui_link_state *link, uint64_t now)
{
	enum ui_role role = ui_screen_role(s->screen);
	char note[64], text[1024];
	int right = g->cols, col;

	if (s->screen == SCREEN_SWAPPING)
		e = view_engine_find(v, v->swap_step < 3 && v->swap_from != NULL ? v->swap_from : v->swap_to);
	note_text(s, note, sizeof(note), v, e, link, now);
	if (note[0] != '\0' && g->cols >= 24)
		right = grid_put_right(g, 0, right, ROLE_TEXT, note) - 1;
	grid_put(g, 0, 0, 1, role, head_glyph(s));
	col = 2 + grid_put(g, 0, 2, right - 2, role, ui_screen_word(s->screen)) + 1;
	if (e != NULL)
		head_put_model(s, g, 0, col, right - col, ROLE_TITLE, e);
	if (s->lay.head_rows < 2)
		return;
	if (s->screen == SCREEN_STARTING && e != NULL) {
		starting_row(s, g, v, e, now);
		return;
	}
	second_text(s, text, sizeof(text), v, e, link, now);
	grid_put_end(g, 1, 0, g->cols, s->screen == SCREEN_FAILED ? ROLE_BAD : ROLE_TEXT, text);
}
