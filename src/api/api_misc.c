/* SPDX-License-Identifier: ISC
 * The core itself: that it lives, which version, its end, its configuration, and viewers that say goodbye. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api_int.h"
#include "base/xmalloc.h"

#ifndef MAI_COMMIT
#define MAI_COMMIT ""
#endif

void
api_get_root(struct api *a, struct api_req *q)
{
	static const char text[] = "mai supervises language model engines; see /status, or run: mai attach\n";

	api_reply(q->req, 200, "text/plain; charset=utf-8", NULL, text, sizeof(text) - 1);
}

void
api_get_livez(struct api *a, struct api_req *q)
{
	/* Being here means that the loop turned; asking the router that it can be asked. */
	(void)router_queued(a->o.router);
	api_status(q->req, 200, "ok");
}

void
api_get_version(struct api *a, struct api_req *q)
{
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);

	jw_obj(&w);
	jw_kstr(&w, "version", PACKAGE_VERSION);
	jw_kstr(&w, "commit", MAI_COMMIT);
	jw_kint(&w, "protocol", VIEW_PROTOCOL);
	jw_knum(&w, "started", (double)a->started_wall / 1000);
	jw_kint(&w, "pid", (int64_t)getpid());
	jw_obj_end(&w);
	api_json(q->req, 200, &b);
	strbuf_fini(&b);
}

/* The answer leaves before the listeners do. */
static void
do_shutdown(void *arg)
{
	struct api *a = arg;

	a->o.shutdown(a->o.arg, a->shutdown_who != NULL ? a->shutdown_who : "", a->shutdown_force);
}

static void
ask_shutdown(struct api *a, const char *who, bool force)
{
	free(a->shutdown_who);
	a->shutdown_who = xstrdup(who);
	a->shutdown_force = force;
	loop_defer(a->o.loop, do_shutdown, a);
}

void
api_post_shutdown(struct api *a, struct api_req *q)
{
	cJSON *o = json_parse(q->body, q->nbody, NULL);

	ask_shutdown(a, q->who, json_bool(o, "force", false));
	cJSON_Delete(o);
	api_status(q->req, 200, "shutting_down");
}

void
api_post_reload(struct api *a, struct api_req *q)
{
	struct bus_event ev = {.kind = BUS_ACTION, .who = q->who, .text = "configuration reloaded"};
	struct err e = {{0}};

	if (a->o.reload(a->o.arg, &e) != 0) {
		ev.text = "reload failed, the old configuration stays";
		bus_publish(a->o.bus, &ev);
		api_fail(a, q->req, 409, "The configuration was not replaced", "bad_config", e.msg, false);
		return;
	}
	bus_publish(a->o.bus, &ev);
	api_status(q->req, 200, "reloaded");
}

/* What the goodbye of the viewer that started the core means for it. Others never stop anything by leaving, nor does one
 * whose core is gone and that looks at a daemon now. */
static bool
bye_stops(const struct api *a, const char *how, bool foreground)
{
	if (!foreground || !a->o.foreground)
		return false;
	return strcmp(how, "stop") == 0 || (strcmp(how, "hangup") == 0 && !a->conf->hangup_detach);
}

/* rest: "ID/bye" */
void
api_post_bye(struct api *a, struct api_req *q)
{
	size_t digits = strspn(q->rest, "0123456789");
	bool foreground = false;
	const char *how;
	cJSON *o;

	if (digits == 0 || digits > 9 || strcmp(q->rest + digits, "/bye") != 0 ||
	    hub_viewer_name(a->hub, (int)strtol(q->rest, NULL, 10), &foreground) == NULL) {
		api_fail(a, q->req, 404, "No such viewer", "viewer_not_found", NULL, false);
		return;
	}
	o = json_parse(q->body, q->nbody, NULL);
	how = json_str(o, "how", "detach");
	if (strcmp(how, "detach") != 0 && strcmp(how, "stop") != 0 && strcmp(how, "hangup") != 0) {
		api_fail(a, q->req, 422, "how is detach, stop or hangup", "bad_request", NULL, false);
	} else if (bye_stops(a, how, foreground)) {
		ask_shutdown(a, q->who, false);
		api_status(q->req, 200, "shutting_down");
	} else {
		/* From now on the core belongs to nobody's terminal. */
		if (foreground)
			a->foreground = false;
		api_status(q->req, 200, "serving");
	}
	cJSON_Delete(o);
}
