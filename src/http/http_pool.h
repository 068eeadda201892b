/* SPDX-License-Identifier: ISC
 * The upstream connections of one core: idle ones last in first out, closed after a while or when anything is to be read
 * from them. For http_client.c alone. */
#ifndef HTTP_HTTP_POOL_H
#define HTTP_HTTP_POOL_H

#include "http/http_client.h"
#include "http/http_parse.h"

struct upconn {
	struct http_pool *pool;
	struct upconn *prev, *next;	/* in pool->idle (newest first) or pool->active */
	struct http_xfer *x;		/* NULL: idle */
	int fd;
	bool idle, dead;
	bool no_keep;
	bool dropped;			/* its generation was: somebody else may listen at its address */
	uint64_t generation, idle_since;
	struct sockaddr_storage addr;
	socklen_t addr_len;
	struct watch w;
};

struct http_pool {
	struct loop *loop;
	struct upconn *idle, *oldest;	/* (owned) */
	struct upconn *active;		/* (owned) */
	size_t nidle;
	struct timer t;			/* set while there are idle ones */
	struct http_parser parser;	/* for heads that come in one piece */
	struct http_head head;
};

/* An idle connection to it, or NULL. */
struct upconn *pool_take(struct http_pool *p, const struct http_target *t);
/* A new one, perhaps still connecting; cb is told its events with it as the argument. NULL with errno. */
struct upconn *pool_open(struct http_pool *p, const struct http_target *t, void (*cb)(void *, int));
/* The exchange is over: its connection waits for the next one, if that is safe. */
void pool_release(struct upconn *c, bool keep);
void pool_close(struct upconn *c);

#endif
