/* SPDX-License-Identifier: ISC
 * Which configuration applies, and what the command line changes in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/xmalloc.h"
#include "conf/conf_priv.h"

static char *
search(void)
{
	const char *env = getenv("MAI_CONFIG"), *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char *paths[3], *found = NULL;
	struct stat st;

	/* Named by hand: when it is not there, that is an error and not a reason to look elsewhere. */
	if (env != NULL && *env != '\0')
		return xstrdup(env);
	paths[0] = xstrdup("mai.yaml");
	if (xdg != NULL && xdg[0] == '/')
		paths[1] = xasprintf("%s/mai/mai.yaml", xdg);
	else
		paths[1] = home == NULL ? xstrdup("") : xasprintf("%s/.config/mai/mai.yaml", home);
	paths[2] = xstrdup("/etc/mai/mai.yaml");
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		if (found == NULL && stat(paths[i], &st) == 0)
			found = paths[i];
		else
			free(paths[i]);
	}
	return found;
}

/* What holds for every source: --listen, --insecure, and addresses that are open to others. */
static struct conf *
finish(struct conf *c, const struct conf_request *req, bool by_env, struct conf_errors *errs)
{
	struct err e = {""};
	int before = errs->n;

	if (c == NULL)
		return NULL;
	c->insecure = c->insecure || req->insecure;
	if (req->listen != NULL) {
		conf_listen_clear(c);
		if (conf_listen_add(c, req->listen, &e) < 0)
			conf_fail(errs, (struct conf_place){NULL, 0, 0}, "--listen: %s", e.msg);
	}
	conf_check_exposed(c, by_env && req->listen == NULL, errs);
	if (c->source != CONF_FILE)
		conf_check(c, errs);
	if (errs->n > before)
		conf_unref(&c);
	return c;
}

static struct conf *
load_file(const char *path, const struct conf_request *req, struct conf_errors *errs)
{
	struct conf *c = conf_yaml_read(path, errs);

	if (c != NULL)
		conf_env_warn_beside_file(c);
	return finish(c, req, false, errs);
}

struct conf *
conf_load_file(const char *path, struct conf_errors *errs)
{
	const struct conf_request req = {.file = path};

	return load_file(path, &req, errs);
}

struct conf *
conf_load_env(const char *env_file, struct conf_errors *errs)
{
	const struct conf_request req = {.env_file = env_file};
	bool host_set = false;
	struct conf *c = conf_env_read(env_file, &host_set, errs);

	return finish(c, &req, host_set, errs);
}

struct conf *
conf_load(const struct conf_request *req, bool *none, struct conf_errors *errs)
{
	bool host_set = false;
	struct conf *c;
	char *path;

	*none = false;
	if (req->file != NULL)
		return load_file(req->file, req, errs);
	if (req->model != NULL) {
		c = conf_load_model(req->model, errs);
		if (c != NULL && conf_env_selects())
			conf_env_warn_beside_file(c);
		return finish(c, req, false, errs);
	}
	if (req->env_file != NULL || conf_env_selects()) {
		c = conf_env_read(req->env_file, &host_set, errs);
		return finish(c, req, host_set, errs);
	}
	path = search();
	if (path == NULL) {
		*none = true;
		return NULL;
	}
	c = load_file(path, req, errs);
	free(path);
	return c;
}

struct conf *
conf_load_none(const struct conf_request *req, struct conf_errors *errs)
{
	struct conf *c = conf_new(CONF_MODEL);
	struct err e = {""};

	if (conf_listen_add_tcp(c, "127.0.0.1", CONF_DEFAULT_PORT, &e) < 0) {
		conf_fail(errs, (struct conf_place){NULL, 0, 0}, "%s", e.msg);
		conf_unref(&c);
	}
	return finish(c, req, false, errs);
}
