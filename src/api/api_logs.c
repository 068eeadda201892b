/* SPDX-License-Identifier: ISC
 * Log lines: as text (the past, or the past and what follows) and as JSON for dashboards. A reader is a cursor into the
 * ring, so that a slow one costs nothing and is told what it missed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/xmalloc.h"

#define PIECE ((size_t)64 * 1024)	/* bytes put together at a time */
#define TURN 16				/* pieces in one turn of the loop */
#define EVERY 50			/* ms between two looks for news */
#define ALL_SOURCES ((1u << RING_CHILD) | (1u << RING_MAI) | (1u << RING_ACCESS))

struct log_stream {
	TAILQ_ENTRY(log_stream) link;
	struct api *api;
	struct http_req *req;
	unsigned mask;
	char *model;		/* (owned) or NULL: of all */
	uint64_t from, until;	/* until 0: for ever */
	bool blocked;		/* the client has enough to read */
};

struct piece {
	struct strbuf b;
	const struct log_stream *s;
	bool names;		/* lines say whose they are */
};

static bool
add_line(void *arg, const struct ring_line *l)
{
	struct piece *p = arg;

	if (p->s->until != 0 && l->seq >= p->s->until)
		return false;
	if (p->names && l->source == RING_CHILD)
		strbuf_printf(&p->b, "[%s] ", l->model);
	strbuf_add(&p->b, l->text, l->len);
	strbuf_putc(&p->b, '\n');
	return p->b.len < PIECE;
}

static void
stream_free(struct log_stream *s)
{
	TAILQ_REMOVE(&s->api->streams, s, link);
	free(s->model);
	free(s);
}

/* One piece; false when there is no more for now. */
static bool
pump_piece(struct log_stream *s)
{
	struct ring *r = s->api->o.ring;
	struct piece p = {.s = s, .names = s->model == NULL};
	uint64_t bytes = 0, next;
	bool more;

	if (s->until == 0 && ring_dropped(r, s->mask, s->model, s->from, &bytes) != 0)
		strbuf_printf(&p.b, "-- %llu bytes dropped --\n", (unsigned long long)bytes);
	next = ring_read(r, s->mask, s->model, s->from, add_line, &p, NULL);
	more = next < ring_next(r) && (s->until == 0 || next < s->until);
	s->from = next;
	if (p.b.len != 0)
		s->blocked = http_reply_body(s->req, strbuf_str(&p.b), p.b.len) > HTTP_HIGH_WATER;
	strbuf_fini(&p.b);
	return more;
}

static void
arm(struct api *a, uint64_t ms)
{
	if (!timer_armed(&a->streams_timer))
		timer_set(&a->streams_timer, ms);
}

/* Sends what there is; frees a stream that came to its end. */
static void
pump(struct log_stream *s)
{
	for (int i = 0; i < TURN && !s->blocked; i++) {
		if (pump_piece(s))
			continue;
		if (s->until != 0) {
			http_reply_end(s->req);
			stream_free(s);
		}
		return;
	}
	if (!s->blocked)
		arm(s->api, 0);
}

static void
on_streams(void *arg)
{
	struct api *a = arg;
	struct log_stream *s, *next;

	for (s = TAILQ_FIRST(&a->streams); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (!s->blocked)
			pump(s);
	}
}

void
api_streams_kick(struct api *a)
{
	if (!TAILQ_EMPTY(&a->streams))
		arm(a, EVERY);
}

void
api_streams_free(struct api *a)
{
	struct log_stream *s;

	if (a->streams_timer.cb != NULL)
		timer_stop(&a->streams_timer);
	while ((s = TAILQ_FIRST(&a->streams)) != NULL) {
		http_reply_end(s->req);
		stream_free(s);
	}
}

static void
on_writable(void *arg)
{
	struct log_stream *s = arg;

	s->blocked = false;
	pump(s);
}

static void
on_gone(void *arg, enum http_close why)
{
	(void)why;
	stream_free(arg);
}

static void
on_bytes(void *arg, const char *p, size_t n)
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

static void
stream_start(struct api *a, struct api_req *q, unsigned mask, const char *model, uint64_t from, uint64_t until)
{
	static const struct http_req_ops ops = {.body = on_bytes, .end = on_end, .writable = on_writable,
	    .gone = on_gone};
	struct log_stream *s = xcalloc(1, sizeof(*s));
	struct strbuf fields = STRBUF_INIT;

	/* An answer without a body has no end to wait for. */
	if (http_str_eq(http_req_head(q->req)->method, "HEAD"))
		until = ring_next(a->o.ring);
	if (a->streams_timer.cb == NULL)
		timer_init(&a->streams_timer, a->o.loop, on_streams, a);
	*s = (struct log_stream){.api = a, .req = q->req, .mask = mask, .model = xstrdup0(model), .from = from,
	    .until = until};
	TAILQ_INSERT_TAIL(&a->streams, s, link);
	http_put_field(&fields, "Content-Type", "text/plain; charset=utf-8");
	http_put_field(&fields, "X-Accel-Buffering", "no");
	api_put_fields(&fields);
	http_req_attach(s->req, &ops, s);
	http_reply_start(s->req, 200, &fields, HTTP_LENGTH_CHUNKED);
	http_reply_flush(s->req);
	strbuf_fini(&fields);
	pump(s);
}

/* ?source=: one, several with commas, or all. 0 when it is none. */
static unsigned
source_mask(const struct api_req *q, unsigned def)
{
	char buf[64], *s = buf, *comma;
	enum log_source source;
	unsigned mask = 0;

	if (api_param(q, "source", buf, sizeof(buf)) == NULL)
		return def;
	do {
		comma = strchr(s, ',');
		if (comma != NULL)
			*comma = '\0';
		if (strcmp(s, "all") == 0)
			mask |= ALL_SOURCES;
		else if (log_source_parse(s, &source) == 0)
			mask |= 1u << source;
		else
			return 0;
		s = comma != NULL ? comma + 1 : s;
	} while (comma != NULL);
	return mask;
}

/* Lines are kept under ids: *name becomes the one it stands for. A model that left the configuration may have left
 * lines. False when there is neither; that was answered. */
static bool
find_model(struct api *a, struct api_req *q, const char **name)
{
	const struct conf_model *m;
	char text[640];

	if (*name == NULL)
		return true;
	m = conf_find(router_conf(a->o.router), *name);
	if (m != NULL)
		*name = m->id;
	if (m != NULL || ring_tail(a->o.ring, 1u << RING_CHILD, *name, 1) != ring_next(a->o.ring))
		return true;
	snprintf(text, sizeof(text), "Unknown model %s", *name);
	api_fail(a, q->req, 404, text, "model_not_found", NULL, true);
	return false;
}

static bool
log_params(struct api *a, struct api_req *q, unsigned def, unsigned *mask, uint64_t def_n, uint64_t *n)
{
	*mask = source_mask(q, def);
	if (*mask != 0 && api_param_u64(q, "n", def_n, n))
		return true;
	api_fail(a, q->req, 400, *mask == 0 ? "source is child, mai, access or all" : "n is no number", "bad_request",
	    NULL, false);
	return false;
}

void
api_get_logs(struct api *a, struct api_req *q)
{
	char buf[512];
	const char *model = api_param(q, "model", buf, sizeof(buf));
	unsigned mask;
	uint64_t n;

	if (find_model(a, q, &model) && log_params(a, q, (1u << RING_CHILD) | (1u << RING_MAI), &mask, 1000, &n))
		stream_start(a, q, mask, model, ring_tail(a->o.ring, mask, model, (size_t)n), ring_next(a->o.ring));
}

/* rest: "", "proxy", "upstream", or a model */
void
api_get_logs_stream(struct api *a, struct api_req *q)
{
	char buf[512], no[8];
	const char *model = api_param(q, "model", buf, sizeof(buf));
	unsigned def = (1u << RING_CHILD) | (1u << RING_MAI), mask;
	uint64_t n, from;

	if (strcmp(q->rest, "proxy") == 0) {
		def = 1u << RING_MAI;
	} else if (strcmp(q->rest, "upstream") == 0) {
		def = 1u << RING_CHILD;
	} else if (q->rest[0] != '\0') {
		def = 1u << RING_CHILD;
		model = q->rest;
	}
	if (!find_model(a, q, &model) || !log_params(a, q, def, &mask, 1000, &n))
		return;
	from = http_url_param(q->query, "no-history", no, sizeof(no)) != 0 ? ring_next(a->o.ring) :
	    ring_tail(a->o.ring, mask, model, (size_t)n);
	stream_start(a, q, mask, model, from, 0);
}

/* json ----------------------------------------------------------------------------------------------------------- */

struct page {
	struct jsonw w;
	size_t max;
	bool colors;
};

static bool
put_line(void *arg, const struct ring_line *l)
{
	struct page *p = arg;
	const char level[2] = {l->level, '\0'};

	jw_arr(&p->w);
	jw_int(&p->w, (int64_t)l->seq);
	jw_int(&p->w, (int64_t)l->wall_ms);
	jw_str(&p->w, log_source_name((enum log_source)l->source));
	jw_str(&p->w, level);
	jw_strn(&p->w, l->text, l->len);
	jw_str(&p->w, l->model);
	if (p->colors && l->ncolors != 0) {
		jw_arr(&p->w);
		for (size_t i = 0; i < l->ncolors; i++) {
			jw_int(&p->w, (int64_t)l->colors[i].at);
			jw_int(&p->w, l->colors[i].color == TEXT_COLOR_NONE ? -1 : l->colors[i].color);
		}
		jw_arr_end(&p->w);
	}
	jw_arr_end(&p->w);
	return p->w.b->len < p->max;
}

void
api_get_logs_json(struct api *a, struct api_req *q)
{
	struct strbuf lines = STRBUF_INIT, b = STRBUF_INIT;
	struct page page = {.w = JSONW(&lines)};
	struct jsonw w = JSONW(&b);
	char buf[512];
	const char *model = api_param(q, "model", buf, sizeof(buf));
	uint64_t from, max, n, next, dropped, colors;
	unsigned mask;

	if (!find_model(a, q, &model) || !log_params(a, q, ALL_SOURCES, &mask, 0, &n))
		return;
	if (!api_param_u64(q, "from", 0, &from) || !api_param_u64(q, "max", PIECE, &max) ||
	    !api_param_u64(q, "colors", 0, &colors)) {
		api_fail(a, q->req, 400, "from, max and colors are numbers", "bad_request", NULL, false);
		return;
	}
	if (n != 0) {
		uint64_t tail = ring_tail(a->o.ring, mask, model, (size_t)n);

		from = tail > from ? tail : from;
	}
	page.colors = colors != 0;
	page.max = max > API_PAGE_MAX ? API_PAGE_MAX : (size_t)max;
	jw_arr(&page.w);
	next = ring_read(a->o.ring, mask, model, from, put_line, &page, &dropped);
	jw_arr_end(&page.w);
	jw_obj(&w);
	jw_kint(&w, "first", (int64_t)ring_first(a->o.ring, mask));
	jw_kint(&w, "next", (int64_t)next);
	jw_kint(&w, "dropped", (int64_t)dropped);
	jw_key(&w, "lines");
	jw_raw(&w, strbuf_str(&lines));
	jw_obj_end(&w);
	api_json(q->req, 200, &b);
	strbuf_fini(&lines);
	strbuf_fini(&b);
}
