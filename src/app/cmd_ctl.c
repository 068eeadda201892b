/* SPDX-License-Identifier: ISC
 * Verbs that change something: swap, start, stop, restart, pin, cancel, reload, shutdown; and version. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "app/cmd_priv.h"
#include "base/xmalloc.h"

static const char *
first_arg(const struct cmd_opts *o)
{
	return o->nargs > 0 ? o->args[0] : NULL;
}

/* {"model":M,"force":true}, each only when it applies. */
static char *
make_body(const char *model, bool force)
{
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);

	jw_obj(&w);
	if (model != NULL)
		jw_kstr(&w, "model", model);
	if (force)
		jw_kbool(&w, "force", true);
	jw_obj_end(&w);
	return strbuf_take(&b);
}

int
cmd_swap(const struct cmd_opts *o)
{
	char *body = make_body(o->args[0], false);
	char *done = xasprintf("%s is ready", o->args[0]);
	int r = cmd_wait(o, "/load", body, o->args[0], done);

	free(body);
	free(done);
	return r;
}

int
cmd_start(const struct cmd_opts *o)
{
	const char *model = first_arg(o);
	char *done = xasprintf("%s is ready", model != NULL ? model : "the engine");
	struct strbuf path = STRBUF_INIT;
	int r;

	strbuf_puts(&path, "/start");
	if (model != NULL) {
		strbuf_puts(&path, "?model=");
		cmd_encode(&path, model, true);
	}
	r = cmd_wait(o, strbuf_str(&path), NULL, model, done);
	strbuf_fini(&path);
	free(done);
	return r;
}

int
cmd_stop(const struct cmd_opts *o)
{
	const char *model = first_arg(o);
	struct strbuf path = STRBUF_INIT;
	char *done = xasprintf("%s is stopped", model != NULL ? model : "the engine");
	int r;

	if (model == NULL) {
		strbuf_puts(&path, "/stop");
	} else {
		strbuf_puts(&path, "/api/models/unload/");
		cmd_encode(&path, model, false);
	}
	r = cmd_wait(o, strbuf_str(&path), NULL, model, done);
	strbuf_fini(&path);
	free(done);
	return r;
}

int
cmd_restart(const struct cmd_opts *o)
{
	const char *model = first_arg(o);
	char *body = make_body(model, o->force);
	char *done = xasprintf("%s is ready again", model != NULL ? model : "the engine");
	int r = cmd_wait(o, "/api/restart", body, model, done);

	free(body);
	free(done);
	return r;
}

static int
pin(const struct cmd_opts *o, bool on)
{
	struct strbuf body = STRBUF_INIT;
	struct jsonw w = JSONW(&body);
	cJSON *j = NULL;
	int r;

	jw_obj(&w);
	jw_kstr(&w, "model", o->args[0]);
	jw_kbool(&w, "pin", on);
	jw_obj_end(&w);
	r = cmd_call_json(o, "POST", "/api/pin", strbuf_str(&body), &j);
	if (r == CMD_OK && !o->json)
		printf(on ? "%s is pinned\n" : "%s is not pinned\n", json_str(j, "model", o->args[0]));
	cJSON_Delete(j);
	strbuf_fini(&body);
	return r;
}

int
cmd_pin(const struct cmd_opts *o)
{
	return pin(o, true);
}

int
cmd_unpin(const struct cmd_opts *o)
{
	return pin(o, false);
}

int
cmd_cancel(const struct cmd_opts *o)
{
	const char *id = o->args[0];
	struct strbuf path = STRBUF_INIT;
	cJSON *j = NULL;
	int r;

	if (*id == '\0' || id[strspn(id, "0123456789")] != '\0') {
		fprintf(stderr, "mai: 'cancel' takes an id as 'mai ps' shows it, not '%s'\n", id);
		return CMD_USAGE;
	}
	strbuf_printf(&path, "/api/requests/%s/cancel", id);
	r = cmd_call_json(o, "POST", strbuf_str(&path), NULL, &j);
	if (r == CMD_OK && !o->json)
		printf("request %s is cancelled\n", id);
	cJSON_Delete(j);
	strbuf_fini(&path);
	return r;
}

int
cmd_reload(const struct cmd_opts *o)
{
	struct strbuf answer = STRBUF_INIT;
	int r = cmd_call(o, "POST", "/api/reload", NULL, &answer);

	/* A file that is no good is a failure, as it is at a start; not a refusal to do it. */
	if (r == CMD_REFUSED && strstr(strbuf_str(&answer), "\"bad_config\"") != NULL)
		r = CMD_FAILED;
	if (r == CMD_OK && o->json)
		printf("%s\n", strbuf_str(&answer));
	else if (r == CMD_OK)
		puts("the configuration was read again");
	strbuf_fini(&answer);
	return r;
}

/* The core's pid, when it is on this machine; 0 else. */
static pid_t
core_pid(const struct cmd_opts *o, const struct client_target *t)
{
	struct strbuf answer = STRBUF_INIT;
	pid_t pid = 0;
	int status;

	if (o->url == NULL && client_call(t, "GET", "/api/version", NULL, 5000, &status, &answer, NULL) == CLIENT_OK &&
	    status == 200) {
		cJSON *j = json_parse(strbuf_str(&answer), answer.len, NULL);

		pid = (pid_t)json_int(j, "pid", 0);
		cJSON_Delete(j);
	}
	strbuf_fini(&answer);
	return pid;
}

/* Until nobody listens any more and, on this machine, the process is gone too. */
static void
wait_for_end(const struct client_target *t, pid_t pid)
{
	struct strbuf answer = STRBUF_INIT;
	int status;

	while (client_call(t, "GET", "/livez", NULL, 5000, &status, &answer, NULL) != CLIENT_DOWN)
		poll(NULL, 0, 20);
	for (int i = 0; pid > 1 && i < 12000 && kill(pid, 0) == 0; i++)
		poll(NULL, 0, 5);
	strbuf_fini(&answer);
}

int
cmd_shutdown(const struct cmd_opts *o)
{
	struct strbuf answer = STRBUF_INIT;
	struct client_target t;
	struct err e = {{0}};
	pid_t pid;
	int r;

	if (cmd_target(o, &t, &e) != 0) {
		fprintf(stderr, "mai: %s\n", e.msg);
		return CMD_FAILED;
	}
	pid = core_pid(o, &t);
	r = cmd_call(o, "POST", "/api/shutdown", o->force ? "{\"force\":true}" : NULL, &answer);
	if (r == CMD_OK && !o->no_wait)
		wait_for_end(&t, pid);
	if (r == CMD_OK && !o->json)
		puts(o->no_wait ? "shutdown was asked for" : "the supervisor has ended");
	client_target_fini(&t);
	strbuf_fini(&answer);
	return r;
}

int
cmd_version(const struct cmd_opts *o)
{
	struct strbuf answer = STRBUF_INIT;
	struct client_target t;
	cJSON *core = NULL;
	int status = 0;

	if (cmd_target(o, &t, NULL) == 0 &&
	    client_call(&t, "GET", "/api/version", NULL, 5000, &status, &answer, NULL) == CLIENT_OK && status == 200)
		core = json_parse(strbuf_str(&answer), answer.len, NULL);
	client_target_fini(&t);
	if (o->json)
		printf("{\"version\":\"%s\",\"supervisor\":%s}\n", PACKAGE_VERSION, core != NULL ? strbuf_str(&answer) :
		    "null");
	else
		puts("mai " PACKAGE_VERSION);
	if (core != NULL && !o->json)
		printf("supervisor %s, pid %lld\n", json_str(core, "version", "?"), (long long)json_int(core, "pid", 0));
	cJSON_Delete(core);
	strbuf_fini(&answer);
	return CMD_OK;
}
