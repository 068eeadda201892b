/* SPDX-License-Identifier: ISC
 * What the parts of conf share. */
#ifndef CONF_CONF_PRIV_H
#define CONF_CONF_PRIV_H

#include "conf/conf.h"

#define CONF_DEFAULT_PORT 8081
#define CONF_SEED_ENGINE_PORT 8082
#define CONF_SEED_MODEL "mlx-community/Qwen2.5-7B-Instruct-4bit"
#define CONF_SEED_MAX_TOKENS 32768
#define CONF_NAME_MAX 255	/* bytes of a name that requests may use */

/* Where a message belongs. line 0: only the file (or the variable) is named; file NULL: no place at all. */
struct conf_place {
	const char *file;
	int line, col;
};

void conf_fail(struct conf_errors *errs, struct conf_place at, const char *fmt, ...) PRINTFLIKE(3, 4);
void conf_warn(struct conf *c, struct conf_place at, const char *fmt, ...) PRINTFLIKE(3, 4);

/* All defaults, no listener, no model. */
struct conf *conf_new(enum conf_source source);
struct conf *conf_dup(const struct conf *c);
struct conf_model *conf_model_new(void);
struct conf_model *conf_model_dup(const struct conf_model *m);
void conf_model_free(struct conf_model **mp);
/* Takes m. */
void conf_add_model(struct conf *c, struct conf_model *m);

/* HOST:PORT, [V6]:PORT, PORT, localhost:PORT, *:PORT or unix:/path. */
int conf_listen_add(struct conf *c, const char *text, struct err *e) MUST_CHECK;
int conf_listen_add_tcp(struct conf *c, const char *host, int port, struct err *e) MUST_CHECK;
void conf_listen_clear(struct conf *c);
/* 127/8 and ::1; a unix socket too. */
bool conf_host_is_loopback(const char *host);
/* A literal address; brackets are not part of it. */
bool conf_host_is_literal(const char *host);
/* 1..65535 and nothing else. */
int conf_port_parse(const char *s, int *port) MUST_CHECK;

/* What a definition says, before it becomes a command. All borrowed. */
struct conf_spec {
	const char *engine;	/* kind's name; NULL: guessed */
	const char *cmd;	/* NULL: the kind's template */
	char *const *args;	/* added to either */
	const char *cmd_stop;
	const char *proxy;
	const char *check;	/* checkEndpoint; NULL: the kind's */
	const char *use_name;	/* useModelName */
	const char *python;	/* NULL: python3 */
	int external;		/* -1: guessed */
};

/* Fills kind, argv, port and all that follows from them; m->model and m->max_tokens are set before. Returns NULL, or
 * the key that is at fault with the reason in e. */
const char *conf_resolve(struct conf_model *m, const struct conf_spec *s, struct err *e);

/* Whether the text can only be meant as a path (or names something that is there). base: what relative means. */
bool conf_is_path(const char *model, const char *base);
/* org/name, each of letters, digits, dots, dashes and underscores. */
bool conf_is_hub_id(const char *model);
/* Absolute; ~/ is the home. base NULL: the working directory. Owned by the caller. */
char *conf_abspath(const char *path, const char *base);
/* The model as it goes on a command line: a path made absolute, a directory with one .gguf the file in it, an id as it
 * is. NULL with the reason. base as above; directory: where bare names are looked for first, or NULL. */
char *conf_model_locate(const char *model, const char *base, const char *directory, struct err *e);

/* ${NAME} by value; nothing that was put in is looked at again. Unknown names stay. Owned by the caller. */
struct conf_var {
	const char *name, *value;
};
char *conf_subst(const char *text, const struct conf_var *vars, size_t n);
bool conf_mentions(char *const *words, const char *var);

/* Rules that need the whole: names, listeners, ports. places: of models (their line and col); file for messages. */
void conf_check(struct conf *c, struct conf_errors *errs);
/* Refuses what must not be open without keys, or warns. */
void conf_check_exposed(struct conf *c, bool by_env, struct conf_errors *errs);

/* Under MLX_*: the model of that name as the seed meant it; m keeps its other settings. -1 with the reason. */
int conf_seed_model(struct conf *c, struct conf_model *m, const char *name, struct err *e) MUST_CHECK;

/* Whether MLX_MODEL, MLX_DEFAULT_MODEL or MLX_PORT say something. */
bool conf_env_selects(void);
void conf_env_warn_beside_file(struct conf *c);
/* As conf_load_env, with what the command line added; exposed addresses are not judged yet. *host_set: MLX_HOST. */
struct conf *conf_env_read(const char *env_file, bool *host_set, struct conf_errors *errs);
/* As conf_load_file; exposed addresses are not judged yet. */
struct conf *conf_yaml_read(const char *path, struct conf_errors *errs);
/* The same from memory; path is for messages and for what relative means. */
struct conf *conf_yaml_parse(const char *path, const char *text, size_t n, struct conf_errors *errs);

/* The nearest of the names, or NULL when none is near. */
const char *conf_nearest(const char *word, const char *const *names, size_t n);

#endif
