/* SPDX-License-Identifier: ISC
 * metadata: YAML as JSON. */
#include <ctype.h>
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
	int nodes;
	bool failed;
};

/* JSON's own grammar: what YAML calls a number besides (0x10, .5, 1_000) is text. */
static bool
is_number(const char *s)
{
	s += *s == '-';
	if (!isdigit((unsigned char)*s) || (s[0] == '0' && isdigit((unsigned char)s[1])))
		return false;
	s += strspn(s, "0123456789");
	if (*s == '.') {
		if (!isdigit((unsigned char)*++s))
			return false;
		s += strspn(s, "0123456789");
	}
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '-' || *s == '+';
		if (!isdigit((unsigned char)*s))
			return false;
		s += strspn(s, "0123456789");
	}
	return *s == '\0';
}

static void
scalar(struct work *j, yaml_node_t *n)
{
	bool plain = n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	char *s;

	if (conf_node_is_null(n)) {
		jw_null(&j->w);
		return;
	}
	s = conf_node_expand(j->r, n, "metadata", false, NULL);
	if (s == NULL) {
		j->failed = true;
		return;
	}
	if (plain && is_number(s))
		jw_raw(&j->w, s);
	else if (plain && (strcmp(s, "true") == 0 || strcmp(s, "false") == 0))
		jw_bool(&j->w, *s == 't');
	else
		jw_str(&j->w, s);
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
		conf_node_fail(j->r, n, "metadata: too large or nested too deep");
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

		pairs = conf_node_pairs(j->r, n, "metadata", &count);
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
conf_value_json(struct reader *r, yaml_node_t *n)
{
	struct strbuf out = {.max = JSON_MAX};
	struct work j = {.r = r, .w = JSONW(&out)};

	if (n->type != YAML_MAPPING_NODE) {
		conf_node_fail(r, n, "metadata: expected a mapping (key: value)");
		return NULL;
	}
	value(&j, n, 1);
	if (!j.failed && out.full)
		conf_node_fail(r, n, "metadata: larger than %d bytes", JSON_MAX);
	if (j.failed || out.full) {
		strbuf_fini(&out);
		return NULL;
	}
	return strbuf_take(&out);
}
