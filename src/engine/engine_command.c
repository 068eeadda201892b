/* SPDX-License-Identifier: ISC
 * What is looked up before the fork: the program's file and its environment. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

/* Of "#! /usr/bin/env python3" the first word; "" for what is no script. */
static void
read_interpreter(const char *file, char *out, size_t size)
{
	char head[256];
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof(head) - 1);
	const char *p;

	if (fd >= 0)
		close(fd);
	out[0] = '\0';
	if (n < 3 || head[0] != '#' || head[1] != '!')
		return;
	head[n] = '\0';
	p = head + 2 + strspn(head + 2, " \t");
	snprintf(out, size, "%.*s", (int)strcspn(p, " \t\n"), p);
}

int
engine_command_check(const char *name, char *const *env, char *cause, size_t size)
{
	char *file = engine_command_find(name, env), interpreter[256] = "";
	struct stat st;
	int err = 0;

	if (file == NULL)
		err = errno;
	else if (stat(file, &st) < 0)
		err = errno;
	else if (!S_ISREG(st.st_mode) || access(file, X_OK) < 0)
		err = EACCES;
	else
		read_interpreter(file, interpreter, sizeof(interpreter));
	free(file);
	if (err == ENOENT && strchr(name, '/') == NULL)
		snprintf(cause, size, "%s: command not found", name);
	else if (err != 0)
		snprintf(cause, size, "%s: %s", name, strerror(err));
	else if (interpreter[0] != '\0' && access(interpreter, X_OK) < 0)
		snprintf(cause, size, "%s: its interpreter %s: %s", name, interpreter, strerror(errno));
	else
		return 0;
	return -1;
}
