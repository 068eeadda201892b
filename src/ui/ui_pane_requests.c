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

static const struct column tiny[NCOLS] = {
	[COL_ID] = {"ID", 1, 6, 5}, [COL_AGE] = {"AGE", 0, 13, 6}, [COL_OUT] = {"OUT", 0, 19, 6},
	[COL_TPS] = {"TOK/S", 0, 25, 6}, [COL_STATE] = {"STATE", 26, 0, 400},
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
put_state(struct grid *g, int row, const struct column *c, enum ui_role role, const struct view *v, const struct view_request *r)
{
	const struct view_engine *e = r->model != NULL ? view_engine_find(v, r->model) : NULL;
	bool other = r->phase == REQ_QUEUED && r->model != NULL && (e == NULL || e != view_current(v));
	int used;
	char t[64];

	if (r->phase == REQ_PREFILL && r->prompt_total > 0 && r->prompt_done >= 0)
		snprintf(t, sizeof(t), "prefill %d%%", (int)(r->prompt_done * 100 / r->prompt_total));
	else
		snprintf(t, sizeof(t), "%s%s", req_phase_name(r->phase), other ? " > " : "");
	used = text_width(t);
	put_cell(g, row, c, role, t);
	if (other && c->left + used < g->cols)
		grid_put_model(g, row, c->left + used, g->cols - c->left - used, role, head_name(v, r->model));
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
		grid_put_model(g, row, cols[COL_MODEL].left, w, ROLE_TEXT, head_name(v, r->model));
	if (cols[COL_PATH].width > 0)
		grid_put_path(g, row, cols[COL_PATH].left, cols[COL_PATH].width, ROLE_TEXT, r->path != NULL ? r->path : "-");
	put_cell(g, row, &cols[COL_API], ROLE_TEXT, r->api != NULL ? r->api : "-");
	text_duration(t, sizeof(t), head_since(core_now, r->since), true);
	put_cell(g, row, &cols[COL_AGE], ROLE_TEXT, t);
	count_text(t, sizeof(t), r->tokens_in);
	put_cell(g, row, &cols[COL_IN], ROLE_TEXT, t);
	count_text(t, sizeof(t), r->tokens_out);
	put_cell(g, row, &cols[COL_OUT], ROLE_TEXT, t);
	if (r->tokens_per_second >= 0)
		snprintf(t, sizeof(t), "%s%.1f", r->estimated ? "~" : "", r->tokens_per_second);
	else
		snprintf(t, sizeof(t), "-");
	put_cell(g, row, &cols[COL_TPS], ROLE_TEXT, t);
	put_state(g, row, &cols[COL_STATE], role, v, r);
	if (s->screen == SCREEN_LINK_DOWN)
		grid_set_role(g, row, 0, g->cols, ROLE_MUTED);
}

/* Older, larger, faster first; then by id. */
static bool
goes_before(const struct ui_state *s, const struct view_request *a, const struct view_request *b)
{
	if (s->sort == SORT_TOKENS && a->tokens_out != b->tokens_out)
		return a->tokens_out > b->tokens_out;
	if (s->sort == SORT_RATE && a->tokens_per_second != b->tokens_per_second)
		return a->tokens_per_second > b->tokens_per_second;
	return a->since != b->since ? a->since < b->since : a->id < b->id;
}

size_t
ui_requests_shown(const struct ui_state *s, const struct view *v, size_t **at, uint64_t **keys)
{
	const char *model = s->model[0] != '\0' && ui_loaded(s, v) > 0 ? s->model : NULL;
	size_t n = 0, k;

	*at = xreallocarray(NULL, v->nrequests + 1, sizeof(**at));
	*keys = xreallocarray(NULL, v->nrequests + 1, sizeof(**keys));
	for (size_t i = 0; i < v->nrequests; i++) {
		const struct view_request *r = &v->requests[i];

		if (model != NULL && (r->model == NULL || strcmp(r->model, model) != 0))
			continue;
		for (k = n; k > 0 && goes_before(s, r, &v->requests[(*at)[k - 1]]); k--)
			(*at)[k] = (*at)[k - 1];
		(*at)[k] = i;
		n++;
	}
	for (size_t i = 0; i < n; i++)
		(*keys)[i] = v->requests[(*at)[i]].id;
	return n;
}

/* Below 120 columns path and model give way, so that the state is seen. */
static void
columns_for(const struct ui_state *s, struct column out[NCOLS])
{
	int less = s->lay.wide && s->cols < 120 ? 120 - s->cols : 0, path = less < 10 ? less : 10, model = less - path;

	memcpy(out, s->lay.wide ? wide : s->cols >= 80 ? middle : s->cols >= 60 ? small : tiny, sizeof(wide));
	model = model < 8 ? model : 8;
	out[COL_MODEL].width -= model;
	out[COL_PATH].left -= model;
	out[COL_PATH].width -= path;
	for (int c = COL_AGE; c < NCOLS && less > 0; c++) {
		out[c].left -= out[c].left > 0 ? model + path : 0;
		out[c].right -= out[c].right > 0 ? model + path : 0;
	}
}

static void
table(struct ui_state *s, struct grid *g, const struct view *v, uint64_t core_now)
{
	struct column cols[NCOLS];
	uint64_t *keys;
	size_t *at;
	int n = (int)ui_requests_shown(s, v, &at, &keys), rows = s->lay.req_rows - 1;
	int sel = ui_list_sync(&s->requests, keys, n, rows);

	columns_for(s, cols);
	for (int c = 0; c < NCOLS; c++)
		if (cols[c].width > 0)
			put_cell(g, s->lay.req_row, &cols[c], ROLE_TITLE, cols[c].title);
	for (int i = 0; i < rows && s->requests.top + i < n; i++) {
		int k = s->requests.top + i, row = s->lay.req_row + 1 + i;

		draw_request(s, g, cols, row, v, &v->requests[at[k]], s->focus == FOCUS_REQUESTS && k == sel, core_now);
		ui_hit_add(s, row, 0, g->cols, 1, HIT_REQUEST, keys[k]);
	}
	free(at);
	free(keys);
}

static void
note_text(const struct ui_state *s, char *out, size_t size, const struct view *v)
{
	const struct view_engine *e = ui_engine(s, v);
	uint64_t waiting = s->lay.models > 0 && e != NULL ? (uint64_t)e->queued : v->queued;
	char held[32];

	if (s->focus != FOCUS_REQUESTS && ui_models_hidden(s, v, out, size))
		return;
	out[0] = '\0';
	if (s->focus == FOCUS_REQUESTS && s->lay.req_rows > 0) {
		snprintf(out, size, s->read_only ? "%s details" : "%s details  %s cancel",
		    ui_binding_of(ACT_DETAILS)->shown, ui_binding_of(ACT_CANCEL)->shown);
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
		else if (s->lay.req_rows == 0)
			snprintf(out, size, "%s shows them", ui_binding_of(ACT_FOCUS)->shown);
		else if (!s->lay.wide)
			snprintf(out, size, s->lay.models > 0 ? "%s next pane" : "%s select", ui_binding_of(ACT_FOCUS)->shown);
		break;
	default:
		break;
	}
}

void
ui_pane_requests(struct ui_state *s, struct grid *g, const struct view *v, uint64_t now)
{
	static const char *const orders[SORT_N] = {"", " by tokens", " by rate"};
	const char *model = s->model[0] != '\0' && s->lay.models > 0 ? s->model : NULL;
	char title[320], note[128];
	uint64_t *keys;
	size_t *at, n;

	n = ui_requests_shown(s, v, &at, &keys);
	free(at);
	free(keys);
	/* Room that comes back brings the focus back, requests that have ended do not. */
	if (s->lay.req_rows == 0 && s->focus == FOCUS_REQUESTS) {
		s->focus = FOCUS_LOG;
		s->focus_kept = true;
	} else if (s->lay.req_rows > 0 && s->focus_kept) {
		s->focus = FOCUS_REQUESTS;
		s->focus_kept = false;
	}
	s->focus_kept = s->focus_kept && n > 0;
	if (s->lay.req_rule < 0)
		return;
	if (model != NULL && v->nrequests > 0)
		snprintf(title, sizeof(title), "Requests %zu of %zu, %s%s", n, v->nrequests, head_name(v, model), orders[s->sort]);
	else
		snprintf(title, sizeof(title), "Requests %zu%s", v->nrequests, n > 1 ? orders[s->sort] : "");
	note_text(s, note, sizeof(note), v);
	ui_rule(s, g, s->lay.req_rule, s->focus == FOCUS_REQUESTS, title, note[0] != '\0' ? note : NULL);
	if (s->lay.req_rows > 0)
		table(s, g, v, view_now(v, s->screen == SCREEN_LINK_DOWN && s->link_since != 0 ? s->link_since : now));
}
