/* SPDX-License-Identifier: ISC
 * A look at what a client sent. */
#include "proxy/proxy_priv.h"

const struct http_head *
proxy_head(struct proxy *p, uint64_t id)
{
	for (struct txn *t = p->first; t != NULL; t = t->next)
		if (t->id == id)
			return t->req != NULL ? http_req_head(t->req) : NULL;
	return NULL;
}
