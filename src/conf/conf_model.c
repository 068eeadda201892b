/* SPDX-License-Identifier: ISC
 * A configuration from one model's name: `mai MODEL`, and a model loaded under MLX_* that nobody configured. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/xmalloc.h"
#include "conf/conf_priv.h"

static const struct conf_place nowhere;

/* "model" behind the last slash; a tag (org/name:Q4) goes too. */
static char *
last_component(const char *model)
{
	size_t n = strlen(model);
	const char *slash;
	char *copy, *id;

	while (n > 1 && model[n - 1] == '/')
		n--;
	copy = xstrndup(model, n);
	slash = strrchr(copy, '/');
	id = xstrdup(slash != NULL && slash[1] != '\0' ? slash + 1 : copy);
	free(copy);
	return id;
}

struct conf *
conf_load_model(const char *model, struct conf_errors *errs)
{
	const struct conf_spec spec = {.external = -1};
	struct conf_model *m;
	struct conf *c;
	struct stat st;
	struct err e = {""};
	char *path = conf_model_locate(model, NULL, NULL, &e);

	if (path != NULL && path[0] == '/' && stat(path, &st) < 0) {
		err_set(&e, "%s: %s", path, strerror(errno));
		free(path);
		path = NULL;
	}
	if (path == NULL) {
		conf_fail(errs, nowhere, "%s", e.msg);
		return NULL;
	}
	c = conf_new(CONF_MODEL);
	m = conf_model_new();
	m->id = last_component(strcmp(model, ".") == 0 || strcmp(model, "..") == 0 ? path : model);
	m->model = path;
	conf_add_model(c, m);
	c->default_model = xstrdup(m->id);
	c->default_model_set = true;
	if (conf_resolve(m, &spec, &e) != NULL || conf_listen_add_tcp(c, "127.0.0.1", CONF_DEFAULT_PORT, &e) < 0) {
		conf_fail(errs, nowhere, "%s", e.msg);
		conf_unref(&c);
	}
	return c;
}

struct conf *
conf_with_found(const struct conf *c, const struct conf_found *f, struct conf_errors *errs)
{
	const struct conf_spec spec = {.external = -1, .python = c->python};
	struct conf *copy = conf_dup(c);
	struct conf_model *m = conf_model_new();
	struct err e = {""};

	m->id = xstrdup(f->id);
	m->model = xstrdup(f->path);
	conf_add_model(copy, m);
	if (copy->default_model == NULL)
		copy->default_model = xstrdup(f->id);
	if (conf_resolve(m, &spec, &e) != NULL) {
		conf_fail(errs, nowhere, "%s: %s", f->id, e.msg);
		conf_unref(&copy);
	}
	return copy;
}

/* Puts n behind the option wherever it stands (the last one counts); it is added when it is nowhere. */
static void
set_option(char ***argv, const char *option, int n)
{
	char *value = xasprintf("%d", n);
	size_t len = strlen(option);
	bool done = false;

	for (char **w = *argv; *w != NULL; w++) {
		if (strcmp(*w, option) == 0 && w[1] != NULL) {
			free(w[1]);
			w[1] = xstrdup(value);
			done = true;
		} else if (strncmp(*w, option, len) == 0 && (*w)[len] == '=') {
			free(*w);
			*w = xasprintf("%s=%s", option, value);
			done = true;
		}
	}
	if (!done) {
		strv_add(argv, option);
		strv_add(argv, value);
	}
	free(value);
}

static void
set_max_tokens(struct conf_model *m, int n)
{
	if (n <= 0 || m->argv == NULL)
		return;
	m->max_tokens = n;
	if (strcmp(m->kind->name, "mlx_lm") == 0)
		set_option(&m->argv, "--max-tokens", n);
	else if (strcmp(m->kind->name, "llama-server") == 0)
		set_option(&m->argv, "-n", n);
}

static char *
seed_locate(const char *model, const char *directory)
{
	struct stat st;
	char *path;

	/* The engine gets the very string, as ever; but a name from /models/available means what was listed there, and
	 * a relative path must survive a change of directory. */
	if (model[0] == '.' || model[0] == '~')
		return conf_abspath(model, NULL);
	if (directory != NULL && model[0] != '/') {
		path = xasprintf("%s/%s", directory, model);
		if (stat(path, &st) == 0)
			return path;
		free(path);
	}
	return xstrdup(model);
}

int
conf_seed_model(struct conf *c, struct conf_model *m, const char *name, struct err *e)
{
	const struct conf_spec spec = {.external = -1, .python = c->python};

	free(m->id);
	free(m->model);
	m->id = xstrdup(name);
	m->model = seed_locate(name, c->model_directory);
	/* A path that is not there is for the engine to complain of: the seed took any name. */
	return conf_resolve(m, &spec, e) != NULL ? -1 : 0;
}

struct conf *
conf_with_model(const struct conf *c, const char *model, int max_tokens, struct conf_errors *errs)
{
	struct conf *copy = conf_dup(c);
	struct conf_model *m = conf_find(copy, model);
	struct err e = {""};

	if (m == NULL && (c->source != CONF_ENV || copy->nmodels == 0)) {
		conf_fail(errs, nowhere, "Unknown model %s", model);
		conf_unref(&copy);
		return NULL;
	}
	if (m != NULL) {
		set_max_tokens(m, max_tokens);
		return copy;
	}
	m = copy->models[0];
	if (max_tokens > 0)
		m->max_tokens = max_tokens;
	if (model[0] == '\0' || conf_seed_model(copy, m, model, &e) < 0) {
		conf_fail(errs, nowhere, "%s", model[0] == '\0' ? "the model has no name" : e.msg);
		conf_unref(&copy);
		return NULL;
	}
	free(copy->default_model);
	copy->default_model = xstrdup(m->id);
	copy->default_model_set = true;
	return copy;
}

static struct conf *
with_named(const struct conf *c, const struct conf_model *m, struct conf_errors *errs)
{
	const struct conf_found found = {.id = m->id, .path = m->model, .kind = m->kind};

	if (c->source != CONF_ENV)
		return m->model != NULL ? conf_with_found(c, &found, errs) : NULL;
	return conf_with_model(c, m->id, m->max_tokens, errs);
}

struct conf *
conf_keep_named(const struct conf *read, const struct conf *now, struct conf *fresh)
{
	struct conf *kept = conf_ref(fresh), *next;
	struct conf_errors errs = {{0}, 0};

	if (read->source != fresh->source || (fresh->source == CONF_ENV && (read->default_model == NULL ||
	    fresh->default_model == NULL || strcmp(read->default_model, fresh->default_model) != 0)))
		return kept;
	for (size_t i = 0; i < now->nmodels; i++) {
		const struct conf_model *m = now->models[i];

		if (conf_find(read, m->id) != NULL || conf_find(kept, m->id) != NULL)
			continue;
		next = with_named(kept, m, &errs);
		if (next == NULL)
			continue;
		conf_unref(&kept);
		kept = next;
	}
	conf_errors_fini(&errs);
	return kept;
}
