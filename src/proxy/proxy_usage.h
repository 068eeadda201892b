/* SPDX-License-Identifier: ISC
 * A tap on the bytes of an answer: counts streamed events that carry text, reads the counts that the engine tells,
 * follows the progress of a prompt, and notices whether a stream came to the end that its API prescribes. Cheap: lines
 * are found by memchr, keys by their colons; nothing is parsed. Pure. */
#ifndef PROXY_PROXY_USAGE_H
#define PROXY_PROXY_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/* What a stream of an API ends with. */
enum proxy_ends {
	ENDS_FRAMING,	/* nothing of its own */
	ENDS_DONE,	/* data: [DONE]; or each choice finished, where the engine ends the message itself */
	ENDS_MESSAGE,	/* message_stop */
	ENDS_RESPONSE,	/* response.completed, .incomplete or .failed */
	ENDS_STOP	/* "stop":true */
};

/* What is known of the event that is being read. */
struct proxy_event {
	bool data;		/* it has a data line */
	bool content;		/* it carries text */
	bool progress;		/* it tells of the prompt */
	bool typed;		/* its first "type" was read */
	bool start;		/* an Anthropic message_start: its output_tokens are no count */
	bool ends, fails;	/* its name or type says so */
	bool named_ends, named_fails;	/* its event: line did */
	bool reversed;		/* a choice's finish_reason stands before its index */
	bool indexed;		/* index is that of a choice which has no finish_reason yet */
	int finish;		/* of the choice whose index comes: 0 none, 1 null, 2 a reason */
	int64_t index;
};

struct proxy_usage {
	bool sse;
	enum proxy_ends ends;
	bool done;		/* the end mark passed */
	bool error;		/* an error event passed */
	bool real;		/* more than comments and blank lines passed */
	bool began;		/* a data event passed that is no progress of the prompt */
	bool open;		/* the last whole line was not the blank one that ends an event */
	bool within;		/* keep is not the begin of its line */
	bool follow;		/* JSON whose brackets are counted, as only they tell where it ends */
	bool in_string, escaped, value;	/* of the followed one */
	bool any;		/* bytes of a JSON answer came */
	bool odd;		/* choices that cannot be kept apart */
	uint64_t depth;
	uint64_t events;	/* data events that carry text: about one a token */
	uint64_t work;		/* grows with each sign that the engine works; bare comments are none */
	uint64_t seen, finished;	/* choices, a bit each */
	int64_t usage_in, usage_out, cached, cache_read, cache_made;	/* "usage"; -1: not told, as all below */
	int64_t prompt_n, cache_n, predicted_n;		/* "timings" */
	int64_t prompt_done, prompt_total;	/* tokens of the prompt */
	double rate;		/* tokens/s as the engine says; < 0: it did not */
	struct proxy_event ev;
	struct strbuf keep;	/* (owned) the begin of a line, or its last part; the last bytes of a JSON answer */
};

void proxy_usage_init(struct proxy_usage *u, bool sse, enum proxy_ends ends);
void proxy_usage_fini(struct proxy_usage *u);
void proxy_usage_feed(struct proxy_usage *u, const char *p, size_t n);
/* After the last byte: reads the counts of a JSON answer, and a last line of a stream to which only its newline is missing. */
void proxy_usage_end(struct proxy_usage *u);
/* Whether a followed JSON answer has come to its end. */
bool proxy_usage_whole(const struct proxy_usage *u);
/* Whether a stream has come to its end. framed: its message ended properly by its own framing, which counts where every
 * choice had its finish_reason. */
bool proxy_usage_ended(const struct proxy_usage *u, bool framed);
/* Whether the last byte ended an event, so that another one may follow. */
bool proxy_usage_between(const struct proxy_usage *u);
/* Tokens that went in and came out, as well as it is known; -1 when it is not. In includes those found in a cache. */
int64_t proxy_usage_in(const struct proxy_usage *u);
int64_t proxy_usage_out(const struct proxy_usage *u);
/* Whether those that came out are only counted from events that carry text. */
bool proxy_usage_estimated(const struct proxy_usage *u);
/* Tokens of the prompt that were in a cache; -1. */
int64_t proxy_usage_cached(const struct proxy_usage *u);

/* proxy_usage_key.c: the colons of p[from..n), n being all that is known of a line or text. last: no more of it comes;
 * else only those are looked at behind which PROXY_USAGE_AHEAD bytes are known. */
#define PROXY_USAGE_AHEAD 72
#define PROXY_USAGE_BEHIND 32	/* bytes before a colon that a key may take */
void proxy_usage_keys(struct proxy_usage *u, const char *p, size_t from, size_t n, bool last);

#endif
