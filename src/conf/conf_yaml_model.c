/* SPDX-License-Identifier: ISC
 * mai.yaml: macros and models. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "conf/conf_yaml.h"

#define MODELS_MAX 1000
#define MACROS_MAX 1000

static bool
macro_name_ok(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return n > 0 && n < 64 && name[n] == '\0';
}

/* Expanding each once finds cycles and unknown names also in macros that nobody uses. */
static void
check_macros(struct reader *r, const struct pair *pairs, size_t count, const struct macros *m)
{
	const struct expand x = {.macros = m, .late = true};
	struct err e = {""};
	char *out;

	for (size_t i = 0; i < count; i++) {
		if (pairs[i].value->type != YAML_SCALAR_NODE)
			continue;
		out = conf_macro_expand(&x, (const char *)pairs[i].value->data.scalar.value, &e);
		if (out == NULL)
			conf_node_fail(r, pairs[i].value, "macros: %s", e.msg);
		free(out);
	}
}

void
conf_read_macros(struct reader *r, yaml_node_t *n, struct macros *into)
{
	struct pair *pairs;
	size_t count;

	pairs = conf_node_pairs(r, n, "macros", &count);
	for (size_t i = 0; i < count; i++) {
		const char *name = (const char *)pairs[i].key->data.scalar.value, *value;

		if (strcmp(name, "PORT") == 0 || strcmp(name, "PID") == 0 || strcmp(name, "MODEL_ID") == 0)
			conf_node_fail(r, pairs[i].key, "macros: %s is mai's own", name);
		else if (!macro_name_ok(name))
			conf_node_fail(r, pairs[i].key,
			    "macros: '%.100s' is no name (letters, digits, _ and -, at most 63)", name);
		if (into->n == MACROS_MAX) {
			conf_node_fail(r, pairs[i].key, "macros: more than %d", MACROS_MAX);
			break;
		}
		value = conf_node_is_null(pairs[i].value) ? "" : conf_node_text(r, pairs[i].value, "macros");
		if (value == NULL)
			continue;
		into->v = xreallocarray(into->v, into->n + 1, sizeof(*into->v));
		into->v[into->n++] = (struct macro){.name = xstrdup(name), .value = xstrdup(value),
		    .plain = pairs[i].value->data.scalar.style == YAML_PLAIN_SCALAR_STYLE};
	}
	check_macros(r, pairs, count, into);
	free(pairs);
}

static void
texts_fini(struct texts *t)
{
	free(t->engine);
	free(t->cmd);
	free(t->cmd_stop);
	free(t->proxy);
	free(t->check);
	free(t->use_name);
	strv_free(&t->args);
	strv_free(&t->ids);
}

static int
check_id(struct reader *r, yaml_node_t *key)
{
	const char *id = (const char *)key->data.scalar.value;

	if (*id == '\0') {
		conf_node_fail(r, key, "a model without a name");
		return -1;
	}
	if (strlen(id) > CONF_NAME_MAX) {
		conf_node_fail(r, key, "a model's name is longer than %d bytes", CONF_NAME_MAX);
		return -1;
	}
	for (const char *p = id; *p != '\0'; p++)
		if (iscntrl((unsigned char)*p)) {
			conf_node_fail(r, key, "a model's name holds a control character");
			return -1;
		}
	return 0;
}

static void
locate(struct reader *r, struct conf_model *m, yaml_node_t *n)
{
	struct err e = {""};
	char *text = conf_node_expand(r, n, "model", false, NULL);

	if (text == NULL)
		return;
	m->model = conf_model_locate(text, r->dir, r->c->model_directory, &e);
	if (m->model == NULL) {
		conf_node_fail(r, n, "model: %s", e.msg);
		/* It is named, if badly: no second message that it is missing. */
		m->model = xstrdup(text);
	}
	free(text);
}

static yaml_node_t *
node_of(const struct pair *pairs, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp((const char *)pairs[i].key->data.scalar.value, key) == 0)
			return pairs[i].value;
	return NULL;
}

static void
resolve(struct reader *r, yaml_node_t *id, const struct pair *pairs, size_t n)
{
	const struct texts *t = r->texts;
	const struct conf_spec spec = {.engine = t->engine, .cmd = t->cmd, .args = t->args, .cmd_stop = t->cmd_stop,
	    .proxy = t->proxy, .check = t->check, .use_name = t->use_name, .external = t->external};
	yaml_node_t *at, *cmd = node_of(pairs, n, "cmd"), *model = node_of(pairs, n, "model");
	const char *key;
	struct err e = {""};

	if (cmd != NULL && model != NULL && !conf_node_is_null(cmd) && !conf_node_is_null(model)) {
		conf_node_fail(r, model, "model '%s': give cmd or model, not both", r->model->id);
		return;
	}
	key = conf_resolve(r->model, &spec, &e);
	if (key == NULL)
		return;
	at = node_of(pairs, n, key);
	if (at != NULL && at->type != YAML_NO_NODE)
		conf_node_fail(r, at, "%s: %s", key, e.msg);
	else
		conf_node_fail(r, id, "model '%s': %s", r->model->id, e.msg);
}

static void
read_model(struct reader *r, yaml_node_t *id, const struct pair *pairs, size_t n)
{
	struct conf_model *m = conf_model_dup(r->base);
	struct texts texts = {.external = -1};
	struct macros own = {.outer = &r->macros};
	struct conf_place at = conf_node_place(r, id);
	yaml_node_t *macros = node_of(pairs, n, "macros"), *model = node_of(pairs, n, "model");
	int before = r->errs->n;

	m->id = xstrdup((const char *)id->data.scalar.value);
	m->line = at.line;
	m->col = at.col;
	r->model = m;
	r->texts = &texts;
	conf_read_macros(r, macros, &own);
	r->scope = &own;
	for (size_t i = 0; i < n; i++)
		conf_read_pair(r, &pairs[i], KEY_MODEL);
	conf_filter_names(r);
	if (model != NULL && !conf_node_is_null(model))
		locate(r, m, model);
	/* With a value missing, what follows from the values would only confuse. */
	if (r->errs->n == before)
		resolve(r, id, pairs, n);
	conf_add_model(r->c, m);
	r->model = NULL;
	r->texts = NULL;
	r->scope = &r->macros;
	texts_fini(&texts);
	conf_macros_fini(&own);
}

void
conf_read_models(struct reader *r, yaml_node_t *n)
{
	struct pair *models, *pairs;
	size_t count, npairs;

	models = conf_node_pairs(r, n, "models", &count);
	if (count > MODELS_MAX) {
		conf_node_fail(r, n, "models: more than %d", MODELS_MAX);
		count = 0;
	}
	for (size_t i = 0; i < count; i++) {
		char what[300];

		if (check_id(r, models[i].key) < 0)
			continue;
		snprintf(what, sizeof(what), "model '%s'", (const char *)models[i].key->data.scalar.value);
		pairs = conf_node_pairs(r, models[i].value, what, &npairs);
		if (pairs != NULL)
			read_model(r, models[i].key, pairs, npairs);
		free(pairs);
	}
	free(models);
}
