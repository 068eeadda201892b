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
	struct text_color *colors;	/* NULL: not wanted */
	size_t ncolors;
};

/* From here on. A colour that nothing was written in is none. */
static void
note_color(struct cleaner *c, uint8_t color)
{
	uint32_t at = (uint32_t)(c->out->len - c->start);

	if (c->ncolors > 0 && c->colors[c->ncolors - 1].at == at)
		c->ncolors--;
	if (color == (c->ncolors > 0 ? c->colors[c->ncolors - 1].color : TEXT_COLOR_NONE) || c->ncolors == TEXT_COLORS_MAX)
		return;
	if (c->ncolors == TEXT_COLORS_MAX - 1)
		color = TEXT_COLOR_NONE;
	c->colors[c->ncolors++] = (struct text_color){at, color};
}

/* The parameters of an SGR: the last that speaks of the foreground. Colours of larger palettes are none of ours. */
static void
take_sgr(struct cleaner *c, const char *p, const char *end)
{
	int color = -1;

	if (p < end && *p >= '<' && *p <= '?')
		return;		/* of a terminal's own */
	do {
		int n = 0, digits = 0;

		for (; p < end && *p >= '0' && *p <= '9'; p++)
			n = ++digits < 4 ? n * 10 + (*p - '0') : 999;
		if (p < end && *p != ';')
			n = 999;
		if (n == 0 || n == 39)
			color = TEXT_COLOR_NONE;
		else if (n >= 30 && n <= 37)
			color = n - 30;
		else if (n >= 90 && n <= 97)
			color = n - 90 + 8;
		else if (n == 38)
			color = TEXT_COLOR_NONE;
		/* What follows 38 and 48 are no parameters of their own. */
		if (n == 38 || n == 48)
			break;
		p = memchr(p, ';', (size_t)(end - p));
	} while (p != NULL && ++p <= end);
	if (color >= 0)
		note_color(c, (uint8_t)color);
}

/* After what removes a CSI's parameters and final byte; i is behind the introducer. */
static size_t
skip_csi(struct cleaner *c, const char *s, size_t n, size_t i)
{
	size_t end = n - i > SEQUENCE_MAX ? i + SEQUENCE_MAX : n, from = i;

	while (i < end && (unsigned char)s[i] >= 0x20 && (unsigned char)s[i] <= 0x3f)
		i++;
	if (i < end && s[i] == 'm' && c->colors != NULL)
		take_sgr(c, s + from, s + i);
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
skip_escape(struct cleaner *c, const char *s, size_t n, size_t i)
{
	size_t k = i + 1;
	bool closed;

	if (k >= n)
		return i;
	switch (s[k]) {
	case '[':
		return skip_csi(c, s, n, k + 1);
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

/* The 8-bit forms: code is the C1 code, i is behind it. Returns where it ends, or 0 when it is not to be removed. */
static size_t
skip_c1(struct cleaner *c, const char *s, size_t n, size_t i, unsigned code)
{
	bool closed = true;
	size_t end = 0;

	if (code == 0x9b)
		end = skip_csi(c, s, n, i);
	else if (code == 0x90 || code == 0x98 || (code >= 0x9d && code <= 0x9f))
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

bool
text_is_format(uint32_t cp)
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
	if (text_is_format(cp)) {
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
	if (b == 0x1b && (end = skip_escape(c, s, n, i)) != i)
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
		if (code < 0xa0 && (end = skip_c1(c, s, n, i + len, code)) != 0)
			return end;
		put_code(c, code, 2);
		return i + len;
	}
	put_char(c, s + i, len, cp);
	return i + len;
}

static size_t
clean(struct strbuf *out, const char *s, size_t n, size_t max, struct text_color *colors)
{
	struct cleaner c = {.out = out, .start = out->len, .colors = colors};
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
	/* None behind the end; the last one may have coloured nothing. */
	while (c.ncolors > 0 && c.colors[c.ncolors - 1].at >= out->len - c.start)
		c.ncolors--;
	return c.ncolors;
}

void
text_clean(struct strbuf *out, const char *s, size_t n, size_t max)
{
	clean(out, s, n, max, NULL);
}

size_t
text_clean_colors(struct strbuf *out, const char *s, size_t n, size_t max, struct text_color colors[TEXT_COLORS_MAX])
{
	return clean(out, s, n, max, colors);
}
