/* SPDX-License-Identifier: ISC
 * Between the two halves of the head parser: lines (http_parse.c) and what they mean
 * (http_meaning.c). */
#ifndef HTTP_HTTP_PARSE_PRIV_H
#define HTTP_HTTP_PARSE_PRIV_H

#include "http/http_parse.h"

/* Classes of bytes: token (RFC 9110 section 5.6.2), field value (with blanks and obs-text), request
 * target. */
#define HTTP_TOKEN 1
#define HTTP_VALUE 2
#define HTTP_TARGET 4
extern const unsigned char http_class[256];
#define HTTP_IS(c, k) (http_class[(unsigned char)(c)] & (k))

/* Records the error; returns -1. */
int http_parse_fail(struct http_parser *p, int status, const char *why);
/* A field line came, p->nfields is its number: 0, or -1. */
int http_parse_field(struct http_parser *p, const char *name, size_t nname, const char *v,
    size_t n);
/* The empty line came: judges the whole and fills h. 0, or -1. */
int http_parse_finish(struct http_parser *p, const char *buf, struct http_head *h);

#endif
