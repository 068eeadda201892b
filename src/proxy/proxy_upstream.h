/* SPDX-License-Identifier: ISC
 * Paths below /upstream/: which model's engine they mean, and which path there. Pure. */
#ifndef PROXY_PROXY_UPSTREAM_H
#define PROXY_PROXY_UPSTREAM_H

#include "conf/conf.h"
#include "http/http_msg.h"

#define PROXY_UPSTREAM "/upstream/"

enum proxy_upstream {
	UPSTREAM_NONE,		/* not below /upstream/ */
	UPSTREAM_UNKNOWN,	/* no configured name stands there */
	UPSTREAM_BARE,		/* a name, but no slash behind it */
	UPSTREAM_PATH
};

/* Borrowed from the configuration and from the path. */
struct proxy_upstream_at {
	const struct conf_model *model;
	const char *name;	/* the id or alias that stands in the path */
	struct http_str rest;	/* the engine's path from its slash on, as the client sent it; n = 0: BARE */
};

/* Names may hold slashes: of those whose segments the path begins with the longest is meant. Escapes are decoded for the
 * comparison; an encoded slash is no slash. */
enum proxy_upstream proxy_upstream_split(const struct conf *c, struct http_str path, struct proxy_upstream_at *out);

/* Whether a request is for a part of a web page (a script, a picture, ...), which is no reason to load a model. */
bool proxy_is_asset(struct http_str method, struct http_str path);

#endif
