/* SPDX-License-Identifier: ISC
 * Where the log pane stands: sources, follow or pause, scroll anchored by sequence number, errors, search, filter. It
 * reads the log copy and remembers positions; drawing is in ui_pane_log.c. Pure. */
#ifndef UI_UI_LOG_H
#define UI_UI_LOG_H

#include "ui/ui_pattern.h"
#include "view/view_log.h"

#define UI_LOG_ALL ((1u << SOURCE_CHILD) | (1u << SOURCE_MAI) | (1u << SOURCE_ACCESS))

struct ui_log {
	unsigned mask;		/* 1 << enum log_source */
	bool follow, wrap;
	int hscroll;
	uint64_t top;		/* paused: sequence number of the first row */
	uint64_t paused_at;	/* the last line there was when it was paused */
	bool auto_pause;	/* paused by a failure, not by the person */
	bool at_error;		/* the anchor is an error: "error n of m" */
	int error_n, error_of;
	struct ui_pattern filter, search;
	uint64_t hit;		/* sequence number of the search hit; 0: none */
	int hit_n, hit_of;
	uint64_t hidden, counted_to;	/* lines the filter hid, counted up to that sequence number */
	int rows, cols;		/* of the pane when last drawn */
	uint64_t shown_top;	/* first line of it */
};

void ui_log_init(struct ui_log *s);
void ui_log_fini(struct ui_log *s);

/* Whether a line is shown at all. */
bool ui_log_shows(const struct ui_log *s, const struct view_line *l);
/* Position of the nearest shown line from i on, downwards (step 1) or upwards (-1); -1: none. */
long ui_log_step(const struct ui_log *s, const struct view_log *log, long i, int step);

void ui_log_pause(struct ui_log *s, const struct view_log *log);
void ui_log_follow(struct ui_log *s);
/* Moves the window by so many shown lines; upwards pauses. */
void ui_log_scroll(struct ui_log *s, const struct view_log *log, int by);
void ui_log_oldest(struct ui_log *s, const struct view_log *log);
void ui_log_set_mask(struct ui_log *s, unsigned mask);
/* Shown lines that came since it was paused. */
uint64_t ui_log_new_lines(const struct ui_log *s, const struct view_log *log);
/* Goes to the next (dir 1) or previous run of error lines, around the ends; from follow to the last. False: none. */
bool ui_log_error(struct ui_log *s, const struct view_log *log, int dir);
/* Shows the first error at or behind wall_ms and pauses; the failure of a run that began then. False: none. */
bool ui_log_failure(struct ui_log *s, const struct view_log *log, uint64_t wall_ms);
/* Goes to a search hit: dir 1 later, -1 earlier, 0 the newest at or before the window. False: none. */
bool ui_log_find(struct ui_log *s, const struct view_log *log, int dir);
/* Keeps the number of hidden lines up to date. */
void ui_log_count_hidden(struct ui_log *s, const struct view_log *log);

#endif
