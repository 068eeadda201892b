/* SPDX-License-Identifier: ISC
 * Starting a core: in the foreground of a terminal or service manager, in the background, or under a dashboard. */
#include "app/cmd_serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/daemon.h"
#include "app/guard.h"
#include "app/server.h"
#include "base/log.h"

struct launch {
	const struct cmd_opts *o;
	struct server_opts server;
};

static int
core(void *arg, int fd)
{
	struct launch *l = arg;

	l->server.guard_fd = fd;
	return server_run(&l->server);
}

struct conf *
serve_load(const struct cmd_opts *o, struct conf_request *req, bool *none)
{
	struct conf_errors errs = {{0}, 0};
	struct conf *c;

	*req = (struct conf_request){
		.file = o->file,
		.model = o->nargs > 0 ? o->args[0] : NULL,
		.env_file = o->env_file,
		.listen = o->listen,
		.insecure = o->insecure,
	};
	c = conf_load(req, none, &errs);
	if (c == NULL && !*none)
		fputs(strbuf_str(&errs.text), stderr);
	conf_errors_fini(&errs);
	return c;
}

struct conf *
serve_load_none(struct conf_request *req)
{
	struct conf_errors errs = {{0}, 0};
	struct conf *c = conf_load_none(req, &errs);

	if (c == NULL)
		fputs(strbuf_str(&errs.text), stderr);
	conf_errors_fini(&errs);
	return c;
}

void
serve_say_no_model(FILE *f)
{
	fputs("mai: no model to serve. Name one in one of three ways:\n"
	    "  mai MODEL          a .gguf file, an MLX directory or a Hugging Face id\n"
	    "  mai -c mai.yaml    a configuration; mai.yaml(5) has examples\n"
	    "  MLX_MODEL=... mai  the environment (or --env-file FILE)\n", f);
}

static void
say_running(const struct cmd_opts *o, pid_t pid)
{
	fprintf(stderr, "mai: already running (pid %ld, instance %s); `mai attach` shows it, `mai shutdown` ends it\n",
	    (long)pid, o->name);
}

/* Only the log's file is written to: it is kept small here, at the start. */
static void
rotate(const char *log)
{
	char *old;
	FILE *f = fopen(log, "r");
	long size = 0;

	if (f == NULL)
		return;
	if (fseek(f, 0, SEEK_END) == 0)
		size = ftell(f);
	fclose(f);
	if (size < 10 * 1024 * 1024)
		return;
	old = malloc(strlen(log) + 3);
	if (old == NULL)
		return;
	snprintf(old, strlen(log) + 3, "%s.1", log);
	rename(log, old);
	free(old);
}

int
serve_start(const struct cmd_opts *o, struct conf *c, const struct conf_request *req, enum serve_mode mode)
{
	struct cmd_paths paths;
	struct err e = {{0}};
	int lock, report = -1, rc;
	pid_t holder;
	struct launch l = {.o = o};

	if (cmd_paths_init(&paths, o->name, &e) < 0) {
		fprintf(stderr, "mai: %s\n", e.msg);
		return CMD_FAILED;
	}
	if (daemon_lock(&paths, &lock, &holder, &e) < 0) {
		if (holder >= 0)
			say_running(o, holder);
		else
			fprintf(stderr, "mai: %s\n", e.msg);
		cmd_paths_fini(&paths);
		return CMD_FAILED;
	}
	if (mode != SERVE_FOREGROUND) {
		rotate(paths.log);
		rc = daemon_fork(paths.log, &report, &e);
		if (rc != 0) {
			/* The parent: the child keeps the lock. */
			close(lock);
			cmd_paths_fini(&paths);
			if (rc > 0)
				return CMD_OK;
			fprintf(stderr, "mai: %s\n", e.msg);
			return CMD_FAILED;
		}
	}
	l.server = (struct server_opts){
		.conf = c, .request = *req, .paths = &paths, .name = o->name, .lock_fd = lock, .report_fd = report,
		.foreground = mode == SERVE_DASHBOARD, .log_stderr = true,
		.autostart = mode == SERVE_DASHBOARD || c->source != CONF_FILE || c->default_model_set,
	};
	rc = guard_run(core, &l);
	if (rc < 0) {
		daemon_report(&report, "fork failed");
		fprintf(stderr, "mai: cannot fork\n");
		rc = CMD_FAILED;
	}
	daemon_remove(&paths);
	cmd_paths_fini(&paths);
	if (mode == SERVE_FOREGROUND)
		return rc;
	exit(rc);
}

int
cmd_serve(const struct cmd_opts *o)
{
	struct conf_request req;
	bool none = false;
	struct conf *c = serve_load(o, &req, &none);
	int rc;

	if (c == NULL) {
		if (none)
			serve_say_no_model(stderr);
		return CMD_FAILED;
	}
	rc = serve_start(o, c, &req, o->daemon ? SERVE_DAEMON : SERVE_FOREGROUND);
	conf_unref(&c);
	return rc;
}
