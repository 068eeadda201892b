/* SPDX-License-Identifier: ISC
 * The table of keys, and what is asked of it. */
#include <string.h>

#include "base/text.h"
#include "conf/conf_yaml.h"

#define NONE KEY_IN_NONE, 0
#define G(m) KEY_IN_CONF, offsetof(struct conf, m)
#define M(m) KEY_IN_MODEL, offsetof(struct conf_model, m)
#define BASE(m) KEY_IN_BASE, offsetof(struct conf_model, m)
#define S(m) KEY_IN_TEXTS, offsetof(struct texts, m)
#define CONF_KEY(where, ...) CONF_KEY_(where, __VA_ARGS__)
#define CONF_KEY_(where, key, type, ...) {KEY_##where, key, KEY_##type, __VA_ARGS__, KEY_##type == KEY_LATER},

const struct keydef conf_keys[] = {
#include "conf/conf_keys.def"
};
const size_t conf_nkeys = ARRAY_LEN(conf_keys);

static bool
on_level(const struct keydef *k, enum key_where level)
{
	return k->where == level || (k->where == KEY_BOTH && (level == KEY_GLOBAL || level == KEY_MODEL));
}

const struct keydef *
conf_key_find(enum key_where level, const char *key)
{
	for (size_t i = 0; i < conf_nkeys; i++)
		if (on_level(&conf_keys[i], level) && strcmp(conf_keys[i].key, key) == 0)
			return &conf_keys[i];
	return NULL;
}

const char *
conf_key_nearest(enum key_where level, const char *key)
{
	const char *names[ARRAY_LEN(conf_keys)];
	size_t n = 0;

	for (size_t i = 0; i < conf_nkeys; i++)
		if (on_level(&conf_keys[i], level) && conf_keys[i].type != KEY_FOREIGN)
			names[n++] = conf_keys[i].key;
	return conf_nearest(key, names, n);
}

/* As mandoc wants its text: short lines, each sentence on one of its own, none that begins like a request. */
static void
put_text(struct strbuf *out, const char *text)
{
	size_t col = 0;

	while (*text != '\0') {
		size_t n = strcspn(text, " ");

		if (col > 0 && (col + 1 + n > 78 || text[-2] == '.')) {
			strbuf_putc(out, '\n');
			col = 0;
		}
		if (col > 0)
			strbuf_putc(out, ' ');
		else if (*text == '.' || *text == '\'')
			strbuf_puts(out, "\\&");
		strbuf_add(out, text, n);
		col += n + (col > 0);
		text += n + strspn(text + n, " ");
	}
	strbuf_putc(out, '\n');
}

void
conf_keys_mdoc(enum key_where where, struct strbuf *out)
{
	for (size_t i = 0; i < conf_nkeys; i++) {
		const struct keydef *k = &conf_keys[i];

		if (k->where != where || k->type == KEY_FOREIGN)
			continue;
		strbuf_printf(out, ".It Ic %s\n", k->key);
		put_text(out, k->doc);
		if (k->words != NULL) {
			strbuf_puts(out, "One of\n.Cm ");
			strbuf_puts(out, k->words);
			strbuf_puts(out, " .\n");
		}
		strbuf_printf(out, "Default: %s.\n", k->def);
		if (k->unused)
			strbuf_puts(out, "Not used yet.\n");
	}
}

void
conf_keys_foreign_mdoc(struct strbuf *out)
{
	for (size_t i = 0; i < conf_nkeys; i++)
		if (conf_keys[i].type == KEY_FOREIGN) {
			strbuf_printf(out, ".It Ic %s\n", conf_keys[i].key);
			put_text(out, conf_keys[i].doc);
		}
}
