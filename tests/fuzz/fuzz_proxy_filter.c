/* SPDX-License-Identifier: ISC
 * Filters on any body, against the same edit made on a tree. The input is lines "-NAME" and "+NAME JSON", an empty line,
 * and the body. */
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "base/xmalloc.h"
#include "fuzz.h"
#include "proxy/proxy_filter.h"
#include "proxy/proxy_model.h"

#define OPS_MAX 16

/* A configuration has no other names: valid UTF-8 without controls, here a part of it. */
static bool
is_plain(const char *p, const char *end)
{
	while (p < end && *p >= ' ' && *p <= '~')
		p++;
	return p == end;
}

/* The lines of the head into m; returns where the body begins, NULL when this is no input. */
static const char *
read_head(const char *p, const char *end, struct conf_model *m)
{
	struct err e = {""};

	for (int n = 0; p < end && *p != '\n'; n++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p)), *blank;
		char *name, *json;
		cJSON *v;

		if (nl == NULL || n == OPS_MAX || nl - p > 150 || !is_plain(p, nl))
			return NULL;
		blank = memchr(p, ' ', (size_t)(nl - p));
		if (*p == '-' && nl > p + 1) {
			name = xstrndup(p + 1, (size_t)(nl - p - 1));
			strv_add(&m->strip_params, name);
			free(name);
		} else if (*p == '+' && blank != NULL && blank > p + 1) {
			v = json_parse(blank + 1, (size_t)(nl - blank - 1), &e);
			if (v == NULL)
				return NULL;
			cJSON_Delete(v);
			name = xstrndup(p + 1, (size_t)(blank - p - 1));
			json = xstrndup(blank + 1, (size_t)(nl - blank - 1));
			/* Where blanks are significant the two would differ in form only. */
			strv_add(&m->set_params, name);
			strv_add(&m->set_params, json + strspn(json, " \t\r"));
			free(name);
			free(json);
		} else {
			return NULL;
		}
		p = nl + 1;
	}
	return p < end ? p + 1 : NULL;
}

/* The part of a path up to its first dot, without backslashes; returns what follows, NULL when nothing does. */
static const char *
head_of(const char *path, char *out, size_t size)
{
	size_t n = 0;

	for (; *path != '\0' && *path != '.'; path++) {
		if (*path == '\\' && path[1] != '\0')
			path++;
		if (n + 1 < size)
			out[n++] = *path;
	}
	out[n] = '\0';
	return *path == '.' && path[1] != '\0' ? path + 1 : NULL;
}

/* All but the last one of that name go; the last one, lent, or NULL. */
static cJSON *
only_last(cJSON *obj, const char *name)
{
	cJSON *found = NULL, *next;

	for (cJSON *i = obj->child; i != NULL; i = next) {
		next = i->next;
		if (strcmp(i->string, name) != 0)
			continue;
		if (found != NULL)
			cJSON_Delete(cJSON_DetachItemViaPointer(obj, found));
		found = i;
	}
	return found;
}

static void
edit(cJSON *obj, const char *path, const char *json, bool soft)
{
	char name[300];
	const char *rest = head_of(path, name, sizeof(name));
	cJSON *item;

	if (rest == NULL) {
		if (json != NULL && soft && cJSON_GetObjectItemCaseSensitive(obj, name) != NULL)
			return;
		item = only_last(obj, name);
		if (item != NULL)
			cJSON_Delete(cJSON_DetachItemViaPointer(obj, item));
		if (json != NULL)
			cJSON_AddItemToObject(obj, name, cJSON_Parse(json));
		return;
	}
	item = only_last(obj, name);
	if (item != NULL && cJSON_IsObject(item)) {
		edit(item, rest, json, soft);
	} else if (json != NULL && (item == NULL || !cJSON_IsArray(item))) {
		if (item != NULL)
			cJSON_Delete(cJSON_DetachItemViaPointer(obj, item));
		edit(cJSON_AddObjectToObject(obj, name), rest, json, soft);
	}
}

/* The same members in any order; of several of one name the n-th is the n-th, at any depth. cJSON_Compare knows only the
 * first of a name. */
static bool
same(const cJSON *a, const cJSON *b)
{
	const cJSON *x, *y, *i;

	if ((a->type & 0xff) != (b->type & 0xff))
		return false;
	if (cJSON_IsArray(a)) {
		for (x = a->child, y = b->child; x != NULL && y != NULL; x = x->next, y = y->next)
			if (!same(x, y))
				return false;
		return x == y;
	}
	if (cJSON_IsString(a))
		return strcmp(a->valuestring, b->valuestring) == 0;
	if (cJSON_IsNumber(a))
		return a->valuedouble == b->valuedouble;
	if (!cJSON_IsObject(a))
		return true;
	if (cJSON_GetArraySize(a) != cJSON_GetArraySize(b))
		return false;
	for (x = a->child; x != NULL; x = x->next) {
		int nth = 0;

		for (i = a->child; i != x; i = i->next)
			nth += strcmp(i->string, x->string) == 0;
		for (y = b->child; y != NULL; y = y->next)
			if (strcmp(y->string, x->string) == 0 && nth-- == 0)
				break;
		if (y == NULL || !same(x, y))
			return false;
	}
	return true;
}

/* What the tree takes for JSON and is none (controls as blanks, bad digits as 0), and where it cannot tell apart what the
 * text can (NUL). */
static bool
is_odd(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)p[i] < ' ' && p[i] != '\n' && p[i] != '\r' && p[i] != '\t')
			return true;
	for (const char *end = p + n; (p = memmem(p, (size_t)(end - p), "\\u", 2)) != NULL; p += 2)
		if (end - p < 6 || memcmp(p + 2, "0000", 4) == 0 || text_hex(p[2]) < 0 || text_hex(p[3]) < 0 ||
		    text_hex(p[4]) < 0 || text_hex(p[5]) < 0)
			return true;
	return false;
}

static void
compare(const struct conf_model *m, const char *body, size_t n, const struct strbuf *got, bool scanned, bool changed)
{
	struct err e = {""};
	cJSON *want = n > 8192 || is_odd(body, n) ? NULL : json_parse(body, n, &e), *is;

	if (!changed)
		INSIST(got->len == n && memcmp(strbuf_str(got), body, n) == 0);
	if (cJSON_IsObject(want) && scanned) {
		for (char **s = m->strip_params; s != NULL && *s != NULL; s++)
			edit(want, *s, NULL, false);
		for (char **s = m->set_params; s != NULL && *s != NULL; s += 2) {
			size_t len = strlen(*s);
			bool soft = len > 1 && (*s)[len - 1] == '?';
			char *path = xstrndup(*s, len - soft);

			edit(want, path, s[1], soft);
			free(path);
		}
		is = json_parse(strbuf_str(got), got->len, &e);
		INSIST(is != NULL);
		INSIST(same(want, is));
		cJSON_Delete(is);
	}
	cJSON_Delete(want);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char id[] = "m";
	struct conf_model m = {.id = id};
	struct proxy_scan before = {0}, after = {0};
	struct strbuf b = STRBUF_INIT;
	const char *text = (const char *)data, *body = read_head(text, text + size, &m);
	size_t n = body == NULL ? 0 : (size_t)(text + size - body);
	bool scanned, changed;

	if (body != NULL) {
		strbuf_add(&b, body, n);
		proxy_scan(&before, body, n);
		scanned = proxy_scan_end(&before);
		changed = proxy_filter_apply(&b, &m, id);
		INSIST(b.p == NULL || b.p[b.len] == '\0');
		compare(&m, body, n, &b, scanned, changed);
		if (scanned) {
			proxy_scan(&after, strbuf_str(&b), b.len);
			/* A filter may set a second "model" only in a test like this one. */
			INSIST(proxy_scan_end(&after) || strstr(after.error, "deep") != NULL);
		}
	}
	strbuf_fini(&b);
	strv_free(&m.strip_params);
	strv_free(&m.set_params);
	return 0;
}
