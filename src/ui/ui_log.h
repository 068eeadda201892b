/* SPDX-License-Identifier: ISC
 * Where the log pane stands: sources, follow or pause, the selected line, errors, search, filter. It reads the log copy
 * and remembers lines by their keys; drawing is in ui_pane_log.c. Pure. */
#ifndef UI_UI_LOG_H
#define UI_UI_LOG_H

#include "ui/ui_pattern.h"
#include "view/view_log.h"

#define UI_LOG_ALL ((1u << SOURCE_CHILD) | (1u << SOURCE_MAI) | (1u << SOURCE_ACCESS))
#define UI_LOG_MARK 'M'		/* level of a mark, which every source and filter shows */
#define UI_LOG_GAP 'G'		/* of a note that lines were left out */

enum ui_stamp { UI_STAMP_CLOCK, UI_STAMP_AGO, UI_STAMP_OFF, UI_NSTAMPS };
/* A jump that waits until its line is found: what is to be found, from where the log stands. */
enum ui_jump { JUMP_NONE, JUMP_NEAREST, JUMP_NEXT, JUMP_PREVIOUS, JUMP_ERROR, JUMP_ERROR_BACK, JUMP_FAILURE };

struct ui_log {
	unsigned mask;		/* 1 << enum log_source */
	char model[256];	/* only lines of this model; "": of all */
	bool follow, wrap;
	enum ui_stamp stamp;
	int hscroll;
	uint64_t since;		/* lines up to this key are put away; 0: none */
	uint64_t since_wall;
	/* paused */
	uint64_t top;		/* first line */
	int skip;		/* wrapped rows of it that are above the pane */
	uint64_t home;		/* top and skip as they were before the pane changed its size */
	int home_skip;
	bool sized;		/* it has changed it, and nothing moved since */
	int below;		/* wrapped rows of the selected line that are below the pane */
	uint64_t cur;		/* the selected line */
	uint64_t paused_at;	/* the last line there was */
	bool auto_pause;	/* by a failure, not by the person */
	bool at_error;		/* the selected line is an error: "error n of m" */
	bool want_failure;	/* it is to show what failed died of, which may come later than the state */
	char failed[256];	/* the model of JUMP_FAILURE */
	uint64_t cause;		/* the line that was last shown for that */
	/* patterns */
	struct ui_pattern filter, search;
	bool scanned;		/* lines with keys lo..hi were looked at */
	uint64_t lo, hi;
	enum ui_jump jump;
	uint64_t hit;		/* key of the search hit; 0: none */
	/* counted for each frame */
	uint64_t hidden;	/* by the filter */
	uint64_t fresh;		/* shown lines that came since it was paused */
	int hit_n, hit_of, error_n, error_of;
	bool older;		/* the core has more than the copy */
	bool wants_older;	/* and the person wants to see it */
	unsigned generation;	/* of the log copy */
	int rows, cols;		/* of the pane when last drawn */
	uint64_t shown_top, shown_end;	/* first and last line of it; 0: none */
	int shown_skip;			/* wrapped rows of the first one that were above it */
	uint64_t drawn_last;		/* the last line there was then */
	bool redrawn;			/* and nothing chose other lines since */
};

void ui_log_init(struct ui_log *s);
void ui_log_fini(struct ui_log *s);

/* Before anything else is done with a copy: lines of another core make what was remembered of keys worth nothing. */
void ui_log_sync(struct ui_log *s, const struct view_log *log);
/* Whether a line is shown at all. With a filter only lines that were looked at are. */
bool ui_log_shows(const struct ui_log *s, const struct view_log *log, const struct view_line *l);
/* Position of the nearest shown line from i on, downwards (step 1) or upwards (-1); -1: none. */
long ui_log_step(const struct ui_log *s, const struct view_log *log, long i, int step);
/* The selected line while paused, else the newest one shown; NULL: none. Borrowed. */
const struct view_line *ui_log_selected(const struct ui_log *s, const struct view_log *log);

/* Stands still with the lines that are shown. */
void ui_log_pause(struct ui_log *s, const struct view_log *log);
/* The pane's size, before it is drawn: what a small one moved comes back with a larger one. */
void ui_log_size(struct ui_log *s, int rows, int cols);
/* The first line of the paused pane, from its first row on unless it is that already. */
void ui_log_set_top(struct ui_log *s, uint64_t key);
void ui_log_follow(struct ui_log *s);
/* Moves the selection by so many shown lines; upwards pauses. page: the window moves along. Within a line that is higher
 * than the pane it moves by rows. */
void ui_log_scroll(struct ui_log *s, const struct view_log *log, int by, bool page);
void ui_log_oldest(struct ui_log *s, const struct view_log *log);
void ui_log_select(struct ui_log *s, const struct view_log *log, uint64_t key);
void ui_log_set_mask(struct ui_log *s, unsigned mask);
void ui_log_set_wrap(struct ui_log *s, bool on);
/* Puts everything up to now away, or brings it back. */
void ui_log_put_away(struct ui_log *s, const struct view_log *log, uint64_t wall_ms);
/* Shows line i (a position) and selects it, with some lines before it. */
void ui_log_show(struct ui_log *s, const struct view_log *log, long i, int before);

/* patterns: set, then scanned in slices, newest lines first (ui_log_scan.c) ---------------------------------------- */

/* As typed; -1 with why. An empty text clears. */
int ui_log_set_filter(struct ui_log *s, const struct view_log *log, const char *text, struct err *e);
int ui_log_set_search(struct ui_log *s, const struct view_log *log, const char *text, struct err *e);
/* Looks at lines until the clock says until_us; true while lines are left. */
bool ui_log_scan(struct ui_log *s, const struct view_log *log, uint64_t until_us);
/* Whether the whole copy was looked at. */
bool ui_log_scanned(const struct ui_log *s, const struct view_log *log);
/* What the rule and the message row tell, and whether older lines are wanted. */
void ui_log_count(struct ui_log *s, const struct view_log *log);

/* jumps (ui_log_jump.c) -------------------------------------------------------------------------------------------- */

enum ui_found { UI_FOUND, UI_NOT_FOUND, UI_NOT_YET, UI_IS_LAST };
/* Whether a line is part of an error, `in` of the line before: what is indented below one (a traceback) belongs to it. */
bool ui_log_in_error(const struct view_line *l, bool in);
/* Jumps, or says that the log shows the last error already, by itself; or that it can only be told when more lines were
 * looked at or fetched; then s->jump remembers it, and ui_log_settle tries again. JUMP_FAILURE goes to what the last run
 * of the model s->failed died of. */
enum ui_found ui_log_jump(struct ui_log *s, const struct view_log *log, enum ui_jump what);
enum ui_found ui_log_settle(struct ui_log *s, const struct view_log *log);
/* The same for a model, without waiting: UI_NOT_YET asks for another call when more lines are there, UI_IS_LAST says
 * that the log stands there already. */
enum ui_found ui_log_show_failure(struct ui_log *s, const struct view_log *log, const char *model);
/* Whether it stands at the error that was last shown so. */
bool ui_log_at_cause(const struct ui_log *s);

#endif
