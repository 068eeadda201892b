/* SPDX-License-Identifier: ISC
 * GET /api/events, the hub: what happens marks parts of the view dirty; a batch, at most one in 100 ms, compares the view
 * with what was last told and sends the differences. Nothing is done while nobody listens. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_hub.h"
#include "base/clock.h"
#include "base/xmalloc.h"

#define BATCH_MS 100
#define TICK_MS 1000
#define HEARTBEAT_MS 15000

static void
send_batch(struct hub *h)
{
	struct reader *r;

	TAILQ_FOREACH(r, &h->readers, link) {
		if (r->behind)
			r->lost += h->nout;
		else if (h->out.len != 0)
			reader_send(r, &h->out);
	}
	strbuf_clear(&h->out);
	h->nout = 0;
}

/* Models may have left, which no single event tells: what came before cannot be resumed. */
static void
send_fresh(struct hub *h)
{
	struct reader *r;

	h->fresh = false;
	h->seq++;
	hub_forget_past(h);
	hub_compare(h, true);
	TAILQ_FOREACH(r, &h->readers, link)
		if (!r->behind)
			reader_send_snapshot(r);
}

void
hub_flush(struct hub *h)
{
	h->last_batch = clock_ms();
	if (h->nreaders == 0) {
		h->missed = true;
		return;
	}
	hub_compare(h, false);
	hub_emit_waiting(h);
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
	hub_flush(h);
}

static void
on_batch(void *arg)
{
	hub_flush(arg);
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

void
hub_mark(struct hub *h, unsigned what)
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
	hub_mark(h, D_GAUGES | D_ALL_REQUESTS | D_ENGINE);
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
		hub_mark(h, D_ENGINE | D_GAUGES);
		/* Changes of state are few, and a short one is told too. */
		if (e->from != e->to)
			at_once(h);
		break;
	case BUS_REQUEST:
		if (!timer_armed(&h->tick))
			timer_set(&h->tick, TICK_MS);
		hub_mark(h, D_REQUEST);
		break;
	case BUS_ACTION:
		hub_mark(h, D_GAUGES);
		if (h->nreaders == 0 || h->nactions == ACTIONS_MAX)
			break;
		view_put_action(&b, e->who, e->text);
		h->actions[h->nactions++] = strbuf_take(&b);
		break;
	case BUS_SHUTDOWN:
		hub_mark(h, D_ENGINE | D_GAUGES);
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
hub_engines(struct hub *h)
{
	hub_mark(h, D_ENGINE);
}

void
hub_log(struct hub *h)
{
	hub_mark(h, D_LOG);
}

/* The first reader after a pause: the past events are no longer the whole story. */
void
hub_wake(struct hub *h)
{
	if (h->missed) {
		h->missed = false;
		h->seq++;
		hub_forget_past(h);
	}
	api_sample(h->api, clock_ms());
	hub_compare(h, true);
	timer_set(&h->heartbeat, HEARTBEAT_MS);
	if (!timer_armed(&h->tick))
		timer_set(&h->tick, TICK_MS);
}

void
hub_rest(struct hub *h)
{
	timer_stop(&h->heartbeat);
	timer_stop(&h->batch);
	if (router_in_flight(h->api->o.router) == 0)
		timer_stop(&h->tick);
	if (h->dirty != 0 || h->nactions != 0)
		h->missed = true;
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
		hub_flush(h);
	while ((r = TAILQ_FIRST(&h->readers)) != NULL) {
		http_reply_end(r->req);
		reader_free(r);
	}
	timer_stop(&h->batch);
	timer_stop(&h->tick);
	timer_stop(&h->heartbeat);
	loop_undefer(h->api->o.loop, h);
	hub_forget_past(h);
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
