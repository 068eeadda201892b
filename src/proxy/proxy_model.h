/* SPDX-License-Identifier: ISC
 * What routing needs of a request's body: a bounded scan of the top level of a JSON object, made while it arrives, without
 * building a tree; and the field of a multipart form. Pure. */
#ifndef PROXY_PROXY_MODEL_H
#define PROXY_PROXY_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

#define PROXY_MODEL_MAX 256	/* bytes of a model's name with its NUL */

/* The members that matter. */
enum proxy_key { PROXY_KEY_OTHER, PROXY_KEY_MODEL, PROXY_KEY_MAX_TOKENS, PROXY_KEY_TEMPERATURE, PROXY_KEY_TOP_P,
	PROXY_KEY_STREAM, PROXY_NKEYS };

/* Offsets into the body; at == 0: not there. */
struct proxy_member {
	size_t key_at;		/* of the key's quote */
	size_t at, len;		/* the value's text */
	size_t comma_before, comma_after;	/* 0: none */
};

struct proxy_scan {
	size_t pos;		/* how far it looked */
	size_t open;		/* behind the top-level brace; 0: not seen */
	bool any;		/* the object has members */
	bool stream;		/* "stream": true */
	struct proxy_member member[PROXY_NKEYS];
	const char *error;	/* static; it is not usable JSON, or ambiguous */
	/* the rest is its own */
	int state;
	int depth;
	uint64_t kinds;		/* one bit a level: object */
	size_t token;
	size_t comma;
	enum proxy_key key, last;
	struct proxy_member now;
};

/* Goes on over buf[0..len), all bytes so far; buf may have moved. */
void proxy_scan(struct proxy_scan *s, const char *buf, size_t len);
/* At the end of the body: whether it was one complete object; else s->error is set. */
bool proxy_scan_end(struct proxy_scan *s);
/* The name asked for, decoded, into out: 1; 0 when there is none (also null); -1 with s->error when it is no usable
 * string. */
int proxy_scan_model(struct proxy_scan *s, const char *buf, char *out, size_t size);

/* The text between two quotes, decoded and NUL-terminated, into out; -1 when it is bad or does not fit (five bytes stay
 * free). */
int proxy_json_text(const char *p, size_t n, char *out, size_t size) MUST_CHECK;

/* What the body must become: each may be left out. */
struct proxy_edit {
	const char *model;	/* JSON text that replaces the value, or is added */
	bool drop_null;		/* remove "model":null */
	bool defaults;		/* add max_tokens, temperature and top_p where missing */
};
/* Edits a scanned body in place. False when nothing had to change. */
bool proxy_body_edit(struct strbuf *body, const struct proxy_scan *s, const struct proxy_edit *e);

#define PROXY_BOUNDARY_MAX 70	/* bytes, as the standard has it */
/* The boundary that a multipart content type names, borrowed; false when it names none, several, or an unusable one. */
bool proxy_form_boundary(const char *type, size_t n, const char **boundary, size_t *nboundary);
/* The value of the field "model" of a multipart body: 1 with its place, 0 when there is none, -1 when there are several. */
int proxy_multipart_model(const char *body, size_t n, const char *boundary, size_t nboundary, size_t *at, size_t *len);

/* Replaces len bytes at at by n bytes. */
void proxy_splice(struct strbuf *b, size_t at, size_t len, const char *p, size_t n);

#endif
