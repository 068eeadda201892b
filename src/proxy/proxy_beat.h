/* SPDX-License-Identifier: ISC
 * What a client that waits is told, and when. Pure. */
#ifndef PROXY_PROXY_BEAT_H
#define PROXY_PROXY_BEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "bus/vocab.h"

/* Times are clock_ms and ms. */
struct beat_in {
	uint64_t now;
	uint64_t since;		/* it waits */
	uint64_t said_at;	/* it last got something */
	uint64_t after, every;	/* heartbeatAfter (0: never) and heartbeatEvery */
	bool opened;		/* it has the head of its stream */
	bool alive;		/* what it waits for may still come */
	bool shows;		/* it is to see the progress of loading */
	bool news;		/* and there is other than it last saw */
};
enum beat_do { BEAT_NOTHING, BEAT_COMMENT, BEAT_TEXT };
struct beat_out {
	enum beat_do what;
	uint64_t due;		/* when to ask again; 0: never */
};
struct beat_out beat_decide(const struct beat_in *in);

/* What it waits for, as far as it is known. */
struct beat_wait {
	const char *model;		/* any text */
	bool sent;			/* to the engine, which works on the prompt */
	enum engine_state state;
	int progress;			/* of the load, per mille; -1 unknown */
	uint64_t elapsed, usual;	/* ms of the load; usual 0: unknown */
	uint64_t retry_in;		/* ms, in backoff */
	const char *swap_from;		/* the model that makes room; NULL: none */
	int position;			/* in the queue; 0: not there */
	int64_t prompt_done, prompt_total;	/* -1 unknown */
};
/* One line of harmless text: "loading qwen 43 %, position 2". */
void beat_text(struct strbuf *b, const struct beat_wait *w);

#endif
