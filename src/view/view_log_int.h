/* SPDX-License-Identifier: ISC
 * The inside of the log copy: view_log.c keeps the lines, view_log_apply.c takes them out of answers. */
#ifndef VIEW_VIEW_LOG_INT_H
#define VIEW_VIEW_LOG_INT_H

#include "view/view_log.h"

#define NSOURCES 3

struct view_log {
	struct view_line *lines;	/* (owned) from start on, n of them */
	size_t start, n, cap;
	size_t bytes[NSOURCES], max[NSOURCES];
	size_t oldest[NSOURCES];	/* no living line of the source stands before that position */
	size_t notes, dead;
	unsigned generation;
	char **models;			/* (owned) names; [0] is model 1 */
	size_t nmodels;
};

uint16_t view_log_model_number(struct view_log *l, const char *id);
/* What a line counts for its source. */
size_t view_log_bytes(const struct view_line *x);
/* Of the newest line; 0: none. */
uint64_t view_log_last_key(const struct view_log *l);
/* So that so many lines can be put before the first one. */
void view_log_make_room_before(struct view_log *l, size_t more);
/* Appends x, whose text and colours it takes; the oldest lines go. */
void view_log_take(struct view_log *l, struct view_line *x);

#endif
