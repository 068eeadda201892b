/* SPDX-License-Identifier: ISC
 * The MLX_* environment of the host engine that mai replaces: no file needed. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "conf/conf_priv.h"

#define ENV_FILE_MAX (1024 * 1024)

extern char **environ;

enum seed_var {
	VAR_HOST, VAR_PORT, VAR_INTERNAL_PORT, VAR_MODEL, VAR_DEFAULT_MODEL, VAR_MODEL_DIR, VAR_MODEL_DIRECTORY,
	VAR_MAX_TOKENS, VAR_LOG_LEVEL, VAR_PYTHON, NVARS
};

static const char *const var_names[NVARS] = {
	[VAR_HOST] = "MLX_HOST", [VAR_PORT] = "MLX_PORT", [VAR_INTERNAL_PORT] = "MLX_INTERNAL_PORT",
	[VAR_MODEL] = "MLX_MODEL", [VAR_DEFAULT_MODEL] = "MLX_DEFAULT_MODEL", [VAR_MODEL_DIR] = "MLX_MODEL_DIR",
	[VAR_MODEL_DIRECTORY] = "MLX_MODEL_DIRECTORY", [VAR_MAX_TOKENS] = "MLX_MAX_TOKENS",
	[VAR_LOG_LEVEL] = "MLX_LOG_LEVEL", [VAR_PYTHON] = "MLX_PYTHON",
};

struct vars {
	char *value[NVARS];	/* (owned) NULL: unset or empty */
	const char *from[NVARS];
};

static void
vars_fini(struct vars *v)
{
	for (int i = 0; i < NVARS; i++)
		free(v->value[i]);
}

static void
vars_set(struct vars *v, const char *name, size_t n, const char *value, const char *from)
{
	if (*value == '\0')
		return;
	for (int i = 0; i < NVARS; i++)
		if (strlen(var_names[i]) == n && strncasecmp(var_names[i], name, n) == 0) {
			free(v->value[i]);
			v->value[i] = xstrdup(value);
			v->from[i] = from;
		}
}

/* Names in any case; where a variable is there in several, its proper name wins. */
static void
vars_environ(struct vars *v)
{
	for (char **p = environ; p != NULL && *p != NULL; p++) {
		const char *eq = strchr(*p, '=');

		if (eq != NULL && strncasecmp(*p, "MLX_", 4) == 0)
			vars_set(v, *p, (size_t)(eq - *p), eq + 1, NULL);
	}
	for (int i = 0; i < NVARS; i++) {
		const char *value = getenv(var_names[i]);

		if (value != NULL)
			vars_set(v, var_names[i], strlen(var_names[i]), value, NULL);
	}
}

/* The value behind `=`: quoted, or up to a blank with a # behind it. -1: a quote is not closed. */
static int
file_value(const char *p, const char *end, struct strbuf *out)
{
	char quote = *p == '"' || *p == '\'' ? *p : '\0';

	strbuf_clear(out);
	if (quote == '\0') {
		const char *stop = p;

		while (stop < end && !(*stop == '#' && (stop == p || isblank((unsigned char)stop[-1]))))
			stop++;
		while (stop > p && isspace((unsigned char)stop[-1]))
			stop--;
		strbuf_add(out, p, (size_t)(stop - p));
		return 0;
	}
	for (p++; p < end && *p != quote; p++) {
		if (*p == '\\' && p + 1 < end && (p[1] == quote || p[1] == '\\' || (quote == '"' && p[1] == 'n'))) {
			p++;
			strbuf_putc(out, *p == 'n' && quote == '"' ? '\n' : *p);
		} else {
			strbuf_putc(out, *p);
		}
	}
	return p < end ? 0 : -1;
}

static void
file_line(struct vars *v, const char *path, int line, const char *p, const char *end, struct conf_errors *errs)
{
	struct strbuf value = STRBUF_INIT;
	const char *name;
	size_t n;

	while (p < end && isspace((unsigned char)*p))
		p++;
	if (p == end || *p == '#')
		return;
	if (end - p > 7 && strncmp(p, "export", 6) == 0 && isblank((unsigned char)p[6]))
		for (p += 7; p < end && isblank((unsigned char)*p);)
			p++;
	name = p;
	while (p < end && (isalnum((unsigned char)*p) || *p == '_' || *p == '.' || *p == '-'))
		p++;
	n = (size_t)(p - name);
	while (p < end && isblank((unsigned char)*p))
		p++;
	if (n == 0 || p == end || *p != '=') {
		conf_fail(errs, (struct conf_place){path, line, 1}, "not KEY=VALUE");
		return;
	}
	for (p++; p < end && isblank((unsigned char)*p);)
		p++;
	if (file_value(p, end, &value) < 0)
		conf_fail(errs, (struct conf_place){path, line, (int)(p - name) + 1}, "a quote is not closed");
	else
		vars_set(v, name, n, strbuf_str(&value), path);
	strbuf_fini(&value);
}

static void
vars_file(struct vars *v, const char *path, struct conf_errors *errs)
{
	struct strbuf text = STRBUF_INIT;
	char buf[4096];
	FILE *f = fopen(path, "re");
	size_t n;
	int line = 1;

	if (f == NULL) {
		conf_fail(errs, (struct conf_place){path, 0, 0}, "%s", strerror(errno));
		return;
	}
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0 && text.len <= ENV_FILE_MAX)
		strbuf_add(&text, buf, n);
	if (ferror(f))
		conf_fail(errs, (struct conf_place){path, 0, 0}, "%s", strerror(errno));
	else if (text.len > ENV_FILE_MAX)
		conf_fail(errs, (struct conf_place){path, 0, 0}, "larger than 1 MiB");
	else if (memchr(strbuf_str(&text), '\0', text.len) != NULL)
		conf_fail(errs, (struct conf_place){path, 0, 0}, "holds a NUL byte");
	else
		for (const char *p = strbuf_str(&text), *end = p + text.len; p < end; line++) {
			const char *nl = memchr(p, '\n', (size_t)(end - p));

			nl = nl == NULL ? end : nl;
			file_line(v, path, line, p, nl, errs);
			p = nl + 1;
		}
	fclose(f);
	strbuf_fini(&text);
}

bool
conf_env_selects(void)
{
	struct vars v = {{NULL}, {NULL}};
	bool yes;

	vars_environ(&v);
	yes = v.value[VAR_MODEL] != NULL || v.value[VAR_DEFAULT_MODEL] != NULL || v.value[VAR_PORT] != NULL;
	vars_fini(&v);
	return yes;
}

void
conf_env_warn_beside_file(struct conf *c)
{
	struct vars v = {{NULL}, {NULL}};

	vars_environ(&v);
	for (int i = 0; i < NVARS; i++)
		if (v.value[i] != NULL)
			conf_warn(c, (struct conf_place){NULL, 0, 0}, "%s is set, but %s decides: ignored", var_names[i],
			    c->path != NULL ? c->path : "the model given");
	vars_fini(&v);
}

static void
fail_var(struct conf_errors *errs, const struct vars *v, enum seed_var i, const char *why)
{
	conf_fail(errs, (struct conf_place){v->from[i], 0, 0}, "%s: '%s' %s", var_names[i], v->value[i], why);
}

static int
port_of(const struct vars *v, enum seed_var i, int def, struct conf_errors *errs)
{
	int port = def;

	if (v->value[i] != NULL && conf_port_parse(v->value[i], &port) < 0)
		fail_var(errs, v, i, "is no port");
	return port;
}

static int
tokens_of(const struct vars *v, struct conf_errors *errs)
{
	const char *s = v->value[VAR_MAX_TOKENS];

	if (s == NULL)
		return CONF_SEED_MAX_TOKENS;
	if (strlen(s) > 9 || strspn(s, "0123456789") != strlen(s) || strtol(s, NULL, 10) < 1) {
		fail_var(errs, v, VAR_MAX_TOKENS, "is no number above 0");
		return CONF_SEED_MAX_TOKENS;
	}
	return (int)strtol(s, NULL, 10);
}

static void
set_log_level(struct conf *c, const struct vars *v)
{
	const char *s = v->value[VAR_LOG_LEVEL];
	enum log_level level;
	char name[16];
	size_t n = 0;

	if (s == NULL)
		return;
	for (; s[n] != '\0' && n < sizeof(name) - 1; n++)
		name[n] = (char)tolower((unsigned char)s[n]);
	name[n] = '\0';
	if (strcmp(name, "warning") == 0)
		c->log_level = LOG_WARN_;
	else if (strcmp(name, "critical") == 0)
		c->log_level = LOG_ERROR_;
	else if (log_level_parse(name, &level) == 0)
		c->log_level = (int)level;
	else
		conf_warn(c, (struct conf_place){v->from[VAR_LOG_LEVEL], 0, 0},
		    "MLX_LOG_LEVEL: '%s' is no level (error, warn, info, debug)", s);
}

static void
from_vars(struct conf *c, const struct vars *v, struct conf_errors *errs)
{
	const char *host = v->value[VAR_HOST], *model = v->value[VAR_MODEL], *dir = v->value[VAR_MODEL_DIR];
	int port = port_of(v, VAR_PORT, CONF_DEFAULT_PORT, errs);
	struct conf_model *m = conf_model_new();
	struct err e = {""};

	model = model != NULL ? model : v->value[VAR_DEFAULT_MODEL];
	model = model != NULL ? model : CONF_SEED_MODEL;
	dir = dir != NULL ? dir : v->value[VAR_MODEL_DIRECTORY];
	if (conf_listen_add_tcp(c, host != NULL ? host : "127.0.0.1", port, &e) < 0)
		conf_fail(errs, (struct conf_place){v->from[VAR_HOST], 0, 0}, "MLX_HOST: %s", e.msg);
	c->model_directory = dir == NULL ? NULL : conf_abspath(dir, NULL);
	c->python = xstrdup0(v->value[VAR_PYTHON]);
	c->fill_defaults = true;
	set_log_level(c, v);
	m->max_tokens = tokens_of(v, errs);
	m->port = port_of(v, VAR_INTERNAL_PORT, CONF_SEED_ENGINE_PORT, errs);
	m->port_preferred = v->value[VAR_INTERNAL_PORT] == NULL;
	conf_add_model(c, m);
	if (conf_seed_model(c, m, model, &e) < 0)
		conf_fail(errs, (struct conf_place){NULL, 0, 0}, "%s", e.msg);
	c->default_model = xstrdup(m->id);
	c->default_model_set = true;
	/* The preferred port is not insisted on, so it may be the one that clients use. */
	if (!m->port_preferred && m->port == port)
		conf_fail(errs, (struct conf_place){v->from[VAR_INTERNAL_PORT], 0, 0},
		    "MLX_INTERNAL_PORT and MLX_PORT are both %d", port);
	if (m->port_preferred && m->port == port) {
		m->port = 0;
		m->port_preferred = false;
	}
}

struct conf *
conf_env_read(const char *env_file, bool *host_set, struct conf_errors *errs)
{
	struct vars v = {{NULL}, {NULL}};
	struct conf *c = conf_new(CONF_ENV);
	int before = errs->n;

	if (env_file != NULL)
		vars_file(&v, env_file, errs);
	vars_environ(&v);
	from_vars(c, &v, errs);
	*host_set = v.value[VAR_HOST] != NULL;
	vars_fini(&v);
	if (errs->n > before)
		conf_unref(&c);
	return c;
}
