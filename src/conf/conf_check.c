/* SPDX-License-Identifier: ISC
 * Rules that no single key can break. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "base/xmalloc.h"
#include "conf/conf_priv.h"

const char *
conf_nearest(const char *word, const char *const *names, size_t n)
{
	int limit = strlen(word) < 4 ? 1 : strlen(word) < 8 ? 3 : 4, best = limit + 1;
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		int d = text_distance(word, names[i], limit);

		if (d < best) {
			best = d;
			found = names[i];
		}
	}
	return found;
}

static struct conf_place
place_of(const struct conf *c, const struct conf_model *m)
{
	return (struct conf_place){c->path, m->line, m->col};
}

static void
check_names(struct conf *c, struct conf_errors *errs)
{
	for (size_t i = 0; i < c->nmodels; i++) {
		const struct conf_model *m = c->models[i];

		for (char **a = m->aliases; a != NULL && *a != NULL; a++) {
			const struct conf_model *other = conf_find(c, *a);

			if (other != m)
				conf_fail(errs, place_of(c, m), "alias '%s' of model '%s' is also a name of '%s'",
				    *a, m->id, other->id);
		}
	}
}

static void
check_ports(struct conf *c, struct conf_errors *errs)
{
	for (size_t i = 0; i < c->nmodels; i++) {
		const struct conf_model *m = c->models[i];

		if (m->port == 0 || m->port_preferred || m->proxy_url != NULL)
			continue;
		for (size_t j = 0; j < c->nlisten; j++)
			if (c->listen[j].port == m->port && conf_host_is_loopback(m->proxy_host))
				conf_fail(errs, place_of(c, m), "model '%s' has the port %d that mai itself listens on",
				    m->id, m->port);
		for (size_t j = 0; j < i && c->max_loaded > 1; j++)
			if (c->models[j]->port == m->port && c->models[j]->proxy_url == NULL)
				conf_fail(errs, place_of(c, m),
				    "models '%s' and '%s' have the same port %d, but maxLoaded is %d", m->id,
				    c->models[j]->id, m->port, c->max_loaded);
	}
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static bool
is_one_of(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(s, list[i]) == 0)
			return true;
	return false;
}

/* The script of sh -c, when the server does not take the shell's place. */
static bool
stays_between(char *const *argv)
{
	for (; *argv != NULL; argv++)
		if (strcmp(*argv, "-c") == 0 && argv[1] != NULL)
			return strstr(argv[1], "exec ") == NULL;
	return false;
}

static bool
is_detached(char *const *argv)
{
	for (; *argv != NULL; argv++)
		if (strcmp(*argv, "-d") == 0 || strcmp(*argv, "--detach") == 0)
			return true;
	return false;
}

/* Programs that start the server instead of being it: signals end there, or the work goes on elsewhere. */
static void
warn_wrapper(struct conf *c, const struct conf_model *m)
{
	static const char *const shells[] = {"sh", "bash", "dash", "zsh", "ksh"}, *const uv[] = {"uv", "uvx"},
	    *const containers[] = {"docker", "podman", "nerdctl"};
	const char *program = base_name(m->argv[0]);

	if (is_one_of(program, containers, ARRAY_LEN(containers)) && is_detached(m->argv))
		conf_warn(c, place_of(c, m), "model '%s': %s -d returns at once, which looks like a crash: leave -d out",
		    m->id, program);
	if (m->cmd_stop != NULL)
		return;
	if (is_one_of(program, containers, ARRAY_LEN(containers)))
		conf_warn(c, place_of(c, m), "model '%s': what %s starts may outlive it: set cmdStop (%s stop NAME)", m->id,
		    program, program);
	else if (is_one_of(program, uv, ARRAY_LEN(uv)))
		conf_warn(c, place_of(c, m), "model '%s': %s stays between mai and the server: name the program of the "
		    "environment itself, or set cmdStop", m->id, program);
	else if (is_one_of(program, shells, ARRAY_LEN(shells)) && stays_between(m->argv))
		conf_warn(c, place_of(c, m), "model '%s': %s stays between mai and the server: write exec before the "
		    "command, or set cmdStop", m->id, program);
}

static void
warn_room(struct conf *c)
{
	struct conf_place at = {c->path, 0, 0};
	int pinned = 0, engines = 0;
	char need[16], have[16];

	for (size_t i = 0; i < c->nmodels; i++) {
		const struct conf_model *m = c->models[i];

		pinned += m->pin && m->proxy_url == NULL;
		engines += m->proxy_url == NULL;
		if (c->memory_budget == 0 || m->memory <= c->memory_budget)
			continue;
		text_size(need, sizeof(need), m->memory);
		text_size(have, sizeof(have), c->memory_budget);
		conf_warn(c, place_of(c, m), "model '%s' needs %s, but memoryBudget is %s", m->id, need, have);
	}
	if (pinned >= c->max_loaded && pinned < engines)
		conf_warn(c, at, "%d pinned model%s may take all places (maxLoaded %d): the others cannot be loaded then",
		    pinned, pinned == 1 ? "" : "s", c->max_loaded);
}

/* Not errors: a disk may be mounted later, and the engine's own host may be meant so. */
static void
warn_models(struct conf *c)
{
	for (size_t i = 0; i < c->nmodels; i++) {
		const struct conf_model *m = c->models[i];
		struct stat st;

		if (m->model != NULL && m->model[0] == '/' && !m->external && stat(m->model, &st) < 0)
			conf_warn(c, place_of(c, m), "model '%s': %s is not there", m->id, m->model);
		for (char **w = m->argv; w != NULL && *w != NULL && !m->external; w++)
			if (strcmp(*w, "--host") == 0 && w[1] != NULL &&
			    (strcmp(w[1], "0.0.0.0") == 0 || strcmp(w[1], "::") == 0))
				conf_warn(c, place_of(c, m),
				    "model '%s' listens on every address of this machine: --host 127.0.0.1 is enough",
				    m->id);
		if (m->proxy_url != NULL)
			conf_warn(c, place_of(c, m), "model '%s' is a server of its own: requests are not forwarded to "
			    "it yet", m->id);
		if (m->argv != NULL)
			warn_wrapper(c, m);
		if (m->backoff > m->backoff_max)
			conf_warn(c, place_of(c, m), "model '%s': backoff is above backoffMax", m->id);
	}
	if (c->nmodels == 0)
		conf_warn(c, (struct conf_place){c->path, 0, 0}, "no models are configured");
}

void
conf_check(struct conf *c, struct conf_errors *errs)
{
	check_names(c, errs);
	check_ports(c, errs);
	warn_models(c);
	warn_room(c);
}

void
conf_check_exposed(struct conf *c, bool by_env, struct conf_errors *errs)
{
	struct conf_place at = {c->path, 0, 0};

	if (c->nkeys > 0)
		return;
	for (size_t i = 0; i < c->nlisten; i++) {
		const char *host = c->listen[i].host;

		if (host == NULL || conf_host_is_loopback(host))
			continue;
		if (!c->insecure && by_env)
			c->insecure = true;
		if (c->insecure)
			conf_warn(c, at, "listening on %s port %d without an API key: whoever reaches it may use it",
			    host, c->listen[i].port);
		else
			conf_fail(errs, at, "listening on %s port %d without apiKeys needs --insecure", host,
			    c->listen[i].port);
	}
}
