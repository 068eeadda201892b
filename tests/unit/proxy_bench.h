/* SPDX-License-Identifier: ISC
 * The bench that the proxy's tests share: a router that says what a test wants, a client and an engine as plain sockets.
 * setup makes it anew for each test. */
#ifndef PROXY_BENCH_H
#define PROXY_BENCH_H

#include "unit.h"

#include "bus/bus.h"
#include "http/http_listen.h"
#include "net.h"
#include "proxy/proxy.h"

struct ticket {
	bool waiting, requeued, untimed;
	router_cb *cb;
	void *arg;
};

/* what the router and the engine say */
extern struct conf conf;
extern struct conf_model qwen;
extern struct conf_model zwei;		/* org/zwei, alias z: the second, where conf.nmodels is 2 */
extern char *extra[];			/* qwen's extraPaths: /extra and /both; zwei's: /zwei and /both */
extern struct http_target target;
extern struct router_answer verdict;	/* of router_submit, where it is a refusal */
extern bool must_wait, grant_requeue, stops_when_done;	/* the last: router_done lets the engine stop */
extern int waited;			/* ms, of a grant */
extern struct engine_info info;
extern struct engine_exit last_exit;
extern const char *swap_from, *swap_to;	/* NULL: no swap */
extern const char *last_model;		/* the served one, or the last */
extern const char *leads_to;		/* which model a request is for or waits for; NULL: as it says */
extern int place;			/* in the queue */
/* what was asked of them */
extern struct ticket *newest;
extern int ntickets, nsuspects, nrequeues, nprogress, nheld, nuntimed, nrequests_seen;
extern char asked[300];

extern struct loop *loop;
extern struct http_server *srv;
extern struct http_pool *pool;
extern struct bus *bus;
extern struct ring *ring;
extern struct metrics *metrics;
extern struct proxy *proxy;
extern struct net_peer cl, up;		/* the client's and the engine's end */
extern int front;			/* the port in front */
extern char last_access[400], last_level;

int setup(void **state);
int teardown(void **state);

#define UNTIL(cond) NET_UNTIL(loop, cond)
#define SSE_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

/* Grants, or refuses, the newest ticket that waits. */
void serve_waiter(void);
void refuse_waiter(enum router_refusal why);
/* A connection came to the engine: it is up. */
bool accepted(void);
void post_to(const char *path, const char *body);
void post(const char *body);
void send_to(const char *method, const char *path, const char *fields, const char *body);
/* The engine's answer to something, and what the client must have got then; that is taken off. */
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{\"model\":\"inner\"}"
void one_answer(const char *status, const char *has);
/* Waits until the engine has got a request that ends so. */
void at_engine(const char *end);
/* A chunk of the engine's, and the last one. */
void up_chunk(const char *data);
void up_last(void);
/* Also into last_access and last_level. */
const char *access_line(void);
void engine_event(enum engine_state to, enum engine_reason why);

#endif
