/* SPDX-License-Identifier: ISC
 * A tap on the bytes of an answer: counts streamed events, reads the token counts where the engine tells them, and notices
 * the end mark of a chat stream. Cheap: only events that hold "usage" are looked into. Pure. */
#ifndef PROXY_PROXY_USAGE_H
#define PROXY_PROXY_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

struct proxy_usage {
	bool sse;
	bool done;		/* data: [DONE] passed */
	bool error;		/* an error event passed */
	bool skip;		/* the present line is too long to be kept */
	bool open;		/* the last whole line was not the blank one that ends an event */
	bool follow;		/* JSON whose brackets are counted, as only they tell where it ends */
	bool in_string, escaped, any;
	uint64_t depth;
	uint64_t events;	/* data events but the end mark */
	int64_t tokens_in, tokens_out;	/* as the engine says; -1: it did not */
	struct strbuf keep;	/* (owned) the begin of a line; or the last bytes of a JSON answer */
};

void proxy_usage_init(struct proxy_usage *u, bool sse);
void proxy_usage_fini(struct proxy_usage *u);
void proxy_usage_feed(struct proxy_usage *u, const char *p, size_t n);
/* After the last byte: reads the counts of a JSON answer. */
void proxy_usage_end(struct proxy_usage *u);
/* Whether a followed JSON answer has come to its end. */
bool proxy_usage_whole(const struct proxy_usage *u);
/* Tokens that came out, as well as it is known; -1 when it is not. */
int64_t proxy_usage_out(const struct proxy_usage *u);

#endif
