/* SPDX-License-Identifier: ISC
 * mai ask: one question to the model, its answer as it comes. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/cmd_priv.h"
#include "client/client_sse.h"

#define PROMPT_MAX (4u << 20)

struct asking {
	const struct cmd_opts *o;
	int status;
	struct client_sse sse;
	struct strbuf refusal;
	bool done, thinking, any, color;
	char last;		/* character printed */
	struct strbuf error;	/* an error event in the stream */
};

/* Reasoning goes to stderr, dimmed, and only for a person to see that something happens. */
static void
put_thought(struct asking *a, const char *text)
{
	if (text == NULL || *text == '\0' || !isatty(STDERR_FILENO))
		return;
	if (a->color)
		fputs("\033[2m", stderr);
	cmd_print_clean(stderr, text, strlen(text));
	if (a->color)
		fputs("\033[22m", stderr);
	fflush(stderr);
	a->thinking = true;
}

static void
put_text(struct asking *a, const char *text)
{
	if (text == NULL || *text == '\0')
		return;
	if (a->thinking)
		fputs("\n\n", stderr);
	a->thinking = false;
	a->any = true;
	a->last = text[strlen(text) - 1];
	if (isatty(STDOUT_FILENO))
		cmd_print_clean(stdout, text, strlen(text));
	else
		fputs(text, stdout);
	fflush(stdout);
}

static bool
on_event(void *arg, const char *event, const char *id, const char *data, size_t n)
{
	struct asking *a = arg;
	const cJSON *delta;
	cJSON *j;

	(void)event;
	(void)id;
	if (strcmp(data, "[DONE]") == 0) {
		a->done = true;
		return false;
	}
	j = json_parse(data, n, NULL);
	if (json_get(j, "error") != NULL) {
		cmd_error_text(&a->error, 500, data, n);
	} else {
		delta = json_get(cJSON_GetArrayItem(json_get(j, "choices"), 0), "delta");
		put_thought(a, json_str(delta, "reasoning_content", NULL));
		put_text(a, json_str(delta, "content", NULL));
	}
	cJSON_Delete(j);
	return a->error.len == 0 && !ferror(stdout);
}

static bool
on_bytes(void *arg, const char *p, size_t n)
{
	struct asking *a = arg;

	if (a->status != 200) {
		strbuf_add(&a->refusal, p, n);
		return true;
	}
	return client_sse_feed(&a->sse, p, n, on_event, a) == 0;
}

static char *
make_body(const char *prompt, bool stream)
{
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);

	jw_obj(&w);
	jw_key(&w, "messages");
	jw_arr(&w);
	jw_obj(&w);
	jw_kstr(&w, "role", "user");
	jw_kstr(&w, "content", prompt);
	jw_obj_end(&w);
	jw_arr_end(&w);
	jw_kbool(&w, "stream", stream);
	jw_obj_end(&w);
	return strbuf_take(&b);
}

/* The argument, or stdin for "-". NULL when it is empty or too long. */
static char *
take_prompt(const struct cmd_opts *o)
{
	struct strbuf b = {.max = PROMPT_MAX};
	char buf[4096];
	size_t n;

	if (strcmp(o->args[0], "-") != 0) {
		strbuf_puts(&b, o->args[0]);
	} else {
		while (!b.full && (n = fread(buf, 1, sizeof(buf), stdin)) > 0)
			strbuf_add(&b, buf, n);
	}
	if (b.len > 0 && !b.full)
		return strbuf_take(&b);
	fprintf(stderr, "mai: the prompt is %s\n", b.full ? "too long" : "empty");
	strbuf_fini(&b);
	return NULL;
}

static int
conclude(struct asking *a, enum client_result r, const char *why)
{
	int code;

	if (a->any && a->last != '\n')
		putchar('\n');
	if (a->error.len > 0) {
		fputs("mai: ", stderr);
		cmd_print_clean(stderr, strbuf_str(&a->error), a->error.len);
		fputc('\n', stderr);
		return CMD_FAILED;
	}
	if (r != CLIENT_OK)
		return cmd_no_answer(a->o, r, why);
	code = cmd_judge(a->o, a->status, strbuf_str(&a->refusal), a->refusal.len);
	if (code == CMD_OK && !a->done) {
		fputs("mai: the answer was cut short\n", stderr);
		code = CMD_FAILED;
	}
	return code;
}

static int
ask_stream(const struct cmd_opts *o, const char *body)
{
	struct asking a = {.o = o, .refusal = {.max = 65536}, .color = cmd_color(o, stderr)};
	struct client_target t;
	enum client_result r;
	struct err e = {{0}};
	int code;

	if (cmd_target(o, &t, &e) != 0) {
		fprintf(stderr, "mai: %s\n", e.msg);
		return CMD_FAILED;
	}
	client_sse_init(&a.sse);
	r = client_stream(&t, "POST", "/v1/chat/completions", body, &a.status, on_bytes, &a, &e);
	code = conclude(&a, r, e.msg);
	client_sse_fini(&a.sse);
	strbuf_fini(&a.refusal);
	strbuf_fini(&a.error);
	client_target_fini(&t);
	return code;
}

int
cmd_ask(const struct cmd_opts *o)
{
	char *prompt = take_prompt(o), *body;
	cJSON *j = NULL;
	int r;

	if (prompt == NULL)
		return CMD_USAGE;
	body = make_body(prompt, !o->json);
	r = o->json ? cmd_call_json(o, "POST", "/v1/chat/completions", body, &j) : ask_stream(o, body);
	cJSON_Delete(j);
	free(body);
	free(prompt);
	return r;
}
