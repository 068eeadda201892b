/* SPDX-License-Identifier: ISC
 * Keys and clicks from the terminal. */
#ifndef NCURSES_WIDECHAR
#define NCURSES_WIDECHAR 1
#endif
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ui/ui_keys.h"
#include "ui/ui_term.h"
#include "ui/ui_term_priv.h"

/* What has been read of the one terminal. */
static struct {
	bool any_key;			/* one was read since the last time there was none */
	bool clicking;			/* in the middle of a click */
	char click[24];
	size_t nclick;
} in;

static int
special(wint_t c)
{
	switch (c) {
	case KEY_UP:
		return UI_K_UP;
	case KEY_DOWN:
		return UI_K_DOWN;
	case KEY_LEFT:
		return UI_K_LEFT;
	case KEY_RIGHT:
		return UI_K_RIGHT;
	case KEY_HOME:
		return UI_K_HOME;
	case KEY_END:
		return UI_K_END;
	case KEY_PPAGE:
		return UI_K_PGUP;
	case KEY_NPAGE:
		return UI_K_PGDN;
	case KEY_ENTER:
		return UI_K_ENTER;
	case KEY_BACKSPACE:
		return UI_K_BACKSPACE;
	case KEY_DC:
		return UI_K_DELETE;
	case KEY_BTAB:
		return UI_K_BACKTAB;
	case KEY_F(1):
		return UI_K_F1;
	case KEY_F(3):
		return UI_K_F3;
	case KEY_F(4):
		return UI_K_F4;
	case KEY_F(10):
		return UI_K_F10;
	case K_PASTE_BEGIN:
		return UI_K_PASTE_BEGIN;
	case K_PASTE_END:
		return UI_K_PASTE_END;
	case KEY_RESIZE:
		return UI_K_RESIZE;
	default:
		return UI_K_OTHER;
	}
}

/* A terminal that is gone stays readable for ever and never gives a byte. */
static bool
is_lost(void)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	int n = 0;

	if (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0)
		return true;
	return ioctl(STDIN_FILENO, FIONREAD, &n) < 0;
}

/* One more character of a click; 0 while it is not whole. */
static int
mouse_char(wint_t c, struct ui_mouse *m)
{
	int button, col, row;
	bool up = c == 'm';

	if (c < 0x80 && strchr("0123456789;", (int)c) != NULL && c != 0 && in.nclick + 1 < sizeof(in.click)) {
		in.click[in.nclick++] = (char)c;
		return 0;
	}
	in.clicking = false;
	in.click[in.nclick] = '\0';
	if ((c != 'M' && !up) || sscanf(in.click, "%d;%d;%d", &button, &col, &row) != 3 || up)
		return UI_K_NOTHING;
	*m = (struct ui_mouse){.row = row - 1, .col = col - 1, .what = MOUSE_CLICK};
	if ((button & ~28) == 64)	/* but for the modifiers */
		m->what = MOUSE_UP;
	else if ((button & ~28) == 65)
		m->what = MOUSE_DOWN;
	else if ((button & ~28) != 0)
		return UI_K_NOTHING;
	return UI_K_MOUSE;
}

int
term_key(bool *lost, struct ui_mouse *m)
{
	wint_t c;
	int rc, key = 0;

	*lost = false;
	do {
		rc = get_wch(&c);
		if (rc == OK && in.clicking)
			key = mouse_char(c, m);
		else if (rc != ERR)
			in.clicking = rc == KEY_CODE_YES && c == K_CLICK;
		if (rc == KEY_CODE_YES && in.clicking)
			in.nclick = 0;
	} while (rc != ERR && in.clicking);
	if (rc == ERR) {
		*lost = !in.any_key && is_lost();
		in.any_key = false;
		return 0;
	}
	in.any_key = true;
	if (key != 0)
		return key;
	if (rc == KEY_CODE_YES)
		return special(c);
	if (c == '\r' || c == '\n')
		return UI_K_ENTER;
	return c == 0 ? UI_K_OTHER : (int)c;
}
