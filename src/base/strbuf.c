/* SPDX-License-Identifier: ISC
 * Growable strings. */
#include "base/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

void
strbuf_fini(struct strbuf *b)
{
	free(b->p);
	*b = (struct strbuf){.max = b->max};
}

void
strbuf_clear(struct strbuf *b)
{
	b->len = 0;
	b->full = false;
	if (b->p != NULL)
		b->p[0] = '\0';
}

char *
strbuf_room(struct strbuf *b, size_t n)
{
	if (b->max != 0 && n > b->max - (b->len < b->max ? b->len : b->max)) {
		b->full = true;
		return NULL;
	}
	if (b->len + n + 1 > b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 128;

		while (cap < b->len + n + 1)
			cap *= 2;
		b->p = xrealloc(b->p, cap);
		b->cap = cap;
	}
	return b->p + b->len;
}

void
strbuf_wrote(struct strbuf *b, size_t n)
{
	b->len += n;
	b->p[b->len] = '\0';
}

void
strbuf_add(struct strbuf *b, const void *p, size_t n)
{
	char *to = strbuf_room(b, n);

	if (to == NULL)
		return;
	if (n != 0)
		memcpy(to, p, n);
	strbuf_wrote(b, n);
}

void
strbuf_puts(struct strbuf *b, const char *s)
{
	strbuf_add(b, s, strlen(s));
}

void
strbuf_putc(struct strbuf *b, char c)
{
	strbuf_add(b, &c, 1);
}

void
strbuf_num(struct strbuf *b, unsigned long long n)
{
	char d[20];
	size_t i = sizeof(d);

	do {
		d[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n != 0);
	strbuf_add(b, d + i, sizeof(d) - i);
}

void
strbuf_vprintf(struct strbuf *b, const char *fmt, va_list ap)
{
	char small[256];
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	if (n >= 0 && (size_t)n < sizeof(small)) {
		strbuf_add(b, small, (size_t)n);
	} else if (n >= 0) {
		char *to = strbuf_room(b, (size_t)n);

		if (to != NULL) {
			vsnprintf(to, (size_t)n + 1, fmt, again);
			strbuf_wrote(b, (size_t)n);
		}
	}
	va_end(again);
}

void
strbuf_printf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(b, fmt, ap);
	va_end(ap);
}

void
strbuf_shift(struct strbuf *b, size_t n)
{
	if (n == 0)
		return;
	memmove(b->p, b->p + n, b->len - n + 1);
	b->len -= n;
}

const char *
strbuf_str(const struct strbuf *b)
{
	return b->p == NULL ? "" : b->p;
}

char *
strbuf_take(struct strbuf *b)
{
	char *p = b->p == NULL ? xstrdup("") : b->p;

	*b = (struct strbuf){.max = b->max};
	return p;
}
