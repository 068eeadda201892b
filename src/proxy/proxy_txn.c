/* SPDX-License-Identifier: ISC
 * A request from its head to its engine: read within bounds, its model found, routed, held while there is no engine. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "proxy/proxy_priv.h"

#define STARVE_TIME 10000	/* ms an upload waits for memory */
#define SPLICE_ROOM 80		/* for what proxy_body_edit usually adds */
#define FIRST_ROOM ((size_t)1024 * 1024)	/* at most, for a body that was only announced */

/* life --------------------------------------------------------------------------------------------------------- */

void
txn_drop_body(struct txn *t)
{
	struct proxy *p = t->p;

	strbuf_fini(&t->body);
	strbuf_fini(&t->head);
	p->body_bytes -= t->charged;
	t->charged = 0;
	if (p->starved)
		proxy_fed(p);
}

void
txn_free(struct txn *t)
{
	struct proxy *p = t->p;

	/* Off the list first: the last request of a draining engine lets it stop, and that is told to all that are listed. */
	if (t->prev != NULL)
		t->prev->next = t->next;
	else
		p->first = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	else
		p->last = t->prev;
	timer_stop(&t->timer);
	http_xfer_cancel(&t->xfer);
	router_done(&t->ticket);
	txn_drop_body(t);
	strbuf_fini(&t->fields);
	proxy_usage_fini(&t->usage);
	strbuf_fini(&t->whole);
	if (t->rewriting)
		proxy_rewrite_fini(&t->rewrite);
	conf_unref(&t->conf);
	free(t->asked);
	free(t);
}

void
txn_finish(struct txn *t, bool abort)
{
	struct http_req *req = t->req;

	note_end(t, t->status);
	t->req = NULL;
	if (req != NULL && abort)
		http_reply_abort(req);
	else if (req != NULL)
		http_reply_end(req);
	txn_free(t);
}

void
txn_fail(struct txn *t, int status, const struct proxy_fault *f)
{
	struct http_req *req = t->req;
	struct strbuf extra = STRBUF_INIT;

	if (req != NULL && t->opened)
		txn_error_event(t, status, f);
	note_end(t, status);
	t->req = NULL;
	if (req != NULL && t->opened) {
		http_reply_abort(req);
	} else if (req != NULL) {
		if (t->pm != NULL)
			http_put_field(&extra, "X-Mai-Model", t->pm->id);
		http_put_field(&extra, "X-Request-Id", t->rid);
		proxy_error_send(req, status, f, &extra);
		strbuf_fini(&extra);
	}
	txn_free(t);
}

static void
fail_plain(struct txn *t, int status, const char *code, const char *message)
{
	const struct proxy_fault f = {.code = code, .message = message, .attempt = -1};

	txn_fail(t, status, &f);
}

static void
on_timer(void *arg)
{
	struct txn *t = arg;
	const struct proxy_fault f = {
		.code = "queue_full", .message = "too many request bodies are held: there is no memory for another one",
		.attempt = -1, .retry_after = 5,
	};

	if ((t->hangup || t->req == NULL) && t->xfer != NULL)
		txn_hang_up(t);
	else if (t->deciding)
		txn_decide(t);
	else if (t->paused)
		txn_fail(t, 503, &f);
	else if (t->begun)
		router_done(&t->ticket);	/* its engine is gone: a client that reads slowly is no business of the next one */
}

/* routing ------------------------------------------------------------------------------------------------------ */

struct refusal {
	int status;
	const char *code, *message;
};

static const struct refusal refusals[] = {
	[REFUSE_NONE] = {502, "bad_gateway", "there is no engine"},
	[REFUSE_NOT_FOUND] = {404, "model_not_found", NULL},
	[REFUSE_CONFLICT] = {409, "model_conflict", "there is no room for the model"},
	[REFUSE_QUEUE_FULL] = {503, "queue_full", "too many requests wait for this model"},
	[REFUSE_QUEUE_TIMEOUT] = {503, "queue_timeout", "the model did not become ready in time"},
	[REFUSE_FAILED] = {503, "engine_failed", "the model's engine does not start"},
	[REFUSE_STOPPED] = {503, "engine_failed", "the model was stopped"},
	[REFUSE_SHUTDOWN] = {503, "shutting_down", "mai is shutting down"},
};

void
txn_name_models(struct strbuf *b, const struct txn *t)
{
	const struct conf *c = router_conf(t->p->o.router);
	const char *before = "; configured:";

	b->max = 2048;
	for (size_t i = 0; i < c->nmodels; i++) {
		if (c->models[i]->unlisted)
			continue;
		strbuf_printf(b, "%s %s", before, c->models[i]->id);
		before = ",";
	}
}

static const char *
refused_state(enum router_refusal r)
{
	switch (r) {
	case REFUSE_FAILED:
		return "failed";
	case REFUSE_STOPPED:
		return "stopped";
	case REFUSE_QUEUE_TIMEOUT:
		return "starting";
	case REFUSE_NONE:
	case REFUSE_NOT_FOUND:
	case REFUSE_CONFLICT:
	case REFUSE_QUEUE_FULL:
	case REFUSE_SHUTDOWN:
		break;
	}
	return NULL;
}

static void
refused(struct txn *t, const struct router_answer *a)
{
	const struct refusal *r = &refusals[(unsigned)a->refusal < ARRAY_LEN(refusals) ? a->refusal : REFUSE_NONE];
	struct strbuf text = STRBUF_INIT;
	struct proxy_fault f = {
		.code = r->code, .message = r->message, .state = refused_state(a->refusal), .cause = a->cause,
		.attempt = -1, .retry_after = a->retry_after,
	};

	if (a->model != NULL)
		t->pm = proxy_model_get(t->p, a->model->id);
	if (t->pm != NULL)
		f.model = t->pm->id;
	if (a->refusal == REFUSE_NOT_FOUND) {
		strbuf_printf(&text, "there is no model \"%s\"", t->name);
		txn_name_models(&text, t);
		f.message = strbuf_str(&text);
		f.model = t->name;
	}
	/* Clients show nothing but the message. */
	if (a->refusal == REFUSE_CONFLICT && a->cause[0] != '\0') {
		strbuf_printf(&text, "there is no room for %s: %s", t->pm != NULL ? t->pm->id : t->name, a->cause);
		f.message = strbuf_str(&text);
	}
	if (r->status == 503 && f.retry_after == 0)
		f.retry_after = a->refusal == REFUSE_FAILED ? 60 : 5;
	t->waited_ms += a->waited_ms;
	txn_fail(t, r->status, &f);
	strbuf_fini(&text);
}

static void
on_answer(void *arg, const struct router_answer *a)
{
	struct txn *t = arg;

	if (a->refusal != REFUSE_NONE)
		refused(t, a);
	else
		txn_forward(t, a);
}

void
txn_follow(struct txn *t)
{
	const char *id = t->ticket != NULL && t->phase == REQ_QUEUED ? router_ticket_model(t->ticket) : NULL;

	if (id != NULL && (t->pm == NULL || strcmp(t->pm->id, id) != 0))
		t->pm = proxy_model_get(t->p, id);
}

void
txn_submit(struct txn *t)
{
	struct router_answer now = {.refusal = REFUSE_NONE};
	const char *name = t->asked != NULL ? t->asked : t->name[0] != '\0' ? t->name : NULL;
	bool waits = false;

	t->ticket = router_submit(t->p->o.router, name, on_answer, t, &now, &waits);
	if (t->ticket != NULL && t->untimed)
		router_untimed(t->ticket);
	if (waits) {
		t->queued_at = clock_ms();
		t->phase = REQ_QUEUED;
		txn_follow(t);
		note_phase(t, REQ_QUEUED);
		hold_begin(t);
	} else if (t->ticket == NULL) {
		refused(t, &now);
	} else {
		txn_forward(t, &now);
	}
}

/* reading ------------------------------------------------------------------------------------------------------ */

static void
starve(struct txn *t)
{
	t->paused = true;
	t->p->starved = true;
	http_req_pause(t->req);
	timer_set(&t->timer, STARVE_TIME);
}

void
proxy_fed(struct proxy *p)
{
	uint64_t limit = router_conf(p->o.router)->body_memory;

	p->starved = false;
	for (struct txn *t = p->first; t != NULL; t = t->next) {
		if (!t->paused)
			continue;
		if (p->body_bytes >= limit) {
			p->starved = true;
			return;
		}
		t->paused = false;
		timer_stop(&t->timer);
		http_req_resume(t->req);
	}
}

/* Room for n more bytes of a body of known length: it grows with what came, not with what was promised, and ends to
 * the byte, not at the next power of two: there may be many. */
static void
body_room(struct txn *t, size_t n)
{
	uint64_t whole = http_req_head(t->req)->content_length + SPLICE_ROOM;
	size_t cap = t->body.cap;

	if (t->body.len + n < cap)
		return;
	while (cap <= t->body.len + n)
		cap *= 2;
	if (cap > whole)
		cap = (size_t)whole;
	t->body.p = xreallocarray(t->body.p, cap, 1);
	t->body.cap = cap;
}

static void
on_body(void *arg, const char *data, size_t n)
{
	struct txn *t = arg;
	struct proxy *p = t->p;
	uint64_t limit = router_conf(p->o.router)->body_memory;

	if (http_req_head(t->req)->framing == HTTP_BODY_LENGTH)
		body_room(t, n);
	strbuf_add(&t->body, data, n);
	if (t->body.full) {
		fail_plain(t, 413, "body_too_large", "the request body is larger than maxBody");
		return;
	}
	t->bytes_in += n;
	t->charged += n;
	p->body_bytes += n;
	if (t->json)
		proxy_scan(&t->scan, t->body.p, t->body.len);
	if (limit != 0 && p->body_bytes > limit && !t->paused)
		starve(t);
}

static void
on_end(void *arg)
{
	struct txn *t = arg;

	/* The last piece may have been one too many; it is here now. */
	if (t->paused) {
		t->paused = false;
		timer_stop(&t->timer);
	}
	route_body(t);
}

static void
on_writable(void *arg)
{
	txn_writable(arg);
}

static void
on_gone(void *arg, enum http_close why)
{
	struct txn *t = arg;

	(void)why;
	t->status = 499;
	note_end(t, 499);
	t->req = NULL;
	if (t->xfer != NULL && t->ticket != NULL && t->pm != NULL && t->conf != NULL) {
		const struct conf_model *m = conf_find(t->conf, t->pm->id);

		/* Engines that dislike a hang-up are read to the end, within bounds. */
		if (m != NULL && m->abort_drain) {
			timer_set(&t->timer, m->drain_timeout);
			http_xfer_resume(t->xfer);
			router_held(t->ticket, false);
			return;
		}
	}
	txn_free(t);
}

static const struct http_req_ops req_ops = {on_body, on_end, on_writable, on_gone};

static void
make_rid(struct txn *t)
{
	const struct http_field *f = http_field_find(http_req_head(t->req), "x-request-id");
	static const char hex[] = "0123456789abcdef";
	uint64_t v;

	if (f != NULL && f->value.n != 0 && f->value.n < sizeof(t->rid)) {
		memcpy(t->rid, f->value.p, f->value.n);
		t->rid[f->value.n] = '\0';
		return;
	}
	v = (uint64_t)t->p->salt << 32 | (t->id & 0xffffffff);
	for (int i = 15; i >= 0; i--, v >>= 4)
		t->rid[i] = hex[v & 15];
	t->rid[16] = '\0';
}

void
txn_begin(struct proxy *p, struct http_req *req, const struct proxy_path *path)
{
	const struct http_head *h = http_req_head(req);
	const struct conf *c = router_conf(p->o.router);
	struct txn *t = xcalloc(1, sizeof(*t));

	t->p = p;
	t->req = req;
	t->path = path;
	t->id = ++p->next_id;
	t->since = http_req_since(req);
	proxy_usage_init(&t->usage, false, path->ends);
	timer_init(&t->timer, p->o.loop, on_timer, t);
	t->prev = p->last;
	if (p->last != NULL)
		p->last->next = t;
	else
		p->first = t;
	p->last = t;
	make_rid(t);
	note_phase(t, REQ_READING);
	if (!route_begin(t))
		return;
	t->body.max = c->max_body;
	if (h->framing == HTTP_BODY_LENGTH) {
		if (c->max_body != 0 && h->content_length > c->max_body) {
			fail_plain(t, 413, "body_too_large", "the request body is larger than maxBody");
			return;
		}
		t->body.max = 0;
		t->body.cap = (h->content_length < FIRST_ROOM ? (size_t)h->content_length : FIRST_ROOM) + SPLICE_ROOM;
		t->body.p = xmalloc(t->body.cap);
		t->body.p[0] = '\0';
	}
	http_req_attach(req, &req_ops, t);
}
