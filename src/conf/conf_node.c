/* SPDX-License-Identifier: ISC
 * YAML nodes: where they stand, their pairs, items and text. Every walk is bounded, also through aliases. */
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "conf/conf_yaml.h"

#define PAIRS_MAX 4000
#define MERGE_MAX 8

struct conf_place
conf_node_place(const struct reader *r, const yaml_node_t *n)
{
	if (n == NULL)
		return (struct conf_place){r->file, 0, 0};
	return (struct conf_place){r->file, (int)n->start_mark.line + 1, (int)n->start_mark.column + 1};
}

void
conf_node_fail(struct reader *r, const yaml_node_t *n, const char *fmt, ...)
{
	struct strbuf text = STRBUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	conf_fail(r->errs, conf_node_place(r, n), "%s", strbuf_str(&text));
	strbuf_fini(&text);
}

void
conf_unknown_key(struct reader *r, yaml_node_t *key, const char *where, const char *const *known, size_t n)
{
	const char *name = (const char *)key->data.scalar.value, *near = conf_nearest(name, known, n);

	conf_node_fail(r, key, "unknown key '%.100s' in %s%s%s%s", name, where, near == NULL ? "" : "; did you mean '",
	    near == NULL ? "" : near, near == NULL ? "" : "'?");
}

bool
conf_node_is_null(const yaml_node_t *n)
{
	const char *s;

	if (n == NULL || n->type == YAML_NO_NODE)
		return true;
	if (n->type != YAML_SCALAR_NODE || n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	s = (const char *)n->data.scalar.value;
	return *s == '\0' || strcmp(s, "~") == 0 || strcmp(s, "null") == 0 || strcmp(s, "Null") == 0 ||
	    strcmp(s, "NULL") == 0;
}

static const char *
kind_name(const yaml_node_t *n)
{
	if (conf_node_is_null(n))
		return "nothing";
	return n->type == YAML_SCALAR_NODE ? "a single value" : n->type == YAML_SEQUENCE_NODE ? "a list" : "a mapping";
}

const char *
conf_node_text(struct reader *r, yaml_node_t *n, const char *what)
{
	if (n == NULL || n->type != YAML_SCALAR_NODE || conf_node_is_null(n)) {
		conf_node_fail(r, n, "%s: expected a single value, got %s", what, kind_name(n));
		return NULL;
	}
	if (memchr(n->data.scalar.value, '\0', n->data.scalar.length) != NULL) {
		conf_node_fail(r, n, "%s: holds a NUL character", what);
		return NULL;
	}
	return (const char *)n->data.scalar.value;
}

static char *
expand(struct reader *r, yaml_node_t *n, const char *what, const char *text, bool late, char ***env_used)
{
	const struct expand x = {.macros = r->scope, .late = late, .env_used = env_used,
	    .model_id = r->model == NULL ? NULL : r->model->id};
	struct err e = {""};
	char *out = text == NULL ? NULL : conf_macro_expand(&x, text, &e);

	if (text != NULL && out == NULL)
		conf_node_fail(r, n, "%s: %s", what, e.msg);
	return out;
}

char *
conf_node_expand(struct reader *r, yaml_node_t *n, const char *what, bool late, char ***env_used)
{
	return expand(r, n, what, conf_node_text(r, n, what), late, env_used);
}

char *
conf_node_command(struct reader *r, yaml_node_t *n, const char *what)
{
	const char *text = conf_node_text(r, n, what);
	char *plain = text == NULL ? NULL : conf_uncommented(text), *out = expand(r, n, what, plain, true, NULL);

	free(plain);
	return out;
}

struct pairs {
	struct pair *v;
	size_t n;
};

static struct pair *
find_pair(struct pairs *p, const char *key)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp((const char *)p->v[i].key->data.scalar.value, key) == 0)
			return &p->v[i];
	return NULL;
}

static void add_merged(struct reader *r, struct pairs *p, yaml_node_t *n, int depth);

/* merged: what is there already stays; else a second key of the same name is an error. */
static int
add_pairs(struct reader *r, struct pairs *p, yaml_node_t *map, bool merged, int depth)
{
	yaml_node_pair_t *at;

	for (at = map->data.mapping.pairs.start; at < map->data.mapping.pairs.top; at++) {
		yaml_node_t *key = yaml_document_get_node(r->doc, at->key);
		const struct pair *old;

		if (key->type != YAML_SCALAR_NODE ||
		    memchr(key->data.scalar.value, '\0', key->data.scalar.length) != NULL) {
			conf_node_fail(r, key, "a key must be plain text");
			continue;
		}
		if (strcmp((const char *)key->data.scalar.value, "<<") == 0)
			continue;
		old = find_pair(p, (const char *)key->data.scalar.value);
		if (old != NULL) {
			if (!merged)
				conf_node_fail(r, key, "duplicate key '%s', first on line %d",
				    (const char *)key->data.scalar.value, (int)old->key->start_mark.line + 1);
			continue;
		}
		if (p->n == PAIRS_MAX) {
			conf_node_fail(r, key, "more than %d keys in one mapping", PAIRS_MAX);
			return -1;
		}
		p->v = xreallocarray(p->v, p->n + 1, sizeof(*p->v));
		p->v[p->n++] = (struct pair){key, yaml_document_get_node(r->doc, at->value)};
	}
	for (at = map->data.mapping.pairs.start; at < map->data.mapping.pairs.top; at++) {
		yaml_node_t *key = yaml_document_get_node(r->doc, at->key);

		if (key->type == YAML_SCALAR_NODE && strcmp((const char *)key->data.scalar.value, "<<") == 0)
			add_merged(r, p, yaml_document_get_node(r->doc, at->value), depth);
	}
	return 0;
}

static void
add_merged(struct reader *r, struct pairs *p, yaml_node_t *n, int depth)
{
	if (depth >= MERGE_MAX) {
		conf_node_fail(r, n, "merged mappings are nested more than %d deep", MERGE_MAX);
	} else if (n->type == YAML_MAPPING_NODE) {
		add_pairs(r, p, n, true, depth + 1);
	} else if (n->type == YAML_SEQUENCE_NODE && n->data.sequence.items.top - n->data.sequence.items.start <= 8) {
		for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top; i++)
			add_merged(r, p, yaml_document_get_node(r->doc, *i), MERGE_MAX - 1);
	} else {
		conf_node_fail(r, n, "<< needs a mapping, or a list of at most 8");
	}
}

struct pair *
conf_node_pairs(struct reader *r, yaml_node_t *n, const char *what, size_t *count)
{
	struct pairs p = {NULL, 0};

	*count = 0;
	if (conf_node_is_null(n))
		return xcalloc(1, sizeof(struct pair));
	if (n->type != YAML_MAPPING_NODE) {
		conf_node_fail(r, n, "%s: expected a mapping (key: value), got %s", what, kind_name(n));
		return NULL;
	}
	p.v = xcalloc(1, sizeof(*p.v));
	add_pairs(r, &p, n, false, 0);
	*count = p.n;
	return p.v;
}

yaml_node_t **
conf_node_items(struct reader *r, yaml_node_t *n, const char *what, size_t *count)
{
	yaml_node_t **v;
	size_t len;

	*count = 0;
	if (conf_node_is_null(n))
		return xcalloc(1, sizeof(*v));
	if (n->type == YAML_SCALAR_NODE) {
		v = xcalloc(1, sizeof(*v));
		v[(*count)++] = n;
		return v;
	}
	if (n->type != YAML_SEQUENCE_NODE) {
		conf_node_fail(r, n, "%s: expected a list, got %s", what, kind_name(n));
		return NULL;
	}
	len = (size_t)(n->data.sequence.items.top - n->data.sequence.items.start);
	if (len > PAIRS_MAX) {
		conf_node_fail(r, n, "%s: more than %d items", what, PAIRS_MAX);
		return NULL;
	}
	v = xcalloc(len + 1, sizeof(*v));
	for (; *count < len; (*count)++)
		v[*count] = yaml_document_get_node(r->doc, n->data.sequence.items.start[*count]);
	return v;
}
