/* SPDX-License-Identifier: ISC
 * Multipart forms, as far as the field "model" is concerned. Read the way those read them who will get the form: where
 * two readers might see different models it is refused. */
#include <string.h>
#include <strings.h>

#include "proxy/proxy_model.h"

struct param {
	const char *name, *value;
	size_t nname, nvalue;
	bool quoted;
};

static bool
blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The next "; name=value" of p[0..n); the bytes it took, 0 when there is none. */
static size_t
next_param(const char *p, size_t n, struct param *out)
{
	const char *semicolon = n != 0 ? memchr(p, ';', n) : NULL;
	size_t i = semicolon != NULL ? (size_t)(semicolon - p) : n;

	*out = (struct param){.name = p};
	while (i < n && (p[i] == ';' || blank(p[i])))
		i++;
	if (i == n)
		return 0;
	out->name = p + i;
	while (i < n && p[i] != '=' && p[i] != ';' && !blank(p[i]))
		i++;
	out->nname = (size_t)(p + i - out->name);
	while (i < n && blank(p[i]))
		i++;
	if (i == n || p[i] != '=')
		return i;
	for (i++; i < n && blank(p[i]); i++)
		;
	out->quoted = i < n && p[i] == '"';
	i += out->quoted;
	out->value = p + i;
	while (i < n && (out->quoted ? p[i] != '"' : p[i] != ';' && !blank(p[i])))
		i += out->quoted && p[i] == '\\' && i + 1 < n ? 2 : 1;
	out->nvalue = (size_t)(p + i - out->value);
	return i + (out->quoted && i < n);
}

static bool
is_named(const struct param *a, const char *name)
{
	return a->nname == strlen(name) && strncasecmp(a->name, name, a->nname) == 0;
}

/* Whether the value is that word, backslashes of a quoted one resolved. */
static bool
says(const struct param *a, const char *word)
{
	size_t i = 0;

	for (; *word != '\0' && i < a->nvalue; word++, i++) {
		if (a->quoted && a->value[i] == '\\' && i + 1 < a->nvalue)
			i++;
		if (a->value[i] != *word)
			return false;
	}
	return *word == '\0' && i == a->nvalue;
}

bool
proxy_form_boundary(const char *type, size_t n, const char **boundary, size_t *nboundary)
{
	struct param a;
	size_t used, found = 0;

	while ((used = next_param(type, n, &a)) != 0) {
		if (is_named(&a, "boundary")) {
			*boundary = a.value;
			*nboundary = a.nvalue;
			found++;
		}
		type += used;
		n -= used;
	}
	return found == 1 && *nboundary >= 1 && *nboundary <= PROXY_BOUNDARY_MAX &&
	    memchr(*boundary, '\\', *nboundary) == NULL;
}

static const char *
find(const char *p, const char *end, const char *what, size_t n)
{
	return p < end ? memmem(p, (size_t)(end - p), what, n) : NULL;
}

/* Whether a line of a part's head names the field "model" and no file. */
static bool
line_names_model(const char *line, size_t n)
{
	static const char cd[] = "content-disposition:";
	bool model = false, file = false;
	struct param a;
	size_t used;

	if (n < sizeof(cd) - 1 || strncasecmp(line, cd, sizeof(cd) - 1) != 0)
		return false;
	while ((used = next_param(line, n, &a)) != 0) {
		model = model || (is_named(&a, "name") && says(&a, "model"));
		file = file || is_named(&a, "filename") || is_named(&a, "filename*");
		line += used;
		n -= used;
	}
	return model && !file;
}

static bool
names_model(const char *p, const char *end)
{
	while (p < end) {
		const char *eol = find(p, end, "\r\n", 2);

		if (eol == NULL)
			eol = end;
		if (line_names_model(p, (size_t)(eol - p)))
			return true;
		p = eol + 2;
	}
	return false;
}

int
proxy_multipart_model(const char *body, size_t n, const char *boundary, size_t nboundary, size_t *at, size_t *len)
{
	char mark[PROXY_BOUNDARY_MAX + 4] = "\r\n--";
	size_t nmark = nboundary + 4;
	const char *p, *end = body + n;
	int found = 0;

	if (nboundary == 0 || nboundary > PROXY_BOUNDARY_MAX || n < nmark)
		return 0;
	memcpy(mark + 4, boundary, nboundary);
	p = memcmp(body, mark + 2, nmark - 2) == 0 ? body + nmark - 2 : find(body, end, mark, nmark);
	if (p != NULL && p != body + nmark - 2)
		p += nmark;
	while (p != NULL && end - p > 4 && p[0] == '\r' && p[1] == '\n') {
		const char *head_end = find(p, end, "\r\n\r\n", 4), *next;

		if (head_end == NULL)
			break;
		next = find(head_end + 2, end, mark, nmark);
		if (next == NULL)
			break;
		if (names_model(p + 2, head_end)) {
			if (found++ != 0)
				return -1;
			*at = (size_t)(head_end + 4 - body);
			*len = next >= head_end + 4 ? (size_t)(next - head_end - 4) : 0;
		}
		p = next + nmark;
	}
	return found;
}
