/* SPDX-License-Identifier: ISC
 * mai logs: what there is, and with -f what comes. */
#include <stdlib.h>
#include <string.h>

#include "app/cmd_priv.h"

#define LINE_MAX_ (128u << 10)	/* a line is cut at 64 KiB where it is taken in */

struct printing {
	const struct cmd_opts *o;
	int status;
	struct strbuf line;	/* what has no newline yet; or the body of a refusal */
};

static bool
on_bytes(void *arg, const char *p, size_t n)
{
	struct printing *s = arg;

	if (s->status != 200) {
		strbuf_add(&s->line, p, n);
		return true;
	}
	while (n > 0) {
		const char *nl = memchr(p, '\n', n);
		size_t len = nl != NULL ? (size_t)(nl - p) + 1 : n;

		strbuf_add(&s->line, p, len);
		if (nl != NULL || s->line.full) {
			cmd_print_clean(stdout, strbuf_str(&s->line), s->line.len);
			strbuf_clear(&s->line);
		}
		p += len;
		n -= len;
	}
	/* A reader that is gone ends it. */
	return fflush(stdout) == 0;
}

static void
put_query(struct strbuf *path, const char *key, const char *value)
{
	strbuf_printf(path, "%c%s=", strchr(strbuf_str(path), '?') == NULL ? '?' : '&', key);
	cmd_encode(path, value, true);
}

static void
make_path(struct strbuf *path, const struct cmd_opts *o)
{
	char n[16];

	strbuf_puts(path, o->json ? "/api/logs" : o->follow ? "/logs/stream" : "/logs");
	if (o->nargs > 0)
		put_query(path, "model", o->args[0]);
	if (o->source != NULL)
		put_query(path, "source", o->source);
	if (o->lines >= 0) {
		snprintf(n, sizeof(n), "%d", o->lines);
		put_query(path, "n", n);
	}
}

int
cmd_logs(const struct cmd_opts *o)
{
	struct printing s = {.o = o, .line = {.max = LINE_MAX_}};
	struct strbuf path = STRBUF_INIT;
	struct client_target t;
	enum client_result r;
	struct err e = {{0}};
	int code;

	if (o->json && o->follow) {
		fputs("mai: 'logs' takes either -f or --json\n", stderr);
		return CMD_USAGE;
	}
	if (cmd_target(o, &t, &e) != 0) {
		fprintf(stderr, "mai: %s\n", e.msg);
		return CMD_FAILED;
	}
	make_path(&path, o);
	if (o->json) {
		s.line.max = 0;
		code = cmd_call(o, "GET", strbuf_str(&path), NULL, &s.line);
		if (code == CMD_OK)
			printf("%s\n", strbuf_str(&s.line));
	} else {
		r = client_stream(&t, "GET", strbuf_str(&path), NULL, &s.status, on_bytes, &s, &e);
		if (r != CLIENT_OK)
			code = cmd_no_answer(o, r, e.msg);
		else
			code = cmd_judge(o, s.status, strbuf_str(&s.line), s.line.len);
		if (code == CMD_OK && s.line.len > 0)
			cmd_print_clean(stdout, strbuf_str(&s.line), s.line.len);
	}
	strbuf_fini(&s.line);
	strbuf_fini(&path);
	client_target_fini(&t);
	return code;
}
