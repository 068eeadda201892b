/* SPDX-License-Identifier: ISC
 * The router's inside. */
#ifndef ROUTER_ROUTER_PRIV_H
#define ROUTER_ROUTER_PRIV_H

#include <sys/queue.h>

#include "router/router.h"
#include "router/router_ops.h"
#include "router/router_policy.h"

struct slot;

struct ticket {
	TAILQ_ENTRY(ticket) link;	/* in slot->queue while waiting */
	struct router *router;
	struct slot *slot;		/* NULL once it was refused */
	struct conf *conf;		/* (ref) keeps the model of the answer alive */
	router_cb *cb;
	void *arg;
	uint64_t since;			/* arrival */
	uint64_t queued_at;		/* the same, or the crash that made it wait once more */
	uint64_t turn;			/* its ordinal */
	uint64_t deadline;
	bool waiting;
	bool requeued;
	bool held;			/* in flight, and waits for its client */
	bool untimed;			/* its end does not move idle_since */
};
TAILQ_HEAD(tickets, ticket);

/* One configured model. */
struct slot {
	struct router *router;
	struct conf *conf;		/* (ref) */
	const struct conf_model *model;	/* in conf */
	struct engine *engine;		/* (owned) NULL until first used */
	struct tickets queue;
	int queued, in_flight, held;
	enum policy_claim claim;	/* wanted although nobody waits; NONE once it was started */
	uint64_t word;			/* ordinal of a person's last word on it; 0: none */
	uint64_t turn;			/* ordinal of a claim that is nobody's */
	bool manual;			/* last started by a person */
	bool stopped;			/* a person said stop, and nobody anything else since */
	bool leaving;			/* gone from the configuration; freed once stopped and empty */
	bool checked;			/* of this load: it was seen that it can start */
	bool squeezed;			/* of this load: memory ran out, and an idle model went for it */
	int pinned;			/* said while it runs: 1 yes, 0 no; -1: as configured */
	struct slot *gave_way_to;	/* it comes back when that one does not start; NULL */
	struct slot *replaces;		/* the last one that gave way for it; NULL: none did */
	uint64_t load_since;		/* when its load was decided; 0: none under way */
	uint64_t idle_since;		/* end of the last timed request; 0: none yet */
	uint64_t used;			/* ordinal of its last use: several may be of one millisecond */
	uint64_t ends;			/* how often its engine came to an end */
	uint64_t need, need_at;		/* bytes it needs, as known then (clock_ms); 0: ask */
};

/* Something a person asked for, not yet come out. */
struct op {
	TAILQ_ENTRY(op) link;
	enum router_verb verb;
	struct slot *slot;		/* NULL: STOP of all, or decided at once */
	char *model;			/* (owned) as asked, for messages; NULL: all */
	bool decided, ok;		/* the answer was known at once: given from the loop all the same */
	enum router_refusal refusal;
	char *cause;			/* (owned) */
	uint64_t since;
	uint64_t generation;		/* RESTART: the engine's when it began */
	struct slot *awaits;		/* STOP: whose end it waits for; NULL: nothing ran */
	uint64_t ends;			/* and its count when it was asked for */
	char *who;			/* (owned) */
	router_done_cb *cb;
	void *arg;
};
TAILQ_HEAD(ops, op);

struct router {
	struct loop *loop;
	struct bus *bus;
	struct metrics *metrics;
	struct engine_env *env;
	const struct router_ops *eng;
	struct conf *conf;		/* (ref) */
	struct slot **slots;		/* (owned) */
	size_t nslots;
	struct slot *current;		/* last started, NULL after a stop */
	struct slot *last;		/* the same, but kept after a stop */
	uint64_t words;			/* how often people asked */
	uint64_t arrivals;		/* how many requests came */
	uint64_t uses;			/* how many uses ended */
	uint64_t settle_since;		/* an engine was gone then, its memory may not be back yet; 0: it is */
	uint64_t swaps;
	struct conf *undo;		/* (ref) what was before a name from outside took a model's place; NULL */
	char *undo_id;			/* (owned) the model that was there */
	struct slot *undo_for;		/* the one in its place */
	bool undo_due, undo_touched;	/* it failed; the old one had given way already */
	struct ops ops;
	struct timer tick;		/* queue deadlines, policy, settling */
	bool tick_pending;
	bool shutting;
	int hurry;			/* shutdown asked again */
	void (*shutdown_done)(void *);
	void *shutdown_arg;
};

/* router.c */
struct slot *slot_find(struct router *r, const char *name);
enum engine_state slot_state(const struct slot *s);
struct engine *slot_engine(struct slot *s);
/* One that holds a place, the most recently used of several; NULL. */
struct slot *router_occupant(struct router *r, const struct slot *except);
/* As router_reload; keep: models that are gone are not stopped for that. */
void router_replace(struct router *r, struct conf *c, bool keep);
/* Soon, from the loop: look at everything and move on. */
void router_kick(struct router *r);

/* router_ticket.c */
/* It was granted. */
void flight_enter(struct ticket *t);

/* router_queue.c */
void queue_put(struct slot *s, struct ticket *t, bool head);
void queue_remove(struct ticket *t);
void queue_refuse_all(struct slot *s, enum router_refusal why, const char *cause);
/* A person's word decides what the waiters of the other models get: as `route` says. */
void queue_follow(struct router *r, struct slot *to);
void queue_expire(struct router *r, uint64_t now);
uint64_t queue_next_deadline(const struct router *r);
void queue_grant(struct slot *s);
bool slot_admits(const struct slot *s);
void ticket_fill_grant(struct ticket *t, struct router_answer *a);
void refusal_fill(struct router_answer *a, struct slot *s, enum router_refusal why, const char *cause);

/* router_verbs.c */
void op_free(struct op *o);
void verbs_check(struct router *r);
/* A person's stop of it has not come out yet. */
bool verbs_stopping(const struct router *r, const struct slot *s);
void verbs_fail_all(struct router *r, enum router_refusal why, const char *cause);

/* Its load was refused, for the cause given. */
void verbs_refuse(struct router *r, const struct slot *s, const char *cause);

/* router_plan.c */
uint64_t plan_carry_out(struct router *r, uint64_t now);
void plan_changed(struct slot *s, enum engine_state from, enum engine_state to);
/* Before a slot is freed. */
void plan_forget(struct router *r, const struct slot *s);
void plan_undo(struct router *r);
void plan_undo_clear(struct router *r);
bool plan_swapping(const struct slot *s);
void slot_start(struct slot *s);

/* router_slot.c */
bool slot_pinned(const struct slot *s);
/* Draining or stopping, and not to come back by itself. */
bool slot_leaves(const struct slot *s);
/* Failed, but its processes are not dead yet: until they are it is as good as stopping. */
bool slot_dying(const struct slot *s);
/* A request that waits will have it loaded, as soon as the loop turns or its memory is there. */
bool slot_promised(const struct slot *s);
/* Bytes it needs to load; 0: not known. Asked for now and then only: the answer may take looks at the disk. */
uint64_t slot_need(const struct router *r, struct slot *s);
/* What it takes of memory_budget (0 without one): as the configuration says; else the most it was ever seen to take. */
uint64_t slot_memory(const struct router *r, struct slot *s);
void slot_describe(const struct router *r, struct slot *s, struct policy_model *m);
struct policy_limits plan_limits(const struct router *r);
/* Whether it could be loaded beside all that are or are promised, without anybody giving way. */
bool plan_fits(struct router *r, const struct slot *s);

#endif
