/* SPDX-License-Identifier: ISC
 * Calls in a loop: libcurl's multi interface on our watches and timer. What libcurl reports is passed on at the end of
 * the turn, outside of it, because it must not be called again from its own callbacks. */
#include "client/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "client/client_priv.h"

struct client {
	struct loop *loop;
	struct client_target target;	/* (owned) */
	CURLM *multi;			/* (owned) */
	struct timer timer;
	struct client_flight *flights;	/* (owned) */
	struct sock *socks;		/* (owned) */
};

struct client_flight {
	struct client_xfer x;
	struct client *c;
	struct client_flight *next;
	const struct client_flight_ops *ops;
	void *arg;
	struct strbuf got;
	bool in_multi, scheduled, over;
	CURLcode code;
	struct err refused;	/* why it could not be started at all */
	void (*call_done)(void *, enum client_result, int, const char *, size_t);
	void *call_arg;
};

/* A socket that libcurl wants watched. */
struct sock {
	struct client *c;
	struct sock *next;
	struct watch watch;
	curl_socket_t fd;
};

static void deliver(void *arg);

static void
schedule(struct client_flight *f)
{
	if (f->scheduled)
		return;
	f->scheduled = true;
	loop_defer(f->c->loop, deliver, f);
}

static void
take_finished(struct client *c)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
		struct client_flight *f = NULL;
		CURLcode code = m->data.result;
		CURL *easy = m->easy_handle;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&f);
		curl_multi_remove_handle(c->multi, easy);
		f->in_multi = false;
		f->over = true;
		f->code = code;
		schedule(f);
	}
}

static void
act(struct client *c, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(c->multi, fd, what, &running);
	take_finished(c);
}

static void
on_ready(void *arg, int what)
{
	struct sock *s = arg;

	act(s->c, s->fd, what == LOOP_WRITE ? CURL_CSELECT_OUT : CURL_CSELECT_IN);
}

static void
on_timer(void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int
on_curl_timer(CURLM *multi, long ms, void *arg)
{
	struct client *c = arg;

	(void)multi;
	if (ms < 0)
		timer_stop(&c->timer);
	else
		timer_set(&c->timer, (uint64_t)ms);
	return 0;
}

static void
drop_sock(struct client *c, struct sock *s)
{
	struct sock **at = &c->socks;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	watch_set(&s->watch, 0);
	loop_defer(c->loop, free, s);
}

static int
on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *sockarg)
{
	struct client *c = arg;
	struct sock *s = sockarg;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s != NULL) {
			curl_multi_assign(c->multi, fd, NULL);
			drop_sock(c, s);
		}
		return 0;
	}
	if (s == NULL) {
		s = xcalloc(1, sizeof(*s));
		s->c = c;
		s->fd = fd;
		s->next = c->socks;
		c->socks = s;
		watch_init(&s->watch, c->loop, fd, on_ready, s);
		curl_multi_assign(c->multi, fd, s);
	}
	watch_set(&s->watch, (what & CURL_POLL_IN ? LOOP_READ : 0) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0));
	return 0;
}

struct client *
client_new(struct loop *l, const struct client_target *t)
{
	struct client *c = xcalloc(1, sizeof(*c));

	c->loop = l;
	client_target_copy(&c->target, t);
	c->multi = curl_multi_init();
	if (c->multi == NULL)
		fatal("libcurl cannot be set up");
	timer_init(&c->timer, l, on_timer, c);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	return c;
}

void
client_free(struct client **cp)
{
	struct client *c = *cp;

	if (c == NULL)
		return;
	while (c->flights != NULL) {
		struct client_flight *f = c->flights;

		client_flight_free(&f);
	}
	curl_multi_cleanup(c->multi);
	while (c->socks != NULL)
		drop_sock(c, c->socks);
	timer_stop(&c->timer);
	client_target_fini(&c->target);
	free(c);
	*cp = NULL;
}

struct loop *
client_loop(const struct client *c)
{
	return c->loop;
}

static size_t
on_write(char *p, size_t size, size_t n, void *arg)
{
	struct client_flight *f = arg;

	strbuf_add(&f->got, p, size * n);
	if (f->got.full)
		return 0;
	if (f->ops->data != NULL)
		schedule(f);
	return size * n;
}

struct client_flight *
client_flight_new(struct client *c, const char *method, const char *path, const char *body,
    const char *const *headers, const struct client_flight_ops *ops, void *arg)
{
	struct client_flight *f = xcalloc(1, sizeof(*f));

	f->c = c;
	f->ops = ops;
	f->arg = arg;
	f->got.max = CLIENT_ANSWER_MAX;
	f->next = c->flights;
	c->flights = f;
	if (client_xfer_init(&f->x, &c->target, method, path, body, headers, &f->refused) == 0) {
		curl_easy_setopt(f->x.easy, CURLOPT_WRITEFUNCTION, on_write);
		curl_easy_setopt(f->x.easy, CURLOPT_WRITEDATA, f);
		curl_easy_setopt(f->x.easy, CURLOPT_PRIVATE, f);
		f->in_multi = curl_multi_add_handle(c->multi, f->x.easy) == CURLM_OK;
		if (!f->in_multi)
			err_set(&f->refused, "libcurl refuses the transfer");
	}
	if (!f->in_multi) {
		f->over = true;
		schedule(f);
	}
	return f;
}

static void
unlink_flight(struct client_flight *f)
{
	struct client_flight **at = &f->c->flights;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	loop_undefer(f->c->loop, f);
}

static void
free_flight(struct client_flight *f)
{
	client_xfer_fini(&f->x);
	strbuf_fini(&f->got);
	free(f);
}

void
client_flight_free(struct client_flight **fp)
{
	struct client_flight *f = *fp;

	if (f == NULL)
		return;
	if (f->in_multi)
		curl_multi_remove_handle(f->c->multi, f->x.easy);
	unlink_flight(f);
	free_flight(f);
	*fp = NULL;
}

/* Passes on what came. The callbacks may free the flight (data) or the whole client (done). */
static void
deliver(void *arg)
{
	struct client_flight *f = arg;
	struct err e = {{0}};
	enum client_result r = CLIENT_FAILED;
	int status = client_xfer_status(&f->x);

	f->scheduled = false;
	if (f->ops->data != NULL && f->got.len > 0) {
		struct strbuf got = f->got;
		bool over = f->over;

		f->got = (struct strbuf){.max = got.max};
		if (over)
			schedule(f);
		f->ops->data(f->arg, status, got.p, got.len);
		strbuf_fini(&got);
		return;
	}
	if (!f->over)
		return;
	unlink_flight(f);
	if (f->refused.msg[0] != '\0')
		e = f->refused;
	else
		r = client_xfer_result(&f->x, &f->c->target, f->code, &e);
	f->ops->done(f->arg, r, r == CLIENT_OK ? status : 0, strbuf_str(&f->got), f->got.len, e.msg);
	free_flight(f);
}

static void
on_call_done(void *arg, enum client_result r, int status, const char *p, size_t n, const char *text)
{
	const struct client_flight *f = arg;

	if (r == CLIENT_OK)
		f->call_done(f->call_arg, r, status, p, n);
	else
		f->call_done(f->call_arg, r, 0, text, strlen(text));
}

void
client_async(struct client *c, const char *method, const char *path, const char *body, int viewer,
    void (*done)(void *arg, enum client_result r, int status, const char *answer, size_t n), void *arg)
{
	static const struct client_flight_ops ops = {.done = on_call_done};
	const char *headers[2] = {NULL, NULL};
	char line[64];
	struct client_flight *f;

	if (viewer > 0) {
		snprintf(line, sizeof(line), "X-Mai-Viewer-Id: %d", viewer);
		headers[0] = line;
	}
	f = client_flight_new(c, method, path, body, headers, &ops, NULL);
	f->arg = f;
	f->call_done = done;
	f->call_arg = arg;
}
