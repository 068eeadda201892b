/* SPDX-License-Identifier: ISC
 * Models that lie on this machine: the model directory, the Hugging Face cache, llama.cpp's cache. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/xmalloc.h"
#include "conf/conf_priv.h"

#define FOUND_MAX 2000

struct finder {
	struct conf_found *v;
	size_t n;
};

static bool
ends(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);

	return n >= m && strcasecmp(s + n - m, tail) == 0;
}

/* Takes path. The first place of a name wins. */
static void
add(struct finder *f, const char *id, char *path, uint64_t bytes)
{
	bool known = f->n >= FOUND_MAX;

	for (size_t i = 0; i < f->n; i++)
		known = known || strcmp(f->v[i].id, id) == 0;
	if (known) {
		free(path);
		return;
	}
	f->v = xreallocarray(f->v, f->n + 1, sizeof(*f->v));
	f->v[f->n++] = (struct conf_found){xstrdup(id), path, conf_kind_guess(path, NULL), bytes};
}

static uint64_t
size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

/* What lies directly in a directory. */
struct look {
	bool config, weights;	/* config.json; *.safetensors or *.npz */
	char *gguf;		/* (owned) the first *.gguf by name, not a projector */
	uint64_t bytes;
};

static void
look_at(const char *dir, struct look *l)
{
	DIR *d = opendir(dir);

	memset(l, 0, sizeof(*l));
	for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;) {
		char *path = xasprintf("%s/%s", dir, de->d_name);
		bool projector = strncmp(de->d_name, "mmproj", 6) == 0;

		l->bytes += size_of(path);
		l->config = l->config || strcmp(de->d_name, "config.json") == 0;
		l->weights = l->weights || ends(de->d_name, ".safetensors") || ends(de->d_name, ".npz");
		if (ends(de->d_name, ".gguf") && !projector && (l->gguf == NULL || strcmp(path, l->gguf) < 0)) {
			free(l->gguf);
			l->gguf = path;
			path = NULL;
		}
		free(path);
	}
	if (d != NULL)
		closedir(d);
}

static void
in_model_directory(struct finder *f, const char *dir)
{
	DIR *d = opendir(dir);

	for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;) {
		struct stat st;
		struct look l;
		char *path;

		if (de->d_name[0] == '.')
			continue;
		path = xasprintf("%s/%s", dir, de->d_name);
		if (stat(path, &st) < 0) {
			free(path);
			continue;
		}
		if (S_ISREG(st.st_mode) && ends(de->d_name, ".gguf")) {
			add(f, de->d_name, path, (uint64_t)st.st_size);
			continue;
		}
		if (S_ISDIR(st.st_mode)) {
			look_at(path, &l);
			free(l.gguf);
			if (l.config) {
				add(f, de->d_name, path, l.bytes);
				continue;
			}
		}
		free(path);
	}
	if (d != NULL)
		closedir(d);
}

/* models--org--name/snapshots/REVISION/...: the id is org/name. A repository of safetensors is started by its id, one of
 * .gguf files by the file. */
static void
hub_snapshot(struct finder *f, const char *id, const char *dir)
{
	struct look l;

	look_at(dir, &l);
	if (l.config && l.weights)
		add(f, id, xstrdup(id), l.bytes);
	else if (l.gguf != NULL)
		add(f, id, xstrdup(l.gguf), l.bytes);
	free(l.gguf);
}

static void
hub_model(struct finder *f, const char *hub, const char *entry)
{
	char *id = xstrdup(entry + strlen("models--")), *sep = strstr(id, "--"), *dir;
	DIR *d;

	if (sep != NULL) {
		*sep = '/';
		memmove(sep + 1, sep + 2, strlen(sep + 2) + 1);
	}
	dir = xasprintf("%s/%s/snapshots", hub, entry);
	d = opendir(dir);
	for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;) {
		char *path;

		if (de->d_name[0] == '.')
			continue;
		path = xasprintf("%s/%s", dir, de->d_name);
		hub_snapshot(f, id, path);
		free(path);
	}
	if (d != NULL)
		closedir(d);
	free(dir);
	free(id);
}

static char *
hub_directory(void)
{
	const char *hub = getenv("HF_HUB_CACHE"), *hf = getenv("HF_HOME"), *home = getenv("HOME");

	if (hub != NULL && *hub != '\0')
		return xstrdup(hub);
	if (hf != NULL && *hf != '\0')
		return xasprintf("%s/hub", hf);
	return home == NULL ? NULL : xasprintf("%s/.cache/huggingface/hub", home);
}

static void
in_hub(struct finder *f)
{
	char *hub = hub_directory();
	DIR *d = hub == NULL ? NULL : opendir(hub);

	for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;)
		if (strncmp(de->d_name, "models--", 8) == 0 && de->d_name[8] != '\0')
			hub_model(f, hub, de->d_name);
	if (d != NULL)
		closedir(d);
	free(hub);
}

static void
in_llama_cache(struct finder *f)
{
	const char *set = getenv("LLAMA_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char *dir = NULL;
	DIR *d;

	if (set != NULL && *set != '\0')
		dir = xstrdup(set);
	else if (xdg != NULL && *xdg != '\0')
		dir = xasprintf("%s/llama.cpp", xdg);
	else if (home != NULL)
		dir = xasprintf("%s/.cache/llama.cpp", home);
	d = dir == NULL ? NULL : opendir(dir);
	for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;) {
		bool later_part = strstr(de->d_name, "-of-") != NULL && strstr(de->d_name, "-00001-of-") == NULL;
		char *path;

		if (!ends(de->d_name, ".gguf") || de->d_name[0] == '.' || later_part ||
		    strstr(de->d_name, "mmproj") != NULL)
			continue;
		path = xasprintf("%s/%s", dir, de->d_name);
		add(f, de->d_name, path, size_of(path));
	}
	if (d != NULL)
		closedir(d);
	free(dir);
}

static int
by_id(const void *a, const void *b)
{
	const struct conf_found *x = a, *y = b;

	return strcmp(x->id, y->id);
}

struct conf_found *
conf_discover(const char *model_directory, bool caches, size_t *n)
{
	struct finder f = {xcalloc(1, sizeof(struct conf_found)), 0};

	if (model_directory != NULL)
		in_model_directory(&f, model_directory);
	if (caches) {
		in_hub(&f);
		in_llama_cache(&f);
	}
	qsort(f.v, f.n, sizeof(*f.v), by_id);
	*n = f.n;
	return f.v;
}

void
conf_found_free(struct conf_found **f, size_t n)
{
	for (size_t i = 0; *f != NULL && i < n; i++) {
		free((*f)[i].id);
		free((*f)[i].path);
	}
	free(*f);
	*f = NULL;
}
