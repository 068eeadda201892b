/* SPDX-License-Identifier: ISC
 * What is told: the view of now against what was last told of each engine and request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_hub.h"
#include "base/clock.h"
#include "base/xmalloc.h"

static uint64_t
hash(const char *s, size_t n)
{
	uint64_t x = 14695981039346656037u;

	for (size_t i = 0; i < n; i++)
		x = (x ^ (unsigned char)s[i]) * 1099511628211u;
	return x;
}

/* the batch -------------------------------------------------------------------------------------------------------- */

void
hub_put_event(struct strbuf *b, const char *name, uint64_t seq, const char *data)
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

void
hub_forget_past(struct hub *h)
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

	hub_put_event(&h->out, name, ++h->seq, data);
	h->nout++;
	while (h->npast == KEEP_EVENTS || (h->npast != 0 && h->past_bytes + h->out.len - start > KEEP_BYTES))
		forget_oldest(h);
	p = &h->past[h->npast++];
	p->seq = h->seq;
	p->n = h->out.len - start;
	p->text = xstrndup(h->out.p + start, p->n);
	h->past_bytes += p->n;
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
		double tps = e->tps;

		/* Use of memory and CPU, and tokens/s, go with the gauges. */
		e->rss = e->cpu_permille = 0;
		e->tps = -1;
		strbuf_clear(&b);
		view_put_engine(&b, e, 0);
		all = hash(strbuf_str(&b), b.len);
		e->rss = rss;
		e->cpu_permille = cpu;
		e->tps = tps;
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
	/* waited_ms grows while it waits, as its age does: no news before it was sent. */
	const uint64_t figures[] = {
		r->bytes_out, r->bytes_in, (uint64_t)r->tokens_out, (uint64_t)r->tokens_in, (uint64_t)r->prompt_done,
		(uint64_t)r->prompt_total, r->first_byte_at, r->phase == REQ_QUEUED ? 0 : r->waited_ms,
		(uint64_t)(int64_t)(r->tokens_per_second * 1000), r->estimated,
	};

	t.key = (uint64_t)r->phase * 100003 + (uint64_t)r->position;
	t.key = t.key * 31 + (r->model != NULL ? hash(r->model, strlen(r->model)) : 0);
	t.all = t.key ^ hash((const char *)figures, sizeof(figures));
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

void
hub_emit_waiting(struct hub *h)
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
void
hub_compare(struct hub *h, bool quiet)
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
