/* SPDX-License-Identifier: ISC
 * The model picker: everything configured or found, filtered as one types. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/xmalloc.h"
#include "ui/ui_head.h"

struct picks {
	size_t *at;		/* (owned) indices into view.engines, the best fits first */
	uint64_t *keys;		/* (owned) for ui_list */
	int n, total;
};

static void
pick(const struct ui_state *s, const struct view *v, struct picks *p)
{
	const char *filter = s->popup.edit.text;

	memset(p, 0, sizeof(*p));
	p->at = xreallocarray(NULL, v->nengines + 1, sizeof(*p->at));
	p->keys = xreallocarray(NULL, v->nengines + 1, sizeof(*p->keys));
	for (size_t i = 0; i < v->nengines; i++)
		p->total += !(s->popup.configured_only && v->engines[i].discovered);
	for (int want = 3; want >= (filter[0] != '\0' ? 1 : 3); want--)
		for (size_t i = 0; i < v->nengines; i++) {
			const struct view_engine *e = &v->engines[i];
			int fit = ui_list_match(e->name, filter), by_id = ui_list_match(e->id, filter);

			if (s->popup.configured_only && e->discovered)
				continue;
			if (filter[0] != '\0' && (fit > by_id ? fit : by_id) != want)
				continue;
			p->at[p->n] = i;
			p->keys[p->n++] = ui_list_key(e->id);
		}
}

static void
pick_fini(struct picks *p)
{
	free(p->at);
	free(p->keys);
}

static void
used_text(char *out, size_t size, const struct view_engine *e, bool small)
{
	uint64_t wall = clock_wall_ms();
	char d[32];

	if (e->state != ENGINE_STOPPED && e->state != ENGINE_FAILED) {
		snprintf(out, size, "now");
	} else if (e->last_used_wall == 0) {
		snprintf(out, size, "never");
	} else {
		text_duration(d, sizeof(d), wall > e->last_used_wall ? wall - e->last_used_wall : 0, false);
		d[strcspn(d, "dhms") + 1] = '\0';
		snprintf(out, size, small ? "%s" : "%s ago", d);
	}
}

/* What memory is left for it when the present one is gone. */
static uint64_t
room_for(const struct view *v)
{
	return v->memory_free + v->rss;
}

static bool
too_large(const struct view *v, const struct view_engine *e)
{
	return v->memory_total != 0 && e->memory > room_for(v) && e->state == ENGINE_STOPPED;
}

static const char *
status_text(const struct view *v, const struct view_engine *e)
{
	if (e->state == ENGINE_READY)
		return "running";
	if (e->state != ENGINE_STOPPED)
		return engine_state_name(e->state);
	if (e->missing != NULL)
		return "no program";
	return too_large(v, e) ? "too large" : e->discovered ? "discovered" : "";
}

static void
draw_item(struct ui_state *s, struct grid *g, const struct ui_box *b, int row, const struct view *v,
    const struct view_engine *e, bool selected)
{
	bool small = b->width < 66, bare = b->width < 28;
	int name = bare ? b->width - 6 : small ? b->width - 18 : 33, left = b->col + 1, size_right = left + (small ? b->width - 8 : 49);
	enum ui_role role = selected ? ROLE_SELECT : ROLE_TEXT;
	char t[64];

	ui_hit_add(s, row, left, b->width - 2, 1, HIT_ITEM, ui_list_key(e->id));
	if (selected)
		grid_fill(g, row, left + 1, b->width - 3, role, " ");
	else if (too_large(v, e) || e->missing != NULL)
		role = ROLE_MUTED;
	grid_put(g, row, left + 1, 1, role, selected ? ">" : " ");
	if (e == view_current(v) && e->state != ENGINE_STOPPED)
		grid_put(g, row, left + 2, 1, role, "*");
	head_put_model(s, g, row, left + 4, name, role, e);
	if (bare)
		return;
	if (!small)
		grid_put_end(g, row, left + 38, 5, role, e->kind_short != NULL ? e->kind_short : "");
	if (e->memory != 0) {
		text_size(t, sizeof(t), e->memory);
		grid_put_right(g, row, size_right, role, t);
	}
	used_text(t, sizeof(t), e, small);
	grid_put(g, row, size_right + (small ? 1 : 2), small ? 5 : 8, role, t);
	if (!small)
		grid_put_end(g, row, left + 59, b->width - 62, role, status_text(v, e));
}

static void
memory_text(char *out, size_t size, const struct ui_box *b, const struct view *v, const struct view_engine *e)
{
	char need[24], left[24];
	bool tight = too_large(v, e);

	out[0] = '\0';
	if (e->memory == 0)
		return;
	text_size(need, sizeof(need), e->memory);
	text_size(left, sizeof(left), room_for(v));
	if (v->memory_total == 0 || b->width < 50)
		snprintf(out, size, "needs ~%s%s", need, tight ? ", too much" : "");
	else
		snprintf(out, size, "needs ~%s; %s%s free after unload", need, tight ? "only " : "", left);
}

/* Below the list: what stands against the selected one, or what memory it takes. */
static void
note_lines(struct grid *g, const struct ui_box *b, const struct view *v, const struct view_engine *e)
{
	int row = b->row + b->height - 2, col = b->col + 2, width = b->width - 4;
	char t[320];

	if (e->missing == NULL) {
		memory_text(t, sizeof(t), b, v, e);
		grid_put_end(g, row, col, width, too_large(v, e) ? ROLE_WARN : ROLE_TEXT, t);
		return;
	}
	snprintf(t, sizeof(t), strchr(e->missing, '/') != NULL ? "%s is not there%s" : "%s is not in PATH%s", e->missing,
	    e->install != NULL ? "; to install it:" : "");
	if (e->install == NULL) {
		grid_put_end(g, row, col, width, ROLE_WARN, t);
		return;
	}
	grid_put_end(g, row - 1, col, width, ROLE_WARN, t);
	grid_put_end(g, row, col, width, ROLE_TITLE, e->install);
}

/* Nobody has a model yet: what could run one. */
static int
missing_lines(struct grid *g, const struct ui_box *b, int row, int rows, const char *missing)
{
	char program[128];
	int n = 0;

	for (const char *p = missing; p != NULL && *p != '\0'; n++) {
		size_t len = strcspn(p, "\n"), name = strcspn(p, "\t\n"), line = name + (p[name] == '\t');
		char t[320];

		if (g != NULL && n < rows) {
			snprintf(program, sizeof(program), "%.*s", (int)name, p);
			snprintf(t, sizeof(t), "%.*s", (int)(len - line), p + line);
			grid_put_end(g, row + n, b->col + 2, 14, ROLE_TITLE, program);
			grid_put_end(g, row + n, b->col + 17, b->width - 19, ROLE_TEXT, t);
		}
		p += len + (p[len] == '\n');
	}
	return n;
}

static void
filter_line(const struct ui_state *s, struct grid *g, const struct ui_box *b, const struct picks *p)
{
	char t[64];
	int col = b->col + 2;

	col += grid_put(g, b->row + 1, col, 9, ROLE_TEXT, "Filter: ");
	ui_edit_draw(&s->popup.edit, g, b->row + 1, col, b->width - (b->width < 66 ? 12 : 36), ROLE_TITLE,
	    b->width < 66 ? "_" : s->g->cursor);
	if (b->width < 66)
		return;
	snprintf(t, sizeof(t), "%d of %d shown", p->n, p->total);
	grid_put(g, b->row + 1, b->col + 49, b->width - 50, ROLE_TEXT, t);
}

static void
draw_none(struct grid *g, const struct ui_box *b, int rows, const struct view *v)
{
	if (b->height <= 4)
		return;
	grid_put_end(g, b->row + 3, b->col + 5, b->width - 6, ROLE_MUTED,
	    v->nengines > 0 ? "nothing fits; Backspace" : "no model is known: `mai MODEL`, or modelDirectory");
	if (v->nengines == 0 && v->missing != NULL && v->missing[0] != '\0' && rows > 2) {
		grid_put_end(g, b->row + 5, b->col + 2, b->width - 4, ROLE_WARN, "not in PATH, and how to install it:");
		missing_lines(g, b, b->row + 6, b->row + b->height - 1 - (b->row + 6), v->missing);
	}
}

void
ui_picker_draw(struct ui_state *s, struct grid *g, const struct view *v)
{
	struct picks p;
	struct ui_box b;
	int rows, at, first, most = g->rows - 9;
	bool small = g->cols < 74;

	pick(s, v, &p);
	if (g->rows < 14)
		most = g->rows - 8;
	rows = v->nengines == 0 ? 2 + missing_lines(NULL, NULL, 0, 0, v->missing) : p.n;
	rows = rows > most ? most : rows;
	if (rows < 1)
		rows = 1;
	b = ui_box_draw(s, g, rows + 6, small ? g->cols : 72, "Swap model", small ? "Enter swap  Esc" :
	    s->popup.configured_only ? "Enter swap  Tab show all  Esc cancel" : "Enter swap  Tab configured  Esc cancel");
	at = ui_list_sync(&s->popup.list, p.keys, p.n, rows);
	first = ui_box_first(&b, 6);
	if (first > 1)
		filter_line(s, g, &b, &p);
	for (int i = 0; i < rows && s->popup.list.top + i < p.n && first + i < b.height - 1; i++) {
		int n = s->popup.list.top + i;

		draw_item(s, g, &b, b.row + first + i, v, &v->engines[p.at[n]], n == at);
	}
	if (p.n == 0)
		draw_none(g, &b, rows, v);
	if (at >= 0 && b.height >= 6)
		note_lines(g, &b, v, &v->engines[p.at[at]]);
	pick_fini(&p);
}

void
ui_swap_to(struct ui_state *s, const struct view *v, const struct view_engine *e, uint64_t now, struct ui_intent *out)
{
	if (e->state != ENGINE_READY) {
		ui_send(s, out, UI_SWAP, e->id, 0, now);
		return;
	}
	/* Nothing to do but to look at it. */
	if (ui_loaded(s, v) > 0)
		snprintf(s->model, sizeof(s->model), "%s", e->id);
	ui_say(s, UI_MSG_INFO, now, "%s is running already", e->name);
}

static void
choose(struct ui_state *s, const struct view *v, const struct picks *p, uint64_t now, struct ui_intent *out)
{
	int at = ui_list_sync(&s->popup.list, p->keys, p->n, 1);

	if (at < 0 || now < s->popup.opened + UI_ARM_MS)
		return;
	ui_popup_close(s);
	ui_swap_to(s, v, &v->engines[p->at[at]], now, out);
}

void
ui_picker_key(struct ui_state *s, int key, const struct view *v, uint64_t now, struct ui_intent *out)
{
	struct picks p;
	int by = 0;

	if (key == UI_K_ESC || key == 3) {
		ui_popup_close(s);
		return;
	}
	pick(s, v, &p);
	switch (key) {
	case UI_K_ENTER:
		choose(s, v, &p, now, out);
		break;
	case '\t':
		s->popup.configured_only = !s->popup.configured_only;
		break;
	case UI_K_UP:
	case 16:
		by = -1;
		break;
	case UI_K_DOWN:
	case 14:
		by = 1;
		break;
	case UI_K_PGUP:
		by = -5;
		break;
	case UI_K_PGDN:
		by = 5;
		break;
	default:
		/* A changed filter selects the best fit again. */
		if (ui_edit_key(&s->popup.edit, key))
			memset(&s->popup.list, 0, sizeof(s->popup.list));
		break;
	}
	if (by != 0)
		ui_list_move(&s->popup.list, p.keys, p.n, by);
	pick_fini(&p);
}
