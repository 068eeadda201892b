/* SPDX-License-Identifier: ISC
 * metadata and filters: YAML as JSON. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/xmalloc.h"
#include "conf/conf_yaml.h"

#define JSON_MAX (64 * 1024)
#define DEPTH_MAX 12
#define NODES_MAX 20000	/* aliases of aliases: small to write, endless to walk */

struct work {
	struct reader *r;
	struct jsonw w;
	const char *what;
	bool *port;
	int nodes;
	bool failed;
};

/* 0x1f and 0o17, in decimal. */
static bool
put_based(struct strbuf *out, const char *s)
{
	bool hex = strncmp(s, "0x", 2) == 0;
	unsigned long long v;
	char *end;

	if (!hex && strncmp(s, "0o", 2) != 0)
		return false;
	s += 2;
	if (*s == '\0' || strspn(s, hex ? "0123456789abcdefABCDEF" : "01234567") != strlen(s))
		return false;
	errno = 0;
	v = strtoull(s, &end, hex ? 16 : 8);
	if (errno != 0)
		return false;
	strbuf_num(out, v);
	return true;
}

/* The numbers of YAML's core schema, written as JSON wants them. 007 is none: what it means is not agreed on. */
static bool
put_number(struct strbuf *out, const char *s)
{
	const char *whole, *part = "", *exp = "";
	size_t nwhole, npart = 0, nexp = 0;

	if (put_based(out, s))
		return true;
	if (*s == '-')
		strbuf_putc(out, '-');
	s += *s == '-' || *s == '+';
	whole = s;
	nwhole = strspn(s, "0123456789");
	s += nwhole;
	if (*s == '.') {
		part = ++s;
		npart = strspn(s, "0123456789");
		s += npart;
	}
	if (nwhole + npart > 0 && (*s == 'e' || *s == 'E')) {
		exp = s++;
		s += *s == '-' || *s == '+';
		nexp = strspn(s, "0123456789") == 0 ? 0 : (size_t)(s - exp) + strspn(s, "0123456789");
		s = exp + nexp;
	}
	if (*s != '\0' || nwhole + npart == 0 || (nwhole > 1 && *whole == '0'))
		return false;
	strbuf_add(out, nwhole > 0 ? whole : "0", nwhole > 0 ? nwhole : 1);
	if (npart > 0) {
		strbuf_putc(out, '.');
		strbuf_add(out, part, npart);
	}
	strbuf_add(out, exp, nexp);
	return true;
}

static int
truth(const char *s)
{
	static const char *const words[] = {"false", "true", "False", "True", "FALSE", "TRUE"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(s, words[i]) == 0)
			return (int)(i & 1);
	return -1;
}

static void
scalar(struct work *j, yaml_node_t *n)
{
	const struct expand x = {.macros = j->r->scope, .port_stays = j->port,
	    .model_id = j->r->model == NULL ? NULL : j->r->model->id};
	struct strbuf number = STRBUF_INIT;
	const char *text;
	struct err e = {""};
	char *s = NULL;
	bool typed;

	if (conf_node_is_null(n)) {
		jw_null(&j->w);
		return;
	}
	text = conf_node_text(j->r, n, j->what);
	if (text != NULL)
		s = conf_macro_expand(&x, text, &e);
	if (s == NULL) {
		if (text != NULL)
			conf_node_fail(j->r, n, "%s: %s", j->what, e.msg);
		j->failed = true;
		return;
	}
	typed = conf_macro_typed(j->r->scope, text, n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE);
	if (strcmp(s, "${PORT}") == 0)
		jw_null(&j->w);
	else if (typed && put_number(&number, s))
		jw_raw(&j->w, strbuf_str(&number));
	else if (typed && truth(s) >= 0)
		jw_bool(&j->w, truth(s) == 1);
	else
		jw_str(&j->w, s);
	strbuf_fini(&number);
	free(s);
}

static void
value(struct work *j, yaml_node_t *n, int depth)
{
	struct pair *pairs;
	size_t count = 0;

	if (j->failed)
		return;
	if (depth > DEPTH_MAX || ++j->nodes > NODES_MAX || j->w.b->full) {
		conf_node_fail(j->r, n, "%s: too large or nested too deep", j->what);
		j->failed = true;
	} else if (n->type == YAML_SCALAR_NODE) {
		scalar(j, n);
	} else if (n->type == YAML_SEQUENCE_NODE) {
		jw_arr(&j->w);
		for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top; i++)
			value(j, yaml_document_get_node(j->r->doc, *i), depth + 1);
		jw_arr_end(&j->w);
	} else {
		int before = j->r->errs->n;

		pairs = conf_node_pairs(j->r, n, j->what, &count);
		j->failed = j->r->errs->n > before;
		jw_obj(&j->w);
		for (size_t i = 0; i < count && !j->failed; i++) {
			jw_key(&j->w, (const char *)pairs[i].key->data.scalar.value);
			value(j, pairs[i].value, depth + 1);
		}
		jw_obj_end(&j->w);
		free(pairs);
	}
}

char *
conf_value_json(struct reader *r, yaml_node_t *n, const char *what, bool *port)
{
	struct strbuf out = {.max = JSON_MAX};
	struct work j = {.r = r, .w = JSONW(&out), .what = what, .port = port};

	value(&j, n, 1);
	if (!j.failed && out.full)
		conf_node_fail(r, n, "%s: larger than %d bytes", what, JSON_MAX);
	if (j.failed || out.full) {
		strbuf_fini(&out);
		return NULL;
	}
	return strbuf_take(&out);
}

void
conf_read_metadata(struct reader *r, yaml_node_t *n)
{
	bool port = false;

	if (n->type != YAML_MAPPING_NODE) {
		conf_node_fail(r, n, "metadata: expected a mapping (key: value)");
		return;
	}
	free(r->model->metadata);
	r->model->metadata = conf_value_json(r, n, "metadata", &port);
	if (port)
		conf_warn(r->c, conf_node_place(r, n), "metadata: ${PORT} is known only when an engine starts: left out");
}
