/* SPDX-License-Identifier: ISC
 * What can be told of a start without making it: so that nothing is stopped for a model that cannot run. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "engine/engine_priv.h"

int
engine_refuse(struct policy_verdict *v, int kind, enum engine_reason reason, const char *text)
{
	v->kind = kind;
	v->reason = reason;
	snprintf(v->text, sizeof(v->text), "%s", text);
	return -1;
}

static int
look_at_definition(const struct engine *e, struct policy_verdict *v, char *cause, size_t size)
{
	const char *missing = policy_missing_model(e->m);

	if (e->m->argv == NULL || e->m->argv[0] == NULL) {
		snprintf(cause, size, "there is no command to start it with");
		return engine_refuse(v, VERDICT_FATAL, REASON_CONFIG, "not started");
	}
	if (missing != NULL) {
		snprintf(cause, size, "%s: %s", missing, strerror(ENOENT));
		return engine_refuse(v, VERDICT_FATAL, REASON_MODEL_MISSING, "not started");
	}
	return 0;
}

int
engine_preflight_all(struct engine *e, int *port, struct policy_verdict *v, char *cause, size_t size)
{
	if (look_at_definition(e, v, cause, size) < 0)
		return -1;
	if (engine_port_pick(e, port, &e->port_fixed, cause, size) < 0)
		return engine_refuse(v, VERDICT_FATAL, REASON_PORT_BUSY, "not started");
	if (http_target_set(&e->target, e->m->proxy_host == NULL ? "127.0.0.1" : e->m->proxy_host, *port) < 0) {
		snprintf(cause, size, "%s is no literal address", e->m->proxy_host);
		return engine_refuse(v, VERDICT_FATAL, REASON_CONFIG, "not started");
	}
	return 0;
}

static int
look_at_command(const struct engine *e, struct policy_verdict *v, char *cause, size_t size)
{
	char **argv = conf_argv(e->m->argv, e->m->port, 0, e->id), **env = engine_command_env(e);
	int rc = engine_command_check(argv[0], env, cause, size);

	strv_free(&argv);
	strv_free(&env);
	return rc == 0 ? 0 : engine_refuse(v, VERDICT_FATAL, REASON_EXEC_FAILED, "cannot run it");
}

bool
engine_preflight(struct engine *e, enum engine_reason why)
{
	struct policy_verdict v;
	char cause[512] = "";

	/* While something of it is dying its port is its own still. */
	if ((e->info.state != ENGINE_STOPPED && e->info.state != ENGINE_FAILED) || e->pgid != 0)
		return true;
	if (look_at_definition(e, &v, cause, sizeof(cause)) == 0 && look_at_command(e, &v, cause, sizeof(cause)) == 0) {
		if (engine_port_possible(e, cause, sizeof(cause)))
			return true;
		engine_refuse(&v, VERDICT_FATAL, REASON_PORT_BUSY, "not started");
	}
	log_info("engine", e->id, "%s, but it cannot be started", engine_reason_text(why));
	engine_unfit(e, &v, cause);
	return false;
}
