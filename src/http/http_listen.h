/* SPDX-License-Identifier: ISC
 * Listening sockets, TCP and unix, and the limits that hold for all of them together. */
#ifndef HTTP_HTTP_LISTEN_H
#define HTTP_HTTP_LISTEN_H

#include "base/err.h"
#include "base/loop.h"
#include "http/http_conn.h"

struct http_server;	/* limits, shared by its listeners; owns their connections */

struct http_limits {
	size_t max_head;
	uint64_t head_timeout, idle_timeout;	/* ms, absolute from the first byte / from the last answer */
	int max_connections;	/* over it accept pauses */
	uint64_t body_grace;	/* ms before a body must come with 1 KiB/s; 0: 10 s */
	uint64_t write_stall;	/* ms a client may take nothing of its answer; 0: 60 s */
};

/* handler is called for each request of each connection. Owned by caller. */
struct http_server *http_server_new(struct loop *l, const struct http_limits *lim, http_handler *handler, void *arg);
/* Closes every listener and connection (handlers get gone). Nulls. */
void http_server_free(struct http_server **sp);
void http_server_set_limits(struct http_server *s, const struct http_limits *lim);

/* Binds and listens, close-on-exec, SO_REUSEADDR. host is a literal address. *port 0 is replaced by the port got. tag is
 * kept for http_req_tag. 0, or -1 with why (the address in use names the holder where it can be found out elsewhere). */
int http_server_listen_tcp(struct http_server *s, const char *host, int *port, int tag, struct err *e);
/* A stale socket file is replaced: the caller holds the lock that says so. Mode 0600. */
int http_server_listen_unix(struct http_server *s, const char *path, int tag, struct err *e);
/* No more accepts; connections go on. */
void http_server_stop_listening(struct http_server *s);
int http_server_connections(const struct http_server *s);
/* Closes idle keep-alive connections now, the others after their present answer. */
void http_server_drain(struct http_server *s);

#endif
