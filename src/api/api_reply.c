/* SPDX-License-Identifier: ISC
 * The shapes of answers, and the parameters of requests. */
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"

void
api_put_fields(struct strbuf *b)
{
	http_put_field(b, "X-Content-Type-Options", "nosniff");
	http_put_field(b, "Cache-Control", "no-store");
}

void
api_reply(struct http_req *req, int status, const char *type, const struct strbuf *extra,
    const void *body, size_t n)
{
	struct strbuf b = STRBUF_INIT;

	api_put_fields(&b);
	if (extra != NULL)
		strbuf_add(&b, strbuf_str(extra), extra->len);
	http_reply(req, status, type, &b, body, n);
	strbuf_fini(&b);
}

void
api_json(struct http_req *req, int status, const struct strbuf *body)
{
	api_reply(req, status, "application/json", NULL, strbuf_str(body), body->len);
}

static const char *
error_type(int status)
{
	return status == 401 ? "authentication_error" : status == 403 ? "permission_error" :
	    status == 404 ? "not_found_error" : status >= 500 ? "server_error" : "invalid_request_error";
}

static void
put_id(void *arg, const struct router_row *row)
{
	if (!row->model->unlisted)
		jw_str(arg, row->model->id);
}

void
api_fail(const struct api *a, struct http_req *req, int status, const char *detail, const char *code,
    const char *cause, bool ids)
{
	struct strbuf b = STRBUF_INIT, extra = STRBUF_INIT;
	struct jsonw w = JSONW(&b);

	jw_obj(&w);
	jw_kstr(&w, "detail", detail);
	if (cause != NULL && cause[0] != '\0')
		jw_kstr(&w, "cause", cause);
	if (code != NULL) {
		jw_key(&w, "error");
		jw_obj(&w);
		jw_kstr(&w, "message", detail);
		jw_kstr(&w, "type", error_type(status));
		jw_kstr(&w, "code", code);
		jw_key(&w, "param");
		jw_null(&w);
		jw_obj_end(&w);
	}
	if (ids) {
		jw_key(&w, "models");
		jw_arr(&w);
		router_each(a->o.router, put_id, &w);
		jw_arr_end(&w);
	}
	jw_obj_end(&w);
	if (status == 401)
		http_put_field(&extra, "WWW-Authenticate", "Bearer");
	if (status == 503)
		http_put_field(&extra, "Retry-After", "5");
	api_reply(req, status, "application/json", &extra, strbuf_str(&b), b.len);
	strbuf_fini(&b);
	strbuf_fini(&extra);
}

void
api_status(struct http_req *req, int http, const char *status)
{
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);

	jw_obj(&w);
	jw_kstr(&w, "status", status);
	jw_obj_end(&w);
	api_json(req, http, &b);
	strbuf_fini(&b);
}

const char *
api_param(const struct api_req *q, const char *key, char *buf, size_t size)
{
	return http_url_param(q->query, key, buf, size) == 1 ? buf : NULL;
}

bool
api_param_u64(const struct api_req *q, const char *key, uint64_t def, uint64_t *out)
{
	char buf[32];
	int found = http_url_param(q->query, key, buf, sizeof(buf));

	*out = def;
	if (found == 0)
		return true;
	if (found < 0 || buf[0] == '\0' || strlen(buf) > 18 || strspn(buf, "0123456789") != strlen(buf))
		return false;
	*out = strtoull(buf, NULL, 10);
	return true;
}
