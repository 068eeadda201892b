/* SPDX-License-Identifier: ISC
 * mai check: what a start would read, all that is wrong with it, and the plan. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/cmd.h"
#include "base/json.h"
#include "base/xmalloc.h"

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

/* "a, b, c": the models from the i-th on that run this program. */
static char *
models_of(const struct conf *c, size_t i, const char *program)
{
	struct strbuf out = STRBUF_INIT;

	for (; i < c->nmodels; i++)
		if (c->models[i]->argv != NULL && strcmp(c->models[i]->argv[0], program) == 0)
			strbuf_printf(&out, "%s%s", out.len > 0 ? ", " : "", c->models[i]->id);
	return strbuf_take(&out);
}

/* Programs that are not there: only this machine can tell, and only now. */
static char **
missing(const struct conf *c)
{
	char **list = NULL, **seen = NULL, *text, *models;

	for (size_t i = 0; c != NULL && i < c->nmodels; i++) {
		const struct conf_model *m = c->models[i];
		bool told = m->argv == NULL;

		for (char **s = seen; s != NULL && *s != NULL && !told; s++)
			told = strcmp(*s, m->argv[0]) == 0;
		if (told || conf_program_there(m->argv[0], m->env))
			continue;
		strv_add(&seen, m->argv[0]);
		models = models_of(c, i, m->argv[0]);
		text = xasprintf("there is no program %s, which %s want%s%s%s", m->argv[0], models,
		    strchr(models, ',') == NULL ? "s" : "", m->kind->install != NULL ? "; to install it: " : "",
		    m->kind->install != NULL ? m->kind->install : "");
		strv_add(&list, text);
		free(models);
		free(text);
	}
	strv_free(&seen);
	return list;
}

static void
put_array(struct jsonw *w, const char *key, char *const *a, char *const *b)
{
	jw_key(w, key);
	jw_arr(w);
	for (; a != NULL && *a != NULL; a++)
		jw_str(w, *a);
	for (; b != NULL && *b != NULL; b++)
		jw_str(w, *b);
	jw_arr_end(w);
}

static void
print_json(const struct conf *c, const struct conf_errors *errs, const char *none)
{
	struct strbuf out = STRBUF_INIT, plan = STRBUF_INIT;
	struct jsonw w = JSONW(&out);
	char **gone = missing(c);

	jw_obj(&w);
	jw_kbool(&w, "ok", c != NULL);
	jw_kstr(&w, "file", c != NULL ? c->path : NULL);
	put_lines(&w, "errors", none != NULL ? none : strbuf_str(&errs->text));
	put_array(&w, "warnings", c != NULL ? c->warnings : NULL, gone);
	put_array(&w, "notes", c != NULL ? c->notes : NULL, NULL);
	if (c != NULL) {
		conf_describe(c, &plan);
		jw_kstr(&w, "plan", strbuf_str(&plan));
		jw_key(&w, "config");
		conf_plan_json(c, &w);
	}
	jw_obj_end(&w);
	puts(strbuf_str(&out));
	strbuf_fini(&out);
	strbuf_fini(&plan);
	strv_free(&gone);
}

static void
print_text(const struct conf *c, const struct conf_errors *errs, const char *none)
{
	struct strbuf plan = STRBUF_INIT;
	char **gone = missing(c);

	if (none != NULL) {
		fprintf(stderr, "mai: %s\n", none);
	} else if (c == NULL) {
		fputs(strbuf_str(&errs->text), stderr);
		fprintf(stderr, "mai: %d error%s\n", errs->n, errs->n == 1 ? "" : "s");
	} else {
		conf_describe(c, &plan);
		conf_describe_list("warning: ", gone, &plan);
		conf_describe_list("note: ", c->notes, &plan);
		fputs(strbuf_str(&plan), stdout);
	}
	strbuf_fini(&plan);
	strv_free(&gone);
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
