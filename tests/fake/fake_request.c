/* SPDX-License-Identifier: ISC
 * Reading one request: lenient on purpose, because what arrives is recorded and judged by the tests. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fake.h"

/* Plain memmem: it is not in every libc's headers. */
static const char *
find(const char *hay, size_t n, const char *needle)
{
	size_t m = strlen(needle);

	for (size_t i = 0; i + m <= n; i++)
		if (hay[i] == needle[0] && memcmp(hay + i, needle, m) == 0)
			return hay + i;
	return NULL;
}

const char *
fake_head(const struct fake_conn *c, const char *name, size_t *len)
{
	size_t n = strlen(name);
	const char *p = c->in.data, *end = c->in.data + c->head_len;

	while ((p = find(p, (size_t)(end - p), "\r\n")) != NULL) {
		p += 2;
		if ((size_t)(end - p) > n && strncasecmp(p, name, n) == 0 && p[n] == ':') {
			const char *v = p + n + 1, *eol;

			v += strspn(v, " \t");
			eol = find(v, (size_t)(end - v), "\r\n");
			*len = (size_t)((eol != NULL ? eol : end) - v);
			return v;
		}
	}
	return NULL;
}

static bool
head_has(const struct fake_conn *c, const char *name, const char *word)
{
	size_t len, n = strlen(word);
	const char *v = fake_head(c, name, &len);

	for (size_t i = 0; v != NULL && i + n <= len; i++)
		if (strncasecmp(v + i, word, n) == 0)
			return true;
	return false;
}

/* The whole chunked body, decoded; 1, 0 or -1 as fake_parse. */
static int
dechunk(struct fake_conn *c)
{
	struct fake_buf b = {0};
	const char *p = c->in.data + c->head_len, *end = c->in.data + c->in.len;

	for (;;) {
		const char *eol = find(p, (size_t)(end - p), "\r\n");
		char *stop;
		unsigned long n;

		if (eol == NULL)
			break;
		n = strtoul(p, &stop, 16);
		if (stop == p) {
			free(b.data);
			return -1;
		}
		p = eol + 2;
		if ((size_t)(end - p) < n + 2)
			break;
		fake_add(&b, p, n);
		p += n + 2;
		if (n == 0) {
			c->body = b.data;
			c->body_len = b.len;
			c->body_owned = true;
			c->total = (size_t)(p - c->in.data);
			return 1;
		}
	}
	free(b.data);
	return 0;
}

/* The value after "key": in the body, or NULL; good enough for what tests send. */
static const char *
value(const struct fake_conn *c, const char *key)
{
	char quoted[64];
	const char *p;

	quoted[0] = '"';
	memcpy(quoted + 1, key, strlen(key) + 1);
	strncat(quoted, "\"", 2);
	p = c->body_len > 0 ? find(c->body, c->body_len, quoted) : NULL;
	if (p == NULL)
		return NULL;
	p += strlen(quoted);
	p += strspn(p, " \t\r\n");
	if (*p != ':')
		return NULL;
	p++;
	return p + strspn(p, " \t\r\n");
}

static void
read_body(struct fake_conn *c)
{
	const char *v;
	size_t len = 0;

	c->model[0] = '\0';
	v = value(c, "model");
	if (v != NULL && *v == '"') {
		const char *end = strchr(++v, '"');

		len = end != NULL ? (size_t)(end - v) : 0;
		if (len >= sizeof(c->model))
			len = sizeof(c->model) - 1;
		memcpy(c->model, v, len);
		c->model[len] = '\0';
	}
	v = value(c, "stream");
	c->stream = v != NULL && strncmp(v, "true", 4) == 0;
	v = value(c, "max_tokens");
	c->max_tokens = v != NULL ? strtol(v, NULL, 10) : 0;
	v = value(c, "include_usage");
	c->want_usage = v != NULL && strncmp(v, "true", 4) == 0;
}

/* The word from *p up to a blank. */
static void
word(const char **p, char *to, size_t size)
{
	size_t n = strcspn(*p, " \r\n"), keep = n < size ? n : size - 1;

	memcpy(to, *p, keep);
	to[keep] = '\0';
	*p += n + (**p != '\0' && (*p)[n] == ' ');
}

int
fake_parse(struct fake_conn *c)
{
	const char *end = c->in.len > 0 ? find(c->in.data, c->in.len, "\r\n\r\n") : NULL, *p = c->in.data, *v;
	size_t len;

	if (end == NULL)
		return c->in.len > 1 << 20 ? -1 : 0;
	c->head_len = (size_t)(end - c->in.data) + 4;
	word(&p, c->method, sizeof(c->method));
	word(&p, c->path, sizeof(c->path));
	c->keep = strncmp(p, "HTTP/1.1", 8) == 0 && !head_has(c, "Connection", "close");
	if (head_has(c, "Transfer-Encoding", "chunked")) {
		int r = dechunk(c);

		if (r != 1)
			return r;
	} else {
		v = fake_head(c, "Content-Length", &len);
		c->body_len = v != NULL ? (size_t)strtoul(v, NULL, 10) : 0;
		c->total = c->head_len + c->body_len;
		if (c->in.len < c->total)
			return 0;
		c->body = c->in.data + c->head_len;
	}
	read_body(c);
	return 1;
}
