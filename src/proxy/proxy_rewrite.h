/* SPDX-License-Identifier: ISC
 * Puts the client's name of a model back where an engine answers with its own. Works on bytes: the string that follows a
 * key "model" (which inside a string would be escaped) is replaced, and only as much is held back as may be the begin of
 * one. Pure. */
#ifndef PROXY_PROXY_REWRITE_H
#define PROXY_PROXY_REWRITE_H

#include <stdbool.h>

#include "base/strbuf.h"

/* The first "key": in p[0..n), key with its quotes and colon; NULL. JSON has few colons: from one to the next is the
 * shortest way. */
const char *proxy_find_key(const char *p, size_t n, const char *key, size_t nkey);

#define PROXY_REWRITE_MAX 4096	/* a name longer than this stays as it is */

struct proxy_rewrite {
	char *to;		/* (owned) a JSON string with its quotes */
	size_t nto;
	struct strbuf held;	/* (owned) what may be the begin of a name */
	void (*out)(void *arg, const char *p, size_t n);
	void *arg;
};

/* to is plain; it is quoted here. out gets the bytes that may go on, whole events in one piece where nothing changes. */
void proxy_rewrite_init(struct proxy_rewrite *w, const char *to, void (*out)(void *arg, const char *p, size_t n),
    void *arg);
void proxy_rewrite_fini(struct proxy_rewrite *w);
void proxy_rewrite_feed(struct proxy_rewrite *w, const char *p, size_t n);
/* What is still held goes out. */
void proxy_rewrite_end(struct proxy_rewrite *w);
/* Whether a complete text already has the right name everywhere. */
bool proxy_rewrite_same(const struct proxy_rewrite *w, const char *p, size_t n);

#endif
