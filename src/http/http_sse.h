/* SPDX-License-Identifier: ISC
 * text/event-stream (WHATWG HTML 9.2), split anywhere: used on the client's side for events, and as
 * a cheap tap on relayed streams. */
#ifndef HTTP_HTTP_SSE_H
#define HTTP_HTTP_SSE_H

#include "base/strbuf.h"

struct http_sse {
	struct strbuf line;	/* (owned) a line not yet complete; capped */
	struct strbuf data;	/* (owned) data lines so far, joined by newlines; capped */
	struct strbuf event;	/* (owned) event name */
	struct strbuf id;	/* (owned) last event id */
	bool cr;		/* the last byte was CR */
	bool begun;		/* the first line, which may bear a byte order mark, is over */
	void (*on_event)(void *arg, const char *event, const char *id, const char *data, size_t n);
	void (*on_comment)(void *arg, const char *text, size_t n);	/* may be NULL */
	void *arg;
};

/* max caps one event's data (0: no cap); an event that is over it, or has a line far over it, is
 * dropped whole. event is "message" where the stream names none, id "" where none was seen; data is
 * NUL-terminated behind its n bytes. Strings are borrowed during the call, which must not feed or
 * end s. */
void http_sse_init(struct http_sse *s, size_t max,
    void (*on_event)(void *arg, const char *event, const char *id, const char *data, size_t n),
    void *arg);
void http_sse_fini(struct http_sse *s);
void http_sse_feed(struct http_sse *s, const char *p, size_t n);

#endif
