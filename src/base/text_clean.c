/* SPDX-License-Identifier: ISC
 * Hostile text made harmless. One pass; each byte is looked at a bounded number of times. */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define SEQUENCE_MAX 4096	/* what is not closed by then counts as closed */
#define MARKS_MAX 2

struct cleaner {
	struct strbuf *out;
	size_t start;	/* out->len at the beginning */
	int column;
	int marks;	/* on the present character */
	bool cluster;	/* a character precedes, so that a joiner makes sense */
};

/* After what removes a CSI's parameters and final byte; i is behind the introducer. */
static size_t
skip_csi(const char *s, size_t n, size_t i)
{
	size_t end = n - i > SEQUENCE_MAX ? i + SEQUENCE_MAX : n;

	while (i < end && (unsigned char)s[i] >= 0x20 && (unsigned char)s[i] <= 0x3f)
		i++;
	if (i < end && (unsigned char)s[i] >= 0x40 && (unsigned char)s[i] <= 0x7e)
		i++;
	return i;
}

/* A string sequence up to BEL or ST. *closed: whether it had an end. */
static size_t
skip_string(const char *s, size_t n, size_t i, bool *closed)
{
	size_t end = n - i > SEQUENCE_MAX ? i + SEQUENCE_MAX : n;

	*closed = true;
	for (; i < end; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == 0x07)
			return i + 1;
		if (c == 0x1b && i + 1 < n && s[i + 1] == '\\')
			return i + 2;
		if (c == 0x9c && (unsigned char)s[i - 1] != 0xc2)
			return i + 1;
		if (c == 0xc2 && i + 1 < n && (unsigned char)s[i + 1] == 0x9c)
			return i + 2;
	}
	*closed = false;
	return i;
}

/* An escape sequence that begins at s[i] == ESC; returns where it ends, or i when it is no sequence. */
static size_t
skip_escape(const char *s, size_t n, size_t i)
{
	size_t k = i + 1;
	bool closed;

	if (k >= n)
		return i;
	switch (s[k]) {
	case '[':
		return skip_csi(s, n, k + 1);
	case ']':
	case 'P':
	case '_':
	case '^':
	case 'X':
		return skip_string(s, n, k + 1, &closed);
	default:
		break;
	}
	while (k < n && k - i < 16 && s[k] >= 0x20 && s[k] <= 0x2f)
		k++;
	if (k < n && s[k] >= 0x30 && s[k] <= 0x7e)
		return k + 1;
	return i;
}

/* The 8-bit forms: c is the C1 code, i is behind it. Returns where it ends, or 0 when it is not to be removed. */
static size_t
skip_c1(const char *s, size_t n, size_t i, unsigned c)
{
	bool closed = true;
	size_t end = 0;

	if (c == 0x9b)
		end = skip_csi(s, n, i);
	else if (c == 0x90 || c == 0x98 || (c >= 0x9d && c <= 0x9f))
		end = skip_string(s, n, i, &closed);
	return closed ? end : 0;
}

static void
put(struct cleaner *c, const char *s, size_t n, int width)
{
	strbuf_add(c->out, s, n);
	c->column += width;
}

static void
put_code(struct cleaner *c, unsigned code, int digits)
{
	char t[16];
	int n = snprintf(t, sizeof(t), "<%0*x>", digits, code);

	put(c, t, (size_t)n, n);
	c->marks = 0;
	c->cluster = false;
}

static void
put_control(struct cleaner *c, unsigned char b)
{
	char t[2] = {'^', (char)(b ^ 0x40)};

	put(c, t, 2, 2);
	c->cluster = false;
}

static bool
is_format_control(uint32_t cp)
{
	return (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2060 && cp <= 0x2064) ||
	    (cp >= 0x2066 && cp <= 0x206f) || cp == 0xfeff || cp == 0x061c || cp == 0x00ad || cp == 0x180e ||
	    (cp >= 0xe0001 && cp <= 0xe007f) || (cp >= 0xfff9 && cp <= 0xfffb);
}

static void
put_char(struct cleaner *c, const char *s, size_t len, uint32_t cp)
{
	int w = text_cp_width(cp);

	if ((cp == 0x200d || cp == 0xfe0f) && c->cluster && c->marks < MARKS_MAX) {
		c->marks++;
		put(c, s, len, 0);
		return;
	}
	if (is_format_control(cp)) {
		put_code(c, cp, 4);
		return;
	}
	if (w == 0) {
		if (!c->cluster || c->marks >= MARKS_MAX)
			return;
		c->marks++;
		put(c, s, len, 0);
		return;
	}
	c->marks = 0;
	c->cluster = true;
	put(c, s, len, w);
}

/* The part behind the last CR that text follows: a progress bar writes over itself. */
static size_t
after_cr(const char *s, size_t *n)
{
	while (*n > 0 && s[*n - 1] == '\r')
		(*n)--;
	for (size_t i = *n; i > 0; i--)
		if (s[i - 1] == '\r')
			return i;
	return 0;
}

static size_t
clean_special(struct cleaner *c, const char *s, size_t n, size_t i)
{
	unsigned char b = (unsigned char)s[i];
	uint32_t cp;
	size_t len, end;

	if (b == '\t') {
		do
			put(c, " ", 1, 1);
		while (c->column % 8 != 0);
		c->cluster = false;
		return i + 1;
	}
	if (b == 0x1b && (end = skip_escape(s, n, i)) != i)
		return end;
	if (b < 0x20 || b == 0x7f) {
		put_control(c, b);
		return i + 1;
	}
	len = text_utf8(s + i, n - i, &cp);
	if (len == 0 || (cp >= 0x80 && cp < 0xa0)) {
		unsigned code = len == 0 ? b : cp;

		if (len == 0)
			len = 1;
		if (code < 0xa0 && (end = skip_c1(s, n, i + len, code)) != 0)
			return end;
		put_code(c, code, 2);
		return i + len;
	}
	put_char(c, s + i, len, cp);
	return i + len;
}

void
text_clean(struct strbuf *out, const char *s, size_t n, size_t max)
{
	struct cleaner c = {.out = out, .start = out->len};
	size_t i = memchr(s, '\r', n) != NULL ? after_cr(s, &n) : 0;

	while (i < n) {
		size_t run = i;

		if (out->len - c.start > max)
			break;
		while (run < n && s[run] >= 0x20 && s[run] < 0x7f)
			run++;
		if (run > i) {
			c.marks = 0;
			c.cluster = true;
			put(&c, s + i, run - i, (int)(run - i));
			i = run;
		} else {
			i = clean_special(&c, s, n, i);
		}
	}
	if (out->len - c.start > max) {
		size_t cut = c.start + max;

		while (cut > c.start && ((unsigned char)out->p[cut] & 0xc0) == 0x80)
			cut--;
		out->len = cut;
		strbuf_puts(out, "...");
	}
}
