/* SPDX-License-Identifier: ISC
 * Values by type: text to numbers, times, sizes, words. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "base/xmalloc.h"
#include "conf/conf_yaml.h"

#define TIME_MAX ((uint64_t)10 * 365 * 86400 * 1000)	/* ten years: sums of times stay far from overflow */

void *
conf_value_target(struct reader *r, const struct keydef *k)
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
		*(int *)conf_value_target(r, k) = (int)v;
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
	*(uint64_t *)conf_value_target(r, k) = ms;
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
		*(uint64_t *)conf_value_target(r, k) = bytes;
}

int
conf_truth(const char *s)
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
	int v = conf_truth(s);

	if (v < 0)
		conf_node_fail(r, n, "%s: expected true or false, got '%s'", k->key, s);
	else if (k->type == KEY_EXTERNAL)
		r->texts->external = v;
	else
		*(bool *)conf_value_target(r, k) = v == 1;
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
		*(int *)conf_value_target(r, k) = i;
	} else if (k->type == KEY_FLAG) {
		*(bool *)conf_value_target(r, k) = i == 1;
	} else {
		char **to = conf_value_target(r, k);

		free(*to);
		*to = xstrdup(s);
	}
}

static void
set_string(struct reader *r, const struct keydef *k, yaml_node_t *n, char *s)
{
	char **to = conf_value_target(r, k);

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
set_scalar(struct reader *r, const struct keydef *k, yaml_node_t *n)
{
	char *s = k->type == KEY_CMD ? conf_node_command(r, n, k->key) : conf_node_expand(r, n, k->key, false, NULL);

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
	/* `key:` without a value leaves the default. */
	if (conf_node_is_null(n) && k->type != KEY_LISTEN)
		return;
	switch (k->type) {
	case KEY_LISTEN:
	case KEY_KEYS:
	case KEY_STRS:
	case KEY_PATHS:
	case KEY_WORDS:
	case KEY_ENV:
	case KEY_TIMEOUTS:
	case KEY_DASHBOARD_MAP:
		conf_value_list(r, k, n);
		break;
	case KEY_METADATA:
		conf_read_metadata(r, n);
		break;
	case KEY_FILTERS:
		conf_read_filters(r, n);
		break;
	case KEY_HOOKS:
		conf_read_hooks(r, n);
		break;
	case KEY_ROUTING:
		conf_read_routing(r, n);
		break;
	case KEY_GROUPS:
		if (r->groups != NULL)
			conf_node_fail(r, n, "groups are given twice, in routing too");
		r->groups = n;
		break;
	case KEY_MODELS:
	case KEY_MACROS:
	case KEY_MODEL_NAME:
	case KEY_LATER:
	case KEY_FOREIGN:
		break;	/* their turn comes elsewhere */
	default:
		set_scalar(r, k, n);
		break;
	}
}
