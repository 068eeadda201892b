/* SPDX-License-Identifier: ISC
 * The inside of the rings: ring.c writes, ring_read.c reads. Each source (a lane) is a queue of chunks; a chunk holds text
 * from its front and the index of its lines from its back, so that memory is taken as it fills, a full lane gives back its
 * oldest chunk, and any line is found by two binary searches. */
#ifndef RING_RING_PRIV_H
#define RING_RING_PRIV_H

#include "ring/ring.h"

#define HISTORY 32
#define LISTENERS 2
#define LEVEL_COLORS 0x80	/* in the level of an entry: its colours follow the text */

struct entry {
	uint64_t seq;
	uint64_t wall_ms;
	uint32_t off;
	uint32_t len_level;	/* length << 8 | LEVEL_COLORS | level */
};

struct chunk {
	size_t size;	/* of data, a multiple of 8 */
	size_t used;	/* text bytes at the front */
	size_t n;	/* entries at the back, the newest lowest */
	uint64_t data[];
};

/* Lines that left: how many and how long, between two numbers. */
struct gone {
	uint64_t first, last, lines, bytes;
};

struct lane {
	int source;
	char *model;		/* (owned) RING_CHILD only */
	size_t limit, chunk;
	size_t bytes;		/* of all chunks */
	struct chunk **q;	/* (owned) oldest first */
	size_t nq, capq;
	struct gone gone[HISTORY];	/* oldest first; the first one sums up what is older still */
	size_t ngone;
	char *live;		/* (owned) */
};

struct ring {
	struct lane mai, access;
	struct lane **child;	/* (owned) */
	size_t nchild;
	size_t last;		/* the child written to last */
	size_t child_limit, child_total, child_bytes;
	uint64_t next;
	struct {
		void (*fn)(void *arg);
		void *arg;
	} listener[LISTENERS];
};

/* Of a chunk: its text, its i-th line; and the length of a line. */
char *chunk_text(const struct chunk *c);
struct entry *chunk_entry(const struct chunk *c, size_t i);
size_t entry_len(const struct entry *e);
/* The lane of a model's output; NULL. */
struct lane *ring_child(const struct ring *r, const char *model);

#endif
