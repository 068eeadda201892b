/* SPDX-License-Identifier: ISC
 * What a person searches or filters for: literal with smart case, "~" in front: a regular expression, "!": inverted. */
#ifndef UI_UI_PATTERN_H
#define UI_UI_PATTERN_H

#include <regex.h>
#include <stdbool.h>

#include "base/err.h"

struct ui_pattern {
	char text[128];		/* as typed; empty: none */
	const char *body;	/* behind the marks */
	bool invert, regex, exact;
	regex_t re;
};

/* Replaces it; an empty text clears. -1 with why for a bad expression (it is cleared then). Zeroed is empty. */
int ui_pattern_set(struct ui_pattern *p, const char *text, struct err *e);
void ui_pattern_clear(struct ui_pattern *p);
/* Whether a line passes; an empty pattern lets everything pass. */
bool ui_pattern_match(const struct ui_pattern *p, const char *line);

#endif
