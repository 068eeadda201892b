/* SPDX-License-Identifier: ISC
 * Bodies in, with errors in the words that clients of the engine API know, and commands out with their secrets masked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/api_int.h"
#include "base/text.h"

#define ECHO_MAX 4096	/* bytes of a wrong input that are shown again */
#define MASK "***"

/* Whether it may be shown again: not too long, and text. */
static bool
echoes(const char *s)
{
	size_t n = strlen(s), k;
	uint32_t cp;

	if (n > ECHO_MAX)
		return false;
	for (; n != 0; s += k, n -= k) {
		k = text_utf8(s, n, &cp);
		if (k == 0)
			return false;
	}
	return true;
}

/* One entry of {"detail":[...]}. key NULL: the body as a whole; input NULL writes {}. */
static int
invalid(struct strbuf *err, const char *type, const char *key, const char *msg, const cJSON *input)
{
	struct jsonw w = JSONW(err);
	char *text = input != NULL ? cJSON_PrintUnformatted(input) : NULL;

	jw_obj(&w);
	jw_key(&w, "detail");
	jw_arr(&w);
	jw_obj(&w);
	jw_kstr(&w, "type", type);
	jw_key(&w, "loc");
	jw_arr(&w);
	jw_str(&w, "body");
	if (key != NULL)
		jw_str(&w, key);
	jw_arr_end(&w);
	jw_kstr(&w, "msg", msg);
	jw_key(&w, "input");
	jw_raw(&w, text != NULL && echoes(text) ? text : "{}");
	jw_obj_end(&w);
	jw_arr_end(&w);
	jw_obj_end(&w);
	cJSON_free(text);
	return -1;
}

static int
bad_json(struct strbuf *err, const struct err *e)
{
	struct jsonw w = JSONW(err);
	const char *at = strstr(e->msg, "near byte ");

	jw_obj(&w);
	jw_key(&w, "detail");
	jw_arr(&w);
	jw_obj(&w);
	jw_kstr(&w, "type", "json_invalid");
	jw_key(&w, "loc");
	jw_arr(&w);
	jw_str(&w, "body");
	jw_int(&w, at != NULL ? strtol(at + 10, NULL, 10) : 0);
	jw_arr_end(&w);
	jw_kstr(&w, "msg", "JSON decode error");
	jw_key(&w, "input");
	jw_raw(&w, "{}");
	jw_key(&w, "ctx");
	jw_obj(&w);
	jw_kstr(&w, "error", e->msg);
	jw_obj_end(&w);
	jw_obj_end(&w);
	jw_arr_end(&w);
	jw_obj_end(&w);
	return -1;
}

static int
get_max_tokens(const cJSON *o, struct api_args *out, struct strbuf *err)
{
	const cJSON *v = json_get(o, "max_tokens");
	double d;
	char *end;

	if (v == NULL || cJSON_IsNull(v))
		return 0;
	if (cJSON_IsString(v)) {
		d = strtod(v->valuestring, &end);
		if (end == v->valuestring || *end != '\0')
			return invalid(err, "int_parsing", "max_tokens",
			    "Input should be a valid integer, unable to parse string as an integer", v);
	} else if (cJSON_IsNumber(v)) {
		d = v->valuedouble;
	} else {
		return invalid(err, "int_type", "max_tokens", "Input should be a valid integer", v);
	}
	if (!(d > -2147483648.0 && d < 2147483648.0))
		return invalid(err, "int_parsing_size", "max_tokens", "Input is too large an integer", v);
	if (d != (double)(int)d)
		return invalid(err, "int_from_float", "max_tokens",
		    "Input should be a valid integer, got a number with a fractional part", v);
	if (d < 1)
		return invalid(err, "greater_than", "max_tokens", "Input should be greater than 0", v);
	out->max_tokens = (int)d;
	return 0;
}

static int
get_flag(const cJSON *o, const char *key, bool *out, struct strbuf *err)
{
	const cJSON *v = json_get(o, key);

	if (v == NULL || cJSON_IsNull(v))
		return 0;
	if (!cJSON_IsBool(v))
		return invalid(err, "bool_type", key, "Input should be a valid boolean", v);
	*out = cJSON_IsTrue(v);
	return 0;
}

static int
get_args(const cJSON *o, bool need_model, struct api_args *out, struct strbuf *err)
{
	const cJSON *v = json_get(o, "model");

	if (!cJSON_IsObject(o))
		return invalid(err, "model_attributes_type", NULL,
		    "Input should be a valid dictionary or object to extract fields from", o);
	if (v == NULL && need_model)
		return invalid(err, "missing", "model", "Field required", o);
	if (v != NULL && !(cJSON_IsNull(v) && !need_model)) {
		if (!cJSON_IsString(v))
			return invalid(err, "string_type", "model", "Input should be a valid string", v);
		if (strlen(v->valuestring) >= sizeof(out->model))
			return invalid(err, "string_too_long", "model", "String should have at most 511 characters", NULL);
		snprintf(out->model, sizeof(out->model), "%s", v->valuestring);
	}
	if (get_max_tokens(o, out, err) != 0 || get_flag(o, "force", &out->force, err) != 0)
		return -1;
	if (get_flag(o, "pin", &out->pin, err) != 0)
		return -1;
	return get_flag(o, "wait", &out->wait, err);
}

static bool
blank(const char *p, size_t n)
{
	while (n != 0 && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
		p++, n--;
	return n == 0;
}

int
api_args_parse(const char *body, size_t n, bool need_model, struct api_args *out, struct strbuf *err)
{
	struct err e = {{0}};
	cJSON *o;
	int rc;

	*out = (struct api_args){.wait = true, .pin = true};
	if (blank(body, n)) {
		if (!need_model)
			return 0;
		strbuf_puts(err, "{\"detail\":[{\"type\":\"missing\",\"loc\":[\"body\"],\"msg\":\"Field required\","
				 "\"input\":null}]}");
		return -1;
	}
	o = json_parse(body, n, &e);
	if (o == NULL)
		return bad_json(err, &e);
	rc = get_args(o, need_model, out, err);
	cJSON_Delete(o);
	return rc;
}

/* masking -------------------------------------------------------------------------------------------------------- */

static bool
contains(const char *s, size_t n, const char *word)
{
	size_t m = strlen(word);

	for (size_t i = 0; i + m <= n; i++)
		if (strncasecmp(s + i, word, m) == 0)
			return true;
	return false;
}

bool
api_secret_name(const char *name, size_t n)
{
	static const char *const words[] = {"key", "token", "secret", "passw", "credential", "auth"};

	/* --max-tokens and its like are counts, not secrets. */
	if (contains(name, n, "tokens") || contains(name, n, "tokenizer"))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (contains(name, n, words[i]))
			return true;
	return false;
}

static bool
name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

/* Whether what stands before s[at], a '=', names a secret: then its value is masked, as in `env TOKEN=x program`. */
static bool
names_secret(const char *s, size_t at)
{
	size_t from = at;

	while (from > 0 && name_byte(s[from - 1]))
		from--;
	return from < at && api_secret_name(s + from, at - from);
}

/* The text with every key in it masked, and the values of secret names. */
static void
put_masked(struct jsonw *w, const char *s, const struct conf_key *keys, size_t nkeys)
{
	struct strbuf b = STRBUF_INIT;
	const char *start = s;

	while (*s != '\0') {
		size_t hit = 0;

		for (size_t i = 0; i < nkeys; i++) {
			size_t n = strlen(keys[i].key);

			if (n > hit && n >= 4 && strncmp(s, keys[i].key, n) == 0)
				hit = n;
		}
		if (hit == 0 && s > start && s[-1] == '=' && names_secret(start, (size_t)(s - 1 - start)))
			hit = strcspn(s, " \t\n;&");
		if (hit != 0)
			strbuf_puts(&b, MASK);
		else
			strbuf_putc(&b, *s);
		s += hit != 0 ? hit : 1;
	}
	jw_str(w, strbuf_str(&b));
	strbuf_fini(&b);
}

static void
put_secret(struct jsonw *w, const char *word, size_t name)
{
	struct strbuf b = STRBUF_INIT;

	strbuf_add(&b, word, name);
	strbuf_puts(&b, MASK);
	jw_str(w, strbuf_str(&b));
	strbuf_fini(&b);
}

void
api_put_argv(struct jsonw *w, char *const *argv, const struct conf_key *keys, size_t nkeys)
{
	bool mask = false;

	jw_arr(w);
	for (; argv != NULL && *argv != NULL; argv++) {
		const char *eq = strchr(*argv, '=');
		bool flag = (*argv)[0] == '-';

		if (mask && !flag) {
			jw_str(w, MASK);
			mask = false;
			continue;
		}
		mask = false;
		if (flag && eq != NULL && api_secret_name(*argv, (size_t)(eq - *argv))) {
			put_secret(w, *argv, (size_t)(eq + 1 - *argv));
			continue;
		}
		mask = flag && eq == NULL && (api_secret_name(*argv, strlen(*argv)) || strcmp(*argv, "-hft") == 0);
		put_masked(w, *argv, keys, nkeys);
	}
	jw_arr_end(w);
}

void
api_put_env(struct jsonw *w, char *const *env, const struct conf_key *keys, size_t nkeys)
{
	jw_obj(w);
	for (; env != NULL && *env != NULL; env++) {
		const char *eq = strchr(*env, '=');
		char name[128];

		if (eq == NULL || (size_t)(eq - *env) >= sizeof(name))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(eq - *env), *env);
		jw_key(w, name);
		if (api_secret_name(name, strlen(name)))
			jw_str(w, MASK);
		else
			put_masked(w, eq + 1, keys, nkeys);
	}
	jw_obj_end(w);
}
