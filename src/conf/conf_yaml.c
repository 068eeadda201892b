/* SPDX-License-Identifier: ISC
 * mai.yaml: the file itself, its document, and the keys of its top level. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xmalloc.h"
#include "conf/conf_yaml.h"

#define FILE_MAX (1024 * 1024)
#define DEPTH_MAX 32
#define EVENTS_MAX 200000
#define ANCHORS_MAX 1000

/* What another user could have written is not run. */
static int
check_owner(const struct stat *st, struct conf_place at, struct conf_errors *errs)
{
	int before = errs->n;

	if (!S_ISREG(st->st_mode)) {
		conf_fail(errs, at, "not a regular file");
		return -1;
	}
	if (st->st_uid != geteuid() && st->st_uid != 0)
		conf_fail(errs, at, "belongs to another user (uid %ld): refused, as it names commands to run",
		    (long)st->st_uid);
	if ((st->st_mode & S_IWOTH) != 0)
		conf_fail(errs, at, "anyone may write to it: refused, as it names commands to run (chmod o-w)");
	if (st->st_size > FILE_MAX)
		conf_fail(errs, at, "larger than 1 MiB");
	return errs->n > before ? -1 : 0;
}

/* At most FILE_MAX + 1 bytes, so that a file that grows is seen. */
static int
slurp(int fd, struct strbuf *out)
{
	while (out->len <= FILE_MAX) {
		char *room = strbuf_room(out, 16384);
		ssize_t n = read(fd, room, 16384);

		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			strbuf_wrote(out, (size_t)n);
	}
	return 0;
}

struct conf *
conf_yaml_read(const char *path, struct conf_errors *errs)
{
	struct conf_place at = {path, 0, 0};
	struct strbuf text = STRBUF_INIT;
	struct conf *c = NULL;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 || fstat(fd, &st) < 0) {
		conf_fail(errs, at, "%s", strerror(errno));
	} else if (check_owner(&st, at, errs) == 0) {
		if (slurp(fd, &text) < 0)
			conf_fail(errs, at, "%s", strerror(errno));
		else
			c = conf_yaml_parse(path, strbuf_str(&text), text.len, errs);
		if (c != NULL && (st.st_mode & S_IWGRP) != 0)
			conf_warn(c, at, "its group may write to it");
	}
	if (fd >= 0)
		close(fd);
	strbuf_fini(&text);
	return c;
}

/* Line and column of a byte, for what libyaml knows only by offset. */
static struct conf_place
place_of_byte(const char *file, const char *text, size_t off)
{
	struct conf_place at = {file, 1, 1};

	for (size_t i = 0; i < off; i++) {
		at.col++;
		if (text[i] == '\n') {
			at.line++;
			at.col = 1;
		}
	}
	return at;
}

static void
fail_yaml(const char *file, const char *text, size_t n, const yaml_parser_t *p, struct conf_errors *errs)
{
	const char *why = p->problem != NULL ? p->problem : "cannot be read as YAML";
	struct conf_place at = {file, (int)p->problem_mark.line + 1, (int)p->problem_mark.column + 1};

	if (p->error == YAML_READER_ERROR) {
		at = place_of_byte(file, text, p->problem_offset < n ? p->problem_offset : n);
		conf_fail(errs, at, "not valid UTF-8 text: %s", why);
	} else if (p->context != NULL) {
		conf_fail(errs, at, "%s (%s from line %d)", why, p->context, (int)p->context_mark.line + 1);
	} else {
		conf_fail(errs, at, "%s", why);
	}
}

static void
unknown_key(struct reader *r, yaml_node_t *key, enum key_where level)
{
	const char *name = (const char *)key->data.scalar.value, *near = conf_key_nearest(level, name);
	enum key_where other = level == KEY_GLOBAL ? KEY_MODEL : KEY_GLOBAL;

	if (conf_key_find(other, name) != NULL)
		conf_node_fail(r, key, "'%s' does not belong here, but %s", name,
		    level == KEY_GLOBAL ? "into a model" : "to the top level of the file");
	else if (conf_key_find(KEY_DASHBOARD, name) != NULL)
		conf_node_fail(r, key, "'%s' does not belong here, but into dashboard", name);
	else
		conf_node_fail(r, key, "unknown key '%.100s'%s%s%s", name, near == NULL ? "" : "; did you mean '",
		    near == NULL ? "" : near, near == NULL ? "" : "'?");
}

void
conf_read_pair(struct reader *r, const struct pair *p, enum key_where level)
{
	const struct keydef *k = conf_key_find(level, (const char *)p->key->data.scalar.value);

	if (k == NULL) {
		unknown_key(r, p->key, level);
		return;
	}
	if (k->unused)
		conf_warn(r->c, conf_node_place(r, p->key), "'%s' is not used yet", k->key);
	if (k->type == KEY_FOREIGN)
		conf_warn(r->c, conf_node_place(r, p->key), "%s is ignored: %s", k->key, k->doc);
	else
		conf_value_set(r, k, p->value);
}

/* The value of the key, or NULL. */
static yaml_node_t *
value_of(const struct pair *pairs, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp((const char *)pairs[i].key->data.scalar.value, key) == 0)
			return pairs[i].value;
	return NULL;
}

void
conf_unknown_model(struct reader *r, yaml_node_t *at, const char *key, const char *name)
{
	const char **ids = xcalloc(r->c->nmodels + 1, sizeof(*ids)), *near;

	for (size_t i = 0; i < r->c->nmodels; i++)
		ids[i] = r->c->models[i]->id;
	near = conf_nearest(name, ids, r->c->nmodels);
	conf_node_fail(r, at, "%s: there is no model '%.300s'%s%s%s", key, name, near == NULL ? "" : "; did you mean '",
	    near == NULL ? "" : near, near == NULL ? "" : "'?");
	free(ids);
}

/* A name given as alias becomes the id. */
static void
settle_name(struct reader *r, char **name, yaml_node_t *at, const char *key)
{
	const struct conf_model *m;
	char *id;

	if (*name == NULL)
		return;
	m = conf_find(r->c, *name);
	if (m == NULL) {
		conf_unknown_model(r, at, key, *name);
		return;
	}
	id = xstrdup(m->id);
	free(*name);
	*name = id;
}

static void
read_root(struct reader *r, yaml_node_t *root)
{
	struct conf *c = r->c;
	struct err e = {""};
	struct pair *pairs;
	size_t n;
	int before = r->errs->n;

	pairs = conf_node_pairs(r, root, "the file", &n);
	conf_read_macros(r, value_of(pairs, n, "macros"), &r->macros);
	r->scope = &r->macros;
	for (size_t i = 0; i < n; i++)
		conf_read_pair(r, &pairs[i], KEY_GLOBAL);
	if (!conf_node_is_null(value_of(pairs, n, "maxLoaded")))
		c->max_from = MAX_FROM_FILE;
	if (c->nlisten == 0 && value_of(pairs, n, "listen") == NULL &&
	    conf_listen_add_tcp(c, "127.0.0.1", CONF_DEFAULT_PORT, &e) < 0)
		conf_node_fail(r, root, "%s", e.msg);
	conf_read_models(r, value_of(pairs, n, "models"));
	settle_name(r, &c->default_model, r->default_at, "defaultModel");
	settle_name(r, &c->fallback_model, r->fallback_at, "fallbackModel");
	conf_settle_groups(r);
	conf_settle_preload(r);
	c->default_model_set = c->default_model != NULL;
	if (c->default_model == NULL && c->nmodels > 0)
		c->default_model = xstrdup(c->models[0]->id);
	if (r->errs->n == before)
		conf_note_differences(r, pairs, n);
	free(pairs);
}

static char *
directory_of(const char *path)
{
	char *abs = conf_abspath(path, NULL), *slash = strrchr(abs, '/');

	if (slash != NULL)
		slash[slash == abs ? 1 : 0] = '\0';
	return abs;
}

static struct conf *
read_document(const char *path, yaml_document_t *doc, yaml_node_t *root, struct conf_errors *errs)
{
	struct conf *c = conf_new(CONF_FILE);
	struct reader r = {.c = c, .errs = errs, .doc = doc, .file = path, .dir = directory_of(path),
	    .base = conf_model_new()};
	int before = errs->n;

	c->path = xstrdup(path);
	read_root(&r, root);
	conf_check(c, errs);
	free(r.dir);
	conf_model_free(&r.base);
	conf_macros_fini(&r.macros);
	if (errs->n > before)
		conf_unref(&c);
	return c;
}

/* One document only; a fault behind it is a fault too. */
static int
check_end(yaml_parser_t *p, const char *path, const char *text, size_t n, struct conf_errors *errs)
{
	yaml_document_t next;
	yaml_node_t *root;
	int rc = 0;

	if (!yaml_parser_load(p, &next)) {
		fail_yaml(path, text, n, p, errs);
		return -1;
	}
	root = yaml_document_get_root_node(&next);
	if (root != NULL) {
		conf_fail(errs, (struct conf_place){path, (int)root->start_mark.line + 1,
		    (int)root->start_mark.column + 1}, "a second document: only one is allowed");
		rc = -1;
	}
	yaml_document_delete(&next);
	return rc;
}

static struct conf *
parse_document(yaml_parser_t *p, const char *path, const char *text, size_t n, struct conf_errors *errs)
{
	struct conf *c = NULL;
	yaml_document_t doc;
	yaml_node_t *root;

	if (!yaml_parser_load(p, &doc)) {
		fail_yaml(path, text, n, p, errs);
		return NULL;
	}
	root = yaml_document_get_root_node(&doc);
	if (root == NULL || conf_node_is_null(root))
		conf_fail(errs, (struct conf_place){path, 0, 0}, "the file is empty");
	else if (root->type != YAML_MAPPING_NODE)
		conf_fail(errs, (struct conf_place){path, (int)root->start_mark.line + 1,
		    (int)root->start_mark.column + 1}, "expected a mapping (key: value) at the top level");
	else
		c = read_document(path, &doc, root, errs);
	if (c != NULL && check_end(p, path, text, n, errs) < 0)
		conf_unref(&c);
	yaml_document_delete(&doc);
	return c;
}

static int
look_at_event(const yaml_event_t *ev, int *depth, int *anchors)
{
	const yaml_char_t *anchor = NULL;

	if (ev->type == YAML_SEQUENCE_START_EVENT) {
		++*depth;
		anchor = ev->data.sequence_start.anchor;
	} else if (ev->type == YAML_MAPPING_START_EVENT) {
		++*depth;
		anchor = ev->data.mapping_start.anchor;
	} else if (ev->type == YAML_SEQUENCE_END_EVENT || ev->type == YAML_MAPPING_END_EVENT) {
		--*depth;
	} else if (ev->type == YAML_SCALAR_EVENT) {
		anchor = ev->data.scalar.anchor;
	}
	*anchors += anchor != NULL || ev->type == YAML_ALIAS_EVENT;
	return *depth > DEPTH_MAX ? -1 : *anchors > ANCHORS_MAX ? -2 : 0;
}

/* The library takes quadratic time for deep nesting and for many anchors: what no configuration needs is refused while
 * only events are read. Faults of syntax are left for the loader to find again. */
static int
check_shape(const char *path, const char *text, size_t n, struct conf_errors *errs)
{
	int depth = 0, anchors = 0, events = 0, bad = 0;
	bool end = false;
	yaml_parser_t p;
	yaml_event_t ev;

	if (!yaml_parser_initialize(&p))
		fatal("out of memory");
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p, (const unsigned char *)text, n);
	while (!end && bad == 0 && yaml_parser_parse(&p, &ev)) {
		struct conf_place at = {path, (int)ev.start_mark.line + 1, (int)ev.start_mark.column + 1};

		end = ev.type == YAML_STREAM_END_EVENT;
		bad = ++events > EVENTS_MAX ? -3 : look_at_event(&ev, &depth, &anchors);
		if (bad == -1)
			conf_fail(errs, at, "nested more than %d deep", DEPTH_MAX);
		else if (bad == -2)
			conf_fail(errs, at, "more than %d anchors and aliases", ANCHORS_MAX);
		else if (bad == -3)
			conf_fail(errs, at, "more than %d values", EVENTS_MAX);
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&p);
	return bad;
}

struct conf *
conf_yaml_parse(const char *path, const char *text, size_t n, struct conf_errors *errs)
{
	const char *nul = memchr(text, '\0', n);
	struct conf *c;
	yaml_parser_t p;

	if (n > FILE_MAX) {
		conf_fail(errs, (struct conf_place){path, 0, 0}, "larger than 1 MiB");
		return NULL;
	}
	if (nul != NULL) {
		conf_fail(errs, place_of_byte(path, text, (size_t)(nul - text)), "holds a NUL byte");
		return NULL;
	}
	if (check_shape(path, text, n, errs) < 0)
		return NULL;
	if (!yaml_parser_initialize(&p))
		fatal("out of memory");
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p, (const unsigned char *)text, n);
	c = parse_document(&p, path, text, n, errs);
	yaml_parser_delete(&p);
	return c;
}
