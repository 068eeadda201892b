/* SPDX-License-Identifier: ISC
 * Exchanges with an engine: strict, pooled where the engine keeps alive, never sent twice but for the one case that is
 * safe (a reused connection that closed before any byte came back). Literal addresses only; nothing blocks. */
#ifndef HTTP_HTTP_CLIENT_H
#define HTTP_HTTP_CLIENT_H

#include <sys/socket.h>

#include "base/loop.h"
#include "http/http_conn.h"
#include "http/http_msg.h"

struct http_pool;	/* the connections of one core */
struct http_xfer;	/* one exchange */

struct http_target {
	struct sockaddr_storage addr;
	socklen_t addr_len;
	uint64_t generation;	/* connections are never shared between generations; 0 is never pooled */
	bool keep_alive;
	uint64_t connect_timeout;	/* ms */
};

/* A literal IPv4/IPv6 address and port, or "unix:/path" with port 0. 0 or -1. */
int http_target_set(struct http_target *t, const char *host, int port) MUST_CHECK;

/* Whether nobody listens there. Asks the kernel by a connection that is given up at once; where that takes time (another
 * machine) the answer is false. */
bool http_target_refuses(const struct http_target *t);

struct http_xfer_ops {
	/* The final response head (1xx are skipped, but for 101 after an upgrade). Borrowed during the call. */
	void (*head)(void *arg, const struct http_head *h);
	/* Decoded body bytes, borrowed. */
	void (*body)(void *arg, const char *p, size_t n);
	/* No more bytes for now: what was collected may be sent on. Not called right before end or fail. May be NULL. */
	void (*idle)(void *arg);
	/* The message is complete by its own framing. The xfer is freed when this returns. */
	void (*end)(void *arg);
	/* It failed. received: whether any byte of a response came. The xfer is freed when this returns. */
	void (*fail)(void *arg, enum http_close why, bool received);
	/* A tunnel's back-log to the engine fell under HTTP_LOW_WATER after it was over HTTP_HIGH_WATER. May be NULL. */
	void (*drained)(void *arg);
};

struct http_pool *http_pool_new(struct loop *l);
/* Every exchange must have ended. Nulls. */
void http_pool_free(struct http_pool **pp);
/* Closes idle connections of a generation now; active ones are not kept afterwards, and nothing connects to it any more: what
 * has no connection yet fails, and nothing is sent again. Another engine may get its port. */
void http_pool_drop(struct http_pool *p, uint64_t generation);
size_t http_pool_idle(const struct http_pool *p);

/* Sends head (complete, with its empty line) and body. Both are borrowed and must stay until head, end or fail is
 * called. The callbacks come from the loop, never from inside this call. */
struct http_xfer *http_xfer_start(struct http_pool *p, const struct http_target *t, const char *head, size_t nhead,
    const char *body, size_t nbody, bool head_request, const struct http_xfer_ops *ops, void *arg);
/* The request asks for an upgrade: a 101 is a final answer, and everything behind it is given to body. Call right after
 * the start. */
void http_xfer_allow_upgrade(struct http_xfer *x);
/* From now on the callbacks are these. May be called from inside head. */
void http_xfer_attach(struct http_xfer *x, const struct http_xfer_ops *ops, void *arg);
/* Stop and go on reading the answer. Bytes already read are still delivered. */
void http_xfer_pause(struct http_xfer *x);
void http_xfer_resume(struct http_xfer *x);
/* Ends it now, closing its connection; no callback. Accepts NULL, nulls. Must not be called from inside end or fail. */
void http_xfer_cancel(struct http_xfer **xp);
/* Bytes received so far, and when the last came (clock_ms; 0: none). */
uint64_t http_xfer_received(const struct http_xfer *x, uint64_t *when);
/* After a 101: raw bytes to the engine, sent at once where the socket takes them, else copied to the back-log. Returns the
 * bytes in back-log: above HTTP_HIGH_WATER stop your source until drained is called. */
size_t http_xfer_tunnel_send(struct http_xfer *x, const void *p, size_t n);

#endif
