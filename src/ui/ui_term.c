/* SPDX-License-Identifier: ISC
 * Curses, kept in one place. */
#ifndef NCURSES_WIDECHAR
#define NCURSES_WIDECHAR 1
#endif
#include "ui/ui_term.h"

#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include <curses.h>
#include <term.h>

#include "base/compat.h"
#include "base/strbuf.h"
#include "base/text.h"
#include "ui/ui_glyph.h"
#include "ui/ui_keys.h"
#include "ui/ui_term_priv.h"

#define PASTE_ON "\033[?2004h"
#define PASTE_OFF "\033[?2004l"
#define MOUSE_ON "\033[?1000h\033[?1006h"
#define MOUSE_OFF "\033[?1006l\033[?1000l"
#define COPY_MAX 8192
#define SIZE_MOST 1000		/* rows and columns */

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

/* One terminal per process. */
static struct {
	volatile sig_atomic_t open;
	SCREEN *screen;
	struct termios saved;
	struct ui_theme theme;
	struct grid shown;
	bool paste;
	bool mouse;
	char leave[512];		/* what brings the terminal back, for term_emergency */
	size_t nleave;
	struct sigaction old[ARRAY_LEN(fatal_signals)];
} term;

static void
put_out(const char *s)
{
	size_t n = strlen(s);

	while (n > 0) {
		ssize_t w = write(STDOUT_FILENO, s, n);

		if (w <= 0)
			return;
		s += w;
		n -= (size_t)w;
	}
}

static int
collect(int c)
{
	if (term.nleave < sizeof(term.leave))
		term.leave[term.nleave++] = (char)c;
	return c;
}

static void
remember_leave(void)
{
	const char *const all[] = {exit_attribute_mode, keypad_local, cursor_normal, exit_ca_mode};

	term.nleave = 0;
	for (const char *p = term.paste ? PASTE_OFF MOUSE_OFF : ""; *p != '\0'; p++)
		collect(*p);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i] != NULL && all[i] != (char *)-1)
			tputs(all[i], 1, collect);
}

void
term_emergency(void)
{
	if (!term.open)
		return;
	term.open = 0;
	if (write(STDOUT_FILENO, term.leave, term.nleave) < 0)
		return;
	tcsetattr(STDIN_FILENO, TCSANOW, &term.saved);
}

static void
on_fatal(int sig)
{
	term_emergency();
	for (size_t i = 0; i < ARRAY_LEN(fatal_signals); i++)
		if (fatal_signals[i] == sig)
			sigaction(sig, &term.old[i], NULL);
	raise(sig);
}

static void
catch_fatal(bool on)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_fatal;
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < ARRAY_LEN(fatal_signals); i++)
		sigaction(fatal_signals[i], on ? &sa : &term.old[i], on ? &term.old[i] : NULL);
}

/* A name that terminfo knows and that can be drawn on; NULL with why. */
static const char *
usable(const char *name, struct err *e)
{
	int rc;

	if (setupterm((char *)(uintptr_t)name, STDOUT_FILENO, &rc) != OK) {
		err_set(e, "the terminal type %s is not known", name);
		return NULL;
	}
	if (cursor_address == NULL || clear_screen == NULL) {
		err_set(e, "the terminal type %s cannot be drawn on", name);
		name = NULL;
	}
	del_curterm(cur_term);
	return name;
}

static const char *
find_type(const char **note, struct err *e)
{
	static const char *const modern[] = {"xterm", "alacritty", "foot", "kitty", "ghostty", "wezterm", "tmux"};
	static char said[160];
	const char *name = getenv("TERM"), *other = "ansi";

	*note = NULL;
	if (name == NULL || *name == '\0' || strcmp(name, "dumb") == 0) {
		err_set(e, "the terminal cannot be drawn on (TERM=%s)", name != NULL ? name : "");
		return NULL;
	}
	if (usable(name, e) != NULL)
		return name;
	if (strstr(e->msg, "cannot be drawn") != NULL)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(modern); i++)
		if (strncmp(name, modern[i], strlen(modern[i])) == 0)
			other = "xterm-256color";
	if (usable(other, e) == NULL)
		return NULL;
	snprintf(said, sizeof(said), "TERM=%.60s is not known here; drawing as for %s", name, other);
	*note = said;
	return other;
}

static void
set_modes(void)
{
	raw();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	intrflush(stdscr, FALSE);
	set_escdelay(25);
	curs_set(0);
	define_key("\033[A", KEY_UP);
	define_key("\033[B", KEY_DOWN);
	define_key("\033[C", KEY_RIGHT);
	define_key("\033[D", KEY_LEFT);
	define_key("\033[H", KEY_HOME);
	define_key("\033[F", KEY_END);
	define_key("\033[Z", KEY_BTAB);
	define_key("\033[1;5C", KEY_RIGHT);
	define_key("\033[1;5D", KEY_LEFT);
	define_key("\033[200~", K_PASTE_BEGIN);
	define_key("\033[201~", K_PASTE_END);
	define_key("\033[<", K_CLICK);
}

/* What nobody can have is not believed: a screen of 65535x65535 would be gigabytes. */
static void
ask_size(int *rows, int *cols)
{
	struct winsize ws = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) != 0 || ws.ws_row == 0 || ws.ws_col == 0) {
		ws.ws_row = 24;
		ws.ws_col = 80;
	}
	*rows = ws.ws_row < SIZE_MOST ? ws.ws_row : SIZE_MOST;
	*cols = ws.ws_col < SIZE_MOST ? ws.ws_col : SIZE_MOST;
}

/* Curses takes its first size from the environment, so that it believes no more than we do; later ones are ours to tell. */
static SCREEN *
open_screen(const char *type)
{
	char text[16];
	SCREEN *screen;
	int rows, cols;

	ask_size(&rows, &cols);
	snprintf(text, sizeof(text), "%d", rows);
	setenv("LINES", text, 1);
	snprintf(text, sizeof(text), "%d", cols);
	setenv("COLUMNS", text, 1);
	screen = newterm(type, stdout, stdin);
	unsetenv("LINES");
	unsetenv("COLUMNS");
	return screen;
}

int
term_open(const char *theme, bool mono, const char **note, struct err *e)
{
	struct err why = {{0}};
	const char *type;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return err_set(e, "not a terminal");
	/* Only characters: numbers stay as programs write them. */
	setlocale(LC_CTYPE, "");
	type = find_type(note, &why);
	if (type == NULL)
		return err_set(e, "%s", why.msg);
	if (tcgetattr(STDIN_FILENO, &term.saved) != 0)
		return err_set(e, "not a terminal");
	term.screen = open_screen(type);
	if (term.screen == NULL)
		return err_set(e, "the terminal type %s is not known", type);
	set_modes();
	term.paste = strcmp(type, "ansi") != 0 && strncmp(type, "vt", 2) != 0;
	remember_leave();
	term.open = 1;
	catch_fatal(true);
	ui_theme_init(&term.theme, theme, mono);
	if (term.paste)
		put_out(PASTE_ON);
	return 0;
}

static bool
width_one(const char *glyph)
{
	uint32_t cp;

	return text_utf8(glyph, strlen(glyph), &cp) > 0 && wcwidth((wchar_t)cp) == 1;
}

bool
term_utf8(void)
{
	const char *type = getenv("TERM");

	if (type != NULL && strcmp(type, "linux") == 0)
		return false;
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0 && ui_glyphs_each(width_one);
}

void
term_close(void)
{
	if (term.screen == NULL)
		return;
	if (term.open) {
		term_mouse(false);
		if (term.paste)
			put_out(PASTE_OFF);
		curs_set(1);
		endwin();
		tcsetattr(STDIN_FILENO, TCSADRAIN, &term.saved);
	}
	term.open = 0;
	catch_fatal(false);
	delscreen(term.screen);
	term.screen = NULL;
	grid_fini(&term.shown);
}

/* One cell as wide characters; what this terminal would draw in another width becomes '?'. */
static int
cell_wide(const struct cell *c, wchar_t *out, int room)
{
	int n = 0;

	for (size_t i = 0; i < c->n && n < room;) {
		uint32_t cp;
		size_t k = text_utf8(c->s + i, (size_t)c->n - i, &cp);

		if (k == 0)
			break;
		if (n == 0 && wcwidth((wchar_t)cp) != c->width) {
			for (int w = 0; w < c->width && n < room; w++)
				out[n++] = L'?';
			return n;
		}
		if (n == 0 || wcwidth((wchar_t)cp) == 0)
			out[n++] = (wchar_t)cp;
		i += k;
	}
	return n;
}

static void
show_row(const struct grid *g, int row)
{
	const struct cell *cells = &g->cells[(size_t)row * (size_t)g->cols];
	wchar_t run[1024];

	for (int col = 0; col < g->cols;) {
		int start = col, n = 0;
		unsigned char role = cells[col].role;

		while (col < g->cols && cells[col].role == role && n + 16 < (int)ARRAY_LEN(run))
			n += cell_wide(&cells[col++], run + n, 16);
		attr_set((attr_t)term.theme.attrs[role], term.theme.pairs[role], NULL);
		mvaddnwstr(row, start, run, n);
	}
	attr_set(A_NORMAL, 0, NULL);
}

bool
term_show(const struct grid *g, bool force)
{
	bool all = force || term.shown.rows != g->rows || term.shown.cols != g->cols, any = all;

	if (!term.open)
		return false;
	for (int r = 0; r < g->rows && r < LINES; r++)
		if (all || !grid_row_same(&term.shown, g, r)) {
			show_row(g, r);
			any = true;
		}
	if (!any)
		return false;
	if (force)
		clearok(curscr, TRUE);
	wnoutrefresh(stdscr);
	doupdate();
	grid_copy(&term.shown, g);
	return true;
}

/* Clicks come as "ESC [ < button ; column ; row M" (m: let go). Read here, for what curses knows of mice differs. */
void
term_mouse(bool on)
{
	if (!term.open || !term.paste || on == term.mouse)
		return;
	term.mouse = on;
	fflush(stdout);
	put_out(on ? MOUSE_ON : MOUSE_OFF);
}

static void
put_base64(struct strbuf *out, const char *p, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		unsigned long v = (unsigned long)(unsigned char)p[i] << 16;

		v |= i + 1 < n ? (unsigned long)(unsigned char)p[i + 1] << 8 : 0;
		v |= i + 2 < n ? (unsigned char)p[i + 2] : 0;
		strbuf_putc(out, digits[v >> 18]);
		strbuf_putc(out, digits[v >> 12 & 63]);
		strbuf_putc(out, i + 1 < n ? digits[v >> 6 & 63] : '=');
		strbuf_putc(out, i + 2 < n ? digits[v & 63] : '=');
	}
}

/* Ms says how: %p1%s is which clipboard, %p2%s what goes there. */
bool
term_copy(const char *p, size_t n)
{
	const char *ms = tigetstr((char *)(uintptr_t)"Ms");
	struct strbuf out = STRBUF_INIT;

	if (!term.open || ms == NULL || ms == (const char *)-1 || n > COPY_MAX)
		return false;
	for (; *ms != '\0'; ms++) {
		if (strncmp(ms, "%p1%s", 5) == 0)
			strbuf_putc(&out, 'c');
		else if (strncmp(ms, "%p2%s", 5) == 0)
			put_base64(&out, p, n);
		else
			strbuf_putc(&out, *ms);
		if (ms[0] == '%' && ms[1] == 'p')
			ms += 4;
	}
	fflush(stdout);
	put_out(strbuf_str(&out));
	strbuf_fini(&out);
	return true;
}

void
term_resize(int *rows, int *cols)
{
	ask_size(rows, cols);
	if (is_term_resized(*rows, *cols))
		resizeterm(*rows, *cols);
}

void
term_theme(const char *theme, bool mono)
{
	ui_theme_init(&term.theme, theme, mono);
}

void
term_bell(void)
{
	beep();
}

void
term_suspend(void)
{
	if (!term.open)
		return;
	def_prog_mode();
	term_mouse(false);
	if (term.paste)
		put_out(PASTE_OFF);
	endwin();
	tcsetattr(STDIN_FILENO, TCSADRAIN, &term.saved);
	raise(SIGTSTP);
	reset_prog_mode();
	set_modes();
	if (term.paste)
		put_out(PASTE_ON);
	refresh();
}
