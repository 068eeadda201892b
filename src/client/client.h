/* SPDX-License-Identifier: ISC
 * The control API from the other side, by libcurl: over the core's unix socket or, with -H URL, to a remote one. Obeys no
 * proxy variables for local targets; its sockets are close-on-exec. */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/strbuf.h"

struct client_target {
	char *socket;	/* (owned) path of the control socket, or NULL */
	char *url;	/* (owned) http(s)://host:port, or NULL */
	char *key;	/* (owned) bearer key or NULL */
};
void client_target_fini(struct client_target *t);

/* CLIENT_DOWN: nobody listens there (no core). */
enum client_result { CLIENT_OK, CLIENT_DOWN, CLIENT_FAILED };

/* blocking, for the command line ------------------------------------------------------------------------------- */

/* One call; waits for as long as it takes (timeout_ms 0) . body NULL: none (JSON otherwise). OK: *status and the answer
 * (owned by the caller: strbuf_fini). */
enum client_result client_call(const struct client_target *t, const char *method, const char *path, const char *body,
    long timeout_ms, int *status, struct strbuf *answer, struct err *e);
/* Streams an answer: fn gets bytes as they come (*status is set before the first); returning false ends it
 * (CLIENT_OK). */
enum client_result client_stream(const struct client_target *t, const char *method, const char *path, const char *body,
    int *status, bool (*fn)(void *arg, const char *p, size_t n), void *arg, struct err *e);

/* in a loop, for the dashboard --------------------------------------------------------------------------------- */

struct client;		/* calls on one loop */
struct client_watch;	/* the event stream, reconnecting for ever */

struct client *client_new(struct loop *l, const struct client_target *t);
/* Ends what is in flight: its done does not come. All watches must be freed. May be called from a done. Nulls. */
void client_free(struct client **cp);
/* done comes exactly once, from the loop; the answer is borrowed (why it failed, unless CLIENT_OK). viewer > 0 goes along
 * as X-Mai-Viewer-Id. */
void client_async(struct client *c, const char *method, const char *path, const char *body, int viewer,
    void (*done)(void *arg, enum client_result r, int status, const char *answer, size_t n), void *arg);

struct client_watch_ops {	/* each may free the watch, and make calls */
	/* One event; id "" when it has none. n: bytes of data. */
	void (*event)(void *arg, const char *event, const char *id, const char *data, size_t n);
	/* The stream is up / was lost (why) and will be tried again in retry_ms (try number n). */
	void (*up)(void *arg);
	void (*down)(void *arg, enum client_result why, const char *text, int n, uint64_t retry_ms);
};
/* viewer: value of X-Mai-Viewer ("alice,pts/3,attached"); NULL: not a viewer. Each connection begins with hello and a
 * snapshot. Nothing at all (the core sends a comment every 15 s) for 45 s counts as lost. Retries after 0.25, 0.5, 1, 2,
 * 5 s, then every 5 s. */
struct client_watch *client_watch_new(struct client *c, const char *viewer, const struct client_watch_ops *ops,
    void *arg);
/* Ends the wait for the next try. */
void client_watch_retry_now(struct client_watch *w);
/* Nulls. */
void client_watch_free(struct client_watch **wp);

#endif
