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
