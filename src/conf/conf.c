/* SPDX-License-Identifier: ISC
 * The configuration as data: defaults, copies, references, look-up. */
#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "conf/conf_priv.h"

#define SECONDS(n) ((uint64_t)(n) * 1000)
#define KIB(n) ((uint64_t)(n) * 1024)
#define MIB(n) ((uint64_t)(n) * 1024 * 1024)

/* Members that own memory: one list each for strings and for string lists, so that copy and free cannot differ. */
static const size_t model_strings[] = {
	offsetof(struct conf_model, id), offsetof(struct conf_model, name), offsetof(struct conf_model, description),
	offsetof(struct conf_model, metadata), offsetof(struct conf_model, model),
	offsetof(struct conf_model, upstream_model), offsetof(struct conf_model, check_path),
	offsetof(struct conf_model, proxy_host), offsetof(struct conf_model, proxy_url),
};
static const size_t model_lists[] = {
	offsetof(struct conf_model, aliases), offsetof(struct conf_model, argv), offsetof(struct conf_model, cmd_stop),
	offsetof(struct conf_model, env), offsetof(struct conf_model, extra_paths),
	offsetof(struct conf_model, strip_params), offsetof(struct conf_model, set_params),
	offsetof(struct conf_model, set_params_by_id),
};
static const size_t conf_strings[] = {
	offsetof(struct conf, path), offsetof(struct conf, default_model), offsetof(struct conf, fallback_model),
	offsetof(struct conf, model_directory), offsetof(struct conf, theme), offsetof(struct conf, python),
};
static const size_t conf_lists[] = {
	offsetof(struct conf, allowed_hosts), offsetof(struct conf, allowed_origins),
	offsetof(struct conf, secret_env), offsetof(struct conf, warnings), offsetof(struct conf, notes),
	offsetof(struct conf, preload),
};

static char **
str_at(void *base, size_t off)
{
	return (char **)(void *)((char *)base + off);
}

static char ***
list_at(void *base, size_t off)
{
	return (char ***)(void *)((char *)base + off);
}

static void
free_members(void *base, const size_t *strs, size_t nstrs, const size_t *lists, size_t nlists)
{
	for (size_t i = 0; i < nstrs; i++)
		free(*str_at(base, strs[i]));
	for (size_t i = 0; i < nlists; i++)
		strv_free(list_at(base, lists[i]));
}

/* base is a shallow copy: every owned member is replaced by one of its own. */
static void
dup_members(void *base, const size_t *strs, size_t nstrs, const size_t *lists, size_t nlists)
{
	for (size_t i = 0; i < nstrs; i++)
		*str_at(base, strs[i]) = xstrdup0(*str_at(base, strs[i]));
	for (size_t i = 0; i < nlists; i++)
		*list_at(base, lists[i]) = strv_dup(*list_at(base, lists[i]));
}

struct conf_model *
conf_model_new(void)
{
	struct conf_model *m = xcalloc(1, sizeof(*m));

	m->kind = conf_kind_find("custom");
	m->proxy_host = xstrdup("127.0.0.1");
	m->health_check_timeout = SECONDS(30);
	m->start_timeout = SECONDS(600);
	m->stall_timeout = SECONDS(120);
	m->stable_after = SECONDS(60);
	m->max_attempts = 3;
	m->backoff = SECONDS(1);
	m->backoff_max = SECONDS(60);
	m->drain_timeout = SECONDS(30);
	m->unload_timeout = SECONDS(10);
	m->connect_timeout = SECONDS(5);
	return m;
}

struct conf_model *
conf_model_dup(const struct conf_model *m)
{
	struct conf_model *copy = xmalloc(sizeof(*copy));

	*copy = *m;
	dup_members(copy, model_strings, ARRAY_LEN(model_strings), model_lists, ARRAY_LEN(model_lists));
	return copy;
}

void
conf_model_free(struct conf_model **mp)
{
	if (*mp != NULL)
		free_members(*mp, model_strings, ARRAY_LEN(model_strings), model_lists, ARRAY_LEN(model_lists));
	free(*mp);
	*mp = NULL;
}

struct conf *
conf_new(enum conf_source source)
{
	struct conf *c = xcalloc(1, sizeof(*c));

	c->source = source;
	c->route = source == CONF_FILE ? ROUTE_SWAP : ROUTE_LOADED;
	c->rollback = true;
	c->max_loaded = 1;
	c->min_resident = SECONDS(5);
	c->max_swap_wait = SECONDS(15);
	c->queue_max = 128;
	c->queue_max_wait = SECONDS(300);
	c->heartbeat_after = SECONDS(8);
	c->heartbeat_every = SECONDS(10);
	c->max_body = MIB(64);
	c->body_memory = MIB(512);
	c->max_head = KIB(32);
	c->head_timeout = SECONDS(10);
	c->idle_timeout = SECONDS(75);
	c->max_connections = 1024;
	c->start_port = 5800;
	c->log_level = LOG_INFO_;
	c->theme = xstrdup("default");
	c->bell = true;
	strv_add(&c->secret_env, "MAI_KEY");
	c->refs = 1;
	return c;
}

struct conf *
conf_dup(const struct conf *c)
{
	struct conf *copy = xmalloc(sizeof(*copy));

	*copy = *c;
	copy->refs = 1;
	dup_members(copy, conf_strings, ARRAY_LEN(conf_strings), conf_lists, ARRAY_LEN(conf_lists));
	copy->listen = xcalloc(c->nlisten, sizeof(*copy->listen));
	for (size_t i = 0; i < c->nlisten; i++) {
		copy->listen[i].host = xstrdup0(c->listen[i].host);
		copy->listen[i].path = xstrdup0(c->listen[i].path);
		copy->listen[i].port = c->listen[i].port;
	}
	copy->keys = xcalloc(c->nkeys, sizeof(*copy->keys));
	for (size_t i = 0; i < c->nkeys; i++) {
		copy->keys[i].key = xstrdup(c->keys[i].key);
		copy->keys[i].scope = c->keys[i].scope;
	}
	copy->models = xcalloc(c->nmodels, sizeof(*copy->models));
	for (size_t i = 0; i < c->nmodels; i++)
		copy->models[i] = conf_model_dup(c->models[i]);
	return copy;
}

struct conf *
conf_ref(struct conf *c)
{
	c->refs++;
	return c;
}

void
conf_unref(struct conf **cp)
{
	struct conf *c = *cp;

	*cp = NULL;
	if (c == NULL || --c->refs > 0)
		return;
	free_members(c, conf_strings, ARRAY_LEN(conf_strings), conf_lists, ARRAY_LEN(conf_lists));
	conf_listen_clear(c);
	for (size_t i = 0; i < c->nkeys; i++)
		free(c->keys[i].key);
	free(c->keys);
	for (size_t i = 0; i < c->nmodels; i++)
		conf_model_free(&c->models[i]);
	free(c->models);
	free(c);
}

void
conf_add_model(struct conf *c, struct conf_model *m)
{
	c->models = xreallocarray(c->models, c->nmodels + 1, sizeof(*c->models));
	c->models[c->nmodels++] = m;
}

struct conf_model *
conf_find(const struct conf *c, const char *name)
{
	if (name == NULL)
		return NULL;
	for (size_t i = 0; i < c->nmodels; i++)
		if (strcmp(c->models[i]->id, name) == 0)
			return c->models[i];
	for (size_t i = 0; i < c->nmodels; i++)
		for (char **a = c->models[i]->aliases; a != NULL && *a != NULL; a++)
			if (strcmp(*a, name) == 0)
				return c->models[i];
	return NULL;
}

PRINTFLIKE(3, 0)
static void
message(struct strbuf *out, struct conf_place at, const char *fmt, va_list ap)
{
	if (at.file != NULL && at.line > 0)
		strbuf_printf(out, "%s:%d:%d: ", at.file, at.line, at.col);
	else if (at.file != NULL)
		strbuf_printf(out, "%s: ", at.file);
	strbuf_vprintf(out, fmt, ap);
}

void
conf_fail(struct conf_errors *errs, struct conf_place at, const char *fmt, ...)
{
	va_list ap;

	/* A file of a million faults must not become a gigabyte of messages. */
	if (++errs->n > 200)
		return;
	if (errs->n == 200) {
		strbuf_puts(&errs->text, "too many errors\n");
		return;
	}
	va_start(ap, fmt);
	message(&errs->text, at, fmt, ap);
	va_end(ap);
	strbuf_putc(&errs->text, '\n');
}

void
conf_warn(struct conf *c, struct conf_place at, const char *fmt, ...)
{
	struct strbuf text = STRBUF_INIT;
	va_list ap;

	if (strv_len(c->warnings) >= 200)
		return;
	va_start(ap, fmt);
	message(&text, at, fmt, ap);
	va_end(ap);
	strv_add(&c->warnings, strbuf_str(&text));
	strbuf_fini(&text);
}

void
conf_errors_fini(struct conf_errors *e)
{
	strbuf_fini(&e->text);
	e->n = 0;
}
