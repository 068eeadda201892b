/* SPDX-License-Identifier: ISC
 * Which model a request is for, and which path of its engine: by /upstream/, by a model's own paths, by the name in body or
 * query. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xmalloc.h"
#include "proxy/proxy_header.h"
#include "proxy/proxy_priv.h"
#include "proxy/proxy_upstream.h"

bool
route_has_path(const struct conf_model *m, struct http_str path)
{
	for (char **x = m->extra_paths; x != NULL && *x != NULL; x++)
		if (http_str_eq(path, *x))
			return true;
	return false;
}

static const struct conf *
conf_now(const struct txn *t)
{
	return router_conf(t->p->o.router);
}

static bool
has_method(const struct txn *t, const char *method)
{
	return http_str_eq(http_req_head(t->req)->method, method);
}

/* by /upstream/ ------------------------------------------------------------------------------------------------- */

static void
fail_model(struct txn *t, int status, const char *code, const char *model, const char *message)
{
	const struct proxy_fault f = {.code = code, .message = message, .model = model, .attempt = -1};

	txn_fail(t, status, &f);
}

static void
unknown_upstream(struct txn *t)
{
	struct http_str path = http_req_url(t->req)->path;
	struct strbuf b = STRBUF_INIT;

	strbuf_puts(&b, "no configured model stands behind ");
	strbuf_add(&b, path.p, path.n < 200 ? path.n : 200);
	txn_name_models(&b, t);
	fail_model(t, 404, "model_not_found", NULL, strbuf_str(&b));
	strbuf_fini(&b);
}

/* An engine's pages have relative links: their base must end with a slash. */
static void
add_slash(struct txn *t)
{
	static const char text[] = "see the path with a slash at its end\n";
	const struct http_url *url = http_req_url(t->req);
	struct http_req *req = t->req;
	struct strbuf to = STRBUF_INIT, b = STRBUF_INIT;

	strbuf_add(&to, url->path.p, url->path.n);
	strbuf_putc(&to, '/');
	if (url->query.n != 0) {
		strbuf_putc(&to, '?');
		strbuf_add(&to, url->query.p, url->query.n);
	}
	http_put_field(&b, "Location", to.p);
	strbuf_puts(&b, "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n");
	http_put_field(&b, "X-Request-Id", t->rid);
	note_end(t, 308);
	t->req = NULL;
	http_reply(req, 308, "text/plain", &b, text, sizeof(text) - 1);
	strbuf_fini(&to);
	strbuf_fini(&b);
	txn_free(t);
}

/* Whether the model is there, or comes without being asked to, and is not on its way out. */
static bool
is_loaded(const struct txn *t, const char *id)
{
	const char *from = NULL, *to = NULL;
	struct router_row row;
	int step;

	if (!router_row(t->p->o.router, id, &row) || row.engine == NULL)
		return false;
	if (router_swapping(t->p->o.router, &from, &to, &step) && from != NULL && strcmp(from, id) == 0)
		return false;
	switch (engine_info(row.engine)->state) {
	case ENGINE_READY:
	case ENGINE_STARTING:
	case ENGINE_FAILED:	/* the refusal says why */
		return true;
	default:
		return false;
	}
}

/* What the engine's path is: an inference path is treated as if it had come directly, all others pass unread. */
static void
engine_path(struct txn *t, const struct proxy_upstream_at *at)
{
	const struct proxy_path *path = proxy_path_known(at->rest);

	t->upstream = true;
	t->target = at->rest;
	t->asked = xstrdup(at->model->id);
	if (strlen(at->name) < sizeof(t->name))
		snprintf(t->name, sizeof(t->name), "%s", at->name);
	if (path == NULL && route_has_path(at->model, at->rest))
		path = &proxy_path_extra;
	t->raw = path == NULL;
	t->path = path != NULL ? path : &proxy_path_raw;
	t->untimed = t->raw || (t->path != &proxy_path_extra && !has_method(t, "POST"));
}

static bool
begin_upstream(struct txn *t)
{
	struct router *r = t->p->o.router;
	struct proxy_upstream_at at;
	const char *to;
	char text[PROXY_MODEL_MAX + 80];

	switch (proxy_upstream_split(conf_now(t), http_req_url(t->req)->path, &at)) {
	case UPSTREAM_NONE:
	case UPSTREAM_UNKNOWN:
		unknown_upstream(t);
		return false;
	case UPSTREAM_BARE:
		t->upstream = true;
		add_slash(t);
		return false;
	case UPSTREAM_PATH:
		break;
	}
	engine_path(t, &at);
	if (proxy_is_asset(http_req_head(t->req)->method, at.rest) && !is_loaded(t, t->asked)) {
		snprintf(text, sizeof(text), "%s is not loaded, and a part of a page is no reason to load it", t->asked);
		fail_model(t, 409, "model_conflict", t->asked, text);
		return false;
	}
	/* Without a choice of models the served one answers for every name; but here another engine is meant. */
	to = conf_now(t)->route == ROUTE_LOADED ? router_leads_to(r, t->asked) : NULL;
	if (to != NULL && strcmp(to, t->asked) != 0) {
		snprintf(text, sizeof(text), "%s is loaded and route is loaded", to);
		fail_model(t, 409, "model_conflict", t->asked, text);
		return false;
	}
	return true;
}

/* by extraPaths ------------------------------------------------------------------------------------------------- */

static bool
no_such_path(struct txn *t, const char *model)
{
	fail_model(t, 404, "not_found", model, "this model has no such path");
	return false;
}

/* A path that only some models have: which one is meant where the request does not say. */
static bool
choose_owner(struct txn *t)
{
	const struct conf *c = conf_now(t);
	const char *last = router_last(t->p->o.router);
	const struct conf_model *current = last != NULL ? conf_find(c, last) : NULL, *only = NULL;
	struct http_str path = http_req_url(t->req)->path;
	int n = 0;

	for (size_t i = 0; i < c->nmodels; i++) {
		if (!route_has_path(c->models[i], path))
			continue;
		only = c->models[i];
		n++;
	}
	if (n == 0)
		return no_such_path(t, NULL);
	if (n > 1 && (current == NULL || !route_has_path(current, path))) {
		fail_model(t, 400, "bad_request", NULL, "several models have this path: name one, as with ?model=");
		return false;
	}
	if (n > 1)
		only = current;
	t->asked = xstrdup(only->id);
	return true;
}

/* A model without that path is not loaded to find it out. */
static bool
check_owner(struct txn *t)
{
	const struct conf *c = conf_now(t);
	const struct conf_model *m;

	if (t->path != &proxy_path_extra || t->upstream)
		return true;
	if (t->name[0] == '\0')
		return choose_owner(t);
	m = conf_find(c, t->name);
	if (m == NULL && c->fallback_model != NULL)
		m = conf_find(c, c->fallback_model);
	if (m != NULL && c->route != ROUTE_LOADED && !route_has_path(m, http_req_url(t->req)->path))
		return no_such_path(t, m->id);
	return true;
}

bool
route_granted(struct txn *t, const struct conf_model *m)
{
	/* The configuration may have changed while it waited, or the served model answers for all. */
	if (t->upstream && strcmp(m->id, t->asked) != 0) {
		fail_model(t, 409, "model_conflict", t->asked, "another model is loaded and answers for every name");
		return false;
	}
	if (t->path == &proxy_path_extra && !route_has_path(m, t->upstream ? t->target : http_req_url(t->req)->path))
		return no_such_path(t, m->id);
	return true;
}

/* by a name in the request -------------------------------------------------------------------------------------- */

/* Bodies that are no JSON: forms, sound, raw bytes. */
static bool
is_json(const struct http_head *h)
{
	const struct http_field *f = http_field_find(h, "content-type");

	if (f == NULL)
		return true;
	return !(f->value.n > 10 && strncasecmp(f->value.p, "multipart/", 10) == 0) &&
	    !(f->value.n > 6 && strncasecmp(f->value.p, "audio/", 6) == 0) &&
	    !http_str_ieq(f->value, "application/octet-stream");
}

/* NULL, or why it is not usable. */
static const char *
find_in_form(struct txn *t)
{
	const struct http_field *type = http_field_find(http_req_head(t->req), "content-type");
	const char *boundary;
	size_t nboundary, at, len;

	if (type == NULL || t->body.len == 0 || strncasecmp(type->value.p, "multipart/", 10) != 0)
		return NULL;
	if (!proxy_form_boundary(type->value.p, type->value.n, &boundary, &nboundary))
		return "the form has no usable boundary";
	switch (proxy_multipart_model(t->body.p, t->body.len, boundary, nboundary, &at, &len)) {
	case 0:
		return NULL;
	case 1:
		break;
	default:
		return "model is given twice";
	}
	if (len >= sizeof(t->name) || memchr(t->body.p + at, '\0', len) != NULL)
		return "model is no usable name";
	memcpy(t->name, t->body.p + at, len);
	t->name[len] = '\0';
	/* Its place, for the engine's own name. */
	t->scan.member[PROXY_KEY_MODEL].at = at;
	t->scan.member[PROXY_KEY_MODEL].len = len;
	return NULL;
}

/* A text that no reader takes for a JSON object, not even behind a byte order mark: nothing in it names a model. */
static bool
is_no_object(const struct strbuf *body)
{
	size_t i = 0;

	while (i < body->len && strchr(" \t\r\n", body->p[i]) != NULL && body->p[i] != '\0')
		i++;
	return i < body->len && body->p[i] > ' ' && body->p[i] < 0x7f && body->p[i] != '{';
}

static const char *
find_in_json(struct txn *t)
{
	/* What only some engines have may be anything; an engine that is asked directly says itself what it lacks. */
	if (t->body.len == 0 && (t->upstream || t->path->any || !has_method(t, "POST")))
		return NULL;
	if (t->path == &proxy_path_extra && is_no_object(&t->body)) {
		t->json = false;
		memset(&t->scan, 0, sizeof(t->scan));
		return NULL;
	}
	if (!proxy_scan_end(&t->scan))
		return t->scan.error;
	return proxy_scan_model(&t->scan, t->body.p, t->name, sizeof(t->name)) < 0 ? t->scan.error : NULL;
}

/* Where no body names it the query may. */
static const char *
find_in_query(struct txn *t)
{
	if (http_url_param(http_req_url(t->req)->query, "model", t->name, sizeof(t->name)) < 0)
		return "the query is malformed";
	if (t->name[0] == '\0' && strcmp(t->path->api, "props") == 0)
		return "?model= is needed";
	return NULL;
}

void
route_body(struct txn *t)
{
	const char *bad = t->raw ? NULL : t->json ? find_in_json(t) : find_in_form(t);

	if (bad == NULL && t->name[0] == '\0' && !t->upstream)
		bad = find_in_query(t);
	if (bad != NULL)
		fail_model(t, 400, "bad_request", NULL, bad);
	else if (check_owner(t))
		txn_submit(t);
}

/* the head ------------------------------------------------------------------------------------------------------ */

bool
route_begin(struct txn *t)
{
	const struct http_head *h = http_req_head(t->req);

	if (t->path == &proxy_path_upstream && !begin_upstream(t))
		return false;
	t->json = !t->raw && (is_json(h) || !t->path->form);
	/* Reading what an engine is like is no use of it. */
	t->untimed = t->untimed || strcmp(t->path->api, "props") == 0;
	if (t->path->any || t->upstream)
		t->upgrade = proxy_header_upgrade(h);
	/* What it sends behind the request is meant for the tunnel: without one it must not be taken for requests. */
	if (t->upgrade.n != 0)
		http_req_close(t->req);
	return true;
}

void
route_head(struct txn *t, const struct http_target *to)
{
	struct http_url url = *http_req_url(t->req);

	if (t->target.n != 0)
		url.path = t->target;
	proxy_header_request(&t->head, http_req_head(t->req), &url, to, t->body.len, t->rid, t->upgrade);
}
