/* SPDX-License-Identifier: ISC
 * Clients that wait for a stream: after a while they get its head, and from then on signs of life, for as long as what
 * they wait for may still come. Answers that are late are ended here, too. One timer for all of them: it is set for the
 * first one that is due, and a request that is answered soon never touches it. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "proxy/proxy_beat.h"
#include "proxy/proxy_header.h"
#include "proxy/proxy_priv.h"

#define SOON 20			/* ms: who is due within them is served in the same turn */
#define MIDST_WAIT 250		/* ms to wait for the end of an event that the engine is in the midst of */
#define SUSPECT_TIME 60000	/* ms after which nothing came of a suspicion */

static void
on_look(void *arg)
{
	hold_look(arg);
}

void
hold_init(struct proxy *p)
{
	timer_init(&p->look, p->o.loop, on_look, p);
}

void
hold_arm(struct txn *t)
{
	struct timer *look = &t->p->look;
	uint64_t now, due = t->hold.due;

	if (due == 0 || (t->answer_due != 0 && t->answer_due < due))
		due = t->answer_due;
	if (due == 0 || (timer_armed(look) && look->due <= due))
		return;
	now = clock_ms();
	timer_set(look, due > now ? due - now : 0);
}

static bool
can_hold(const struct txn *t)
{
	return t->scan.stream && t->req != NULL && t->pm != NULL &&
	    (t->path->ends == ENDS_DONE || t->path->ends == ENDS_MESSAGE || t->path->ends == ENDS_RESPONSE);
}

static bool
shows_loading(const struct txn *t)
{
	const struct conf_model *m;

	if (!t->path->chat || t->pm == NULL || t->phase != REQ_QUEUED)
		return false;
	m = conf_find(router_conf(t->p->o.router), t->pm->id);
	return m != NULL && m->send_loading_state;
}

void
hold_begin(struct txn *t)
{
	uint64_t now = clock_ms();
	struct beat_out next;

	if (!can_hold(t))
		return;
	if (t->hold.since == 0)
		t->hold.since = now;
	t->hold.shows = shows_loading(t);
	next = beat_decide(&(struct beat_in){
		.now = t->hold.since, .since = t->hold.since, .said_at = t->hold.said_at, .opened = t->opened,
		.after = router_conf(t->p->o.router)->heartbeat_after,
		.every = router_conf(t->p->o.router)->heartbeat_every, .alive = true, .shows = t->hold.shows,
	});
	t->hold.due = next.due;
	hold_arm(t);
}

void
hold_end(struct txn *t)
{
	t->hold.since = t->hold.due = 0;
	t->answer_due = 0;
}

void
hold_open(struct txn *t)
{
	struct proxy_header_info info = {
		.model = t->pm->id, .request_id = t->rid, .waited_ms = t->waited_ms, .chat = t->path->chat,
	};

	if (t->fields.len == 0)
		proxy_header_stream(&t->fields, &info);
	t->opened = true;
	t->status = 200;
	http_reply_start(t->req, 200, &t->fields, HTTP_LENGTH_CHUNKED);
	http_reply_cork(t->req);
	strbuf_fini(&t->fields);
}

/* what is said -------------------------------------------------------------------------------------------------- */

static void
fill_engine(struct beat_wait *w, struct txn *t, uint64_t now)
{
	const char *from = NULL, *to = NULL;
	struct router_row row;
	const struct engine_info *i;
	int step;

	if (router_swapping(t->p->o.router, &from, &to, &step) && to != NULL && strcmp(to, t->pm->id) == 0 && step < 3)
		w->swap_from = from;
	if (!router_row(t->p->o.router, t->pm->id, &row) || row.engine == NULL)
		return;
	i = engine_info(row.engine);
	w->state = i->state;
	w->progress = i->progress;
	w->usual = i->usual_ms;
	w->elapsed = i->spawned_at != 0 && now > i->spawned_at ? now - i->spawned_at : 0;
	w->retry_in = i->retry_at > now ? i->retry_at - now : 0;
}

static void
put_text(struct strbuf *b, struct txn *t, uint64_t now)
{
	struct beat_wait w = {
		.model = t->pm->id, .sent = t->xfer != NULL, .state = ENGINE_STOPPED, .progress = -1,
		.position = t->xfer == NULL && t->ticket != NULL ? router_position(t->ticket) : 0,
		.prompt_done = t->usage.prompt_done, .prompt_total = t->usage.prompt_total,
	};

	fill_engine(&w, t, now);
	beat_text(b, &w);
}

static void
put_comment(struct strbuf *b, struct txn *t, const struct strbuf *text)
{
	if (t->path->ends == ENDS_MESSAGE) {
		strbuf_puts(b, "event: ping\ndata: {\"type\": \"ping\"}\n\n");
		return;
	}
	strbuf_puts(b, ": mai: ");
	strbuf_add(b, strbuf_str(text), text->len);
	strbuf_puts(b, "\n\n");
}

/* As a thought of the model's. */
static void
put_chunk(struct strbuf *b, const struct txn *t, struct strbuf *text)
{
	struct jsonw w = JSONW(b);

	strbuf_puts(b, "data: ");
	jw_obj(&w);
	jw_kstr(&w, "id", t->rid);
	jw_kstr(&w, "object", "chat.completion.chunk");
	jw_kint(&w, "created", (int64_t)(clock_wall_ms() / 1000));
	jw_kstr(&w, "model", t->name[0] != '\0' ? t->name : t->pm->id);
	jw_key(&w, "choices");
	jw_arr(&w);
	jw_obj(&w);
	jw_kint(&w, "index", 0);
	jw_key(&w, "delta");
	jw_obj(&w);
	strbuf_putc(text, '\n');
	jw_kstr(&w, "reasoning_content", strbuf_str(text));
	jw_obj_end(&w);
	jw_key(&w, "finish_reason");
	jw_null(&w);
	jw_obj_end(&w);
	jw_arr_end(&w);
	jw_obj_end(&w);
	strbuf_puts(b, "\n\n");
}

static uint64_t
hash(const struct strbuf *b)
{
	uint64_t x = 14695981039346656037u;

	for (size_t i = 0; i < b->len; i++)
		x = (x ^ (unsigned char)b->p[i]) * 1099511628211u;
	return x | 1;
}

/* whether it is true -------------------------------------------------------------------------------------------- */

/* What it waits for may still come: it has its place in a queue, or an engine that does not look dead has it. */
static bool
alive(struct txn *t)
{
	struct router_row row;
	const struct engine_info *i;

	if (t->deciding || t->pm == NULL)
		return false;
	if (!router_row(t->p->o.router, t->pm->id, &row) || row.engine == NULL)
		return t->xfer == NULL;
	i = engine_info(row.engine);
	if (t->xfer == NULL)
		return i->state != ENGINE_FAILED;
	if (i->check_ok_at > t->pm->suspect_at || clock_ms() - t->pm->suspect_at > SUSPECT_TIME)
		t->pm->suspect_at = 0;
	return (i->state == ENGINE_READY || i->state == ENGINE_DRAINING) && t->pm->suspect_at == 0;
}

static void
say(struct txn *t, enum beat_do what, struct strbuf *text, uint64_t now)
{
	struct strbuf b = STRBUF_INIT;

	if (!t->opened)
		hold_open(t);
	if (what == BEAT_TEXT) {
		t->hold.shown = hash(text);
		put_chunk(&b, t, text);
	} else {
		put_comment(&b, t, text);
	}
	t->hold.said_at = now;
	http_reply_body(t->req, b.p, b.len);
	http_reply_flush(t->req);
	note_heartbeat(t);
	strbuf_fini(&b);
}

static void
beat(struct txn *t, uint64_t now)
{
	const struct conf *c = router_conf(t->p->o.router);
	struct strbuf text = STRBUF_INIT;
	struct beat_out out;

	t->hold.due = 0;
	if (t->begun || t->req == NULL)
		return;
	if (t->opened && t->sse && !proxy_usage_between(&t->usage)) {
		t->hold.due = now + MIDST_WAIT;
		return;
	}
	txn_follow(t);
	t->hold.shows = shows_loading(t);
	put_text(&text, t, now);
	out = beat_decide(&(struct beat_in){
		.now = now, .since = t->hold.since, .said_at = t->hold.said_at, .after = c->heartbeat_after,
		.every = c->heartbeat_every, .opened = t->opened, .alive = alive(t), .shows = t->hold.shows,
		.news = hash(&text) != t->hold.shown,
	});
	t->hold.due = out.due;
	if (out.what != BEAT_NOTHING)
		say(t, out.what, &text, now);
	strbuf_fini(&text);
}

/* answers that are late ------------------------------------------------------------------------------------------ */

static void
late(struct txn *t)
{
	const struct proxy_fault f = {
		.code = "engine_timeout", .message = "the engine did not begin to answer in time", .model = t->pm->id,
		.attempt = -1,
	};

	http_xfer_cancel(&t->xfer);
	txn_suspect(t);
	txn_fail(t, 504, &f);
}

void
hold_look(struct proxy *p)
{
	uint64_t now = clock_ms();
	struct txn *next;

	for (struct txn *t = p->first; t != NULL; t = next) {
		next = t->next;
		if (t->answer_due != 0 && t->answer_due <= now && t->xfer != NULL)
			late(t);
		else if (t->hold.due != 0 && t->hold.due <= now + SOON)
			beat(t, now < t->hold.due ? t->hold.due : now);
	}
	timer_stop(&p->look);
	for (struct txn *t = p->first; t != NULL; t = t->next)
		hold_arm(t);
}
