/* SPDX-License-Identifier: ISC
 * Keys: their codes, the actions they stand for, and what key bar and help say of them. All from ui_keys.def. Pure. */
#ifndef UI_UI_KEYS_H
#define UI_UI_KEYS_H

#include <stddef.h>

/* A key is a Unicode character or one of these. */
enum ui_key_code {
	UI_K_UP = 0x110000,
	UI_K_DOWN,
	UI_K_LEFT,
	UI_K_RIGHT,
	UI_K_HOME,
	UI_K_END,
	UI_K_PGUP,
	UI_K_PGDN,
	UI_K_ENTER,
	UI_K_BACKSPACE,
	UI_K_DELETE,
	UI_K_BACKTAB,
	UI_K_F1,
	UI_K_F3,
	UI_K_F4,
	UI_K_F10,
	UI_K_MOUSE,
	UI_K_PASTE_BEGIN,
	UI_K_PASTE_END,
	UI_K_RESIZE,
	UI_K_NOTHING,	/* means nothing, and is no wrong key */
	UI_K_OTHER
};
#define UI_K_ESC 27

enum ui_action {
	ACT_NONE,
#define KEY(action, ...) action,
#include "ui/ui_keys.def"
	ACT_N
};

enum ui_group { GROUP_MODEL, GROUP_VIEW, GROUP_LOG, GROUP_REQUESTS, GROUP_N };

/* What the dashboard as a whole shows. */
enum ui_screen {
	SCREEN_CONNECTING,	/* nothing known yet */
	SCREEN_NONE,		/* no model at all */
	SCREEN_RUNNING,
	SCREEN_STARTING,
	SCREEN_SWAPPING,
	SCREEN_STOPPING,
	SCREEN_BACKOFF,
	SCREEN_FAILED,
	SCREEN_STOPPED,
	SCREEN_LINK_DOWN,
	SCREEN_N
};

struct ui_binding {
	enum ui_action action;
	const char *shown;	/* in the key bar */
	const char *keys;	/* in the help; NULL: not listed */
	enum ui_group group;
	const char *help;
	const char *command;	/* in the command list; NULL: not there */
	int codes[4];		/* 0: none */
};
struct ui_bar_item {
	enum ui_screen screen;
	enum ui_action action;
	const char *label;
};

extern const struct ui_binding ui_bindings[];
extern const size_t ui_nbindings;
extern const struct ui_bar_item ui_bar_items[];
extern const size_t ui_nbar_items;

/* ACT_NONE for a key without meaning. */
enum ui_action ui_key_action(int key);
/* Never NULL but for ACT_NONE. */
const struct ui_binding *ui_binding_of(enum ui_action a);
const char *ui_group_name(enum ui_group g);

#endif
