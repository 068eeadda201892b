/* SPDX-License-Identifier: ISC
 * The screens. Sees a struct view and the log copy, draws them, and turns keys into intents; it never acts, never
 * blocks but on the terminal itself, and knows no sockets. One terminal per process. */
#ifndef UI_UI_H
#define UI_UI_H

#include <stdbool.h>

#include "view/view.h"
#include "view/view_log.h"

struct ui;

struct ui_opts {
	bool ascii;		/* --ascii */
	bool mono;		/* --color=never or NO_COLOR */
	bool read_only;
	bool foreground;	/* q asks: detach or stop; else q leaves */
	const char *theme;	/* default, light, mono */
	bool bell;
};

/* What the person wants. Strings are borrowed until the next ui_key. */
enum ui_intent_kind {
	UI_NONE,
	UI_SWAP,	/* model */
	UI_START,
	UI_STOP,
	UI_RESTART,
	UI_FORCE_RESTART,
	UI_PIN,		/* model: it never gives way to another one */
	UI_UNPIN,	/* model */
	UI_CANCEL,	/* id */
	UI_DETACH,	/* leave; the core goes on */
	UI_QUIT_STOP,	/* stop the core and leave */
	UI_RETRY_LINK,
	UI_START_CORE,	/* link down: start a supervisor */
	UI_KILL,	/* quitting takes long and the person insists */
	UI_INFO,	/* model: how it is run; ui_show_info answers */
	UI_DETAILS,	/* id: what more the core knows of a request; ui_show_details answers */
	UI_SAVE		/* path: the log as shown, into a file; force: over one that is there */
};
#define UI_NINTENTS (UI_SAVE + 1)
struct ui_intent {
	enum ui_intent_kind kind;
	const char *model, *path;
	uint64_t id;
	bool force;
};

enum ui_link { UI_LINK_UP, UI_LINK_CONNECTING, UI_LINK_DOWN };
struct ui_link_state {
	enum ui_link link;
	const char *text;	/* why it is down */
	bool gone;		/* no supervisor runs there: it can be started */
	int tries;
	uint64_t since, retry_at;	/* local clock_ms */
	const char *where;	/* the socket or URL, for the title */
	bool older;		/* the core has log lines older than those of the copy */
	bool replay, foreground;	/* a recording, no core; of a foreground one */
};

/* Takes the terminal over. NULL with why when there is none that can be drawn on (dumb, not a tty): use plain lines. */
struct ui *ui_open(const struct ui_opts *o, struct err *e);
/* Restores the terminal; also safe twice. Nulls. */
void ui_close(struct ui **up);
/* Restores the terminal from a signal handler or an abort path: async-signal-safe as far as a terminal can be. */
void ui_emergency_restore(void);

/* Marks what may have changed; ui_draw does the rest. now: local clock_ms. */
void ui_draw(struct ui *u, const struct view *v, struct view_log *log, const struct ui_link_state *link, uint64_t now);
/* When the screen would change without any event (clock, countdown, message that ends): ms from now, or -1. */
int ui_next_tick(struct ui *u, const struct view *v, uint64_t now);
/* Reads what the terminal has (non-blocking) and handles one key; false when there is no more. *lost: the terminal is
 * gone. */
bool ui_key(struct ui *u, const struct view *v, struct view_log *log, uint64_t now, struct ui_intent *out, bool *lost);
/* A slice of search and filter, a few milliseconds; true while there is more to do. */
bool ui_work(struct ui *u, const struct view_log *log);
/* After ui_draw: whether log lines older than those of the copy would be of use. */
bool ui_wants_older(const struct ui *u);
/* The size changed (SIGWINCH). */
void ui_resize(struct ui *u);
/* ^Z: gives the terminal back and stops this process; returns after SIGCONT with everything to be redrawn. Set by ui_key
 * through ui_wants_suspend. */
bool ui_wants_suspend(struct ui *u);
void ui_suspend(struct ui *u);

enum ui_message { UI_MSG_INFO, UI_MSG_WARN, UI_MSG_ERROR };
/* One line on the message row: info 4 s, warnings 8 s, errors until a key. */
void ui_message(struct ui *u, enum ui_message level, const char *text, uint64_t now);
/* An action was sent / answered: the same for the same model or request again says so meanwhile. model: NULL or borrowed. */
void ui_pending(struct ui *u, enum ui_intent_kind kind, const char *model, uint64_t id, bool on);
/* No action leaves it while on (the core speaks another protocol). */
void ui_set_read_only(struct ui *u, bool on);
/* Whether the core there is the one of this terminal (ui_opts.foreground), from now on. */
void ui_set_foreground(struct ui *u, bool on);
/* Answers to intents: lines "label\ttext" or plain ones, copied. They show when the person still waits for them. */
void ui_show_info(struct ui *u, const char *title, const char *lines);
void ui_show_details(struct ui *u, uint64_t id, const char *lines);
/* The file of an UI_SAVE is there already: asks whether to replace it. */
void ui_ask_replace(struct ui *u, const char *path, uint64_t now);
/* Appends the log as the pane shows it (source, filter), whole lines with date. Returns the number of lines. */
size_t ui_log_text(const struct ui *u, const struct view_log *log, struct strbuf *out);

#endif
