/* SPDX-License-Identifier: ISC
 * The effects of the router as a table, so that its decisions can be tested without processes. */
#ifndef ROUTER_ROUTER_OPS_H
#define ROUTER_ROUTER_OPS_H

#include "router/router.h"

struct router_ops {
	struct engine *(*create)(struct engine_env *env, struct conf *c, const struct conf_model *m,
	    const struct engine_ops *ops, void *arg);
	void (*destroy)(struct engine **e);
	void (*set_conf)(struct engine *e, struct conf *c, const struct conf_model *m);
	void (*start)(struct engine *e, enum engine_reason why, bool manual);
	void (*stop)(struct engine *e, enum engine_reason why, bool now, bool unlimited);
	void (*kill)(struct engine *e, enum engine_reason why);
	void (*restart)(struct engine *e, bool force);
	void (*set_inflight)(struct engine *e, int n);
	void (*set_held)(struct engine *e, int n);
	void (*progress)(struct engine *e);
	void (*suspect)(struct engine *e);
	const struct engine_info *(*info)(struct engine *e);
	const struct http_target *(*target)(const struct engine *e);
	bool (*settled)(struct engine_env *env, uint64_t since, uint64_t need);
	uint64_t (*memory_need)(const struct engine_env *env, const struct conf_model *m);
	bool (*preflight)(struct engine *e, enum engine_reason why);
};

/* The real ones, over engine.h. */
extern const struct router_ops router_real_ops;

struct router *router_new_ops(struct loop *l, struct bus *bus, struct metrics *m, struct engine_env *env,
    struct conf *c, const struct router_ops *ops);

#endif
