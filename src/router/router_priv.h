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
	uint64_t deadline;
	bool waiting;
	bool requeued;
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
	int queued, in_flight;
	bool manual;			/* last started by a person */
	bool leaving;			/* gone from the configuration; freed once stopped and empty */
	uint64_t load_since;
	uint64_t idle_since;		/* end of the last timed request; 0: none yet */
	uint64_t ends;			/* how often its engine came to an end */
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
	struct slot *target;		/* on the way to be the served one; closes admission to the others */
	struct slot *from;		/* what target replaces; NULL: nothing ran */
	bool target_manual, target_started, target_replaces;
	uint64_t settle_since;		/* 0: not settling */
	uint64_t swaps;
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
struct slot *router_occupant(struct router *r, const struct slot *except);
/* Soon, from the loop: look at everything and move on. */
void router_kick(struct router *r);

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

/* router_swap.c */
void swap_to(struct router *r, struct slot *to, bool manual);
void swap_cancel(struct router *r);
void swap_step(struct router *r);
void swap_policy(struct router *r, uint64_t now, uint64_t *again_in);

#endif
