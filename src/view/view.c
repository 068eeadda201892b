/* SPDX-License-Identifier: ISC
 * The view as data: fields, ends, look-ups, history. */
#include "view/view.h"

#include <stdlib.h>
#include <string.h>

#include "view/view_int.h"

#define E(t, name) {#name, t, offsetof(struct view_engine, name)}
#define R(t, name) {#name, t, offsetof(struct view_request, name)}
#define V(t, name) {#name, t, offsetof(struct view, name)}

const struct view_field view_engine_fields[] = {
	E(VT_KEY, id), E(VT_STR, name), E(VT_STR, kind), E(VT_STR, kind_short), E(VT_STATE, state),
	E(VT_REASON, reason), E(VT_BOOL, current), E(VT_BOOL, pinned), E(VT_BOOL, unlisted), E(VT_BOOL, quarantined),
	E(VT_BOOL, discovered), E(VT_INT, pid), E(VT_INT, port), E(VT_INT, attempt), E(VT_INT, max_attempts),
	E(VT_U64, since), E(VT_U64, spawned_at), E(VT_U64, ready_at), E(VT_U64, retry_at), E(VT_U64, kill_at),
	E(VT_U64, quiet_since), E(VT_U64, check_ok_at), E(VT_U64, retry_total), E(VT_U64, quiet_limit),
	E(VT_U64, drain_limit), E(VT_U64, usual_ms), E(VT_INT, progress), E(VT_U64, rss), E(VT_U64, cpu_permille),
	E(VT_U64, memory), E(VT_U64, last_used_wall), E(VT_INT, in_flight), E(VT_INT, queued), E(VT_STR, last_exit),
	E(VT_STR, cause), E(VT_U64, failed_wall), E(VT_STR, stopped_by), E(VT_STR, live), E(VT_DBL, tps),
	E(VT_STR, missing), E(VT_STR, install),
	{NULL, VT_STR, 0},
};

const struct view_field view_request_fields[] = {
	R(VT_U64, id), R(VT_STR, client), R(VT_KEY, model), R(VT_STR, path), R(VT_STR, api), R(VT_PHASE, phase),
	R(VT_U64, since), R(VT_U64, bytes_in), R(VT_U64, bytes_out), R(VT_I64, tokens_in), R(VT_I64, tokens_out),
	R(VT_DBL, tokens_per_second), R(VT_INT, position), R(VT_U64, first_byte_at), R(VT_U64, waited_ms),
	R(VT_I64, prompt_done), R(VT_I64, prompt_total), R(VT_BOOL, estimated), R(VT_BOOL, stream), {NULL, VT_STR, 0},
};

const struct view_field view_hello_fields[] = {
	V(VT_INT, protocol), V(VT_STR, version), V(VT_STR, instance), V(VT_STR, listen), V(VT_INT, pid),
	V(VT_BOOL, foreground), V(VT_U64, started), V(VT_U64, seq),
	{"viewer", VT_INT, offsetof(struct view, viewer_id)}, V(VT_STR, viewer_name), {NULL, VT_STR, 0},
};

const struct view_field view_gauge_fields[] = {
	V(VT_INT, viewers), V(VT_U64, in_flight), V(VT_U64, queued), V(VT_U64, done), V(VT_U64, errors),
	V(VT_U64, swaps), V(VT_DBL, tps), V(VT_U64, rss), V(VT_U64, cpu_permille), V(VT_U64, memory_free),
	V(VT_U64, memory_total), V(VT_KEY, swap_from), V(VT_KEY, swap_to), V(VT_INT, swap_step),
	V(VT_U64, swap_since), V(VT_STR, swap_who), {NULL, VT_STR, 0},
};

const struct view_field view_rest_fields[] = {
	V(VT_U64, queue_max_wait), V(VT_BOOL, insecure), V(VT_U64, log_next), V(VT_BOOL, shutting_down),
	V(VT_STR, shutdown_text), V(VT_STR, theme), V(VT_BOOL, mouse), V(VT_BOOL, bell), V(VT_BOOL, log_colors),
	V(VT_U64, lost), V(VT_KEY, missing), V(VT_KEY, config), {NULL, VT_STR, 0},
};

void
view_fields_fini(const struct view_field *f, void *obj)
{
	for (; f->name != NULL; f++) {
		if (f->type == VT_STR || f->type == VT_KEY) {
			char **s = (char **)(void *)((char *)obj + f->off);

			free(*s);
			*s = NULL;
		}
	}
}

void
view_init(struct view *v)
{
	*v = (struct view){.tps = -1, .bell = true};
}

void
view_engine_fini(struct view_engine *e)
{
	view_fields_fini(view_engine_fields, e);
	free(e->hist);
	e->hist = NULL;
}

void
view_request_fini(struct view_request *r)
{
	view_fields_fini(view_request_fields, r);
}

void
view_fini(struct view *v)
{
	for (size_t i = 0; i < v->nengines; i++)
		view_engine_fini(&v->engines[i]);
	for (size_t i = 0; i < v->nrequests; i++)
		view_request_fini(&v->requests[i]);
	free(v->engines);
	free(v->requests);
	view_fields_fini(view_hello_fields, v);
	view_fields_fini(view_gauge_fields, v);
	view_fields_fini(view_rest_fields, v);
	free(v->action);
	free(v->action_who);
	view_init(v);
}

uint64_t
view_now(const struct view *v, uint64_t local_ms)
{
	int64_t t = (int64_t)local_ms + v->skew;

	return t > 0 ? (uint64_t)t : 0;
}

struct view_engine *
view_engine_find(const struct view *v, const char *id)
{
	for (size_t i = 0; id != NULL && i < v->nengines; i++)
		if (strcmp(v->engines[i].id, id) == 0)
			return &v->engines[i];
	return NULL;
}

static bool
is_alive(const struct view_engine *e)
{
	return e->state != ENGINE_STOPPED && e->state != ENGINE_FAILED;
}

/* The current one comes first unless it is stopped and another one lives; then what lives, then what changed last. */
static int
rank_of(const struct view_engine *e)
{
	if (e->current && e->state != ENGINE_STOPPED)
		return 5;
	if (is_alive(e))
		return 4;
	if (e->current)
		return 3;
	if (e->discovered)
		return 0;
	return e->since != 0 ? 2 : 1;
}

struct view_engine *
view_current(const struct view *v)
{
	struct view_engine *best = NULL;

	for (size_t i = 0; i < v->nengines; i++) {
		struct view_engine *e = &v->engines[i];

		if (best == NULL || rank_of(e) > rank_of(best) || (rank_of(e) == rank_of(best) && e->since > best->since))
			best = e;
	}
	return best;
}

struct view_request *
view_request_find(const struct view *v, uint64_t id)
{
	size_t lo = 0, hi = v->nrequests;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (v->requests[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < v->nrequests && v->requests[lo].id == id ? &v->requests[lo] : NULL;
}

static void
hist_add(struct view_hist *h, float tps, float rss)
{
	if (h->n == VIEW_HIST) {
		memmove(h->tps, h->tps + 1, (VIEW_HIST - 1) * sizeof(h->tps[0]));
		memmove(h->rss, h->rss + 1, (VIEW_HIST - 1) * sizeof(h->rss[0]));
		h->n--;
	}
	h->tps[h->n] = tps;
	h->rss[h->n] = rss;
	h->n++;
}

void
view_hist_push(struct view_hist *h, uint64_t at, double tps, uint64_t rss)
{
	float mib = (float)((double)rss / (1024 * 1024));
	uint64_t seconds;

	if (h->n == 0 || at < h->at) {
		hist_add(h, (float)tps, mib);
		h->at = at;
		return;
	}
	seconds = (at - h->at + 500) / 1000;
	if (seconds == 0) {
		h->tps[h->n - 1] = (float)tps;
		h->rss[h->n - 1] = mib;
		return;
	}
	for (uint64_t i = 1; i < seconds && i < VIEW_HIST; i++)
		hist_add(h, h->tps[h->n - 1], h->rss[h->n - 1]);
	hist_add(h, (float)tps, mib);
	h->at += seconds * 1000;
}
