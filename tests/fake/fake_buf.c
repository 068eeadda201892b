/* SPDX-License-Identifier: ISC
 * A growing buffer. */
#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"

void
fake_add(struct fake_buf *b, const void *data, size_t len)
{
	if (b->len + len + 1 > b->cap) {
		b->cap = (b->len + len + 1) * 2;
		b->data = realloc(b->data, b->cap);
		if (b->data == NULL)
			err(1, "realloc");
	}
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void
fake_addf(struct fake_buf *b, const char *fmt, ...)
{
	char tmp[4096];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(tmp, sizeof(tmp), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(tmp))
		errx(1, "text too long");
	fake_add(b, tmp, (size_t)n);
}

void
fake_add_json(struct fake_buf *b, const char *data, size_t len)
{
	fake_add(b, "\"", 1);
	for (size_t i = 0; i < len; i++) {
		unsigned char ch = (unsigned char)data[i];

		if (ch == '"' || ch == '\\')
			fake_addf(b, "\\%c", ch);
		else if (ch < 0x20 || ch >= 0x7f)	/* bytes, read back as latin-1 */
			fake_addf(b, "\\u%04x", ch);
		else
			fake_add(b, &data[i], 1);
	}
	fake_add(b, "\"", 1);
}

void
fake_drain(struct fake_buf *b, size_t len)
{
	if (len < b->len)
		memmove(b->data, b->data + len, b->len - len);
	b->len -= len;
}
