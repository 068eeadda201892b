/* SPDX-License-Identifier: ISC
 * The state of an engine in words: what it is, since when, and why. */
#include <string.h>

#include "app/cmd_priv.h"
#include "base/text.h"
#include "bus/vocab.h"

#define CUT 400		/* of a cause or a line of output */

static void
put_clean(struct strbuf *out, const char *s)
{
	text_clean(out, s, strlen(s), CUT);
}

static void
put_field(struct strbuf *out, const char *label, const char *value)
{
	strbuf_printf(out, "  %-10s ", label);
	put_clean(out, value);
	strbuf_putc(out, '\n');
}

static const char *
state_color(enum engine_state s)
{
	switch (s) {
	case ENGINE_READY: return "\033[32m";
	case ENGINE_FAILED: return "\033[31m";
	case ENGINE_BACKOFF: case ENGINE_STARTING: case ENGINE_DRAINING: case ENGINE_STOPPING: return "\033[33m";
	case ENGINE_STOPPED: case ENGINE_NSTATES: break;
	}
	return "";
}

static void
seconds(char *out, size_t size, double s)
{
	text_duration(out, size, s > 0 ? (uint64_t)(s * 1000) : 0, true);
}

static const char *
state_of(const cJSON *s)
{
	return json_str(s, "state", json_str(s, "status", "?"));
}

/* The seed's `status` says only whether a process lives. */
static void
put_head(struct strbuf *out, const cJSON *s, const cJSON *row, bool color)
{
	const char *state = state_of(s);
	const char *paint = color ? state_color(engine_state_parse(state, ENGINE_NSTATES)) : "";
	double retry = json_num(s, "next_retry_seconds", -1), up = json_num(s, "uptime_seconds", 0);
	char t[32];

	put_clean(out, json_str(s, "current_model", "(no model)"));
	strbuf_printf(out, "  %s%s%s", paint, state, *paint != '\0' ? "\033[0m" : "");
	if (up > 0) {
		seconds(t, sizeof(t), up);
		strbuf_printf(out, "  up %s", t);
	}
	if (strcmp(state, "backoff") == 0 && retry >= 0) {
		seconds(t, sizeof(t), retry);
		strbuf_printf(out, "  retry in %s", t);
	}
	if (json_bool(row, "pinned", false))
		strbuf_puts(out, "  pinned");
	strbuf_putc(out, '\n');
}

static void
put_process(struct strbuf *out, const cJSON *s, const cJSON *row)
{
	int64_t pid = json_int(s, "pid", json_int(row, "pid", 0));
	int64_t port = json_int(s, "engine_port", json_int(row, "port", 0));
	int64_t max = json_int(s, "max_attempts", json_int(row, "max_attempts", 3));
	int64_t attempt = json_int(s, "restart_attempts", 0);
	bool failed = strcmp(state_of(s), "failed") == 0;

	if (pid != 0 && port != 0)
		strbuf_printf(out, "  %-10s pid %lld, port %lld\n", "engine", (long long)pid, (long long)port);
	else if (pid != 0)
		strbuf_printf(out, "  %-10s pid %lld\n", "engine", (long long)pid);
	if (json_int(s, "port", 0) != 0)
		strbuf_printf(out, "  %-10s port %lld\n", "api", (long long)json_int(s, "port", 0));
	if (failed)	/* the attempts are back at 0 by then */
		attempt = json_int(json_get(s, "last_exit"), "attempt", 0);
	if (attempt > max)
		attempt = max;
	strbuf_printf(out, "  %-10s %lld/%lld%s\n", "restarts", (long long)attempt, (long long)max,
	    !failed ? "" : attempt < max ? ", gave up: a restart would not help" : ", gave up");
	strbuf_printf(out, "  %-10s %lld in flight, %lld queued\n", "requests", (long long)json_int(s, "in_flight", 0),
	    (long long)json_int(s, "queued", 0));
}

static void
put_tail_line(struct strbuf *out, const char *line, size_t n)
{
	strbuf_puts(out, "    | ");
	text_clean(out, line, n, CUT);
	strbuf_putc(out, '\n');
}

/* The last words: an array of lines or one text. */
static void
put_tail(struct strbuf *out, const cJSON *tail)
{
	const cJSON *line;
	const char *p;

	if (cJSON_IsArray(tail) && cJSON_GetArraySize(tail) > 0) {
		strbuf_puts(out, "  last lines\n");
		cJSON_ArrayForEach(line, tail)
			if (cJSON_IsString(line))
				put_tail_line(out, line->valuestring, strlen(line->valuestring));
	} else if (cJSON_IsString(tail) && *tail->valuestring != '\0') {
		strbuf_puts(out, "  last lines\n");
		for (p = tail->valuestring; *p != '\0';) {
			size_t n = strcspn(p, "\n");

			put_tail_line(out, p, n);
			p += n + (p[n] == '\n');
		}
	}
}

static const char *
exit_text(const cJSON *x)
{
	return cJSON_IsString(x) ? x->valuestring : json_str(x, "text", json_str(x, "exit", NULL));
}

static const cJSON *
exit_tail(const cJSON *x)
{
	static const char *const names[] = {"tail", "output", "lines"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (json_get(x, names[i]) != NULL)
			return json_get(x, names[i]);
	return NULL;
}

/* The crash card. Its last lines only while the engine has not come back. */
static void
put_last_exit(struct strbuf *out, const cJSON *s)
{
	const cJSON *x = json_get(s, "last_exit");
	const char *text = exit_text(x), *cause = json_str(s, "cause", json_str(x, "cause", NULL));
	double up = json_num(x, "uptime_seconds", -1), peak = json_num(x, "peak_rss", json_num(x, "peak_rss_bytes", 0));
	int64_t lost = json_int(x, "requests_lost", 0);
	bool ready = strcmp(state_of(s), "ready") == 0;
	char t[32];

	if (text != NULL) {
		strbuf_printf(out, "  %-10s ", "last exit");
		put_clean(out, text);
		if (json_bool(x, "expected", false))
			strbuf_puts(out, ", as asked for");
		if (up >= 0 && strstr(text, " after ") == NULL) {
			seconds(t, sizeof(t), up);
			strbuf_printf(out, ", after %s", t);
		}
		if (peak > 0) {
			text_size(t, sizeof(t), (uint64_t)peak);
			strbuf_printf(out, ", peak memory %s", t);
		}
		if (lost > 0)
			strbuf_printf(out, ", %lld request%s lost", (long long)lost, lost == 1 ? "" : "s");
		strbuf_putc(out, '\n');
	}
	if (cause != NULL && *cause != '\0')
		put_field(out, "cause", cause);
	if (!ready && !json_bool(x, "expected", false))
		put_tail(out, exit_tail(x));
}

static const cJSON *
find_row(const cJSON *running, const char *model)
{
	const cJSON *row;

	cJSON_ArrayForEach(row, json_get(running, "running"))
		if (model != NULL && strcmp(json_str(row, "model", ""), model) == 0)
			return row;
	return NULL;
}

static void
put_others(struct strbuf *out, const cJSON *running, const char *model)
{
	const cJSON *row;

	cJSON_ArrayForEach(row, json_get(running, "running")) {
		const char *id = json_str(row, "model", "?"), *why = exit_text(json_get(row, "last_exit"));

		if (model != NULL && strcmp(id, model) == 0)
			continue;
		put_clean(out, id);
		strbuf_printf(out, "  %s", json_str(row, "state", "?"));
		if (json_int(row, "pid", 0) != 0)
			strbuf_printf(out, "  pid %lld", (long long)json_int(row, "pid", 0));
		if (json_bool(row, "pinned", false))
			strbuf_puts(out, "  pinned");
		if (strcmp(json_str(row, "state", ""), "failed") == 0 && why != NULL) {
			strbuf_puts(out, "  ");
			put_clean(out, why);
		}
		strbuf_putc(out, '\n');
	}
}

void
cmd_status_text(struct strbuf *out, const cJSON *s, const cJSON *running, bool color)
{
	const char *model = json_str(s, "current_model", NULL);
	const char *reason = json_str(s, "reason", "none");
	enum engine_reason r = engine_reason_parse(reason, REASON_NONE);

	put_head(out, s, find_row(running, model), color);
	if (r != REASON_NONE && strcmp(state_of(s), "ready") != 0)
		put_field(out, "why", engine_reason_text(r));
	put_process(out, s, find_row(running, model));
	put_last_exit(out, s);
	put_others(out, running, model);
}

void
cmd_status_line(struct strbuf *out, const cJSON *s)
{
	const cJSON *x = json_get(s, "last_exit");
	const char *cause = json_str(s, "cause", json_str(x, "cause", NULL)), *state = state_of(s);
	int64_t attempt = json_int(s, "restart_attempts", 0), pid = json_int(s, "pid", 0);

	put_clean(out, json_str(s, "current_model", "(no model)"));
	strbuf_printf(out, " %s", state);
	if (pid != 0)
		strbuf_printf(out, " pid %lld", (long long)pid);
	if (attempt != 0)
		strbuf_printf(out, " restarts %lld/%lld", (long long)attempt, (long long)json_int(s, "max_attempts", 3));
	if (strcmp(state, "backoff") == 0 || strcmp(state, "failed") == 0) {
		if (exit_text(x) != NULL) {
			strbuf_puts(out, ": ");
			put_clean(out, exit_text(x));
		}
		if (cause != NULL && *cause != '\0') {
			strbuf_puts(out, ": ");
			put_clean(out, cause);
		}
	}
}
