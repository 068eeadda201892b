/* SPDX-License-Identifier: ISC
 * Matching lines. */
#include "ui/ui_pattern.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void
ui_pattern_clear(struct ui_pattern *p)
{
	if (p->regex)
		regfree(&p->re);
	memset(p, 0, sizeof(*p));
}

int
ui_pattern_set(struct ui_pattern *p, const char *text, struct err *e)
{
	char why[128];
	int rc;

	ui_pattern_clear(p);
	snprintf(p->text, sizeof(p->text), "%s", text);
	p->body = p->text;
	if (*p->body == '!') {
		p->invert = true;
		p->body++;
	}
	if (*p->body == '~') {
		p->body++;
		rc = regcomp(&p->re, p->body, REG_EXTENDED | REG_NOSUB);
		if (rc != 0) {
			regerror(rc, &p->re, why, sizeof(why));
			memset(p, 0, sizeof(*p));
			return err_set(e, "bad expression: %s", why);
		}
		p->regex = true;
	}
	if (*p->body == '\0') {
		ui_pattern_clear(p);
		return 0;
	}
	for (const char *c = p->body; *c != '\0'; c++)
		p->exact = p->exact || isupper((unsigned char)*c);
	return 0;
}

static bool
contains_nocase(const char *line, const char *what)
{
	size_t n = strlen(what);

	for (; *line != '\0'; line++)
		if (strncasecmp(line, what, n) == 0)
			return true;
	return false;
}

bool
ui_pattern_match(const struct ui_pattern *p, const char *line)
{
	bool hit;

	if (p->text[0] == '\0')
		return true;
	if (p->regex)
		hit = regexec(&p->re, line, 0, NULL, 0) == 0;
	else
		hit = p->exact ? strstr(line, p->body) != NULL : contains_nocase(line, p->body);
	return hit != p->invert;
}
