/* SPDX-License-Identifier: ISC
 * The proxy as others see it: which paths are its, what is under way, and the sums. */
#include "proxy/proxy.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "proxy/proxy_priv.h"
#include "proxy/proxy_upstream.h"

static const struct proxy_path paths[] = {
	{.path = "/v1/chat/completions", .api = "chat", .chat = true, .ends = ENDS_DONE},
	{.path = "/chat/completions", .api = "chat", .chat = true, .ends = ENDS_DONE},
	{.path = "/v1/completions", .api = "text", .ends = ENDS_DONE},
	{.path = "/completion", .api = "text", .ends = ENDS_STOP},
	{.path = "/infill", .api = "text", .ends = ENDS_STOP},
	{.path = "/v1/responses", .api = "responses", .ends = ENDS_RESPONSE},
	{.path = "/v1/messages", .api = "messages", .ends = ENDS_MESSAGE},
	{.path = "/v1/messages/count_tokens", .api = "messages"},
	{.path = "/v1/embeddings", .api = "embed"},
	{.path = "/v1/rerank", .api = "rerank"},
	{.path = "/v1/reranking", .api = "rerank"},
	{.path = "/rerank", .api = "rerank"},
	{.path = "/v1/audio/", .api = "audio", .prefix = true, .get = true, .form = true},
	{.path = "/v1/images/", .api = "images", .prefix = true, .form = true},
	{.path = "/props", .api = "props", .get = true},
};
const struct proxy_path proxy_path_extra = {.path = "", .api = "extra", .form = true, .any = true};
const struct proxy_path proxy_path_upstream = {.path = PROXY_UPSTREAM, .api = "upstream", .form = true, .any = true};
const struct proxy_path proxy_path_raw = {.path = "", .api = "upstream", .form = true, .any = true};

static bool
is_extra(const struct conf *c, struct http_str path)
{
	for (size_t i = 0; i < c->nmodels; i++)
		if (route_has_path(c->models[i], path))
			return true;
	return false;
}

const struct proxy_path *
proxy_path_known(struct http_str path)
{
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		size_t n = strlen(paths[i].path);

		if ((paths[i].prefix ? path.n > n : path.n == n) && memcmp(path.p, paths[i].path, n) == 0)
			return &paths[i];
	}
	return NULL;
}

const struct proxy_path *
proxy_path_find(const struct proxy *p, struct http_str path)
{
	static const size_t n = sizeof(PROXY_UPSTREAM) - 1;
	const struct proxy_path *known = proxy_path_known(path);

	if (known != NULL)
		return known;
	if (path.n >= n && memcmp(path.p, PROXY_UPSTREAM, n) == 0)
		return &proxy_path_upstream;
	return is_extra(router_conf(p->o.router), path) ? &proxy_path_extra : NULL;
}

bool
proxy_claims(const struct proxy *p, struct http_str path)
{
	return proxy_path_find(p, path) != NULL;
}

struct proxy_model *
proxy_model_get(struct proxy *p, const char *id)
{
	struct proxy_model *m;

	for (m = p->models; m != NULL; m = m->next)
		if (strcmp(m->id, id) == 0)
			return m;
	m = xcalloc(1, sizeof(*m));
	m->id = xstrdup(id);
	metrics_labels(m->labels, sizeof(m->labels), "model", id, (char *)NULL);
	m->next = p->models;
	p->models = m;
	return m;
}

static void
on_engine(void *arg, const struct bus_event *e)
{
	struct proxy *p = arg;
	struct proxy_model *m;
	/* What it sent before is read to its end, also where it was to stop anyway. */
	bool died = e->reason == REASON_CRASH || e->reason == REASON_OOM;

	tunnel_engine(p, e);
	if (e->model == NULL || e->from == e->to)
		return;
	m = proxy_model_get(p, e->model);
	m->suspect_at = 0;
	if ((e->from != ENGINE_READY && e->from != ENGINE_DRAINING) || e->to == ENGINE_READY ||
	    e->to == ENGINE_DRAINING)
		return;
	m->down_at = clock_ms();
	m->down_reason = e->reason;
	/* Not from inside the event: the router is in the middle of its own work. */
	for (struct txn *t = p->first; t != NULL; t = t->next) {
		/* Without a ticket it is of an engine that was gone before this one. */
		if (t->pm != m || t->ticket == NULL || (!t->deciding && t->xfer == NULL))
			continue;
		t->hangup = t->xfer != NULL && e->to == ENGINE_STOPPING && !died;
		if (t->deciding || t->hangup || t->begun)
			timer_set(&t->timer, 0);
	}
}

struct proxy *
proxy_new(const struct proxy_opts *o)
{
	struct proxy *p = xcalloc(1, sizeof(*p));

	p->o = *o;
	p->salt = (uint32_t)(clock_wall_ms() * 2654435761u) ^ (uint32_t)getpid();
	if (o->bus != NULL)
		p->sub = bus_subscribe(o->bus, 1u << BUS_ENGINE, on_engine, p);
	note_declare(o->metrics);
	hold_init(p);
	return p;
}

void
proxy_free(struct proxy **pp)
{
	struct proxy *p = *pp;
	const struct proxy_fault f = {.code = "shutting_down", .message = "mai is shutting down", .attempt = -1};

	if (p == NULL)
		return;
	while (p->first != NULL) {
		if (p->first->begun)
			txn_cut(p->first, &f);
		else
			txn_fail(p->first, 503, &f);
	}
	bus_unsubscribe(&p->sub);
	timer_stop(&p->look);
	strbuf_fini(&p->line);
	for (struct proxy_model *m = p->models, *next; m != NULL; m = next) {
		next = m->next;
		free(m->id);
		free(m);
	}
	free(p);
	*pp = NULL;
}

static void
not_allowed(struct http_req *req, const struct proxy_path *path)
{
	static const char body[] = "{\"detail\":\"Method Not Allowed\"}";
	struct strbuf b = STRBUF_INIT;

	http_put_field(&b, "Allow", path->get ? "GET, HEAD, POST" : "POST");
	strbuf_puts(&b, "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n");
	http_reply(req, 405, "application/json", &b, body, sizeof(body) - 1);
	strbuf_fini(&b);
}

static bool
method_fits(const struct proxy_path *path, struct http_str method)
{
	return path->any || http_str_eq(method, "POST") ||
	    (path->get && (http_str_eq(method, "GET") || http_str_eq(method, "HEAD")));
}

void
proxy_handle(struct proxy *p, struct http_req *req)
{
	struct http_str where = http_req_url(req)->path, method = http_req_head(req)->method;
	const struct proxy_path *path = proxy_path_find(p, where);

	/* Named by a model it takes every method, also where the path is known. */
	if (path != NULL && !method_fits(path, method) && is_extra(router_conf(p->o.router), where))
		path = &proxy_path_extra;
	if (path == NULL)
		proxy_error(req, 404, "not_found", "there is no such path", NULL, NULL, NULL, 0);
	else if (!method_fits(path, method))
		not_allowed(req, path);
	else
		txn_begin(p, req, path);
}

/* Over the generation alone; the engine's own figure where it tells one. */
static double
rate(const struct txn *t, uint64_t now)
{
	int64_t out = proxy_usage_out(&t->usage);

	if (t->usage.rate > 0)
		return t->usage.rate;
	if (t->first_token_at == 0 || out <= 1 || now <= t->first_token_at)
		return -1;
	return (double)(out - 1) * 1000 / (double)(now - t->first_token_at);
}

/* In the queue it grows. */
static uint64_t
waited(const struct txn *t, uint64_t now)
{
	return t->waited_ms + (t->phase == REQ_QUEUED && now > t->queued_at ? now - t->queued_at : 0);
}

static const char *
model_of(struct txn *t)
{
	txn_follow(t);
	return t->pm != NULL ? t->pm->id : t->name;
}

void
proxy_each(struct proxy *p, void (*fn)(void *, const struct proxy_row *), void *arg)
{
	uint64_t now = clock_ms();
	char path[128];

	for (struct txn *t = p->first, *next; t != NULL; t = next) {
		struct proxy_row row = {
			.id = t->id, .model = model_of(t), .path = path,
			.api = t->upstream ? proxy_path_upstream.api : t->path->api, .phase = t->phase,
			.since = t->since, .first_byte_at = t->first_byte_at,
			.bytes_in = t->bytes_in, .bytes_out = t->bytes_out, .tokens_in = proxy_usage_in(&t->usage),
			.tokens_out = t->first_byte_at != 0 ? proxy_usage_out(&t->usage) : -1,
			.tokens_cached = proxy_usage_cached(&t->usage), .prompt_done = -1, .prompt_total = -1,
			.first_token_at = t->first_token_at, .waited_ms = waited(t, now),
			.tokens_per_second = rate(t, now), .estimated = proxy_usage_estimated(&t->usage), .stream = t->scan.stream || t->sse,
		};
		struct http_str s = {"", 0};

		next = t->next;
		if (t->phase == REQ_PREFILL) {
			row.prompt_done = t->usage.prompt_done;
			row.prompt_total = t->usage.prompt_total;
		}
		row.client = t->req != NULL ? http_req_peer(t->req) : "-";
		if (t->req != NULL)
			s = http_req_url(t->req)->path;
		if (s.n >= sizeof(path))
			s.n = sizeof(path) - 1;
		memcpy(path, s.p, s.n);
		path[s.n] = '\0';
		if (t->phase == REQ_QUEUED && t->ticket != NULL)
			row.position = router_position(t->ticket);
		fn(arg, &row);
	}
}

bool
proxy_cancel(struct proxy *p, uint64_t id)
{
	const struct proxy_fault f = {.code = "cancelled", .message = "the request was cancelled", .attempt = -1};

	for (struct txn *t = p->first; t != NULL; t = t->next) {
		if (t->id != id)
			continue;
		if (t->begun && t->req != NULL)
			txn_cut(t, &f);
		else
			txn_fail(t, 503, &f);
		return true;
	}
	return false;
}

void
proxy_totals(struct proxy *p, struct proxy_totals *out)
{
	*out = (struct proxy_totals){
		.done = p->done, .errors = p->errors, .truncated = p->truncated, .tokens_out = p->tokens_out,
		.tokens_per_second = note_rate(&p->rate, clock_ms()),
	};
}

double
proxy_model_rate(struct proxy *p, const char *id)
{
	for (const struct proxy_model *m = p->models; m != NULL; m = m->next)
		if (strcmp(m->id, id) == 0)
			return note_rate(&m->rate, clock_ms());
	return 0;
}
