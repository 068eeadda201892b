/* SPDX-License-Identifier: ISC
 * Intents and the API. Pure. */
#include "app/top_act.h"

#include <string.h>

#include "app/cmd_priv.h"
#include "base/text.h"

static void
put_body(struct strbuf *body, const char *model, bool force)
{
	struct jsonw w = JSONW(body);

	jw_obj(&w);
	if (model != NULL)
		jw_kstr(&w, "model", model);
	if (force)
		jw_kbool(&w, "force", true);
	jw_obj_end(&w);
}

static void
put_pin(struct strbuf *body, const char *model, bool pin)
{
	struct jsonw w = JSONW(body);

	jw_obj(&w);
	jw_kstr(&w, "model", model);
	jw_kbool(&w, "pin", pin);
	jw_obj_end(&w);
}

bool
top_act_call(const struct ui_intent *in, struct strbuf *path, struct strbuf *body)
{
	switch (in->kind) {
	case UI_SWAP:
		strbuf_puts(path, "/load");
		put_body(body, in->model, false);
		return true;
	case UI_START:
	case UI_STOP:
		strbuf_puts(path, in->kind == UI_START ? "/start" : "/stop");
		if (in->model != NULL) {
			strbuf_puts(path, "?model=");
			cmd_encode(path, in->model, true);
		}
		return true;
	case UI_RESTART:
	case UI_FORCE_RESTART:
		strbuf_puts(path, "/api/restart");
		put_body(body, in->model, in->kind == UI_FORCE_RESTART);
		return true;
	case UI_PIN:
	case UI_UNPIN:
		strbuf_puts(path, "/api/pin");
		put_pin(body, in->model, in->kind == UI_PIN);
		return true;
	case UI_CANCEL:
		strbuf_printf(path, "/api/requests/%llu/cancel", (unsigned long long)in->id);
		return true;
	case UI_QUIT_STOP:
	case UI_KILL:
		strbuf_puts(path, "/api/shutdown");
		put_body(body, NULL, in->kind == UI_KILL);
		return true;
	default:
		return false;
	}
}

bool
top_act_outcome(enum ui_intent_kind kind, bool gave_way, enum client_result r, int status, const char *answer, size_t n,
    uint64_t took, struct strbuf *out)
{
	static const char *const did[UI_NINTENTS] = {[UI_SWAP] = "swapped", [UI_START] = "started", [UI_STOP] = "stopped",
		[UI_RESTART] = "restarted", [UI_FORCE_RESTART] = "restarted", [UI_CANCEL] = "cancelled",
		[UI_PIN] = "pinned: it never gives way", [UI_UNPIN] = "not pinned any more",
		[UI_QUIT_STOP] = "stopping everything; ^C kills the engines now", [UI_KILL] = "killing"};
	static const bool takes_time[UI_NINTENTS] = {[UI_SWAP] = true, [UI_START] = true, [UI_STOP] = true,
		[UI_RESTART] = true, [UI_FORCE_RESTART] = true};
	static const char *const verb[UI_NINTENTS] = {[UI_SWAP] = "swap", [UI_START] = "start", [UI_STOP] = "stop",
		[UI_RESTART] = "restart", [UI_FORCE_RESTART] = "force restart", [UI_CANCEL] = "cancel",
		[UI_PIN] = "pin", [UI_UNPIN] = "unpin", [UI_QUIT_STOP] = "shutdown", [UI_KILL] = "kill"};
	struct strbuf why = STRBUF_INIT;
	char d[32];
	bool ok = r == CLIENT_OK && status >= 200 && status < 300;

	if (ok) {
		strbuf_puts(out, kind == UI_SWAP && !gave_way ? "loaded" : did[kind] != NULL ? did[kind] : "done");
		if (takes_time[kind]) {
			text_duration(d, sizeof(d), took, true);
			strbuf_printf(out, " in %s", d);
		}
		return true;
	}
	strbuf_printf(out, "%s: ", verb[kind] != NULL ? verb[kind] : "call");
	if (r != CLIENT_OK) {
		strbuf_puts(out, "no answer from the supervisor");
		return false;
	}
	cmd_error_text(&why, status, answer, n);
	text_clean(out, strbuf_str(&why), why.len, 400);
	strbuf_fini(&why);
	return false;
}
