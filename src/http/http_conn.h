/* SPDX-License-Identifier: ISC
 * The server's side of a connection: requests come out one after the other, answers go in. Strict parsing, keep-alive,
 * pipelining in order, 100-continue, absolute timers, back-pressure both ways, and notice of a client that leaves while
 * its answer is awaited or flowing. No policy. */
#ifndef HTTP_HTTP_CONN_H
#define HTTP_HTTP_CONN_H

#include <sys/types.h>

#include "http/http_msg.h"
#include "http/http_url.h"

struct http_req;

/* Why a connection or an exchange ended. */
#define HTTP_CLOSES(X)                                                    \
	X(HTTP_CLOSE_NONE, "none")                                        \
	X(HTTP_CLOSE_DONE, "done")                                        \
	X(HTTP_CLOSE_PEER, "peer closed")                                 \
	X(HTTP_CLOSE_RESET, "connection reset")                           \
	X(HTTP_CLOSE_TIMEOUT, "timeout")                                  \
	X(HTTP_CLOSE_BAD, "malformed message")                            \
	X(HTTP_CLOSE_TRUNCATED, "ended in the middle of a body")          \
	X(HTTP_CLOSE_REFUSED, "connection refused")                       \
	X(HTTP_CLOSE_IO, "input/output error")                            \
	X(HTTP_CLOSE_ABORT, "aborted by us")                              \
	X(HTTP_CLOSE_SHUTDOWN, "server is ending")
#define HTTP_CLOSE_ENUM(id, text) id,
enum http_close { HTTP_CLOSES(HTTP_CLOSE_ENUM) HTTP_NCLOSES };
const char *http_close_text(enum http_close c);

/* Called with each complete, valid request head. It must answer, or attach, before it returns or later; the request
 * lives until its answer is complete or it is gone. Malformed requests are answered by the connection itself. */
typedef void http_handler(void *arg, struct http_req *req);

struct http_req_ops {
	/* Decoded body bytes, borrowed. Not called while paused. */
	void (*body)(void *arg, const char *p, size_t n);
	/* The body is complete (called at once when there is none). */
	void (*end)(void *arg);
	/* The back-log of the answer fell under the low-water mark after it was over the high one. */
	void (*writable)(void *arg);
	/* The client left or broke the protocol, or the server ends: the request is dead when this returns, no further
	 * call is made and none may be made on it. Not called after the answer is complete. */
	void (*gone)(void *arg, enum http_close why);
};

/* Takes the request over. Until then its body is not read. May be called inside the handler or later (also twice: the
 * later ops win). The callbacks come from the loop, but for end and body, which may come from inside this call. */
void http_req_attach(struct http_req *req, const struct http_req_ops *ops, void *arg);

/* Reads the whole body, at most max bytes, then calls done once (body borrowed, NUL-terminated); over max it answers 413
 * itself and done is not called. The client leaving ends it silently. */
void http_req_collect(struct http_req *req, size_t max,
    void (*done)(void *arg, struct http_req *req, const char *body, size_t n), void *arg);

/* Borrowed, valid while the request lives. */
const struct http_head *http_req_head(const struct http_req *req);
const struct http_url *http_req_url(const struct http_req *req);
/* "127.0.0.1:52011" or "unix". */
const char *http_req_peer(const struct http_req *req);
/* Peer's uid on a unix socket, else -1. */
long http_req_peer_uid(const struct http_req *req);
/* Tag and port of the listener it came through; port 0 on a unix socket. */
int http_req_tag(const struct http_req *req);
int http_req_local_port(const struct http_req *req);
/* Milliseconds (clock_ms) of the head's arrival. */
uint64_t http_req_since(const struct http_req *req);

/* Stop and go on reading the body. */
void http_req_pause(struct http_req *req);
void http_req_resume(struct http_req *req);

/* Its connection ends after the answer, or once a tunnel made of it ends. Before the answer begins. */
void http_req_close(struct http_req *req);

/* Fields that its answer will have besides those of whoever answers (a serialised block as for http_reply_start; copied;
 * the last call wins). */
void http_req_answer_fields(struct http_req *req, const struct strbuf *fields);

#define HTTP_LENGTH_CHUNKED (-1)	/* unknown length: chunked, or until close for HTTP/1.0 clients */
#define HTTP_LENGTH_NONE (-2)		/* no body and no length: 204, 304, 101 */

/* Starts the answer: status line, then fields (a serialised block of "Name: value\r\n" lines without framing and
 * connection fields, as http_put_field makes; may be NULL), then what framing needs. It is held back to go out with the
 * first body bytes, or at http_reply_flush. On HEAD the body is swallowed. */
void http_reply_start(struct http_req *req, int status, const struct strbuf *fields, int64_t length);
/* Body bytes, sent at once where the socket takes them, else copied to the back-log. Returns the bytes in back-log: above
 * HTTP_HIGH_WATER stop your source until writable is called. */
size_t http_reply_body(struct http_req *req, const void *p, size_t n);
#define HTTP_HIGH_WATER (192 * 1024)	/* and one read more is what a stalled client costs */
#define HTTP_LOW_WATER (64 * 1024)
void http_reply_flush(struct http_req *req);
/* From now on small pieces are collected until http_reply_flush or the end (or 16 KiB): for who knows when a burst is
 * over. */
void http_reply_cork(struct http_req *req);
/* Completes the answer; the request is freed and must not be used again (no gone call). */
void http_reply_end(struct http_req *req);
/* Ends it uncleanly: what is queued goes out, but no final chunk, then the connection closes. Frees like reply_end. */
void http_reply_abort(struct http_req *req);
/* A whole answer at once; frees. type may be NULL, extra as fields above. */
void http_reply(struct http_req *req, int status, const char *type, const struct strbuf *extra, const void *body,
    size_t n);
bool http_reply_started(const struct http_req *req);
size_t http_reply_backlog(const struct http_req *req);
/* Body bytes of the answer so far. */
uint64_t http_reply_bytes(const struct http_req *req);

/* Turns the connection into a raw tunnel after a 101 that the caller sends by http_reply_start(101): body is called with
 * raw bytes both before and after, http_reply_body sends raw bytes, http_reply_end closes. */
void http_req_tunnel(struct http_req *req);

#endif
