/* SPDX-License-Identifier: ISC
 * The logs kept in memory: one bounded byte ring for each child model, one for mai, one for access lines, all numbered
 * by one global sequence, so that "all" can be merged in order. The oldest lines go first; nothing ever blocks the
 * writer. Knows nothing of engines or wire formats. */
#ifndef RING_RING_H
#define RING_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

#define RING_CHILD 0
#define RING_MAI 1
#define RING_ACCESS 2

/* One line as it is read back; the text is borrowed until the next ring call and NUL-terminated. */
struct ring_line {
	uint64_t seq;		/* 1, 2, ... over all rings */
	uint64_t wall_ms;
	int source;		/* RING_* (= enum log_source) */
	char level;		/* ' ', 'W', 'E' */
	const char *model;	/* borrowed; "" for lines of no model */
	const char *text;
	size_t len;
	size_t ncolors;
	struct text_color colors[TEXT_COLORS_MAX];
};

struct ring;

/* Sizes in bytes, of which memory is taken as they fill: child is per model, all children together stay under
 * child_total. */
struct ring *ring_new(size_t child, size_t child_total, size_t mai, size_t access);
void ring_free(struct ring **rp);

/* Appends one line of clean text (base/text.h) and returns its sequence number. model may be NULL but for RING_CHILD. */
uint64_t ring_put(struct ring *r, int source, const char *model, char level, const char *text, size_t len);

/* The same for a line of a model's output that had colours (text_clean_colors); they are kept beside it. */
uint64_t ring_put_colors(struct ring *r, const char *model, char level, const char *text, size_t len,
    const struct text_color *colors, size_t ncolors);

/* The text of a model's output that has no newline yet (a progress bar); NULL or "" clears it. Not numbered. */
void ring_set_live(struct ring *r, const char *model, const char *text);
/* Borrowed; "" when there is none. */
const char *ring_live(const struct ring *r, const char *model);

/* Calls fn for the lines with seq >= from of the sources in mask (1 << RING_*), in order, oldest first, until fn returns
 * false; model NULL: of every model, else child and mai lines of that model only (access lines always pass).
 * Returns the sequence number to go on from. *dropped (may be NULL) becomes the number of lines >= from that
 * were asked for but had already left. */
uint64_t ring_read(const struct ring *r, unsigned mask, const char *model, uint64_t from,
    bool (*fn)(void *arg, const struct ring_line *l), void *arg, uint64_t *dropped);
/* The lines >= from that were asked for but had left, and (may be NULL) the bytes of their text; exact but where a reader
 * stands in the middle of what left while several sources wrote. */
uint64_t ring_dropped(const struct ring *r, unsigned mask, const char *model, uint64_t from, uint64_t *bytes);
/* The sequence number from which at most n of the newest matching lines follow. */
uint64_t ring_tail(const struct ring *r, unsigned mask, const char *model, size_t n);

/* The sequence number the next line will get; the oldest line still held (= next when empty) of those sources. */
uint64_t ring_next(const struct ring *r);
uint64_t ring_first(const struct ring *r, unsigned mask);
/* Bytes held by all rings together. */
size_t ring_bytes(const struct ring *r);

/* fn(arg) after each ring_put and live change. At most two listeners, known by arg; NULL removes that one. They must not
 * write to the ring. */
void ring_listen(struct ring *r, void (*fn)(void *arg), void *arg);

#endif
