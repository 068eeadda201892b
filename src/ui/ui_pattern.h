/* SPDX-License-Identifier: ISC
 * What a person searches or filters for: literal with smart case, "~" in front: a regular expression, "!": inverted. */
#ifndef UI_UI_PATTERN_H
#define UI_UI_PATTERN_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define UI_PATTERN_MAX 128

enum ui_verdict { UI_UNKNOWN, UI_NO, UI_YES };

struct ui_pattern {
	char text[UI_PATTERN_MAX];	/* as typed; empty: none */
	const char *body;	/* behind the marks */
	size_t n;		/* its length */
	bool invert, regex, exact;
	regex_t re;
};

/* Replaces it; an empty text clears. -1 with why for a bad expression (it stays as it was then): what is too long, what does not
 * compile, back references and large counts, which take time without end. Zeroed is empty. */
int ui_pattern_set(struct ui_pattern *p, const char *text, struct err *e);
void ui_pattern_clear(struct ui_pattern *p);
/* Whether a line of n bytes passes; an empty pattern lets everything pass. Expressions see the first 4 KiB. */
bool ui_pattern_match(const struct ui_pattern *p, const char *line, size_t n);
/* Where the pattern is in a line, from byte `from` on: its length and *at; 0 when it is not there, or inverted. */
size_t ui_pattern_find(const struct ui_pattern *p, const char *line, size_t from, size_t *at);

#endif
