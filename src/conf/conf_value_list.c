/* SPDX-License-Identifier: ISC
 * Values that are lists or mappings: words, environment, addresses, API keys. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/xmalloc.h"
#include "conf/conf_yaml.h"

static void
set_strings(struct reader *r, const struct keydef *k, yaml_node_t *n)
{
	char ***to = conf_value_target(r, k), *s;
	yaml_node_t **items;
	size_t count;

	items = conf_node_items(r, n, k->key, &count);
	strv_free(to);
	for (size_t i = 0; i < count; i++) {
		s = conf_node_expand(r, items[i], k->key, false, NULL);
		if (s != NULL && *s == '\0')
			conf_node_fail(r, items[i], "%s: an empty entry", k->key);
		else if (s != NULL && k->type == KEY_PATHS && *s != '/')
			conf_node_fail(r, items[i], "%s: '%s' must begin with /", k->key, s);
		else if (s != NULL && k->type == KEY_PATHS && strpbrk(s, "*?# ") != NULL)
			conf_node_fail(r, items[i], "%s: '%s': paths are meant exactly, without patterns, query and blanks",
			    k->key, s);
		else if (s != NULL)
			strv_add(to, s);
		free(s);
	}
	free(items);
}

/* A list of words, or one string that is split. */
static void
set_words(struct reader *r, const struct keydef *k, yaml_node_t *n)
{
	yaml_node_t **items;
	struct err e = {""};
	size_t count;
	char *s, **words;

	items = conf_node_items(r, n, k->key, &count);
	for (size_t i = 0; i < count; i++) {
		s = n->type == YAML_SCALAR_NODE ? conf_node_command(r, items[i], k->key) :
		    conf_node_expand(r, items[i], k->key, true, NULL);
		if (s != NULL && n->type == YAML_SCALAR_NODE) {
			words = conf_split(s, &e);
			if (words == NULL && *s != '\0')
				conf_node_fail(r, n, "%s: %s", k->key, e.msg);
			for (char **w = words; w != NULL && *w != NULL; w++)
				strv_add(&r->texts->args, *w);
			strv_free(&words);
		} else if (s != NULL) {
			strv_add(&r->texts->args, s);
		}
		free(s);
	}
	free(items);
}

static void
add_env(struct reader *r, yaml_node_t *at, char *entry)
{
	size_t n;

	if (entry == NULL)
		return;
	n = strcspn(entry, "=");
	if (n == 0 || entry[n] == '\0')
		conf_node_fail(r, at, "env: expected KEY=VALUE, got '%.*s'", n > 40 ? 40 : (int)n, entry);
	else
		strv_add(&r->model->env, entry);
	free(entry);
}

static void
set_env(struct reader *r, const struct keydef *k, yaml_node_t *n)
{
	yaml_node_t **items;
	struct pair *pairs;
	size_t count;
	char *value;

	if (n->type == YAML_MAPPING_NODE) {
		pairs = conf_node_pairs(r, n, k->key, &count);
		for (size_t i = 0; i < count; i++) {
			bool empty = conf_node_is_null(pairs[i].value);

			value = empty ? xstrdup("") : conf_node_expand(r, pairs[i].value, k->key, true, NULL);
			if (value != NULL)
				add_env(r, pairs[i].key, xasprintf("%s=%s",
				    (const char *)pairs[i].key->data.scalar.value, value));
			free(value);
		}
		free(pairs);
		return;
	}
	items = conf_node_items(r, n, k->key, &count);
	for (size_t i = 0; i < count; i++)
		add_env(r, items[i], conf_node_expand(r, items[i], k->key, true, NULL));
	free(items);
}

static void
set_listen(struct reader *r, const struct keydef *k, yaml_node_t *n)
{
	yaml_node_t **items;
	struct err e = {""};
	size_t count;
	char *s;

	items = conf_node_items(r, n, k->key, &count);
	if (items != NULL && count == 0)
		conf_node_fail(r, n, "listen: no address");
	for (size_t i = 0; i < count; i++) {
		s = conf_node_expand(r, items[i], k->key, false, NULL);
		if (s != NULL && conf_listen_add(r->c, s, &e) < 0)
			conf_node_fail(r, items[i], "listen: %s", e.msg);
		free(s);
	}
	free(items);
}

static void
add_key(struct reader *r, yaml_node_t *at, enum conf_scope scope)
{
	struct conf *c = r->c;
	char *s = conf_node_expand(r, at, "apiKeys", false, &c->secret_env);

	if (s == NULL)
		return;
	for (size_t i = 0; i < c->nkeys; i++)
		if (strcmp(c->keys[i].key, s) == 0) {
			conf_node_fail(r, at, "apiKeys: the same key twice");
			free(s);
			return;
		}
	if (*s == '\0' || strcspn(s, " \t\r\n") != strlen(s)) {
		conf_node_fail(r, at, *s == '\0' ? "apiKeys: an empty key" : "apiKeys: a key with blanks in it");
		free(s);
		return;
	}
	c->keys = xreallocarray(c->keys, c->nkeys + 1, sizeof(*c->keys));
	c->keys[c->nkeys++] = (struct conf_key){s, scope};
}

static void
key_mapping(struct reader *r, yaml_node_t *n)
{
	yaml_node_t *key = NULL;
	enum conf_scope scope = SCOPE_ADMIN;
	struct pair *pairs;
	size_t count;

	pairs = conf_node_pairs(r, n, "apiKeys", &count);
	for (size_t i = 0; i < count; i++) {
		const char *name = (const char *)pairs[i].key->data.scalar.value, *text;

		if (strcmp(name, "key") == 0) {
			key = pairs[i].value;
		} else if (strcmp(name, "scope") == 0) {
			text = conf_node_text(r, pairs[i].value, "scope");
			if (text != NULL && strcmp(text, "infer") == 0)
				scope = SCOPE_INFER;
			else if (text != NULL && strcmp(text, "admin") != 0)
				conf_node_fail(r, pairs[i].value, "scope: expected one of admin infer, got '%s'", text);
		} else {
			conf_node_fail(r, pairs[i].key, "unknown key '%s' (an API key has key and scope)", name);
		}
	}
	if (key != NULL)
		add_key(r, key, scope);
	else if (pairs != NULL)
		conf_node_fail(r, n, "apiKeys: an entry without key");
	free(pairs);
}

static void
set_keys(struct reader *r, yaml_node_t *n)
{
	yaml_node_t **items;
	size_t count;

	items = conf_node_items(r, n, "apiKeys", &count);
	for (size_t i = 0; i < count; i++) {
		if (items[i]->type == YAML_MAPPING_NODE)
			key_mapping(r, items[i]);
		else
			add_key(r, items[i], SCOPE_ADMIN);
	}
	free(items);
}

static void
set_first_byte(struct reader *r, yaml_node_t *n)
{
	char *s = conf_node_expand(r, n, "timeouts.responseHeader", false, NULL);

	if (s != NULL && text_parse_duration(s, &r->model->first_byte_timeout) < 0)
		conf_node_fail(r, n, "timeouts.responseHeader: expected a time (30, 1.5, 10m), got '%s'", s);
	free(s);
}

static void
set_connect(struct reader *r, yaml_node_t *n)
{
	const struct keydef *k = conf_key_find(KEY_MODEL, "connectTimeout");

	/* There 0 is no limit. */
	if (n->type == YAML_SCALAR_NODE && strcmp((const char *)n->data.scalar.value, "0") == 0)
		r->model->connect_timeout = (uint64_t)k->hi;
	else
		conf_value_set(r, k, n);
}

/* llama-swap's timeouts; those two matter between two processes of one machine. */
static void
set_timeouts(struct reader *r, yaml_node_t *n)
{
	static const struct {
		const char *key, *why;
	} others[] = {
		{"keepalive", "a peer on this machine cannot get lost"},
		{"tlsHandshake", "engines are spoken to without TLS"},
		{"expectContinue", "a request goes to the engine at once"},
		{"idleConn", "a connection to an engine is kept for 4 s at most"},
	};
	static const char *const keys[] = {"connect", "responseHeader", "keepalive", "tlsHandshake", "expectContinue",
	    "idleConn"};
	struct pair *pairs;
	size_t count, j;

	pairs = conf_node_pairs(r, n, "timeouts", &count);
	for (size_t i = 0; i < count; i++) {
		const char *name = (const char *)pairs[i].key->data.scalar.value;

		for (j = 0; j < ARRAY_LEN(others) && strcmp(others[j].key, name) != 0; j++)
			;
		if (strcmp(name, "connect") == 0)
			set_connect(r, pairs[i].value);
		else if (strcmp(name, "responseHeader") == 0)
			set_first_byte(r, pairs[i].value);
		else if (j < ARRAY_LEN(others))
			conf_warn(r->c, conf_node_place(r, pairs[i].key), "timeouts.%s is ignored: %s", name,
			    others[j].why);
		else
			conf_unknown_key(r, pairs[i].key, "timeouts", keys, ARRAY_LEN(keys));
	}
	free(pairs);
}

static void
set_dashboard(struct reader *r, yaml_node_t *n)
{
	struct pair *pairs;
	size_t count;

	pairs = conf_node_pairs(r, n, "dashboard", &count);
	for (size_t i = 0; i < count; i++) {
		const char *name = (const char *)pairs[i].key->data.scalar.value;
		const struct keydef *k = conf_key_find(KEY_DASHBOARD, name);
		const char *near = conf_key_nearest(KEY_DASHBOARD, name);

		if (k != NULL)
			conf_value_set(r, k, pairs[i].value);
		else
			conf_node_fail(r, pairs[i].key, "unknown key '%s' in dashboard%s%s%s", name,
			    near == NULL ? "" : "; did you mean '", near == NULL ? "" : near, near == NULL ? "" : "'?");
	}
	free(pairs);
}

void
conf_value_list(struct reader *r, const struct keydef *k, yaml_node_t *n)
{
	switch (k->type) {
	case KEY_LISTEN:
		set_listen(r, k, n);
		break;
	case KEY_KEYS:
		set_keys(r, n);
		break;
	case KEY_WORDS:
		set_words(r, k, n);
		break;
	case KEY_ENV:
		set_env(r, k, n);
		break;
	case KEY_TIMEOUTS:
		set_timeouts(r, n);
		break;
	case KEY_DASHBOARD_MAP:
		set_dashboard(r, n);
		break;
	default:
		set_strings(r, k, n);
		break;
	}
}
