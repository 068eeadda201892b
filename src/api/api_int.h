/* SPDX-License-Identifier: ISC
 * What the files of the API share: its state, one request on its way through a handler, and the shapes of answers. */
#ifndef API_API_INT_H
#define API_API_INT_H

#include <sys/queue.h>

#include "api/api.h"
#include "base/json.h"
#include "base/loop.h"
#include "view/view.h"

#define API_BODY_MAX ((size_t)64 * 1024)	/* of a request: a name and some switches; many may be under way */
#define API_PAGE_MAX ((size_t)1024 * 1024)

struct hub;	/* api_events.c */
struct call;	/* api_verbs.c: an answer that waits for the router */

/* What the API remembers of a model, by id. */
struct known {
	char *id;			/* (owned) */
	uint64_t used_wall;		/* last inference request ended; 0: never */
	char *stopped_by;		/* (owned) who stopped it; NULL */
	uint64_t generation, cpu_ms, cpu_at, cpu_permille;
	bool missing;			/* its program is not on this machine */
};

TAILQ_HEAD(call_list, call);
struct log_stream;
TAILQ_HEAD(log_streams, log_stream);

struct api {
	struct api_opts o;
	struct conf *conf;		/* (owned reference) */
	char *conf_path;		/* (owned) of its file, from wherever it is looked at; NULL */
	uint64_t started, started_wall;
	struct hub *hub;		/* (owned) */
	struct call_list calls;
	struct log_streams streams;
	struct timer streams_timer;
	bool streams_deferred;
	struct bus_sub *sub;
	struct known *known;		/* (owned) */
	size_t nknown;
	struct conf_found *found;	/* (owned) models on disk */
	size_t nfound;
	char **kind_missing;		/* (owned) of each kind the program that is not there, or "" */
	struct timer find_timer;
	bool foreground, shutting;
	char *shutdown_who;		/* (owned) */
	bool shutdown_force;
	/* a swap as it was first seen */
	char *swap_to, *swap_who;	/* (owned) */
	uint64_t swap_since;
	char *last_who;			/* (owned) author of the last action */
	uint64_t last_action;
	uint64_t memory_free;		/* as last told */
	struct view_hist hist;
};

struct api_req {
	struct http_req *req;
	struct http_str path, query;
	char rest[512];			/* decoded: what the route's '*' stands for */
	const char *body;		/* POST: the whole body, NUL-terminated; else "" */
	size_t nbody;
	bool full;			/* may see output and commands */
	char who[96];			/* the author, for people */
};

typedef void api_fn(struct api *a, struct api_req *q);

/* answers (api_reply.c) ---------------------------------------------------------------------------------------- */

/* Fields every answer of ours has: nosniff, no-store. */
void api_put_fields(struct strbuf *b);
void api_reply(struct http_req *req, int status, const char *type, const struct strbuf *extra,
    const void *body, size_t n);
void api_json(struct http_req *req, int status, const struct strbuf *body);
/* {"detail":detail}, with "cause" and with the ids of the models where wanted. Where code is given also an OpenAI-like
 * "error" object. */
void api_fail(const struct api *a, struct http_req *req, int status, const char *detail, const char *code,
    const char *cause, bool ids);
/* {"status":status} */
void api_status(struct http_req *req, int http, const char *status);
/* A query parameter, decoded; NULL when missing or not valid. */
const char *api_param(const struct api_req *q, const char *key, char *buf, size_t size);
/* A number in a query parameter; def when missing, false when it is none. */
bool api_param_u64(const struct api_req *q, const char *key, uint64_t def, uint64_t *out);

/* bodies (api_body.c, pure) ------------------------------------------------------------------------------------ */

struct api_args {
	char model[512];		/* "": not given */
	int max_tokens;			/* 0: not given */
	bool force, wait, pin;		/* pin: true where it is not given */
};
/* Reads {"model","max_tokens","force","wait"}. need_model: a missing one is an error, as is an empty body. 0, or -1 with the
 * body of the 422 answer in err. */
int api_args_parse(const char *body, size_t n, bool need_model, struct api_args *out, struct strbuf *err);
/* Whether a variable's name looks like a secret's. */
bool api_secret_name(const char *name, size_t n);
/* Writes words of a command as a JSON array, with the values of secret flags and the given keys masked. */
void api_put_argv(struct jsonw *w, char *const *argv, const struct conf_key *keys, size_t nkeys);
/* KEY=VALUE words as a JSON object, secrets masked. */
void api_put_env(struct jsonw *w, char *const *env, const struct conf_key *keys, size_t nkeys);

/* verbs (api_verbs.c) ------------------------------------------------------------------------------------------ */

typedef void call_fn(struct api *a, struct http_req *req, const char *model, const struct router_outcome *o);
/* Starts a verb and answers through fn when it came out. !wait: at once with 202, or without fn {"success":true}. model
 * NULL: the router's choice. */
void api_verb(struct api *a, struct api_req *q, enum router_verb verb, const char *model, const struct api_args *args,
    call_fn *fn);
/* The answer to a refusal that is the same for all verbs; false when o is none of those. */
bool api_refused(struct api *a, struct http_req *req, const char *model, const struct router_outcome *o);
void api_calls_free(struct api *a);

/* models (api_models.c) ---------------------------------------------------------------------------------------- */

/* The remembered part; made when it is missing. */
struct known *api_known(struct api *a, const char *id);
/* "loaded", "loading", "unloaded", "failed" */
const char *api_model_value(enum engine_state s);
void api_put_exit(struct jsonw *w, const struct engine_exit *x, bool full);
void api_find_models(struct api *a);
/* Takes a model that was found on disk, by its name there, among the configured ones; nothing when there is none. */
void api_adopt_found(struct api *a, const char *id);

/* view (api_snapshot.c) ---------------------------------------------------------------------------------------- */

void api_view_engines(struct api *a, struct view *v, uint64_t now);
void api_view_requests(struct api *a, struct view *v);
void api_view_gauges(struct api *a, struct view *v, uint64_t now);
void api_view_rest(struct api *a, struct view *v);
/* All of it; v becomes owned by the caller (view_fini). */
void api_view_fill(struct api *a, struct view *v, uint64_t now);
/* Fresh samples of all living engines, into the remembered CPU shares. */
void api_sample(struct api *a, uint64_t now);

/* events (api_events.c) ---------------------------------------------------------------------------------------- */

struct hub *hub_new(struct api *a);
void hub_free(struct hub **hp);
void hub_bus(struct hub *h, const struct bus_event *e);
void hub_log(struct hub *h);
/* Engines may look otherwise than they were told. */
void hub_engines(struct hub *h);
int hub_viewers(const struct hub *h);
uint64_t hub_seq(const struct hub *h);
/* How a viewer is called; NULL when there is none of that id. *foreground tells whether it started the core. */
const char *hub_viewer_name(const struct hub *h, int id, bool *foreground);
/* The configuration was replaced: everybody gets a new snapshot. */
void hub_refresh(struct hub *h);

/* logs (api_logs.c) -------------------------------------------------------------------------------------------- */

void api_streams_kick(struct api *a);
void api_streams_free(struct api *a);

/* handlers ----------------------------------------------------------------------------------------------------- */

api_fn api_get_root, api_get_livez, api_get_version, api_post_shutdown, api_post_reload, api_post_bye;
api_fn api_get_status, api_get_health, api_get_ready, api_post_load, api_post_stop, api_post_start, api_get_available;
api_fn api_get_v1_models, api_get_v1_model, api_get_models, api_post_models_load, api_post_models_unload,
    api_post_unload_all, api_post_unload_one;
api_fn api_get_running, api_get_upstream, api_post_restart, api_post_pin, api_get_info;
api_fn api_get_request, api_get_requests, api_post_cancel;
api_fn api_get_logs, api_get_logs_json, api_get_logs_stream;
api_fn api_get_metrics, api_get_events, api_get_snapshot;

#endif
