/* SPDX-License-Identifier: ISC
 * What the server's files share: http_listen.c (sockets, limits), http_conn.c (input, life), http_reply.c (output). */
#ifndef HTTP_HTTP_PRIV_H
#define HTTP_HTTP_PRIV_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/loop.h"
#include "http/http_body.h"
#include "http/http_conn.h"
#include "http/http_listen.h"
#include "http/http_out.h"
#include "http/http_parse.h"

#define HTTP_READ_AHEAD (32 * 1024)	/* bytes kept of what is not wanted yet; then reading stops */

struct http_listener {
	struct http_listener *next;
	struct http_server *srv;
	int fd;			/* -1: closed */
	struct watch w;
	int tag, port;		/* port 0: unix */
	char *host;		/* (owned) address or path */
};

struct http_server {
	struct loop *loop;
	struct http_limits lim;
	http_handler *handler;
	void *arg;
	struct http_listener *listeners;	/* (owned) */
	struct http_conn *first, *last;		/* (owned) oldest first */
	int nconns;
	bool draining;
	bool refused;		/* out of descriptors */
	int reserve;		/* a descriptor given up while there is no other */
	uint64_t logged;	/* clock_ms of the last complaint */
	struct timer retry;
	struct http_parser parser;	/* for heads that come in one piece */
	struct http_head head;		/* where heads are parsed to */
	uint64_t date_at;	/* second that date is of */
	char date[48];		/* "Date: ...\r\n" */
};

enum conn_state {
	CONN_HEAD,	/* a request head is awaited */
	CONN_BODY,	/* a request's body is incomplete */
	CONN_WAIT,	/* the request is complete, the answer is not */
	CONN_TUNNEL,
	CONN_FLUSH,	/* the last answer leaves, then it closes */
	CONN_LINGER,	/* our side is shut; what still comes is thrown away so that the answer arrives */
	CONN_DEAD
};

struct http_conn {
	struct http_server *srv;
	struct http_listener *lst;
	struct http_conn *prev, *next;
	struct http_req *req;
	int fd;
	enum conn_state state;
	bool busy;		/* conn_run is on the stack */
	bool kicked;		/* conn_kick is deferred */
	bool blocked;		/* the socket took no more; LOOP_WRITE is on */
	bool eof;		/* the client sends no more */
	bool linger, reset;	/* how to close after CONN_FLUSH */
	bool mid_head;		/* some bytes of a head came */
	enum http_close broken;	/* found where gone must not be called; closes soon */
	struct watch w;
	struct timer t;		/* goes off at the due time or before it: it is not moved for a later one */
	struct strbuf in;	/* (owned) bytes not wanted yet */
	struct http_out out;
	struct http_parser *parser;	/* (owned) of a head in pieces */
	uint64_t since;		/* CONN_HEAD: of the last answer or of the first byte; CONN_LINGER: when it began */
	uint64_t stalled;	/* since when the client took nothing */
	uint64_t junk;		/* bytes thrown away */
	long uid;
	char peer[64];
};

struct http_collect {
	struct strbuf b;	/* (owned) */
	void (*done)(void *, struct http_req *, const char *, size_t);
	void *arg;
};

struct http_req {
	struct loop *loop;
	struct http_conn *c;	/* NULL: the client left before anybody attached */
	struct http_req_ops ops;
	void *arg;
	struct http_collect *collect;	/* (owned) */
	char *fields;		/* (owned) for its answer; NULL: none */
	struct http_url url;
	struct http_body body;
	uint64_t since, body_since, paused_at, body_bytes;
	uint64_t body_mark;	/* body_bytes at body_since */
	int64_t length;		/* of the answer */
	uint64_t bytes;		/* of its body so far */
	int status;
	bool attached, paused, body_done, end_told, dying;
	bool started, chunked, swallow, corked, close_after;
	bool over_high;
	struct http_head head;	/* last: only the fields in use are there, then the text */
};

/* http_conn.c */
void conn_new(struct http_listener *lst, int fd, const struct sockaddr_storage *addr);
void conn_close(struct http_conn *c, enum http_close why);
/* Closes soon, from the loop: for where callbacks must not be called. */
void conn_break(struct http_conn *c, enum http_close why);
/* Looks at kept input soon. */
void conn_kick(struct http_conn *c);
/* Sets what is waited for: bits and timer. */
void conn_arm(struct http_conn *c);
/* Everything that was queued left. */
void conn_flushed(struct http_conn *c);
void conn_req_free(struct http_req *req);
/* The request cannot go on: its owner hears why, the client gets a status where none was sent. */
void conn_req_fail(struct http_conn *c, int status, const char *text, enum http_close why);

/* http_input.c */
/* The watch's and the deferred callback. */
void conn_event(void *arg, int what);
void conn_kicked(void *arg);
/* Tells the owner that the body is complete, once. */
void conn_body_ended(struct http_conn *c);

/* http_reply.c */
/* The connection's own error answer; then it closes. */
void conn_error(struct http_conn *c, int status, const char *why);
void conn_write(struct http_conn *c, const struct iovec *iov, int n);

/* http_listen.c */
void server_conn_gone(struct http_server *s);
const char *server_date(struct http_server *s);
int http_fd_setup(int fd);

#endif
