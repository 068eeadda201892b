/* SPDX-License-Identifier: ISC
 * Allocate or die: a supervisor that cannot get a few bytes says so and exits, and its guard cleans up. */
#ifndef BASE_XMALLOC_H
#define BASE_XMALLOC_H

#include <stdarg.h>
#include <stddef.h>

#include "base/compat.h"

/* Each returns memory owned by the caller (free(3)); never NULL. */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
/* Overflow-checked n * size. */
void *xreallocarray(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
/* NULL stays NULL. */
char *xstrdup0(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) PRINTFLIKE(1, 2);
char *xvasprintf(const char *fmt, va_list ap) PRINTFLIKE(1, 0);

/* Prints the message with the reason of errno to stderr and exits 1. Only xmalloc and app may call it. */
void fatal(const char *fmt, ...) PRINTFLIKE(1, 2) NORETURN;

/* A NULL-terminated array of strings, owned by the caller. */
void strv_free(char ***v);
size_t strv_len(char *const *v);
char **strv_dup(char *const *v);
/* Appends a copy of s; *v may be NULL. */
void strv_add(char ***v, const char *s);

#endif
