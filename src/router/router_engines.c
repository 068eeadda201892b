/* SPDX-License-Identifier: ISC
 * The real effects. */
#include "router/router_ops.h"

const struct router_ops router_real_ops = {
	.create = engine_new,
	.destroy = engine_free,
	.set_conf = engine_set_conf,
	.start = engine_start,
	.stop = engine_stop,
	.kill = engine_kill,
	.restart = engine_restart,
	.set_inflight = engine_set_inflight,
	.set_held = engine_set_held,
	.progress = engine_progress,
	.suspect = engine_suspect,
	.info = engine_info,
	.target = engine_target,
	.settled = engine_memory_settled,
	.memory_need = engine_memory_need,
	.preflight = engine_preflight,
};

struct router *
router_new(struct loop *l, struct bus *bus, struct metrics *m, struct engine_env *env, struct conf *c)
{
	return router_new_ops(l, bus, m, env, c, &router_real_ops);
}
