/* SPDX-License-Identifier: ISC
 * Which engine a request goes to, when, and who waits meanwhile. Holds requests while a model starts, backs off or is
 * swapped in; decides swaps; carries out what a person asks for (start, stop, restart, load) and says how it ended. */
#ifndef ROUTER_ROUTER_H
#define ROUTER_ROUTER_H

#include "engine/engine.h"
#include "metrics/metrics.h"

struct router;
struct ticket;		/* one request's place: waiting, or in flight */

/* Why a request gets no engine. */
enum router_refusal {
	REFUSE_NONE,
	REFUSE_NOT_FOUND,	/* 404 model_not_found */
	REFUSE_CONFLICT,	/* 409 model_conflict: route: reject, or what is pinned leaves no room */
	REFUSE_QUEUE_FULL,	/* 503 queue_full */
	REFUSE_QUEUE_TIMEOUT,	/* 503 queue_timeout */
	REFUSE_FAILED,		/* 503 engine_failed */
	REFUSE_STOPPED,		/* 503: stopped by a person while it waited */
	REFUSE_SHUTDOWN		/* 503 shutting_down */
};

struct router_answer {
	enum router_refusal refusal;
	const struct conf_model *model;		/* borrowed; NULL for NOT_FOUND */
	const struct http_target *target;	/* granted: where; copied by the caller before it returns to the loop */
	uint64_t generation;
	uint64_t waited_ms;			/* this time: after a requeue since then */
	int retry_after;			/* seconds, for 503 */
	char cause[512];
};

/* The model is ready (or it will never be): called once, from the loop. */
typedef void router_cb(void *arg, const struct router_answer *a);

struct router *router_new(struct loop *l, struct bus *bus, struct metrics *m, struct engine_env *env, struct conf *c);
/* All engines must be gone (router_shutdown) and tickets done. Nulls. */
void router_free(struct router **rp);

/* Asks for a model (a name, alias or NULL for the current or default one). When it can be said at once, fills *now and
 * returns NULL for a refusal or the ticket for a grant (*waits false). Else returns a waiting ticket (*waits true) and
 * cb comes later. */
struct ticket *router_submit(struct router *r, const char *model, router_cb *cb, void *arg,
    struct router_answer *now, bool *waits);
/* Ends it: a waiting request leaves the queue, one in flight is finished. Accepts NULL, nulls. */
void router_done(struct ticket **tp);
/* The engine died before the client got a byte: waits again, at the head, behind one restart, with a queueMaxWait of
 * its own; cb comes later. Where a person gave the place to another model meanwhile it waits for that one, if `route` leads
 * there. False when this was done once before, or there is nothing to wait for, as where a person said stop: the ticket is
 * unchanged. */
bool router_requeue(struct ticket *t);
/* 1 for the next to be served; 0 when in flight. */
int router_position(const struct ticket *t);
/* The id of the model that it waits for (a person's load may change it) or has; NULL once it was refused. Borrowed. */
const char *router_ticket_model(const struct ticket *t);
/* The id of the model whose engine a request by this name would get or wait for now; NULL: none. Borrowed. */
const char *router_leads_to(struct router *r, const char *model);
/* This request is no use of the model that would put off its unloading (ttl): call right after the submit. */
void router_untimed(struct ticket *t);
/* The engine answers, or works on the prompt of, this request. Cheap. Accepts NULL. */
void router_progress(struct ticket *t);
/* Whether this request waits for its client, or for the engine's fate, and not for the engine, so that its silence says nothing
 * of the engine. Accepts NULL. */
void router_held(struct ticket *t, bool held);
/* The proxy tells that the engine behaves as if dead. */
void router_suspect(struct ticket *t);

/* what people ask for ------------------------------------------------------------------------------------------ */

enum router_verb { VERB_LOAD, VERB_START, VERB_STOP, VERB_RESTART };

struct router_outcome {
	bool ok;
	enum router_refusal refusal;	/* NOT_FOUND, CONFLICT, ... when !ok */
	const char *model;		/* borrowed id */
	enum engine_reason reason;
	uint64_t took_ms;
	char cause[512];
};
typedef void router_done_cb(void *arg, const struct router_outcome *o);

/* LOAD: make model the served one (drain, stop, settle, start, ready); already ready: done at once. max_tokens 0: as
 * configured. START: model NULL is the current one. STOP: NULL is every running one. RESTART: force = SIGKILL.
 * who names the author for BUS_ACTION; may be NULL. cb comes exactly once, never from inside this call, unless
 * router_forget(arg) was called first. */
void router_do(struct router *r, enum router_verb verb, const char *model, int max_tokens, bool force, const char *who,
    router_done_cb *cb, void *arg);
void router_forget(struct router *r, void *arg);

/* Ends everything: waiters are refused at once; now skips drains. done comes when no engine is left. Calling it again
 * with now hurries; a second now kills. */
void router_shutdown(struct router *r, bool now, void (*done)(void *arg), void *arg);

/* what is to be seen ------------------------------------------------------------------------------------------- */

struct router_row {
	struct engine *engine;		/* NULL when it was never started */
	const struct conf_model *model;
	int in_flight, queued;
	bool current;
	bool pinned;			/* never gives way */
};
/* fn for each configured model, in order; i counts from 0. */
void router_each(struct router *r, void (*fn)(void *arg, const struct router_row *row), void *arg);
/* One model; the current one for NULL. False when there is none. */
bool router_row(struct router *r, const char *model, struct router_row *out);
/* Pins a model, or lets it go, until the configuration is read again. False: there is no such model. */
bool router_pin(struct router *r, const char *model, bool pin);
/* The id of the current model: the one last started; NULL after a stop and before any start. */
const char *router_current(const struct router *r);
/* The current model also after a stop; the default before any start; NULL without models. */
const char *router_last(const struct router *r);
int router_in_flight(const struct router *r);
int router_queued(const struct router *r);
uint64_t router_swaps(const struct router *r);
/* A swap under way: from and to ids and its step (1 drain, 2 stop, 3 start); false when none. Of several the first. */
bool router_swapping(const struct router *r, const char **from, const char **to, int *step);
struct conf *router_conf(const struct router *r);
/* Replaces the configuration: unchanged models keep running; changed ones take it at their next start. What was said
 * only until then (pins) is forgotten. */
void router_reload(struct router *r, struct conf *c);
/* The same configuration with more models: nothing is forgotten. */
void router_extend(struct router *r, struct conf *c);
/* Loads what the configuration wants loaded at start, as far as there is room. */
void router_preload(struct router *r);

#endif
