/* SPDX-License-Identifier: ISC
 * The way to the engine and back. Nothing is sent on before the first byte of the answer's body: so that a crash before it
 * stays invisible to the client. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/json.h"
#include "proxy/proxy_filter.h"
#include "proxy/proxy_header.h"
#include "proxy/proxy_priv.h"

#define GATHER_MAX (64u << 10)
#define DECIDE_TIME 60	/* ms in which the engine's death becomes known */

/* the engine's end ---------------------------------------------------------------------------------------------- */

/* What a person needs to know of the engine's last exit. */
static void
fill_exit(struct txn *t, struct proxy_fault *f)
{
	struct router_row row;
	const struct engine_info *i;

	f->model = t->pm->id;
	if (!router_row(t->p->o.router, t->pm->id, &row) || row.engine == NULL)
		return;
	i = engine_info(row.engine);
	f->state = engine_state_name(i->state);
	if (i->last_exit == NULL || !i->last_exit->valid)
		return;
	f->exit = i->last_exit->text;
	f->cause = i->last_exit->cause;
	f->attempt = i->attempt;
}

static bool
crashed(enum engine_reason r)
{
	return r == REASON_CRASH || r == REASON_OOM || r == REASON_WEDGED || r == REASON_NONE;
}

static void
fail_gateway(struct txn *t, const char *message)
{
	struct proxy_fault f = {.code = "bad_gateway", .message = message, .attempt = -1, .model = t->pm->id};

	txn_fail(t, 502, &f);
}

static void cut_by_engine(struct txn *t);
static void complete(struct txn *t);

void
txn_decide(struct txn *t)
{
	struct proxy_fault f = {.attempt = -1};

	bool alive = t->pm->down_at < t->sent_at || t->pm->down_at == 0;

	t->deciding = false;
	timer_stop(&t->timer);
	if (t->unsure && alive) {
		complete(t);
		return;
	}
	if (t->begun) {
		cut_by_engine(t);
		return;
	}
	if (alive) {
		fail_gateway(t, "the engine closed the connection without an answer");
		return;
	}
	if (!crashed(t->pm->down_reason)) {
		f.code = t->pm->down_reason == REASON_SHUTDOWN ? "shutting_down" : "engine_failed";
		f.message = "the model was stopped before it answered";
		f.retry_after = 5;
		f.model = t->pm->id;
		txn_fail(t, 503, &f);
		return;
	}
	if (router_requeue(t->ticket)) {
		strbuf_clear(&t->fields);
		strbuf_clear(&t->head);
		note_phase(t, REQ_QUEUED);
		return;
	}
	fill_exit(t, &f);
	f.code = t->pm->down_reason == REASON_WEDGED ? "engine_wedged" : "engine_crashed";
	f.message = t->pm->down_reason == REASON_WEDGED ? "the engine hung" : "the engine died before it answered";
	txn_fail(t, 502, &f);
}

/* The event that a client of this API understands as an error. */
static void
error_event(struct txn *t, const struct proxy_fault *f, struct strbuf *b)
{
	bool messages = proxy_is_messages(http_req_url(t->req)->path);

	/* A half event must not swallow ours. */
	if (t->usage.keep.len != 0 || t->usage.skip || t->usage.open)
		strbuf_puts(b, "\n\n");
	if (strcmp(t->path->api, "responses") == 0) {
		struct jsonw w = JSONW(b);

		strbuf_puts(b, "event: response.failed\ndata: ");
		jw_obj(&w);
		jw_kstr(&w, "type", "response.failed");
		jw_key(&w, "response");
		jw_obj(&w);
		jw_kstr(&w, "status", "failed");
		jw_key(&w, "error");
		jw_obj(&w);
		jw_kstr(&w, "code", f->code);
		jw_kstr(&w, "message", f->message);
		jw_obj_end(&w);
		jw_obj_end(&w);
		jw_obj_end(&w);
	} else {
		strbuf_puts(b, messages ? "event: error\ndata: " : "data: ");
		proxy_error_json(b, messages, 502, f);
	}
	strbuf_puts(b, "\n\n");
}

void
txn_cut(struct txn *t, const struct proxy_fault *f)
{
	struct strbuf b = STRBUF_INIT;

	t->cut = true;
	if (t->rewriting)
		proxy_rewrite_end(&t->rewrite);
	if (t->sse && t->req != NULL) {
		error_event(t, f, &b);
		http_reply_body(t->req, b.p, b.len);
		strbuf_fini(&b);
	}
	txn_finish(t, true);
}

static void
cut_by_engine(struct txn *t)
{
	struct proxy_fault f = {.code = "engine_crashed", .attempt = -1};

	fill_exit(t, &f);
	f.message = "the engine ended in the middle of its answer";
	/* Unless it is known to have died, its last exit is an older story. */
	if (t->pm->down_at < t->sent_at)
		f.exit = f.cause = f.state = NULL;
	txn_cut(t, &f);
}

/* A connection ends a moment before the process is known to be dead: what it was is told a little later. */
static void
decide_soon(struct txn *t)
{
	if (!t->unsure)
		router_suspect(t->ticket);
	t->deciding = true;
	timer_set(&t->timer, t->pm->down_at >= t->sent_at ? 0 : DECIDE_TIME);
}

void
txn_hang_up(struct txn *t)
{
	struct proxy_fault f = {.attempt = -1, .model = t->pm->id};

	http_xfer_cancel(&t->xfer);
	if (t->req == NULL) {
		txn_free(t);
		return;
	}
	if (!t->begun) {
		txn_decide(t);
		return;
	}
	f.code = crashed(t->pm->down_reason) ? "engine_crashed" :
	    t->pm->down_reason == REASON_SHUTDOWN ? "shutting_down" : "engine_failed";
	f.message = "the engine was stopped in the middle of its answer";
	txn_cut(t, &f);
}

/* the answer ---------------------------------------------------------------------------------------------------- */

static void
emit(void *arg, const char *p, size_t n)
{
	struct txn *t = arg;

	if (t->gathering) {
		strbuf_add(&t->whole, p, n);
		return;
	}
	t->bytes_out += n;
	if (http_reply_body(t->req, p, n) > HTTP_HIGH_WATER && t->xfer != NULL)
		http_xfer_pause(t->xfer);
}

void
txn_writable(struct txn *t)
{
	if (t->xfer != NULL)
		http_xfer_resume(t->xfer);
}

static void
begin(struct txn *t)
{
	t->begun = true;
	t->first_byte_at = clock_ms();
	http_reply_start(t->req, t->status, &t->fields, t->length);
	http_reply_cork(t->req);
	strbuf_fini(&t->fields);
	txn_drop_body(t);
	note_phase(t, REQ_GENERATING);
}

static bool
is_json(const struct http_head *h)
{
	const struct http_field *f = http_field_find(h, "content-type");

	return f != NULL && f->value.n >= 16 && strncasecmp(f->value.p, "application/json", 16) == 0;
}

static bool
may_name_model(const struct http_head *h)
{
	const struct http_field *f = http_field_find(h, "content-type");

	return is_json(h) || (f != NULL && f->value.n >= 17 && strncasecmp(f->value.p, "text/event-stream", 17) == 0);
}

/* The length the client is told. */
static int64_t
answer_length(const struct txn *t, const struct http_head *h)
{
	const struct http_field *f;

	if (t->rewriting && h->framing != HTTP_BODY_NONE && !t->gathering)
		return HTTP_LENGTH_CHUNKED;
	switch (h->framing) {
	case HTTP_BODY_LENGTH:
		return (int64_t)h->content_length;
	case HTTP_BODY_CHUNKED:
	case HTTP_BODY_CLOSE:
		return HTTP_LENGTH_CHUNKED;
	case HTTP_BODY_NONE:
		break;
	}
	if (!http_str_eq(http_req_head(t->req)->method, "HEAD"))
		return h->status == 204 || h->status == 304 ? HTTP_LENGTH_NONE : 0;
	f = http_field_find(h, "content-length");
	return f != NULL ? strtoll(f->value.p, NULL, 10) : HTTP_LENGTH_CHUNKED;
}

static void
on_head(void *arg, const struct http_head *h)
{
	struct txn *t = arg;
	struct proxy_header_info info = {
		.model = t->pm->id, .request_id = t->rid, .waited_ms = t->waited_ms, .chat = t->path->chat,
	};

	if (t->req == NULL)
		return;
	t->status = h->status;
	strbuf_clear(&t->fields);
	t->sse = proxy_header_answer(&t->fields, h, &info);
	t->close_delimited = h->framing == HTTP_BODY_CLOSE;
	proxy_usage_fini(&t->usage);
	proxy_usage_init(&t->usage, t->sse);
	t->usage.follow = t->close_delimited && !t->sse && is_json(h);
	if (t->rewriting && !may_name_model(h)) {
		t->rewriting = false;
		proxy_rewrite_fini(&t->rewrite);
	}
	/* A short answer is kept until it is whole, so that it can be told with its length. */
	t->gathering = t->rewriting && !t->sse && h->framing == HTTP_BODY_LENGTH && h->content_length <= GATHER_MAX;
	t->length = answer_length(t, h);
}

static void
gathered(struct txn *t)
{
	proxy_rewrite_end(&t->rewrite);
	t->gathering = false;
	t->length = (int64_t)t->whole.len;
	begin(t);
	if (t->whole.len > 0)
		emit(t, t->whole.p, t->whole.len);
	strbuf_fini(&t->whole);
}

static void
on_body(void *arg, const char *p, size_t n)
{
	struct txn *t = arg;

	if (t->req == NULL)
		return;
	if (t->gathering) {
		proxy_usage_feed(&t->usage, p, n);
		if (t->whole.len > 0 || (int64_t)n != t->length || !proxy_rewrite_same(&t->rewrite, p, n)) {
			proxy_rewrite_feed(&t->rewrite, p, n);
			return;
		}
		t->gathering = t->rewriting = false;
		proxy_rewrite_fini(&t->rewrite);
		begin(t);
		emit(t, p, n);
		return;
	}
	if (!t->begun)
		begin(t);
	proxy_usage_feed(&t->usage, p, n);
	if (t->rewriting)
		proxy_rewrite_feed(&t->rewrite, p, n);
	else
		emit(t, p, n);
}

static void
on_idle(void *arg)
{
	struct txn *t = arg;
	uint64_t when;

	router_progress(t->ticket);
	if (t->req == NULL || !t->begun)
		return;
	http_reply_flush(t->req);
	http_xfer_received(t->xfer, &when);
	note_tokens(t, when);
}

/* The answer is whole. */
static void
complete(struct txn *t)
{
	if (t->gathering)
		gathered(t);
	if (!t->begun)
		begin(t);
	if (t->rewriting)
		proxy_rewrite_end(&t->rewrite);
	txn_finish(t, false);
}

/* Whether an answer that ended with its connection ended there for good. A dead engine's looks the same: where the bytes
 * do not tell, the engine's fate does. */
static bool
ended_whole(struct txn *t)
{
	if (!t->close_delimited || t->status >= 300)
		return true;
	if (t->usage.follow)
		return proxy_usage_whole(&t->usage);
	if (t->sse && (t->usage.done || t->usage.error))
		return true;
	t->unsure = !(t->sse && t->path->done);
	return false;
}

static void
on_end(void *arg)
{
	struct txn *t = arg;

	t->xfer = NULL;
	if (t->req == NULL) {
		txn_free(t);
		return;
	}
	proxy_usage_end(&t->usage);
	if (ended_whole(t)) {
		complete(t);
		return;
	}
	if (t->begun)
		http_reply_flush(t->req);
	decide_soon(t);
}

static void
on_fail(void *arg, enum http_close why, bool received)
{
	struct txn *t = arg;

	(void)received;
	t->xfer = NULL;
	if (t->req == NULL) {
		txn_free(t);
		return;
	}
	if (t->begun && t->sse) {
		http_reply_flush(t->req);
		decide_soon(t);
		return;
	}
	if (t->begun) {
		router_suspect(t->ticket);
		cut_by_engine(t);
		return;
	}
	if (why == HTTP_CLOSE_BAD) {
		fail_gateway(t, "the engine's answer is malformed");
		return;
	}
	if (why == HTTP_CLOSE_TIMEOUT) {
		router_suspect(t->ticket);
		fail_gateway(t, "the engine does not accept connections");
		return;
	}
	decide_soon(t);
}

static const struct http_xfer_ops xfer_ops = {on_head, on_body, on_idle, on_end, on_fail};

/* the way there -------------------------------------------------------------------------------------------------- */

static void
edit_body(struct txn *t, const struct conf_model *m, bool defaults)
{
	struct strbuf quoted = STRBUF_INIT;
	struct proxy_edit e = {.drop_null = true, .defaults = defaults && t->path->chat};
	const struct proxy_member *field = &t->scan.member[PROXY_KEY_MODEL];

	if (t->edited)
		return;
	t->edited = true;
	if (t->body.len == 0)
		return;
	if (!t->json) {
		if (m->upstream_model != NULL && field->at != 0)
			proxy_splice(&t->body, field->at, field->len, m->upstream_model, strlen(m->upstream_model));
		return;
	}
	if (m->upstream_model != NULL) {
		struct jsonw w = JSONW(&quoted);

		jw_str(&w, m->upstream_model);
		e.model = quoted.p;
	}
	proxy_body_edit(&t->body, &t->scan, &e);
	strbuf_fini(&quoted);
	/* Last, and with a scan of its own: the offsets of the other one are no longer true. */
	if (proxy_filter_has(m))
		proxy_filter_apply(&t->body, m, t->name[0] != '\0' ? t->name : m->id);
}

void
txn_forward(struct txn *t, const struct router_answer *a)
{
	struct proxy *p = t->p;
	struct conf *c = router_conf(p->o.router);
	const struct conf_model *m = a->model;
	const char *name = t->name[0] != '\0' ? t->name : m->id;

	t->waited_ms += a->waited_ms;
	if (t->pm == NULL || strcmp(t->pm->id, m->id) != 0)
		t->pm = proxy_model_get(p, m->id);
	if (t->conf != c) {
		conf_unref(&t->conf);
		t->conf = conf_ref(c);
	}
	if (a->target == NULL) {
		fail_gateway(t, "the engine has no address");
		return;
	}
	edit_body(t, m, c->fill_defaults);
	if (t->rewriting)
		proxy_rewrite_fini(&t->rewrite);
	t->rewriting = true;
	t->gathering = false;
	strbuf_clear(&t->whole);
	proxy_rewrite_init(&t->rewrite, name, emit, t);
	proxy_header_request(&t->head, http_req_head(t->req), http_req_url(t->req), a->target, t->body.len, t->rid);
	t->hangup = t->unsure = false;
	t->sent_at = clock_ms();
	t->xfer = http_xfer_start(p->o.pool, a->target, t->head.p, t->head.len, strbuf_str(&t->body), t->body.len,
	    http_str_eq(http_req_head(t->req)->method, "HEAD"), &xfer_ops, t);
	note_phase(t, REQ_PREFILL);
}
