/* SPDX-License-Identifier: ISC
 * Two walks over the members of the object: the first finds what a filter speaks of, so that what becomes of it can be
 * judged; the second closes the gaps. Neither builds a tree, and what nobody speaks of is moved at most. */
#include "proxy/proxy_filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/xmalloc.h"
#include "proxy/proxy_model.h"
#include "proxy/proxy_walk.h"

#define NAME_MAX_BYTES 256

/* judging -------------------------------------------------------------------------------------------------------- */

struct op {
	const char *path;	/* borrowed */
	size_t n;
	const char *json;	/* borrowed; NULL: take it out */
	bool soft;		/* only where it is missing */
	size_t target, rest;	/* whose member it is, and where the path goes on; rest == n: that member itself */
};

/* A member of the object that ops speak of. */
struct target {
	char name[NAME_MAX_BYTES];
	size_t nname;
	size_t count, at, len;	/* how often it is there, and its last value */
	bool touched, present;	/* it changes; it is there afterwards */
	struct strbuf text;	/* (owned) its value then */
};

static bool apply(struct strbuf *b, struct op *ops, size_t n, bool inner);

/* The part of the path up to its first dot into the target; returns where it goes on. */
static size_t
first_name(const struct op *op, struct target *t)
{
	size_t i = 0;

	for (t->nname = 0; i < op->n && op->path[i] != '.'; i++) {
		if (op->path[i] == '\\' && i + 1 < op->n)
			i++;
		if (t->nname < sizeof(t->name) - 1)
			t->name[t->nname++] = op->path[i];
	}
	t->name[t->nname] = '\0';
	return i < op->n ? i + 1 : i;
}

static struct target *
targets_of(struct op *ops, size_t n, size_t *ntargets)
{
	struct target *v = xcalloc(n, sizeof(*v));
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		ops[i].rest = first_name(&ops[i], &v[k]);
		for (ops[i].target = 0; strcmp(v[ops[i].target].name, v[k].name) != 0; ops[i].target++)
			;
		k += ops[i].target == k;
	}
	*ntargets = k;
	return v;
}

static struct target *
find(struct target *v, size_t n, const char *key, size_t nkey)
{
	char plain[NAME_MAX_BYTES + 8];

	if (memchr(key, '\\', nkey) != NULL) {
		if (proxy_json_text(key, nkey, plain, sizeof(plain)) < 0)
			return NULL;
		key = plain;
		nkey = strlen(plain);
	}
	for (size_t i = 0; i < n; i++)
		if (v[i].nname == nkey && memcmp(v[i].name, key, nkey) == 0)
			return &v[i];
	return NULL;
}

/* What is not an object cannot hold a member: a scalar gives way to what is set in it, a list stays. */
static bool
inside(struct target *t, const struct op *op)
{
	struct op sub = {.path = op->path + op->rest, .n = op->n - op->rest, .json = op->json, .soft = op->soft};
	char c = t->present ? t->text.p[0] : '\0';

	if (c == '{')
		return apply(&t->text, &sub, 1, true);
	if (c == '[' || op->json == NULL)
		return false;
	strbuf_clear(&t->text);
	strbuf_puts(&t->text, "{}");
	return apply(&t->text, &sub, 1, true);
}

static void
judge(struct target *t, const struct op *op, const char *p)
{
	if (op->rest == op->n) {
		if (op->json != NULL && op->soft && t->present)
			return;
		t->present = op->json != NULL;
		t->touched = true;
		strbuf_clear(&t->text);
		if (op->json != NULL)
			strbuf_puts(&t->text, op->json);
		return;
	}
	if (!t->touched && t->present) {
		strbuf_clear(&t->text);
		strbuf_add(&t->text, p + t->at, t->len);
		/* Readers differ in which of several they see: one is left. */
		t->touched = t->count > 1;
	}
	if (inside(t, op))
		t->present = t->touched = true;
}

/* changing ------------------------------------------------------------------------------------------------------- */

/* What stays, as it is moved together. */
struct kept {
	size_t out;		/* where it ends so far */
	size_t from, to;	/* a member with the blanks around it that comes next; from == to: none */
	bool any;
};

static void
keep(struct kept *k, char *p)
{
	if (k->from == k->to)
		return;
	if (k->any)
		p[k->out++] = ',';
	if (k->out != k->from)
		memmove(p + k->out, p + k->from, k->to - k->from);
	k->out += k->to - k->from;
	k->from = k->to;
	k->any = true;
}

/* Leaves out the members that change. *tail is where the end of the object lies. */
static struct kept
close_gaps(struct strbuf *b, struct target *v, size_t n, size_t *tail)
{
	struct kept k = {0};
	struct proxy_part m;
	struct proxy_walk w;

	(void)proxy_walk_begin(&w, b, false);	/* the first walk has been here */
	k.out = *tail = w.open;
	while (proxy_walk_next(&w, &m) > 0) {
		const struct target *t = find(v, n, w.p + m.key, m.nkey);

		if (k.from != k.to)
			k.to = w.start - 1;	/* up to the comma */
		keep(&k, b->p);
		if (t == NULL || !t->touched) {
			k.from = w.start;
			k.to = m.end;
		}
		*tail = m.end;
	}
	keep(&k, b->p);
	return k;
}

static void
put_in(struct strbuf *b, size_t at, size_t tail, const struct strbuf *add)
{
	size_t max = b->max, ntail = b->len - tail;

	if (at + add->len > tail) {
		b->max = 0;	/* the client's limit is not for what we add */
		strbuf_room(b, at + add->len - tail);
		b->max = max;
	}
	memmove(b->p + at + add->len, b->p + tail, ntail);
	if (add->len != 0)
		memcpy(b->p + at, add->p, add->len);
	b->len = at + add->len + ntail;
	b->p[b->len] = '\0';
}

static void
change(struct strbuf *b, struct target *v, size_t n)
{
	struct strbuf add = STRBUF_INIT;
	size_t tail;
	struct kept k = close_gaps(b, v, n, &tail);
	for (size_t i = 0; i < n; i++) {
		struct jsonw w = JSONW(&add);

		if (!v[i].touched || !v[i].present)
			continue;
		if (k.any)
			strbuf_putc(&add, ',');
		k.any = true;
		jw_strn(&w, v[i].name, v[i].nname);
		strbuf_putc(&add, ':');
		strbuf_add(&add, v[i].text.p, v[i].text.len);
	}
	put_in(b, k.out, tail, &add);
	strbuf_fini(&add);
}

static bool
apply(struct strbuf *b, struct op *ops, size_t n, bool inner)
{
	struct target *v, *t;
	struct proxy_walk w;
	struct proxy_part m;
	size_t ntargets;
	bool touched = false;
	int r;

	if (!proxy_walk_begin(&w, b, inner))
		return false;
	v = targets_of(ops, n, &ntargets);
	while ((r = proxy_walk_next(&w, &m)) > 0) {
		t = find(v, ntargets, w.p + m.key, m.nkey);
		if (t == NULL)
			continue;
		t->count++;
		t->present = true;
		t->at = m.at;
		t->len = m.end - m.at;
	}
	for (size_t i = 0; i < n && r == 0; i++)
		judge(&v[ops[i].target], &ops[i], w.p);
	for (size_t i = 0; i < ntargets; i++)
		touched = touched || (v[i].touched && (v[i].present || v[i].count > 0));
	if (touched)
		change(b, v, ntargets);
	for (size_t i = 0; i < ntargets; i++)
		strbuf_fini(&v[i].text);
	free(v);
	return touched;
}

/* the model's filters -------------------------------------------------------------------------------------------- */

bool
proxy_filter_has(const struct conf_model *m)
{
	return m->strip_params != NULL || m->set_params != NULL || m->set_params_by_id != NULL;
}

static bool
is_name_of(const struct conf_model *m, const char *name)
{
	bool is = strcmp(m->id, name) == 0;

	for (char **a = m->aliases; !is && a != NULL && *a != NULL; a++)
		is = strcmp(*a, name) == 0;
	return is;
}

static void
add_set(struct op *op, const char *name, const char *json)
{
	size_t n = strlen(name);
	bool soft = n > 1 && name[n - 1] == '?';

	*op = (struct op){.path = name, .n = n - soft, .json = json, .soft = soft};
}

bool
proxy_filter_apply(struct strbuf *body, const struct conf_model *m, const char *asked)
{
	size_t n = 0, max = strv_len(m->strip_params) + strv_len(m->set_params) / 2 + strv_len(m->set_params_by_id) / 3;
	struct op *ops = xcalloc(max, sizeof(*ops));
	bool changed;

	if (!is_name_of(m, asked))
		asked = m->id;
	for (char **s = m->strip_params; s != NULL && *s != NULL; s++)
		ops[n++] = (struct op){.path = *s, .n = strlen(*s)};
	for (char **s = m->set_params; s != NULL && *s != NULL; s += 2)
		add_set(&ops[n++], s[0], s[1]);
	for (char **s = m->set_params_by_id; s != NULL && *s != NULL; s += 3)
		if (strcmp(s[0], asked) == 0)
			add_set(&ops[n++], s[1], s[2]);
	changed = n > 0 && apply(body, ops, n, false);
	free(ops);
	return changed;
}
