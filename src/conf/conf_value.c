/* SPDX-License-Identifier: ISC
 * Values by type: text to numbers, times, sizes, words, lists. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "base/xmalloc.h"
#include "conf/conf_yaml.h"

#define TIME_MAX ((uint64_t)10 * 365 * 86400 * 1000)	/* ten years: sums of times stay far from overflow */

static void *
target(struct reader *r, const struct keydef *k)
{
	void *base = NULL;

	switch (k->in) {
	case KEY_IN_CONF:
		base = r->c;
		break;
	case KEY_IN_BASE:
		base = r->base;
		break;
	case KEY_IN_MODEL:
		base = r->model != NULL ? r->model : r->base;
		break;
	case KEY_IN_TEXTS:
		base = r->texts;
		break;
	case KEY_IN_NONE:
		break;
	}
	return base == NULL ? NULL : (char *)base + k->off;
}

static void
set_int(struct reader *r, const struct keydef *k, yaml_node_t *n, const char *s)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(s, &end, 10);
	if (end == s || *end != '\0' || errno != 0 || v < k->lo || v > k->hi)
		conf_node_fail(r, n, "%s: expected a whole number from %lld to %lld, got '%s'", k->key, (long long)k->lo,
		    (long long)k->hi, s);
	else
		*(int *)target(r, k) = (int)v;
}

static void
set_time(struct reader *r, const struct keydef *k, yaml_node_t *n, const char *s)
{
	uint64_t hi = k->hi > 0 ? (uint64_t)k->hi : TIME_MAX, ms;
	char low[32], high[32];

	/* llama-swap: -1 is the global ttl; and an unloadTimeout of 0 is its default. */
	if (k->type == KEY_TTL && strcmp(s, "-1") == 0)
		return;
	if (text_parse_duration(s, &ms) < 0) {
		conf_node_fail(r, n, "%s: expected a time (30, 1.5, 250ms, 10m, 2h), got '%s'", k->key, s);
		return;
	}
	if (k->type == KEY_UNLOAD && ms == 0)
		return;
	if (ms < (uint64_t)k->lo || ms > hi) {
		text_duration(low, sizeof(low), (uint64_t)k->lo, true);
		text_duration(high, sizeof(high), hi, false);
		conf_node_fail(r, n, "%s: must be from %s to %s, got '%s'", k->key, low, high, s);
		return;
	}
	*(uint64_t *)target(r, k) = ms;
}

static void
set_size(struct reader *r, const struct keydef *k, yaml_node_t *n, const char *s)
{
	uint64_t bytes;

	if (text_parse_size(s, &bytes) < 0)
		conf_node_fail(r, n, "%s: expected a size (65536, 64MiB, 17.5GiB), got '%s'", k->key, s);
	else if (bytes < (uint64_t)k->lo)
		conf_node_fail(r, n, "%s: must be at least %lld bytes, got '%s'", k->key, (long long)k->lo, s);
	else
		*(uint64_t *)target(r, k) = bytes;
}

/* 1, 0, or -1 for what is no truth value. */
static int
truth(const char *s)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasecmp(s, words[i]) == 0)
			return (int)(i & 1);
	return -1;
}

static void
set_bool(struct reader *r, const struct keydef *k, yaml_node_t *n, const char *s)
{
	int v = truth(s);

	if (v < 0)
		conf_node_fail(r, n, "%s: expected true or false, got '%s'", k->key, s);
	else if (k->type == KEY_EXTERNAL)
		r->texts->external = v;
	else
		*(bool *)target(r, k) = v == 1;
}

/* The place of s among the words, or -1. */
static int
word_index(const char *words, const char *s)
{
	size_t len = strlen(s);

	for (int i = 0; *words != '\0' && len > 0; i++) {
		size_t n = strcspn(words, " ");

		if (n == len && strncmp(words, s, n) == 0)
			return i;
		words += n + strspn(words + n, " ");
	}
	return -1;
}

static void
set_word(struct reader *r, const struct keydef *k, yaml_node_t *n, const char *s)
{
	int i = word_index(k->words, s);

	if (i < 0) {
		conf_node_fail(r, n, "%s: expected one of %s, got '%s'", k->key, k->words, s);
	} else if (k->type == KEY_CHOICE) {
		*(int *)target(r, k) = i;
	} else if (k->type == KEY_FLAG) {
		*(bool *)target(r, k) = i == 1;
	} else {
		char **to = target(r, k);

		free(*to);
		*to = xstrdup(s);
	}
}

static void
set_string(struct reader *r, const struct keydef *k, yaml_node_t *n, char *s)
{
	char **to = target(r, k);

	free(*to);
	*to = NULL;
	if (*s == '\0') {
		/* llama-swap's files hold empty strings where they mean none. */
		free(s);
		return;
	}
	if (strcmp(k->key, "defaultModel") == 0)
		r->default_at = n;
	else if (strcmp(k->key, "fallbackModel") == 0)
		r->fallback_at = n;
	if (k->type == KEY_DIR) {
		*to = conf_abspath(s, r->dir);
		free(s);
	} else {
		*to = s;
	}
}

static void
set_strings(struct reader *r, const struct keydef *k, yaml_node_t *n)
{
	char ***to = target(r, k), *s;
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
		s = conf_node_expand(r, items[i], k->key, true, NULL);
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

/* llama-swap's timeouts; connect is the one that matters between two processes of one machine. */
static void
set_timeouts(struct reader *r, yaml_node_t *n)
{
	static const char *const others[] = {"keepalive", "responseHeader", "tlsHandshake", "expectContinue",
	    "idleConn"};
	struct pair *pairs;
	size_t count;

	pairs = conf_node_pairs(r, n, "timeouts", &count);
	for (size_t i = 0; i < count; i++) {
		const char *name = (const char *)pairs[i].key->data.scalar.value;
		bool other = false;

		for (size_t j = 0; j < ARRAY_LEN(others); j++)
			other = other || strcmp(others[j], name) == 0;
		if (strcmp(name, "connect") == 0)
			conf_value_set(r, conf_key_find(KEY_MODEL, "connectTimeout"), pairs[i].value);
		else if (other)
			conf_warn(r->c, conf_node_place(r, pairs[i].key), "timeouts.%s is not used: ignored", name);
		else
			conf_node_fail(r, pairs[i].key, "unknown key '%s' in timeouts", name);
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

static void
set_scalar(struct reader *r, const struct keydef *k, yaml_node_t *n)
{
	bool late = k->type == KEY_CMD;
	char *s = conf_node_expand(r, n, k->key, late, NULL);

	if (s == NULL)
		return;
	if (k->type == KEY_INT)
		set_int(r, k, n, s);
	else if (k->type == KEY_TIME || k->type == KEY_TTL || k->type == KEY_UNLOAD)
		set_time(r, k, n, s);
	else if (k->type == KEY_SIZE)
		set_size(r, k, n, s);
	else if (k->type == KEY_BOOL || k->type == KEY_EXTERNAL)
		set_bool(r, k, n, s);
	else if (k->type == KEY_WORD || k->type == KEY_CHOICE || k->type == KEY_FLAG)
		set_word(r, k, n, s);
	else {
		set_string(r, k, n, s);
		return;
	}
	free(s);
}

void
conf_value_set(struct reader *r, const struct keydef *k, yaml_node_t *n)
{
	char **json;

	/* `key:` without a value leaves the default. */
	if (conf_node_is_null(n) && k->type != KEY_LISTEN)
		return;
	switch (k->type) {
	case KEY_LISTEN:
		set_listen(r, k, n);
		break;
	case KEY_KEYS:
		set_keys(r, n);
		break;
	case KEY_STRS:
	case KEY_PATHS:
		set_strings(r, k, n);
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
	case KEY_METADATA:
		json = target(r, k);
		free(*json);
		*json = conf_value_json(r, n);
		break;
	case KEY_MODELS:
	case KEY_MACROS:
	case KEY_MODEL_NAME:
	case KEY_LATER:
	case KEY_FOREIGN:
		break;	/* their turn comes elsewhere */
	case KEY_STR:
	case KEY_DIR:
	case KEY_CHOICE:
	case KEY_INT:
	case KEY_SIZE:
	case KEY_TIME:
	case KEY_FLAG:
	case KEY_WORD:
	case KEY_BOOL:
	case KEY_UNLOAD:
	case KEY_TEXT:
	case KEY_CMD:
	case KEY_EXTERNAL:
	case KEY_TTL:
		set_scalar(r, k, n);
		break;
	}
}
