/* SPDX-License-Identifier: ISC
 * What an engine writes: always drained, split into lines, cleaned, put into the ring. The work is bounded: past a budget
 * of bytes lines are only counted, but for the last ones of each read; memory never grows with the flood. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "engine/engine_priv.h"

#define READ_SIZE (64 * 1024)
#define READS_PER_TURN 16
#define PIPE_SIZE (1024 * 1024)
#define FLOOD_TURN (20 * 1024)	/* bytes at once after which the next read waits */
#define FLOOD_WAIT 20
#define FLOOD_WAIT_SMALL 2	/* the system's pipe holds little: the engine must not wait for us */
#define BUDGET_MAX (4u << 20)
#define BUDGET_PER_MS 262	/* a quarter of a MiB/s: thousands of lines a second are read by nobody */
#define FLOOD_KEEP 2048		/* of the last bytes there are */
#define FLOOD_KEEP_MORE 512	/* of a full read, behind which more stands */
#define LINE_MAX_BYTES (64 * 1024)
#define LIVE_MS 100
#define LIVE_BYTES 1024
#define END_MS 1000
#define TAIL_BYTES 1024
#define ERR_BYTES 512

static void on_drain(void *arg);
static void on_live(void *arg);
static void on_end(void *arg);

void
engine_output_kind(struct engine *e)
{
	struct engine_log *l = &e->log;
	const struct conf_kind *k = e->m->kind;

	if (l->progress != NULL && l->kind == k)
		return;
	policy_patterns_free(&l->progress);
	policy_patterns_free(&l->cause);
	policy_patterns_free(&l->fatal);
	policy_patterns_free(&l->perm);
	policy_patterns_free(&l->noise);
	policy_patterns_free(&l->work);
	policy_patterns_free(&l->still);
	l->kind = k;
	l->progress = policy_patterns_new(k == NULL ? NULL : k->progress);
	l->cause = policy_patterns_new(k == NULL ? NULL : k->cause);
	l->fatal = policy_patterns_new(k == NULL ? NULL : k->fatal);
	l->perm = policy_patterns_new(k == NULL ? NULL : k->permanent);
	l->noise = policy_patterns_new(k == NULL ? NULL : k->noise);
	l->work = policy_patterns_new(k == NULL ? NULL : k->work);
	l->still = policy_patterns_new(k == NULL ? NULL : k->still);
}

void
engine_output_init(struct engine *e)
{
	struct engine_log *l = &e->log;

	for (int i = 0; i < 2; i++)
		l->out[i] = (struct engine_out){.e = e, .fd = -1, .line = {.max = LINE_MAX_BYTES}};
	timer_init(&l->drain, e->env->loop, on_drain, e);
	timer_init(&l->live, e->env->loop, on_live, e);
	timer_init(&l->end, e->env->loop, on_end, e);
	timer_init(&l->trip, e->env->loop, engine_on_trip, e);
	l->tail.size = ENGINE_TAIL;
	l->errs.size = ENGINE_ERRS;
	engine_output_kind(e);
}

/* Look at the line from here: it is whole. ------------------------------------------------------------------------ */

static void
look_for_trouble(struct engine *e, const char *s)
{
	struct engine_log *l = &e->log;
	bool starting = e->info.state == ENGINE_STARTING;

	if (starting && policy_port_line(s))
		l->port_line = true;
	if (starting && l->permanent == REASON_NONE && policy_match(l->perm, s) >= 0) {
		l->permanent = policy_permanent_reason(s);
		engine_output_trip(e, s);
	}
	if ((starting || e->info.state == ENGINE_READY || e->info.state == ENGINE_DRAINING) &&
	    policy_match(l->fatal, s) >= 0)
		engine_output_trip(e, s);
}

static void
look_for_progress(struct engine *e, const char *s)
{
	int p = e->info.state == ENGINE_STARTING ? policy_progress(e->log.progress, s) : -1;

	if (p >= 0)
		e->info.progress = p;
}

static void
take_line(struct engine *e, const char *p, size_t n, bool cut)
{
	struct engine_log *l = &e->log;
	struct strbuf *c = &e->env->clean;
	struct text_color colors[TEXT_COLORS_MAX];
	size_t ncolors = 0;
	char level;

	strbuf_clear(c);
	/* With the mark of the cut it must fit into the ring. */
	if (e->conf->log_colors)
		ncolors = text_clean_colors(c, p, n, LINE_MAX_BYTES - 3, colors);
	else
		text_clean(c, p, n, LINE_MAX_BYTES - 3);
	if (cut && (c->len < 3 || strcmp(c->p + c->len - 3, "...") != 0))
		strbuf_puts(c, "...");
	/* Our own probes' lines are neither news nor life. */
	if (c->len > 0 && policy_match(l->noise, strbuf_str(c)) >= 0)
		return;
	engine_life_sign(e);
	level = policy_level(strbuf_str(c), c->len);
	ring_put_colors(e->env->ring, e->id, level, strbuf_str(c), c->len, colors, ncolors);
	if (c->len == 0)
		return;
	engine_lines_add(&l->tail, c->p, c->len, TAIL_BYTES);
	if (level == 'E')
		engine_lines_add(&l->errs, c->p, c->len, ERR_BYTES);
	look_for_progress(e, c->p);
	engine_wedge_line(e, c->p);
	look_for_trouble(e, c->p);
}

/* Bytes to lines -------------------------------------------------------------------------------------------------- */

/* A progress bar redraws itself with carriage returns: only what follows the last one counts. */
static void
drop_redrawn(struct strbuf *b)
{
	for (size_t i = b->len > 0 ? b->len - 1 : 0; i > 0; i--)
		if (b->p[i - 1] == '\r') {
			strbuf_shift(b, i);
			return;
		}
}

static void
add_partial(struct engine_out *o, const char *p, size_t n)
{
	struct strbuf *b = &o->line;

	if (o->cut)
		return;
	if (b->len + n > LINE_MAX_BYTES)
		drop_redrawn(b);
	if (b->len + n > LINE_MAX_BYTES) {
		strbuf_add(b, p, LINE_MAX_BYTES - b->len);
		o->cut = true;
		return;
	}
	strbuf_add(b, p, n);
	if (memchr(p, '\r', n) != NULL)
		drop_redrawn(b);
}

static void
end_line(struct engine_out *o, const char *p, size_t n)
{
	struct engine *e = o->e;

	if (o->line.len == 0 && !o->cut) {
		bool cut = n > LINE_MAX_BYTES;

		take_line(e, p, cut ? LINE_MAX_BYTES : n, cut);
		return;
	}
	add_partial(o, p, n);
	take_line(e, strbuf_str(&o->line), o->line.len, o->cut);
	strbuf_clear(&o->line);
	o->cut = false;
}

static void
clear_live(struct engine *e)
{
	timer_stop(&e->log.live);
	e->log.partial = NULL;
	if (e->log.live_shown)
		ring_set_live(e->env->ring, e->id, NULL);
	e->log.live_shown = false;
}

static void
feed(struct engine_out *o, const char *p, size_t n)
{
	struct engine_log *l = &o->e->log;
	const char *nl;
	bool whole = false;

	while (n > 0 && (nl = memchr(p, '\n', n)) != NULL) {
		end_line(o, p, (size_t)(nl - p));
		n -= (size_t)(nl + 1 - p);
		p = nl + 1;
		whole = true;
	}
	if (whole && l->partial == o)
		clear_live(o->e);
	if (n == 0)
		return;
	add_partial(o, p, n);
	engine_life_sign(o->e);
	l->partial = o;
	if (!timer_armed(&l->live))
		timer_set(&l->live, LIVE_MS);
}

/* Of a line that seemed to have no end: in a flood its head is enough. */
static void
take_head(struct engine_out *o)
{
	const char *p = strbuf_str(&o->line);
	size_t n = FLOOD_KEEP;

	while (n > 0 && ((unsigned char)p[n] & 0xc0) == 0x80)
		n--;
	take_line(o->e, p, n, true);
}

/* Over budget: counts the lines, and looks at the last few only. */
static void
feed_flood(struct engine_out *o, const char *p, size_t n)
{
	size_t keep = n < READ_SIZE ? FLOOD_KEEP : FLOOD_KEEP_MORE;
	const char *end = p + n, *from = n > keep ? end - keep : p, *nl;

	nl = memchr(from, '\n', (size_t)(end - from));
	if (nl == NULL) {
		add_partial(o, p, n);	/* one long line: bounded by itself */
		return;
	}
	if (o->cut) {
		take_head(o);
		p = (const char *)memchr(p, '\n', n) + 1;
	}
	strbuf_clear(&o->line);
	o->cut = false;
	for (const char *q = p; q <= nl; q++) {
		q = memchr(q, '\n', (size_t)(nl - q) + 1);
		if (q == NULL)
			break;
		o->e->log.dropped++;
	}
	engine_life_sign(o->e);
	engine_wedge_line(o->e, "");
	feed(o, nl + 1, (size_t)(end - nl - 1));
}

static void
say_dropped(struct engine *e)
{
	struct engine_log *l = &e->log;
	char text[96];
	int n;

	if (l->dropped == 0)
		return;
	n = snprintf(text, sizeof(text), "[mai: %llu lines dropped, the engine writes too fast]",
	    (unsigned long long)l->dropped);
	l->dropped = 0;
	l->dropped_said = clock_ms();
	ring_put(e->env->ring, RING_CHILD, e->id, 'W', text, (size_t)n);
}

static void
refill(struct engine_log *l)
{
	uint64_t now = clock_ms(), more = (now - l->refilled) * BUDGET_PER_MS;

	l->tokens = l->tokens + more > BUDGET_MAX ? BUDGET_MAX : l->tokens + more;
	l->refilled = now;
}

/* Pipes ----------------------------------------------------------------------------------------------------------- */

static void
close_out(struct engine_out *o)
{
	if (o->fd < 0)
		return;
	watch_set(&o->w, 0);
	close(o->fd);
	o->fd = -1;
	if (o->line.len > 0)
		end_line(o, "", 0);
	if (o->e->log.partial == o)
		clear_live(o->e);
}

static size_t
drain_one(struct engine_out *o, int reads)
{
	struct engine_log *l = &o->e->log;
	char *buf = o->e->env->buf;
	size_t total = 0;

	for (int i = 0; i < reads && o->fd >= 0; i++) {
		ssize_t n = read(o->fd, buf, READ_SIZE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0 || (n < 0 && errno != EAGAIN))
			close_out(o);	/* end of file is not death: that is told by wait */
		if (n <= 0)
			break;
		total += (size_t)n;
		if (l->tokens >= (uint64_t)n) {
			l->tokens -= (uint64_t)n;
			feed(o, buf, (size_t)n);
		} else {
			feed_flood(o, buf, (size_t)n);
		}
		if (n < READ_SIZE)
			break;
	}
	return total;
}

static size_t
drain(struct engine *e, int reads)
{
	size_t n;

	refill(&e->log);
	n = drain_one(&e->log.out[0], reads) + drain_one(&e->log.out[1], reads);
	if (e->log.dropped > 0 && (n < FLOOD_TURN || clock_ms() - e->log.dropped_said >= 1000))
		say_dropped(e);
	return n;
}

static void
set_watches(struct engine *e, int what)
{
	for (int i = 0; i < 2; i++)
		if (e->log.out[i].fd >= 0)
			watch_set(&e->log.out[i].w, what);
}

/* In a flood the pipe fills while we do something else: one wake-up for much. */
static void
on_readable(void *arg, int what)
{
	struct engine *e = ((struct engine_out *)arg)->e;

	(void)what;
	if (drain(e, READS_PER_TURN) < FLOOD_TURN)
		return;
	set_watches(e, 0);
	timer_set(&e->log.drain, e->log.small_pipe ? FLOOD_WAIT_SMALL : FLOOD_WAIT);
}

static void
on_drain(void *arg)
{
	struct engine *e = arg;

	if (drain(e, READS_PER_TURN) < FLOOD_TURN)
		set_watches(e, LOOP_READ);
	else
		timer_set(&e->log.drain, e->log.small_pipe ? FLOOD_WAIT_SMALL : FLOOD_WAIT);
}

static void
on_live(void *arg)
{
	struct engine *e = arg;
	struct engine_log *l = &e->log;
	struct strbuf *c = &e->env->clean;

	if (l->partial == NULL || l->partial->line.len == 0)
		return;
	strbuf_clear(c);
	text_clean(c, l->partial->line.p, l->partial->line.len, LIVE_BYTES);
	ring_set_live(e->env->ring, e->id, strbuf_str(c));
	l->live_shown = true;
	look_for_progress(e, strbuf_str(c));
}

static void
on_end(void *arg)
{
	struct engine *e = arg;

	drain(e, READS_PER_TURN);
	close_out(&e->log.out[0]);
	close_out(&e->log.out[1]);
	timer_stop(&e->log.drain);
}

/* Starts and ends -------------------------------------------------------------------------------------------------- */

static void
open_out(struct engine_out *o, int fd)
{
	o->fd = fd;
	o->cut = false;
	strbuf_clear(&o->line);
	o->e->log.small_pipe = true;
#ifdef F_SETPIPE_SZ
	if (fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE) >= PIPE_SIZE)
		o->e->log.small_pipe = false;
#endif
	watch_init(&o->w, o->e->env->loop, fd, on_readable, o);
	watch_set(&o->w, LOOP_READ);
}

void
engine_output_start(struct engine *e, int out, int err)
{
	struct engine_log *l = &e->log;

	timer_stop(&l->end);
	on_end(e);
	clear_live(e);
	engine_lines_clear(&l->tail);
	engine_lines_clear(&l->errs);
	l->port_line = false;
	l->permanent = REASON_NONE;
	engine_output_stop_trip(e);
	l->tokens = BUDGET_MAX;
	l->refilled = clock_ms();
	open_out(&l->out[0], out);
	open_out(&l->out[1], err);
}

void
engine_output_ended(struct engine *e)
{
	struct engine_log *l = &e->log;

	/* All that the pipes can hold, so that its last words are in the card. */
	drain(e, 2 * PIPE_SIZE / READ_SIZE);
	say_dropped(e);
	if (l->out[0].fd >= 0 || l->out[1].fd >= 0)
		timer_set(&l->end, END_MS);
	else
		timer_stop(&l->drain);
}

void
engine_output_fini(struct engine *e)
{
	struct engine_log *l = &e->log;

	timer_stop(&l->end);
	on_end(e);
	clear_live(e);
	timer_stop(&l->trip);
	for (int i = 0; i < 2; i++)
		strbuf_fini(&l->out[i].line);
	engine_lines_fini(&l->tail);
	engine_lines_fini(&l->errs);
	policy_patterns_free(&l->progress);
	policy_patterns_free(&l->cause);
	policy_patterns_free(&l->fatal);
	policy_patterns_free(&l->perm);
	policy_patterns_free(&l->noise);
	policy_patterns_free(&l->work);
	policy_patterns_free(&l->still);
}
