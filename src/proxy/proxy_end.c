/* SPDX-License-Identifier: ISC
 * How a request ends when its engine does not end it: what became of the engine, whether it may go to the next one, and
 * what its client is told. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "proxy/proxy_priv.h"

#define DECIDE_TIME 60		/* ms in which the engine's death becomes known */
#define LEAVING_TIME 10000	/* the same where its port is closed already: a GPU to hand back takes a while */

/* what a person needs to know of the engine's last exit */
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

static bool
down_since_sent(const struct txn *t)
{
	return t->pm->down_at != 0 && t->pm->down_at >= t->sent_at;
}

/* By why the engine is down. */
static const char *
code_of_end(enum engine_reason r)
{
	if (r == REASON_WEDGED)
		return "engine_wedged";
	if (crashed(r))
		return "engine_crashed";
	return r == REASON_SHUTDOWN ? "shutting_down" : "engine_failed";
}

void
txn_suspect(struct txn *t)
{
	if (t->ticket == NULL)
		return;
	t->pm->suspect_at = clock_ms();
	router_suspect(t->ticket);
}

void
txn_fail_gateway(struct txn *t, const char *message)
{
	struct proxy_fault f = {.code = "bad_gateway", .message = message, .attempt = -1, .model = t->pm->id};

	txn_fail(t, 502, &f);
}

/* before the first byte ------------------------------------------------------------------------------------------ */

/* Back to the head of the queue, behind one restart; its client notices nothing. */
static bool
wait_again(struct txn *t)
{
	if (!router_requeue(t->ticket))
		return false;
	/* A comment that was cut off must not swallow what the next engine says. */
	if (t->opened && t->req != NULL && !proxy_usage_between(&t->usage)) {
		http_reply_body(t->req, "\n\n", 2);
		http_reply_flush(t->req);
	}
	/* Nor does what was kept back of it come before that. */
	if (t->rewriting)
		proxy_rewrite_fini(&t->rewrite);
	t->rewriting = false;
	proxy_usage_fini(&t->usage);
	proxy_usage_init(&t->usage, false, t->path->ends);
	strbuf_clear(&t->fields);
	strbuf_clear(&t->head);
	t->fold = FOLD_NONE;
	t->queued_at = clock_ms();
	note_phase(t, REQ_QUEUED);
	hold_begin(t);
	return true;
}

/* It lives, but nobody listens on its port any more. */
static bool
is_leaving(const struct txn *t)
{
	const struct http_target *to;
	struct router_row row;

	if (!router_row(t->p->o.router, t->pm->id, &row) || row.engine == NULL)
		return false;
	to = engine_target(row.engine);
	return to != NULL && http_target_refuses(to);
}

void
txn_decide(struct txn *t)
{
	struct proxy_fault f = {.attempt = -1};
	bool down = down_since_sent(t);

	if (t->deciding && !down && (!t->begun || t->unsure) && clock_ms() < t->decide_by && is_leaving(t)) {
		timer_set(&t->timer, DECIDE_TIME);
		return;
	}
	t->deciding = false;
	timer_stop(&t->timer);
	if (t->unsure && !down) {
		txn_complete(t);
		return;
	}
	if (t->begun) {
		txn_cut_by_engine(t);
		return;
	}
	if (!down) {
		txn_fail_gateway(t, "the engine closed the connection without an answer");
		return;
	}
	f.code = code_of_end(t->pm->down_reason);
	if (!crashed(t->pm->down_reason)) {
		f.message = "the model was stopped before it answered";
		f.retry_after = 5;
		f.model = t->pm->id;
		txn_fail(t, 503, &f);
		return;
	}
	if (wait_again(t))
		return;
	fill_exit(t, &f);
	f.message = t->pm->down_reason == REASON_WEDGED ? "the engine hung" : "the engine died before it answered";
	txn_fail(t, 502, &f);
}

void
txn_decide_soon(struct txn *t)
{
	if (!t->unsure)
		txn_suspect(t);
	t->deciding = true;
	/* The engine has nothing of it any more: that it is silent about it tells nothing, nor does it protect an engine. */
	router_held(t->ticket, true);
	t->decide_by = clock_ms() + LEAVING_TIME;
	t->answer_due = 0;
	timer_set(&t->timer, down_since_sent(t) ? 0 : DECIDE_TIME);
}

/* behind it ------------------------------------------------------------------------------------------------------ */

static void
put_response_failed(struct strbuf *b, const struct txn *t, const struct proxy_fault *f)
{
	struct jsonw w = JSONW(b);

	strbuf_puts(b, "event: response.failed\ndata: ");
	jw_obj(&w);
	jw_kstr(&w, "type", "response.failed");
	jw_key(&w, "response");
	jw_obj(&w);
	jw_kstr(&w, "id", t->rid);
	jw_kstr(&w, "object", "response");
	jw_kstr(&w, "status", "failed");
	jw_key(&w, "error");
	jw_obj(&w);
	jw_kstr(&w, "code", f->code);
	jw_kstr(&w, "message", f->message);
	jw_obj_end(&w);
	jw_key(&w, "output");
	jw_arr(&w);
	jw_arr_end(&w);
	jw_obj_end(&w);
	proxy_error_mai(&w, f);
	jw_obj_end(&w);
}

void
txn_error_event(struct txn *t, int status, const struct proxy_fault *f)
{
	struct strbuf b = STRBUF_INIT;
	bool messages = t->path->ends == ENDS_MESSAGE;

	if (t->rewriting)
		proxy_rewrite_end(&t->rewrite);
	/* A half event must not swallow ours. */
	if ((t->fold == FOLD_EVENT && t->begun) || (t->sse && !proxy_usage_between(&t->usage)))
		strbuf_puts(&b, "\n\n");
	if (t->path->ends == ENDS_RESPONSE) {
		put_response_failed(&b, t, f);
	} else {
		strbuf_puts(&b, messages ? "event: error\ndata: " : "data: ");
		proxy_error_json(&b, messages, status, f);
	}
	strbuf_puts(&b, "\n\n");
	http_reply_body(t->req, b.p, b.len);
	strbuf_fini(&b);
}

void
txn_cut(struct txn *t, const struct proxy_fault *f)
{
	/* Only the end of its framing is missing. */
	if (t->req != NULL && t->sse && t->usage.done) {
		txn_complete(t);
		return;
	}
	t->cut = !t->tunnel;	/* which has no end mark */
	/* Where the engine itself told of an error, ours would be a second one. */
	if (t->req != NULL && (t->sse || t->opened) && !t->usage.error)
		txn_error_event(t, 502, f);
	else if (t->rewriting && t->req != NULL)
		proxy_rewrite_end(&t->rewrite);
	txn_finish(t, true);
}

void
txn_cut_by_engine(struct txn *t)
{
	struct proxy_fault f = {.attempt = -1, .model = t->pm->id};

	if (!down_since_sent(t)) {
		/* Its last exit is an older story. */
		f.code = "bad_gateway";
		f.message = "the engine ended its answer before the end";
	} else {
		fill_exit(t, &f);
		f.code = code_of_end(t->pm->down_reason);
		f.message = crashed(t->pm->down_reason) ? "the engine died in the middle of its answer" :
		    "the engine was stopped in the middle of its answer";
	}
	txn_cut(t, &f);
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
	f.code = code_of_end(t->pm->down_reason);
	f.message = "the engine was stopped in the middle of its answer";
	txn_cut(t, &f);
}
