/* SPDX-License-Identifier: ISC
 * The engine API that clients of the first engine server know. Names, types and status codes here are fixed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/clock.h"

/* The model that these paths speak of: the current one, after a stop the last one. */
static bool
subject(struct api *a, struct router_row *row)
{
	const char *id = router_current(a->o.router);

	if (id == NULL)
		id = router_last(a->o.router);
	return id != NULL && router_row(a->o.router, id, row);
}

/* {"status",...}: the first six keys are the old ones. */
static void
put_status(struct api *a, struct jsonw *w, bool full)
{
	static const struct engine_info never = {.state = ENGINE_STOPPED};
	struct router_row row = {0};
	bool have = subject(a, &row);
	const struct engine_info *i = have && row.engine != NULL ? engine_info(row.engine) : &never;
	uint64_t now = clock_ms();
	bool alive = i->pid != 0;

	jw_obj(w);
	jw_kstr(w, "status", alive ? "running" : "stopped");
	jw_kbool(w, "mlx_server_running", alive);
	jw_kstr(w, "current_model", router_current(a->o.router));
	jw_knum(w, "uptime_seconds", alive && i->spawned_at != 0 ? (double)(now - i->spawned_at) / 1000 : 0);
	jw_kint(w, "port", a->o.port);
	jw_kint(w, "restart_attempts", i->state == ENGINE_FAILED ? 0 : i->attempt);
	jw_kstr(w, "state", engine_state_name(i->state));
	jw_kstr(w, "reason", engine_reason_name(i->reason));
	jw_kbool(w, "ready", i->state == ENGINE_READY);
	jw_kbool(w, "failed", i->state == ENGINE_FAILED);
	jw_key(w, "pid");
	if (alive)
		jw_int(w, (int64_t)i->pid);
	else
		jw_null(w);
	jw_kint(w, "engine_port", i->port);
	jw_kint(w, "max_attempts", have ? row.model->max_attempts : 0);
	jw_kint(w, "in_flight", row.in_flight);
	jw_kint(w, "queued", row.queued);
	jw_key(w, "next_retry_seconds");
	if (i->state == ENGINE_BACKOFF && i->retry_at != 0)
		jw_num(w, i->retry_at > now ? (double)(i->retry_at - now) / 1000 : 0);
	else
		jw_null(w);
	jw_key(w, "last_exit");
	api_put_exit(w, i->last_exit, full);
	jw_obj_end(w);
}

void
api_get_status(struct api *a, struct api_req *q)
{
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);

	put_status(a, &w, q->full);
	api_json(q->req, 200, &b);
	strbuf_fini(&b);
}

static bool
serving(struct api *a)
{
	struct router_row row;

	return router_current(a->o.router) != NULL && subject(a, &row) && row.engine != NULL &&
	    engine_info(row.engine)->state == ENGINE_READY;
}

void
api_get_health(struct api *a, struct api_req *q)
{
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);

	jw_obj(&w);
	jw_kstr(&w, "status", serving(a) ? "healthy" : "starting");
	jw_key(&w, "engine");
	put_status(a, &w, q->full);
	jw_obj_end(&w);
	api_json(q->req, 200, &b);
	strbuf_fini(&b);
}

void
api_get_ready(struct api *a, struct api_req *q)
{
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);

	if (!serving(a)) {
		api_fail(a, q->req, 503, "MLX server not ready", NULL, NULL, false);
		return;
	}
	jw_obj(&w);
	jw_kstr(&w, "status", "ready");
	jw_kstr(&w, "model", router_current(a->o.router));
	jw_obj_end(&w);
	api_json(q->req, 200, &b);
	strbuf_fini(&b);
}

static const char *
why_not(const struct router_outcome *o)
{
	return o->cause[0] != '\0' ? o->cause : engine_reason_text(o->reason);
}

static void
loaded(struct api *a, struct http_req *req, const char *model, const struct router_outcome *o)
{
	struct strbuf b = STRBUF_INIT, text = STRBUF_INIT;
	struct jsonw w = JSONW(&b);

	if (!o->ok) {
		if (!api_refused(a, req, model, o))
			api_fail(a, req, 500, "Failed to load model", NULL, why_not(o), false);
		return;
	}
	strbuf_printf(&text, "Model %s loaded successfully", model);
	jw_obj(&w);
	jw_kstr(&w, "status", "success");
	jw_kstr(&w, "model", model);
	jw_kstr(&w, "message", strbuf_str(&text));
	jw_obj_end(&w);
	api_json(req, 200, &b);
	strbuf_fini(&b);
	strbuf_fini(&text);
}

void
api_post_load(struct api *a, struct api_req *q)
{
	struct strbuf err = STRBUF_INIT;
	struct api_args args;

	if (api_args_parse(q->body, q->nbody, true, &args, &err) != 0)
		api_json(q->req, 422, &err);
	else
		api_verb(a, q, VERB_LOAD, args.model, &args, loaded);
	strbuf_fini(&err);
}

static void
stopped(struct api *a, struct http_req *req, const char *model, const struct router_outcome *o)
{
	if (o->ok)
		api_status(req, 200, "stopped");
	else if (!api_refused(a, req, model, o))
		api_fail(a, req, 500, "Failed to stop server", NULL, why_not(o), false);
}

/* Parameters of a verb that the old API gave no body: the query, or the newer JSON. False when it was answered. */
static bool
optional_args(struct api *a, struct api_req *q, struct api_args *args)
{
	struct strbuf err = STRBUF_INIT;
	char wait[8];
	bool ok = api_args_parse(q->body, q->nbody, false, args, &err) == 0;

	if (!ok)
		api_json(q->req, 422, &err);
	strbuf_fini(&err);
	if (!ok)
		return false;
	api_param(q, "model", args->model, sizeof(args->model));
	if (api_param(q, "wait", wait, sizeof(wait)) != NULL)
		args->wait = strcmp(wait, "0") != 0 && strcmp(wait, "false") != 0;
	return true;
}

void
api_post_stop(struct api *a, struct api_req *q)
{
	struct api_args args;

	if (optional_args(a, q, &args))
		api_verb(a, q, VERB_STOP, args.model[0] != '\0' ? args.model : router_current(a->o.router), &args, stopped);
}

static void
started(struct api *a, struct http_req *req, const char *model, const struct router_outcome *o)
{
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);

	if (!o->ok) {
		if (!api_refused(a, req, model, o))
			api_fail(a, req, 500, "Failed to start server", NULL, why_not(o), false);
		return;
	}
	jw_obj(&w);
	jw_kstr(&w, "status", "started");
	jw_kstr(&w, "model", o->model);
	jw_obj_end(&w);
	api_json(req, 200, &b);
	strbuf_fini(&b);
}

void
api_post_start(struct api *a, struct api_req *q)
{
	struct api_args args;

	if (optional_args(a, q, &args))
		api_verb(a, q, VERB_START, args.model[0] != '\0' ? args.model : NULL, &args, started);
}

void
api_get_available(struct api *a, struct api_req *q)
{
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);
	struct conf_found *found = NULL;
	size_t n = 0;

	/* Downloads appear without a restart, so this one directory is read anew. */
	if (a->conf->model_directory != NULL)
		found = conf_discover(a->conf->model_directory, false, &n);
	jw_obj(&w);
	jw_key(&w, "models");
	jw_arr(&w);
	for (size_t i = 0; i < n; i++) {
		jw_obj(&w);
		jw_kstr(&w, "id", found[i].id);
		jw_kstr(&w, "path", found[i].path);
		jw_obj_end(&w);
	}
	jw_arr_end(&w);
	jw_obj_end(&w);
	if (found != NULL)
		conf_found_free(&found, n);
	api_json(q->req, 200, &b);
	strbuf_fini(&b);
}
