/* SPDX-License-Identifier: ISC
 * Hostile text on its way to a terminal. */
#include <string.h>

#include "base/text.h"
#include "fuzz.h"

#define MAX 512

/* Nothing that a terminal would obey, turn around or hide; at most two marks on a character. */
static void
check_clean(const char *s, size_t n)
{
	int marks = 0;
	uint32_t cp;

	for (size_t i = 0, k; i < n; i += k) {
		k = text_utf8(s + i, n - i, &cp);
		INSIST(k > 0);
		INSIST(cp >= 0x20 && cp != 0x7f && !(cp >= 0x80 && cp < 0xa0));
		INSIST(!(cp >= 0x202a && cp <= 0x202e) && !(cp >= 0x2066 && cp <= 0x2069) && cp != 0x200b && cp != 0xfeff);
		INSIST(cp != 0x200e && cp != 0x200f && cp != 0x2028 && cp != 0x2029);
		marks = text_cp_width(cp) == 0 ? marks + 1 : 0;
		INSIST(marks <= 2);
	}
}

/* What was cut to a width is not wider, and is still whole characters. */
static void
check_clips(const char *s)
{
	char out[4 * MAX];

	for (int cols = 0; cols < 40; cols += 13) {
		INSIST(text_clip_end(out, sizeof(out), s, cols, "~") <= cols && text_width(out) <= cols);
		check_clean(out, strlen(out));
		INSIST(text_clip_middle(out, sizeof(out), s, cols, "~") <= cols && text_width(out) <= cols);
		check_clean(out, strlen(out));
		INSIST(text_clip_start(out, sizeof(out), s, cols, "~") <= cols && text_width(out) <= cols);
		check_clean(out, strlen(out));
	}
}

/* Colours change nothing of the text, rise, and stand within it. */
static void
check_colors(const char *data, size_t size, const char *want)
{
	struct text_color colors[TEXT_COLORS_MAX];
	struct strbuf b = STRBUF_INIT;
	size_t n;

	strbuf_puts(&b, "before ");
	n = text_clean_colors(&b, data, size, MAX, colors);
	INSIST(strcmp(strbuf_str(&b), want) == 0 && n <= TEXT_COLORS_MAX);
	for (size_t i = 0; i < n; i++)
		INSIST(colors[i].at < b.len - 7 && colors[i].color <= TEXT_COLOR_NONE && (i == 0 || colors[i].at > colors[i - 1].at));
	strbuf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strbuf once = STRBUF_INIT, twice = STRBUF_INIT;

	strbuf_puts(&once, "before ");
	text_clean(&once, (const char *)data, size, MAX);
	INSIST(strncmp(strbuf_str(&once), "before ", 7) == 0);
	INSIST(once.len <= 7 + MAX + 3 && strlen(strbuf_str(&once)) == once.len);
	check_clean(strbuf_str(&once) + 7, once.len - 7);
	check_clips(strbuf_str(&once) + 7);
	check_colors((const char *)data, size, strbuf_str(&once));
	/* Clean text stays as it is. */
	text_clean(&twice, strbuf_str(&once) + 7, once.len - 7, 2 * MAX);
	INSIST(strcmp(strbuf_str(&twice), strbuf_str(&once) + 7) == 0);
	strbuf_fini(&once);
	strbuf_fini(&twice);
	return 0;
}
