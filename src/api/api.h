/* SPDX-License-Identifier: ISC
 * The front door: host, origin and key checks, then the seed's engine API, management, events, logs and metrics, or the
 * proxy. doc/api.md is its contract. */
#ifndef API_API_H
#define API_API_H

#include "proxy/proxy.h"

struct api;

/* Tags of listeners. */
#define API_TAG_TCP 0
#define API_TAG_CONTROL 1	/* the 0600 unix socket: no key, host or origin is asked, peer uid is */

struct api_opts {	/* all borrowed */
	struct loop *loop;
	struct bus *bus;
	struct ring *ring;
	struct metrics *metrics;
	struct router *router;
	struct proxy *proxy;
	struct engine_env *engines;
	struct conf *conf;	/* referenced */
	const char *instance;	/* --name; NULL: default */
	int port;		/* the external port of GET /status */
	bool foreground;	/* a dashboard started this core */
	/* POST /api/shutdown, /api/reload, a viewer's bye. reload returns 0 or -1 with why. */
	void (*shutdown)(void *arg, const char *who, bool force);	/* force: requests in flight are not waited for */
	int (*reload)(void *arg, struct err *e);
	void *arg;
};

struct api *api_new(const struct api_opts *o);
void api_free(struct api **ap);
/* The handler for http_server_new; arg is the struct api. */
void api_handle(void *arg, struct http_req *req);
void api_set_conf(struct api *a, struct conf *c);
/* Viewers attached now (event streams with a viewer header). */
int api_viewers(const struct api *a);

#endif
