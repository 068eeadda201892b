/* SPDX-License-Identifier: ISC
 * The requests that are waiting or in flight, and how to end one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/clock.h"

static void
put_request(void *arg, const struct proxy_row *row)
{
	struct jsonw *w = arg;
	uint64_t now = clock_ms();

	jw_obj(w);
	jw_kint(w, "id", (int64_t)row->id);
	jw_kstr(w, "client", row->client);
	jw_kstr(w, "model", row->model);
	jw_kstr(w, "path", row->path);
	jw_kstr(w, "api", row->api);
	jw_kstr(w, "phase", req_phase_name(row->phase));
	jw_knum(w, "age_seconds", now > row->since ? (double)(now - row->since) / 1000 : 0);
	jw_key(w, "first_byte_seconds");
	if (row->first_byte_at != 0)
		jw_num(w, (double)(row->first_byte_at - row->since) / 1000);
	else
		jw_null(w);
	jw_kint(w, "bytes_in", (int64_t)row->bytes_in);
	jw_kint(w, "bytes_out", (int64_t)row->bytes_out);
	jw_key(w, "tokens_in");
	row->tokens_in < 0 ? jw_null(w) : jw_int(w, row->tokens_in);
	jw_key(w, "tokens_out");
	row->tokens_out < 0 ? jw_null(w) : jw_int(w, row->tokens_out);
	jw_key(w, "tokens_per_second");
	row->tokens_per_second < 0 ? jw_null(w) : jw_num(w, row->tokens_per_second);
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
