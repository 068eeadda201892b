/* SPDX-License-Identifier: ISC
 * A dashboard's bounded copy of log lines: filled from GET /api/logs forwards and backwards, with the dashboard's own
 * notes between; scrolled, searched. */
#ifndef VIEW_VIEW_LOG_H
#define VIEW_VIEW_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "bus/vocab.h"

/* Order of a core's line; notes behind it have the next ones. */
#define VIEW_KEY(seq) ((uint64_t)(seq) << 12)

struct view_line {
	uint64_t seq;		/* the core's number; of a note that of the line before */
	uint64_t key;		/* order of all lines */
	uint64_t wall_ms;
	char *text;		/* (owned) clean */
	uint32_t len;
	enum log_source source;
	char level;		/* ' ', 'W', 'E' */
	bool note;		/* put here, not from the core */
	bool dead;		/* it left; text is NULL */
	unsigned char ncolors;
	struct text_color *colors;	/* (owned) as the engine wrote it; NULL: without */
	uint16_t model;		/* of view_log_model; 0: none */
	unsigned char filter, search;	/* the reader's to write: what it found out about the line; 0 at first */
};

struct view_log;

/* Keeps at most max_bytes: of each source its share, so that a flood of one leaves the others; the oldest lines go. */
struct view_log *view_log_new(size_t max_bytes);
void view_log_free(struct view_log **lp);
/* Another core counts anew: its lines go, notes stay in front of what will come. */
void view_log_restart(struct view_log *l);
/* Counts the restarts: keys of before are worth nothing. */
unsigned view_log_generation(const struct view_log *l);

/* Appends the lines of an /api/logs answer ({"first","next","dropped","lines":[[seq,ms,source,level,text,model,colors]...]});
 * lines already there are skipped, as are those from until on (0: none). *next becomes where to go on. The number of
 * new lines, or -1. */
int view_log_apply(struct view_log *l, const char *json, size_t n, uint64_t until, uint64_t *next, struct err *e);
/* Puts the lines of such an answer that are older than all held ones before them, as far as there is room. The answer
 * must reach to the oldest held line (its next is not less); *gap says when it does not, and nothing is put. The number
 * of new lines, or -1. */
int view_log_apply_older(struct view_log *l, const char *json, size_t n, bool *gap, struct err *e);
void view_log_put(struct view_log *l, uint64_t seq, uint64_t wall_ms, enum log_source source, char level,
    const char *model, const char *text, size_t len);
/* A line of the dashboard's own behind the newest one; the oldest notes go when there are too many. */
void view_log_note(struct view_log *l, uint64_t wall_ms, enum log_source source, char level, const char *text);

/* Lines by position 0 (oldest) .. n-1, some of them dead. Borrowed until the next change. */
size_t view_log_count(const struct view_log *l);
struct view_line *view_log_at(const struct view_log *l, size_t i);
/* Position of the first line with such a key or a later one (count when none). */
size_t view_log_find(const struct view_log *l, uint64_t key);
/* The oldest core line held; 0: none. */
uint64_t view_log_first(const struct view_log *l);
/* Whether older lines would find no room. */
bool view_log_full(const struct view_log *l);

/* The model of that number ("" for 0), and the number of a model (0: it has no line). Borrowed. */
const char *view_log_model(const struct view_log *l, uint16_t model);
uint16_t view_log_model_find(const struct view_log *l, const char *id);

#endif
