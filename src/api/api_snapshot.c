/* SPDX-License-Identifier: ISC
 * The view of a dashboard, filled from the core's state. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api_int.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/xmalloc.h"
#include "host/host.h"

struct fill {
	struct api *a;
	struct view *v;
	uint64_t now;
};

static void
fill_times(struct view_engine *e, const struct engine_info *i, const struct conf_model *m)
{
	e->since = i->since;
	e->spawned_at = i->spawned_at;
	e->ready_at = i->ready_at;
	e->retry_at = i->state == ENGINE_BACKOFF ? i->retry_at : 0;
	e->retry_total = e->retry_at > i->since ? e->retry_at - i->since : 0;
	e->kill_at = i->kill_at;
	/* In whole seconds, so that a line of output is not a change that everybody must hear of. */
	e->quiet_since = i->state == ENGINE_STARTING ? i->quiet_since / 1000 * 1000 : 0;
	e->check_ok_at = i->check_ok_at;
	e->quiet_limit = m->health_check_timeout;
	e->drain_limit = m->drain_timeout;
	e->usual_ms = i->usual_ms;
	e->progress = i->state == ENGINE_STARTING ? i->progress : -1;
}

static void
fill_exit(struct view_engine *e, const struct engine_info *i)
{
	const struct engine_exit *x = i->last_exit;
	char took[32];

	if (x == NULL || !x->valid)
		return;
	if (x->uptime_ms != 0) {
		text_duration(took, sizeof(took), x->uptime_ms, true);
		e->last_exit = xasprintf("%s after %s", x->text, took);
	} else {
		e->last_exit = xstrdup(x->text);
	}
	if (!x->expected && x->cause[0] != '\0')
		e->cause = xstrdup(x->cause);
	if (i->state == ENGINE_FAILED)
		e->failed_wall = x->wall_ms;
}

static void
fill_info(struct api *a, struct view_engine *e, const struct engine_info *i, const struct conf_model *m)
{
	const struct known *k = api_known(a, m->id);
	const char *live = ring_live(a->o.ring, m->id);

	e->state = i->state;
	e->reason = i->reason;
	e->quarantined = i->quarantined;
	e->pid = (int)i->pid;
	e->port = i->port;
	e->attempt = i->attempt;
	e->max_attempts = i->max_attempts;
	fill_times(e, i, m);
	e->rss = i->pid != 0 ? i->rss : 0;
	e->cpu_permille = i->pid != 0 && k->generation == i->generation ? k->cpu_permille : 0;
	if (e->memory == 0)
		e->memory = i->peak_rss;
	fill_exit(e, i);
	if (live[0] != '\0')
		e->live = xstrdup(live);
}

static void
fill_missing(struct view_engine *e, const struct conf_kind *k, const char *program)
{
	e->missing = xstrdup(program);
	e->install = xstrdup0(k != NULL ? k->install : NULL);
}

static void
fill_engine(void *arg, const struct router_row *row)
{
	struct fill *f = arg;
	const struct conf_model *m = row->model;
	struct known *k = api_known(f->a, m->id);
	struct view_engine *e;

	f->v->engines = xreallocarray(f->v->engines, f->v->nengines + 1, sizeof(*e));
	e = &f->v->engines[f->v->nengines++];
	*e = (struct view_engine){.id = xstrdup(m->id), .name = xstrdup(m->name != NULL ? m->name : m->id),
	    .kind = xstrdup0(m->kind != NULL ? m->kind->label : NULL),
	    .kind_short = xstrdup0(m->kind != NULL ? m->kind->short_label : NULL), .progress = -1, .tps = -1};
	e->current = row->current;
	e->pinned = row->pinned;
	e->unlisted = m->unlisted;
	e->memory = engine_memory_need(f->a->o.engines, m);
	e->max_attempts = m->max_attempts;
	e->in_flight = row->in_flight;
	e->queued = row->queued;
	e->last_used_wall = k->used_wall;
	e->tps = proxy_model_rate(f->a->o.proxy, m->id);
	if (row->engine != NULL)
		fill_info(f->a, e, engine_info(row->engine), m);
	k->missing = k->missing && e->pid == 0;
	if (k->missing && m->argv != NULL)
		fill_missing(e, m->kind, m->argv[0]);
	if (k->stopped_by != NULL && (e->state == ENGINE_STOPPED || e->state == ENGINE_STOPPING ||
	    e->state == ENGINE_DRAINING))
		e->stopped_by = xstrdup(k->stopped_by);
}

static bool
configured(const struct conf *c, const struct conf_found *f)
{
	if (conf_find(c, f->id) != NULL)
		return true;
	for (size_t i = 0; i < c->nmodels; i++) {
		const char *m = c->models[i]->model;

		if (m != NULL && (strcmp(m, f->path) == 0 || strcmp(m, f->id) == 0))
			return true;
	}
	return false;
}

/* The program of a kind that is not there; NULL. */
static const char *
kind_missing(const struct api *a, const struct conf_kind *k)
{
	size_t i = k != NULL ? (size_t)(k - conf_kinds) : conf_nkinds;

	return a->kind_missing != NULL && i < conf_nkinds && a->kind_missing[i][0] != '\0' ? a->kind_missing[i] : NULL;
}

/* Of somebody without any model: what there could be. */
static char *
all_missing(const struct api *a)
{
	struct strbuf b = STRBUF_INIT;

	for (size_t i = 0; i < conf_nkinds; i++)
		if (kind_missing(a, &conf_kinds[i]) != NULL)
			strbuf_printf(&b, "%s\t%s\n", kind_missing(a, &conf_kinds[i]),
			    conf_kinds[i].install != NULL ? conf_kinds[i].install : "");
	return strbuf_take(&b);
}

static void
fill_found(struct api *a, struct view *v)
{
	const struct conf *c = router_conf(a->o.router);

	for (size_t i = 0; i < a->nfound; i++) {
		const struct conf_found *f = &a->found[i];
		struct view_engine *e;

		if (configured(c, f) || view_engine_find(v, f->id) != NULL)
			continue;
		v->engines = xreallocarray(v->engines, v->nengines + 1, sizeof(*e));
		e = &v->engines[v->nengines++];
		*e = (struct view_engine){.id = xstrdup(f->id), .name = xstrdup(f->id), .discovered = true,
		    .kind = xstrdup0(f->kind != NULL ? f->kind->label : NULL),
		    .kind_short = xstrdup0(f->kind != NULL ? f->kind->short_label : NULL), .progress = -1, .tps = -1,
		    .memory = f->bytes};
		if (kind_missing(a, f->kind) != NULL)
			fill_missing(e, f->kind, kind_missing(a, f->kind));
	}
}

void
api_view_engines(struct api *a, struct view *v, uint64_t now)
{
	struct fill f = {a, v, now};

	router_each(a->o.router, fill_engine, &f);
	fill_found(a, v);
}

static void
fill_request(void *arg, const struct proxy_row *row)
{
	struct view *v = ((struct fill *)arg)->v;
	struct view_request *r;

	/* The proxy's own table is what is complete; a screen needs no more. */
	if (v->nrequests == 1024)
		return;
	v->requests = xreallocarray(v->requests, v->nrequests + 1, sizeof(*r));
	r = &v->requests[v->nrequests++];
	*r = (struct view_request){.id = row->id, .client = xstrdup0(row->client), .model = xstrdup0(row->model),
	    .path = xstrdup0(row->path), .api = xstrdup0(row->api), .phase = row->phase, .since = row->since,
	    .bytes_in = row->bytes_in, .bytes_out = row->bytes_out, .tokens_in = row->tokens_in,
	    .tokens_out = row->tokens_out, .tokens_per_second = row->tokens_per_second, .position = row->position,
	    .first_byte_at = row->first_byte_at, .waited_ms = row->waited_ms, .prompt_done = row->prompt_done,
	    .prompt_total = row->prompt_total, .estimated = row->estimated, .stream = row->stream};
}

static int
by_id(const void *a, const void *b)
{
	const struct view_request *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

void
api_view_requests(struct api *a, struct view *v)
{
	struct fill f = {a, v, 0};

	proxy_each(a->o.proxy, fill_request, &f);
	if (v->nrequests > 1)
		qsort(v->requests, v->nrequests, sizeof(v->requests[0]), by_id);
}

/* A swap is timed from when it was first seen; who began it is who acted last, if that was just before. */
static void
fill_swap(struct api *a, struct view *v, uint64_t now)
{
	const char *from = NULL, *to = NULL;
	int step = 0;

	if (!router_swapping(a->o.router, &from, &to, &step)) {
		free(a->swap_to);
		free(a->swap_who);
		a->swap_to = a->swap_who = NULL;
		return;
	}
	if (a->swap_to == NULL || to == NULL || strcmp(a->swap_to, to) != 0) {
		free(a->swap_to);
		free(a->swap_who);
		a->swap_to = xstrdup(to != NULL ? to : "");
		a->swap_who = now - a->last_action < 1000 ? xstrdup0(a->last_who) : NULL;
		a->swap_since = now;
	}
	v->swap_from = xstrdup0(from);
	v->swap_to = xstrdup0(to);
	v->swap_step = step;
	v->swap_since = a->swap_since;
	v->swap_who = xstrdup0(a->swap_who);
}

/* What other programs do is not news each second: it moves in steps of a hundredth of the whole. */
static void
fill_memory(struct api *a, struct view *v)
{
	uint64_t available, total, diff;

	if (host_memory(&available, &total) != 0)
		return;
	diff = available > a->memory_free ? available - a->memory_free : a->memory_free - available;
	if (diff > total / 100)
		a->memory_free = available;
	v->memory_free = a->memory_free;
	v->memory_total = total;
}

void
api_view_gauges(struct api *a, struct view *v, uint64_t now)
{
	struct proxy_totals t = {0};
	const struct view_engine *e = view_current(v);

	proxy_totals(a->o.proxy, &t);
	v->viewers = hub_viewers(a->hub);
	v->in_flight = (uint64_t)router_in_flight(a->o.router);
	v->queued = (uint64_t)router_queued(a->o.router);
	v->done = t.done;
	v->errors = t.errors;
	v->swaps = router_swaps(a->o.router);
	v->tps = t.tokens_per_second;
	if (e != NULL && e->pid != 0) {
		v->rss = e->rss;
		v->cpu_permille = e->cpu_permille;
	}
	fill_memory(a, v);
	fill_swap(a, v, now);
}

static bool
loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static char *
listen_url(const struct api *a)
{
	const struct conf *c = a->conf;

	for (size_t i = 0; i < c->nlisten; i++) {
		const char *h = c->listen[i].host;

		if (h != NULL)
			return xasprintf(strchr(h, ':') != NULL ? "http://[%s]:%d" : "http://%s:%d", h, a->o.port);
	}
	return c->nlisten != 0 && c->listen[0].path != NULL ? xasprintf("unix:%s", c->listen[0].path) : xstrdup("");
}

void
api_view_rest(struct api *a, struct view *v)
{
	const struct conf *c = a->conf;

	v->version = xstrdup(PACKAGE_VERSION);
	v->protocol = VIEW_PROTOCOL;
	v->listen = listen_url(a);
	v->instance = xstrdup(a->o.instance != NULL ? a->o.instance : "default");
	v->pid = (int)getpid();
	v->foreground = a->foreground;
	v->started = a->started;
	v->seq = hub_seq(a->hub);
	v->queue_max_wait = c->queue_max_wait;
	for (size_t i = 0; i < c->nlisten && c->nkeys == 0; i++)
		if (c->listen[i].host != NULL && !loopback(c->listen[i].host))
			v->insecure = true;
	v->log_next = ring_next(a->o.ring);
	v->shutting_down = a->shutting;
	v->config = xstrdup0(a->conf_path);
	v->theme = xstrdup0(c->theme);
	v->mouse = c->mouse;
	v->bell = c->bell;
	v->log_colors = c->log_colors;
	if (c->nmodels == 0 && a->nfound == 0)
		v->missing = all_missing(a);
}

void
api_view_fill(struct api *a, struct view *v, uint64_t now)
{
	view_init(v);
	api_view_rest(a, v);
	api_view_engines(a, v, now);
	api_view_requests(a, v);
	api_view_gauges(a, v, now);
	v->hist = a->hist;
	/* Nothing was sampled while nothing happened. */
	if (v->hist.n != 0)
		view_hist_push(&v->hist, now, v->tps, v->rss);
}

static void
sample_one(void *arg, const struct router_row *row)
{
	struct fill *f = arg;
	const struct engine_info *i;
	struct known *k;

	if (row->engine == NULL || engine_info(row->engine)->pid == 0)
		return;
	engine_sample(row->engine);
	i = engine_info(row->engine);
	k = api_known(f->a, row->model->id);
	/* Too short a time says nothing, and the sample may be the last one again. */
	if (k->generation == i->generation && f->now - k->cpu_at < 500)
		return;
	if (k->generation == i->generation && i->cpu_ms >= k->cpu_ms)
		k->cpu_permille = (i->cpu_ms - k->cpu_ms) * 1000 / (f->now - k->cpu_at);
	else
		k->cpu_permille = 0;
	k->generation = i->generation;
	k->cpu_ms = i->cpu_ms;
	k->cpu_at = f->now;
}

void
api_sample(struct api *a, uint64_t now)
{
	struct fill f = {a, NULL, now};

	router_each(a->o.router, sample_one, &f);
}

void
api_get_snapshot(struct api *a, struct api_req *q)
{
	struct strbuf b = STRBUF_INIT;
	uint64_t now = clock_ms();
	struct view v;

	api_sample(a, now);
	api_view_fill(a, &v, now);
	view_put_snapshot(&b, &v, now);
	view_fini(&v);
	api_json(q->req, 200, &b);
	strbuf_fini(&b);
}
