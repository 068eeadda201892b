/* SPDX-License-Identifier: ISC
 * The terminal side: a frame as curses has it, on a pseudo-terminal of this process, and the modes given back. */
#include "ui_fixture.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <locale.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include <curses.h>

#include "ui/ui_term.h"

#define MOUSE "\033[<0;10;9M\033[<0;10;9m\033[<65;1;2M"

static int master = -1;
static int saved[2];
static struct termios before;

/* Stdin and stdout become a terminal of 80x24 that nobody looks at. */
static int
setup(void **state)
{
	struct winsize ws = {.ws_row = 24, .ws_col = 80};
	int slave;

	(void)state;
	setenv("TERM", "xterm-256color", 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	master = posix_openpt(O_RDWR | O_NOCTTY);
	assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	assert_int_equal(ioctl(slave, TIOCSWINSZ, &ws), 0);
	assert_int_equal(tcgetattr(slave, &before), 0);
	assert_int_equal(fcntl(master, F_SETFL, O_NONBLOCK), 0);
	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		saved[i] = dup(i);
		dup2(slave, i);
	}
	close(slave);
	return 0;
}

static size_t
drain(char *out, size_t size)
{
	size_t n = 0;
	char t[4096];
	ssize_t r;

	while ((r = read(master, t, sizeof(t))) > 0) {
		if (out != NULL && n + (size_t)r < size)
			memcpy(out + n, t, (size_t)r);
		n += (size_t)r;
	}
	if (out != NULL)
		out[n < size ? n : size - 1] = '\0';
	return n;
}

static int
teardown(void **state)
{
	(void)state;
	term_close();
	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		dup2(saved[i], i);
		close(saved[i]);
	}
	if (master >= 0)
		close(master);
	master = -1;
	return 0;
}

static void
row_of_screen(int row, char *out, size_t size)
{
	wchar_t w[256];
	size_t n;

	assert_true(mvinnwstr(row, 0, w, 255) != ERR);
	n = wcstombs(out, w, size - 1);
	assert_true(n != (size_t)-1);
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
}

static void
test_frame(void **state)
{
	struct err e = {{0}};
	const char *note;
	char want[1024], got[1024], out[65536];
	struct fix f;

	(void)state;
	assert_int_equal(term_open("default", false, &note, &e), 0);
	assert_null(note);
	assert_true(term_utf8());
	fix_init(&f);
	fix_running(&f);
	fix_busy_log(&f);
	fix_line(&f, 12, 4, 31, "c ", "日本語 caf\xc3\xa9");
	fix_compose(&f, 80, 24);
	assert_true(term_show(&f.g, false));
	assert_true(drain(NULL, 0) > 500);
	for (int r = 0; r < 24; r++) {
		grid_row_text(&f.g, r, want, sizeof(want));
		row_of_screen(r, got, sizeof(got));
		assert_streq(got, want);
	}
	/* Nothing changed: no frame, not a byte. */
	fix_compose(&f, 80, 24);
	assert_false(term_show(&f.g, false));
	assert_int_equal(drain(NULL, 0), 0);
	/* A second later only the clock and what counts go out. */
	clock_fake(NOW + 1000, WALL + 1000);
	f.now = NOW + 1000;
	fix_compose(&f, 80, 24);
	assert_true(term_show(&f.g, false));
	assert_in_range(drain(out, sizeof(out)), 1, 80);
	fix_fini(&f);
}

static wchar_t wide;	/* takes two cells, as in the fonts of some places */

int
wcwidth(wchar_t c)
{
	int (*real)(wchar_t);

	if (c == wide && c != 0)
		return 2;
	*(void **)&real = dlsym(RTLD_NEXT, "wcwidth");
	return real(c);
}

/* One mark of two cells would shift all that is right of it: then none of them is used. */
static void
test_wide_mark(void **state)
{
	static const char marks[] = "─━█░│▁▄●◌▲■○┌┘◆▏…";
	struct err e = {{0}};
	const char *note;
	uint32_t cp;

	(void)state;
	assert_int_equal(term_open("default", false, &note, &e), 0);
	for (const char *p = marks; *p != '\0';) {
		p += text_utf8(p, strlen(p), &cp);
		wide = (wchar_t)cp;
		assert_false(term_utf8());
	}
	wide = L'日';
	assert_true(term_utf8());
	wide = 0;
	assert_true(term_utf8());
	setenv("TERM", "linux", 1);
	assert_false(term_utf8());
}

/* A terminal may call itself as large as it likes. */
static void
test_huge(void **state)
{
	struct winsize ws = {.ws_row = 65535, .ws_col = 65535};
	struct err e = {{0}};
	const char *note;
	int rows, cols;

	(void)state;
	assert_int_equal(ioctl(1, TIOCSWINSZ, &ws), 0);
	assert_int_equal(term_open("default", false, &note, &e), 0);
	assert_in_range(LINES * COLS, 1, 1000 * 1000);
	term_resize(&rows, &cols);
	assert_int_equal(rows, 1000);
	assert_int_equal(cols, 1000);
	assert_in_range(LINES * COLS, 1, 1000 * 1000);
	assert_null(getenv("LINES"));
	ws = (struct winsize){0};
	assert_int_equal(ioctl(1, TIOCSWINSZ, &ws), 0);
	term_resize(&rows, &cols);
	assert_int_equal(rows, 24);
	assert_int_equal(COLS, 80);
}

static void
test_restore(void **state)
{
	struct err e = {{0}};
	const char *note;
	struct termios now;
	char out[65536];

	(void)state;
	assert_int_equal(term_open("default", true, &note, &e), 0);
	assert_int_equal(tcgetattr(0, &now), 0);
	assert_int_equal(now.c_lflag & (tcflag_t)(ICANON | ECHO | ISIG), 0);
	drain(NULL, 0);
	term_emergency();
	assert_int_equal(tcgetattr(0, &now), 0);
	assert_int_equal(now.c_lflag, before.c_lflag);
	assert_int_equal(now.c_iflag, before.c_iflag);
	assert_true(drain(out, sizeof(out)) > 0);
	assert_non_null(strstr(out, "\033[?1049l"));
	assert_non_null(strstr(out, "\033[?2004l"));
	assert_non_null(strstr(out, "\033[?25h"));
	term_close();	/* after it: harmless */
	term_close();
}

static void
test_keys(void **state)
{
	static const struct {
		const char *bytes;
		int key;
	} cases[] = {{"a", 'a'}, {"\r", UI_K_ENTER}, {"\033[A", UI_K_UP}, {"\033OB", UI_K_DOWN}, {"\033[5~", UI_K_PGUP},
		{"\033[Z", UI_K_BACKTAB}, {"\xc3\xa9", 0xe9}, {"\003", 3}, {"\023", 19}, {"\032", 26}, {"\177", UI_K_BACKSPACE},
		{"\033[200~", UI_K_PASTE_BEGIN}, {"\033[201~", UI_K_PASTE_END}, {"\033", UI_K_ESC}, {"\033OP", UI_K_F1},
		{"\033OR", UI_K_F3}, {"\033OS", UI_K_F4}, {"\033[21~", UI_K_F10}, {"\033[H", UI_K_HOME}, {"\033[F", UI_K_END},
		{"\033[6~", UI_K_PGDN}, {"\033[B", UI_K_DOWN}, {"\033[C", UI_K_RIGHT}, {"\033[D", UI_K_LEFT}, {"\033[1;5C", UI_K_RIGHT},
		{"\033[1;5D", UI_K_LEFT}, {"\033[3~", UI_K_DELETE}};
	struct err e = {{0}};
	const char *note;
	struct ui_mouse m;
	bool lost;

	(void)state;
	assert_int_equal(term_open("default", true, &note, &e), 0);
	assert_int_equal(term_key(&lost, &m), 0);
	assert_false(lost);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(write(master, cases[i].bytes, strlen(cases[i].bytes)), strlen(cases[i].bytes));
		assert_int_equal(term_key(&lost, &m), cases[i].key);
		assert_int_equal(term_key(&lost, &m), 0);
		assert_false(lost);
	}
	term_mouse(true);
	assert_int_equal(write(master, MOUSE, strlen(MOUSE)), strlen(MOUSE));
	assert_int_equal(term_key(&lost, &m), UI_K_MOUSE);
	assert_true(m.row == 8 && m.col == 9 && m.what == MOUSE_CLICK);
	assert_int_equal(term_key(&lost, &m), UI_K_NOTHING);	/* let go */
	assert_int_equal(term_key(&lost, &m), UI_K_MOUSE);
	assert_true(m.row == 1 && m.col == 0 && m.what == MOUSE_DOWN);
	assert_int_equal(term_key(&lost, &m), 0);
	/* In pieces, and broken off. */
	assert_int_equal(write(master, "\033[<0;3", 6), 6);
	assert_int_equal(term_key(&lost, &m), 0);
	assert_int_equal(write(master, ";4M\033[<0;xa", 10), 10);
	assert_int_equal(term_key(&lost, &m), UI_K_MOUSE);
	assert_true(m.row == 3 && m.col == 2);
	assert_int_equal(term_key(&lost, &m), UI_K_NOTHING);
	assert_int_equal(term_key(&lost, &m), 'a');
	assert_int_equal(term_key(&lost, &m), 0);
	/* A terminal that is gone is told at once. */
	close(master);
	master = -1;
	assert_int_equal(term_key(&lost, &m), 0);
	assert_true(lost);
}

static void
test_refuses(void **state)
{
	struct err e = {{0}};
	const char *note;
	int null;

	(void)state;
	setenv("TERM", "dumb", 1);
	assert_int_equal(term_open("default", true, &note, &e), -1);
	setenv("TERM", "xterm-of-tomorrow", 1);
	assert_int_equal(term_open("default", true, &note, &e), 0);
	assert_non_null(note);
	term_close();
	null = open("/dev/null", O_RDWR);
	dup2(null, 1);
	close(null);
	setenv("TERM", "xterm", 1);
	assert_int_equal(term_open("default", true, &note, &e), -1);
	assert_streq(e.msg, "not a terminal");
}

/* Through the terminal's own description: what it says is what it gets. */
static void
test_copy(void **state)
{
	struct err e = {{0}};
	const char *note;
	char out[4096];

	(void)state;
	assert_int_equal(term_open("default", true, &note, &e), 0);
	drain(out, sizeof(out));
	assert_true(term_copy("hello", 5));
	drain(out, sizeof(out));
	assert_streq(out, "\033]52;c;aGVsbG8=\007");
	assert_true(term_copy("any", 3) && term_copy("an", 2));
	drain(out, sizeof(out));
	assert_streq(out, "\033]52;c;YW55\007\033]52;c;YW4=\007");
	assert_false(term_copy(out, 9000));
	term_close();
	setenv("TERM", "vt100", 1);
	assert_int_equal(term_open("default", true, &note, &e), 0);
	assert_false(term_copy("hello", 5));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_frame, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wide_mark, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restore, setup, teardown),
		cmocka_unit_test_setup_teardown(test_huge, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refuses, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
