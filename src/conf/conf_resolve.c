/* SPDX-License-Identifier: ISC
 * From what a definition says to what is run and where it answers: command, kind, port, model name, external or not. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xmalloc.h"
#include "conf/conf_priv.h"

/* A proxy: value taken apart. */
struct proxy {
	char host[256];
	int port;	/* 0: ${PORT} */
	bool https, path;
};

static const char *
base_name(const char *word)
{
	const char *slash = strrchr(word, '/');

	return slash == NULL ? word : slash + 1;
}

static int
proxy_authority(struct proxy *p, const char *at, size_t n, struct err *e)
{
	const char *host = at, *end = at + n, *colon;
	size_t len;
	char port[16];

	if (n > 0 && *at == '[') {
		host = at + 1;
		end = memchr(at, ']', n);
		if (end == NULL)
			return err_set(e, "[ is not closed");
		colon = end + 1 < at + n ? end + 1 : NULL;
	} else {
		colon = memchr(at, ':', n);
		if (colon != NULL)
			end = colon;
	}
	len = (size_t)(end - host);
	if (len == 0 || len >= sizeof(p->host) || memchr(host, '@', len) != NULL)
		return err_set(e, "needs the form http://HOST:PORT");
	memcpy(p->host, host, len);
	p->host[len] = '\0';
	if (colon == NULL)
		return 0;
	len = n - (size_t)(colon + 1 - at);
	if (*colon != ':' || len == 0 || len >= sizeof(port))
		return err_set(e, "needs the form http://HOST:PORT");
	memcpy(port, colon + 1, len);
	port[len] = '\0';
	if (strcmp(port, "${PORT}") == 0) {
		p->port = 0;
		return 0;
	}
	return conf_port_parse(port, &p->port) < 0 ? err_set(e, "'%s' is no port", port) : 0;
}

static int
proxy_parse(const char *url, struct proxy *p, struct err *e)
{
	const char *at;
	size_t n;

	memset(p, 0, sizeof(*p));
	p->https = strncasecmp(url, "https://", 8) == 0;
	if (!p->https && strncasecmp(url, "http://", 7) != 0)
		return err_set(e, "must begin with http:// or https://");
	at = url + (p->https ? 8 : 7);
	n = strcspn(at, "/?#");
	p->path = at[n] != '\0' && strcmp(at + n, "/") != 0;
	p->port = p->https ? 443 : 80;
	return proxy_authority(p, at, n, e);
}

/* The value of the options, `--x v` or `--x=v`: the last one given, as the engines take it. NULL: none is there. */
static const char *
option(char *const *argv, const char *const *names, size_t n)
{
	const char *value = NULL;

	for (; argv != NULL && *argv != NULL; argv++)
		for (size_t i = 0; i < n; i++) {
			size_t len = strlen(names[i]);

			if (strcmp(*argv, names[i]) == 0 && argv[1] != NULL)
				value = argv[1];
			else if (strncmp(*argv, names[i], len) == 0 && (*argv)[len] == '=' && (*argv)[1] == '-')
				value = *argv + len + 1;
		}
	return value;
}
#define OPTION(argv, ...) \
	option(argv, (const char *const[]){__VA_ARGS__}, ARRAY_LEN(((const char *const[]){__VA_ARGS__})))

static void
from_template(struct conf_model *m, const struct conf_spec *s)
{
	char tokens[16];
	const struct conf_var vars[] = {
		{"PYTHON", s->python != NULL ? s->python : "python3"}, {"MODEL", m->model}, {"MAX_TOKENS", tokens}};
	char **words = conf_split(m->kind->command, NULL);

	if (m->max_tokens == 0 && strstr(m->kind->command, "${MAX_TOKENS}") != NULL)
		m->max_tokens = CONF_SEED_MAX_TOKENS;
	snprintf(tokens, sizeof(tokens), "%d", m->max_tokens);
	for (char **w = words; *w != NULL; w++) {
		char *word = conf_subst(*w, vars, ARRAY_LEN(vars));

		/* A repository goes to llama-server by another option than a file. */
		if (strcmp(word, "-m") == 0 && strcmp(m->kind->name, "llama-server") == 0 && m->model[0] != '/') {
			free(word);
			word = xstrdup("-hf");
		}
		strv_add(&m->argv, word);
		free(word);
	}
	strv_free(&words);
}

static const char *
set_kind(struct conf_model *m, const struct conf_spec *s, struct err *e)
{
	const char *names[8];

	if (s->engine == NULL) {
		m->kind = conf_kind_guess(m->model, m->argv);
		return NULL;
	}
	m->kind = conf_kind_find(s->engine);
	if (m->kind != NULL)
		return NULL;
	for (size_t i = 0; i < conf_nkinds; i++)
		names[i] = conf_kinds[i].name;
	const char *near = conf_nearest(s->engine, names, conf_nkinds);
	m->kind = conf_kind_find("custom");
	err_set(e, "'%s' is none of the engines (mlx_lm, llama-server, vllm, custom)%s%s%s", s->engine,
	    near != NULL ? "; did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "");
	return "engine";
}

static const char *
set_command(struct conf_model *m, const struct conf_spec *s, struct err *e)
{
	const char *at;

	strv_free(&m->argv);
	if (s->cmd != NULL) {
		m->argv = conf_split(s->cmd, e);
		if (m->argv == NULL)
			return "cmd";
		at = set_kind(m, s, e);
	} else {
		at = set_kind(m, s, e);
		if (at == NULL && m->kind->command == NULL) {
			err_set(e, "what serves '%s' cannot be told from its path: set engine or cmd", m->model);
			at = s->engine != NULL ? "engine" : "model";
		}
		if (at == NULL)
			from_template(m, s);
	}
	for (char *const *a = s->args; at == NULL && a != NULL && *a != NULL; a++)
		strv_add(&m->argv, *a);
	if (at == NULL && conf_mentions(m->argv, "PID")) {
		err_set(e, "${PID} exists only in cmdStop");
		at = "cmd";
	}
	return at;
}

static bool
runs_elsewhere(const char *program)
{
	static const char *const names[] = {"docker", "podman", "nerdctl", "ssh", "kubectl", "mlx.launch"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(base_name(program), names[i]) == 0)
			return true;
	return false;
}

/* A proxy: beside a command says where that command listens. */
static const char *
set_proxy(struct conf_model *m, const struct conf_spec *s, bool var, struct err *e)
{
	struct proxy p;

	if (proxy_parse(s->proxy, &p, e) < 0)
		return "proxy";
	if (strcasecmp(p.host, "localhost") == 0)
		snprintf(p.host, sizeof(p.host), "127.0.0.1");
	if (p.https)
		err_set(e, "https needs a remote model: leave out cmd and model");
	else if (p.path)
		err_set(e, "a path in proxy is not supported beside cmd");
	else if (!conf_host_is_literal(p.host))
		err_set(e, "'%s' must be an address (or localhost), not a name", p.host);
	else if (var && p.port != 0 && s->cmd != NULL)	/* in a template a fixed port is put in */
		err_set(e, "names port %d, but the command uses ${PORT}", p.port);
	else if (!var && p.port == 0)
		err_set(e, "uses ${PORT}, but the command does not");
	if (e->msg[0] != '\0')
		return "proxy";
	m->port = p.port;
	free(m->proxy_host);
	m->proxy_host = xstrdup(p.host);
	return NULL;
}

static const char *
set_address(struct conf_model *m, const struct conf_spec *s, struct err *e)
{
	bool var = conf_mentions(m->argv, "PORT") || conf_mentions(m->env, "PORT");
	const char *host = OPTION(m->argv, "--host"), *port = OPTION(m->argv, "--port");

	if (s->proxy != NULL)
		return set_proxy(m, s, var, e);
	if (host != NULL && conf_host_is_literal(host) && strcmp(host, "0.0.0.0") != 0 && strcmp(host, "::") != 0) {
		free(m->proxy_host);
		m->proxy_host = xstrdup(host);
	}
	if (var)
		return NULL;
	if (port == NULL) {
		err_set(e, "where does it listen? Use ${PORT} in cmd (--port ${PORT}), or set proxy");
		return "cmd";
	}
	if (conf_port_parse(port, &m->port) < 0) {
		err_set(e, "--port '%s' is no port", port);
		return "cmd";
	}
	return NULL;
}

/* What a command line says that it loads, or NULL. */
static const char *
loaded_model(const struct conf_model *m)
{
	const char *v = NULL;

	if (strcmp(m->kind->name, "llama-server") == 0)
		return OPTION(m->argv, "-m", "--model", "-hf", "-hfr", "--hf-repo");
	if (strcmp(m->kind->name, "mlx_lm") == 0)
		return OPTION(m->argv, "--model");
	if (strcmp(m->kind->name, "vllm") == 0) {
		v = OPTION(m->argv, "--model");
		for (char **w = m->argv; v == NULL && *w != NULL; w++)
			if (strcmp(*w, "serve") == 0 && w[1] != NULL && w[1][0] != '-')
				v = w[1];
	}
	return v;
}

/* The name sent upstream must never make the engine load something else. mlx_lm.server takes every name but two for a
 * model to fetch and drops the loaded one first. The exact --model string is safe in all its versions; but with
 * --adapter-path that string names the model without the adapter, and only "default_model" keeps both. vLLM answers
 * 404 to all but its own name. llama-server ignores the name. */
static void
set_names(struct conf_model *m, const struct conf_spec *s)
{
	const struct conf_var id = {"MODEL_ID", m->id};
	const char *model = loaded_model(m), *name = s->use_name, *tokens = OPTION(m->argv, "--max-tokens");

	if (name == NULL && strcmp(m->kind->name, "mlx_lm") == 0 && model != NULL)
		name = OPTION(m->argv, "--adapter-path") != NULL ? m->kind->upstream_model : model;
	if (name == NULL && strcmp(m->kind->name, "vllm") == 0) {
		name = OPTION(m->argv, "--served-model-name");
		name = name == NULL ? model : name;
	}
	free(m->upstream_model);
	m->upstream_model = name == NULL ? NULL : conf_subst(name, &id, 1);
	/* Inside a container or on another machine the path means nothing here. */
	if (m->model == NULL && model != NULL && !m->external)
		m->model = conf_subst(model, &id, 1);
	if (tokens != NULL && strcmp(m->kind->name, "mlx_lm") == 0 && strlen(tokens) < 10 &&
	    strspn(tokens, "0123456789") == strlen(tokens))
		m->max_tokens = (int)strtol(tokens, NULL, 10);
}

static const char *
set_check(struct conf_model *m, const struct conf_spec *s, const char *def, struct err *e)
{
	if (s->check != NULL && strcmp(s->check, "none") != 0 && s->check[0] != '/') {
		err_set(e, "must begin with /, or be none");
		return "checkEndpoint";
	}
	free(m->check_path);
	m->check_path = NULL;
	if (s->check == NULL)
		m->check_path = xstrdup0(def);
	else if (s->check[0] == '/')
		m->check_path = xstrdup(s->check);
	m->canary = m->kind->canary && m->proxy_url == NULL;
	return NULL;
}

static const char *
resolve_remote(struct conf_model *m, const struct conf_spec *s, struct err *e)
{
	struct proxy p;
	const char *at;

	if (proxy_parse(s->proxy, &p, e) < 0)
		return "proxy";
	if (p.port == 0) {
		err_set(e, "uses ${PORT}, but there is no command");
		return "proxy";
	}
	at = set_kind(m, s, e);
	if (at != NULL)
		return at;
	m->kind = s->engine == NULL ? conf_kind_find("custom") : m->kind;
	m->proxy_url = xstrdup(s->proxy);
	for (size_t n = strlen(m->proxy_url); n > 0 && m->proxy_url[n - 1] == '/'; n--)
		m->proxy_url[n - 1] = '\0';
	m->upstream_model = xstrdup0(s->use_name != NULL ? s->use_name : m->model);
	m->external = true;
	return set_check(m, s, NULL, e);
}

/* Without cmd a proxy on another machine is the model; one on this machine is the model only when nothing is to be
 * started. */
static bool
is_remote(const struct conf_model *m, const struct conf_spec *s)
{
	struct proxy p;

	if (s->cmd != NULL || s->proxy == NULL)
		return false;
	if (m->model == NULL)
		return true;
	return proxy_parse(s->proxy, &p, NULL) == 0 && !conf_host_is_loopback(p.host) &&
	    strcasecmp(p.host, "localhost") != 0;
}

const char *
conf_resolve(struct conf_model *m, const struct conf_spec *s, struct err *e)
{
	const char *at;

	e->msg[0] = '\0';
	if (is_remote(m, s))
		return resolve_remote(m, s, e);
	if (s->cmd == NULL && m->model == NULL) {
		err_set(e, "give cmd or model (or proxy, for a server that runs elsewhere)");
		return "";
	}
	at = set_command(m, s, e);
	/* A fixed port may already be set: it is put in for ${PORT}. */
	if (at == NULL)
		at = set_address(m, s, e);
	if (at != NULL)
		return at;
	m->external = s->external >= 0 ? s->external != 0 :
	    runs_elsewhere(m->argv[0]) || (s->proxy != NULL && !conf_host_is_loopback(m->proxy_host));
	set_names(m, s);
	if (s->cmd_stop != NULL) {
		strv_free(&m->cmd_stop);
		m->cmd_stop = conf_split(s->cmd_stop, e);
		if (m->cmd_stop == NULL)
			return "cmdStop";
	}
	return set_check(m, s, m->kind->check_path, e);
}
