/* SPDX-License-Identifier: ISC
 * A growable byte string with a cap. Always NUL-terminated behind its length; may hold NULs. */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/compat.h"

struct strbuf {
	char *p;	/* (owned) NULL while nothing was ever added */
	size_t len;
	size_t cap;
	size_t max;	/* 0: no cap */
	bool full;	/* something was dropped because of max */
};

#define STRBUF_INIT {0}

void strbuf_fini(struct strbuf *b);
/* Forgets the content, keeps the memory. */
void strbuf_clear(struct strbuf *b);
/* What does not fit under max is dropped whole and sets full. */
void strbuf_add(struct strbuf *b, const void *p, size_t n);
void strbuf_puts(struct strbuf *b, const char *s);
void strbuf_putc(struct strbuf *b, char c);
/* In decimal; for where printf would be felt. */
void strbuf_num(struct strbuf *b, unsigned long long n);
void strbuf_printf(struct strbuf *b, const char *fmt, ...) PRINTFLIKE(2, 3);
void strbuf_vprintf(struct strbuf *b, const char *fmt, va_list ap) PRINTFLIKE(2, 0);
/* Makes room for n more bytes and returns where they go; strbuf_wrote says how many came. NULL when over max. */
char *strbuf_room(struct strbuf *b, size_t n);
void strbuf_wrote(struct strbuf *b, size_t n);
/* Drops n bytes from the front. */
void strbuf_shift(struct strbuf *b, size_t n);
/* The string, "" when empty. Borrowed until the next change. */
const char *strbuf_str(const struct strbuf *b);
/* Hands the memory over: owned by the caller, never NULL; b is empty afterwards. */
char *strbuf_take(struct strbuf *b);

#endif
