/* SPDX-License-Identifier: ISC
 * One request as its client sent it: the fields of its head, secrets masked. */
#include <stdlib.h>
#include <string.h>

#include "api/api_auth.h"
#include "api/api_int.h"

#define MASK "***"

static bool
is_secret(struct http_str name)
{
	return http_str_ieq(name, "cookie") || api_secret_name(name.p, name.n);
}

static void
put_fields(struct jsonw *w, const struct http_head *h)
{
	char name[128];

	jw_obj(w);
	for (size_t i = 0; i < h->nfields; i++) {
		const struct http_field *f = &h->fields[i];

		if (f->name.n >= sizeof(name))
			continue;
		memcpy(name, f->name.p, f->name.n);
		name[f->name.n] = '\0';
		jw_key(w, name);
		if (is_secret(f->name))
			jw_str(w, MASK);
		else
			jw_strn(w, f->value.p, f->value.n);
	}
	jw_obj_end(w);
}

/* rest: "ID" */
void
api_get_request(struct api *a, struct api_req *q)
{
	size_t digits = strspn(q->rest, "0123456789");
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);
	const struct http_head *h = NULL;

	if (digits > 0 && digits <= 18 && q->rest[digits] == '\0')
		h = proxy_head(a->o.proxy, strtoull(q->rest, NULL, 10));
	if (h == NULL) {
		api_fail(a, q->req, 404, "No such request", "request_not_found", NULL, false);
		return;
	}
	jw_obj(&w);
	jw_kint(&w, "id", (int64_t)strtoull(q->rest, NULL, 10));
	jw_key(&w, "headers");
	put_fields(&w, h);
	jw_obj_end(&w);
	api_json(q->req, 200, &b);
	strbuf_fini(&b);
}
