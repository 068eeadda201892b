/* SPDX-License-Identifier: ISC
 * Taking such paths apart. */
#include "proxy/proxy_upstream.h"

#include <string.h>

#include "base/text.h"

/* How many bytes of p[0..n) spell the name up to the end of a segment; 0 when they do not. */
static size_t
spelled(const char *name, const char *p, size_t n)
{
	size_t i = 0;

	for (; *name != '\0'; name++) {
		int c;

		if (i >= n)
			return 0;
		c = (unsigned char)p[i];
		if (c == '%') {
			int hi = n - i < 3 ? -1 : text_hex(p[i + 1]), lo = n - i < 3 ? -1 : text_hex(p[i + 2]);

			c = hi < 0 || lo < 0 ? -1 : hi << 4 | lo;
			if (c == '/')
				return 0;
			i += 2;
		}
		if (c != (unsigned char)*name)
			return 0;
		i++;
	}
	return i == n || p[i] == '/' ? i : 0;
}

static void
try_name(const struct conf_model *m, const char *name, const char *p, size_t n, struct proxy_upstream_at *best)
{
	size_t used = spelled(name, p, n);

	if (used == 0 || (best->name != NULL && strlen(best->name) >= strlen(name)))
		return;
	*best = (struct proxy_upstream_at){.model = m, .name = name, .rest = {p + used, n - used}};
}

enum proxy_upstream
proxy_upstream_split(const struct conf *c, struct http_str path, struct proxy_upstream_at *out)
{
	static const char prefix[] = PROXY_UPSTREAM;
	size_t skip = sizeof(prefix) - 1;

	*out = (struct proxy_upstream_at){.model = NULL};
	if (path.n < skip || memcmp(path.p, prefix, skip) != 0)
		return UPSTREAM_NONE;
	for (size_t i = 0; i < c->nmodels; i++) {
		const struct conf_model *m = c->models[i];

		try_name(m, m->id, path.p + skip, path.n - skip, out);
		for (char **a = m->aliases; a != NULL && *a != NULL; a++)
			try_name(m, *a, path.p + skip, path.n - skip, out);
	}
	if (out->model == NULL)
		return UPSTREAM_UNKNOWN;
	return out->rest.n == 0 ? UPSTREAM_BARE : UPSTREAM_PATH;
}

bool
proxy_is_asset(struct http_str method, struct http_str path)
{
	/* No .html: a page is what a person opens, and that may take a load. */
	static const char *const kinds[] = {
		"js", "mjs", "css", "map", "wasm", "png", "jpg", "jpeg", "gif", "svg", "ico", "webp", "avif", "woff", "woff2",
		"ttf", "otf", "webmanifest",
	};
	size_t at = path.n;

	if (!http_str_eq(method, "GET") && !http_str_eq(method, "HEAD"))
		return false;
	while (at > 0 && path.p[at - 1] != '.' && path.p[at - 1] != '/')
		at--;
	if (at == 0 || path.p[at - 1] == '/')
		return false;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (http_str_ieq((struct http_str){path.p + at, path.n - at}, kinds[i]))
			return true;
	return false;
}
