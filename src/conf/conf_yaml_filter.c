/* SPDX-License-Identifier: ISC
 * mai.yaml: what the filters of a model take out of requests and put in. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "conf/conf_yaml.h"

#define PARAMS_MAX 64
#define NAME_MAX_BYTES 200
#define DEPTH_MAX 8

static const char *const filter_keys[] = {"stripParams", "setParams", "setParamsByID", "strip_params"};

/* "model" itself, or something in it: it is what requests are routed by. */
static bool
is_model(const char *name)
{
	char first[8];
	size_t n = 0;

	for (; *name != '\0' && *name != '.' && n < sizeof(first) - 1; name++) {
		if (*name == '\\' && name[1] != '\0')
			name++;
		first[n++] = *name;
	}
	first[n] = '\0';
	return strcmp(first, "model") == 0 || strcmp(first, "model?") == 0;
}

/* NULL, or what is wrong with the name. */
static const char *
bad_name(const char *name)
{
	int depth = 1;
	bool empty = true;

	if (strlen(name) > NAME_MAX_BYTES)
		return "is longer than 200 bytes";
	for (const char *p = name; *p != '\0'; p++) {
		if (iscntrl((unsigned char)*p))
			return "holds a control character";
		if (*p == '.' && (empty || p[1] == '\0'))
			return "has an empty part";
		depth += *p == '.';
		empty = *p == '.';
		if (*p == '\\' && p[1] != '\0')
			p++;
	}
	if (depth > DEPTH_MAX)
		return "has more than 8 parts";
	if (strlen(name) > 1 && strcmp(name + strlen(name) - 2, ".?") == 0)
		return "has an empty part";
	return *name == '\0' || strcmp(name, "?") == 0 ? "is empty" : NULL;
}

static bool
usable(struct reader *r, yaml_node_t *at, const char *key, const char *name)
{
	const char *why = bad_name(name);

	if (why != NULL) {
		conf_node_fail(r, at, "filters.%s: a name %s", key, why);
		return false;
	}
	if (is_model(name)) {
		conf_warn(r->c, conf_node_place(r, at), "filters.%s: 'model' says where a request goes: it stays as it is",
		    key);
		return false;
	}
	return true;
}

static bool
has(char *const *list, const char *s)
{
	for (; list != NULL && *list != NULL; list++)
		if (strcmp(*list, s) == 0)
			return true;
	return false;
}

/* Names between commas. */
static void
strip_text(struct reader *r, yaml_node_t *at, const char *key, const char *text)
{
	char ***to = &r->model->strip_params;

	while (*text != '\0') {
		size_t n;
		char *name;

		text += strspn(text, " \t\r\n,");
		n = strcspn(text, ",");
		name = xstrndup(text, n);
		text += n;
		while (n > 0 && strchr(" \t\r\n", name[n - 1]) != NULL)
			name[--n] = '\0';
		if (n > 0 && usable(r, at, key, name) && !has(*to, name)) {
			if (strv_len(*to) == PARAMS_MAX)
				conf_node_fail(r, at, "filters.%s: more than %d names", key, PARAMS_MAX);
			else
				strv_add(to, name);
		}
		free(name);
	}
}

static void
read_strip(struct reader *r, const struct pair *p, const char *key)
{
	yaml_node_t **items;
	size_t count;
	char *text;

	items = conf_node_items(r, p->value, key, &count);
	for (size_t i = 0; i < count; i++) {
		text = conf_node_expand(r, items[i], key, false, NULL);
		if (text != NULL)
			strip_text(r, items[i], key, text);
		free(text);
	}
	free(items);
}

struct param {
	char *name, *json;	/* (owned) */
};

/* By name without the ?, the one with it behind. */
static int
by_name(const void *a, const void *b)
{
	const char *x = ((const struct param *)a)->name, *y = ((const struct param *)b)->name;
	size_t nx = strlen(x), ny = strlen(y);
	int c;

	nx -= x[nx - 1] == '?';
	ny -= y[ny - 1] == '?';
	c = memcmp(x, y, nx < ny ? nx : ny);
	if (c == 0)
		c = nx < ny ? -1 : nx > ny;
	return c != 0 ? c : (x[nx] == '?') - (y[ny] == '?');
}

/* Whether b is a with a ? behind it. */
static bool
is_soft_of(const char *a, const char *b)
{
	size_t n = strlen(a);

	return strncmp(a, b, n) == 0 && strcmp(b + n, "?") == 0;
}

/* A mapping of names to values, added to *to in the order of names; id: what stands before each, or NULL. */
static void
read_set(struct reader *r, yaml_node_t *n, const char *key, const char *id, char ***to)
{
	struct pair *pairs;
	struct param *v;
	size_t count, nv = 0;

	pairs = conf_node_pairs(r, n, key, &count);
	if (count > PARAMS_MAX) {
		conf_node_fail(r, n, "filters.%s: more than %d parameters", key, PARAMS_MAX);
		count = 0;
	}
	v = xcalloc(count + 1, sizeof(*v));
	for (size_t i = 0; i < count; i++) {
		const char *name = (const char *)pairs[i].key->data.scalar.value;
		char *json;

		if (!usable(r, pairs[i].key, key, name))
			continue;
		json = conf_value_json(r, pairs[i].value, key, NULL);
		if (json != NULL)
			v[nv++] = (struct param){xstrdup(name), json};
	}
	qsort(v, nv, sizeof(*v), by_name);
	for (size_t i = 0; i < nv; i++) {
		if (i == 0 || !is_soft_of(v[i - 1].name, v[i].name)) {
			if (id != NULL)
				strv_add(to, id);
			strv_add(to, v[i].name);
			strv_add(to, v[i].json);
		}
	}
	for (size_t i = 0; i < nv; i++) {
		free(v[i].name);
		free(v[i].json);
	}
	free(v);
	free(pairs);
}

static void
read_by_id(struct reader *r, const struct pair *p)
{
	static const char key[] = "setParamsByID";
	struct pair *pairs;
	size_t count;
	char *id;

	pairs = conf_node_pairs(r, p->value, key, &count);
	if (count > PARAMS_MAX) {
		conf_node_fail(r, p->value, "filters.%s: more than %d ids", key, PARAMS_MAX);
		count = 0;
	}
	for (size_t i = 0; i < count; i++) {
		id = conf_node_expand(r, pairs[i].key, key, false, NULL);
		if (id == NULL)
			continue;
		if (*id == '\0' || strlen(id) > CONF_NAME_MAX)
			conf_node_fail(r, pairs[i].key, "filters.%s: an id is empty or longer than %d bytes", key,
			    CONF_NAME_MAX);
		else if (has(r->texts->ids, id))
			conf_node_fail(r, pairs[i].key, "filters.%s: '%s' twice", key, id);
		else {
			strv_add(&r->texts->ids, id);
			read_set(r, pairs[i].value, key, id, &r->model->set_params_by_id);
		}
		free(id);
	}
	free(pairs);
}

void
conf_read_filters(struct reader *r, yaml_node_t *n)
{
	const struct pair *old = NULL;
	struct pair *pairs;
	size_t count;

	pairs = conf_node_pairs(r, n, "filters", &count);
	for (size_t i = 0; i < count; i++) {
		const char *name = (const char *)pairs[i].key->data.scalar.value;

		if (strcmp(name, "strip_params") == 0)
			old = &pairs[i];
		else if (strcmp(name, "setParamsByMatch") == 0)
			conf_warn(r->c, conf_node_place(r, pairs[i].key), "filters.%s is ignored: parameters follow from "
			    "the model's name only (setParamsByID)", name);
		else if (conf_node_is_null(pairs[i].value))
			continue;
		else if (strcmp(name, "stripParams") == 0)
			read_strip(r, &pairs[i], name);
		else if (strcmp(name, "setParams") == 0)
			read_set(r, pairs[i].value, name, NULL, &r->model->set_params);
		else if (strcmp(name, "setParamsByID") == 0)
			read_by_id(r, &pairs[i]);
		else
			conf_unknown_key(r, pairs[i].key, "filters", filter_keys, ARRAY_LEN(filter_keys) - 1);
	}
	/* The older spelling holds where the newer one says nothing. */
	if (old != NULL && r->model->strip_params == NULL && !conf_node_is_null(old->value))
		read_strip(r, old, "strip_params");
	free(pairs);
}

void
conf_filter_names(struct reader *r)
{
	for (char **id = r->texts->ids; id != NULL && *id != NULL; id++)
		if (strcmp(*id, r->model->id) != 0 && !has(r->model->aliases, *id))
			strv_add(&r->model->aliases, *id);
}
