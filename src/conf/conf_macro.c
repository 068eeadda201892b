/* SPDX-License-Identifier: ISC
 * ${name}: macros, environment variables, and the variables that wait until an engine is started. */
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "conf/conf_yaml.h"

#define TEXT_MAX (64 * 1024)
#define DEPTH_MAX 64
#define STEPS_MAX 10000	/* macros that double each other would go on for ages without growing */

struct work {
	const struct expand *x;
	struct strbuf out;
	int steps, depth;
	struct err *e;
};

void
conf_macros_fini(struct macros *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->v[i].name);
		free(m->v[i].value);
	}
	free(m->v);
	m->v = NULL;
	m->n = 0;
}

static struct macro *
find(const struct macros *m, const char *name)
{
	for (; m != NULL; m = m->outer)
		for (size_t i = 0; i < m->n; i++)
			if (strcmp(m->v[i].name, name) == 0)
				return &m->v[i];
	return NULL;
}

static int
unknown(const struct macros *m, const char *name, struct err *e)
{
	const char *names[256] = {"PORT", "PID", "MODEL_ID"}, *near;
	size_t n = 3;

	for (; m != NULL; m = m->outer)
		for (size_t i = 0; i < m->n && n < ARRAY_LEN(names); i++)
			names[n++] = m->v[i].name;
	if (strncmp(name, "env:", 4) == 0 || strncmp(name, "ENV.", 4) == 0)
		return err_set(e, "unknown macro ${%s}; did you mean ${env.%s}?", name, name + 4);
	near = conf_nearest(name, names, n);
	if (near == NULL && getenv(name) != NULL)
		return err_set(e, "unknown macro ${%s}; did you mean ${env.%s}?", name, name);
	return err_set(e, "unknown macro ${%s}%s%s%s", name, near == NULL ? "" : "; did you mean ${",
	    near == NULL ? "" : near, near == NULL ? "" : "}?");
}

static int
put_env(struct work *w, const char *name)
{
	const char *value = getenv(name);

	if (value == NULL)
		return err_set(w->e, "${env.%s}: no such environment variable", name);
	strbuf_puts(&w->out, value);
	if (w->x->env_used != NULL)
		strv_add(w->x->env_used, name);
	return 0;
}

static int text(struct work *w, const char *p);

static int
put(struct work *w, const char *name)
{
	struct macro *m;
	int rc;

	if (++w->steps > STEPS_MAX)
		return err_set(w->e, "the macros expand to more than %d pieces", STEPS_MAX);
	if (strncmp(name, "env.", 4) == 0)
		return put_env(w, name + 4);
	if (strcmp(name, "MODEL_ID") == 0 && w->x->model_id != NULL && !w->x->late) {
		strbuf_puts(&w->out, w->x->model_id);
		return 0;
	}
	if (strcmp(name, "PORT") == 0 && w->x->port_stays != NULL) {
		*w->x->port_stays = true;
		strbuf_puts(&w->out, "${PORT}");
		return 0;
	}
	if (strcmp(name, "PORT") == 0 || strcmp(name, "PID") == 0 || strcmp(name, "MODEL_ID") == 0) {
		if (!w->x->late)
			return err_set(w->e, "${%s} has no meaning here", name);
		strbuf_printf(&w->out, "${%s}", name);
		return 0;
	}
	m = find(w->x->macros, name);
	if (m == NULL)
		return unknown(w->x->macros, name, w->e);
	if (m->active)
		return err_set(w->e, "macro ${%s} contains itself", name);
	if (w->depth >= DEPTH_MAX)
		return err_set(w->e, "macros are nested more than %d deep", DEPTH_MAX);
	w->depth++;
	m->active = true;
	rc = text(w, m->value);
	m->active = false;
	w->depth--;
	return rc;
}

static int
text(struct work *w, const char *p)
{
	char name[128];

	while (*p != '\0') {
		const char *end = p[0] == '$' && p[1] == '{' ? strchr(p, '}') : NULL;
		size_t n = end == NULL ? strcspn(p + 1, "$") + 1 : (size_t)(end - p - 2);

		if (end == NULL) {
			strbuf_add(&w->out, p, n);
			p += n;
		} else {
			if (n >= sizeof(name))
				return err_set(w->e, "a macro's name is longer than %zu bytes", sizeof(name) - 1);
			memcpy(name, p + 2, n);
			name[n] = '\0';
			if (put(w, name) < 0)
				return -1;
			p = end + 1;
		}
		if (w->out.full)
			return err_set(w->e, "the text is longer than %d bytes", TEXT_MAX);
	}
	return 0;
}

char *
conf_macro_expand(const struct expand *x, const char *s, struct err *e)
{
	struct work w = {.x = x, .out = {.max = TEXT_MAX}, .e = e};

	if (text(&w, s) < 0) {
		strbuf_fini(&w.out);
		return NULL;
	}
	return strbuf_take(&w.out);
}

/* The macro of which the text is nothing but the name; NULL. */
static const struct macro *
alone(const struct macros *m, const char *s)
{
	size_t n = strlen(s);
	char name[128];

	if (n < 4 || n >= sizeof(name) || strncmp(s, "${", 2) != 0 || strchr(s, '}') != s + n - 1)
		return NULL;
	memcpy(name, s + 2, n - 3);
	name[n - 3] = '\0';
	return find(m, name);
}

bool
conf_macro_typed(const struct macros *m, const char *s, bool plain)
{
	const struct macro *one;

	for (int depth = 0; depth < DEPTH_MAX && (one = alone(m, s)) != NULL; depth++) {
		s = one->value;
		plain = one->plain;
	}
	/* Variables of the environment stand for what they hold. */
	for (const char *p = s; plain && (p = strstr(p, "${")) != NULL; p += 2)
		plain = strncmp(p, "${env.", 6) == 0;
	return plain;
}
