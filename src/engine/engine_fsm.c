/* SPDX-License-Identifier: ISC
 * The table. A cell lists alternatives; the first whose context fits is taken, the last one of each fits always. */
#include "engine/engine_fsm.h"

struct alt {
	unsigned with;		/* context bits that must be set */
	enum engine_state to;
	unsigned actions;
	bool used;
};

#define ALTS 3
struct cell {
	struct alt a[ALTS];
};

#define WHEN(ctx, to, act) {ctx, ENGINE_##to, act, true}
#define ALWAYS(to, act) {0, ENGINE_##to, act, true}
#define CELL(...) {{__VA_ARGS__}}

/* The same in every state but for the state itself. */
#define CRASHED                                                                                            \
	[IN_CRASH] = CELL(WHEN(CTX_MORE, BACKOFF, ACT_COUNT | ACT_KILL | ACT_BACKOFF),                     \
	    ALWAYS(FAILED, ACT_KILL)),                                                                     \
	[IN_CRASH_FATAL] = CELL(ALWAYS(FAILED, ACT_KILL))
#define STARTS CELL(ALWAYS(STARTING, ACT_RESET | ACT_SPAWN))
#define STAY(s) CELL(ALWAYS(s, 0))
#define DO(s, act) CELL(ALWAYS(s, act))

static const struct cell table[ENGINE_NSTATES][IN_N] = {
	[ENGINE_STOPPED] = {
		[IN_START] = STARTS,
		[IN_START_AUTO] = DO(STARTING, ACT_SPAWN),
		[IN_STOP] = STAY(STOPPED),
		[IN_STOP_NOW] = STAY(STOPPED),
		[IN_KILL] = STAY(STOPPED),
		[IN_RESTART] = STARTS,
		[IN_RESTART_FORCE] = STARTS,
		[IN_READY] = STAY(STOPPED),
		[IN_CRASH] = STAY(STOPPED),
		[IN_CRASH_FATAL] = STAY(STOPPED),
		[IN_CRASH_FREE] = STAY(STOPPED),
		[IN_UNFIT] = STAY(FAILED),
		[IN_IDLE] = STAY(STOPPED),
		[IN_TIMEOUT] = STAY(STOPPED),
		[IN_GONE] = STAY(STOPPED),
	},
	[ENGINE_STARTING] = {
		[IN_START] = DO(STARTING, ACT_RESET),
		[IN_START_AUTO] = STAY(STARTING),
		[IN_STOP] = DO(STOPPING, ACT_TERM | ACT_FORGET),
		[IN_STOP_NOW] = DO(STOPPING, ACT_TERM | ACT_FORGET),
		[IN_KILL] = DO(STOPPING, ACT_KILL | ACT_FORGET),
		[IN_RESTART] = DO(STOPPING, ACT_TERM | ACT_AGAIN | ACT_RESET),
		[IN_RESTART_FORCE] = DO(STOPPING, ACT_KILL | ACT_AGAIN | ACT_RESET),
		[IN_READY] = STAY(READY),
		CRASHED,
		[IN_CRASH_FREE] = DO(BACKOFF, ACT_KILL | ACT_SOON),
		[IN_UNFIT] = STAY(STARTING),
		[IN_IDLE] = STAY(STARTING),
		[IN_TIMEOUT] = STAY(STARTING),
		[IN_GONE] = STAY(STARTING),
	},
	[ENGINE_READY] = {
		[IN_START] = STAY(READY),
		[IN_START_AUTO] = STAY(READY),
		[IN_STOP] = CELL(WHEN(CTX_BUSY, DRAINING, ACT_DRAIN | ACT_FORGET),
		    ALWAYS(STOPPING, ACT_TERM | ACT_FORGET)),
		[IN_STOP_NOW] = DO(STOPPING, ACT_TERM | ACT_FORGET),
		[IN_KILL] = DO(STOPPING, ACT_KILL | ACT_FORGET),
		[IN_RESTART] = CELL(WHEN(CTX_BUSY, DRAINING, ACT_DRAIN | ACT_AGAIN | ACT_RESET),
		    ALWAYS(STOPPING, ACT_TERM | ACT_AGAIN | ACT_RESET)),
		[IN_RESTART_FORCE] = DO(STOPPING, ACT_KILL | ACT_AGAIN | ACT_RESET),
		[IN_READY] = STAY(READY),
		CRASHED,
		[IN_CRASH_FREE] = DO(BACKOFF, ACT_KILL | ACT_SOON),
		[IN_UNFIT] = STAY(READY),
		[IN_IDLE] = STAY(READY),
		[IN_TIMEOUT] = DO(READY, ACT_RESET),	/* stable_after */
		[IN_GONE] = STAY(READY),
	},
	[ENGINE_DRAINING] = {
		/* Nothing was done to it yet: wanted again, it just goes on; a restart under way stays one. */
		[IN_START] = CELL(WHEN(CTX_AGAIN, DRAINING, 0), ALWAYS(READY, 0)),
		[IN_START_AUTO] = CELL(WHEN(CTX_AGAIN, DRAINING, 0), ALWAYS(READY, 0)),
		/* Of a restart it is the first word to end it. */
		[IN_STOP] = CELL(WHEN(CTX_AGAIN, DRAINING, ACT_FORGET), ALWAYS(STOPPING, ACT_TERM | ACT_FORGET)),
		[IN_STOP_NOW] = DO(STOPPING, ACT_TERM | ACT_FORGET),
		[IN_KILL] = DO(STOPPING, ACT_KILL | ACT_FORGET),
		[IN_RESTART] = CELL(WHEN(CTX_AGAIN, STOPPING, ACT_TERM | ACT_RESET),
		    ALWAYS(DRAINING, ACT_AGAIN | ACT_RESET)),
		[IN_RESTART_FORCE] = DO(STOPPING, ACT_KILL | ACT_AGAIN | ACT_RESET),
		[IN_READY] = STAY(DRAINING),
		[IN_CRASH] = DO(STOPPING, ACT_KILL),
		[IN_CRASH_FATAL] = DO(STOPPING, ACT_KILL),
		[IN_CRASH_FREE] = DO(STOPPING, ACT_KILL),
		[IN_UNFIT] = STAY(DRAINING),
		[IN_IDLE] = DO(STOPPING, ACT_TERM),
		[IN_TIMEOUT] = DO(STOPPING, ACT_TERM),
		[IN_GONE] = STAY(DRAINING),
	},
	[ENGINE_STOPPING] = {
		[IN_START] = DO(STOPPING, ACT_AGAIN | ACT_RESET),
		[IN_START_AUTO] = DO(STOPPING, ACT_AGAIN),
		[IN_STOP] = DO(STOPPING, ACT_FORGET),
		[IN_STOP_NOW] = DO(STOPPING, ACT_FORGET),
		[IN_KILL] = DO(STOPPING, ACT_KILL | ACT_FORGET),
		[IN_RESTART] = DO(STOPPING, ACT_AGAIN | ACT_RESET),
		[IN_RESTART_FORCE] = DO(STOPPING, ACT_KILL | ACT_AGAIN | ACT_RESET),
		[IN_READY] = STAY(STOPPING),
		[IN_CRASH] = DO(STOPPING, ACT_LINGER),
		[IN_CRASH_FATAL] = DO(STOPPING, ACT_LINGER),
		[IN_CRASH_FREE] = DO(STOPPING, ACT_LINGER),
		[IN_UNFIT] = STAY(STOPPING),
		[IN_IDLE] = STAY(STOPPING),
		[IN_TIMEOUT] = DO(STOPPING, ACT_KILL),
		[IN_GONE] = CELL(WHEN(CTX_AGAIN, STARTING, ACT_SPAWN | ACT_FORGET), ALWAYS(STOPPED, 0)),
	},
	[ENGINE_BACKOFF] = {
		[IN_START] = STARTS,
		[IN_START_AUTO] = STAY(BACKOFF),
		[IN_STOP] = DO(STOPPING, ACT_KILL | ACT_FORGET),
		[IN_STOP_NOW] = DO(STOPPING, ACT_KILL | ACT_FORGET),
		[IN_KILL] = DO(STOPPING, ACT_KILL | ACT_FORGET),
		[IN_RESTART] = STARTS,
		[IN_RESTART_FORCE] = STARTS,
		[IN_READY] = STAY(BACKOFF),
		[IN_CRASH] = STAY(BACKOFF),	/* the death of what was declared dead */
		[IN_CRASH_FATAL] = DO(FAILED, ACT_KILL),
		[IN_CRASH_FREE] = STAY(BACKOFF),
		[IN_UNFIT] = STAY(BACKOFF),
		[IN_IDLE] = STAY(BACKOFF),
		[IN_TIMEOUT] = CELL(WHEN(CTX_CHILD, BACKOFF, ACT_DUE), ALWAYS(STARTING, ACT_SPAWN)),
		[IN_GONE] = CELL(WHEN(CTX_DUE, STARTING, ACT_SPAWN), ALWAYS(BACKOFF, 0)),
	},
	[ENGINE_FAILED] = {
		[IN_START] = STARTS,
		[IN_START_AUTO] = STAY(FAILED),
		[IN_STOP] = DO(STOPPING, ACT_KILL | ACT_FORGET),
		[IN_STOP_NOW] = DO(STOPPING, ACT_KILL | ACT_FORGET),
		[IN_KILL] = DO(STOPPING, ACT_KILL | ACT_FORGET),
		[IN_RESTART] = STARTS,
		[IN_RESTART_FORCE] = STARTS,
		[IN_READY] = STAY(FAILED),
		[IN_CRASH] = STAY(FAILED),
		[IN_CRASH_FATAL] = STAY(FAILED),
		[IN_CRASH_FREE] = STAY(FAILED),
		[IN_UNFIT] = STAY(FAILED),
		[IN_IDLE] = STAY(FAILED),
		[IN_TIMEOUT] = STAY(FAILED),
		[IN_GONE] = STAY(FAILED),
	},
};

#define INPUT_NAME(id, name) name,
static const char *const names[] = {ENGINE_INPUTS(INPUT_NAME)};

const char *
engine_input_name(enum engine_input in)
{
	return (unsigned)in < IN_N ? names[in] : "?";
}

/* Rules over the whole table: two children never live at once, and what is not there is neither signalled nor awaited.
 * IN_GONE is the word that nothing is left, so that it counts as no child whatever the context still says. */
struct engine_step
engine_fsm(enum engine_state s, enum engine_input in, unsigned ctx)
{
	const struct cell *c = &table[s][in];
	struct engine_step step = {s, 0};

	if (in == IN_GONE)
		ctx &= ~CTX_CHILD;
	for (int i = 0; i < ALTS; i++)
		if (c->a[i].used && (c->a[i].with & ctx) == c->a[i].with) {
			step = (struct engine_step){c->a[i].to, c->a[i].actions};
			break;
		}
	if ((step.actions & ACT_SPAWN) && (ctx & CTX_CHILD)) {
		step.to = ENGINE_STOPPING;
		step.actions = (step.actions & ~ACT_SPAWN) | ACT_KILL | ACT_AGAIN;
	}
	if (!(ctx & CTX_CHILD)) {
		step.actions &= ~(ACT_TERM | ACT_KILL | ACT_LINGER);
		if (step.to == ENGINE_STOPPING) {
			bool again = (step.actions & ACT_AGAIN) || ((ctx & CTX_AGAIN) && !(step.actions & ACT_FORGET));

			step.to = again ? ENGINE_STARTING : ENGINE_STOPPED;
			step.actions &= ~ACT_AGAIN;
			if (again)
				step.actions |= ACT_SPAWN | ACT_FORGET;
		}
	}
	return step;
}

bool
engine_fsm_defined(enum engine_state s, enum engine_input in)
{
	bool total = false;

	for (int i = 0; i < ALTS; i++)
		total = total || (table[s][in].a[i].used && table[s][in].a[i].with == 0);
	return total;
}
