/* SPDX-License-Identifier: ISC
 * Engines: what runs, with what command, how it ended; and the restart. */
#include <stdio.h>
#include <string.h>

#include "api/api_int.h"
#include "base/clock.h"

static void
put_command(struct jsonw *w, const struct api *a, const struct router_row *row)
{
	struct strbuf b = STRBUF_INIT;
	struct jsonw list = JSONW(&b);
	cJSON *words, *word;

	/* Masked as words, then joined for people. */
	api_put_argv(&list, row->engine != NULL ? engine_argv(row->engine) : row->model->argv, a->conf->keys,
	    a->conf->nkeys);
	words = json_parse(strbuf_str(&b), b.len, NULL);
	strbuf_clear(&b);
	cJSON_ArrayForEach(word, words) {
		const char *s = word->valuestring;
		bool quote = s[0] == '\0' || strpbrk(s, " \t\n\"'\\$") != NULL;

		strbuf_printf(&b, "%s%s%s%s", b.len != 0 ? " " : "", quote ? "'" : "", s, quote ? "'" : "");
	}
	cJSON_Delete(words);
	jw_kstr(w, "cmd", strbuf_str(&b));
	strbuf_fini(&b);
}

static void
put_proxy(struct jsonw *w, const struct router_row *row, int port)
{
	char url[320];

	if (row->model->proxy_url != NULL)
		snprintf(url, sizeof(url), "%s", row->model->proxy_url);
	else
		snprintf(url, sizeof(url), "http://%s:%d",
		    row->model->proxy_host != NULL ? row->model->proxy_host : "127.0.0.1", port);
	jw_kstr(w, "proxy", url);
}

struct running {
	struct api *a;
	struct api_req *q;
	struct jsonw w;
};

static void
put_running(void *arg, const struct router_row *row)
{
	struct running *r = arg;
	const struct engine_info *i = row->engine != NULL ? engine_info(row->engine) : NULL;
	uint64_t now = clock_ms();

	if (i == NULL || i->state == ENGINE_STOPPED)
		return;
	jw_obj(&r->w);
	jw_kstr(&r->w, "model", row->model->id);
	jw_kstr(&r->w, "state", engine_state_name(i->state));
	jw_kstr(&r->w, "reason", engine_reason_name(i->reason));
	put_command(&r->w, r->a, row);
	i = engine_info(row->engine);	/* borrowed until the next call on the engine */
	put_proxy(&r->w, row, i->port);
	jw_kint(&r->w, "ttl", (int64_t)(row->model->ttl / 1000));
	jw_kstr(&r->w, "name", row->model->name != NULL ? row->model->name : "");
	jw_kstr(&r->w, "description", row->model->description != NULL ? row->model->description : "");
	jw_kint(&r->w, "pid", (int64_t)i->pid);
	jw_kint(&r->w, "port", i->port);
	jw_knum(&r->w, "uptime_seconds", i->spawned_at != 0 ? (double)(now - i->spawned_at) / 1000 : 0);
	jw_kint(&r->w, "restart_attempts", i->state == ENGINE_FAILED ? 0 : i->attempt);
	jw_kint(&r->w, "in_flight", row->in_flight);
	jw_kint(&r->w, "queued", row->queued);
	jw_kbool(&r->w, "pinned", row->pinned);
	jw_kint(&r->w, "memory_bytes", (int64_t)engine_memory_need(r->a->o.engines, row->model));
	jw_key(&r->w, "last_exit");
	api_put_exit(&r->w, i->last_exit, r->q->full);
	jw_obj_end(&r->w);
}

void
api_get_running(struct api *a, struct api_req *q)
{
	struct strbuf b = STRBUF_INIT;
	struct running r = {.a = a, .q = q, .w = JSONW(&b)};

	jw_obj(&r.w);
	jw_key(&r.w, "running");
	jw_arr(&r.w);
	router_each(a->o.router, put_running, &r);
	jw_arr_end(&r.w);
	jw_obj_end(&r.w);
	api_json(q->req, 200, &b);
	strbuf_fini(&b);
}

static void
put_id(void *arg, const struct router_row *row)
{
	struct strbuf *b = arg;

	strbuf_puts(b, row->model->id);
	strbuf_putc(b, '\n');
}

/* What may stand behind /upstream/. */
void
api_get_upstream(struct api *a, struct api_req *q)
{
	struct strbuf b = STRBUF_INIT;

	router_each(a->o.router, put_id, &b);
	api_reply(q->req, 200, "text/plain; charset=utf-8", NULL, strbuf_str(&b), b.len);
	strbuf_fini(&b);
}

static void
restarted(struct api *a, struct http_req *req, const char *model, const struct router_outcome *o)
{
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);

	if (!o->ok) {
		if (!api_refused(a, req, model, o))
			api_fail(a, req, 500, "Failed to restart model", "engine_failed",
			    o->cause[0] != '\0' ? o->cause : engine_reason_text(o->reason), false);
		return;
	}
	jw_obj(&w);
	jw_kstr(&w, "status", "restarted");
	jw_kstr(&w, "model", o->model);
	jw_knum(&w, "seconds", (double)o->took_ms / 1000);
	jw_obj_end(&w);
	api_json(req, 200, &b);
	strbuf_fini(&b);
}

void
api_post_restart(struct api *a, struct api_req *q)
{
	struct strbuf err = STRBUF_INIT;
	struct api_args args;
	const char *model = NULL;

	if (api_args_parse(q->body, q->nbody, false, &args, &err) != 0) {
		api_json(q->req, 422, &err);
		strbuf_fini(&err);
		return;
	}
	model = args.model[0] != '\0' ? args.model : router_current(a->o.router);
	if (model == NULL)
		model = router_last(a->o.router);
	if (model == NULL)
		api_fail(a, q->req, 404, "There is no model to restart", "model_not_found", NULL, false);
	else
		api_verb(a, q, VERB_RESTART, model, &args, restarted);
}

/* {"model":ID,"pin":false}: until the configuration is read again. */
void
api_post_pin(struct api *a, struct api_req *q)
{
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);
	struct api_args args;
	char text[300];
	struct bus_event e = {.kind = BUS_ACTION, .who = q->who, .text = text};

	if (api_args_parse(q->body, q->nbody, true, &args, &b) != 0) {
		api_json(q->req, 422, &b);
	} else if (!router_pin(a->o.router, args.model, args.pin)) {
		snprintf(text, sizeof(text), "Unknown model %.200s", args.model);
		api_fail(a, q->req, 404, text, "model_not_found", NULL, true);
	} else {
		e.model = conf_find(router_conf(a->o.router), args.model)->id;
		snprintf(text, sizeof(text), "%s %.200s", args.pin ? "pin" : "unpin", e.model);
		bus_publish(a->o.bus, &e);
		jw_obj(&w);
		jw_kstr(&w, "status", args.pin ? "pinned" : "not pinned");
		jw_kstr(&w, "model", e.model);
		jw_obj_end(&w);
		api_json(q->req, 200, &b);
	}
	strbuf_fini(&b);
}

static void
put_listen(struct jsonw *w, const struct conf *c)
{
	jw_key(w, "listen");
	jw_arr(w);
	for (size_t i = 0; i < c->nlisten; i++) {
		char text[320];

		if (c->listen[i].host == NULL)
			snprintf(text, sizeof(text), "unix:%s", c->listen[i].path);
		else
			snprintf(text, sizeof(text), strchr(c->listen[i].host, ':') != NULL ? "[%s]:%d" : "%s:%d",
			    c->listen[i].host, c->listen[i].port);
		jw_str(w, text);
	}
	jw_arr_end(w);
}

static void
put_engine_info(struct jsonw *w, const struct router_row *row)
{
	const struct engine_info *i = engine_info(row->engine);

	jw_kstr(w, "state", engine_state_name(i->state));
	jw_kstr(w, "reason", engine_reason_name(i->reason));
	jw_kint(w, "pid", (int64_t)i->pid);
	jw_kint(w, "engine_port", i->port);
	jw_kint(w, "generation", (int64_t)i->generation);
	jw_kint(w, "starts", (int64_t)i->starts);
	jw_kint(w, "crashes", (int64_t)i->crashes);
	jw_knum(w, "last_load_seconds", (double)i->last_load_ms / 1000);
	jw_knum(w, "usual_load_seconds", (double)i->usual_ms / 1000);
	jw_kint(w, "peak_rss_bytes", (int64_t)i->peak_rss);
	jw_key(w, "exits");
	jw_arr(w);
	for (size_t k = 0; k < i->nexits; k++)
		api_put_exit(w, &i->exits[k], true);
	jw_arr_end(w);
}

static void
put_info(struct api *a, struct jsonw *w, const struct router_row *row)
{
	static const char *const sources[] = {"file", "environment", "command line"};
	const struct conf *c = router_conf(a->o.router);
	const struct conf_model *m = row->model;
	char where[512];

	jw_obj(w);
	jw_kstr(w, "model", m->id);
	jw_kstr(w, "kind", m->kind != NULL ? m->kind->label : NULL);
	jw_key(w, "argv");
	api_put_argv(w, row->engine != NULL ? engine_argv(row->engine) : m->argv, a->conf->keys, a->conf->nkeys);
	jw_key(w, "cmd_stop");
	api_put_argv(w, m->cmd_stop, a->conf->keys, a->conf->nkeys);
	jw_key(w, "env");
	api_put_env(w, m->env, a->conf->keys, a->conf->nkeys);
	jw_kstr(w, "check_path", m->check_path);
	jw_kstr(w, "upstream_model", m->upstream_model);
	jw_kint(w, "port", a->o.port);
	put_listen(w, c);
	jw_kstr(w, "config_source", c->source <= CONF_MODEL ? sources[c->source] : "?");
	if (c->path != NULL && m->line > 0)
		snprintf(where, sizeof(where), "%s:%d:%d", c->path, m->line, m->col);
	else
		snprintf(where, sizeof(where), "%s", c->path != NULL ? c->path : "");
	jw_kstr(w, "config", where[0] != '\0' ? where : NULL);
	if (row->engine != NULL)
		put_engine_info(w, row);
	else
		jw_kstr(w, "state", engine_state_name(ENGINE_STOPPED));
	jw_obj_end(w);
}

void
api_get_info(struct api *a, struct api_req *q)
{
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);
	struct router_row row;
	char buf[512];
	const char *model = api_param(q, "model", buf, sizeof(buf));

	if (model == NULL)
		model = router_current(a->o.router);
	if (model == NULL)
		model = router_last(a->o.router);
	if (model == NULL || !router_row(a->o.router, model, &row)) {
		api_fail(a, q->req, 404, "Unknown model", "model_not_found", model, true);
		return;
	}
	put_info(a, &w, &row);
	api_json(q->req, 200, &b);
	strbuf_fini(&b);
}
