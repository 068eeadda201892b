/* SPDX-License-Identifier: ISC
 * Splits a text/event-stream into events, fed in pieces of any size. */
#ifndef CLIENT_CLIENT_SSE_H
#define CLIENT_CLIENT_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

#define CLIENT_SSE_MAX (8u << 20)	/* one event: a snapshot of many models fits many times over */

struct client_sse {
	struct strbuf line;	/* a line whose end has not come */
	struct strbuf data;
	struct strbuf event, id;	/* id stays until another comes, as the standard says */
	bool any;		/* data was seen since the last blank line */
	bool started;
};

/* An event: name ("message" when it has none), last id ("" before any), data without its last newline. Borrowed. Returns
 * false to stop: the splitter is not touched again, so the callback may have freed it. */
typedef bool client_sse_cb(void *arg, const char *event, const char *id, const char *data, size_t n);

void client_sse_init(struct client_sse *s);
void client_sse_fini(struct client_sse *s);
/* Forgets everything: for a new connection. */
void client_sse_reset(struct client_sse *s);
/* 0; 1 when the callback stopped it; -1 when an event is larger than CLIENT_SSE_MAX. Lines end with LF or CRLF. */
int client_sse_feed(struct client_sse *s, const char *p, size_t n, client_sse_cb *cb, void *arg);

#endif
