/* SPDX-License-Identifier: ISC
 * Who may ask for what: the decisions about Host, Origin, Sec-Fetch-Site, keys and scopes. Pure. */
#ifndef API_API_AUTH_H
#define API_API_AUTH_H

#include <stdbool.h>

#include "conf/conf.h"
#include "http/http_msg.h"
#include "http/http_url.h"

/* What a path asks for once keys are set. */
enum auth_need { AUTH_OPEN, AUTH_INFER, AUTH_ADMIN };

struct auth_in {
	const struct conf *conf;
	const char *host_name;		/* of this machine */
	bool control;			/* came through the control socket */
	long peer_uid, own_uid;		/* control socket only */
	const struct http_head *head;
	enum auth_need need;
};

struct auth_out {
	int status;			/* 0: go on; else answer this */
	const char *code;		/* "forbidden", "unauthorized"; static */
	const char *message;		/* static */
	bool full;			/* may see everything (output of engines, commands) */
};

struct auth_out auth_check(const struct auth_in *in);

/* need of a path; inference: the proxy claims it. */
enum auth_need auth_need(struct http_str method, struct http_str path, bool inference);

/* Parts of the above, for tests and for the answers. */
bool auth_host_allowed(const struct conf *c, const char *host_name, struct http_str host);
/* Whether Origin is on the allowedOrigins list (the answer then names it). */
bool auth_origin_listed(const struct conf *c, struct http_str origin);
bool auth_same_origin(struct http_str origin, struct http_str host);
/* Compares in a time that depends on na alone. */
bool auth_equal(const char *a, size_t na, const char *b, size_t nb);

#endif
