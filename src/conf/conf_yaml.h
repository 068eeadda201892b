/* SPDX-License-Identifier: ISC
 * The parts of the file reader: nodes with places, values by type, macros, models. Private to conf. */
#ifndef CONF_CONF_YAML_H
#define CONF_CONF_YAML_H

#include <yaml.h>

#include "conf/conf_priv.h"

enum key_where { KEY_GLOBAL, KEY_MODEL, KEY_BOTH, KEY_DASHBOARD };
enum key_type {
	KEY_LISTEN, KEY_KEYS, KEY_STRS, KEY_STR, KEY_DIR, KEY_MODELS, KEY_MACROS, KEY_CHOICE, KEY_INT, KEY_SIZE,
	KEY_TIME, KEY_FLAG, KEY_WORD, KEY_BOOL, KEY_DASHBOARD_MAP, KEY_LATER, KEY_FOREIGN, KEY_UNLOAD, KEY_MODEL_NAME,
	KEY_TEXT, KEY_WORDS, KEY_CMD, KEY_ENV, KEY_PATHS, KEY_EXTERNAL, KEY_TTL, KEY_METADATA, KEY_TIMEOUTS,
	KEY_FILTERS, KEY_GROUPS, KEY_HOOKS, KEY_ROUTING
};
/* What an offset counts from. */
enum key_in { KEY_IN_NONE, KEY_IN_CONF, KEY_IN_MODEL, KEY_IN_BASE, KEY_IN_TEXTS };

struct keydef {
	enum key_where where;
	const char *key;
	enum key_type type;
	enum key_in in;
	size_t off;
	int64_t lo, hi;
	const char *words, *def, *doc;
	bool unused;		/* nothing acts on it yet */
};
extern const struct keydef conf_keys[];
extern const size_t conf_nkeys;

/* Of a level (KEY_GLOBAL and KEY_MODEL find BOTH too); NULL. */
const struct keydef *conf_key_find(enum key_where level, const char *key);
/* The nearest key of that level, or NULL. */
const char *conf_key_nearest(enum key_where level, const char *key);
/* The list of one kind of keys as mdoc, for the manual. */
void conf_keys_mdoc(enum key_where where, struct strbuf *out);
/* The same of those that are ignored. */
void conf_keys_foreign_mdoc(struct strbuf *out);

/* macros --------------------------------------------------------------------------------------------------------- */

struct macro {
	char *name, *value;	/* (owned) */
	bool plain;		/* it stands there without quotes: what it says is its type */
	bool active;		/* being expanded: meeting it again is a cycle */
};
struct macros {
	struct macro *v;	/* (owned) */
	size_t n;
	const struct macros *outer;	/* borrowed; a model's shadow the global ones */
};
void conf_macros_fini(struct macros *m);
/* How a text is expanded. */
struct expand {
	const struct macros *macros;
	const char *model_id;	/* put in for ${MODEL_ID}; NULL: only with late */
	bool late;		/* ${PORT}, ${PID} and ${MODEL_ID} stay, for conf_argv */
	char ***env_used;	/* names of ${env.NAME} are added; or NULL */
	bool *port_stays;	/* ${PORT} stays, and this says so; NULL: it is as late says */
};
/* Owned by the caller; NULL with the reason (unknown or cyclic macro, missing variable, too long). */
char *conf_macro_expand(const struct expand *x, const char *text, struct err *e);
/* Whether what the text becomes has a type of its own (number, truth value): it is plain and has no macro in it, or is
 * one macro of which the same holds. */
bool conf_macro_typed(const struct macros *m, const char *text, bool plain);

/* reading -------------------------------------------------------------------------------------------------------- */

/* The values of a model that conf_resolve wants, and what else has no place in struct conf_model. */
struct texts {
	char *engine, *cmd, *cmd_stop, *proxy, *check, *use_name;	/* (owned) */
	char **args;
	char **ids;		/* of setParamsByID: they become aliases */
	int external;
};

struct reader {
	struct conf *c;
	struct conf_errors *errs;
	yaml_document_t *doc;
	const char *file;	/* for messages */
	char *dir;		/* (owned) what relative paths are relative to */
	struct conf_model *base;	/* (owned) what models start from */
	struct macros macros;	/* global ones */
	yaml_node_t *default_at, *fallback_at;	/* where those names stand */
	yaml_node_t *groups, *preload;	/* for when the models are known; or NULL */
	struct conf_model *model;	/* being read, or NULL */
	struct texts *texts;
	const struct macros *scope;	/* macros that hold here */
};

struct pair {
	yaml_node_t *key, *value;	/* key is a scalar */
};

struct conf_place conf_node_place(const struct reader *r, const yaml_node_t *n);
void conf_node_fail(struct reader *r, const yaml_node_t *n, const char *fmt, ...) PRINTFLIKE(3, 4);
/* The pairs of a mapping, merge keys resolved, doubles reported. NULL (with a message) when it is none. Owned by the
 * caller (free). An absent value (null) is an empty mapping. */
struct pair *conf_node_pairs(struct reader *r, yaml_node_t *n, const char *what, size_t *count);
/* The items of a sequence, a single scalar being one. */
yaml_node_t **conf_node_items(struct reader *r, yaml_node_t *n, const char *what, size_t *count);
/* A scalar's text, or NULL with a message. Borrowed. */
const char *conf_node_text(struct reader *r, yaml_node_t *n, const char *what);
bool conf_node_is_null(const yaml_node_t *n);
/* Text with macros put in; NULL with a message. Owned by the caller. */
char *conf_node_expand(struct reader *r, yaml_node_t *n, const char *what, bool late, char ***env_used);
/* The same of a command line (late), whose comments go first. */
char *conf_node_command(struct reader *r, yaml_node_t *n, const char *what);

/* 1, 0, or -1 for what is no truth value. */
int conf_truth(const char *s);
/* Reads one value into what the key stands for. */
void conf_value_set(struct reader *r, const struct keydef *k, yaml_node_t *n);
/* The same for those that are no single value. */
void conf_value_list(struct reader *r, const struct keydef *k, yaml_node_t *n);
/* Where the key's value goes; NULL: a function of its own knows. */
void *conf_value_target(struct reader *r, const struct keydef *k);
/* As JSON, owned by the caller, or NULL with a message. port: ${PORT} is not an error but null, or stays, and is told. */
char *conf_value_json(struct reader *r, yaml_node_t *n, const char *what, bool *port);
void conf_read_metadata(struct reader *r, yaml_node_t *n);
/* Of the model that is being read. */
void conf_read_filters(struct reader *r, yaml_node_t *n);
/* The names that filters know become aliases; when the model is read. */
void conf_filter_names(struct reader *r);
/* Also finds cycles and unknown names in those that nobody uses. */
void conf_read_macros(struct reader *r, yaml_node_t *n, struct macros *into);
/* One key of a level and its value. */
void conf_read_pair(struct reader *r, const struct pair *p, enum key_where level);
void conf_read_models(struct reader *r, yaml_node_t *n);
/* "file: there is no model 'x'; did you mean 'y'?" */
void conf_unknown_model(struct reader *r, yaml_node_t *at, const char *key, const char *name);
/* "unknown key 'x' in WHERE; did you mean 'y'?" */
void conf_unknown_key(struct reader *r, yaml_node_t *key, const char *where, const char *const *known, size_t n);

/* llama-swap ----------------------------------------------------------------------------------------------------- */

/* hooks and routing: what is in them for mai is put aside, the rest is a warning. */
void conf_read_hooks(struct reader *r, yaml_node_t *n);
void conf_read_routing(struct reader *r, yaml_node_t *n);
/* When the models are known: preload by id; groups as pin and maxLoaded. */
void conf_settle_preload(struct reader *r);
void conf_settle_groups(struct reader *r);
/* What is used, but means something else than there. */
void conf_note_differences(struct reader *r, const struct pair *pairs, size_t n);

#endif
