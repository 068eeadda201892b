/* SPDX-License-Identifier: ISC
 * Answers of the API as lines for a box on the screen: "label<tab>text". */
#include <string.h>

#include "app/top_priv.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

static void
put_line(struct strbuf *out, const char *label, const char *text)
{
	if (text == NULL || *text == '\0')
		return;
	text_clean(out, label, strlen(label), 40);
	strbuf_putc(out, '\t');
	text_clean(out, text, strlen(text), 4096);
	strbuf_putc(out, '\n');
}

/* As one would type it: what a shell would split or change is quoted. */
static void
put_word(struct strbuf *b, const char *word)
{
	bool plain = *word != '\0' && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	    "@%_+=:,./-") == strlen(word);

	if (b->len != 0)
		strbuf_putc(b, ' ');
	if (plain) {
		strbuf_puts(b, word);
		return;
	}
	strbuf_putc(b, '\'');
	for (; *word != '\0'; word++) {
		if (*word == '\'')
			strbuf_puts(b, "'\\'");
		strbuf_putc(b, *word);
	}
	strbuf_putc(b, '\'');
}

static void
put_argv(struct strbuf *out, const char *label, const cJSON *argv)
{
	struct strbuf b = STRBUF_INIT;
	const cJSON *j;

	cJSON_ArrayForEach(j, argv)
		if (cJSON_IsString(j))
			put_word(&b, j->valuestring);
	put_line(out, label, strbuf_str(&b));
	strbuf_fini(&b);
}

/* A list, the label at the first of it. */
static void
put_list(struct strbuf *out, const char *label, const cJSON *list)
{
	const cJSON *j;

	cJSON_ArrayForEach(j, list) {
		if (!cJSON_IsString(j))
			continue;
		put_line(out, label, j->valuestring);
		label = "";
	}
}

static void
put_number(struct strbuf *out, const char *label, int64_t n)
{
	struct strbuf b = STRBUF_INIT;

	strbuf_printf(&b, "%lld", (long long)n);
	put_line(out, label, strbuf_str(&b));
	strbuf_fini(&b);
}

static void
put_times(struct strbuf *out, const cJSON *o)
{
	struct strbuf b = STRBUF_INIT;
	char d[32], size[24];

	if (json_num(o, "last_load_seconds", 0) > 0) {
		text_duration(d, sizeof(d), (uint64_t)(json_num(o, "last_load_seconds", 0) * 1000), true);
		strbuf_printf(&b, "last %s", d);
		text_duration(d, sizeof(d), (uint64_t)(json_num(o, "usual_load_seconds", 0) * 1000), true);
		if (json_num(o, "usual_load_seconds", 0) > 0)
			strbuf_printf(&b, ", usually %s", d);
		put_line(out, "load", strbuf_str(&b));
	}
	if (json_num(o, "peak_rss_bytes", 0) > 0) {
		text_size(size, sizeof(size), (uint64_t)json_num(o, "peak_rss_bytes", 0));
		put_line(out, "peak memory", size);
	}
	strbuf_clear(&b);
	strbuf_printf(&b, "%lld, %lld crashed", (long long)json_int(o, "starts", 0), (long long)json_int(o, "crashes", 0));
	if (json_int(o, "starts", 0) > 0)
		put_line(out, "starts", strbuf_str(&b));
	strbuf_fini(&b);
}

/* "2m10s ago: SIGKILL after 12s: out of memory" */
static void
put_exit(struct strbuf *out, const char *label, const cJSON *x)
{
	struct strbuf b = STRBUF_INIT;
	int64_t at = json_int(x, "at_ms", 0), now = (int64_t)clock_wall_ms();
	const char *cause = json_str(x, "cause", NULL);
	char d[32];

	if (at > 0) {
		text_duration(d, sizeof(d), now > at ? (uint64_t)(now - at) : 0, false);
		strbuf_printf(&b, "%s ago: ", d);
	}
	strbuf_puts(&b, json_str(x, "text", "?"));
	if (json_num(x, "uptime_seconds", 0) > 0) {
		text_duration(d, sizeof(d), (uint64_t)(json_num(x, "uptime_seconds", 0) * 1000), true);
		strbuf_printf(&b, " after %s", d);
	}
	if (!json_bool(x, "expected", false) && cause != NULL && *cause != '\0')
		strbuf_printf(&b, ": %s", cause);
	put_line(out, label, strbuf_str(&b));
	strbuf_fini(&b);
}

static void
put_exits(struct strbuf *out, const cJSON *exits)
{
	const char *label = "exits";
	const cJSON *x;

	cJSON_ArrayForEach(x, exits) {
		put_exit(out, label, x);
		label = "";
	}
	if (exits != NULL && *label != '\0')
		put_line(out, label, "none yet");
}

/* Objects of names and values, or lists of "NAME=value". */
static void
put_pairs(struct strbuf *out, const char *label, const char *between, const cJSON *env)
{
	struct strbuf b = STRBUF_INIT;
	const cJSON *j;

	if (cJSON_IsArray(env)) {
		put_list(out, label, env);
		return;
	}
	cJSON_ArrayForEach(j, env) {
		strbuf_clear(&b);
		strbuf_printf(&b, "%s%s%s", j->string, between, cJSON_IsString(j) ? j->valuestring : "");
		put_line(out, label, strbuf_str(&b));
		label = "";
	}
	strbuf_fini(&b);
}

void
top_info_text(struct strbuf *out, const char *answer, size_t n)
{
	cJSON *o = json_parse(answer, n, NULL);

	put_line(out, "engine", json_str(o, "kind", NULL));
	put_argv(out, "command", json_get(o, "argv"));
	put_argv(out, "stop command", json_get(o, "cmd_stop"));
	put_pairs(out, "environment", "=", json_get(o, "env"));
	put_line(out, "configured", json_str(o, "config", json_str(o, "config_source", NULL)));
	put_list(out, "listens on", json_get(o, "listen"));
	if (json_int(o, "engine_port", 0) > 0)
		put_number(out, "engine port", json_int(o, "engine_port", 0));
	if (json_int(o, "pid", 0) > 0)
		put_number(out, "pid", json_int(o, "pid", 0));
	put_line(out, "check", json_str(o, "check_path", NULL));
	put_line(out, "its name there", json_str(o, "upstream_model", NULL));
	put_line(out, "state", json_str(o, "state", NULL));
	put_times(out, o);
	put_exits(out, json_get(o, "exits"));
	cJSON_Delete(o);
}

void
top_details_text(struct strbuf *out, const char *answer, size_t n)
{
	cJSON *o = json_parse(answer, n, NULL);

	put_pairs(out, "headers", ": ", json_get(o, "headers"));
	cJSON_Delete(o);
}
