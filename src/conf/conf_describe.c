/* SPDX-License-Identifier: ISC
 * The plan, for people: what `mai check` prints. Nothing secret is in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/xmalloc.h"
#include "conf/conf_plan.h"

#define WIDTH 80
#define INDENT_TOP 12	/* of what stands behind a label */
#define INDENT 14	/* and behind one of a model */

/* Words behind a label, on as many lines as they need; glue ends each line but the last. */
struct para {
	struct strbuf *out;
	const char *glue;
	int indent, col;
	bool any;
};

static void
para_begin(struct para *p, struct strbuf *out, const char *label, int indent, const char *glue)
{
	*p = (struct para){.out = out, .glue = glue, .indent = indent, .col = text_width(label)};
	strbuf_puts(out, label);
	for (; p->col < indent; p->col++)
		strbuf_putc(out, ' ');
}

static void
para_word(struct para *p, const char *word)
{
	int w = text_width(word);

	if (p->any && p->col + 1 + w + (int)strlen(p->glue) > WIDTH) {
		strbuf_puts(p->out, p->glue);
		strbuf_printf(p->out, "\n%*s", p->indent, "");
		p->col = p->indent;
	} else if (p->any) {
		strbuf_putc(p->out, ' ');
		p->col++;
	}
	strbuf_puts(p->out, word);
	p->col += w;
	p->any = true;
}

/* Text is divided at its blanks. */
static void
para_text(struct para *p, const char *text)
{
	while (*text != '\0') {
		size_t n = strcspn(text, " ");
		char *word = xstrndup(text, n);

		if (n > 0)
			para_word(p, word);
		free(word);
		text += n + (text[n] == ' ');
	}
}

static void
para_end(struct para *p)
{
	strbuf_putc(p->out, '\n');
}

static void
put_words(struct strbuf *out, const char *label, char *const *words, const char *glue)
{
	struct para p;

	if (words == NULL || *words == NULL)
		return;
	para_begin(&p, out, label, *label == ' ' ? INDENT : INDENT_TOP, glue);
	for (; *words != NULL; words++)
		para_word(&p, *words);
	para_end(&p);
}

/* An option and its value stay on one line. */
static void
put_command(struct strbuf *out, const char *label, char *const *argv)
{
	char **words = conf_plan_words(argv), **lines = NULL, *both;

	for (char **w = words; w != NULL && *w != NULL; w++) {
		if ((*w)[0] != '-' || w[1] == NULL || w[1][0] == '-' || strlen(*w) + strlen(w[1]) > WIDTH - INDENT - 3) {
			strv_add(&lines, *w);
			continue;
		}
		both = xasprintf("%s %s", w[0], w[1]);
		strv_add(&lines, both);
		free(both);
		w++;
	}
	put_words(out, label, lines, " \\");
	strv_free(&words);
	strv_free(&lines);
}

static void
put_list(struct strbuf *out, const char *label, char *const *list)
{
	char **words = NULL, *word;

	for (; list != NULL && *list != NULL; list++) {
		word = xasprintf("%s%s", *list, list[1] != NULL ? "," : "");
		strv_add(&words, word);
		free(word);
	}
	put_words(out, label, words, "");
	strv_free(&words);
}

/* name=JSON, ...; step: how many strings there are for each, the last two of them name and JSON; id: those of it only. */
static void
put_set(struct strbuf *out, char *const *set, size_t step, const char *id)
{
	char **words = NULL, *word, *value;

	if (id != NULL) {
		word = xasprintf("for %s:", id);
		strv_add(&words, word);
		free(word);
	}
	for (; set != NULL && *set != NULL; set += step) {
		if (id != NULL && strcmp(*set, id) != 0)
			continue;
		value = conf_plan_value(set[step - 2], set[step - 1]);
		word = xasprintf("%s=%s", set[step - 2], value);
		strv_add(&words, word);
		free(word);
		free(value);
	}
	put_words(out, "    set", words, "");
	strv_free(&words);
}

static void
put_filters(struct strbuf *out, const struct conf_model *m)
{
	const char *last = NULL;

	put_list(out, "    strip", m->strip_params);
	put_set(out, m->set_params, 2, NULL);
	for (char **s = m->set_params_by_id; s != NULL && *s != NULL; s += 3)
		if (last == NULL || strcmp(last, *s) != 0)
			put_set(out, m->set_params_by_id, 3, last = *s);
}

static void
put_limits(struct strbuf *out, const struct conf_model *m)
{
	char text[32];

	if (m->memory > 0) {
		text_size(text, sizeof(text), m->memory);
		strbuf_printf(out, "    memory    %s\n", text);
	}
	if (m->concurrency_limit > 0)
		strbuf_printf(out, "    at once   %d requests, more wait\n", m->concurrency_limit);
	if (m->first_byte_timeout > 0) {
		text_duration(text, sizeof(text), m->first_byte_timeout, true);
		strbuf_printf(out, "    answer    begins within %s\n", text);
	}
	if (m->ttl > 0) {
		text_duration(text, sizeof(text), m->ttl, false);
		strbuf_printf(out, "    unload    after %s without a request\n", text);
	}
}

static void
put_model(struct strbuf *out, const struct conf *c, const struct conf_model *m)
{
	bool is_default = c->default_model != NULL && strcmp(c->default_model, m->id) == 0;
	char *address = conf_plan_address(m), *ready = conf_plan_ready(m), **env = conf_plan_env(m);

	strbuf_printf(out, "  %s (%s)%s%s%s\n", m->id, m->proxy_url != NULL ? "remote" : m->kind->label,
	    is_default ? ", default" : "", m->pin ? ", pinned" : "", m->unlisted ? ", unlisted" : "");
	if (m->argv != NULL) {
		char **argv = conf_argv(m->argv, m->port_preferred ? 0 : m->port, 0, m->id);

		put_command(out, "    command", argv);
		strv_free(&argv);
	}
	if (m->cmd_stop != NULL) {
		char **stop = conf_argv(m->cmd_stop, 0, 0, m->id);

		put_command(out, "    stop", stop);
		strv_free(&stop);
	}
	for (char **e = env; e != NULL && *e != NULL; e++)
		strbuf_printf(out, "    env       %s\n", *e);
	strbuf_printf(out, "    address   %s\n    ready     %s\n", address, ready);
	if (m->upstream_model != NULL)
		strbuf_printf(out, "    upstream  %s\n", m->upstream_model);
	put_list(out, "    aliases", m->aliases);
	put_list(out, "    paths", m->extra_paths);
	put_filters(out, m);
	put_limits(out, m);
	strv_free(&env);
	free(address);
	free(ready);
}

static void
put_listeners(struct strbuf *out, const struct conf *c)
{
	for (size_t i = 0; i < c->nlisten; i++) {
		const struct conf_listen *l = &c->listen[i];

		if (l->path != NULL)
			strbuf_printf(out, "listen      unix:%s\n", l->path);
		else
			strbuf_printf(out, strchr(l->host, ':') != NULL ? "listen      http://[%s]:%d\n" :
			    "listen      http://%s:%d\n", l->host, l->port);
	}
}

void
conf_describe_list(const char *label, char *const *list, struct strbuf *out)
{
	struct para p;

	for (; list != NULL && *list != NULL; list++) {
		para_begin(&p, out, label, text_width(label), "");
		para_text(&p, *list);
		para_end(&p);
	}
}

static void
put_globals(struct strbuf *out, const struct conf *c)
{
	static const char *const routes[] = {"swap", "loaded", "reject"};
	static const char *const from[] = {"", " (maxLoaded)", " (by groups)"};
	size_t infer = 0;
	char budget[16];

	for (size_t i = 0; i < c->nkeys; i++)
		infer += c->keys[i].scope == SCOPE_INFER;
	if (c->nkeys > 0)
		strbuf_printf(out, "keys        %zu, of them %zu for inference only\n", c->nkeys, infer);
	else
		strbuf_puts(out, "keys        none: whoever reaches a listener may use it\n");
	strbuf_printf(out, "route       %s\n", routes[c->route]);
	if (c->fallback_model != NULL)
		strbuf_printf(out, "fallback    %s\n", c->fallback_model);
	if (c->model_directory != NULL)
		strbuf_printf(out, "directory   %s\n", c->model_directory);
	if (c->memory_budget > 0) {
		text_size(budget, sizeof(budget), c->memory_budget);
		strbuf_printf(out, "memory      %s for all models together\n", budget);
	}
	put_list(out, "preload", c->preload);
	strbuf_printf(out, "models      %zu, %d loaded at once%s\n", c->nmodels, c->max_loaded, from[c->max_from]);
}

void
conf_describe(const struct conf *c, struct strbuf *out)
{
	strbuf_printf(out, "source      %s\n", c->source == CONF_FILE ? c->path :
	    c->source == CONF_ENV ? "MLX_* variables" : "the model given");
	put_listeners(out, c);
	put_globals(out, c);
	for (size_t i = 0; i < c->nmodels; i++)
		put_model(out, c, c->models[i]);
	conf_describe_list("warning: ", c->warnings, out);
}
