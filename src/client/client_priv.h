/* SPDX-License-Identifier: ISC
 * Shared by the blocking and the looped calls: how a libcurl handle of ours is set up and what its results mean. */
#ifndef CLIENT_CLIENT_PRIV_H
#define CLIENT_CLIENT_PRIV_H

#include <curl/curl.h>

#include "client/client.h"

#define CLIENT_ANSWER_MAX (64u << 20)	/* an answer that is kept whole */

/* A transfer: the handle and what must live as long as it. */
struct client_xfer {
	CURL *easy;			/* (owned) */
	struct curl_slist *headers;	/* (owned) */
	char error[CURL_ERROR_SIZE];
};

/* Sets everything but the write function. headers: more lines, "Name: value", NULL-terminated, or NULL. 0, or -1. */
int client_xfer_init(struct client_xfer *x, const struct client_target *t, const char *method, const char *path,
    const char *body, const char *const *headers, struct err *e);
void client_xfer_fini(struct client_xfer *x);
/* What a finished transfer's code means, with its text. */
enum client_result client_xfer_result(const struct client_xfer *x, const struct client_target *t, CURLcode code,
    struct err *e);
int client_xfer_status(const struct client_xfer *x);
/* Copies a target. */
void client_target_copy(struct client_target *to, const struct client_target *from);

/* A handle on the client's loop: the watch uses it too. data and done are called from the loop and outside libcurl, so
 * that they may start and end other transfers. */
struct client_flight;
struct client_flight_ops {
	/* Bytes came; borrowed; status is known. NULL: kept for done. */
	void (*data)(void *arg, int status, const char *p, size_t n);
	void (*done)(void *arg, enum client_result r, int status, const char *p, size_t n, const char *text);
};
/* done comes in any case, from the loop, unless the flight is freed before; the flight ends by itself after it. */
struct client_flight *client_flight_new(struct client *c, const char *method, const char *path, const char *body,
    const char *const *headers, const struct client_flight_ops *ops, void *arg);
/* Forgets it: neither data nor done comes any more. Nulls. */
void client_flight_free(struct client_flight **fp);
struct loop *client_loop(const struct client *c);

#endif
