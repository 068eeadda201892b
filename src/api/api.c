/* SPDX-License-Identifier: ISC
 * The dispatcher: checks first, then the table of routes, then the proxy, then 404. */
#include "api/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api_auth.h"
#include "api/api_int.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/xmalloc.h"
#include "host/host.h"

/* A trailing '*' stands for one character or more. */
static const struct route {
	const char *method, *path;
	api_fn *fn;
} routes[] = {
	{"GET", "/", api_get_root},
	{"GET", "/status", api_get_status},
	{"GET", "/health", api_get_health},
	{"GET", "/ready", api_get_ready},
	{"GET", "/livez", api_get_livez},
	{"POST", "/load", api_post_load},
	{"POST", "/stop", api_post_stop},
	{"POST", "/start", api_post_start},
	{"GET", "/models/available", api_get_available},
	{"GET", "/v1/models", api_get_v1_models},
	{"GET", "/v1/models/*", api_get_v1_model},
	{"GET", "/models", api_get_models},
	{"POST", "/models/load", api_post_models_load},
	{"POST", "/models/unload", api_post_models_unload},
	{"POST", "/unload", api_post_unload_all},
	{"POST", "/api/models/unload", api_post_unload_all},
	{"POST", "/api/models/unload/*", api_post_unload_one},
	{"GET", "/running", api_get_running},
	{"GET", "/upstream", api_get_upstream},
	{"GET", "/upstream/", api_get_upstream},
	{"POST", "/api/restart", api_post_restart},
	{"POST", "/api/pin", api_post_pin},
	{"GET", "/api/info", api_get_info},
	{"GET", "/api/requests", api_get_requests},
	{"GET", "/api/requests/*", api_get_request},
	{"POST", "/api/requests/*", api_post_cancel},
	{"GET", "/logs", api_get_logs},
	{"GET", "/logs/stream", api_get_logs_stream},
	{"GET", "/logs/stream/*", api_get_logs_stream},
	{"GET", "/api/logs", api_get_logs_json},
	{"GET", "/metrics", api_get_metrics},
	{"GET", "/api/events", api_get_events},
	{"GET", "/api/snapshot", api_get_snapshot},
	{"GET", "/api/version", api_get_version},
	{"POST", "/api/viewers/*", api_post_bye},
	{"POST", "/api/shutdown", api_post_shutdown},
	{"POST", "/api/reload", api_post_reload},
};

static bool
path_matches(const char *pattern, struct http_str path)
{
	size_t n;

	/* Asked for every request and every pattern: most differ here. */
	if (path.n > 1 && pattern[1] != path.p[1] && pattern[1] != '*')
		return false;
	n = strlen(pattern);
	if (pattern[n - 1] != '*')
		return http_str_eq(path, pattern);
	return path.n >= n && memcmp(path.p, pattern, n - 1) == 0;
}

static bool
method_matches(const char *method, struct http_str got)
{
	return http_str_eq(got, method) || (strcmp(method, "GET") == 0 && http_str_eq(got, "HEAD"));
}

/* NULL when there is none; *allow then holds the methods of the path ("" when the path is unknown). */
static const struct route *
route_find(struct http_str method, struct http_str path, char *allow, size_t size)
{
	allow[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		size_t n = strlen(allow);

		if (!path_matches(routes[i].path, path))
			continue;
		if (method_matches(routes[i].method, method))
			return &routes[i];
		snprintf(allow + n, size - n, "%s%s", n != 0 ? ", " : "",
		    strcmp(routes[i].method, "GET") == 0 ? "GET, HEAD" : routes[i].method);
	}
	return NULL;
}

/* The author of an action: a viewer by its number, else where the request came from. */
static void
name_author(const struct api *a, struct api_req *q)
{
	const struct http_field *f = http_field_find(http_req_head(q->req), "x-mai-viewer-id");
	const char *name = NULL, *peer = http_req_peer(q->req);
	const char *colon = strrchr(peer, ':');
	char num[12];

	if (f != NULL && f->value.n < sizeof(num)) {
		memcpy(num, f->value.p, f->value.n);
		num[f->value.n] = '\0';
		name = hub_viewer_name(a->hub, (int)strtol(num, NULL, 10), NULL);
	}
	if (name != NULL)
		snprintf(q->who, sizeof(q->who), "%s", name);
	else if (http_req_tag(q->req) == API_TAG_CONTROL || colon == NULL)
		snprintf(q->who, sizeof(q->who), "command line");
	else
		snprintf(q->who, sizeof(q->who), "%.*s", (int)(colon - peer), peer);
}

static struct auth_out
check(const struct api *a, struct http_req *req, bool inference)
{
	const struct http_head *h = http_req_head(req);
	bool control = http_req_tag(req) == API_TAG_CONTROL;
	const struct auth_in in = {
		.conf = a->conf, .host_name = host_name(), .control = control,
		.peer_uid = http_req_peer_uid(req), .own_uid = control ? (long)geteuid() : -1, .head = h,
		.need = auth_need(h->method, http_req_url(req)->path, inference),
	};

	return auth_check(&in);
}

static void
run(struct api *a, struct http_req *req, const struct route *r, bool full, const char *body, size_t n)
{
	const struct http_url *url = http_req_url(req);
	struct api_req q = {.req = req, .path = url->path, .query = url->query, .body = body, .nbody = n, .full = full};
	size_t skip = strlen(r->path) - 1;

	if (r->path[skip] == '*') {
		const struct http_str rest = {url->path.p + skip, url->path.n - skip};

		if (http_url_decode(rest, false, q.rest, sizeof(q.rest)) != 0) {
			api_fail(a, req, 400, "the path is too long or badly encoded", "bad_request", NULL, false);
			return;
		}
	}
	name_author(a, &q);
	r->fn(a, &q);
}

/* A POST's body is complete. Nothing was kept meanwhile that could be left over when a client goes. */
static void
on_body(void *arg, struct http_req *req, const char *body, size_t n)
{
	struct api *a = arg;
	char allow[64];
	const struct route *r = route_find(http_req_head(req)->method, http_req_url(req)->path, allow, sizeof(allow));

	if (r == NULL)	/* it was there when the body began */
		http_reply_abort(req);
	else
		run(a, req, r, check(a, req, false).full, body, n);
}

static void
no_route(struct api *a, struct http_req *req, const char *allow)
{
	static const char not_found[] = "{\"detail\":\"Not Found\"}", not_allowed[] = "{\"detail\":\"Method Not Allowed\"}";
	struct strbuf extra = STRBUF_INIT;

	if (allow[0] == '\0') {
		api_reply(req, 404, "application/json", NULL, not_found, sizeof(not_found) - 1);
		return;
	}
	http_put_field(&extra, "Allow", allow);
	api_reply(req, 405, "application/json", &extra, not_allowed, sizeof(not_allowed) - 1);
	strbuf_fini(&extra);
}

/* An answer to a page of a listed origin says that the page may read it, whoever answers. */
static void
allow_origin(struct api *a, struct http_req *req)
{
	const struct http_field *origin = http_field_find(http_req_head(req), "origin");
	const struct http_str name = {"Access-Control-Allow-Origin", 27};
	struct strbuf b = STRBUF_INIT;

	if (origin == NULL || !auth_origin_listed(a->conf, origin->value))
		return;
	http_put_fieldn(&b, name, origin->value);
	http_put_field(&b, "Vary", "Origin");
	http_req_answer_fields(req, &b);
	strbuf_fini(&b);
}

/* A browser asks whether a page of a listed origin may ask. */
static bool
preflight(struct api *a, struct http_req *req)
{
	const struct http_head *h = http_req_head(req);
	const struct http_field *origin = http_field_find(h, "origin"), *wants;
	const struct http_str headers = {"Access-Control-Allow-Headers", 28};
	struct strbuf extra = STRBUF_INIT;

	if (!http_str_eq(h->method, "OPTIONS") || origin == NULL || !auth_origin_listed(a->conf, origin->value) ||
	    http_field_find(h, "access-control-request-method") == NULL)
		return false;
	http_put_field(&extra, "Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
	wants = http_field_find(h, "access-control-request-headers");
	if (wants != NULL)
		http_put_fieldn(&extra, headers, wants->value);
	http_put_field(&extra, "Access-Control-Max-Age", "600");
	api_reply(req, 204, NULL, &extra, "", 0);
	strbuf_fini(&extra);
	return true;
}

void
api_handle(void *arg, struct http_req *req)
{
	struct api *a = arg;
	const struct http_head *h = http_req_head(req);
	struct http_str path = http_req_url(req)->path;
	char allow[64];
	const struct route *r = route_find(h->method, path, allow, sizeof(allow));
	bool inference = r == NULL && allow[0] == '\0' && proxy_claims(a->o.proxy, path);
	struct auth_out auth = check(a, req, inference);

	if (a->conf->allowed_origins != NULL)
		allow_origin(a, req);
	if (auth.status != 0) {
		if (inference)
			proxy_error(req, auth.status, auth.code, auth.message, NULL, NULL, NULL, 0);
		else
			api_fail(a, req, auth.status, auth.message, auth.code, NULL, false);
		return;
	}
	if (preflight(a, req))
		return;
	if (inference)
		proxy_handle(a->o.proxy, req);
	else if (r == NULL)
		no_route(a, req, allow);
	else if (strcmp(r->method, "POST") == 0)
		http_req_collect(req, API_BODY_MAX, on_body, a);
	else
		run(a, req, r, auth.full, "", 0);
}

/* life ----------------------------------------------------------------------------------------------------------- */

static void
on_bus(void *arg, const struct bus_event *e)
{
	struct api *a = arg;

	if (e->kind == BUS_REQUEST && e->phase == REQ_DONE && e->model != NULL)
		api_known(a, e->model)->used_wall = clock_wall_ms();
	if (e->kind == BUS_ENGINE && e->model != NULL && e->to == ENGINE_STARTING) {
		struct known *k = api_known(a, e->model);

		free(k->stopped_by);
		k->stopped_by = NULL;
	}
	if (e->kind == BUS_ACTION) {
		free(a->last_who);
		a->last_who = xstrdup0(e->who);
		a->last_action = clock_ms();
	}
	if (e->kind == BUS_SHUTDOWN)
		a->shutting = true;
	hub_bus(a->hub, e);
}

static void
on_ring(void *arg)
{
	struct api *a = arg;

	hub_log(a->hub);
	api_streams_kick(a);
}

static void
on_find(void *arg)
{
	struct api *a = arg;

	api_find_models(a);
	/* Who has no model is told what is not installed; that is no news of an engine. */
	if (a->conf->nmodels == 0)
		hub_refresh(a->hub);
	else
		hub_engines(a->hub);
}

/* Looked up here and not for each viewer: it may lie on a slow disk. */
static void
take_conf(struct api *a, struct conf *c)
{
	struct conf *old = a->conf;

	a->conf = conf_ref(c);
	conf_unref(&old);
	free(a->conf_path);
	a->conf_path = c->path != NULL ? realpath(c->path, NULL) : NULL;
}

struct api *
api_new(const struct api_opts *o)
{
	struct api *a = xcalloc(1, sizeof(*a));

	a->o = *o;
	take_conf(a, o->conf);
	a->started = clock_ms();
	a->started_wall = clock_wall_ms();
	a->foreground = o->foreground;
	TAILQ_INIT(&a->calls);
	TAILQ_INIT(&a->streams);
	a->hub = hub_new(a);
	a->sub = bus_subscribe(o->bus, ~0u, on_bus, a);
	ring_listen(o->ring, on_ring, a);
	/* Directories are read once the sockets listen. */
	timer_init(&a->find_timer, o->loop, on_find, a);
	timer_set(&a->find_timer, 20);
	return a;
}

void
api_free(struct api **ap)
{
	struct api *a = *ap;

	if (a == NULL)
		return;
	ring_listen(a->o.ring, NULL, a);
	bus_unsubscribe(&a->sub);
	timer_stop(&a->find_timer);
	loop_undefer(a->o.loop, a);
	api_calls_free(a);
	api_streams_free(a);
	hub_free(&a->hub);
	for (size_t i = 0; i < a->nknown; i++) {
		free(a->known[i].id);
		free(a->known[i].stopped_by);
	}
	free(a->known);
	strv_free(&a->kind_missing);
	if (a->found != NULL)
		conf_found_free(&a->found, a->nfound);
	free(a->shutdown_who);
	free(a->swap_to);
	free(a->swap_who);
	free(a->last_who);
	conf_unref(&a->conf);
	free(a->conf_path);
	free(a);
	*ap = NULL;
}

void
api_set_conf(struct api *a, struct conf *c)
{
	take_conf(a, c);
	timer_set(&a->find_timer, 20);
	hub_refresh(a->hub);
}

int
api_viewers(const struct api *a)
{
	return hub_viewers(a->hub);
}
