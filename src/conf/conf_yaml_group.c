/* SPDX-License-Identifier: ISC
 * mai.yaml: groups, which mai does not have, as what it has: pinned models, and the number of models loaded at once. What
 * these cannot say is a warning that names the group. */
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "conf/conf_yaml.h"

#define LOADED_MAX 64	/* as of maxLoaded */

struct group {
	char *what;		/* (owned) how messages name it */
	yaml_node_t *at;
	bool swap;		/* its members take turns */
	bool exclusive;		/* it unloads the others */
	bool persistent;	/* the others do not unload it */
	size_t n;		/* members that have an engine here */
};

struct groups {
	struct reader *r;
	struct group *v;	/* (owned) the last one: models in no group */
	size_t n;
	struct group **of;	/* (owned) of each model, in the order of the configuration */
};

static void
read_members(struct groups *gs, struct group *g, yaml_node_t *n)
{
	struct reader *r = gs->r;
	yaml_node_t **items;
	size_t count;

	items = conf_node_items(r, n, "members", &count);
	for (size_t i = 0; i < count; i++) {
		char *name = conf_node_expand(r, items[i], "members", false, NULL);
		const struct conf_model *m = name == NULL ? NULL : conf_find(r->c, name);
		size_t k = 0;

		if (name != NULL && m == NULL)
			conf_unknown_model(r, items[i], g->what, name);
		free(name);
		if (m == NULL)
			continue;
		while (r->c->models[k] != m)
			k++;
		if (gs->of[k] != NULL) {
			conf_node_fail(r, items[i], "%s: '%s' is already a member of %s", g->what, m->id,
			    gs->of[k]->what);
			continue;
		}
		gs->of[k] = g;
		g->n += m->proxy_url == NULL;
	}
	free(items);
}

static void
read_flag(struct reader *r, const char *key, yaml_node_t *n, bool *to)
{
	const char *s = conf_node_text(r, n, key);
	int v = s == NULL ? 0 : conf_truth(s);

	if (v < 0)
		conf_node_fail(r, n, "%s: expected true or false, got '%s'", key, s);
	else if (s != NULL)
		*to = v == 1;
}

static void
read_group(struct groups *gs, const struct pair *p, struct group *g)
{
	static const char *const keys[] = {"swap", "exclusive", "persistent", "members"};
	struct pair *pairs;
	size_t count;

	g->at = p->key;
	g->what = xasprintf("group '%.100s'", (const char *)p->key->data.scalar.value);
	pairs = conf_node_pairs(gs->r, p->value, g->what, &count);
	for (size_t i = 0; i < count; i++) {
		const char *key = (const char *)pairs[i].key->data.scalar.value;

		if (conf_node_is_null(pairs[i].value))
			continue;
		if (strcmp(key, "members") == 0)
			read_members(gs, g, pairs[i].value);
		else if (strcmp(key, "swap") == 0)
			read_flag(gs->r, key, pairs[i].value, &g->swap);
		else if (strcmp(key, "exclusive") == 0)
			read_flag(gs->r, key, pairs[i].value, &g->exclusive);
		else if (strcmp(key, "persistent") == 0)
			read_flag(gs->r, key, pairs[i].value, &g->persistent);
		else
			conf_unknown_key(gs->r, pairs[i].key, g->what, keys, ARRAY_LEN(keys));
	}
	free(pairs);
}

static void
read_all(struct groups *gs)
{
	struct conf *c = gs->r->c;
	struct pair *pairs;
	size_t count;

	pairs = conf_node_pairs(gs->r, gs->r->groups, "groups", &count);
	gs->n = count + 1;
	gs->v = xcalloc(gs->n, sizeof(*gs->v));
	gs->of = xcalloc(c->nmodels + 1, sizeof(*gs->of));
	for (size_t i = 0; i < gs->n; i++)
		gs->v[i] = (struct group){.swap = true, .exclusive = true};
	for (size_t i = 0; i < count; i++)
		read_group(gs, &pairs[i], &gs->v[i]);
	gs->v[count].what = xstrdup("models in no group");
	gs->v[count].at = gs->r->groups;
	for (size_t i = 0; i < c->nmodels; i++)
		if (gs->of[i] == NULL) {
			gs->of[i] = &gs->v[count];
			gs->v[count].n += c->models[i]->proxy_url == NULL;
		}
	free(pairs);
}

/* How many of its members are loaded at once there. */
static size_t
room(const struct group *g)
{
	return g->swap && g->n > 1 ? 1 : g->n;
}

/* Its members stay for good: not those that take turns, of which then all would have to fit. */
static bool
is_pinned(const struct group *g)
{
	return g->persistent && (!g->swap || g->n == 1);
}

static size_t
loaded_at_once(const struct groups *gs)
{
	size_t sum = 0, most = 0;

	for (size_t i = 0; i < gs->n; i++) {
		const struct group *g = &gs->v[i];

		if (!g->exclusive || g->persistent)
			sum += room(g);
		else if (room(g) > most)
			most = room(g);
	}
	return sum + most > 0 ? sum + most : 1;
}

/* Whether it would unload others there. */
static bool
unloads_others(const struct groups *gs, const struct group *g)
{
	for (size_t i = 0; i < gs->n; i++)
		if (g->exclusive && &gs->v[i] != g && gs->v[i].n > 0 && !gs->v[i].persistent)
			return true;
	return false;
}

static void
warn_of(const struct groups *gs, const struct group *g)
{
	struct conf *c = gs->r->c;
	struct conf_place at = conf_node_place(gs->r, g->at);
	size_t most = (size_t)c->max_loaded;

	if (g->n == 0) {
		if (g != &gs->v[gs->n - 1])
			conf_warn(c, at, "%s has no members with an engine: ignored", g->what);
		return;
	}
	if (g->persistent && !is_pinned(g))
		conf_warn(c, at, "%s: its members take turns (swap), so they are not pinned; other models may unload "
		    "them", g->what);
	if (g->swap && g->n > 1 && most > 1)
		conf_warn(c, at, "%s: swap lets one member be loaded; here as many as maxLoaded (%zu) has room for",
		    g->what, most);
	if (unloads_others(gs, g) && most > room(g))
		conf_warn(c, at, "%s: exclusive unloads all others; here they stay while maxLoaded (%zu) has room",
		    g->what, most);
	if (room(g) > most)
		conf_warn(c, at, "%s: its %zu members are to be loaded together, but maxLoaded is %zu: the one unused "
		    "longest goes", g->what, g->n, most);
}

void
conf_settle_groups(struct reader *r)
{
	struct groups gs = {.r = r};
	struct conf *c = r->c;
	size_t most;

	if (conf_node_is_null(r->groups))
		return;
	read_all(&gs);
	for (size_t i = 0; i < c->nmodels; i++)
		c->models[i]->pin = c->models[i]->pin || is_pinned(gs.of[i]);
	most = loaded_at_once(&gs);
	if (c->max_from == MAX_FROM_DEFAULT) {
		c->max_loaded = most < LOADED_MAX ? (int)most : LOADED_MAX;
		c->max_from = MAX_FROM_GROUPS;
	}
	for (size_t i = 0; i < gs.n; i++) {
		warn_of(&gs, &gs.v[i]);
		free(gs.v[i].what);
	}
	free(gs.v);
	free(gs.of);
}
