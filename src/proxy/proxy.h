/* SPDX-License-Identifier: ISC
 * Inference requests: from a client's request to an engine's answer and back, streaming both ways. */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include "http/http_conn.h"
#include "http/http_client.h"
#include "router/router.h"

struct proxy;

struct proxy_opts {		/* all borrowed */
	struct loop *loop;
	struct bus *bus;
	struct ring *ring;
	struct metrics *metrics;
	struct router *router;
	struct http_pool *pool;
};

struct proxy *proxy_new(const struct proxy_opts *o);
/* Ends every transaction. Nulls. */
void proxy_free(struct proxy **pp);

/* Whether a path (without query) is an inference path of API.md's allow-list or some model's extraPaths. */
bool proxy_claims(const struct proxy *p, struct http_str path);
/* Takes a request over: it was authenticated and its path claimed; its body is not yet read. */
void proxy_handle(struct proxy *p, struct http_req *req);

/* A request as others may see it. Borrowed during the call. Times are clock_ms. */
struct proxy_row {
	uint64_t id;
	const char *client, *model, *path;
	const char *api;		/* "chat", "text", "embed", ... */
	enum req_phase phase;
	uint64_t since, first_byte_at, first_token_at;	/* 0: none yet */
	uint64_t waited_ms;		/* for an engine, until it was sent there */
	uint64_t bytes_in, bytes_out;
	int64_t tokens_in, tokens_out;	/* -1 unknown */
	int64_t tokens_cached;		/* of tokens_in, found in the engine's cache; -1 unknown */
	int64_t prompt_done, prompt_total;	/* tokens of the prompt, while they are processed; -1 unknown */
	double tokens_per_second;	/* < 0 unknown */
	bool estimated;			/* it and tokens_out are counted from events that carry text */
	int position;			/* in the queue; 0 otherwise */
	bool stream;
};
void proxy_each(struct proxy *p, void (*fn)(void *arg, const struct proxy_row *row), void *arg);
/* Ends one by id: the client gets an error where it can. False when there is no such request. */
bool proxy_cancel(struct proxy *p, uint64_t id);

/* What the client of a request sent; NULL when there is no such request, or its client has left. Borrowed until the next
 * turn of the loop. */
const struct http_head *proxy_head(struct proxy *p, uint64_t id);

struct proxy_totals {
	uint64_t done, errors, truncated;
	uint64_t tokens_out;
	double tokens_per_second;	/* over the last 5 s */
};
void proxy_totals(struct proxy *p, struct proxy_totals *out);
/* Tokens/s of all requests of a model over the last 5 s; 0 for one that was never asked. */
double proxy_model_rate(struct proxy *p, const char *id);

/* Writes the error of one API family (chat shape, or Anthropic's on /v1/messages) and ends the request. code is the
 * wire code ("queue_full"); model and cause may be NULL; retry_after 0: none. */
void proxy_error(struct http_req *req, int status, const char *code, const char *message, const char *model,
    const char *state, const char *cause, int retry_after);

#endif
