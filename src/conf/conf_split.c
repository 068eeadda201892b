/* SPDX-License-Identifier: ISC
 * Command lines: words without a shell, and the few variables that are put into them at the last moment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "conf/conf_priv.h"

#define WORDS_MAX 4096	/* a command line is not a book */

struct splitter {
	const char *p;
	size_t nwords;
	struct strbuf word;
	bool in_word;
	char **words;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void
end_word(struct splitter *s)
{
	if (s->in_word && s->nwords++ < WORDS_MAX)
		strv_add(&s->words, strbuf_str(&s->word));
	strbuf_clear(&s->word);
	s->in_word = false;
}

/* At the opening quote. Inside double quotes a backslash escapes only what it does in a shell. */
static int
quoted(struct splitter *s, struct err *e)
{
	char quote = *s->p++;

	s->in_word = true;
	for (; *s->p != quote; s->p++) {
		if (*s->p == '\0')
			return err_set(e, "a %s quote is not closed", quote == '"' ? "double" : "single");
		if (quote == '"' && *s->p == '\\' && s->p[1] != '\0' && strchr("\"\\$`\n", s->p[1]) != NULL) {
			if (*++s->p == '\n')
				continue;
		}
		strbuf_putc(&s->word, *s->p);
	}
	s->p++;
	return 0;
}

/* Past a backslash that ends its line, blanks behind it or not: the next line goes on. NULL: it escapes something. */
static const char *
continued(const char *p)
{
	if (*p != '\\')
		return NULL;
	p += 1 + strspn(p + 1, " \t\r");
	return *p == '\n' ? p + 1 : NULL;
}

static int
one_char(struct splitter *s, struct err *e)
{
	if (*s->p == '\'' || *s->p == '"')
		return quoted(s, e);
	if (*s->p == '\\') {
		const char *next = continued(s->p++);

		if (next != NULL) {
			s->p = next;
			return 0;
		}
		if (*s->p == '\0')
			return err_set(e, "a backslash at the end escapes nothing");
	}
	s->in_word = true;
	strbuf_putc(&s->word, *s->p++);
	return 0;
}

/* At the start of a line: past it when it is a comment. */
static bool
skip_comment(struct splitter *s)
{
	const char *p = s->p + strspn(s->p, " \t");

	if (*p != '#')
		return false;
	s->p = p + strcspn(p, "\n");
	return true;
}

char **
conf_split(const char *cmd, struct err *e)
{
	struct splitter s = {.p = cmd};
	bool line_start = true, failed = false;

	while (*s.p != '\0' && !failed) {
		if (line_start && skip_comment(&s))
			continue;
		line_start = *s.p == '\n';
		if (is_blank(*s.p)) {
			end_word(&s);
			s.p++;
		} else {
			/* A comment may also follow a continued line. */
			line_start = continued(s.p) != NULL;
			failed = one_char(&s, e) < 0;
		}
	}
	if (!failed) {
		end_word(&s);
		if (s.words == NULL) {
			err_set(e, "the command is empty");
			failed = true;
		}
		if (s.nwords > WORDS_MAX) {
			err_set(e, "the command has more than %d words", WORDS_MAX);
			failed = true;
		}
	}
	strbuf_fini(&s.word);
	if (failed)
		strv_free(&s.words);
	return s.words;
}

char *
conf_uncommented(const char *cmd)
{
	struct splitter s = {.p = cmd};
	bool line_start = true;
	char quote = '\0';

	while (*s.p != '\0') {
		if (line_start && quote == '\0' && skip_comment(&s)) {
			strbuf_putc(&s.word, '#');
			line_start = false;
			continue;
		}
		if (quote == '\0' ? *s.p == '\'' || *s.p == '"' : *s.p == quote)
			quote = quote == '\0' ? *s.p : '\0';
		else if (*s.p == '\\' && quote != '\'' && s.p[1] != '\0')
			strbuf_putc(&s.word, *s.p++);
		line_start = *s.p == '\n';
		strbuf_putc(&s.word, *s.p++);
	}
	return strbuf_take(&s.word);
}

char *
conf_subst(const char *text, const struct conf_var *vars, size_t n)
{
	struct strbuf out = STRBUF_INIT;

	while (*text != '\0') {
		const char *end = text[0] == '$' && text[1] == '{' ? strchr(text, '}') : NULL;
		const char *value = NULL;

		for (size_t i = 0; end != NULL && i < n; i++)
			if (strlen(vars[i].name) == (size_t)(end - text - 2) &&
			    strncmp(text + 2, vars[i].name, (size_t)(end - text - 2)) == 0)
				value = vars[i].value;
		if (value != NULL) {
			strbuf_puts(&out, value);
			text = end + 1;
		} else {
			strbuf_putc(&out, *text++);
		}
	}
	return strbuf_take(&out);
}

bool
conf_mentions(char *const *words, const char *var)
{
	char name[32];

	snprintf(name, sizeof(name), "${%s}", var);
	for (; words != NULL && *words != NULL; words++)
		if (strstr(*words, name) != NULL)
			return true;
	return false;
}

char **
conf_argv(char *const *words, int port, long pid, const char *model_id)
{
	char port_text[16], pid_text[24], *word, **out = NULL;
	struct conf_var vars[3];
	size_t n = 0;

	snprintf(port_text, sizeof(port_text), "%d", port);
	snprintf(pid_text, sizeof(pid_text), "%ld", pid);
	if (port > 0)
		vars[n++] = (struct conf_var){"PORT", port_text};
	if (pid > 0)
		vars[n++] = (struct conf_var){"PID", pid_text};
	if (model_id != NULL)
		vars[n++] = (struct conf_var){"MODEL_ID", model_id};
	for (; words != NULL && *words != NULL; words++) {
		word = conf_subst(*words, vars, n);
		strv_add(&out, word);
		free(word);
	}
	return out;
}
