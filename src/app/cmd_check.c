/* SPDX-License-Identifier: ISC
 * mai check: what a start would read, all that is wrong with it, and the plan. */
#include <stdio.h>
#include <string.h>

#include "app/cmd.h"
#include "base/json.h"

/* Each line of text as a JSON string. */
static void
put_lines(struct jsonw *w, const char *key, const char *text)
{
	jw_key(w, key);
	jw_arr(w);
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");

		if (n > 0)
			jw_strn(w, text, n);
		text += n + (text[n] == '\n');
	}
	jw_arr_end(w);
}

static void
print_json(const struct conf *c, const struct conf_errors *errs, const char *none)
{
	struct strbuf out = STRBUF_INIT, plan = STRBUF_INIT;
	struct jsonw w = JSONW(&out);

	jw_obj(&w);
	jw_kbool(&w, "ok", c != NULL);
	jw_kstr(&w, "file", c != NULL ? c->path : NULL);
	put_lines(&w, "errors", none != NULL ? none : strbuf_str(&errs->text));
	jw_key(&w, "warnings");
	jw_arr(&w);
	for (char **s = c != NULL ? c->warnings : NULL; s != NULL && *s != NULL; s++)
		jw_str(&w, *s);
	jw_arr_end(&w);
	if (c != NULL) {
		conf_describe(c, &plan);
		jw_kstr(&w, "plan", strbuf_str(&plan));
	}
	jw_obj_end(&w);
	puts(strbuf_str(&out));
	strbuf_fini(&out);
	strbuf_fini(&plan);
}

static void
print_text(const struct conf *c, const struct conf_errors *errs, const char *none)
{
	struct strbuf plan = STRBUF_INIT;

	if (none != NULL) {
		fprintf(stderr, "mai: %s\n", none);
	} else if (c == NULL) {
		fputs(strbuf_str(&errs->text), stderr);
		fprintf(stderr, "mai: %d error%s\n", errs->n, errs->n == 1 ? "" : "s");
	} else {
		conf_describe(c, &plan);
		fputs(strbuf_str(&plan), stdout);
	}
	strbuf_fini(&plan);
}

int
cmd_check(const struct cmd_opts *o)
{
	const struct conf_request req = {.file = o->file, .model = o->nargs > 0 ? o->args[0] : NULL,
	    .env_file = o->env_file, .listen = o->listen, .insecure = o->insecure};
	struct conf_errors errs = {0};
	bool nothing = false;
	struct conf *c = conf_load(&req, &nothing, &errs);
	const char *none = c == NULL && nothing ? "there is no configuration: name a MODEL, give a file with -c, or set "
	    "MLX_MODEL" : NULL;
	int r = c != NULL ? CMD_OK : CMD_FAILED;

	if (o->json)
		print_json(c, &errs, none);
	else
		print_text(c, &errs, none);
	conf_errors_fini(&errs);
	conf_unref(&c);
	return r;
}
