/* SPDX-License-Identifier: ISC
 * The requests: a rule that sums them up, and a table where there is room. The selection is a request's id. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/xmalloc.h"
#include "ui/ui_head.h"

struct column {
	const char *title;
	int left, right;	/* right > 0: aligned to end before it */
	int width;
};
enum { COL_ID, COL_CLIENT, COL_MODEL, COL_PATH, COL_API, COL_AGE, COL_IN, COL_OUT, COL_TPS, COL_STATE, NCOLS };

/* Where the columns stand, by width of the terminal; width 0: not shown. */
static const struct column wide[NCOLS] = {
	[COL_ID] = {"ID", 1, 6, 5}, [COL_CLIENT] = {"CLIENT", 8, 0, 16}, [COL_MODEL] = {"MODEL", 25, 0, 20},
	[COL_PATH] = {"PATH", 46, 0, 22}, [COL_AGE] = {"AGE", 0, 74, 6}, [COL_IN] = {"IN", 0, 81, 6},
	[COL_OUT] = {"OUT", 0, 88, 6}, [COL_TPS] = {"TOK/S", 0, 95, 6}, [COL_STATE] = {"STATE", 97, 0, 400},
};
static const struct column middle[NCOLS] = {
	[COL_ID] = {"ID", 1, 6, 5}, [COL_CLIENT] = {"CLIENT", 7, 0, 16}, [COL_API] = {"API", 24, 0, 7},
	[COL_AGE] = {"AGE", 0, 37, 6}, [COL_IN] = {"IN", 0, 43, 6}, [COL_OUT] = {"OUT", 0, 49, 6},
	[COL_TPS] = {"TOK/S", 0, 55, 6}, [COL_STATE] = {"STATE", 57, 0, 400},
};
static const struct column small[NCOLS] = {
	[COL_ID] = {"ID", 1, 6, 5}, [COL_CLIENT] = {"CLIENT", 7, 0, 16}, [COL_AGE] = {"AGE", 0, 30, 6},
	[COL_OUT] = {"OUT", 0, 36, 6}, [COL_TPS] = {"TOK/S", 0, 42, 6}, [COL_STATE] = {"STATE", 44, 0, 400},
};

static void
put_cell(struct grid *g, int row, const struct column *c, enum ui_role role, const char *text)
{
	char cut[64];

	if (c->width == 0 || c->left >= g->cols)
		return;
	if (c->right == 0) {
		grid_put_end(g, row, c->left, c->width, role, text);
		return;
	}
	text_clip_end(cut, sizeof(cut), text, c->width, g->ascii ? "~" : "…");
	grid_put_right(g, row, c->right, role, cut);
}

static void
count_text(char *out, size_t size, int64_t n)
{
	if (n < 0)
		snprintf(out, size, "-");
	else
		text_count(out, size, (uint64_t)n);
}

static void
state_text(char *out, size_t size, const struct view *v, const struct view_request *r)
{
	const struct view_engine *e = view_current(v);

	if (r->phase == REQ_QUEUED && r->model != NULL && (e == NULL || strcmp(e->id, r->model) != 0))
		snprintf(out, size, "queued > %s", head_name(v, r->model));
	else
		snprintf(out, size, "%s", req_phase_name(r->phase));
}

static void
draw_request(struct ui_state *s, struct grid *g, const struct column *cols, int row, const struct view *v,
    const struct view_request *r, bool selected, uint64_t core_now)
{
	enum ui_role role = r->phase == REQ_QUEUED ? ROLE_WARN : ROLE_TEXT;
	char t[512];
	int w;

	if (selected)
		grid_put(g, row, 0, 1, ROLE_TITLE, ">");
	snprintf(t, sizeof(t), "%llu", (unsigned long long)r->id);
	put_cell(g, row, &cols[COL_ID], ROLE_TEXT, t);
	put_cell(g, row, &cols[COL_CLIENT], ROLE_TEXT, r->client != NULL ? r->client : "-");
	w = cols[COL_MODEL].width;
	if (w > 0)
		grid_put_middle(g, row, cols[COL_MODEL].left, w, ROLE_TEXT, head_name(v, r->model));
	put_cell(g, row, &cols[COL_PATH], ROLE_TEXT, r->path != NULL ? r->path : "-");
	put_cell(g, row, &cols[COL_API], ROLE_TEXT, r->api != NULL ? r->api : "-");
	text_duration(t, sizeof(t), head_since(core_now, r->since), true);
	put_cell(g, row, &cols[COL_AGE], ROLE_TEXT, t);
	count_text(t, sizeof(t), r->tokens_in);
	put_cell(g, row, &cols[COL_IN], ROLE_TEXT, t);
	count_text(t, sizeof(t), r->tokens_out);
	put_cell(g, row, &cols[COL_OUT], ROLE_TEXT, t);
	if (r->tokens_per_second >= 0)
		snprintf(t, sizeof(t), "%.1f", r->tokens_per_second);
	else
		snprintf(t, sizeof(t), "-");
	put_cell(g, row, &cols[COL_TPS], ROLE_TEXT, t);
	state_text(t, sizeof(t), v, r);
	put_cell(g, row, &cols[COL_STATE], role, t);
	if (s->screen == SCREEN_LINK_DOWN)
		grid_set_role(g, row, 0, g->cols, ROLE_MUTED);
}

static void
table(struct ui_state *s, struct grid *g, const struct view *v, uint64_t core_now)
{
	const struct column *cols = s->lay.wide ? wide : s->cols >= 80 ? middle : small;
	int n = (int)v->nrequests, rows = s->lay.req_rows - 1, at;
	uint64_t *keys = xreallocarray(NULL, v->nrequests + 1, sizeof(*keys));

	for (int i = 0; i < n; i++)
		keys[i] = v->requests[i].id;
	at = ui_list_sync(&s->requests, keys, n, rows);
	free(keys);
	for (int c = 0; c < NCOLS; c++)
		if (cols[c].width > 0)
			put_cell(g, s->lay.req_row, &cols[c], ROLE_TITLE, cols[c].title);
	for (int i = 0; i < rows && s->requests.top + i < n; i++)
		draw_request(s, g, cols, s->lay.req_row + 1 + i, v, &v->requests[s->requests.top + i],
		    s->focus == FOCUS_REQUESTS && s->requests.top + i == at, core_now);
}

static void
note_text(const struct ui_state *s, char *out, size_t size, const struct view *v)
{
	const struct view_engine *e = view_current(v);
	uint64_t waiting = v->queued;
	char held[32];

	out[0] = '\0';
	if (s->focus == FOCUS_REQUESTS && s->lay.req_rows > 0) {
		snprintf(out, size, "%s cancel", ui_binding_of(ACT_CANCEL)->shown);
		return;
	}
	switch (s->screen) {
	case SCREEN_STARTING:
	case SCREEN_SWAPPING:
		if (waiting > 0 && (v->nrequests == 0 || s->lay.req_rows == 0))
			snprintf(out, size, "%llu waiting for this model", (unsigned long long)waiting);
		break;
	case SCREEN_BACKOFF:
		text_duration(held, sizeof(held), v->queue_max_wait, false);
		if (v->queue_max_wait < 1000 * 1000)
			snprintf(held, sizeof(held), "%llu s", (unsigned long long)(v->queue_max_wait / 1000));
		if (waiting > 0)
			snprintf(out, size, "%llu waiting, held for up to %s", (unsigned long long)waiting, held);
		break;
	case SCREEN_FAILED:
		snprintf(out, size, "requests get 503 at once");
		break;
	case SCREEN_STOPPED:
		if (e != NULL && !e->discovered)
			snprintf(out, size, "next request starts it");
		break;
	case SCREEN_RUNNING:
		if (v->nrequests == 0)
			snprintf(out, size, "none in flight");
		break;
	default:
		break;
	}
}

void
ui_pane_requests(struct ui_state *s, struct grid *g, const struct view *v, uint64_t now)
{
	char title[48], note[128];

	if (s->lay.req_rows == 0)
		s->focus = FOCUS_LOG;
	if (s->lay.req_rule < 0)
		return;
	snprintf(title, sizeof(title), "Requests %zu", v->nrequests);
	note_text(s, note, sizeof(note), v);
	ui_rule(s, g, s->lay.req_rule, s->focus == FOCUS_REQUESTS, title, note[0] != '\0' ? note : NULL);
	if (s->lay.req_rows > 0)
		table(s, g, v, view_now(v, s->screen == SCREEN_LINK_DOWN && s->link_since != 0 ? s->link_since : now));
}
