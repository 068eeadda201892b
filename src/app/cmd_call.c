/* SPDX-License-Identifier: ISC
 * One call of a verb, and what its answer means for the person and for the exit code. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/cmd_priv.h"
#include "base/text.h"

bool
cmd_color(const struct cmd_opts *o, FILE *f)
{
	const char *term = getenv("TERM");

	return !o->no_color && isatty(fileno(f)) && term != NULL && strcmp(term, "dumb") != 0;
}

void
cmd_encode(struct strbuf *out, const char *s, bool slash)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

	for (; *s != '\0'; s++) {
		if (strchr(plain, *s) != NULL || (*s == '/' && !slash))
			strbuf_putc(out, *s);
		else
			strbuf_printf(out, "%%%02X", (unsigned char)*s);
	}
}

void
cmd_print_clean(FILE *f, const char *s, size_t n)
{
	struct strbuf line = STRBUF_INIT;

	while (n > 0) {
		const char *nl = memchr(s, '\n', n);
		size_t len = nl != NULL ? (size_t)(nl - s) : n;

		strbuf_clear(&line);
		text_clean(&line, s, len, 65536);
		fwrite(strbuf_str(&line), 1, line.len, f);
		if (nl != NULL) {
			fputc('\n', f);
			len++;
		}
		s += len;
		n -= len;
	}
	strbuf_fini(&line);
}

int
cmd_exit_of(int status)
{
	if (status >= 200 && status < 300)
		return CMD_OK;
	return status >= 400 && status < 500 ? CMD_REFUSED : CMD_FAILED;
}

static void
put_ids(struct strbuf *out, const cJSON *ids)
{
	const cJSON *id;
	const char *sep = " (known: ";

	cJSON_ArrayForEach(id, ids)
		if (cJSON_IsString(id)) {
			strbuf_printf(out, "%s%s", sep, id->valuestring);
			sep = ", ";
		}
	if (*sep == ',')
		strbuf_putc(out, ')');
}

/* FastAPI's list of what is wrong with a request. */
static void
put_details(struct strbuf *out, const cJSON *details)
{
	const cJSON *d, *part;
	const char *sep = "";

	cJSON_ArrayForEach(d, details) {
		strbuf_printf(out, "%s%s", sep, json_str(d, "msg", "not valid"));
		sep = " (";
		cJSON_ArrayForEach(part, json_get(d, "loc"))
			if (cJSON_IsString(part)) {
				strbuf_printf(out, "%s%s", sep, part->valuestring);
				sep = ".";
			}
		if (*sep == '.')
			strbuf_putc(out, ')');
		sep = "; ";
	}
}

void
cmd_error_text(struct strbuf *out, int status, const char *answer, size_t n)
{
	cJSON *j = json_parse(answer, n, NULL);
	const cJSON *error = json_get(j, "error"), *mai = json_get(j, "mai");
	const char *text = json_str(error, "message", json_str(j, "detail", json_str(j, "error", NULL)));
	const char *cause = json_str(mai, "cause", json_str(j, "cause", NULL));
	const char *nl = n > 0 ? memchr(answer, '\n', n) : NULL;
	size_t line = nl != NULL ? (size_t)(nl - answer) : n;

	if (text != NULL)
		strbuf_puts(out, text);
	else if (cJSON_IsArray(json_get(j, "detail")))
		put_details(out, json_get(j, "detail"));
	else if (j == NULL && line > 0 && answer[0] != '<')
		strbuf_add(out, answer, line < 300 ? line : 300);
	else
		strbuf_printf(out, "the supervisor answers %d", status);
	put_ids(out, json_get(j, "models"));
	if (cause != NULL && *cause != '\0' && json_get(j, "models") == NULL && (text == NULL || strstr(text, cause) == NULL))
		strbuf_printf(out, ": %s", cause);
	cJSON_Delete(j);
}

int
cmd_judge(const struct cmd_opts *o, int status, const char *answer, size_t n)
{
	struct strbuf text = STRBUF_INIT;
	int r = cmd_exit_of(status);

	if (r == CMD_OK)
		return r;
	if (o->json && n > 0 && (answer[0] == '{' || answer[0] == '[')) {
		fwrite(answer, 1, n, stdout);
		putchar('\n');
	}
	cmd_error_text(&text, status, answer, n);
	fputs("mai: ", stderr);
	cmd_print_clean(stderr, strbuf_str(&text), text.len);
	if (status == 401)
		fputs(" (set MAI_KEY)", stderr);
	fputc('\n', stderr);
	strbuf_fini(&text);
	return r;
}

int
cmd_no_answer(const struct cmd_opts *o, enum client_result r, const char *text)
{
	if (r == CLIENT_DOWN && o->url != NULL)
		fprintf(stderr, "mai: %s\n", text);
	else if (r == CLIENT_DOWN && strcmp(o->name, "default") == 0)
		fputs("mai: no supervisor is running; 'mai' or 'mai --daemon' starts one\n", stderr);
	else if (r == CLIENT_DOWN)
		fprintf(stderr, "mai: no supervisor named '%s' is running; 'mai --name %s --daemon' starts one\n", o->name,
		    o->name);
	else
		fprintf(stderr, "mai: %s\n", text);
	return r == CLIENT_DOWN ? CMD_NO_CORE : CMD_FAILED;
}

int
cmd_call(const struct cmd_opts *o, const char *method, const char *path, const char *body, struct strbuf *answer)
{
	struct client_target t;
	enum client_result r;
	struct err e = {{0}};
	int status;

	if (cmd_target(o, &t, &e) != 0) {
		fprintf(stderr, "mai: %s\n", e.msg);
		return CMD_FAILED;
	}
	r = client_call(&t, method, path, body, 0, &status, answer, &e);
	client_target_fini(&t);
	if (r != CLIENT_OK)
		return cmd_no_answer(o, r, e.msg);
	return cmd_judge(o, status, strbuf_str(answer), answer->len);
}

int
cmd_call_json(const struct cmd_opts *o, const char *method, const char *path, const char *body, cJSON **j)
{
	struct strbuf answer = STRBUF_INIT;
	struct err e = {{0}};
	int r = cmd_call(o, method, path, body, &answer);

	*j = NULL;
	if (r == CMD_OK && o->json) {
		fwrite(strbuf_str(&answer), 1, answer.len, stdout);
		putchar('\n');
	} else if (r == CMD_OK && (*j = json_parse(strbuf_str(&answer), answer.len, &e)) == NULL) {
		fprintf(stderr, "mai: the answer to %s is %s\n", path, e.msg);
		r = CMD_FAILED;
	}
	strbuf_fini(&answer);
	return r;
}
