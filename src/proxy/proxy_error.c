/* SPDX-License-Identifier: ISC
 * Errors that mai makes itself, in the shape of the client's API. Never an empty body. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "proxy/proxy_priv.h"
#include "proxy/proxy_upstream.h"

static const char *
type_of(int status, bool anthropic)
{
	switch (status) {
	case 401:
		return "authentication_error";
	case 403:
		return "permission_error";
	case 404:
		return anthropic ? "not_found_error" : "invalid_request_error";
	case 413:
		return anthropic ? "request_too_large" : "invalid_request_error";
	case 504:
		return anthropic ? "timeout_error" : "server_error";
	default:
		break;
	}
	if (status < 500)
		return "invalid_request_error";
	if (anthropic)
		return status == 503 ? "overloaded_error" : "api_error";
	return "server_error";
}

/* Below /upstream/ it stands behind a model's name, which may hold anything: the last place counts. */
static struct http_str
behind_name(struct http_str path, const char *what, size_t n)
{
	static const size_t skip = sizeof(PROXY_UPSTREAM) - 1;

	if (path.n < skip || memcmp(path.p, PROXY_UPSTREAM, skip) != 0)
		return path;
	for (size_t at = path.n; at-- > skip;)
		if (path.n - at >= n && memcmp(path.p + at, what, n) == 0)
			return (struct http_str){path.p + at, path.n - at};
	return path;
}

bool
proxy_is_messages(struct http_str path)
{
	static const char prefix[] = "/v1/messages";
	size_t n = sizeof(prefix) - 1;

	path = behind_name(path, prefix, n);
	return path.n >= n && memcmp(path.p, prefix, n) == 0 && (path.n == n || path.p[n] == '/');
}

void
proxy_error_mai(struct jsonw *w, const struct proxy_fault *f)
{
	if (f->model == NULL && f->state == NULL && f->cause == NULL && f->exit == NULL && f->retry_after == 0)
		return;
	jw_key(w, "mai");
	jw_obj(w);
	if (f->state != NULL)
		jw_kstr(w, "state", f->state);
	if (f->model != NULL)
		jw_kstr(w, "model", f->model);
	if (f->cause != NULL && f->cause[0] != '\0')
		jw_kstr(w, "cause", f->cause);
	if (f->exit != NULL && f->exit[0] != '\0')
		jw_kstr(w, "exit", f->exit);
	if (f->attempt >= 0)
		jw_kint(w, "attempt", f->attempt);
	if (f->retry_after != 0)
		jw_kint(w, "retry_after", f->retry_after);
	jw_obj_end(w);
}

void
proxy_error_json(struct strbuf *b, bool anthropic, int status, const struct proxy_fault *f)
{
	struct jsonw w = JSONW(b);

	jw_obj(&w);
	if (anthropic)
		jw_kstr(&w, "type", "error");
	jw_key(&w, "error");
	jw_obj(&w);
	jw_kstr(&w, "message", f->message);
	jw_kstr(&w, "type", f->type != NULL ? f->type : type_of(status, anthropic));
	jw_kstr(&w, "code", f->code);
	jw_key(&w, "param");
	jw_null(&w);
	jw_obj_end(&w);
	proxy_error_mai(&w, f);
	jw_obj_end(&w);
}

void
proxy_error_send(struct http_req *req, int status, const struct proxy_fault *f, const struct strbuf *extra)
{
	struct strbuf body = STRBUF_INIT, fields = STRBUF_INIT;

	if (http_reply_started(req)) {
		http_reply_abort(req);
		return;
	}
	proxy_error_json(&body, proxy_is_messages(http_req_url(req)->path), status, f);
	if (f->retry_after > 0)
		strbuf_printf(&fields, "Retry-After: %d\r\n", f->retry_after);
	strbuf_puts(&fields, "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n");
	if (extra != NULL)
		strbuf_add(&fields, strbuf_str(extra), extra->len);
	http_reply(req, status, "application/json", &fields, body.p, body.len);
	strbuf_fini(&body);
	strbuf_fini(&fields);
}

void
proxy_error(struct http_req *req, int status, const char *code, const char *message, const char *model,
    const char *state, const char *cause, int retry_after)
{
	struct proxy_fault f = {
		.code = code, .message = message, .model = model, .state = state, .cause = cause,
		.retry_after = retry_after, .attempt = -1,
	};

	proxy_error_send(req, status, &f, NULL);
}
