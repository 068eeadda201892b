/* SPDX-License-Identifier: ISC
 * Walks over the members of a whole JSON object, without building anything. Pure. */
#ifndef PROXY_PROXY_WALK_H
#define PROXY_PROXY_WALK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

/* A member, as offsets. */
struct proxy_part {
	size_t key, nkey;	/* the text between its quotes */
	size_t at, end;		/* its value */
};

struct proxy_walk {
	const char *p;		/* borrowed */
	size_t n, pos;
	size_t open;		/* behind the brace */
	size_t start;		/* where the member begins: behind the brace or the comma */
	bool inner;
};

/* False when it does not begin with a brace. b may change up to pos during the walk. inner: of an object in the object, into
 * which nobody has looked yet; it is read more strictly. */
bool proxy_walk_begin(struct proxy_walk *w, const struct strbuf *b, bool inner);
/* The next member: 1; 0 at the end, with pos at the brace; -1 when this is no JSON. */
int proxy_walk_next(struct proxy_walk *w, struct proxy_part *m);

#endif
