/* SPDX-License-Identifier: ISC
 * The readers of GET /api/events. One that does not keep up loses events, is told how many, and gets a fresh snapshot when it
 * reads again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_hub.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/xmalloc.h"

void
reader_send(struct reader *r, const struct strbuf *b)
{
	r->behind = http_reply_body(r->req, strbuf_str(b), b->len) > HTTP_HIGH_WATER;
	http_reply_flush(r->req);
}

void
reader_send_snapshot(struct reader *r)
{
	struct strbuf data = STRBUF_INIT, b = STRBUF_INIT;
	uint64_t now = clock_ms();
	struct view v;

	api_view_fill(r->hub->api, &v, now);
	v.viewer_id = r->viewer;
	v.viewer_name = xstrdup0(r->name);
	v.lost = r->lost;
	view_put_snapshot(&data, &v, now);
	view_fini(&v);
	hub_put_event(&b, "snapshot", r->hub->seq, strbuf_str(&data));
	r->lost = 0;
	reader_send(r, &b);
	strbuf_fini(&data);
	strbuf_fini(&b);
}

void
reader_free(struct reader *r)
{
	struct hub *h = r->hub;

	TAILQ_REMOVE(&h->readers, r, link);
	h->nreaders--;
	if (r->viewer != 0)
		h->nviewers--;
	free(r->name);
	free(r);
	if (h->nreaders != 0)
		hub_mark(h, D_GAUGES);
	else
		hub_rest(h);
}

static void
on_gone(void *arg, enum http_close why)
{
	(void)why;
	reader_free(arg);
}

static void
on_writable(void *arg)
{
	struct reader *r = arg;

	if (r->behind)
		reader_send_snapshot(r);
}

static void
on_body(void *arg, const char *p, size_t n)
{
	(void)arg;
	(void)p;
	(void)n;
}

static void
on_end(void *arg)
{
	(void)arg;
}

/* X-Mai-Viewer: user,tty,foreground|attached */
static void
name_viewer(struct reader *r, struct http_str v)
{
	struct strbuf b = STRBUF_INIT;
	size_t user = 0;

	while (user < v.n && v.p[user] != ',')
		user++;
	r->foreground = v.n > 11 && memcmp(v.p + v.n - 11, ",foreground", 11) == 0;
	r->viewer = ++r->hub->last_viewer;
	r->hub->nviewers++;
	if (!r->foreground)
		strbuf_printf(&b, "attach#%d%s", r->viewer, user != 0 ? " " : "");
	text_clean(&b, v.p, user, 64);
	r->name = strbuf_take(&b);
}

/* Whether all events after since are still there. */
static bool
still_there(const struct hub *h, uint64_t since)
{
	if (since == h->seq)
		return true;
	return since < h->seq && h->npast != 0 && h->past[0].seq <= since + 1;
}

static void
greet(struct reader *r, uint64_t since)
{
	struct hub *h = r->hub;
	struct strbuf b = STRBUF_INIT, data = STRBUF_INIT;
	struct view v;

	view_init(&v);
	api_view_rest(h->api, &v);
	v.viewer_id = r->viewer;
	v.viewer_name = xstrdup0(r->name);
	view_put_hello(&data, &v, clock_ms());
	view_fini(&v);
	hub_put_event(&b, "hello", 0, strbuf_str(&data));
	if (since != 0 && still_there(h, since))
		for (size_t i = 0; i < h->npast; i++)
			if (h->past[i].seq > since)
				strbuf_add(&b, h->past[i].text, h->past[i].n);
	reader_send(r, &b);
	strbuf_fini(&b);
	strbuf_fini(&data);
	if (since == 0 || !still_there(h, since))
		reader_send_snapshot(r);
}

static uint64_t
asked_since(const struct api_req *q, bool *bad)
{
	const struct http_field *f = http_field_find(http_req_head(q->req), "last-event-id");
	char num[24];
	uint64_t since;

	*bad = !api_param_u64(q, "since", 0, &since);
	if (since != 0 || *bad || f == NULL || f->value.n == 0 || f->value.n > 18)
		return since;
	memcpy(num, f->value.p, f->value.n);
	num[f->value.n] = '\0';
	return strspn(num, "0123456789") == f->value.n ? strtoull(num, NULL, 10) : 0;
}

void
api_get_events(struct api *a, struct api_req *q)
{
	static const struct http_req_ops ops = {.body = on_body, .end = on_end, .writable = on_writable,
	    .gone = on_gone};
	const struct http_field *f = http_field_find(http_req_head(q->req), "x-mai-viewer");
	struct hub *h = a->hub;
	struct strbuf fields = STRBUF_INIT;
	struct reader *r;
	bool bad;
	uint64_t since = asked_since(q, &bad);
	int max = READERS_MAX + (http_req_tag(q->req) == API_TAG_CONTROL ? READERS_OWN : 0);

	if (bad || h->nreaders >= max) {
		api_fail(a, q->req, bad ? 400 : 503, bad ? "since is no number" : "Too many event streams",
		    bad ? "bad_request" : "too_many_streams", NULL, false);
		return;
	}
	if (http_str_eq(http_req_head(q->req)->method, "HEAD")) {
		api_reply(q->req, 200, "text/event-stream; charset=utf-8", NULL, "", 0);
		return;
	}
	if (h->nreaders == 0)
		hub_wake(h);
	else
		hub_flush(h);
	r = xcalloc(1, sizeof(*r));
	r->hub = h;
	r->req = q->req;
	if (f != NULL)
		name_viewer(r, f->value);
	TAILQ_INSERT_TAIL(&h->readers, r, link);
	h->nreaders++;
	http_put_field(&fields, "Content-Type", "text/event-stream; charset=utf-8");
	http_put_field(&fields, "X-Accel-Buffering", "no");
	api_put_fields(&fields);
	http_req_attach(r->req, &ops, r);
	http_reply_start(r->req, 200, &fields, HTTP_LENGTH_CHUNKED);
	strbuf_fini(&fields);
	greet(r, since);
	hub_mark(h, D_GAUGES);
}
