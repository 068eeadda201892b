/* SPDX-License-Identifier: ISC
 * Verbs that take their time: the answer waits for the router's outcome, the action goes on without its client. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/xmalloc.h"

struct call {
	TAILQ_ENTRY(call) link;
	struct api *api;
	struct http_req *req;	/* NULL: nobody waits */
	char *model;		/* (owned) as it was asked for, or NULL */
	call_fn *fn;
};

static void
call_free(struct call *c)
{
	TAILQ_REMOVE(&c->api->calls, c, link);
	free(c->model);
	free(c);
}

static void
on_outcome(void *arg, const struct router_outcome *o)
{
	struct call *c = arg;

	if (c->req != NULL)
		c->fn(c->api, c->req, c->model, o);
	call_free(c);
}

static void
on_gone(void *arg, enum http_close why)
{
	struct call *c = arg;

	(void)why;
	router_forget(c->api->o.router, c);
	call_free(c);
}

static void
ignore_body(void *arg, const char *p, size_t n)
{
	(void)arg;
	(void)p;
	(void)n;
}

static void
ignore(void *arg)
{
	(void)arg;
}

static void
note_stop(void *arg, const struct router_row *row)
{
	struct api_req *q = ((void **)arg)[0];
	struct api *a = ((void **)arg)[1];
	const char *id = ((void **)arg)[2];
	struct known *k;

	if (row->engine == NULL || (id != NULL && strcmp(row->model->id, id) != 0) ||
	    (id == NULL && engine_info(row->engine)->pid == 0))
		return;
	k = api_known(a, row->model->id);
	free(k->stopped_by);
	k->stopped_by = xstrdup(q->who);
}

void
api_verb(struct api *a, struct api_req *q, enum router_verb verb, const char *model, const struct api_args *args,
    call_fn *fn)
{
	static const struct http_req_ops ops = {.body = ignore_body, .end = ignore, .writable = ignore,
	    .gone = on_gone};
	struct call *c = xcalloc(1, sizeof(*c));
	struct http_req *req = q->req;
	const struct conf_model *m = model != NULL ? conf_find(router_conf(a->o.router), model) : NULL;

	if (m == NULL && model != NULL && (verb == VERB_LOAD || verb == VERB_START))
		api_adopt_found(a, model);
	if (verb == VERB_STOP && (model == NULL || m != NULL)) {
		void *stop[3] = {q, a, m != NULL ? m->id : NULL};

		router_each(a->o.router, note_stop, stop);
	}
	c->api = a;
	c->model = xstrdup0(model);
	c->fn = fn;
	TAILQ_INSERT_TAIL(&a->calls, c, link);
	if (args->wait) {
		c->req = req;
		http_req_attach(req, &ops, c);
	}
	router_do(a->o.router, verb, model, args->max_tokens, args->force, q->who, on_outcome, c);
	if (args->wait)
		return;
	if (fn != NULL)
		api_status(req, 202, "accepted");
	else
		api_reply(req, 200, "application/json", NULL, "{\"success\":true}", 16);
}

bool
api_refused(struct api *a, struct http_req *req, const char *model, const struct router_outcome *o)
{
	char text[640];

	switch (o->refusal) {
	case REFUSE_NOT_FOUND:
		snprintf(text, sizeof(text), "Unknown model %s", model != NULL ? model : "");
		api_fail(a, req, 404, text, "model_not_found", o->cause, true);
		return true;
	case REFUSE_CONFLICT:
		api_fail(a, req, 409, o->cause[0] != '\0' ? o->cause : "Another model is running", "model_conflict", NULL,
		    false);
		return true;
	case REFUSE_SHUTDOWN:
		api_fail(a, req, 503, "mai is shutting down", "shutting_down", NULL, false);
		return true;
	default:
		return false;
	}
}

void
api_calls_free(struct api *a)
{
	struct call *c;

	while ((c = TAILQ_FIRST(&a->calls)) != NULL) {
		router_forget(a->o.router, c);
		if (c->req != NULL)
			api_fail(a, c->req, 503, "mai is shutting down", "shutting_down", NULL, false);
		call_free(c);
	}
}
