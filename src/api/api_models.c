/* SPDX-License-Identifier: ISC
 * Models as lists, and loading and unloading them in the words of llama-server and llama-swap. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"

struct known *
api_known(struct api *a, const char *id)
{
	for (size_t i = 0; i < a->nknown; i++)
		if (strcmp(a->known[i].id, id) == 0)
			return &a->known[i];
	/* Names that are no model's are not remembered for ever. */
	if (a->nknown == 1024) {
		free(a->known[0].id);
		free(a->known[0].stopped_by);
		a->known[0] = a->known[--a->nknown];
	}
	a->known = xreallocarray(a->known, a->nknown + 1, sizeof(a->known[0]));
	a->known[a->nknown] = (struct known){.id = xstrdup(id)};
	return &a->known[a->nknown++];
}

/* Which engines are not installed: a picker says so before somebody waits for one of them. */
static void
look_for_programs(struct api *a)
{
	const struct conf *c = a->conf;

	for (size_t i = 0; i < c->nmodels; i++) {
		const struct conf_model *m = c->models[i];

		api_known(a, m->id)->missing = m->argv != NULL && !conf_program_there(m->argv[0], m->env);
	}
	strv_free(&a->kind_missing);
	for (size_t i = 0; i < conf_nkinds; i++) {
		char *program = conf_kind_program(c, &conf_kinds[i]);

		strv_add(&a->kind_missing, program == NULL || conf_program_there(program, NULL) ? "" : program);
		free(program);
	}
}

void
api_find_models(struct api *a)
{
	if (a->found != NULL)
		conf_found_free(&a->found, a->nfound);
	a->found = conf_discover(a->conf->model_directory, true, &a->nfound);
	look_for_programs(a);
}

void
api_adopt_found(struct api *a, const char *id)
{
	struct conf_errors errs = {{0}, 0};
	struct conf *c = NULL;

	for (size_t i = 0; i < a->nfound && c == NULL; i++)
		if (strcmp(a->found[i].id, id) == 0)
			c = conf_with_found(router_conf(a->o.router), &a->found[i], &errs);
	if (errs.n > 0)
		log_warn("api", id, "%s", strbuf_str(&errs.text));
	conf_errors_fini(&errs);
	if (c == NULL)
		return;
	log_info("api", id, "found on disk, now one of the models");
	router_extend(a->o.router, c);
	api_set_conf(a, c);
	conf_unref(&c);
}

const char *
api_model_value(enum engine_state s)
{
	switch (s) {
	case ENGINE_READY:
	case ENGINE_DRAINING:
		return "loaded";
	case ENGINE_STARTING:
	case ENGINE_BACKOFF:
		return "loading";
	case ENGINE_FAILED:
		return "failed";
	default:
		return "unloaded";
	}
}

void
api_put_exit(struct jsonw *w, const struct engine_exit *x, bool full)
{
	if (x == NULL || !x->valid) {
		jw_null(w);
		return;
	}
	jw_obj(w);
	jw_kstr(w, "text", x->text);
	/* The cause is a line of output, and may say more than an inference client is to know. */
	jw_kstr(w, "cause", full && x->cause[0] != '\0' ? x->cause : NULL);
	jw_kstr(w, "reason", engine_reason_name(x->reason));
	jw_kbool(w, "expected", x->expected);
	jw_kint(w, "at_ms", (int64_t)x->wall_ms);
	jw_knum(w, "uptime_seconds", (double)x->uptime_ms / 1000);
	jw_kint(w, "peak_rss_bytes", (int64_t)x->peak_rss);
	jw_kint(w, "requests_lost", x->requests_lost);
	jw_kint(w, "attempt", x->attempt);
	if (full)
		jw_kstr(w, "output", x->tail);
	jw_obj_end(w);
}

static enum engine_state
row_state(const struct router_row *row)
{
	return row->engine == NULL ? ENGINE_STOPPED : engine_info(row->engine)->state;
}

static void
put_model(struct jsonw *w, const struct api *a, const struct router_row *row, const char *id)
{
	const struct conf_model *m = row->model;

	jw_obj(w);
	jw_kstr(w, "id", id);
	jw_kstr(w, "object", "model");
	jw_kint(w, "created", (int64_t)(a->started_wall / 1000));
	jw_kstr(w, "owned_by", "mai");
	if (m->name != NULL)
		jw_kstr(w, "name", m->name);
	if (m->description != NULL)
		jw_kstr(w, "description", m->description);
	jw_key(w, "status");
	jw_obj(w);
	jw_kstr(w, "value", api_model_value(row_state(row)));
	jw_obj_end(w);
	if (m->metadata != NULL) {
		jw_key(w, "meta");
		jw_raw(w, m->metadata);
	}
	jw_obj_end(w);
}

struct listing {
	struct api *a;
	struct jsonw w;
	bool first_pass;	/* the loaded current one goes first */
};

static bool
leads(const struct router_row *row)
{
	return row->current && row_state(row) == ENGINE_READY;
}

static void
list_one(void *arg, const struct router_row *row)
{
	struct listing *l = arg;

	if (leads(row) != l->first_pass || row->model->unlisted)
		return;
	put_model(&l->w, l->a, row, row->model->id);
	for (char **s = row->model->aliases; l->a->conf->list_aliases && s != NULL && *s != NULL; s++)
		put_model(&l->w, l->a, row, *s);
}

static void
list_models(struct api *a, struct api_req *q)
{
	struct strbuf b = STRBUF_INIT;
	struct listing l = {.a = a, .w = JSONW(&b), .first_pass = true};

	jw_obj(&l.w);
	jw_kstr(&l.w, "object", "list");
	jw_key(&l.w, "data");
	jw_arr(&l.w);
	router_each(a->o.router, list_one, &l);
	l.first_pass = false;
	router_each(a->o.router, list_one, &l);
	jw_arr_end(&l.w);
	jw_obj_end(&l.w);
	api_json(q->req, 200, &b);
	strbuf_fini(&b);
}

void
api_get_v1_models(struct api *a, struct api_req *q)
{
	struct router_row row;

	/* Clients of the one-engine form take an answer here for a working engine. */
	if (a->conf->source == CONF_ENV &&
	    (router_current(a->o.router) == NULL || !router_row(a->o.router, NULL, &row) ||
	    row_state(&row) != ENGINE_READY)) {
		api_fail(a, q->req, 503, "MLX server not ready", NULL, NULL, false);
		return;
	}
	list_models(a, q);
}

void
api_get_models(struct api *a, struct api_req *q)
{
	list_models(a, q);
}

static void
unknown_model(struct api *a, struct http_req *req, const char *model)
{
	char text[640];

	snprintf(text, sizeof(text), "Unknown model %s", model);
	api_fail(a, req, 404, text, "model_not_found", NULL, true);
}

void
api_get_v1_model(struct api *a, struct api_req *q)
{
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);
	struct router_row row;

	if (!router_row(a->o.router, q->rest, &row)) {
		unknown_model(a, q->req, q->rest);
		return;
	}
	put_model(&w, a, &row, row.model->id);
	api_json(q->req, 200, &b);
	strbuf_fini(&b);
}

/* loading and unloading ------------------------------------------------------------------------------------------ */

/* These two are answered when the work begins, as their clients poll the list. */
static void
models_verb(struct api *a, struct api_req *q, enum router_verb verb)
{
	struct strbuf b = STRBUF_INIT;
	struct api_args args;
	bool ok = api_args_parse(q->body, q->nbody, true, &args, &b) == 0;

	if (!ok) {
		api_json(q->req, 422, &b);
	} else if (conf_find(router_conf(a->o.router), args.model) == NULL) {
		unknown_model(a, q->req, args.model);
	} else {
		args.wait = false;
		api_verb(a, q, verb, args.model, &args, NULL);
	}
	strbuf_fini(&b);
}

void
api_post_models_load(struct api *a, struct api_req *q)
{
	models_verb(a, q, VERB_LOAD);
}

void
api_post_models_unload(struct api *a, struct api_req *q)
{
	models_verb(a, q, VERB_STOP);
}

static void
all_unloaded(struct api *a, struct http_req *req, const char *model, const struct router_outcome *o)
{
	static const char ok[] = "{\"msg\":\"ok\"}";

	if (o->ok)
		api_reply(req, 200, "application/json", NULL, ok, sizeof(ok) - 1);
	else if (!api_refused(a, req, model, o))
		api_fail(a, req, 500, "Failed to unload", "engine_failed", o->cause, false);
}

static void
one_unloaded(struct api *a, struct http_req *req, const char *model, const struct router_outcome *o)
{
	if (o->ok)
		api_reply(req, 200, "text/plain; charset=utf-8", NULL, "OK", 2);
	else
		all_unloaded(a, req, model, o);
}

void
api_post_unload_all(struct api *a, struct api_req *q)
{
	const struct api_args args = {.wait = true};

	api_verb(a, q, VERB_STOP, NULL, &args, all_unloaded);
}

void
api_post_unload_one(struct api *a, struct api_req *q)
{
	const struct api_args args = {.wait = true};

	api_verb(a, q, VERB_STOP, q->rest, &args, one_unloaded);
}
