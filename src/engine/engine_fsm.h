/* SPDX-License-Identifier: ISC
 * The life of an engine as a pure table: what follows from an input in a state, and what is to be done. */
#ifndef ENGINE_ENGINE_FSM_H
#define ENGINE_ENGINE_FSM_H

#include <stdbool.h>

#include "bus/vocab.h"

#define ENGINE_INPUTS(X)                                                            \
	X(IN_START, "start")			/* a person wants it to run */      \
	X(IN_START_AUTO, "start_auto")		/* a request or a swap does */      \
	X(IN_STOP, "stop")			/* end it when it is idle */        \
	X(IN_STOP_NOW, "stop_now")		/* end it, no drain */              \
	X(IN_KILL, "kill")			/* end it by SIGKILL */             \
	X(IN_RESTART, "restart")                                                    \
	X(IN_RESTART_FORCE, "restart_force")                                        \
	X(IN_READY, "ready")			/* the ladder was climbed */        \
	X(IN_CRASH, "crash")			/* it died, or is as good as dead */ \
	X(IN_CRASH_FATAL, "crash_fatal")	/* and a restart cannot help */     \
	X(IN_CRASH_FREE, "crash_free")		/* not its fault: at once again, uncounted */ \
	X(IN_UNFIT, "unfit")			/* a look at it says that a start cannot work */ \
	X(IN_IDLE, "idle")			/* nothing in flight any more */    \
	X(IN_TIMEOUT, "timeout")		/* the state's own timer */         \
	X(IN_GONE, "gone")			/* no process of it is left */

#define ENGINE_INPUT_ENUM(id, name) id,
enum engine_input { ENGINE_INPUTS(ENGINE_INPUT_ENUM) IN_N };

/* What the table must know besides the state. */
#define CTX_CHILD 1u	/* a process of it may be alive */
#define CTX_MORE 2u	/* attempts are left */
#define CTX_BUSY 4u	/* requests are in flight */
#define CTX_AGAIN 8u	/* it shall start again once it is gone */
#define CTX_DUE 16u	/* the backoff is over, only its remains are waited for */
#define CTX_ALL 31u

#define ACT_SPAWN 1u
#define ACT_TERM 2u	/* SIGTERM to the group, then wait unload_timeout */
#define ACT_KILL 4u	/* SIGKILL to everything of it, and again until it is gone */
#define ACT_LINGER 8u	/* the leader is dead: a moment for the rest, then timeout */
#define ACT_DRAIN 16u	/* wait for idle, at most drain_timeout */
#define ACT_BACKOFF 32u	/* wait backoff * 2^n */
#define ACT_SOON 64u	/* timeout at once */
#define ACT_COUNT 128u	/* one more crash in a row (before ACT_BACKOFF) */
#define ACT_RESET 256u	/* none in a row */
#define ACT_AGAIN 512u	/* sets CTX_AGAIN */
#define ACT_FORGET 1024u	/* clears CTX_AGAIN */
#define ACT_DUE 2048u	/* sets CTX_DUE; cleared with each change of state */

struct engine_step {
	enum engine_state to;
	unsigned actions;
};

/* Total: defined for every state, input and context. */
struct engine_step engine_fsm(enum engine_state s, enum engine_input in, unsigned ctx);
/* Whether the table has a row of its own for it, so that nothing is defined by omission. */
bool engine_fsm_defined(enum engine_state s, enum engine_input in);
const char *engine_input_name(enum engine_input in);

#endif
