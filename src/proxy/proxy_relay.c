/* SPDX-License-Identifier: ISC
 * The way to the engine and back. Nothing but comments is sent on before the first byte of the answer's body: so that a
 * crash before it stays invisible to the client. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "proxy/proxy_filter.h"
#include "proxy/proxy_header.h"
#include "proxy/proxy_priv.h"

#define GATHER_MAX (64u << 10)
#define ORPHAN_MAX ((uint64_t)16 << 20)	/* bytes read of an answer whose client left */

/* the answer ---------------------------------------------------------------------------------------------------- */

void
txn_put(struct txn *t, const char *p, size_t n)
{
	t->bytes_out += n;
	if (http_reply_body(t->req, p, n) > HTTP_HIGH_WATER && t->xfer != NULL) {
		http_xfer_pause(t->xfer);
		router_held(t->ticket, true);
	}
}

static void
emit(void *arg, const char *p, size_t n)
{
	struct txn *t = arg;

	if (t->gathering)
		strbuf_add(&t->whole, p, n);
	else if (t->fold == FOLD_EVENT)
		fold_put(t, p, n);
	else
		txn_put(t, p, n);
}

void
txn_writable(struct txn *t)
{
	if (t->xfer != NULL) {
		http_xfer_resume(t->xfer);
		router_held(t->ticket, false);
	}
}

void
txn_begin_answer(struct txn *t)
{
	t->begun = true;
	t->first_byte_at = clock_ms();
	hold_end(t);
	if (!t->opened) {
		http_reply_start(t->req, t->status, &t->fields, t->length);
		http_reply_cork(t->req);
	}
	strbuf_fini(&t->fields);
	txn_drop_body(t);
	if (!t->sse)
		note_phase(t, REQ_GENERATING);
}

/* What a read has brought: the first data that is no progress of the prompt, the first token. */
static void
note_stream(struct txn *t)
{
	if (t->usage.began && t->phase != REQ_GENERATING)
		note_phase(t, REQ_GENERATING);
	if (t->usage.events != 0 && t->first_token_at == 0)
		t->first_token_at = clock_ms();
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

	if (t->req == NULL) {
		txn_drop_body(t);
		return;
	}
	t->answer_due = 0;
	router_progress(t->ticket);
	if (h->status == 101) {
		tunnel_begin(t, h);
		return;
	}
	t->status = h->status;
	strbuf_clear(&t->fields);
	t->sse = proxy_header_answer(&t->fields, h, &info);
	t->sse = t->sse && !t->raw;	/* what it means is not known here: nothing is put into it */
	t->close_delimited = h->framing == HTTP_BODY_CLOSE;
	proxy_usage_fini(&t->usage);
	proxy_usage_init(&t->usage, t->sse, t->path->ends);
	t->work = 0;
	t->usage.follow = t->close_delimited && !t->sse && proxy_header_json(h);
	if (t->rewriting && !t->sse && !proxy_header_json(h)) {
		t->rewriting = false;
		proxy_rewrite_fini(&t->rewrite);
	}
	/* A short answer is kept until it is whole, so that it can be told with its length. */
	t->gathering = t->rewriting && !t->sse && h->framing == HTTP_BODY_LENGTH && h->content_length <= GATHER_MAX;
	t->length = answer_length(t, h);
	if (t->sse && h->status == 200)
		return;
	/* It is no stream. Its client has been told that one comes, or never will be. */
	if (t->opened)
		fold_start(t, h);
	else
		hold_end(t);
}

static void
gathered(struct txn *t)
{
	proxy_rewrite_end(&t->rewrite);
	t->gathering = false;
	t->length = (int64_t)t->whole.len;
	txn_begin_answer(t);
	if (t->whole.len > 0)
		emit(t, t->whole.p, t->whole.len);
	strbuf_fini(&t->whole);
}

/* Comments ahead of a stream go to its client at once, but are no answer: another engine's may still follow them. */
static void
ahead_of_stream(struct txn *t)
{
	if (!t->opened)
		hold_open(t);
	t->hold.said_at = clock_ms();
}

static void
stream_body(struct txn *t, const char *p, size_t n)
{
	proxy_usage_feed(&t->usage, p, n);
	if (!t->begun && !t->usage.real && t->status == 200)
		ahead_of_stream(t);
	else if (!t->begun)
		txn_begin_answer(t);
	note_stream(t);
	if (t->rewriting)
		proxy_rewrite_feed(&t->rewrite, p, n);
	else
		txn_put(t, p, n);
}

/* Nobody reads it any more. */
static void
swallow(struct txn *t, size_t n)
{
	t->swallowed += n;
	if (t->swallowed > ORPHAN_MAX)
		txn_hang_up(t);
}

static void
on_body(void *arg, const char *p, size_t n)
{
	struct txn *t = arg;

	if (t->req == NULL) {
		swallow(t, n);
		return;
	}
	if (t->sse) {
		stream_body(t, p, n);
		return;
	}
	proxy_usage_feed(&t->usage, p, n);
	if (t->fold != FOLD_NONE) {
		fold_body(t, p, n);
		return;
	}
	if (t->gathering) {
		if (t->whole.len > 0 || (int64_t)n != t->length || !proxy_rewrite_same(&t->rewrite, p, n)) {
			proxy_rewrite_feed(&t->rewrite, p, n);
			return;
		}
		t->gathering = t->rewriting = false;
		proxy_rewrite_fini(&t->rewrite);
	}
	if (!t->begun)
		txn_begin_answer(t);
	if (t->rewriting)
		proxy_rewrite_feed(&t->rewrite, p, n);
	else
		txn_put(t, p, n);
}

static void
on_idle(void *arg)
{
	struct txn *t = arg;
	uint64_t when;

	/* A comment that says nothing may come from an engine that does nothing. */
	if (t->req == NULL || t->usage.work != t->work) {
		t->work = t->usage.work;
		t->pm->suspect_at = 0;
		router_progress(t->ticket);
	}
	if (t->req == NULL || !(t->begun || t->opened))
		return;
	http_reply_flush(t->req);
	http_xfer_received(t->xfer, &when);
	note_tokens(t, when);
}

void
txn_complete(struct txn *t)
{
	if (t->fold != FOLD_NONE) {
		fold_finish(t);
		return;
	}
	if (t->gathering)
		gathered(t);
	if (!t->begun)
		txn_begin_answer(t);
	if (t->rewriting)
		proxy_rewrite_end(&t->rewrite);
	/* Readers of events see none without the blank line behind it. */
	if (t->sse && t->usage.open && (t->usage.keep.len == 0 || t->usage.done))
		txn_put(t, "\n\n", t->usage.keep.len == 0 ? 1 : 2);
	txn_finish(t, false);
}

/* Whether an answer whose message is over is whole. A dead engine's looks the same where the connection's end is the
 * message's: where the bytes do not tell, the engine's fate does. */
static bool
ended_whole(struct txn *t)
{
	if (t->status >= 300 || t->fold == FOLD_ERROR)
		return true;
	if (t->sse) {
		if (t->usage.error || proxy_usage_ended(&t->usage, !t->close_delimited))
			return true;
		t->unsure = t->usage.ends == ENDS_FRAMING;
		return false;
	}
	if (!t->close_delimited)
		return true;
	if (t->usage.follow)
		return proxy_usage_whole(&t->usage);
	t->unsure = true;
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
		txn_complete(t);
		return;
	}
	if (t->begun)
		http_reply_flush(t->req);
	txn_decide_soon(t);
}

/* The answer had begun when its connection broke. */
static void
broke(struct txn *t)
{
	/* Where nothing can be said, there is nothing to wait for. */
	if (!t->sse && !t->opened) {
		txn_suspect(t);
		txn_cut_by_engine(t);
		return;
	}
	proxy_usage_end(&t->usage);
	/* Only the end of its framing is missing. */
	if (t->sse && t->usage.done) {
		txn_complete(t);
		return;
	}
	/* What went wrong the engine has said itself. */
	if (t->sse && t->usage.error) {
		txn_finish(t, true);
		return;
	}
	http_reply_flush(t->req);
	txn_decide_soon(t);
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
	if (t->begun) {
		broke(t);
		return;
	}
	if (why == HTTP_CLOSE_BAD) {
		txn_fail_gateway(t, "the engine's answer is malformed");
		return;
	}
	if (why == HTTP_CLOSE_TIMEOUT) {
		txn_suspect(t);
		txn_fail_gateway(t, "the engine does not accept connections");
		return;
	}
	txn_decide_soon(t);
}

static const struct http_xfer_ops xfer_ops = {on_head, on_body, on_idle, on_end, on_fail};

/* the way there -------------------------------------------------------------------------------------------------- */

static void
edit_form(struct txn *t, const char *name)
{
	struct proxy_member *field = &t->scan.member[PROXY_KEY_MODEL];

	if (name == NULL || field->at == 0)
		return;
	proxy_splice(&t->body, field->at, field->len, name, strlen(name));
	field->len = strlen(name);
}

/* For the engine that gets it. After a crash that may be another one, which must not see the first one's name; what the
 * first one's filters did to it stays. */
static void
edit_body(struct txn *t, const struct conf_model *m, bool defaults)
{
	struct strbuf quoted = STRBUF_INIT;
	struct proxy_edit e = {.drop_null = true, .defaults = defaults && t->path->chat};
	const char *name = m->upstream_model;

	if (t->body.len == 0)
		return;
	if (t->edited_for != NULL && name == NULL)
		name = t->name[0] != '\0' ? t->name : m->id;
	if (!t->json) {
		edit_form(t, name);
		return;
	}
	if (t->edited_for != NULL) {
		t->scan = (struct proxy_scan){.pos = 0};
		proxy_scan(&t->scan, t->body.p, t->body.len);
	}
	if (name != NULL) {
		struct jsonw w = JSONW(&quoted);

		jw_str(&w, name);
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
	bool done = t->edited_for == m && t->conf == c;

	t->waited_ms += a->waited_ms;
	if (t->pm == NULL || strcmp(t->pm->id, m->id) != 0)
		t->pm = proxy_model_get(p, m->id);
	if (t->conf != c) {
		conf_unref(&t->conf);
		t->conf = conf_ref(c);
	}
	if (a->target == NULL) {
		txn_fail_gateway(t, "the engine has no address");
		return;
	}
	if (!route_granted(t, m))
		return;
	if (!t->raw && !done)
		edit_body(t, m, c->fill_defaults && !t->upstream);
	t->edited_for = m;
	if (t->rewriting)
		proxy_rewrite_fini(&t->rewrite);
	t->rewriting = !t->raw;
	t->gathering = false;
	strbuf_clear(&t->whole);
	if (t->rewriting)
		proxy_rewrite_init(&t->rewrite, name, emit, t);
	route_head(t, a->target);
	t->hangup = t->unsure = false;
	t->sent_at = clock_ms();
	t->xfer = http_xfer_start(p->o.pool, a->target, t->head.p, t->head.len, strbuf_str(&t->body), t->body.len,
	    http_str_eq(http_req_head(t->req)->method, "HEAD"), &xfer_ops, t);
	if (t->upgrade.n != 0)
		http_xfer_allow_upgrade(t->xfer);
	t->answer_due = m->first_byte_timeout != 0 ? t->sent_at + m->first_byte_timeout : 0;
	note_phase(t, REQ_PREFILL);
	hold_begin(t);
	hold_arm(t);
}
