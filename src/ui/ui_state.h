/* SPDX-License-Identifier: ISC
 * Everything the dashboard remembers between frames, and the panes that compose a frame from it and the view. No curses:
 * ui.c adds the terminal. */
#ifndef UI_UI_STATE_H
#define UI_UI_STATE_H

#include "base/strbuf.h"
#include "ui/ui.h"
#include "ui/ui_glyph.h"
#include "ui/ui_grid.h"
#include "ui/ui_keys.h"
#include "ui/ui_layout.h"
#include "ui/ui_list.h"
#include "ui/ui_log.h"
#include "ui/ui_mouse.h"

#define UI_ARM_MS 150		/* a popup that asks takes no answer before */
#define UI_TEXT_MAX 256
#define UI_SLICE_US 4000	/* of search and filter at a time */

#define UI_HISTORY 20
#define UI_AWAY 16		/* failures that are not shown any more */
#define UI_PENDING 16		/* actions under way that are remembered */

enum ui_focus { FOCUS_LOG, FOCUS_MODELS, FOCUS_REQUESTS, FOCUS_N };
enum ui_sort { SORT_AGE, SORT_TOKENS, SORT_RATE, SORT_N };

/* One line being typed. */
struct ui_edit {
	char text[UI_TEXT_MAX];
	size_t len, at;		/* at: where the next character goes */
	bool offered;		/* the text goes when one is typed, and stays when it is moved in */
};
void ui_edit_clear(struct ui_edit *e);
void ui_edit_set(struct ui_edit *e, const char *text);
/* A text to be taken as it is, edited, or typed over. */
void ui_edit_offer(struct ui_edit *e, const char *text);
/* True when the key changed or was meant for the text. */
bool ui_edit_key(struct ui_edit *e, int key);
/* Draws it with its cursor in at most width columns; the part around the cursor is what is seen. */
void ui_edit_draw(const struct ui_edit *e, struct grid *g, int row, int col, int width, enum ui_role role,
    const char *cursor);

enum ui_popup_kind {
	POPUP_NONE,
	POPUP_PICKER,
	POPUP_STOP,
	POPUP_RESTART,
	POPUP_FORCE,
	POPUP_CANCEL,
	POPUP_QUIT,
	POPUP_REPLACE,
	POPUP_HELP,
	POPUP_PALETTE,
	POPUP_INFO,
	POPUP_DETAILS
};

struct ui_popup {
	enum ui_popup_kind kind;
	uint64_t opened;
	char model[UI_TEXT_MAX];	/* what it is about */
	uint64_t id;
	struct ui_edit edit;
	struct ui_list list;
	bool configured_only;
	int page, pages;
	bool finding;			/* the help: a key is looked for */
	int top, lines, rows;		/* of text: first line shown, all of them, those that fit */
	char *text;			/* (owned) "label\ttext" lines; NULL: not there yet */
	char *last;			/* (owned) of a request: what was shown while it lived */
	bool ended;			/* that request, when it was drawn last */
};

/* A box on the screen, with its frame. */
struct ui_box {
	int row, col, height, width;
};

enum ui_prompt { PROMPT_NONE, PROMPT_SEARCH, PROMPT_FILTER, PROMPT_SAVE, PROMPT_N };

/* What was typed into a prompt before, the newest last. */
struct ui_past {
	char text[UI_HISTORY][UI_TEXT_MAX];
	int n, at;			/* at: shown now; n: none of them */
};

/* What a click does, by where it is. */
enum ui_hit_kind { HIT_KEY, HIT_LOG, HIT_REQUEST, HIT_MODEL, HIT_ITEM, HIT_BOX };
struct ui_hit {
	short row, col, width, rows;
	enum ui_hit_kind kind;
	uint64_t arg;			/* a key; the key of a line; a request; a list item */
};
#define UI_HITS 200

struct ui_state {
	bool ascii, read_only, foreground;
	const struct ui_glyphs *g;
	int rows, cols;
	struct ui_layout lay;
	enum ui_screen screen;		/* of the last frame */
	enum ui_link link;
	bool link_gone;			/* no supervisor runs there */
	uint64_t link_since;		/* link down: when it broke */
	enum ui_focus focus;
	bool focus_kept;	/* the requests had it before their pane lost its room */
	enum ui_zoom zoom;
	bool zoom_auto;			/* only because the pane has no room otherwise */
	int split;
	enum ui_sort sort;
	struct ui_list requests, models;
	char model[UI_TEXT_MAX];	/* selected among several loaded ones; "": the current one */
	struct ui_log log;
	struct ui_popup popup;
	struct ui_box box;		/* where it was drawn in this frame; height 0: nowhere */
	enum ui_prompt prompt;
	struct ui_edit edit;		/* of the prompt */
	struct ui_past past[PROMPT_N];
	struct {
		enum ui_message level;
		char text[UI_TEXT_MAX];
		uint64_t at;		/* 0: none */
	} msg;
	struct {
		enum ui_intent_kind kind;
		uint64_t what;		/* a model's key or a request's id */
		uint64_t since, seq;	/* view_seq when it began: unchanged means a silent core */
	} pending[UI_PENDING];
	int npending;
	struct {
		uint64_t what, failed_wall;
	} away[UI_AWAY];
	int naway;
	uint64_t target;		/* key of the model that keys are for, as drawn; 0: none */
	uint64_t target_since;		/* when it became another one by itself; 0: at the begin, or chosen */
	uint64_t view_seq;
	bool quitting;			/* the core was told to end */
	bool offered;			/* without any model the picker opened by itself, once */
	bool suspend, redraw, bell;
	bool pasting;
	uint64_t pasted_at;		/* the last of it came */
	bool mouse, mouse_set;		/* set: by the person, not by the configuration */
	struct ui_mouse clicked;	/* what came with UI_K_MOUSE */
	struct ui_hit hits[UI_HITS];
	int nhits;
	struct strbuf copy;		/* for the terminal's clipboard; empty: nothing */
	struct strbuf said;		/* messages for the log, a byte of level and the text, NUL-terminated each */
	char arg[UI_TEXT_MAX];		/* what intents point into */
};

void ui_state_init(struct ui_state *s, const struct ui_opts *o);
void ui_state_fini(struct ui_state *s);

/* What the view is about now. */
enum ui_screen ui_screen_of(const struct ui_state *s, const struct view *v, enum ui_link link);
/* The engine that header, keys and panes are about: the selected one of several loaded ones, else the current one. */
struct view_engine *ui_engine(const struct ui_state *s, const struct view *v);
/* How many loaded models need a row each; 0 for one (a swap counts as one). */
int ui_loaded(const struct ui_state *s, const struct view *v);
/* Whether there are more than have a row, as "4 of 6 models". */
bool ui_models_hidden(const struct ui_state *s, const struct view *v, char *out, size_t size);
bool ui_is_loaded(const struct ui_state *s, const struct view_engine *e);
/* A failed one has no row any more, until it fails again. */
void ui_put_away(struct ui_state *s, const struct view_engine *e);

/* Composes a whole frame into g. */
void ui_compose(struct ui_state *s, struct grid *g, const struct view *v, struct view_log *log,
    const struct ui_link_state *link, uint64_t now);
/* One key. */
void ui_handle(struct ui_state *s, int key, const struct view *v, struct view_log *log, uint64_t now,
    struct ui_intent *out);
/* What an action does, whichever way it came; key: by which one. */
void ui_act(struct ui_state *s, enum ui_action a, int key, const struct view *v, struct view_log *log, uint64_t now,
    struct ui_intent *out);
void ui_say(struct ui_state *s, enum ui_message level, uint64_t now, const char *fmt, ...) PRINTFLIKE(4, 5);

/* When the frame changes without any event: ms from now. */
int ui_tick(const struct ui_state *s, const struct view *v, uint64_t now);

/* panes ------------------------------------------------------------------------------------------------------------ */

void ui_pane_head(struct ui_state *s, struct grid *g, const struct view *v, const struct ui_link_state *link,
    uint64_t now);
void ui_pane_models(struct ui_state *s, struct grid *g, const struct view *v, uint64_t core_now);
void ui_pane_requests(struct ui_state *s, struct grid *g, const struct view *v, uint64_t now);
void ui_pane_log(struct ui_state *s, struct grid *g, const struct view *v, const struct view_log *log);
void ui_pane_bar(struct ui_state *s, struct grid *g, const struct view *v, const struct view_log *log,
    const struct ui_link_state *link, uint64_t now);
/* A rule with a title at the left and a note at the right (may be NULL). */
void ui_rule(struct ui_state *s, struct grid *g, int row, bool focused, const char *title, const char *note);

/* The requests that are shown, as indices into the view in their order (owned by the caller), and the keys of the list. */
size_t ui_requests_shown(const struct ui_state *s, const struct view *v, size_t **at, uint64_t **keys);
/* The loaded ones likewise. */
size_t ui_models_shown(const struct ui_state *s, const struct view *v, size_t **at, uint64_t **keys);
/* A key for struct ui_list that follows a name. */
uint64_t ui_list_key(const char *id);
/* What stands in those cells takes clicks from now on. */
void ui_hit_add(struct ui_state *s, int row, int col, int width, int rows, enum ui_hit_kind kind, uint64_t arg);
void ui_click(struct ui_state *s, const struct view *v, struct view_log *log, uint64_t now, struct ui_intent *out);

/* popups ----------------------------------------------------------------------------------------------------------- */

void ui_popup_open(struct ui_state *s, enum ui_popup_kind kind, const char *model, uint64_t id, uint64_t now);
void ui_popup_close(struct ui_state *s);
/* Closes it with a message when what it is about is gone. */
void ui_popup_check(struct ui_state *s, const struct view *v, uint64_t now);
void ui_popup_draw(struct ui_state *s, struct grid *g, const struct view *v, uint64_t now);
void ui_popup_key(struct ui_state *s, int key, const struct view *v, struct view_log *log, uint64_t now,
    struct ui_intent *out);
/* Whether what is typed or pasted goes into a line. */
bool ui_popup_types(const struct ui_state *s);
/* Text of the key bar while it is open. */
const char *ui_popup_hint(const struct ui_state *s);

void ui_picker_draw(struct ui_state *s, struct grid *g, const struct view *v);
void ui_picker_key(struct ui_state *s, int key, const struct view *v, uint64_t now, struct ui_intent *out);
/* A model was picked: asks for it, or shows it when it runs already. */
void ui_swap_to(struct ui_state *s, const struct view *v, const struct view_engine *e, uint64_t now,
    struct ui_intent *out);
void ui_confirm_draw(struct ui_state *s, struct grid *g, const struct view *v);
void ui_confirm_key(struct ui_state *s, int key, uint64_t now, struct ui_intent *out);
void ui_help_draw(struct ui_state *s, struct grid *g);
void ui_help_key(struct ui_state *s, int key);
void ui_palette_draw(struct ui_state *s, struct grid *g, const struct view *v);
void ui_palette_key(struct ui_state *s, int key, const struct view *v, struct view_log *log, uint64_t now,
    struct ui_intent *out);
/* Text in a box: what is known of a model, a request. */
void ui_text_draw(struct ui_state *s, struct grid *g, const struct view *v, uint64_t now);
void ui_text_key(struct ui_state *s, int key, uint64_t now);
/* An empty box in the middle, at most as large as the screen; its corner and inner size come out. */
struct ui_box ui_box_draw(struct ui_state *s, struct grid *g, int height, int width, const char *title,
    const char *footer);
/* Where the items of a list begin in a box with a line of text above them: that gives way where the box is lower than `all`. */
int ui_box_first(const struct ui_box *b, int all);

/* small things ----------------------------------------------------------------------------------------------------- */

/* "2h14m" of a duration, without seconds from an hour on. */
void ui_short_time(char *out, size_t size, uint64_t ms);
/* Local "12:04:31". */
void ui_wall_time(char *out, size_t size, uint64_t wall_ms);
/* What a state is called on screen. */
const char *ui_screen_word(enum ui_screen screen);
enum ui_role ui_screen_role(enum ui_screen screen);
/* The engine's state as a screen. */
enum ui_screen ui_screen_of_engine(const struct view_engine *e);
/* An action for a model or a request is under way, or over. */
void ui_pend(struct ui_state *s, enum ui_intent_kind kind, const char *model, uint64_t id, bool on, uint64_t now);
bool ui_pends(const struct ui_state *s, enum ui_intent_kind kind, const char *model, uint64_t id);
/* Sends an intent unless the same is under way. */
void ui_send(struct ui_state *s, struct ui_intent *out, enum ui_intent_kind kind, const char *model, uint64_t id,
    uint64_t now);
/* "1,204" */
void ui_count_text(char *out, size_t size, uint64_t n);
/* Whether an action may be offered and done: with --read-only those that change something are not. */
bool ui_allowed(const struct ui_state *s, enum ui_action a);
/* "restart", for messages. */
const char *ui_intent_word(enum ui_intent_kind kind);

#endif
