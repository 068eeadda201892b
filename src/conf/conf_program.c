/* SPDX-License-Identifier: ISC
 * Whether the programs of engines are on this machine. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xmalloc.h"
#include "conf/conf.h"

#define USUAL_PATH "/usr/local/bin:/usr/bin:/bin"

static bool
is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

bool
conf_program_there(const char *name, char *const *env)
{
	const char *path = getenv("PATH");

	for (; env != NULL && *env != NULL; env++)
		if (strncmp(*env, "PATH=", 5) == 0)
			path = *env + 5;
	if (strchr(name, '/') != NULL)
		return is_program(name);
	for (path = path == NULL || *path == '\0' ? USUAL_PATH : path; *path != '\0';) {
		size_t n = strcspn(path, ":");
		char *file = n == 0 ? xasprintf("./%s", name) : xasprintf("%.*s/%s", (int)n, path, name);
		bool there = is_program(file);

		free(file);
		if (there)
			return true;
		path += n + (path[n] == ':');
	}
	return false;
}

char *
conf_kind_program(const struct conf *c, const struct conf_kind *k)
{
	if (k->command == NULL)
		return NULL;
	if (strncmp(k->command, "${PYTHON}", 9) == 0)
		return xstrdup(c->python != NULL ? c->python : "python3");
	return xstrndup(k->command, strcspn(k->command, " "));
}
