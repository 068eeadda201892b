/* SPDX-License-Identifier: ISC
 * The plan, for people: what `mai check` prints. Nothing secret is in it. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "base/xmalloc.h"
#include "conf/conf_priv.h"

/* Whether what stands behind the name is to be hidden. */
static bool
is_secret(const char *name, size_t n)
{
	static const char *const words[] = {"key", "token", "secret", "password", "passwd", "credential"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t len = strlen(words[i]);

		/* The word ends the name, as --api-key and HF_TOKEN do; --max-tokens does not. */
		if (n >= len && strncasecmp(name + n - len, words[i], len) == 0)
			return true;
	}
	return false;
}

static void
put_word(struct strbuf *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%${}[]";

	if (*word != '\0' && strspn(word, plain) == strlen(word)) {
		strbuf_puts(out, word);
		return;
	}
	strbuf_putc(out, '\'');
	for (; *word != '\0'; word++) {
		if (*word == '\'')
			strbuf_puts(out, "'\\''");
		else
			strbuf_putc(out, *word);
	}
	strbuf_putc(out, '\'');
}

static void
put_command(struct strbuf *out, char *const *argv)
{
	bool hide = false;

	for (char *const *w = argv; *w != NULL; w++) {
		size_t n = strcspn(*w, "=");

		strbuf_puts(out, w == argv ? "" : " ");
		if (hide) {
			strbuf_puts(out, "****");
			hide = false;
		} else if ((*w)[n] == '=' && is_secret(*w, n)) {
			strbuf_add(out, *w, n);
			strbuf_puts(out, "=****");
		} else {
			put_word(out, *w);
			hide = (*w)[0] == '-' && is_secret(*w, strlen(*w));
		}
	}
}

static void
put_env(struct strbuf *out, char *const *env)
{
	for (; env != NULL && *env != NULL; env++) {
		size_t n = strcspn(*env, "=");

		strbuf_puts(out, "    env       ");
		if (is_secret(*env, n)) {
			strbuf_add(out, *env, n);
			strbuf_puts(out, "=****");
		} else {
			strbuf_puts(out, *env);
		}
		strbuf_putc(out, '\n');
	}
}

static void
put_list(struct strbuf *out, const char *label, char *const *list)
{
	if (list == NULL || *list == NULL)
		return;
	strbuf_printf(out, "    %-10s", label);
	for (char *const *s = list; *s != NULL; s++)
		strbuf_printf(out, "%s%s", s == list ? "" : ", ", *s);
	strbuf_putc(out, '\n');
}

static void
put_address(struct strbuf *out, const struct conf_model *m)
{
	bool v6 = strchr(m->proxy_host, ':') != NULL;

	if (m->proxy_url != NULL) {
		strbuf_puts(out, m->proxy_url);
	} else {
		strbuf_printf(out, v6 ? "http://[%s]" : "http://%s", m->proxy_host);
		if (m->port == 0)
			strbuf_puts(out, ", a port picked for each start");
		else
			strbuf_printf(out, ":%d%s", m->port, m->port_preferred ? " if free" : "");
	}
	if (m->external)
		strbuf_puts(out, " (external)");
}

static void
put_model(struct strbuf *out, const struct conf *c, const struct conf_model *m)
{
	bool is_default = c->default_model != NULL && strcmp(c->default_model, m->id) == 0;
	char ttl[32];

	strbuf_printf(out, "  %s (%s)%s%s\n", m->id, m->proxy_url != NULL ? "remote" : m->kind->label,
	    is_default ? ", default" : "", m->pin ? ", pinned" : "");
	if (m->argv != NULL) {
		char **argv = conf_argv(m->argv, m->port_preferred ? 0 : m->port, 0, m->id);

		strbuf_puts(out, "    command   ");
		put_command(out, argv);
		strbuf_putc(out, '\n');
		strv_free(&argv);
	}
	if (m->cmd_stop != NULL) {
		strbuf_puts(out, "    stop      ");
		put_command(out, m->cmd_stop);
		strbuf_putc(out, '\n');
	}
	put_env(out, m->env);
	strbuf_puts(out, "    address   ");
	put_address(out, m);
	strbuf_printf(out, "\n    ready     %s%s%s%s\n", m->check_path != NULL ? "GET " : "when the port is open",
	    m->check_path != NULL ? m->check_path : "", m->check_path != NULL ? " is 200" : "",
	    m->canary ? ", then one token is generated" : "");
	if (m->upstream_model != NULL)
		strbuf_printf(out, "    upstream  %s\n", m->upstream_model);
	put_list(out, "aliases", m->aliases);
	put_list(out, "paths", m->extra_paths);
	if (m->ttl > 0) {
		text_duration(ttl, sizeof(ttl), m->ttl, false);
		strbuf_printf(out, "    unload    after %s without a request\n", ttl);
	}
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
conf_describe(const struct conf *c, struct strbuf *out)
{
	static const char *const routes[] = {"swap", "loaded", "reject"};
	size_t infer = 0;

	strbuf_printf(out, "source      %s\n", c->source == CONF_FILE ? c->path :
	    c->source == CONF_ENV ? "MLX_* variables" : "the model given");
	put_listeners(out, c);
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
	strbuf_printf(out, "models      %zu, %d loaded at once\n", c->nmodels, c->max_loaded);
	for (size_t i = 0; i < c->nmodels; i++)
		put_model(out, c, c->models[i]);
	for (char *const *w = c->warnings; w != NULL && *w != NULL; w++)
		strbuf_printf(out, "warning: %s\n", *w);
}
