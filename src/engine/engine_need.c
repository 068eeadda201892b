/* SPDX-License-Identifier: ISC
 * How much memory a model will take: told, learned, or guessed from its files. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "engine/engine_priv.h"

#define FRESH_MS 30000
#define SIZES_MAX 64
#define PARTS_MAX 999

static uint64_t
file_size(const char *dir, size_t ndir, const char *name)
{
	char *path = xasprintf("%.*s%s", (int)ndir, dir, name);
	struct stat st;
	bool file = stat(path, &st) == 0 && S_ISREG(st.st_mode);

	free(path);
	return file ? (uint64_t)st.st_size : 0;
}

/* A set of weights in several formats is loaded from one of them. */
static uint64_t
directory_size(const char *path)
{
	static const char *const ends[] = {".gguf", ".safetensors", ".npz", ".bin"};
	char *dir = xasprintf("%s/", path);
	uint64_t sums[ARRAY_LEN(ends)] = {0}, most = 0;
	DIR *d = opendir(path);

	for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;)
		for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
			size_t n = strlen(de->d_name), m = strlen(ends[i]);

			if (n > m && strcasecmp(de->d_name + n - m, ends[i]) == 0)
				sums[i] += file_size(dir, strlen(dir), de->d_name);
		}
	if (d != NULL)
		closedir(d);
	free(dir);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		most = sums[i] > most ? sums[i] : most;
	return most;
}

/* name-00001-of-00003.gguf stands for all three. */
static uint64_t
split_size(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
	size_t ndir = (size_t)(name - path), n = strlen(name);
	const char *tail = n > 20 ? name + n - 20 : "";	/* -00001-of-00003.gguf */
	unsigned part, parts;
	uint64_t sum = 0;
	char *one;

	if (strlen(tail) != 20 || sscanf(tail, "-%5u-of-%5u", &part, &parts) != 2 || strcmp(tail + 15, ".gguf") != 0 ||
	    parts > PARTS_MAX)
		return file_size(path, ndir, name);
	for (unsigned i = 1; i <= parts; i++) {
		one = xasprintf("%.*s-%05u-of-%05u.gguf", (int)(n - 20), name, i, parts);
		sum += file_size(path, ndir, one);
		free(one);
	}
	return sum;
}

static uint64_t
measure(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return 0;
	return S_ISDIR(st.st_mode) ? directory_size(path) : split_size(path);
}

struct engine_sizes {
	struct {
		char *path;	/* (owned) */
		uint64_t bytes, at;
	} v[SIZES_MAX];
	size_t n;
};

/* Measured anew now and then only: the router asks whenever it looks for room. The oldest gives way. */
static uint64_t
size_on_disk(struct engine_sizes *s, const char *path)
{
	uint64_t now = clock_ms();
	size_t i, oldest = 0;

	for (i = 0; i < s->n && strcmp(s->v[i].path, path) != 0; i++)
		if (s->v[i].at < s->v[oldest].at)
			oldest = i;
	if (i < s->n && now - s->v[i].at < FRESH_MS)
		return s->v[i].bytes;
	if (i == s->n && s->n < SIZES_MAX) {
		s->v[s->n++].path = xstrdup(path);
	} else if (i == s->n) {
		i = oldest;
		free(s->v[i].path);
		s->v[i].path = xstrdup(path);
	}
	s->v[i].bytes = measure(path);
	s->v[i].at = now;
	return s->v[i].bytes;
}

uint64_t
engine_memory_need(const struct engine_env *env, const struct conf_model *m)
{
	const char *path;
	uint64_t peak;

	/* Of one that works elsewhere our own processes tell nothing. */
	if (m->memory != 0 || m->external)
		return m->memory;
	peak = engine_store_peak_of(env, m->id);
	if (peak != 0)
		return peak;
	path = policy_model_path(m);
	return path == NULL ? 0 : size_on_disk(env->sizes, path);
}

struct engine_sizes *
engine_sizes_new(void)
{
	return xcalloc(1, sizeof(struct engine_sizes));
}

void
engine_sizes_free(struct engine_sizes **sp)
{
	for (size_t i = 0; *sp != NULL && i < (*sp)->n; i++)
		free((*sp)->v[i].path);
	free(*sp);
	*sp = NULL;
}
