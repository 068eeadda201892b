/* SPDX-License-Identifier: ISC
 * Order matters: who connects, which host was meant, which page asks, and only then the key. */
#include "api/api_auth.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct http_str none;

static struct http_str
field(const struct http_head *h, const char *name)
{
	const struct http_field *f = http_field_find(h, name);

	return f == NULL ? none : f->value;
}

static bool
has_prefix(struct http_str s, const char *z)
{
	size_t n = strlen(z);

	return s.n >= n && memcmp(s.p, z, n) == 0;
}

bool
auth_equal(const char *a, size_t na, const char *b, size_t nb)
{
	size_t diff = na ^ nb;

	for (size_t i = 0; i < na; i++)
		diff |= (size_t)((unsigned char)a[i] ^ (unsigned char)(nb != 0 ? b[i % nb] : 0));
	return diff == 0;
}

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && strcasecmp(s + n - m, end) == 0;
}

static bool
is_address(const char *host)
{
	unsigned char buf[16];

	return inet_pton(AF_INET, host, buf) == 1 || inet_pton(AF_INET6, host, buf) == 1;
}

bool
auth_host_allowed(const struct conf *c, const char *host_name, struct http_str host)
{
	char name[256];
	size_t n;
	int port;

	if (http_host_parse(host, name, sizeof(name), &port) != 0)
		return false;
	n = strlen(name);
	if (n > 1 && name[n - 1] == '.')
		name[n - 1] = '\0';
	if (is_address(name) || strcasecmp(name, "localhost") == 0 || ends_with(name, ".localhost") ||
	    ends_with(name, ".local") || ends_with(name, ".internal"))
		return true;
	if (host_name != NULL && host_name[0] != '\0' && strcasecmp(name, host_name) == 0)
		return true;
	for (char **h = c->allowed_hosts; h != NULL && *h != NULL; h++)
		if (strcasecmp(*h, name) == 0 || ((*h)[0] == '*' && (*h)[1] == '.' && ends_with(name, *h + 1)))
			return true;
	return false;
}

bool
auth_origin_listed(const struct conf *c, struct http_str origin)
{
	for (char **o = c->allowed_origins; origin.n != 0 && o != NULL && *o != NULL; o++)
		if (http_str_ieq(origin, *o))
			return true;
	return false;
}

bool
auth_same_origin(struct http_str origin, struct http_str host)
{
	char a[256], b[256];
	int pa, pb, def;

	if (has_prefix(origin, "http://")) {
		def = 80;
		origin = (struct http_str){origin.p + 7, origin.n - 7};
	} else if (has_prefix(origin, "https://")) {
		def = 443;
		origin = (struct http_str){origin.p + 8, origin.n - 8};
	} else {
		return false;
	}
	if (http_host_parse(origin, a, sizeof(a), &pa) != 0 || http_host_parse(host, b, sizeof(b), &pb) != 0)
		return false;
	return strcmp(a, b) == 0 && (pa != 0 ? pa : def) == (pb != 0 ? pb : def);
}

/* The key a client shows: Authorization: Bearer K, or x-api-key: K. */
static struct http_str
shown_key(const struct http_head *h)
{
	struct http_str s = field(h, "authorization");

	if (s.n > 7 && strncasecmp(s.p, "bearer ", 7) == 0) {
		s = (struct http_str){s.p + 7, s.n - 7};
		while (s.n != 0 && *s.p == ' ')
			s = (struct http_str){s.p + 1, s.n - 1};
		return s;
	}
	return field(h, "x-api-key");
}

/* Every key is compared, whatever was found before. */
static const struct conf_key *
find_key(const struct conf *c, struct http_str key)
{
	const struct conf_key *found = NULL;

	for (size_t i = 0; key.n != 0 && i < c->nkeys; i++)
		if (auth_equal(key.p, key.n, c->keys[i].key, strlen(c->keys[i].key)))
			found = &c->keys[i];
	return found;
}

enum auth_need
auth_need(struct http_str method, struct http_str path, bool inference)
{
	static const char *const infer[] = {"/v1/models", "/models", "/models/available", "/ready", "/status"};
	bool get = http_str_eq(method, "GET") || http_str_eq(method, "HEAD");

	if (http_str_eq(path, "/health") || http_str_eq(path, "/livez"))
		return AUTH_OPEN;
	/* What an engine has besides inference is not published to everybody who may use it. */
	if (inference && !has_prefix(path, "/upstream/"))
		return AUTH_INFER;
	if (get && has_prefix(path, "/v1/models/"))
		return AUTH_INFER;
	for (size_t i = 0; get && i < ARRAY_LEN(infer); i++)
		if (http_str_eq(path, infer[i]))
			return AUTH_INFER;
	return AUTH_ADMIN;
}

static struct auth_out
refuse(int status, const char *message)
{
	return (struct auth_out){.status = status, .code = status == 401 ? "unauthorized" : "forbidden",
	    .message = message};
}

struct auth_out
auth_check(const struct auth_in *in)
{
	struct http_str origin = field(in->head, "origin"), site = field(in->head, "sec-fetch-site");
	const struct conf_key *key;
	bool listed;

	if (in->control) {
		if (in->peer_uid != in->own_uid && in->peer_uid != 0)
			return refuse(403, "this control socket is another user's");
		return (struct auth_out){.full = true};
	}
	if (in->head->host.p != NULL && in->head->host.n != 0 &&
	    !auth_host_allowed(in->conf, in->host_name, in->head->host))
		return refuse(403, "this Host is not known; add it to allowedHosts in the configuration");
	listed = auth_origin_listed(in->conf, origin);
	if (origin.p != NULL && !listed && !auth_same_origin(origin, in->head->host))
		return refuse(403, "pages of this Origin may not ask; add it to allowedOrigins in the configuration");
	if (http_str_ieq(site, "cross-site") && !listed)
		return refuse(403, "requests from other sites are not answered; see allowedOrigins in the configuration");
	if (in->conf->nkeys == 0)
		return (struct auth_out){.full = true};
	if (listed && http_str_eq(in->head->method, "OPTIONS"))
		return (struct auth_out){0};
	key = find_key(in->conf, shown_key(in->head));
	if (in->need == AUTH_OPEN)
		return (struct auth_out){.full = key != NULL && key->scope == SCOPE_ADMIN};
	if (key == NULL)
		return refuse(401, "a valid API key is needed: Authorization: Bearer KEY, or x-api-key");
	if (in->need == AUTH_ADMIN && key->scope != SCOPE_ADMIN)
		return refuse(403, "this key is for inference only");
	return (struct auth_out){.full = key->scope == SCOPE_ADMIN};
}
