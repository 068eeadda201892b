/* SPDX-License-Identifier: ISC
 * Matching lines. */
#include "ui/ui_pattern.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REGEX_BYTES 4096
#define COUNT_MAX 1000	/* of all {n} multiplied */

void
ui_pattern_clear(struct ui_pattern *p)
{
	if (p->regex)
		regfree(&p->re);
	memset(p, 0, sizeof(*p));
}

/* The larger number of "{2,5}". */
static long
count_of(const char *re)
{
	char *end;
	long a = strtol(re + 1, &end, 10), b = *end == ',' ? strtol(end + 1, NULL, 10) : 0;

	return a > b ? a : b;
}

/* What makes matching slow without measure. */
static const char *
too_much(const char *re)
{
	long all = 1;

	for (; *re != '\0'; re++) {
		if (re[0] == '\\' && re[1] != '\0') {
			if (isdigit((unsigned char)re[1]))
				return "no back references here";
			re++;
		} else if (re[0] == '{' && isdigit((unsigned char)re[1])) {
			long n = count_of(re);

			if (n > COUNT_MAX || (all *= n > 1 ? n : 1) > COUNT_MAX)
				return "its counts are too large";
		}
	}
	return NULL;
}

static int
compile(struct ui_pattern *p, struct err *e)
{
	const char *limit = too_much(p->body);
	char why[128];
	int rc;

	if (limit != NULL)
		return err_set(e, "bad expression: %s", limit);
	rc = regcomp(&p->re, p->body, REG_EXTENDED | (p->exact ? 0 : REG_ICASE));
	if (rc != 0) {
		regerror(rc, &p->re, why, sizeof(why));
		return err_set(e, "bad expression: %s", why);
	}
	p->regex = true;
	return 0;
}

static int
parse(struct ui_pattern *p, const char *text, struct err *e)
{
	bool regex = false;

	if (strlen(text) >= sizeof(p->text))
		return err_set(e, "that is too long: %zu bytes at most", sizeof(p->text) - 1);
	snprintf(p->text, sizeof(p->text), "%s", text);
	p->body = p->text;
	if (*p->body == '!') {
		p->invert = true;
		p->body++;
	}
	if (*p->body == '~') {
		regex = true;
		p->body++;
	}
	p->n = strlen(p->body);
	if (p->n == 0) {
		ui_pattern_clear(p);
		return 0;
	}
	for (const char *c = p->body; *c != '\0'; c++)
		p->exact = p->exact || isupper((unsigned char)*c);
	return regex ? compile(p, e) : 0;
}

int
ui_pattern_set(struct ui_pattern *p, const char *text, struct err *e)
{
	struct ui_pattern trial = {0};
	int rc = parse(&trial, text, e);

	ui_pattern_clear(&trial);
	if (rc != 0)
		return -1;
	ui_pattern_clear(p);
	return parse(p, text, e);
}

static const char *
find_nocase(const char *line, const char *what, size_t n)
{
	char both[3] = {(char)tolower((unsigned char)what[0]), (char)toupper((unsigned char)what[0]), '\0'};

	for (line = strpbrk(line, both); line != NULL; line = strpbrk(line + 1, both)) {
		size_t i = 1;

		while (i < n && tolower((unsigned char)line[i]) == tolower((unsigned char)what[i]))
			i++;
		if (i == n)
			return line;
	}
	return NULL;
}

static bool
exec_regex(const struct ui_pattern *p, const char *line, size_t n, int flags, regmatch_t *m)
{
	char head[REGEX_BYTES];

	if (n >= sizeof(head)) {
		memcpy(head, line, sizeof(head) - 1);
		head[sizeof(head) - 1] = '\0';
		line = head;
	}
	return regexec(&p->re, line, m != NULL ? 1 : 0, m, flags) == 0;
}

size_t
ui_pattern_find(const struct ui_pattern *p, const char *line, size_t from, size_t *at)
{
	const char *hit;
	regmatch_t m;

	if (p->text[0] == '\0' || p->invert)
		return 0;
	if (p->regex) {
		if (!exec_regex(p, line + from, strlen(line + from), from > 0 ? REG_NOTBOL : 0, &m))
			return 0;
		*at = from + (size_t)m.rm_so;
		return m.rm_eo > m.rm_so ? (size_t)(m.rm_eo - m.rm_so) : 0;
	}
	hit = p->exact ? strstr(line + from, p->body) : find_nocase(line + from, p->body, p->n);
	if (hit == NULL)
		return 0;
	*at = (size_t)(hit - line);
	return p->n;
}

bool
ui_pattern_match(const struct ui_pattern *p, const char *line, size_t n)
{
	bool hit;

	if (p->text[0] == '\0')
		return true;
	if (p->regex)
		hit = exec_regex(p, line, n, 0, NULL);
	else if (p->n > n)
		hit = false;
	else
		hit = (p->exact ? strstr(line, p->body) : find_nocase(line, p->body, p->n)) != NULL;
	return hit != p->invert;
}
