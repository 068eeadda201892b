/* SPDX-License-Identifier: ISC
 * The event loop: one per process, one thread. Owns the libevent base; timers, fd watches and signals are embedded in
 * their users and armed here. Callbacks run from loop_run only, never from the function that arms them. */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event_struct.h>

struct loop;

/* NULL when the system refuses (out of fds). Owned by caller. */
struct loop *loop_new(void);
/* Frees; runs what was deferred first. Accepts NULL, nulls. All timers and watches must be stopped. */
void loop_free(struct loop **lp);
/* Runs until loop_stop. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* One turn, waiting at most ms (0: not at all; <0: until something happens). For tests and for the dashboard. */
void loop_once(struct loop *l, int ms);

/* Runs fn(arg) at the end of this turn of the loop, before it waits again, in order of the calls. An object that may be
 * inside one of its own callbacks frees itself this way. */
void loop_defer(struct loop *l, void (*fn)(void *), void *arg);
/* Forgets what was deferred for arg. */
void loop_undefer(struct loop *l, void *arg);

/* Memory that a callback of the loop may read into; whoever is called from there must not use it too. LOOP_SCRATCH bytes,
 * borrowed. */
#define LOOP_SCRATCH 65536
char *loop_scratch(struct loop *l);

/* A one-shot timer on the monotonic clock. */
struct timer {
	struct event ev;
	void (*cb)(void *arg);
	void *arg;
	uint64_t due;	/* ms on clock_ms; 0: not armed */
};

void timer_init(struct timer *t, struct loop *l, void (*cb)(void *arg), void *arg);
/* (Re)arms for ms from now. */
void timer_set(struct timer *t, uint64_t ms);
/* Disarms; harmless when not armed. An initialised timer must be stopped before its memory goes. */
void timer_stop(struct timer *t);
bool timer_armed(const struct timer *t);
/* Milliseconds until it fires, 0 when due or not armed. */
uint64_t timer_left(const struct timer *t);

#define LOOP_READ 1
#define LOOP_WRITE 2
#define LOOP_CLOSED 4	/* the peer closed or half-closed; only where loop_has_closed() */

/* Interest in one fd. The fd stays its owner's: stop the watch before closing it. */
struct watch {
	struct event rd, wr, cl;
	void (*cb)(void *arg, int what);
	void *arg;
	int armed;	/* LOOP_* bits */
};

/* cb may be called once for each bit, in separate calls. */
void watch_init(struct watch *w, struct loop *l, int fd, void (*cb)(void *arg, int what), void *arg);
/* Sets the interest to exactly these bits (0: none). Bits that stay cost no system call. */
void watch_set(struct watch *w, int what);
/* Whether LOOP_CLOSED works here (EV_FEATURE_EARLY_CLOSE): told even with data unread. */
bool loop_has_closed(const struct loop *l);

/* A signal, delivered in the loop. */
struct sigwatch {
	struct event ev;
	void (*cb)(void *arg, int sig);
	void *arg;
	bool armed;
};

void sigwatch_start(struct sigwatch *s, struct loop *l, int sig, void (*cb)(void *arg, int sig), void *arg);
void sigwatch_stop(struct sigwatch *s);

#endif
