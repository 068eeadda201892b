/* SPDX-License-Identifier: ISC
 * What a model's name means: a path, a file in a directory, or a repository id. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xmalloc.h"
#include "conf/conf_priv.h"

static bool
ends(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);

	return n >= m && strcasecmp(s + n - m, tail) == 0;
}

static bool
starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool
conf_is_hub_id(const char *model)
{
	const char *slash = strchr(model, '/');

	if (slash == NULL || slash == model || slash[1] == '\0' || model[0] == '.' || model[0] == '-')
		return false;
	for (const char *p = model; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("._-", *p) == NULL && p != slash &&
		    !(*p == ':' && p > slash))
			return false;
	return true;
}

char *
conf_abspath(const char *path, const char *base)
{
	const char *home = getenv("HOME");
	char *cwd, *out;

	if (path[0] == '~' && (path[1] == '/' || path[1] == '\0') && home != NULL)
		return xasprintf("%s%s", home, path + 1);
	if (path[0] == '/')
		return xstrdup(path);
	while (starts(path, "./"))
		for (path += 2; *path == '/';)
			path++;
	if (strcmp(path, ".") == 0)
		path++;
	cwd = base != NULL && base[0] == '/' ? xstrdup(base) : getcwd(NULL, 0);
	if (cwd == NULL)
		fatal("the working directory has no name");
	if (base != NULL && base[0] != '/')
		out = xasprintf("%s/%s%s%s", cwd, base, *path != '\0' ? "/" : "", path);
	else
		out = xasprintf("%s%s%s", strcmp(cwd, "/") == 0 ? "" : cwd, *path != '\0' ? "/" : "", path);
	free(cwd);
	return out;
}

bool
conf_is_path(const char *model, const char *base)
{
	struct stat st;
	char *path;
	bool there;

	if (model[0] == '/' || starts(model, "./") || starts(model, "../") || starts(model, "~/") ||
	    strcmp(model, ".") == 0 || strcmp(model, "..") == 0 || ends(model, ".gguf"))
		return true;
	path = conf_abspath(model, base);
	there = stat(path, &st) == 0;
	free(path);
	return there;
}

/* Of a split model only the first part counts; a projector is no model. */
static bool
is_weights(const char *name)
{
	const char *of;

	if (name[0] == '.' || !ends(name, ".gguf") || starts(name, "mmproj"))
		return false;
	of = strstr(name, "-of-");
	return of == NULL || of - name < 5 || strncmp(of - 5, "00001", 5) == 0;
}

/* Replaces *path, a directory, with the one .gguf in it, unless it is a directory that an engine loads as a whole. */
static int
look_inside(char **path, struct err *e)
{
	char *found = NULL, *inside;
	DIR *d = opendir(*path);
	bool whole = false;
	int n = 0;

	for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;) {
		if (strcmp(de->d_name, "config.json") == 0 || ends(de->d_name, ".safetensors"))
			whole = true;
		if (is_weights(de->d_name) && n++ == 0)
			found = xstrdup(de->d_name);
	}
	if (d != NULL)
		closedir(d);
	if (whole || n == 0) {
		free(found);
		return whole || d == NULL ? 0 : err_set(e, "%s holds no model (config.json or *.gguf)", *path);
	}
	inside = xasprintf("%s/%s", *path, found);
	free(found);
	if (n > 1) {
		err_set(e, "%s holds %d models: name one, as %s", *path, n, inside);
		free(inside);
		return -1;
	}
	free(*path);
	*path = inside;
	return 0;
}

static char *
in_directory(const char *model, const char *base, const char *directory)
{
	char *dir, *path;
	struct stat st;

	if (directory == NULL || model[0] == '/' || model[0] == '.' || model[0] == '~')
		return NULL;
	dir = conf_abspath(directory, base);
	path = xasprintf("%s/%s", dir, model);
	free(dir);
	if (stat(path, &st) < 0) {
		free(path);
		path = NULL;
	}
	return path;
}

char *
conf_model_locate(const char *model, const char *base, const char *directory, struct err *e)
{
	char *path;
	struct stat st;

	if (model[0] == '\0') {
		err_set(e, "the model is empty");
		return NULL;
	}
	path = in_directory(model, base, directory);
	if (path == NULL && conf_is_path(model, base))
		path = conf_abspath(model, base);
	if (path == NULL) {
		if (conf_is_hub_id(model))
			return xstrdup(model);
		err_set(e, "'%s' is no file, no directory, and no Hugging Face id (org/name)", model);
		return NULL;
	}
	for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
		path[n - 1] = '\0';
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode) && look_inside(&path, e) < 0) {
		free(path);
		path = NULL;
	}
	return path;
}
