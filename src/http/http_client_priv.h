/* SPDX-License-Identifier: ISC
 * An exchange from the inside: http_client.c (its life, what goes to the engine), http_answer.c (what comes from it). */
#ifndef HTTP_HTTP_CLIENT_PRIV_H
#define HTTP_HTTP_CLIENT_PRIV_H

#include <sys/uio.h>

#include "http/http_body.h"
#include "http/http_client.h"
#include "http/http_out.h"
#include "http/http_pool.h"

struct http_xfer {
	struct http_pool *pool;
	struct upconn *c;		/* (owned while it lasts) NULL: failing or before a retry */
	struct http_target target;
	const struct http_xfer_ops *ops;
	void *arg;
	struct iovec req[2];		/* what is left to send; borrowed until an answer comes */
	struct iovec whole[2];
	struct http_out out;		/* tunnel bytes; a request's rest after an early answer */
	struct strbuf in;		/* (owned) a head in pieces */
	struct http_parser *parser;	/* (owned) of it */
	struct http_body body;
	struct timer connect_t;
	uint64_t received, when;
	enum http_close failing;	/* fail is deferred with this */
	bool connected, sent, reused, retried;
	bool head_request, upgrade, tunnel, head_done, keep;
	bool paused, blocked, gone;
	bool over_high;			/* the tunnel's back-log was: drained is due */
	bool deaf;			/* the engine takes no more bytes */
};

/* http_client.c */
/* Off the books; the memory goes at the end of the turn, as callbacks may be on the stack. */
void xfer_retire(struct http_xfer *x, bool keep);
/* The connection broke. A kept one that ended before a byte came back may just have been closed by the engine as idle:
 * the request goes out once more, on a new one. Else fail is called, and x is gone. */
void xfer_broke(struct http_xfer *x, enum http_close why);
/* The generation that it was for is no more: it is connected to no other one. */
void xfer_dropped(struct http_xfer *x);
/* Sets what is waited for. */
void xfer_arm(struct http_xfer *x);
enum http_close xfer_close_of_errno(int err);

/* http_answer.c */
/* There is something to read; x may be gone afterwards. */
void xfer_read(struct http_xfer *x);

#endif
