/* SPDX-License-Identifier: ISC
 * JSON. Reading: typed getters over cJSON that name the place of an error. Writing: straight into a strbuf. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/err.h"
#include "base/strbuf.h"

/* Parses exactly n bytes (trailing blanks allowed). NULL on bad JSON, with the byte offset in e. Owned by the caller
 * (cJSON_Delete). */
cJSON *json_parse(const char *p, size_t n, struct err *e);

/* Getters: borrowed from obj; the default when the key is missing, null or of another type; obj may be NULL. */
const char *json_str(const cJSON *obj, const char *key, const char *def);
double json_num(const cJSON *obj, const char *key, double def);
int64_t json_int(const cJSON *obj, const char *key, int64_t def);
bool json_bool(const cJSON *obj, const char *key, bool def);
const cJSON *json_get(const cJSON *obj, const char *key);

/* A writer. Commas are its business. Nesting at most 16 deep. */
struct jsonw {
	struct strbuf *b;	/* borrowed */
	int depth;
	bool more[17];		/* something precedes at this depth */
	bool keyed;		/* a key was just written */
};

#define JSONW(buf) {.b = (buf)}

void jw_obj(struct jsonw *w);		/* { */
void jw_obj_end(struct jsonw *w);	/* } */
void jw_arr(struct jsonw *w);		/* [ */
void jw_arr_end(struct jsonw *w);	/* ] */
void jw_key(struct jsonw *w, const char *key);
/* NULL writes null. Bytes that are no valid UTF-8 become U+FFFD. */
void jw_str(struct jsonw *w, const char *s);
void jw_strn(struct jsonw *w, const char *s, size_t n);
void jw_int(struct jsonw *w, int64_t v);
/* At most three decimals, no trailing zeros; NaN and infinity write null. */
void jw_num(struct jsonw *w, double v);
void jw_bool(struct jsonw *w, bool v);
void jw_null(struct jsonw *w);
/* Text that is JSON already. */
void jw_raw(struct jsonw *w, const char *json);
/* key and value at once. */
void jw_kstr(struct jsonw *w, const char *key, const char *s);
void jw_kint(struct jsonw *w, const char *key, int64_t v);
void jw_knum(struct jsonw *w, const char *key, double v);
void jw_kbool(struct jsonw *w, const char *key, bool v);

#endif
