/* SPDX-License-Identifier: ISC
 * The plan as parts for people, and as JSON for scripts. */
#include "conf/conf_plan.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/xmalloc.h"

/* Whether what stands behind the name is to be hidden. */
static bool
is_secret(const char *name, size_t n)
{
	static const char *const words[] = {"key", "token", "secret", "password", "passwd", "credential"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t len = strlen(words[i]);

		/* The word ends the name, as --api-key and HF_TOKEN do; --max-tokens does not. */
		if (n >= len && strncasecmp(name + n - len, words[i], len) == 0)
			return true;
	}
	return false;
}

static void
put_word(struct strbuf *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%${}[]";

	if (*word != '\0' && strspn(word, plain) == strlen(word)) {
		strbuf_puts(out, word);
		return;
	}
	strbuf_putc(out, '\'');
	for (; *word != '\0'; word++) {
		if (*word == '\'')
			strbuf_puts(out, "'\\''");
		else
			strbuf_putc(out, *word);
	}
	strbuf_putc(out, '\'');
}

char **
conf_plan_words(char *const *argv)
{
	char **words = NULL;
	bool hide = false;

	for (; argv != NULL && *argv != NULL; argv++) {
		struct strbuf word = STRBUF_INIT;
		size_t n = strcspn(*argv, "=");

		if (hide) {
			strbuf_puts(&word, "****");
			hide = false;
		} else if ((*argv)[n] == '=' && is_secret(*argv, n)) {
			strbuf_add(&word, *argv, n);
			strbuf_puts(&word, "=****");
		} else {
			put_word(&word, *argv);
			hide = (*argv)[0] == '-' && is_secret(*argv, strlen(*argv));
		}
		strv_add(&words, strbuf_str(&word));
		strbuf_fini(&word);
	}
	return words;
}

char **
conf_plan_env(const struct conf_model *m)
{
	char **env = conf_argv(m->env, m->port_preferred ? 0 : m->port, 0, m->id);

	for (char **e = env; e != NULL && *e != NULL; e++) {
		size_t n = strcspn(*e, "=");
		char *masked;

		if (!is_secret(*e, n))
			continue;
		masked = xasprintf("%.*s=****", (int)n, *e);
		free(*e);
		*e = masked;
	}
	return env;
}

char *
conf_plan_value(const char *name, const char *json)
{
	size_t n = strlen(name);

	n -= n > 0 && name[n - 1] == '?';
	return xstrdup(is_secret(name, n) ? "\"****\"" : json);
}

char *
conf_plan_address(const struct conf_model *m)
{
	struct strbuf out = STRBUF_INIT;

	if (m->proxy_url != NULL) {
		strbuf_puts(&out, m->proxy_url);
	} else {
		strbuf_printf(&out, strchr(m->proxy_host, ':') != NULL ? "http://[%s]" : "http://%s", m->proxy_host);
		if (m->port == 0)
			strbuf_puts(&out, ", a port picked for each start");
		else
			strbuf_printf(&out, ":%d%s", m->port, m->port_preferred ? " if free" : "");
	}
	if (m->external)
		strbuf_puts(&out, " (external)");
	return strbuf_take(&out);
}

char *
conf_plan_ready(const struct conf_model *m)
{
	const char *canary = m->canary ? ", then one token is generated" : "";

	return m->check_path == NULL ? xasprintf("when the port is open%s", canary) :
	    xasprintf("GET %s is 200%s", m->check_path, canary);
}

/* JSON ------------------------------------------------------------------------------------------------------------ */

static void
put_list(struct jsonw *w, const char *key, char *const *list)
{
	jw_key(w, key);
	jw_arr(w);
	for (; list != NULL && *list != NULL; list++)
		jw_str(w, *list);
	jw_arr_end(w);
}

/* name, JSON, ...; of the strings that come in threes those of id. */
static void
put_set(struct jsonw *w, char *const *set, size_t step, const char *id)
{
	jw_obj(w);
	for (; set != NULL && *set != NULL; set += step)
		if (id == NULL || strcmp(*set, id) == 0) {
			char *value = conf_plan_value(set[step - 2], set[step - 1]);

			jw_key(w, set[step - 2]);
			jw_raw(w, value);
			free(value);
		}
	jw_obj_end(w);
}

static void
put_filters(struct jsonw *w, const struct conf_model *m)
{
	const char *last = NULL;

	jw_key(w, "filters");
	jw_obj(w);
	put_list(w, "stripParams", m->strip_params);
	jw_key(w, "setParams");
	put_set(w, m->set_params, 2, NULL);
	jw_key(w, "setParamsByID");
	jw_obj(w);
	for (char **s = m->set_params_by_id; s != NULL && *s != NULL; s += 3)
		if (last == NULL || strcmp(last, *s) != 0) {
			last = *s;
			jw_key(w, last);
			put_set(w, m->set_params_by_id, 3, last);
		}
	jw_obj_end(w);
	jw_obj_end(w);
}

static void
put_model(struct jsonw *w, const struct conf_model *m)
{
	char *address = conf_plan_address(m), *ready = conf_plan_ready(m);
	char **argv = m->argv == NULL ? NULL : conf_argv(m->argv, m->port_preferred ? 0 : m->port, 0, m->id);
	char **how = m->cmd_stop == NULL ? NULL : conf_argv(m->cmd_stop, 0, 0, m->id);
	char **words = conf_plan_words(argv), **stop = conf_plan_words(how), **env = conf_plan_env(m);

	jw_obj(w);
	jw_kstr(w, "id", m->id);
	jw_kstr(w, "engine", m->proxy_url != NULL ? NULL : m->kind->name);
	put_list(w, "command", words);
	put_list(w, "stop", stop);
	put_list(w, "env", env);
	jw_kstr(w, "address", address);
	jw_kstr(w, "ready", ready);
	jw_kstr(w, "upstream", m->upstream_model);
	put_list(w, "aliases", m->aliases);
	jw_kbool(w, "pinned", m->pin);
	jw_kbool(w, "unlisted", m->unlisted);
	jw_kbool(w, "external", m->external);
	jw_kint(w, "memory", (int64_t)m->memory);
	jw_knum(w, "ttl", (double)m->ttl / 1000);
	jw_kint(w, "concurrencyLimit", m->concurrency_limit);
	put_filters(w, m);
	jw_obj_end(w);
	free(address);
	free(ready);
	strv_free(&argv);
	strv_free(&how);
	strv_free(&words);
	strv_free(&stop);
	strv_free(&env);
}

void
conf_plan_json(const struct conf *c, struct jsonw *w)
{
	static const char *const from[] = {"default", "maxLoaded", "groups"};

	jw_obj(w);
	jw_kstr(w, "defaultModel", c->default_model);
	jw_kint(w, "maxLoaded", c->max_loaded);
	jw_kstr(w, "maxLoadedFrom", from[c->max_from]);
	jw_kint(w, "memoryBudget", (int64_t)c->memory_budget);
	put_list(w, "preload", c->preload);
	jw_key(w, "models");
	jw_arr(w);
	for (size_t i = 0; i < c->nmodels; i++)
		put_model(w, c->models[i]);
	jw_arr_end(w);
	jw_obj_end(w);
}
