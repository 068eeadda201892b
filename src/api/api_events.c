/* SPDX-License-Identifier: ISC
 * GET /api/events. What happens marks parts of the view dirty; a batch, at most one in 100 ms, compares the view with what
 * was last told and sends the differences. Nothing is done while nobody listens. A reader that does not keep up loses
 * events, is told how many, and gets a fresh snapshot when it reads again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/api_int.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/xmalloc.h"

#define BATCH_MS 100
#define TICK_MS 1000
#define HEARTBEAT_MS 15000
#define KEEP_BYTES ((size_t)256 * 1024)	/* of past events */
#define KEEP_EVENTS 512
#define READERS_MAX 64
#define ACTIONS_MAX 32

#define D_ENGINE 1u
#define D_REQUEST 2u
#define D_GAUGES 4u
#define D_LOG 8u
#define D_ALL_REQUESTS 16u	/* also those of which only the figures moved */

struct reader {
	TAILQ_ENTRY(reader) link;
	struct hub *hub;
	struct http_req *req;
	int viewer;		/* 0: did not say who it is */
	char *name;		/* (owned) */
	bool foreground;
	bool behind;		/* gets nothing until it has read; then a snapshot */
	uint64_t lost;
};
TAILQ_HEAD(readers, reader);

struct past {
	uint64_t seq;
	char *text;		/* (owned) as sent */
	size_t n;
};

/* What was last told of an engine or a request. */
struct told {
	uint64_t id, key, all;
	bool seen;
};

struct hub {
	struct api *api;
	struct readers readers;
	int nreaders, nviewers, last_viewer;
	uint64_t seq;
	unsigned dirty;
	bool missed;		/* things happened while nobody listened */
	bool fresh;		/* everybody is to get a new snapshot */
	bool deferred;
	struct timer batch, tick, heartbeat;
	uint64_t last_batch;
	struct strbuf out;	/* (owned) the batch being put together */
	uint64_t nout;		/* events in it */
	struct past past[KEEP_EVENTS];
	size_t npast, past_bytes;
	struct told *engines, *requests;	/* (owned) */
	size_t nengines, nrequests;
	uint64_t gauges, log_next;
	char *actions[ACTIONS_MAX];	/* (owned) data of action events to be sent */
	size_t nactions;
	char *shutdown;			/* (owned) data of the shutdown event to be sent */
};

static void flush(struct hub *h);

static uint64_t
hash(const char *s, size_t n)
{
	uint64_t x = 14695981039346656037u;

	for (size_t i = 0; i < n; i++)
		x = (x ^ (unsigned char)s[i]) * 1099511628211u;
	return x;
}

/* sending -------------------------------------------------------------------------------------------------------- */

static void
put_event(struct strbuf *b, const char *name, uint64_t seq, const char *data)
{
	if (seq != 0)
		strbuf_printf(b, "id: %llu\n", (unsigned long long)seq);
	strbuf_printf(b, "event: %s\ndata: ", name);
	strbuf_puts(b, data);
	strbuf_puts(b, "\n\n");
}

static void
forget_oldest(struct hub *h)
{
	h->past_bytes -= h->past[0].n;
	free(h->past[0].text);
	h->npast--;
	memmove(&h->past[0], &h->past[1], h->npast * sizeof(h->past[0]));
}

static void
forget_all(struct hub *h)
{
	while (h->npast != 0)
		forget_oldest(h);
}

/* A numbered event: into the batch and among the past ones. */
static void
emit(struct hub *h, const char *name, const char *data)
{
	size_t start = h->out.len;
	struct past *p;

	put_event(&h->out, name, ++h->seq, data);
	h->nout++;
	while (h->npast == KEEP_EVENTS || (h->npast != 0 && h->past_bytes + h->out.len - start > KEEP_BYTES))
		forget_oldest(h);
	p = &h->past[h->npast++];
	p->seq = h->seq;
	p->n = h->out.len - start;
	p->text = xstrndup(h->out.p + start, p->n);
	h->past_bytes += p->n;
}

static void
send_to(struct reader *r, const struct strbuf *b)
{
	r->behind = http_reply_body(r->req, strbuf_str(b), b->len) > HTTP_HIGH_WATER;
	http_reply_flush(r->req);
}

static void
send_batch(struct hub *h)
{
	struct reader *r;

	TAILQ_FOREACH(r, &h->readers, link) {
		if (r->behind)
			r->lost += h->nout;
		else if (h->out.len != 0)
			send_to(r, &h->out);
	}
	strbuf_clear(&h->out);
	h->nout = 0;
}

static void
send_snapshot(struct reader *r)
{
	struct strbuf data = STRBUF_INIT, b = STRBUF_INIT;
	uint64_t now = clock_ms();
	struct view v;

	api_view_fill(r->hub->api, &v, now);
	v.viewer_id = r->viewer;
	v.viewer_name = xstrdup0(r->name);
	v.lost = r->lost;
	view_put_snapshot(&data, &v, now);
	view_fini(&v);
	put_event(&b, "snapshot", r->hub->seq, strbuf_str(&data));
	r->lost = 0;
	send_to(r, &b);
	strbuf_fini(&data);
	strbuf_fini(&b);
}

/* differences ---------------------------------------------------------------------------------------------------- */

static struct told *
told_find(struct told *t, size_t n, uint64_t id)
{
	for (size_t i = 0; i < n; i++)
		if (t[i].id == id)
			return &t[i];
	return NULL;
}

static void
diff_engines(struct hub *h, struct view *v, uint64_t now, bool quiet)
{
	struct strbuf b = STRBUF_INIT;

	for (size_t i = 0; i < v->nengines; i++) {
		struct view_engine *e = &v->engines[i];
		uint64_t id = hash(e->id, strlen(e->id)), rss = e->rss, cpu = e->cpu_permille, all;
		struct told *t = told_find(h->engines, h->nengines, id);

		/* Use of memory and CPU goes with the gauges. */
		e->rss = e->cpu_permille = 0;
		strbuf_clear(&b);
		view_put_engine(&b, e, 0);
		all = hash(strbuf_str(&b), b.len);
		e->rss = rss;
		e->cpu_permille = cpu;
		if (t != NULL && t->all == all)
			continue;
		if (t == NULL) {
			h->engines = xreallocarray(h->engines, h->nengines + 1, sizeof(*t));
			t = &h->engines[h->nengines++];
			t->id = id;
		}
		t->all = all;
		if (quiet)
			continue;
		strbuf_clear(&b);
		view_put_engine(&b, e, now);
		emit(h, "engine", strbuf_str(&b));
	}
	strbuf_fini(&b);
}

static struct told
told_request(const struct view_request *r)
{
	struct told t = {.id = r->id};

	t.key = (uint64_t)r->phase * 100003 + (uint64_t)r->position;
	t.key = t.key * 31 + (r->model != NULL ? hash(r->model, strlen(r->model)) : 0);
	t.all = t.key ^ (r->bytes_out * 1099511628211u) ^ (r->bytes_in << 40) ^ ((uint64_t)r->tokens_out << 20) ^
	    (uint64_t)(r->tokens_per_second * 1000);
	return t;
}

static void
emit_gone(struct hub *h, uint64_t id, uint64_t now)
{
	const struct view_request gone = {.id = id, .phase = REQ_DONE, .tokens_in = -1, .tokens_out = -1,
	    .tokens_per_second = -1};
	struct strbuf b = STRBUF_INIT;

	view_put_request(&b, &gone, now);
	emit(h, "request", strbuf_str(&b));
	strbuf_fini(&b);
}

/* Both lists are in order of id. */
static void
diff_requests(struct hub *h, const struct view *v, uint64_t now, bool quiet, bool all)
{
	struct told *fresh = xcalloc(v->nrequests + 1, sizeof(*fresh));
	struct strbuf b = STRBUF_INIT;
	size_t k = 0;

	for (size_t i = 0; i < v->nrequests; i++) {
		bool same = false;

		for (; k < h->nrequests && h->requests[k].id < v->requests[i].id; k++)
			if (!quiet)
				emit_gone(h, h->requests[k].id, now);
		fresh[i] = told_request(&v->requests[i]);
		if (k < h->nrequests && h->requests[k].id == fresh[i].id) {
			same = h->requests[k].key == fresh[i].key && (!all || h->requests[k].all == fresh[i].all);
			if (same && !all)
				fresh[i] = h->requests[k];
			k++;
		}
		if (same || quiet)
			continue;
		strbuf_clear(&b);
		view_put_request(&b, &v->requests[i], now);
		emit(h, "request", strbuf_str(&b));
	}
	for (; k < h->nrequests && !quiet; k++)
		emit_gone(h, h->requests[k].id, now);
	free(h->requests);
	h->requests = fresh;
	h->nrequests = v->nrequests;
	strbuf_fini(&b);
}

static void
diff_gauges(struct hub *h, const struct view *v, uint64_t now, bool quiet)
{
	struct strbuf b = STRBUF_INIT;
	uint64_t all;

	view_put_gauges(&b, v, 0);
	all = hash(strbuf_str(&b), b.len);
	if (all != h->gauges && !quiet) {
		strbuf_clear(&b);
		view_put_gauges(&b, v, now);
		emit(h, "gauges", strbuf_str(&b));
	}
	h->gauges = all;
	strbuf_fini(&b);
}

static void
emit_waiting(struct hub *h)
{
	for (size_t i = 0; i < h->nactions; i++) {
		emit(h, "action", h->actions[i]);
		free(h->actions[i]);
	}
	h->nactions = 0;
	if (h->shutdown != NULL) {
		emit(h, "shutdown", h->shutdown);
		free(h->shutdown);
		h->shutdown = NULL;
	}
}

static void
diff_log(struct hub *h, bool quiet)
{
	uint64_t next = ring_next(h->api->o.ring);
	struct strbuf b = STRBUF_INIT;

	if (next != h->log_next && !quiet) {
		view_put_log(&b, next);
		emit(h, "log", strbuf_str(&b));
	}
	h->log_next = next;
	strbuf_fini(&b);
}

/* quiet: only to know what a snapshot tells at the same moment. */
static void
compare(struct hub *h, bool quiet)
{
	unsigned dirty = quiet ? ~0u : h->dirty;
	uint64_t now = clock_ms();
	struct view v;

	h->dirty = 0;
	view_init(&v);
	if ((dirty & (D_ENGINE | D_GAUGES | D_LOG)) != 0)
		api_view_engines(h->api, &v, now);
	if ((dirty & (D_ENGINE | D_LOG)) != 0)
		diff_engines(h, &v, now, quiet);
	if ((dirty & (D_REQUEST | D_ALL_REQUESTS)) != 0) {
		api_view_requests(h->api, &v);
		diff_requests(h, &v, now, quiet, (dirty & D_ALL_REQUESTS) != 0);
	}
	if ((dirty & D_GAUGES) != 0) {
		api_view_gauges(h->api, &v, now);
		diff_gauges(h, &v, now, quiet);
	}
	if ((dirty & D_LOG) != 0)
		diff_log(h, quiet);
	view_fini(&v);
}

/* Models may have left, which no single event tells: what came before cannot be resumed. */
static void
send_fresh(struct hub *h)
{
	struct reader *r;

	h->fresh = false;
	h->seq++;
	forget_all(h);
	compare(h, true);
	TAILQ_FOREACH(r, &h->readers, link)
		if (!r->behind)
			send_snapshot(r);
}

static void
flush(struct hub *h)
{
	h->last_batch = clock_ms();
	if (h->nreaders == 0) {
		h->missed = true;
		return;
	}
	compare(h, false);
	emit_waiting(h);
	send_batch(h);
	if (h->fresh)
		send_fresh(h);
}

/* when ----------------------------------------------------------------------------------------------------------- */

static void
on_deferred(void *arg)
{
	struct hub *h = arg;

	h->deferred = false;
	flush(h);
}

static void
on_batch(void *arg)
{
	flush(arg);
}

/* The first change after a quiet time goes out at the end of this turn, the next ones together. */
static void
soon(struct hub *h)
{
	uint64_t since;

	if (h->deferred || timer_armed(&h->batch))
		return;
	since = clock_ms() - h->last_batch;
	if (since >= BATCH_MS) {
		h->deferred = true;
		loop_defer(h->api->o.loop, on_deferred, h);
	} else {
		timer_set(&h->batch, BATCH_MS - since);
	}
}

/* At the end of this turn: for what must not be merged with what follows. */
static void
at_once(struct hub *h)
{
	if (h->nreaders == 0 || h->deferred)
		return;
	timer_stop(&h->batch);
	h->deferred = true;
	loop_defer(h->api->o.loop, on_deferred, h);
}

static void
mark(struct hub *h, unsigned what)
{
	if (h->nreaders == 0) {
		h->missed = true;
		return;
	}
	h->dirty |= what;
	soon(h);
}

/* One second: history, and the figures for those who look. */
static void
on_tick(void *arg)
{
	struct hub *h = arg;
	struct api *a = h->api;
	struct view v;
	uint64_t now = clock_ms();
	struct proxy_totals t = {0};

	if (h->nreaders != 0)
		api_sample(a, now);
	view_init(&v);
	api_view_engines(a, &v, now);
	api_view_gauges(a, &v, now);
	view_hist_push(&a->hist, now, v.tps, v.rss);
	view_fini(&v);
	proxy_totals(a->o.proxy, &t);
	mark(h, D_GAUGES | D_ALL_REQUESTS | D_ENGINE);
	if (h->nreaders != 0 || router_in_flight(a->o.router) != 0 || t.tokens_per_second > 0)
		timer_set(&h->tick, TICK_MS);
}

static void
on_heartbeat(void *arg)
{
	struct hub *h = arg;
	struct reader *r;

	TAILQ_FOREACH(r, &h->readers, link) {
		if (r->behind)
			continue;
		http_reply_body(r->req, ": heartbeat\n\n", 13);
		http_reply_flush(r->req);
	}
	timer_set(&h->heartbeat, HEARTBEAT_MS);
}

void
hub_bus(struct hub *h, const struct bus_event *e)
{
	struct strbuf b = STRBUF_INIT;

	switch (e->kind) {
	case BUS_ENGINE:
		mark(h, D_ENGINE | D_GAUGES);
		/* Changes of state are few, and a short one is told too. */
		if (e->from != e->to)
			at_once(h);
		break;
	case BUS_REQUEST:
		if (!timer_armed(&h->tick))
			timer_set(&h->tick, TICK_MS);
		mark(h, D_REQUEST);
		break;
	case BUS_ACTION:
		mark(h, D_GAUGES);
		if (h->nreaders == 0 || h->nactions == ACTIONS_MAX)
			break;
		view_put_action(&b, e->who, e->text);
		h->actions[h->nactions++] = strbuf_take(&b);
		break;
	case BUS_SHUTDOWN:
		mark(h, D_ENGINE | D_GAUGES);
		if (h->nreaders == 0)
			break;
		view_put_shutdown(&b, e->text != NULL ? e->text : "");
		free(h->shutdown);
		h->shutdown = strbuf_take(&b);
		break;
	case BUS_CONFIG:
		hub_refresh(h);
		break;
	case BUS_LOG:	/* told by the ring itself */
	case BUS_NKINDS:
		break;
	}
}

void
hub_log(struct hub *h)
{
	mark(h, D_LOG);
}

/* readers -------------------------------------------------------------------------------------------------------- */

static void
reader_free(struct reader *r)
{
	struct hub *h = r->hub;

	TAILQ_REMOVE(&h->readers, r, link);
	h->nreaders--;
	if (r->viewer != 0)
		h->nviewers--;
	free(r->name);
	free(r);
	if (h->nreaders != 0) {
		mark(h, D_GAUGES);
		return;
	}
	timer_stop(&h->heartbeat);
	timer_stop(&h->batch);
	if (router_in_flight(h->api->o.router) == 0)
		timer_stop(&h->tick);
	if (h->dirty != 0 || h->nactions != 0)
		h->missed = true;
}

static void
on_gone(void *arg, enum http_close why)
{
	(void)why;
	reader_free(arg);
}

static void
on_writable(void *arg)
{
	struct reader *r = arg;

	if (r->behind)
		send_snapshot(r);
}

static void
on_body(void *arg, const char *p, size_t n)
{
	(void)arg;
	(void)p;
	(void)n;
}

static void
on_end(void *arg)
{
	(void)arg;
}

/* X-Mai-Viewer: user,tty,foreground|attached */
static void
name_viewer(struct reader *r, struct http_str v)
{
	struct strbuf b = STRBUF_INIT;
	size_t user = 0;

	while (user < v.n && v.p[user] != ',')
		user++;
	r->foreground = v.n > 11 && memcmp(v.p + v.n - 11, ",foreground", 11) == 0;
	r->viewer = ++r->hub->last_viewer;
	r->hub->nviewers++;
	if (!r->foreground)
		strbuf_printf(&b, "attach#%d%s", r->viewer, user != 0 ? " " : "");
	text_clean(&b, v.p, user, 64);
	r->name = strbuf_take(&b);
}

/* Whether all events after since are still there. */
static bool
still_there(const struct hub *h, uint64_t since)
{
	if (since == h->seq)
		return true;
	return since < h->seq && h->npast != 0 && h->past[0].seq <= since + 1;
}

static void
greet(struct reader *r, uint64_t since)
{
	struct hub *h = r->hub;
	struct strbuf b = STRBUF_INIT, data = STRBUF_INIT;
	struct view v;

	view_init(&v);
	api_view_rest(h->api, &v);
	v.viewer_id = r->viewer;
	v.viewer_name = xstrdup0(r->name);
	view_put_hello(&data, &v, clock_ms());
	view_fini(&v);
	put_event(&b, "hello", 0, strbuf_str(&data));
	if (since != 0 && still_there(h, since))
		for (size_t i = 0; i < h->npast; i++)
			if (h->past[i].seq > since)
				strbuf_add(&b, h->past[i].text, h->past[i].n);
	send_to(r, &b);
	strbuf_fini(&b);
	strbuf_fini(&data);
	if (since == 0 || !still_there(h, since))
		send_snapshot(r);
}

/* The first reader after a pause: the past events are no longer the whole story. */
static void
wake(struct hub *h)
{
	if (h->missed) {
		h->missed = false;
		h->seq++;
		forget_all(h);
	}
	api_sample(h->api, clock_ms());
	compare(h, true);
	timer_set(&h->heartbeat, HEARTBEAT_MS);
	if (!timer_armed(&h->tick))
		timer_set(&h->tick, TICK_MS);
}

static uint64_t
asked_since(const struct api_req *q, bool *bad)
{
	const struct http_field *f = http_field_find(http_req_head(q->req), "last-event-id");
	char num[24];
	uint64_t since;

	*bad = !api_param_u64(q, "since", 0, &since);
	if (since != 0 || *bad || f == NULL || f->value.n == 0 || f->value.n > 18)
		return since;
	memcpy(num, f->value.p, f->value.n);
	num[f->value.n] = '\0';
	return strspn(num, "0123456789") == f->value.n ? strtoull(num, NULL, 10) : 0;
}

void
api_get_events(struct api *a, struct api_req *q)
{
	static const struct http_req_ops ops = {.body = on_body, .end = on_end, .writable = on_writable,
	    .gone = on_gone};
	const struct http_field *f = http_field_find(http_req_head(q->req), "x-mai-viewer");
	struct hub *h = a->hub;
	struct strbuf fields = STRBUF_INIT;
	struct reader *r;
	bool bad;
	uint64_t since = asked_since(q, &bad);

	if (bad || h->nreaders == READERS_MAX) {
		api_fail(a, q->req, bad ? 400 : 503, bad ? "since is no number" : "Too many event streams", "bad_request",
		    NULL, false);
		return;
	}
	if (http_str_eq(http_req_head(q->req)->method, "HEAD")) {
		api_reply(q->req, 200, "text/event-stream; charset=utf-8", NULL, "", 0);
		return;
	}
	if (h->nreaders == 0)
		wake(h);
	else
		flush(h);
	r = xcalloc(1, sizeof(*r));
	r->hub = h;
	r->req = q->req;
	if (f != NULL)
		name_viewer(r, f->value);
	TAILQ_INSERT_TAIL(&h->readers, r, link);
	h->nreaders++;
	http_put_field(&fields, "Content-Type", "text/event-stream; charset=utf-8");
	http_put_field(&fields, "X-Accel-Buffering", "no");
	api_put_fields(&fields);
	http_req_attach(r->req, &ops, r);
	http_reply_start(r->req, 200, &fields, HTTP_LENGTH_CHUNKED);
	strbuf_fini(&fields);
	greet(r, since);
	mark(h, D_GAUGES);
}

/* life ----------------------------------------------------------------------------------------------------------- */

struct hub *
hub_new(struct api *a)
{
	struct hub *h = xcalloc(1, sizeof(*h));

	h->api = a;
	TAILQ_INIT(&h->readers);
	/* Numbers of an earlier core are always smaller, so that they are never taken for this one's. */
	h->seq = clock_wall_ms();
	timer_init(&h->batch, a->o.loop, on_batch, h);
	timer_init(&h->tick, a->o.loop, on_tick, h);
	timer_init(&h->heartbeat, a->o.loop, on_heartbeat, h);
	return h;
}

void
hub_free(struct hub **hp)
{
	struct hub *h = *hp;
	struct reader *r;

	if (h == NULL)
		return;
	if (h->nreaders != 0)
		flush(h);
	while ((r = TAILQ_FIRST(&h->readers)) != NULL) {
		http_reply_end(r->req);
		reader_free(r);
	}
	timer_stop(&h->batch);
	timer_stop(&h->tick);
	timer_stop(&h->heartbeat);
	loop_undefer(h->api->o.loop, h);
	forget_all(h);
	for (size_t i = 0; i < h->nactions; i++)
		free(h->actions[i]);
	free(h->shutdown);
	free(h->engines);
	free(h->requests);
	strbuf_fini(&h->out);
	free(h);
	*hp = NULL;
}

int
hub_viewers(const struct hub *h)
{
	return h->nviewers;
}

uint64_t
hub_seq(const struct hub *h)
{
	return h->seq;
}

const char *
hub_viewer_name(const struct hub *h, int id, bool *foreground)
{
	const struct reader *r;

	TAILQ_FOREACH(r, &h->readers, link) {
		if (id == 0 || r->viewer != id)
			continue;
		if (foreground != NULL)
			*foreground = r->foreground;
		return r->name;
	}
	return NULL;
}

void
hub_refresh(struct hub *h)
{
	if (h->nreaders == 0) {
		h->missed = true;
		return;
	}
	h->fresh = true;
	at_once(h);
}
