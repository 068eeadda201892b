/* SPDX-License-Identifier: ISC
 * The configuration: one immutable, reference-counted tree of plain data, made from a file, from MLX_* variables, or
 * from a model named on the command line. All times are milliseconds, all sizes bytes. */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compat.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "conf/conf_kind.h"

enum conf_route { ROUTE_SWAP, ROUTE_LOADED, ROUTE_REJECT };
enum conf_scope { SCOPE_ADMIN, SCOPE_INFER };
/* Which lines mai serve writes to standard error: its own, those of engines, both, none. */
enum conf_log_out { LOG_OUT_PROXY, LOG_OUT_UPSTREAM, LOG_OUT_BOTH, LOG_OUT_NONE };
/* Where maxLoaded comes from. */
enum conf_max_from { MAX_FROM_DEFAULT, MAX_FROM_FILE, MAX_FROM_GROUPS };
enum conf_source { CONF_FILE, CONF_ENV, CONF_MODEL };	/* mai.yaml; MLX_* only; `mai MODEL` */

struct conf_listen {
	char *host;	/* (owned) a literal address, or NULL for a unix socket */
	int port;	/* 0: any free port */
	char *path;	/* (owned) unix socket */
};

struct conf_key {
	char *key;	/* (owned) */
	enum conf_scope scope;
};

struct conf_model {
	char *id;			/* (owned, as every string here) unique */
	char **aliases;			/* NULL-terminated; NULL: none */
	char *name, *description;	/* may be NULL */
	char *metadata;			/* JSON text or NULL */
	const struct conf_kind *kind;	/* static */
	char *model;			/* path or repository id; NULL when only cmd is given */
	char **argv;			/* words, with ${PORT} ${PID} ${MODEL_ID} still inside */
	char **cmd_stop;		/* the same; NULL: SIGTERM */
	char **env;			/* KEY=VALUE */
	char *upstream_model;		/* the name the engine knows itself by; NULL: the request's is passed */
	char *check_path;		/* NULL: no HTTP check */
	bool canary;			/* ready only after a one-token completion */
	char *proxy_host;		/* where the engine listens; default 127.0.0.1 */
	int port;			/* fixed port; 0: ${PORT}, picked for each start */
	bool port_preferred;		/* MLX_INTERNAL_PORT unset: port is taken when free, else one is picked */
	char *proxy_url;		/* remote model: https://...; else NULL */
	bool external;			/* the work is not in our process group */
	char **extra_paths;
	char **strip_params;		/* names of parameters that are taken out of requests */
	char **set_params;		/* name, JSON text, name, JSON text, ...: put in */
	char **set_params_by_id;	/* id, name, JSON text, ...: put in when the request names that id */
	int max_tokens;			/* what the command was built with; 0: not set */
	uint64_t health_check_timeout, start_timeout, stall_timeout, stable_after;
	int max_attempts;
	uint64_t backoff, backoff_max;	/* delay of attempt n: backoff * 2^n, capped */
	uint64_t drain_timeout, unload_timeout, ttl, connect_timeout;
	uint64_t first_byte_timeout;	/* until the head of an answer; 0: none */
	int concurrency_limit;		/* 0: none */
	bool pin, unlisted, abort_drain, send_loading_state;
	uint64_t memory;		/* 0: learned */
	int line, col;			/* where the file defines it; 0: nowhere */
};

struct conf {
	enum conf_source source;
	char *path;			/* the file, or NULL */
	struct conf_listen *listen;	/* (owned) */
	size_t nlisten;
	bool insecure;			/* a non-loopback address without keys is accepted */
	char **allowed_hosts, **allowed_origins;
	struct conf_key *keys;		/* (owned) */
	size_t nkeys;
	struct conf_model **models;	/* (owned) in order of the file */
	size_t nmodels;
	char *default_model;		/* an id; NULL only without models */
	bool default_model_set;		/* named by the user, not guessed */
	char *fallback_model;		/* an id or NULL */
	char *model_directory;		/* or NULL */
	char *python;			/* MLX_PYTHON; NULL: python3 */
	enum conf_route route;
	bool rollback;			/* onSwapFailure */
	bool hangup_detach;
	int max_loaded;
	enum conf_max_from max_from;
	char **preload;			/* ids of models that are started at once */
	bool list_aliases;		/* includeAliasesInList */
	uint64_t memory_budget, min_resident, max_swap_wait;
	int queue_max;
	uint64_t queue_max_wait, heartbeat_after, heartbeat_every;
	uint64_t max_body, body_memory, max_head, head_timeout, idle_timeout;
	int max_connections, start_port;
	int log_level;			/* enum log_level */
	enum conf_log_out log_out;
	bool fill_defaults;		/* the seed's max_tokens, temperature, top_p are filled in */
	char *theme;			/* dashboard: default, light, mono */
	bool mouse, log_colors, bell;
	char **secret_env;		/* names of variables that hold keys: not passed to engines */
	char **warnings;		/* "file:line:col: text" */
	char **notes;			/* the same: what a file of llama-swap means here; only for the plan */
	unsigned refs;
};

/* Several messages, each "place: text", a line each. */
struct conf_errors {
	struct strbuf text;
	int n;
};

/* Reads a file, checks it, resolves models. NULL with every error listed when it is not usable. The result has one
 * reference, owned by the caller. Errors: unreadable, world-writable or foreign-owned file, YAML, unknown keys (with
 * the nearest known one), types, ranges, macros, duplicate names. */
struct conf *conf_load_file(const char *path, struct conf_errors *errs);
/* From MLX_* in environ (and, when env_file is not NULL, that file; the environment wins). */
struct conf *conf_load_env(const char *env_file, struct conf_errors *errs);
/* From one model: a .gguf, an MLX directory, or a Hugging Face id. */
struct conf *conf_load_model(const char *model, struct conf_errors *errs);

/* What the command line asked for. */
struct conf_request {
	const char *file;	/* -c; or NULL */
	const char *model;	/* MODEL; or NULL */
	const char *env_file;	/* --env-file; or NULL */
	const char *listen;	/* --listen HOST:PORT overrides; or NULL */
	bool insecure;		/* --insecure */
};
/* Which of the three applies (file, then model, then MLX_*, then the first mai.yaml of the search path), and loads it.
 * Without any: NULL with *none set, no error. */
struct conf *conf_load(const struct conf_request *req, bool *none, struct conf_errors *errs);
/* A configuration without any model, for a dashboard whose picker will name one. NULL with errors, as above. */
struct conf *conf_load_none(const struct conf_request *req, struct conf_errors *errs);

struct conf *conf_ref(struct conf *c);
/* Accepts NULL, nulls. */
void conf_unref(struct conf **cp);

/* By id, then by alias; NULL. Borrowed. */
struct conf_model *conf_find(const struct conf *c, const char *name);
/* Copies the model found under an unknown name (route loaded, MLX_* only: any name or path is taken), replacing the
 * model whose place it takes. Returns a new conf with one reference, or NULL with the reason. max_tokens 0: as before. */
struct conf *conf_with_model(const struct conf *c, const char *model, int max_tokens, struct conf_errors *errs);

/* argv (or cmd_stop) with ${PORT}, ${PID} and ${MODEL_ID} put in; owned by the caller (strv_free). */
char **conf_argv(char *const *words, int port, long pid, const char *model_id);
/* POSIX-like words of a command line: quotes, backslash, newlines as blanks, # lines dropped. NULL with why. */
char **conf_split(const char *cmd, struct err *e);
/* A copy whose comment lines are empty, so that what they mention becomes no part of the command. Owned by the caller. */
char *conf_uncommented(const char *cmd);

/* Whether a program can be found where an engine with this environment (KEY=VALUE, on top of ours; may be NULL) would be
 * started. Looks at files. */
bool conf_program_there(const char *name, char *const *env);
/* The program that models of this kind are run with where they name no command; NULL: there is none. Owned by the
 * caller. */
char *conf_kind_program(const struct conf *c, const struct conf_kind *k);

/* The plan `mai check` prints, in lines of 80 columns where words allow it: listeners, models, their commands, warnings. */
void conf_describe(const struct conf *c, struct strbuf *out);
/* Remarks in its form, a label before each; list may be NULL. */
void conf_describe_list(const char *label, char *const *list, struct strbuf *out);
/* The plan as one JSON object, without listeners, warnings and notes. */
struct jsonw;
void conf_plan_json(const struct conf *c, struct jsonw *w);

/* Models found on disk (model directory, Hugging Face and llama.cpp caches) that are not configured. */
struct conf_found {
	char *id, *path;		/* (owned) */
	const struct conf_kind *kind;
	uint64_t bytes;
};
/* Reads directories: may be slow; not for the core's loop after start-up. *n entries, sorted by id, owned by the caller. */
struct conf_found *conf_discover(const char *model_directory, bool caches, size_t *n);
void conf_found_free(struct conf_found **f, size_t n);
/* A copy of c with one found model added (it becomes the default where there was none): a new conf with one reference,
 * or NULL with why. */
struct conf *conf_with_found(const struct conf *c, const struct conf_found *f, struct conf_errors *errs);

/* What people loaded by names that no configuration knows outlives a reload that says nothing else: fresh, with those
 * models of now (the configuration in use) that were not in read (the one it began with). With MLX_* that is the model
 * in the place of the one named there, as long as that name is the same. A new reference, to fresh itself where there
 * are none. */
struct conf *conf_keep_named(const struct conf *read, const struct conf *now, struct conf *fresh);

void conf_errors_fini(struct conf_errors *e);

#endif
