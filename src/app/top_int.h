/* SPDX-License-Identifier: ISC
 * Between the parts of the dashboard on a screen. */
#ifndef APP_TOP_INT_H
#define APP_TOP_INT_H

#include "app/top_priv.h"
#include "ui/ui.h"

struct act;

struct top {
	struct top_link l;
	const struct cmd_opts *o;
	struct ui *ui;
	struct watch keys;
	struct timer draw, tick, gone, work;
	struct sigwatch sig[5];
	uint64_t drawn_at;
	uint64_t actions;		/* last action of the view that was told */
	bool told;			/* actions is valid */
	bool stopping;			/* the person wants the core to end */
	bool leaving;
	struct act *acts;		/* (owned) calls under way */
	pid_t spawned;			/* a supervisor started from here; 0: none */
	int complaints;			/* what it says when it does not start */
	bool worked;			/* the last slice left something to do */
	char *save;			/* (owned) file that waits for older lines; NULL */
	bool save_force;
	const char *farewell;
};

/* A frame, not sooner than gap ms after the last one; after keys sooner than after events. */
#define TOP_FRAME_MS 100
#define TOP_ECHO_MS 33
void top_want_frame(struct top *t, uint64_t gap);
/* Ends the loop with a goodbye. farewell: printed then; NULL nothing. */
void top_leave(struct top *t, const char *how, const char *farewell);
/* Carries an intent out. */
void top_obey(struct top *t, const struct ui_intent *in);
/* Writes the file that waits, when there is one and everything is there. */
void top_save(struct top *t);
void top_acts_free(struct top *t);
/* Reaps a supervisor that was started from here, and says why when it did not start. True while it is starting. */
bool top_spawned(struct top *t);

#endif
