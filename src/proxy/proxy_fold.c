/* SPDX-License-Identifier: ISC
 * An engine that answers with an error, or without a stream, to a client that was already told that a stream comes: an
 * error becomes the error event of the client's API, a JSON answer one data event. */
#include <string.h>

#include "base/json.h"
#include "proxy/proxy_header.h"
#include "proxy/proxy_priv.h"

#define ERROR_BYTES ((size_t)64 * 1024)	/* of an error that are looked at */
#define MESSAGE_BYTES 1000		/* of its message that are passed on */

void
fold_start(struct txn *t, const struct http_head *h)
{
	t->sse = t->gathering = false;
	t->fold = h->status == 200 && proxy_header_json(h) ? FOLD_EVENT : FOLD_ERROR;
	strbuf_clear(&t->whole);
	if (t->fold == FOLD_ERROR && t->rewriting) {
		t->rewriting = false;
		proxy_rewrite_fini(&t->rewrite);
	}
}

void
fold_body(struct txn *t, const char *p, size_t n)
{
	size_t room = ERROR_BYTES - t->whole.len;

	if (t->fold == FOLD_ERROR) {
		strbuf_add(&t->whole, p, n < room ? n : room);
		return;
	}
	if (!t->begun) {
		txn_begin_answer(t);
		http_reply_body(t->req, "data: ", 6);
	}
	if (t->rewriting)
		proxy_rewrite_feed(&t->rewrite, p, n);
	else
		fold_put(t, p, n);
}

void
fold_put(struct txn *t, const char *p, size_t n)
{
	size_t from = 0;

	/* A line end, which in JSON is a blank, would end the event's line. */
	for (size_t i = 0; i < n; i++) {
		if (p[i] != '\n' && p[i] != '\r')
			continue;
		if (i > from)
			txn_put(t, p + from, i - from);
		txn_put(t, " ", 1);
		from = i + 1;
	}
	if (n > from)
		txn_put(t, p + from, n - from);
}

/* {"error":{"message":...}}, {"error":"..."}, {"message":...} or {"detail":...}: borrowed; NULL. */
static const char *
message_of(const cJSON *j)
{
	const cJSON *error = json_get(j, "error");
	const char *text = json_str(error, "message", NULL);

	if (text == NULL)
		text = json_str(j, "error", NULL);
	if (text == NULL)
		text = json_str(j, "message", NULL);
	return text != NULL ? text : json_str(j, "detail", NULL);
}

static void
finish_error(struct txn *t)
{
	cJSON *j = t->whole.len != 0 ? json_parse(t->whole.p, t->whole.len, NULL) : NULL;
	const cJSON *error = json_get(j, "error");
	const char *text = message_of(j);
	struct strbuf message = STRBUF_INIT;
	struct proxy_fault f = {
		.code = json_str(error, "code", "engine_error"), .type = json_str(error, "type", NULL),
		.model = t->pm->id, .attempt = -1,
	};

	if (text != NULL) {
		size_t n = strlen(text);

		/* A character that is cut in two is told as one that is unknown. */
		strbuf_add(&message, text, n < MESSAGE_BYTES ? n : MESSAGE_BYTES);
	} else if (t->status == 200) {
		strbuf_puts(&message, "the engine's answer is no stream");
	} else {
		strbuf_printf(&message, "the engine answered with status %d", t->status);
	}
	f.message = strbuf_str(&message);
	txn_fail(t, t->status >= 400 ? t->status : 502, &f);
	strbuf_fini(&message);
	cJSON_Delete(j);
}

void
fold_finish(struct txn *t)
{
	if (t->fold == FOLD_ERROR || !t->begun) {
		finish_error(t);
		return;
	}
	if (t->rewriting)
		proxy_rewrite_end(&t->rewrite);
	txn_put(t, "\n\n", 2);
	if (t->path->ends == ENDS_DONE)
		txn_put(t, "data: [DONE]\n\n", 14);
	txn_finish(t, false);
}
