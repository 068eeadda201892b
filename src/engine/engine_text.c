/* SPDX-License-Identifier: ISC
 * What a line of an engine's log says: its level, whether a pattern matches, which of many lines tells the cause. */
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xmalloc.h"
#include "engine/engine_policy.h"

#define LEVEL_WINDOW 64		/* an explicit level stands near the start of a line */

struct pattern {
	regex_t re;
	char literal[48];
};

struct policy_patterns {
	struct pattern *v;	/* (owned) */
	size_t n;
};

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The level that a logger wrote: a word of capitals on its own near the start; a single letter only between blanks. */
static char
explicit_level(const char *s, size_t n)
{
	static const struct {
		const char *word;
		char level;
	} words[] = {{"ERROR", 'E'}, {"ERR", 'E'}, {"CRITICAL", 'E'}, {"FATAL", 'E'}, {"E", 'E'}, {"WARNING", 'W'},
		{"WARN", 'W'}, {"W", 'W'}, {"INFO", 'I'}, {"I", 'I'}, {"DEBUG", 'I'}, {"D", 'I'}, {"TRACE", 'I'}};
	size_t end = n < LEVEL_WINDOW ? n : LEVEL_WINDOW;

	for (size_t i = 0; i < end;) {
		size_t from = i;

		while (i < end && s[i] >= 'A' && s[i] <= 'Z')
			i++;
		if (i == from) {
			i++;
			continue;
		}
		if ((from > 0 && is_alnum(s[from - 1])) || (i < n && is_alnum(s[i])))
			continue;
		if (i - from == 1 && (from == 0 || s[from - 1] != ' ' || i >= n || s[i] != ' ' || from > 24))
			continue;
		for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++)
			if (strlen(words[w].word) == i - from && strncmp(words[w].word, s + from, i - from) == 0)
				return words[w].level;
	}
	return '\0';
}

/* Whether one of word_level's words may begin with it: asked for every byte of every line. */
static bool
begins_word(char c)
{
	switch (c) {
	case 'a':
	case 'e':
	case 'f':
	case 'g':
	case 'p':
	case 't':
	case 'w':
		return true;
	default:
		return false;
	}
}

static char
word_level(const char *s, size_t n)
{
#define WORD(s, level) {s, sizeof(s) - 1, level}
	static const struct {
		const char *word;
		size_t len;
		char level;
	} words[] = {WORD("error", 'E'), WORD("exception", 'E'), WORD("traceback", 'E'), WORD("fatal", 'E'),
		WORD("panic:", 'E'), WORD("abort", 'E'), WORD("terminating", 'E'), WORD("warning", 'W'),
		WORD("ggml_assert", 'E')};
#undef WORD
	char level = ' ';

	for (size_t i = 0; i < n && level != 'E'; i++) {
		char c = (char)(s[i] | 0x20);

		/* A word may begin after a small letter too: RuntimeError, ValueError. */
		if (!begins_word(c) || (i > 0 && is_alnum(s[i - 1]) && !(s[i] >= 'A' && s[i] <= 'Z')))
			continue;
		for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
			if (words[w].word[0] == c && n - i >= words[w].len &&
			    strncasecmp(s + i, words[w].word, words[w].len) == 0)
				level = words[w].level == 'E' || level == ' ' ? words[w].level : level;
		}
	}
	return level;
}

char
policy_level(const char *s, size_t n)
{
	char l = explicit_level(s, n);

	if (l != '\0')
		return l == 'I' ? ' ' : l;
	return word_level(s, n < 512 ? n : 512);
}

bool
policy_port_line(const char *s)
{
	return strcasestr(s, "address already in use") != NULL ||
	    strstr(s, "couldn't bind HTTP server socket") != NULL;
}

bool
policy_oom_line(const char *s)
{
	static const char *const words[] = {"out of memory", "outofmemory", "insufficient memory", "bad_alloc",
		"memoryerror", "cannot allocate memory", "failed to allocate"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasestr(s, words[i]) != NULL)
			return true;
	return false;
}

enum engine_reason
policy_permanent_reason(const char *s)
{
	static const char *const words[] = {"argument", "usage:", "unrecognized", "invalid choice", "no module named",
		"shared libraries", "vllm: error"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasestr(s, words[i]) != NULL)
			return REASON_CONFIG;
	return REASON_MODEL_MISSING;
}

/* The longest run of plain characters outside of groups. An alternation at the top means that none is needed. */
void
policy_literal(const char *p, char *out, size_t size)
{
	char run[48];
	size_t n = 0, best = 0;
	int depth = 0;

	out[0] = '\0';
	for (;; p++) {
		char c = *p;
		bool plain = false;

		if (c == '\\' && p[1] != '\0' && !is_alnum(p[1])) {
			c = *++p;
			plain = true;
		} else if (c == '[') {
			p += p[1] == '^' ? 1 : 0;
			p += p[1] == ']' ? 1 : 0;
			while (p[1] != '\0' && p[1] != ']')
				p++;
			p += p[1] == ']' ? 1 : 0;
		} else if (c == '(') {
			depth++;
		} else if (c == ')') {
			depth--;
		} else if (c == '|' && depth == 0) {
			out[0] = '\0';
			return;
		} else {
			plain = c != '\0' && strchr(".*?+{}^$|\\", c) == NULL;
		}
		/* What a ?, * or {0} follows need not be there. */
		if (n > 0 && (c == '?' || c == '*' || c == '{') && !plain)
			n--;
		if (plain && depth == 0 && n < sizeof(run) - 1) {
			run[n++] = c;
			continue;
		}
		if (n > best && n < size) {
			memcpy(out, run, n);
			out[n] = '\0';
			best = n;
		}
		n = 0;
		if (c == '{' && !plain)
			while (p[1] != '\0' && *p != '}')
				p++;
		if (*p == '\0')
			return;
	}
}

struct policy_patterns *
policy_patterns_new(const char *const *list)
{
	struct policy_patterns *p = xcalloc(1, sizeof(*p));

	for (; list != NULL && *list != NULL; list++) {
		p->v = xreallocarray(p->v, p->n + 1, sizeof(*p->v));
		if (regcomp(&p->v[p->n].re, *list, REG_EXTENDED) != 0)
			continue;
		policy_literal(*list, p->v[p->n].literal, sizeof(p->v[p->n].literal));
		p->n++;
	}
	return p;
}

void
policy_patterns_free(struct policy_patterns **pp)
{
	if (*pp == NULL)
		return;
	for (size_t i = 0; i < (*pp)->n; i++)
		regfree(&(*pp)->v[i].re);
	free((*pp)->v);
	free(*pp);
	*pp = NULL;
}

static bool
matches(const struct pattern *p, const char *line, size_t ngroups, regmatch_t *g)
{
	return (p->literal[0] == '\0' || strstr(line, p->literal) != NULL) &&
	    regexec(&p->re, line, ngroups, g, 0) == 0;
}

int
policy_match(const struct policy_patterns *p, const char *line)
{
	for (size_t i = 0; p != NULL && i < p->n; i++)
		if (matches(&p->v[i], line, 0, NULL))
			return (int)i;
	return -1;
}

static double
group_value(const char *line, const regmatch_t *g)
{
	return g->rm_so < 0 ? -1 : strtod(line + g->rm_so, NULL);
}

int
policy_progress(const struct policy_patterns *p, const char *line)
{
	for (size_t i = 0; p != NULL && i < p->n; i++) {
		regmatch_t g[3];
		double v, total;

		if (!matches(&p->v[i], line, 3, g) || p->v[i].re.re_nsub == 0)
			continue;
		v = group_value(line, &g[1]);
		total = p->v[i].re.re_nsub >= 2 ? group_value(line, &g[2]) : 100;
		if (v >= 0 && total > 0)
			return v >= total ? 1000 : (int)(v * 1000 / total);
	}
	return -1;
}

const char *
policy_cause(const struct policy_patterns *p, const char *const *lines, size_t n)
{
	for (size_t i = 0; p != NULL && i < p->n; i++)
		for (size_t l = n; l > 0; l--)
			if (matches(&p->v[i], lines[l - 1], 0, NULL))
				return lines[l - 1];
	for (size_t l = n; l > 0; l--)
		if (policy_level(lines[l - 1], strlen(lines[l - 1])) == 'E')
			return lines[l - 1];
	for (size_t l = n; l > 0; l--)
		if (lines[l - 1][strspn(lines[l - 1], " \t")] != '\0')
			return lines[l - 1];
	return NULL;
}
