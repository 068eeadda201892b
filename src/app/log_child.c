/* SPDX-License-Identifier: ISC
 * The lines are taken from the ring, many at a time, so that a flood of them costs few writes. */
#include "app/log_child.h"

#include <limits.h>

#include "app/log_out.h"
#include "base/strbuf.h"

#define LINES_MAX 4096		/* at one turn of the loop */
#define CHILD (1u << RING_CHILD)

struct batch {
	struct strbuf text;
	int lines;
};

static bool
add(void *arg, const struct ring_line *line)
{
	struct batch *b = arg;
	size_t before = b->text.len;

	strbuf_printf(&b->text, "[%s] ", line->model);
	strbuf_add(&b->text, line->text, line->len);
	strbuf_putc(&b->text, '\n');
	/* A pipe takes so much whole or not at all. */
	if (before > 0 && b->text.len > PIPE_BUF) {
		log_out(b->text.p, before);
		strbuf_shift(&b->text, before);
	}
	return ++b->lines < LINES_MAX;
}

static void
copy(void *arg)
{
	struct log_child *l = arg;
	struct batch b = {STRBUF_INIT, 0};
	uint64_t dropped = 0;

	l->soon = false;
	if (!l->on)
		return;
	l->next = ring_read(l->ring, CHILD, NULL, l->next, add, &b, &dropped);
	if (b.text.len > 0)
		log_out(b.text.p, b.text.len);
	log_out_dropped(dropped);
	if (b.lines == LINES_MAX) {
		l->soon = true;
		loop_defer(l->loop, copy, l);
	}
	strbuf_fini(&b.text);
}

static void
on_line(void *arg)
{
	struct log_child *l = arg;

	if (!l->on || l->soon)
		return;
	l->soon = true;
	loop_defer(l->loop, copy, l);
}

void
log_child_start(struct log_child *l, struct loop *loop, struct ring *ring)
{
	*l = (struct log_child){.loop = loop, .ring = ring};
	ring_listen(ring, on_line, l);
}

void
log_child_set(struct log_child *l, bool on)
{
	if (on && !l->on)
		l->next = ring_next(l->ring);
	l->on = on;
}

void
log_child_stop(struct log_child *l)
{
	if (l->ring == NULL)
		return;
	ring_listen(l->ring, NULL, l);
	loop_undefer(l->loop, l);
	copy(l);
	loop_undefer(l->loop, l);
}
