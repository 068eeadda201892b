/* SPDX-License-Identifier: ISC
 * Where a request's model is found: in JSON, in a form, in a path below /upstream/. */
#include <string.h>

#include "fuzz.h"
#include "http/http_url.h"
#include "proxy/proxy_model.h"
#include "proxy/proxy_upstream.h"

/* The same whatever the pieces; and once its model is replaced, a reader finds the new one. */
static void
json(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	const struct proxy_edit e = {.model = "\"own\"", .defaults = true};
	struct proxy_scan one = {0}, two = {0}, again = {0};
	struct strbuf b = STRBUF_INIT;
	char a[PROXY_MODEL_MAX], c[PROXY_MODEL_MAX];
	bool whole;
	int found;

	proxy_scan(&one, p, size);
	whole = proxy_scan_end(&one);
	proxy_scan(&two, p, fuzz_cut(data, size));
	proxy_scan(&two, p, size);
	INSIST(proxy_scan_end(&two) == whole && (one.error != NULL) == !whole);
	if (!whole)
		return;
	found = proxy_scan_model(&one, p, a, sizeof(a));
	INSIST(proxy_scan_model(&two, p, c, sizeof(c)) == found);
	INSIST(found != 1 || strcmp(a, c) == 0);
	if (found < 0)
		return;
	strbuf_add(&b, p, size);
	INSIST(proxy_body_edit(&b, &one, &e));
	proxy_scan(&again, b.p, b.len);
	INSIST(proxy_scan_end(&again));
	INSIST(proxy_scan_model(&again, b.p, a, sizeof(a)) == 1 && strcmp(a, "own") == 0);
	strbuf_fini(&b);
}

static void
form(const char *p, size_t size)
{
	const char *boundary;
	size_t at = 0, len = 0, n;
	int found;

	if (proxy_form_boundary(p, size, &boundary, &n))
		INSIST(n >= 1 && n <= PROXY_BOUNDARY_MAX && boundary >= p && boundary + n <= p + size);
	found = proxy_multipart_model(p, size, "X", 1, &at, &len);
	INSIST(found >= -1 && found <= 1);
	INSIST(found != 1 || (at <= size && len <= size - at));
}

static char *aliases[] = {(char[]){"a/b c"}, (char[]){"x%"}, NULL};
static struct conf_model m = {.id = (char[]){"a"}, .aliases = aliases}, deep = {.id = (char[]){"a/b/c"}};
static struct conf_model *models[] = {&m, &deep};
static const struct conf conf = {.models = models, .nmodels = 2};

/* What stands between the prefix and the rest is the name, and no longer one fits. */
static void
path(const char *p, size_t size)
{
	struct proxy_upstream_at at;
	struct http_str s = {p, size}, name;
	size_t skip = strlen(PROXY_UPSTREAM);
	char text[64];

	switch (proxy_upstream_split(&conf, s, &at)) {
	case UPSTREAM_NONE:
		INSIST(size < skip || memcmp(p, PROXY_UPSTREAM, skip) != 0);
		return;
	case UPSTREAM_UNKNOWN:
		INSIST(at.model == NULL);
		return;
	case UPSTREAM_BARE:
		INSIST(at.rest.n == 0);
		break;
	case UPSTREAM_PATH:
		INSIST(at.rest.n > 0 && at.rest.p[0] == '/');
		break;
	}
	INSIST(at.rest.p + at.rest.n == p + size);
	name = (struct http_str){p + skip, (size_t)(at.rest.p - p) - skip};
	INSIST(http_url_decode(name, false, text, sizeof(text)) == 0 && strcmp(text, at.name) == 0);
	if (at.model == &m && at.rest.n >= 4)
		INSIST(strcmp(at.name, "a") != 0 || memcmp(at.rest.p, "/b/c", 4) != 0 || (at.rest.n > 4 && at.rest.p[4] != '/'));
	proxy_is_asset((struct http_str){"GET", 3}, at.rest);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json(data, size);
	form((const char *)data, size);
	path((const char *)data, size);
	return 0;
}
