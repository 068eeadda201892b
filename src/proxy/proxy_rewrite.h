/* SPDX-License-Identifier: ISC
 * Puts the client's name of a model back where an engine answers with its own. Works on bytes: only the exact token
 * "model":"NAME" (a blank after the colon allowed) is touched, and only as much is held back as may be its begin. Pure. */
#ifndef PROXY_PROXY_REWRITE_H
#define PROXY_PROXY_REWRITE_H

#include "base/strbuf.h"

struct proxy_rewrite {
	char *from, *to;	/* (owned) JSON strings with their quotes */
	size_t nfrom, nto;
	struct strbuf held;	/* (owned) what may be the begin of a token */
	void (*out)(void *arg, const char *p, size_t n);
	void *arg;
};

/* Names are plain; they are quoted here. out gets the bytes that may go on. */
void proxy_rewrite_init(struct proxy_rewrite *w, const char *from, const char *to,
    void (*out)(void *arg, const char *p, size_t n), void *arg);
void proxy_rewrite_fini(struct proxy_rewrite *w);
void proxy_rewrite_feed(struct proxy_rewrite *w, const char *p, size_t n);
/* What is still held goes out. */
void proxy_rewrite_end(struct proxy_rewrite *w);

#endif
