/* SPDX-License-Identifier: ISC
 * Where an instance keeps its files, and where a command finds the supervisor. */
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/cmd.h"
#include "base/xmalloc.h"

/* A directory of ours and nobody else's: others could put a socket of theirs there. 0, -1, or 1 when it is missing. */
static int
check_dir(const char *dir, struct err *e)
{
	struct stat st;

	if (lstat(dir, &st) != 0)
		return errno == ENOENT ? 1 : err_set(e, "%s: %s", dir, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return err_set(e, "%s is no directory", dir);
	if (st.st_uid != geteuid())
		return err_set(e, "%s belongs to another user (uid %lu)", dir, (unsigned long)st.st_uid);
	if ((st.st_mode & 077) != 0 && chmod(dir, 0700) != 0)
		return err_set(e, "%s is open to others: %s", dir, strerror(errno));
	return 0;
}

/* mkdir -p; the last one 0700 and ours. */
static int
make_dir(const char *dir, struct err *e)
{
	char *part = xstrdup(dir);
	int r = 0;

	for (char *p = part + 1; r == 0 && (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		if (mkdir(part, 0700) != 0 && errno != EEXIST && errno != EISDIR)
			r = err_set(e, "%s: %s", part, strerror(errno));
		*p = '/';
	}
	if (r == 0 && mkdir(dir, 0700) != 0 && errno != EEXIST)
		r = err_set(e, "%s: %s", dir, strerror(errno));
	free(part);
	return r == 0 && check_dir(dir, e) != 0 ? -1 : r;
}

static const char *
absolute(const char *variable)
{
	const char *v = getenv(variable);

	return v != NULL && *v == '/' ? v : NULL;
}

static char *
runtime_dir(void)
{
	const char *x = absolute("XDG_RUNTIME_DIR");

	return x != NULL ? xasprintf("%s/mai", x) : xasprintf("/tmp/mai-%lu", (unsigned long)geteuid());
}

static char *
state_dir(struct err *e)
{
	const char *x = absolute("XDG_STATE_HOME"), *home = absolute("HOME");

	if (x != NULL)
		return xasprintf("%s/mai", x);
	if (home != NULL)
		return xasprintf("%s/.local/state/mai", home);
	err_set(e, "neither XDG_STATE_HOME nor HOME is set");
	return NULL;
}

static char *
socket_path(const char *dir, const char *name, struct err *e)
{
	char *path = xasprintf("%s/%s.sock", dir, name);

	if (strlen(path) < sizeof(((struct sockaddr_un *)0)->sun_path))
		return path;
	err_set(e, "%s is too long for a socket; set XDG_RUNTIME_DIR to a shorter directory", path);
	free(path);
	return NULL;
}

int
cmd_paths_init(struct cmd_paths *p, const char *name, struct err *e)
{
	*p = (struct cmd_paths){.dir = runtime_dir()};
	p->state_dir = state_dir(e);
	if (p->state_dir == NULL || make_dir(p->dir, e) != 0 || make_dir(p->state_dir, e) != 0)
		goto fail;
	p->socket = socket_path(p->dir, name, e);
	if (p->socket == NULL)
		goto fail;
	p->pidfile = xasprintf("%s/%s.pid", p->dir, name);
	p->log = xasprintf("%s/%s.log", p->state_dir, name);
	return 0;
fail:
	cmd_paths_fini(p);
	return -1;
}

void
cmd_paths_fini(struct cmd_paths *p)
{
	free(p->dir);
	free(p->socket);
	free(p->pidfile);
	free(p->state_dir);
	free(p->log);
	*p = (struct cmd_paths){0};
}

/* Creates nothing: asking for a supervisor leaves no trace. */
int
cmd_target(const struct cmd_opts *o, struct client_target *t, struct err *e)
{
	const char *key = getenv("MAI_KEY");
	char *dir;
	int r;

	*t = (struct client_target){0};
	if (o->url != NULL) {
		t->url = xstrdup(o->url);
		t->key = key != NULL && *key != '\0' ? xstrdup(key) : NULL;
		return 0;
	}
	dir = runtime_dir();
	r = check_dir(dir, e);
	if (r >= 0) {
		t->socket = socket_path(dir, o->name, e);
		r = t->socket == NULL ? -1 : 0;
	}
	free(dir);
	return r;
}
