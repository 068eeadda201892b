/* SPDX-License-Identifier: ISC
 * A pretended core for the API's tests: router, proxy and engines as plain data that a test sets, behind a real HTTP
 * server on a free port; and a client of it in the same loop. */
#ifndef API_CORE_H
#define API_CORE_H

#include "api/api.h"
#include "base/strbuf.h"

#define CORE_MODELS 3

struct core {
	struct loop *loop;
	struct bus *bus;
	struct ring *ring;
	struct metrics *metrics;
	struct http_server *server;
	struct api *api;
	int port;
	struct conf conf;
	struct conf_model models[CORE_MODELS];
	struct conf_model *list[CORE_MODELS];
	/* what the router tells */
	struct engine_info info[CORE_MODELS];
	bool has_engine[CORE_MODELS];
	int current, last;		/* index or -1 */
	int in_flight, queued;
	bool swapping;
	/* the verb that was asked for, and how it comes out */
	enum router_verb verb;
	char asked[128], who[128];
	int max_tokens, nverbs, forgotten;
	bool force, hold, forced;
	struct router_outcome outcome;
	/* what the proxy tells */
	struct proxy_row rows[4];
	size_t nrows;
	struct proxy_totals totals;
	double rate;
	uint64_t cancelled;
	int proxied;
	/* what the API asked of its owner */
	int shutdowns, reloads;
	bool reload_fails;
};

extern struct core core;

/* models: "a" (ready, current), "b" (stopped), "org/c" (never started). A dashboard started it. */
void core_start(void);
/* The same that no dashboard started. */
void core_start_daemon(void);
void core_stop(void);
/* Calls the held verb's callback. */
void core_finish_verb(void);

struct peer {
	int fd;
	struct strbuf in;
};

struct peer *peer_open(void);
void peer_close(struct peer **pp);
void peer_send(struct peer *p, const char *text);
/* Turns the loop until text was received, the connection ended, or 5 s went by; whether it was received. */
bool peer_until(struct peer *p, const char *text);
/* Turns the loop n times with whatever is there to do, without reading. */
void core_turn(int n);
/* One request on a connection of its own; the whole answer, borrowed until the next call. extra: header lines. */
const char *ask(const char *method, const char *path, const char *extra, const char *body);

#endif
