/* SPDX-License-Identifier: ISC
 * What is looked up before the fork: the program's file and its environment. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xmalloc.h"
#include "engine/engine_priv.h"

extern char **environ;

static bool
var_is(const char *entry, const char *name)
{
	size_t n = strlen(name);

	return strncmp(entry, name, n) == 0 && entry[n] == '=';
}

static bool
var_in(char *const *vars, const char *name)
{
	for (; vars != NULL && *vars != NULL; vars++)
		if (var_is(*vars, name))
			return true;
	return false;
}

/* Whether an inherited variable is left out: our secrets, our own mark, and what the model sets itself. */
static bool
is_dropped(const struct engine *e, const char *entry)
{
	size_t n = strcspn(entry, "=");
	char name[256];

	if (n == 0 || n >= sizeof(name))
		return false;
	memcpy(name, entry, n);
	name[n] = '\0';
	if (strcmp(name, "MAI_KEY") == 0 || strcmp(name, "MAI_ENGINE") == 0 || var_in(e->m->env, name))
		return true;
	for (char **s = e->conf->secret_env; s != NULL && *s != NULL; s++)
		if (strcmp(*s, name) == 0)
			return true;
	return false;
}

char **
engine_command_env(const struct engine *e)
{
	char **own = conf_argv(e->m->env, e->info.port, 0, e->id), **env;
	size_t n = strv_len(environ), k = 0;

	env = xcalloc(n + strv_len(own) + 3, sizeof(*env));
	for (size_t i = 0; i < n; i++)
		if (!is_dropped(e, environ[i]))
			env[k++] = xstrdup(environ[i]);
	for (char **v = own; v != NULL && *v != NULL; v++)
		env[k++] = xstrdup(*v);
	strv_free(&own);
	if (!var_in(env, "PYTHONUNBUFFERED"))
		env[k++] = xstrdup("PYTHONUNBUFFERED=1");
	env[k++] = xasprintf("MAI_ENGINE=%s", e->mark);
	return env;
}

static const char *
env_get(char *const *env, const char *name)
{
	for (; *env != NULL; env++)
		if (var_is(*env, name))
			return strchr(*env, '=') + 1;
	return NULL;
}

char *
engine_command_find(const char *name, char *const *env)
{
	const char *path = env_get(env, "PATH");
	int why = ENOENT;

	if (strchr(name, '/') != NULL)
		return xstrdup(name);
	if (path == NULL || *path == '\0')
		path = "/usr/local/bin:/usr/bin:/bin";
	for (;; path++) {
		size_t n = strcspn(path, ":");
		char *file = n == 0 ? xasprintf("./%s", name) : xasprintf("%.*s/%s", (int)n, path, name);
		struct stat st;

		if (stat(file, &st) == 0 && S_ISREG(st.st_mode)) {
			if (access(file, X_OK) == 0)
				return file;
			why = EACCES;
		}
		free(file);
		path += n;
		if (*path == '\0')
			break;
	}
	errno = why;
	return NULL;
}
