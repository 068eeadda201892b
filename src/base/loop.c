/* SPDX-License-Identifier: ISC
 * The event loop on libevent core. */
#include "base/loop.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"

struct deferred {
	void (*fn)(void *);
	void *arg;
};

struct loop {
	struct event_base *base;
	struct event once_ev;	/* ends a loop_once */
	struct deferred *defer;	/* (owned) in order */
	size_t ndefer, capdefer;
	char *scratch;		/* (owned) NULL until asked for */
	bool has_closed, stop;
};

static void
on_libevent_log(int severity, const char *msg)
{
	if (severity == EVENT_LOG_ERR)
		log_error("loop", NULL, "%s", msg);
	else if (severity == EVENT_LOG_WARN)
		log_warn("loop", NULL, "%s", msg);
}

static void
run_deferred(struct loop *l)
{
	/* What is deferred meanwhile runs in the same pass. */
	for (size_t i = 0; i < l->ndefer; i++) {
		struct deferred d = l->defer[i];

		l->defer[i].fn = NULL;
		if (d.fn != NULL)
			d.fn(d.arg);
	}
	l->ndefer = 0;
}

static void
on_once(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

struct loop *
loop_new(void)
{
	struct loop *l = xcalloc(1, sizeof(*l));
	struct event_config *cfg;

	event_set_log_callback(on_libevent_log);
	cfg = event_config_new();
	if (cfg == NULL)
		goto fail;
	event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);
	l->base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	if (l->base == NULL)
		goto fail;
	evtimer_assign(&l->once_ev, l->base, on_once, l);
#ifdef EV_CLOSED
	l->has_closed = (event_base_get_features(l->base) & EV_FEATURE_EARLY_CLOSE) != 0;
#endif
	return l;
fail:
	free(l);
	return NULL;
}

void
loop_free(struct loop **lp)
{
	struct loop *l = *lp;

	if (l == NULL)
		return;
	run_deferred(l);
	event_del(&l->once_ev);
	event_base_free(l->base);
	free(l->defer);
	free(l->scratch);
	free(l);
	*lp = NULL;
}

/* Turn by turn, so that deferred work runs right after the callbacks of its turn; an event of lower priority would wait
 * for as long as sockets are busy. */
void
loop_run(struct loop *l)
{
	l->stop = false;
	run_deferred(l);
	while (!l->stop) {
		if (event_base_loop(l->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY) < 0)
			break;
		if (l->ndefer != 0)
			run_deferred(l);
	}
}

void
loop_stop(struct loop *l)
{
	l->stop = true;
	event_base_loopbreak(l->base);
}

void
loop_once(struct loop *l, int ms)
{
	struct timeval tv = {ms / 1000, (ms % 1000) * 1000};

	if (l->ndefer != 0) {
		run_deferred(l);
		ms = 0;
	}
	if (ms > 0)
		event_add(&l->once_ev, &tv);
	event_base_loop(l->base, ms == 0 ? EVLOOP_NONBLOCK : EVLOOP_ONCE);
	if (ms > 0)
		event_del(&l->once_ev);
	run_deferred(l);
}

char *
loop_scratch(struct loop *l)
{
	if (l->scratch == NULL)
		l->scratch = xmalloc(LOOP_SCRATCH);
	return l->scratch;
}

void
loop_defer(struct loop *l, void (*fn)(void *), void *arg)
{
	if (l->ndefer == l->capdefer) {
		l->capdefer = l->capdefer ? l->capdefer * 2 : 16;
		l->defer = xreallocarray(l->defer, l->capdefer, sizeof(*l->defer));
	}
	l->defer[l->ndefer++] = (struct deferred){fn, arg};
}

void
loop_undefer(struct loop *l, void *arg)
{
	for (size_t i = 0; i < l->ndefer; i++)
		if (l->defer[i].arg == arg)
			l->defer[i].fn = NULL;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct timer *t = arg;

	(void)fd;
	(void)what;
	t->due = 0;
	t->cb(t->arg);
}

void
timer_init(struct timer *t, struct loop *l, void (*cb)(void *), void *arg)
{
	memset(t, 0, sizeof(*t));
	t->cb = cb;
	t->arg = arg;
	evtimer_assign(&t->ev, l->base, on_timer, t);
}

void
timer_set(struct timer *t, uint64_t ms)
{
	struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000};

	t->due = clock_ms() + ms;
	if (t->due == 0)
		t->due = 1;
	/* The library counts from when this turn began: a long one would make the timer go off early. */
	event_base_update_cache_time(event_get_base(&t->ev));
	evtimer_add(&t->ev, &tv);
}

void
timer_stop(struct timer *t)
{
	if (t->cb != NULL)
		evtimer_del(&t->ev);
	t->due = 0;
}

bool
timer_armed(const struct timer *t)
{
	return t->due != 0;
}

uint64_t
timer_left(const struct timer *t)
{
	uint64_t now = clock_ms();

	return t->due > now ? t->due - now : 0;
}

static void
on_read(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	(void)fd;
	(void)what;
	w->cb(w->arg, LOOP_READ);
}

static void
on_write(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	(void)fd;
	(void)what;
	w->cb(w->arg, LOOP_WRITE);
}

#ifdef EV_CLOSED
static void
on_closed(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	(void)fd;
	(void)what;
	w->cb(w->arg, LOOP_CLOSED);
}
#endif

void
watch_init(struct watch *w, struct loop *l, int fd, void (*cb)(void *, int), void *arg)
{
	memset(w, 0, sizeof(*w));
	w->cb = cb;
	w->arg = arg;
	event_assign(&w->rd, l->base, fd, EV_READ | EV_PERSIST, on_read, w);
	event_assign(&w->wr, l->base, fd, EV_WRITE | EV_PERSIST, on_write, w);
#ifdef EV_CLOSED
	event_assign(&w->cl, l->base, fd, EV_CLOSED | EV_PERSIST, on_closed, w);
#endif
}

static void
watch_bit(struct watch *w, struct event *ev, int bit, int what)
{
	if ((what & bit) && !(w->armed & bit))
		event_add(ev, NULL);
	else if (!(what & bit) && (w->armed & bit))
		event_del(ev);
}

void
watch_set(struct watch *w, int what)
{
	if (what == w->armed)
		return;
	watch_bit(w, &w->rd, LOOP_READ, what);
	watch_bit(w, &w->wr, LOOP_WRITE, what);
#ifdef EV_CLOSED
	watch_bit(w, &w->cl, LOOP_CLOSED, what);
#endif
	w->armed = what;
}

bool
loop_has_closed(const struct loop *l)
{
	return l->has_closed;
}

static void
on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct sigwatch *s = arg;

	(void)what;
	s->cb(s->arg, (int)sig);
}

void
sigwatch_start(struct sigwatch *s, struct loop *l, int sig, void (*cb)(void *, int), void *arg)
{
	memset(s, 0, sizeof(*s));
	s->cb = cb;
	s->arg = arg;
	evsignal_assign(&s->ev, l->base, sig, on_signal, s);
	s->armed = evsignal_add(&s->ev, NULL) == 0;
}

void
sigwatch_stop(struct sigwatch *s)
{
	if (s->armed)
		evsignal_del(&s->ev);
	s->armed = false;
}
