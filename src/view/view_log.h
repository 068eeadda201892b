/* SPDX-License-Identifier: ISC
 * A dashboard's bounded copy of log lines, by sequence number: filled from GET /api/logs, scrolled, searched. */
#ifndef VIEW_VIEW_LOG_H
#define VIEW_VIEW_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "bus/vocab.h"

struct view_line {
	uint64_t seq, wall_ms;
	enum log_source source;
	char level;		/* ' ', 'W', 'E' */
	char *text;		/* (owned) clean */
	size_t len;
};

struct view_log;

/* Keeps at most max_bytes of text, dropping the oldest. */
struct view_log *view_log_new(size_t max_bytes);
void view_log_free(struct view_log **lp);
void view_log_clear(struct view_log *l);

/* Appends the lines of an /api/logs answer ({"first","next","dropped","lines":[[seq,ms,source,level,text],...]}); lines
 * already there are skipped. *next becomes where to go on. The number of new lines, or -1. */
int view_log_apply(struct view_log *l, const char *json, size_t n, uint64_t *next, struct err *e);
void view_log_put(struct view_log *l, uint64_t seq, uint64_t wall_ms, enum log_source source, char level,
    const char *text, size_t len);

/* Lines held, by position 0 (oldest) .. n-1. Borrowed until the next change. */
size_t view_log_count(const struct view_log *l);
const struct view_line *view_log_at(const struct view_log *l, size_t i);
/* Position of the first line with seq >= seq (count when none). */
size_t view_log_find(const struct view_log *l, uint64_t seq);
/* Lines lost: dropped by the core before they were fetched, or out of this copy. */
uint64_t view_log_lost(const struct view_log *l);

#endif
