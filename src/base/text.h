/* SPDX-License-Identifier: ISC
 * Text for people: UTF-8, cell widths, cutting, human units, and the one function that makes hostile text harmless. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/* Decodes one character: its length in bytes (1..4) and code point, or 0 when the bytes are no valid UTF-8 (RFC 3629:
 * no surrogates, no overlong forms). n must be at least 1. */
size_t text_utf8(const char *s, size_t n, uint32_t *cp);

/* Encodes cp (at most 0x10ffff) into out, which holds 4 bytes; returns the length. */
size_t text_put_utf8(char *out, uint32_t cp);
/* The value of a hexadecimal digit, or -1. */
int text_hex(char c);

/* Appends s to out as text that is safe for any sink (terminal, file, JSON): valid UTF-8 without controls. CSI, OSC,
 * DCS, APC, PM and SOS sequences (7 and 8 bit) are removed, each at most 4 KiB long; other C0 and DEL become ^X; C1 and
 * bytes that do not decode become <9b>; tabs go to the next multiple of 8 columns; bidi controls and zero-width
 * characters (but ZWJ and VS16 inside a cluster) become <202e>; at most two combining marks on a character; at most max
 * bytes come out, then "..." marks the cut. Carriage returns: what precedes the last one that something follows is
 * dropped (a progress bar overwrites itself). s is one line without its newline. */
void text_clean(struct strbuf *out, const char *s, size_t n, size_t max);

/* Whether a character hides or turns what stands around it: bidi controls, zero-width ones, tags. */
bool text_is_format(uint32_t cp);

/* The colours that such a line had: from byte `at` of the clean text on. 0 to 7 are black, red, green, yellow, blue, magenta,
 * cyan and white, 8 to 15 their bright forms. */
#define TEXT_COLOR_NONE 16
#define TEXT_COLORS_MAX 16	/* of a line; later changes are left out, and the rest has none */
struct text_color {
	uint32_t at;
	uint8_t color;
};
/* text_clean that also notes the colours: SGR 30-37 and 90-97, and what ends them. Returns how many, in rising order of
 * at. */
size_t text_clean_colors(struct strbuf *out, const char *s, size_t n, size_t max, struct text_color colors[TEXT_COLORS_MAX]);

/* Columns of a valid UTF-8 string (wide characters two, combining none). */
int text_width(const char *s);
/* Columns of one code point: 0, 1 or 2; -1 for a control. Independent of the locale. */
int text_cp_width(uint32_t cp);

/* Each writes at most cols columns of s into out (size bytes, NUL-terminated, never a half character) and returns the
 * columns used. A wide character that would straddle the edge becomes a blank. Where s is too long an ellipsis (ell:
 * usually "…" or "~") stands at the end, in the middle, or at the start. */
int text_clip_end(char *out, size_t size, const char *s, int cols, const char *ell);
int text_clip_middle(char *out, size_t size, const char *s, int cols, const char *ell);
int text_clip_start(char *out, size_t size, const char *s, int cols, const char *ell);

/* text_size: "17.4G", "512B" in 1024s; text_count: "1204", "9.2k", "31k" in 1000s. */
void text_size(char *out, size_t size, uint64_t bytes);
void text_count(char *out, size_t size, uint64_t n);
/* "0.8s" "29s" "3m21s" "2h14m07s" "3d04h". Tenths only under 10 s and only when tenths is set. */
void text_duration(char *out, size_t size, uint64_t ms, bool tenths);

/* Parses "10", "1.5", "250ms", "10m", "2h", "1d" (plain numbers are seconds) to milliseconds; "64MiB", "10MB", "1g" or
 * plain bytes to bytes. 0, or -1 on anything else, negative or too large. */
int text_parse_duration(const char *s, uint64_t *ms) MUST_CHECK;
int text_parse_size(const char *s, uint64_t *bytes) MUST_CHECK;

/* Edit distance of at most max (larger: max + 1), for "did you mean". Case-insensitive. */
int text_distance(const char *a, const char *b, int max);

#endif
