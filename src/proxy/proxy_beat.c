/* SPDX-License-Identifier: ISC
 * When a waiting client hears something, and the words. */
#include "proxy/proxy_beat.h"

#include <string.h>

#include "base/text.h"

#define SHOW_AFTER 1000		/* ms until the progress of loading is shown, and between two texts */
#define DEAD_WAIT 1000		/* ms until a dead engine is looked at again */
#define NAME_MAX_BYTES 96
#define STEP 10000		/* ms: a load of unknown length is told in such steps */

/* The sooner of two times; 0 is never. */
static uint64_t
sooner(uint64_t a, uint64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* When a comment is due; 0: never. */
static uint64_t
comment_due(const struct beat_in *in)
{
	if (in->after == 0)
		return 0;
	return in->opened ? in->said_at + in->every : in->since + in->after;
}

struct beat_out
beat_decide(const struct beat_in *in)
{
	uint64_t comment = comment_due(in), look = 0;

	if (in->shows) {
		uint64_t last = in->opened ? in->said_at : in->since;

		look = last + SHOW_AFTER > in->now ? last + SHOW_AFTER : in->now;
	}
	if (!in->alive && (look != 0 || comment != 0) && sooner(look, comment) <= in->now)
		return (struct beat_out){BEAT_NOTHING, in->now + DEAD_WAIT};
	if (look != 0 && look <= in->now) {
		if (in->news)
			return (struct beat_out){BEAT_TEXT, in->now + SHOW_AFTER};
		look = in->now + SHOW_AFTER;
	}
	if (comment != 0 && comment <= in->now)
		return (struct beat_out){BEAT_COMMENT, sooner(look, in->now + in->every)};
	return (struct beat_out){BEAT_NOTHING, sooner(look, comment)};
}

/* words --------------------------------------------------------------------------------------------------------- */

static void
put_name(struct strbuf *b, const char *name)
{
	text_clean(b, name, strlen(name), NAME_MAX_BYTES);
}

static void
put_loading(struct strbuf *b, const struct beat_wait *w)
{
	uint64_t percent = 100;

	if (w->progress >= 0)
		percent = (uint64_t)w->progress / 10;
	else if (w->usual != 0)
		percent = w->elapsed * 100 / w->usual;
	strbuf_puts(b, "loading ");
	put_name(b, w->model);
	if (w->progress >= 0 || w->usual != 0)
		strbuf_printf(b, " %u %%", (unsigned)(percent < 99 ? percent : 99));
	else if (w->elapsed >= STEP)
		strbuf_printf(b, ", %llu s", (unsigned long long)(w->elapsed / STEP * STEP / 1000));
}

static void
put_waiting(struct strbuf *b, const struct beat_wait *w)
{
	switch (w->state) {
	case ENGINE_STARTING:
		put_loading(b, w);
		return;
	case ENGINE_BACKOFF:
		put_name(b, w->model);
		strbuf_printf(b, " failed, starts again in %llu s", (unsigned long long)(w->retry_in + 999) / 1000);
		return;
	case ENGINE_READY:
		strbuf_puts(b, "waiting for a place at ");
		break;
	case ENGINE_DRAINING:
	case ENGINE_STOPPING:
	case ENGINE_STOPPED:
	case ENGINE_FAILED:
		if (w->swap_from != NULL) {
			strbuf_puts(b, "waiting for ");
			put_name(b, w->swap_from);
			strbuf_puts(b, " to make room for ");
			break;
		}
		strbuf_puts(b, "waiting for ");
		break;
	case ENGINE_NSTATES:
		break;
	}
	put_name(b, w->model);
}

void
beat_text(struct strbuf *b, const struct beat_wait *w)
{
	if (!w->sent) {
		put_waiting(b, w);
		if (w->position > 0)
			strbuf_printf(b, ", position %d", w->position);
		return;
	}
	put_name(b, w->model);
	strbuf_puts(b, " works on the prompt");
	if (w->prompt_total > 0 && w->prompt_done >= 0 && w->prompt_done <= w->prompt_total)
		strbuf_printf(b, " %d %%", (int)(w->prompt_done * 100 / w->prompt_total));
}
