/* SPDX-License-Identifier: ISC
 * Typed getters and the writer. */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

cJSON *
json_parse(const char *p, size_t n, struct err *e)
{
	const char *end = NULL;
	cJSON *j = cJSON_ParseWithLengthOpts(p, n, &end, false);

	if (j != NULL)
		while (end < p + n && (*end == ' ' || *end == '\t' || *end == '\r' || *end == '\n' || *end == '\0'))
			end++;
	if (j == NULL || end != p + n) {
		err_set(e, "not JSON, near byte %zu", end != NULL && end >= p ? (size_t)(end - p) : 0);
		cJSON_Delete(j);
		return NULL;
	}
	return j;
}

const cJSON *
json_get(const cJSON *obj, const char *key)
{
	return obj == NULL ? NULL : cJSON_GetObjectItemCaseSensitive(obj, key);
}

const char *
json_str(const cJSON *obj, const char *key, const char *def)
{
	const cJSON *v = json_get(obj, key);

	return cJSON_IsString(v) ? v->valuestring : def;
}

double
json_num(const cJSON *obj, const char *key, double def)
{
	const cJSON *v = json_get(obj, key);

	return cJSON_IsNumber(v) ? v->valuedouble : def;
}

int64_t
json_int(const cJSON *obj, const char *key, int64_t def)
{
	double d = json_num(obj, key, (double)def);

	if (!(d >= -9e15 && d <= 9e15))
		return def;
	return (int64_t)d;
}

bool
json_bool(const cJSON *obj, const char *key, bool def)
{
	const cJSON *v = json_get(obj, key);

	return cJSON_IsBool(v) ? cJSON_IsTrue(v) : def;
}

static void
before(struct jsonw *w)
{
	if (w->keyed) {
		w->keyed = false;
		return;
	}
	if (w->more[w->depth])
		strbuf_putc(w->b, ',');
	w->more[w->depth] = true;
}

static void
open_(struct jsonw *w, char c)
{
	before(w);
	strbuf_putc(w->b, c);
	if (w->depth < 16)
		w->depth++;
	w->more[w->depth] = false;
}

static void
close_(struct jsonw *w, char c)
{
	strbuf_putc(w->b, c);
	if (w->depth > 0)
		w->depth--;
}

void jw_obj(struct jsonw *w) { open_(w, '{'); }
void jw_obj_end(struct jsonw *w) { close_(w, '}'); }
void jw_arr(struct jsonw *w) { open_(w, '['); }
void jw_arr_end(struct jsonw *w) { close_(w, ']'); }

static void
put_string(struct strbuf *b, const char *s, size_t n)
{
	static const char hex[] = "0123456789abcdef";

	strbuf_putc(b, '"');
	for (size_t i = 0; i < n;) {
		unsigned char c = (unsigned char)s[i];
		size_t run = i;
		uint32_t cp;
		size_t len;

		while (run < n && (unsigned char)s[run] >= 0x20 && (unsigned char)s[run] < 0x7f &&
		    s[run] != '"' && s[run] != '\\')
			run++;
		if (run > i) {
			strbuf_add(b, s + i, run - i);
			i = run;
			continue;
		}
		if (c == '"' || c == '\\') {
			char esc[2] = {'\\', (char)c};
			strbuf_add(b, esc, 2);
			i++;
		} else if (c < 0x20 || c == 0x7f) {
			char esc[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
			if (c == '\n')
				strbuf_puts(b, "\\n");
			else if (c == '\t')
				strbuf_puts(b, "\\t");
			else if (c == '\r')
				strbuf_puts(b, "\\r");
			else
				strbuf_add(b, esc, 6);
			i++;
		} else if ((len = text_utf8(s + i, n - i, &cp)) != 0) {
			strbuf_add(b, s + i, len);
			i += len;
		} else {
			strbuf_puts(b, "\xef\xbf\xbd");
			i++;
		}
	}
	strbuf_putc(b, '"');
}

void
jw_key(struct jsonw *w, const char *key)
{
	before(w);
	put_string(w->b, key, strlen(key));
	strbuf_putc(w->b, ':');
	w->keyed = true;
}

void
jw_strn(struct jsonw *w, const char *s, size_t n)
{
	before(w);
	put_string(w->b, s, n);
}

void
jw_str(struct jsonw *w, const char *s)
{
	if (s == NULL)
		jw_null(w);
	else
		jw_strn(w, s, strlen(s));
}

void
jw_int(struct jsonw *w, int64_t v)
{
	before(w);
	strbuf_printf(w->b, "%lld", (long long)v);
}

void
jw_num(struct jsonw *w, double v)
{
	char s[64];
	size_t n;

	if (!isfinite(v)) {
		jw_null(w);
		return;
	}
	before(w);
	n = (size_t)snprintf(s, sizeof(s), "%.3f", v);
	if (n >= sizeof(s))
		n = sizeof(s) - 1;
	while (n > 1 && s[n - 1] == '0')
		n--;
	if (s[n - 1] == '.')
		n--;
	if (n == 2 && s[0] == '-' && s[1] == '0') {
		s[0] = '0';
		n = 1;
	}
	strbuf_add(w->b, s, n);
}

void
jw_bool(struct jsonw *w, bool v)
{
	before(w);
	strbuf_puts(w->b, v ? "true" : "false");
}

void
jw_null(struct jsonw *w)
{
	before(w);
	strbuf_puts(w->b, "null");
}

void
jw_raw(struct jsonw *w, const char *json)
{
	before(w);
	strbuf_puts(w->b, json);
}

void jw_kstr(struct jsonw *w, const char *key, const char *s) { jw_key(w, key); jw_str(w, s); }
void jw_kint(struct jsonw *w, const char *key, int64_t v) { jw_key(w, key); jw_int(w, v); }
void jw_knum(struct jsonw *w, const char *key, double v) { jw_key(w, key); jw_num(w, v); }
void jw_kbool(struct jsonw *w, const char *key, bool v) { jw_key(w, key); jw_bool(w, v); }
