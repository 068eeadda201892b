/* SPDX-License-Identifier: ISC
 * text/event-stream (WHATWG HTML 9.2), split anywhere: used on the client's side for events, and as a cheap tap on
 * relayed streams. */
#ifndef HTTP_HTTP_SSE_H
#define HTTP_HTTP_SSE_H

#include "base/strbuf.h"

struct http_sse {
	struct strbuf line;	/* (owned) a line not yet complete; capped */
	struct strbuf data;	/* (owned) data lines so far, joined by newlines; capped */
	struct strbuf event;	/* (owned) event name */
	struct strbuf id;	/* (owned) last event id */
	bool cr;		/* the last byte was CR */
	void (*on_event)(void *arg, const char *event, const char *id, const char *data, size_t n);
	void (*on_comment)(void *arg, const char *text, size_t n);	/* may be NULL */
	void *arg;
};

/* max caps one event's data; what is over it is dropped with the event. */
void http_sse_init(struct http_sse *s, size_t max,
    void (*on_event)(void *arg, const char *event, const char *id, const char *data, size_t n), void *arg);
void http_sse_fini(struct http_sse *s);
void http_sse_feed(struct http_sse *s, const char *p, size_t n);

#endif
