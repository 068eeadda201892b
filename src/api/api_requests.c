/* SPDX-License-Identifier: ISC
 * The requests that are waiting or in flight, and how to end one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/clock.h"

/* Seconds from its begin to a moment; null: it did not come yet. */
static void
put_since(struct jsonw *w, const char *key, const struct proxy_row *row, uint64_t at)
{
	jw_key(w, key);
	at != 0 ? jw_num(w, at > row->since ? (double)(at - row->since) / 1000 : 0) : jw_null(w);
}

/* null for what is not known. */
static void
put_count(struct jsonw *w, const char *key, int64_t n)
{
	jw_key(w, key);
	n >= 0 ? jw_int(w, n) : jw_null(w);
}

static void
put_request(void *arg, const struct proxy_row *row)
{
	struct jsonw *w = arg;

	jw_obj(w);
	jw_kint(w, "id", (int64_t)row->id);
	jw_kstr(w, "client", row->client);
	jw_kstr(w, "model", row->model);
	jw_kstr(w, "path", row->path);
	jw_kstr(w, "api", row->api);
	jw_kstr(w, "phase", req_phase_name(row->phase));
	put_since(w, "age_seconds", row, clock_ms());
	jw_knum(w, "waited_seconds", (double)row->waited_ms / 1000);
	put_since(w, "first_byte_seconds", row, row->first_byte_at);
	put_since(w, "first_token_seconds", row, row->first_token_at);
	jw_kint(w, "bytes_in", (int64_t)row->bytes_in);
	jw_kint(w, "bytes_out", (int64_t)row->bytes_out);
	put_count(w, "prompt_done", row->prompt_done);
	put_count(w, "prompt_total", row->prompt_total);
	put_count(w, "tokens_in", row->tokens_in);
	put_count(w, "tokens_cached", row->tokens_cached);
	put_count(w, "tokens_out", row->tokens_out);
	jw_key(w, "tokens_per_second");
	row->tokens_per_second < 0 ? jw_null(w) : jw_num(w, row->tokens_per_second);
	jw_kbool(w, "estimated", row->estimated);
	jw_kint(w, "position", row->position);
	jw_kbool(w, "stream", row->stream);
	jw_obj_end(w);
}

void
api_get_requests(struct api *a, struct api_req *q)
{
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);

	jw_obj(&w);
	jw_key(&w, "requests");
	jw_arr(&w);
	proxy_each(a->o.proxy, put_request, &w);
	jw_arr_end(&w);
	jw_obj_end(&w);
	api_json(q->req, 200, &b);
	strbuf_fini(&b);
}

/* rest: "ID/cancel" */
void
api_post_cancel(struct api *a, struct api_req *q)
{
	size_t digits = strspn(q->rest, "0123456789");
	struct bus_event e = {.kind = BUS_ACTION, .who = q->who};
	char text[64];
	uint64_t id;

	if (digits == 0 || digits > 18 || strcmp(q->rest + digits, "/cancel") != 0) {
		api_fail(a, q->req, 404, "Not Found", NULL, NULL, false);
		return;
	}
	id = strtoull(q->rest, NULL, 10);
	if (!proxy_cancel(a->o.proxy, id)) {
		api_fail(a, q->req, 404, "No such request", "request_not_found", NULL, false);
		return;
	}
	snprintf(text, sizeof(text), "cancel request %llu", (unsigned long long)id);
	e.text = text;
	bus_publish(a->o.bus, &e);
	api_status(q->req, 200, "cancelled");
}
