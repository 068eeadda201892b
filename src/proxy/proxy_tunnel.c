/* SPDX-License-Identifier: ISC
 * What follows a 101 (websockets): bytes both ways, each side held back by the other, until one of them ends. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "proxy/proxy_header.h"
#include "proxy/proxy_priv.h"

/* the engine's side --------------------------------------------------------------------------------------------- */

static void
on_engine_head(void *arg, const struct http_head *h)
{
}

static void
on_engine_bytes(void *arg, const char *p, size_t n)
{
	struct txn *t = arg;

	t->bytes_out += n;
	if (http_reply_body(t->req, p, n) > HTTP_HIGH_WATER)
		http_xfer_pause(t->xfer);
}

static void
on_engine_idle(void *arg)
{
	struct txn *t = arg;

	router_progress(t->ticket);
}

static void
on_engine_end(void *arg)
{
	struct txn *t = arg;

	t->xfer = NULL;
	txn_finish(t, false);
}

static void
on_engine_fail(void *arg, enum http_close why, bool received)
{
	struct txn *t = arg;

	t->xfer = NULL;
	txn_finish(t, true);
}

static void
on_engine_drained(void *arg)
{
	struct txn *t = arg;

	http_req_resume(t->req);
}

static const struct http_xfer_ops engine_ops = {
	on_engine_head, on_engine_bytes, on_engine_idle, on_engine_end, on_engine_fail, on_engine_drained,
};

/* the client's side --------------------------------------------------------------------------------------------- */

static void
on_client_bytes(void *arg, const char *p, size_t n)
{
	struct txn *t = arg;

	t->bytes_in += n;
	if (http_xfer_tunnel_send(t->xfer, p, n) > HTTP_HIGH_WATER)
		http_req_pause(t->req);
}

static void
on_client_writable(void *arg)
{
	struct txn *t = arg;

	http_xfer_resume(t->xfer);
}

static void
on_client_gone(void *arg, enum http_close why)
{
	struct txn *t = arg;

	note_end(t, t->status);
	t->req = NULL;
	txn_free(t);
}

static const struct http_req_ops client_ops = {on_client_bytes, NULL, on_client_writable, on_client_gone};

/* both ---------------------------------------------------------------------------------------------------------- */

/* It has no end of its own: while its engine drains it gets the time that a person's stop gives to requests, also where
 * the drain itself waits for as long as it takes. */
static void
let_end(struct txn *t)
{
	const struct conf_model *m = conf_find(router_conf(t->p->o.router), t->pm->id);

	t->hangup = true;
	timer_set(&t->timer, m != NULL ? m->drain_timeout : 0);
}

static bool
is_draining(const struct txn *t)
{
	struct router_row row;

	return router_row(t->p->o.router, t->pm->id, &row) && row.engine != NULL &&
	    engine_info(row.engine)->state == ENGINE_DRAINING;
}

void
tunnel_engine(struct proxy *p, const struct bus_event *e)
{
	bool drains = e->to == ENGINE_DRAINING && e->from != ENGINE_DRAINING;
	bool goes_on = e->to == ENGINE_READY && e->from == ENGINE_DRAINING;

	if (e->model == NULL || (!drains && !goes_on))
		return;
	for (struct txn *t = p->first; t != NULL; t = t->next) {
		if (!t->tunnel || strcmp(t->pm->id, e->model) != 0)
			continue;
		if (drains) {
			let_end(t);
		} else {
			t->hangup = false;
			timer_stop(&t->timer);
		}
	}
}

void
tunnel_begin(struct txn *t, const struct http_head *h)
{
	const struct proxy_header_info info = {.model = t->pm->id, .request_id = t->rid, .waited_ms = t->waited_ms};
	const struct proxy_fault f = {
		.code = "bad_gateway", .message = "the engine went over to a protocol that nobody asked for", .attempt = -1,
		.model = t->pm->id,
	};

	if (t->req == NULL)
		return;
	strbuf_clear(&t->fields);
	if (!proxy_header_switch(&t->fields, h, &info, t->upgrade)) {
		txn_fail(t, 502, &f);
		return;
	}
	if (t->rewriting)
		proxy_rewrite_fini(&t->rewrite);
	t->rewriting = false;
	t->status = h->status;
	t->begun = t->tunnel = true;
	t->first_byte_at = clock_ms();
	hold_end(t);
	router_held(t->ticket, true);	/* a silent tunnel is no stalled engine */
	http_reply_start(t->req, h->status, &t->fields, HTTP_LENGTH_NONE);
	http_req_tunnel(t->req);
	http_reply_flush(t->req);
	strbuf_fini(&t->fields);
	txn_drop_body(t);
	note_phase(t, REQ_GENERATING);
	http_req_attach(t->req, &client_ops, t);
	http_xfer_attach(t->xfer, &engine_ops, t);
	if (is_draining(t))
		let_end(t);
}
