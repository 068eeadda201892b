/* SPDX-License-Identifier: ISC
 * What the proxy's files share. A request's life: proxy_txn.c reads it, proxy_route.c says which model it is for, proxy_hold.c
 * keeps its client waiting, proxy_relay.c moves the answer, proxy_tunnel.c what follows a 101, proxy_fold.c makes a stream of one
 * that is none, proxy_end.c knows how it ended; proxy_note.c tells others (bus, access log, metrics). */
#ifndef PROXY_PROXY_PRIV_H
#define PROXY_PROXY_PRIV_H

#include "base/json.h"
#include "base/loop.h"
#include "bus/bus.h"
#include "conf/conf.h"
#include "metrics/metrics.h"
#include "proxy/proxy.h"
#include "proxy/proxy_model.h"
#include "proxy/proxy_rewrite.h"
#include "proxy/proxy_usage.h"
#include "ring/ring.h"

#define PROXY_RATE_SECONDS 5

/* Tokens by second, the last ones. */
struct proxy_rate {
	struct {
		uint64_t second, tokens;
	} slot[PROXY_RATE_SECONDS + 1];
};

/* What is kept of each model while the proxy lives. */
struct proxy_model {
	struct proxy_model *next;
	char *id;			/* (owned) */
	char labels[320];		/* model="id" */
	struct {
		int code;
		char labels[340];
	} codes[8];			/* label sets of mai_requests_total */
	uint64_t down_at;		/* clock_ms when its engine last ceased to serve */
	enum engine_reason down_reason;
	uint64_t suspect_at;		/* clock_ms when it behaved as if dead, nothing heard since; 0 */
	struct proxy_rate rate;
};

struct proxy {
	struct proxy_opts o;
	struct bus_sub *sub;
	struct txn *first, *last;	/* (owned) oldest first */
	struct proxy_model *models;	/* (owned) */
	struct strbuf line;		/* (owned) the access line in the making */
	struct timer look;		/* for the first of those who wait; see proxy_hold.c */
	uint64_t next_id;
	uint32_t salt;			/* of request ids */
	uint64_t body_bytes;		/* held by all requests together */
	bool starved;			/* uploads wait for memory */
	uint64_t done, errors, truncated, tokens_out;
	struct proxy_rate rate;
};

/* An API's path, as far as it matters. */
struct proxy_path {
	const char *path;
	const char *api;
	bool prefix;	/* and everything below it */
	bool get;	/* may be read without a body */
	bool chat;	/* chat completions */
	enum proxy_ends ends;	/* what its streams end with */
	bool form;	/* takes forms and raw bytes, too; the others take JSON whatever its type is said to be */
	bool any;	/* any method */
};
/* NULL: it is none of ours. */
const struct proxy_path *proxy_path_find(const struct proxy *p, struct http_str path);
/* The same without /upstream/ and the models' own paths. */
const struct proxy_path *proxy_path_known(struct http_str path);
/* A model's extraPaths; below /upstream/; what goes there unread. */
extern const struct proxy_path proxy_path_extra, proxy_path_upstream, proxy_path_raw;

/* A client that waits: for an engine, or for the first byte that is more than a comment. */
struct hold {
	uint64_t since;		/* clock_ms; 0: it does not */
	uint64_t due;		/* when it is looked at; 0: never */
	uint64_t said_at;	/* when it last got something */
	uint64_t shown;		/* hash of the text it was last shown; 0: none */
	bool shows;		/* it is to see the progress of loading */
};

/* An answer that is no stream, for a client that was already told that one comes. */
enum fold { FOLD_NONE, FOLD_EVENT, FOLD_ERROR };

struct txn {
	struct proxy *p;
	struct txn *prev, *next;
	uint64_t id;
	char rid[64];			/* X-Request-Id */
	struct http_req *req;		/* NULL: the client left, the engine is drained */
	const struct proxy_path *path;
	enum req_phase phase;
	struct proxy_model *pm;		/* once the model is known */
	struct conf *conf;		/* (ref) of pm's model */
	struct ticket *ticket;		/* (owned) */
	struct http_xfer *xfer;		/* (owned) */
	struct timer timer;		/* upload starved; or: did the engine die? or: its client left, it is read to the end */

	/* the request */
	struct strbuf head;		/* (owned) to the engine; gone once an answer came */
	struct strbuf body;		/* (owned) kept until the first byte of the answer */
	uint64_t charged;		/* of the body in p->body_bytes */
	uint64_t bytes_in;
	struct proxy_scan scan;
	char name[PROXY_MODEL_MAX];	/* as the client wrote it; "" none */
	bool json, paused;
	const struct conf_model *edited_for;	/* in conf; whose name is in the body, NULL: the client's */

	/* where its path leads (proxy_route.c) */
	char *asked;			/* (owned) the model that the path is for, whatever the name; NULL: by the name */
	struct http_str target;		/* the engine's path where it is not the client's; borrowed from req */
	struct http_str upgrade;	/* the protocol it asks for; borrowed from req; n = 0: none */
	bool upstream;			/* came by /upstream/ */
	bool raw;			/* body and answer pass unread */
	bool untimed;			/* no use of the model that keeps it loaded */
	bool tunnel;			/* after the 101 */

	/* the answer */
	int status;
	int64_t length;
	struct hold hold;
	uint64_t answer_due;		/* when the engine's head must be here; 0: never */
	enum fold fold;
	bool opened;			/* the client has the head of a stream; until begun, any engine's answer
					 * may follow what it got */
	bool begun;			/* bytes of the answer passed: they are never sent anew */
	bool sse, close_delimited, deciding, rewriting, gathering;
	bool unsure;			/* deciding: it is whole unless the engine died */
	uint64_t decide_by;		/* deciding: when it is no longer waited for an engine that is on its way out */
	bool hangup;			/* its engine is being stopped */
	bool cut;			/* it ended before its end */
	bool noted;			/* note_end was made */
	struct strbuf fields;		/* (owned) its header until it begins */
	struct proxy_usage usage;
	struct proxy_rewrite rewrite;
	struct strbuf whole;		/* (owned) while gathering */
	uint64_t swallowed;		/* bytes of it that came after its client had left */
	uint64_t since, sent_at, first_byte_at, first_token_at, waited_ms, queued_at, bytes_out, counted, work;
};

/* proxy_error.c */
struct proxy_fault {
	const char *code, *message, *model, *state, *cause, *exit;
	const char *type;		/* NULL: by the status */
	int retry_after, attempt;	/* attempt < 0: left out */
};
bool proxy_is_messages(struct http_str path);
void proxy_error_json(struct strbuf *b, bool anthropic, int status, const struct proxy_fault *f);
/* The member "mai" of an error, where there is something to tell. */
void proxy_error_mai(struct jsonw *w, const struct proxy_fault *f);
/* extra: more header fields; may be NULL. */
void proxy_error_send(struct http_req *req, int status, const struct proxy_fault *f, const struct strbuf *extra);

/* proxy_txn.c */
void txn_begin(struct proxy *p, struct http_req *req, const struct proxy_path *path);
/* Asks the router for the model it is for. */
void txn_submit(struct txn *t);
/* In the queue: takes the model that it waits for as its own, which may have changed. */
void txn_follow(struct txn *t);
/* Appends the ids of the configured models. */
void txn_name_models(struct strbuf *b, const struct txn *t);
/* Completes the answer (abort: uncleanly) and ends it; frees t. */
void txn_finish(struct txn *t, bool abort);
/* Answers with an error, or an error event where a stream was promised, where it still can; then ends it; frees t. */
void txn_fail(struct txn *t, int status, const struct proxy_fault *f);
/* Takes it off the books and frees it; its request is answered or gone. */
void txn_free(struct txn *t);
void txn_drop_body(struct txn *t);
/* Lets uploads go on that waited for memory. */
void proxy_fed(struct proxy *p);
struct proxy_model *proxy_model_get(struct proxy *p, const char *id);

/* proxy_route.c */
/* Whether a path is among a model's extraPaths. */
bool route_has_path(const struct conf_model *m, struct http_str path);
/* What its head alone tells: by which way, to which model. False: it was answered, t is gone. */
bool route_begin(struct txn *t);
/* The body is complete: finds the name in it and asks the router, or answers. */
void route_body(struct txn *t);
/* Whether the model that was granted may have it; else it is answered, t is gone. */
bool route_granted(struct txn *t, const struct conf_model *m);
/* Writes the head for the engine. */
void route_head(struct txn *t, const struct http_target *to);

/* proxy_tunnel.c */
/* The engine's head is a 101. */
void tunnel_begin(struct txn *t, const struct http_head *h);
/* An engine changed: its tunnels get their time to end. */
void tunnel_engine(struct proxy *p, const struct bus_event *e);

/* proxy_relay.c */
/* Sends it to the engine that was granted. */
void txn_forward(struct txn *t, const struct router_answer *a);
/* The answer is whole. */
void txn_complete(struct txn *t);
/* The first byte of the answer that is more than a comment goes to the client. */
void txn_begin_answer(struct txn *t);
/* Bytes of the answer's body to the client, as they are. */
void txn_put(struct txn *t, const char *p, size_t n);
/* The client took what was queued. */
void txn_writable(struct txn *t);

/* proxy_fold.c */
/* The head of an answer came that is no stream, but the client has the head of one. */
void fold_start(struct txn *t, const struct http_head *h);
void fold_body(struct txn *t, const char *p, size_t n);
/* Bytes of JSON on their way into the event. */
void fold_put(struct txn *t, const char *p, size_t n);
/* The answer is whole; frees t. */
void fold_finish(struct txn *t);

/* proxy_end.c */
/* Tells the router that the engine behaves as if dead. */
void txn_suspect(struct txn *t);
/* The exchange failed: by now it is known whether the engine died. */
void txn_decide(struct txn *t);
/* A connection ends a moment before the process is known to be dead: what it was is told a little later. */
void txn_decide_soon(struct txn *t);
void txn_fail_gateway(struct txn *t, const char *message);
/* Ends an answer that has begun and cannot be completed: with an error event where the client reads events. */
void txn_cut(struct txn *t, const struct proxy_fault *f);
void txn_cut_by_engine(struct txn *t);
/* Its engine is being stopped: it ends now, as some engines wait for their clients. */
void txn_hang_up(struct txn *t);
/* The event that a client of this API understands as an error; status is what the answer would have had. */
void txn_error_event(struct txn *t, int status, const struct proxy_fault *f);

/* proxy_hold.c */
void hold_init(struct proxy *p);
/* It waits, for an engine or for its answer; going on from one to the other is one wait. */
void hold_begin(struct txn *t);
void hold_end(struct txn *t);
/* Its client gets the head of a stream: as the engine wrote it, or (fields empty) as it would. */
void hold_open(struct txn *t);
/* Makes sure that t is looked at when it is due. */
void hold_arm(struct txn *t);
/* Looks at all who are due: heartbeats, and answers that are late. The timer calls it; tests do. */
void hold_look(struct proxy *p);

/* proxy_note.c */
void note_declare(struct metrics *m);
void note_phase(struct txn *t, enum req_phase phase);
/* At the end: access line, counters. */
void note_end(struct txn *t, int status);
/* Counts tokens seen since the last call into the rate. */
void note_tokens(struct txn *t, uint64_t now);
void note_heartbeat(struct txn *t);
/* Tokens/s over the last whole seconds. */
double note_rate(const struct proxy_rate *r, uint64_t now);

#endif
