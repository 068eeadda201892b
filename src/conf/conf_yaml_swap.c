/* SPDX-License-Identifier: ISC
 * mai.yaml: keys that come from llama-swap and are not mai's own way to say it. */
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "conf/conf_yaml.h"

static void
ignored(struct reader *r, const yaml_node_t *at, const char *name, const char *why)
{
	conf_warn(r->c, conf_node_place(r, at), "%s is ignored: %s", name, why);
}

static yaml_node_t *
find(const struct pair *pairs, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp((const char *)pairs[i].key->data.scalar.value, key) == 0)
			return pairs[i].value;
	return NULL;
}

static void
only(struct reader *r, const struct pair *pairs, size_t n, const char *where, const char *const *keys, size_t nkeys)
{
	for (size_t i = 0; i < n; i++) {
		bool known = false;

		for (size_t j = 0; j < nkeys; j++)
			known = known || strcmp((const char *)pairs[i].key->data.scalar.value, keys[j]) == 0;
		if (!known)
			conf_unknown_key(r, pairs[i].key, where, keys, nkeys);
	}
}

static void
read_on_startup(struct reader *r, yaml_node_t *n)
{
	static const char *const keys[] = {"preload", "profile"};
	struct pair *pairs;
	size_t count;

	pairs = conf_node_pairs(r, n, "hooks.on_startup", &count);
	only(r, pairs, count, "hooks.on_startup", keys, ARRAY_LEN(keys));
	for (size_t i = 0; i < count; i++) {
		const char *key = (const char *)pairs[i].key->data.scalar.value;

		if (strcmp(key, "preload") == 0)
			r->preload = pairs[i].value;
		else if (strcmp(key, "profile") == 0)
			ignored(r, pairs[i].key, "hooks.on_startup.profile", "there are no profiles");
	}
	free(pairs);
}

void
conf_read_hooks(struct reader *r, yaml_node_t *n)
{
	static const char *const keys[] = {"on_startup"};
	struct pair *pairs;
	size_t count;

	pairs = conf_node_pairs(r, n, "hooks", &count);
	only(r, pairs, count, "hooks", keys, ARRAY_LEN(keys));
	read_on_startup(r, find(pairs, count, "on_startup"));
	free(pairs);
}

static void
read_router(struct reader *r, yaml_node_t *n)
{
	static const char *const keys[] = {"use", "settings"}, *const kinds[] = {"groups", "matrix"};
	struct pair *router, *settings;
	yaml_node_t *use, *groups;
	size_t nrouter, nsettings;
	const char *text;

	router = conf_node_pairs(r, n, "routing.router", &nrouter);
	only(r, router, nrouter, "routing.router", keys, ARRAY_LEN(keys));
	use = find(router, nrouter, "use");
	text = conf_node_is_null(use) ? "group" : conf_node_text(r, use, "routing.router.use");
	settings = conf_node_pairs(r, find(router, nrouter, "settings"), "routing.router.settings", &nsettings);
	only(r, settings, nsettings, "routing.router.settings", kinds, ARRAY_LEN(kinds));
	groups = find(settings, nsettings, "groups");
	if (text != NULL && strcmp(text, "matrix") == 0) {
		ignored(r, use, "routing.router.use: matrix", "which models are loaded together follows from maxLoaded, "
		    "memoryBudget and pin");
	} else if (!conf_node_is_null(groups)) {
		if (r->groups != NULL)
			conf_node_fail(r, groups, "groups are given twice, at the top level too");
		r->groups = groups;
	}
	free(router);
	free(settings);
}

void
conf_read_routing(struct reader *r, yaml_node_t *n)
{
	static const char *const keys[] = {"router", "scheduler"};
	struct pair *pairs;
	size_t count;

	pairs = conf_node_pairs(r, n, "routing", &count);
	only(r, pairs, count, "routing", keys, ARRAY_LEN(keys));
	for (size_t i = 0; i < count; i++) {
		const char *key = (const char *)pairs[i].key->data.scalar.value;

		if (strcmp(key, "router") == 0)
			read_router(r, pairs[i].value);
		else if (strcmp(key, "scheduler") == 0)
			ignored(r, pairs[i].key, "routing.scheduler", "the order of requests follows from minResident and "
			    "maxSwapWait");
	}
	free(pairs);
}

void
conf_settle_preload(struct reader *r)
{
	struct conf *c = r->c;
	yaml_node_t **items;
	size_t count;

	items = conf_node_items(r, r->preload, "preload", &count);
	for (size_t i = 0; i < count; i++) {
		char *name = conf_node_expand(r, items[i], "preload", false, NULL);
		const struct conf_model *m = conf_find(c, name);
		bool there = false;

		if (name != NULL && *name != '\0' && m == NULL)
			conf_unknown_model(r, items[i], "preload", name);
		free(name);
		if (m == NULL)
			continue;
		for (char **id = c->preload; id != NULL && *id != NULL; id++)
			there = there || strcmp(*id, m->id) == 0;
		if (m->proxy_url != NULL)
			ignored(r, items[i], "preload of a server of its own", "there is nothing to start");
		else if (!there)
			strv_add(&c->preload, m->id);
	}
	free(items);
	if (strv_len(c->preload) > (size_t)c->max_loaded)
		conf_warn(c, conf_node_place(r, r->preload), "preload names %zu models, but maxLoaded is %d: the later "
		    "ones take the places of the earlier", strv_len(c->preload), c->max_loaded);
}

/* Whether it is a file of llama-swap: it has a key that nobody writes for mai. */
static bool
is_theirs(const struct pair *pairs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct keydef *k = conf_key_find(KEY_GLOBAL, (const char *)pairs[i].key->data.scalar.value);

		if (k != NULL && (k->type == KEY_FOREIGN || k->type == KEY_GROUPS || k->type == KEY_HOOKS ||
		    k->type == KEY_ROUTING || strcmp(k->key, "includeAliasesInList") == 0 ||
		    strcmp(k->key, "logToStdout") == 0))
			return true;
	}
	return false;
}

static void
note(struct reader *r, const struct pair *p)
{
	static const struct {
		const char *key, *text;
	} notes[] = {
		{"healthCheckTimeout", "counts the time without a sign of life; startTimeout limits a start"},
		{"concurrencyLimit", "requests above it wait, they get no 429"},
		{"apiKeys", "guard everything but /health and /livez; who has one may manage, but with scope: infer"},
		{"metadata", "is 'meta' of an entry of /v1/models itself, not meta.llamaswap"},
		{"startPort", "the first port tried; each start picks a free one"},
	};
	const char *key = (const char *)p->key->data.scalar.value;
	struct conf_place at = conf_node_place(r, p->key);

	for (size_t i = 0; i < ARRAY_LEN(notes); i++)
		if (strcmp(notes[i].key, key) == 0) {
			char *text = xasprintf("%s:%d:%d: %s: %s", at.file, at.line, at.col, key, notes[i].text);

			strv_add(&r->c->notes, text);
			free(text);
		}
}

void
conf_note_differences(struct reader *r, const struct pair *pairs, size_t n)
{
	struct pair *models, *keys;
	size_t nmodels, nkeys;

	if (!is_theirs(pairs, n))
		return;
	for (size_t i = 0; i < n; i++)
		note(r, &pairs[i]);
	models = conf_node_pairs(r, find(pairs, n, "models"), "models", &nmodels);
	for (size_t i = 0; i < nmodels; i++) {
		keys = conf_node_pairs(r, models[i].value, "a model", &nkeys);
		for (size_t j = 0; j < nkeys && strv_len(r->c->notes) < 100; j++)
			note(r, &keys[j]);
		free(keys);
	}
	free(models);
}
