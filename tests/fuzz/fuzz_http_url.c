/* SPDX-License-Identifier: ISC
 * Targets, hosts and queries. */
#include <string.h>

#include "fuzz.h"
#include "http/http_url.h"

/* An accepted path, decoded, has no dot segment, no empty one and no more slashes than it had. */
static void
check_path(struct http_str path)
{
	char *out = malloc(path.n + 1);
	size_t raw = 0, slashes = 0;

	INSIST(out != NULL && path.n > 0 && path.p[0] == '/');
	INSIST(http_url_decode(path, false, out, path.n + 1) == 0);
	for (size_t i = 0; i < path.n; i++)
		raw += path.p[i] == '/';
	for (const char *p = out; *p != '\0'; p++) {
		size_t n;

		INSIST(*p != '\\' && (unsigned char)*p >= ' ' && *p != 0x7f);
		if (*p != '/')
			continue;
		slashes++;
		n = strcspn(p + 1, "/");
		INSIST(n > 0 || p[1] == '\0');
		INSIST(!(n == 1 && p[1] == '.') && !(n == 2 && p[1] == '.' && p[2] == '.'));
	}
	INSIST(raw == slashes);
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_str s = {(const char *)data, size};
	struct http_url u;
	const char *why = NULL;
	char small[32], host[256];
	int port = -1, rc;

	rc = http_url_parse(s, &u, &why);
	INSIST((rc == 0) == (why == NULL));
	if (rc == 0) {
		check_path(u.path);
		INSIST(u.path.n + u.query.n <= size + 1);
		rc = http_url_param(u.query, "model", small, sizeof(small));
		INSIST(rc >= -1 && rc <= 1);
	}
	http_url_decode(s, true, small, sizeof(small));
	rc = http_host_parse(s, host, sizeof(host), &port);
	INSIST(rc == 0 || rc == -1);
	if (rc == 0)
		INSIST(host[0] != '\0' && port >= 0 && port <= 65535 && strlen(host) <= size);
	INSIST(http_host_parse(s, NULL, 0, &port) == rc);
	return 0;
}
