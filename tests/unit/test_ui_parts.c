/* SPDX-License-Identifier: ISC
 * The parts of the dashboard that know no terminal: cells, layout, lists, keys, patterns, the log's positions. */
#include "ui_fixture.h"

#include "ui/ui_pattern.h"

static struct fix fx;
static struct fix *const f = &fx;

static int
setup(void **state)
{
	(void)state;
	fix_init(f);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fix_fini(f);
	return 0;
}

static void
assert_cells(const struct grid *g, const char *text)
{
	char t[256];

	grid_row_text(g, 0, t, sizeof(t));
	assert_streq(t, text);
}

static void
test_grid(void **state)
{
	struct grid g = {0}, h = {0};

	(void)state;
	grid_size(&g, 2, 10);
	assert_int_equal(grid_put(&g, 0, 0, 10, ROLE_TEXT, "ab日c"), 5);
	assert_cells(&g, "ab日c");
	/* A wide character at the edge becomes a blank; half of one is never left. */
	assert_int_equal(grid_put(&g, 0, 7, 10, ROLE_TEXT, "日日"), 2);
	assert_cells(&g, "ab日c  日");
	grid_put(&g, 0, 3, 1, ROLE_TEXT, "x");
	assert_cells(&g, "ab xc  日");
	grid_put(&g, 0, 7, 1, ROLE_TEXT, "y");
	assert_cells(&g, "ab xc  y");
	/* Nothing that a terminal would obey gets in. */
	grid_clear(&g);
	grid_put(&g, 0, 0, 10, ROLE_TEXT, "a\033[m\tb\xff\xc2\x9b");
	assert_cells(&g, "a?[m?b??");
	grid_clear(&g);
	grid_put(&g, 0, 0, 10, ROLE_TEXT, "a\342\200\256b\342\200\213c\342\201\246d");
	assert_cells(&g, "a?b?c?d");
	/* What combines stays in its cell, as far as there is room. */
	grid_clear(&g);
	assert_int_equal(grid_put(&g, 0, 0, 2, ROLE_TEXT, "e\xcc\x81x"), 2);
	assert_cells(&g, "e\xcc\x81x");
	/* Outside is nothing. */
	assert_int_equal(grid_put(&g, 5, 0, 2, ROLE_TEXT, "no"), 0);
	assert_int_equal(grid_put(&g, 0, 10, 2, ROLE_TEXT, "no"), 0);
	assert_int_equal(grid_put(&g, 0, -1, 2, ROLE_TEXT, "no"), 0);
	grid_copy(&h, &g);
	assert_true(grid_row_same(&g, &h, 0));
	grid_set_role(&g, 0, 0, 1, ROLE_BAD);
	assert_false(grid_row_same(&g, &h, 0));
	grid_fini(&g);
	grid_fini(&h);
}

static void
test_grid_clip(void **state)
{
	struct grid g = {0};

	(void)state;
	grid_size(&g, 1, 40);
	grid_put_middle(&g, 0, 0, 24, ROLE_TEXT, QWEN);
	assert_cells(&g, "Qwen3-Coder-3…truct-4bit");
	grid_clear(&g);
	grid_put_end(&g, 0, 0, 6, ROLE_TEXT, "abcdefgh");
	assert_cells(&g, "abcde…");
	grid_clear(&g);
	g.ascii = true;
	grid_put_end(&g, 0, 0, 6, ROLE_TEXT, "日本語x日本語");
	assert_cells(&g, "???? ~");
	grid_clear(&g);
	assert_int_equal(grid_put_right(&g, 0, 10, ROLE_TEXT, "abc"), 7);
	assert_cells(&g, "       abc");
	grid_fini(&g);
}

static void
lay(struct ui_layout *l, int cols, int rows, int nrequests)
{
	const struct ui_wish w = {.cols = cols, .rows = rows, .nrequests = nrequests};

	ui_layout(l, &w);
}

static void
test_layout(void **state)
{
	struct ui_layout l;

	(void)state;
	lay(&l, 80, 24, 3);
	assert_int_equal(l.head_rows, 5);
	assert_int_equal(l.req_rule, 5);
	assert_int_equal(l.req_rows, 4);
	assert_int_equal(l.log_rule, 10);
	assert_int_equal(l.log_rows, 11);
	assert_int_equal(l.msg_row, 22);
	assert_int_equal(l.bar_row, 23);
	lay(&l, 0, 0, 3);
	assert_int_equal(l.cols, 80);
	assert_int_equal(l.rows, 24);
	lay(&l, 120, 36, 20);
	assert_true(l.wide);
	assert_int_equal(l.req_rows, 9);
	lay(&l, 80, 24, 20);
	assert_int_equal(l.req_rows, 5);
	lay(&l, 80, 16, 20);
	assert_int_equal(l.req_rows, 0);
	assert_int_equal(l.req_rule, 5);
	lay(&l, 80, 12, 1);
	assert_int_equal(l.msg_row, -1);
	assert_int_equal(l.req_rule, -1);
	lay(&l, 40, 12, 3);
	assert_true(l.narrow);
	assert_int_equal(l.head_rows, 2);
	assert_int_equal(l.log_rows, 8);
	for (int rows = 1; rows < 60; rows++)
		for (int cols = 1; cols < 140; cols++) {
			lay(&l, cols, rows, 9);
			assert_true(l.head_rows <= rows);
			assert_true(l.log_rows >= 0 && l.log_row + l.log_rows <= rows);
			assert_true(l.micro == (cols < 40 || rows < 10));
			assert_true(l.bar_row < rows && l.msg_row < rows);
		}
}

static void
test_list(void **state)
{
	const uint64_t before[] = {1, 2, 3, 4, 5}, after[] = {2, 4, 5};
	struct ui_list l = {0};

	(void)state;
	assert_int_equal(ui_list_sync(&l, before, 0, 2), -1);
	assert_int_equal(ui_list_sync(&l, before, 5, 2), 0);
	ui_list_move(&l, before, 5, 3);
	assert_int_equal(ui_list_sync(&l, before, 5, 2), 3);
	assert_int_equal(l.key, 4);
	assert_int_equal(l.top, 2);
	/* The selection is the thing, wherever it stands now. */
	assert_int_equal(ui_list_sync(&l, after, 3, 2), 1);
	assert_int_equal(l.key, 4);
	/* When it is gone, its neighbour. */
	assert_int_equal(ui_list_sync(&l, before, 3, 2), 1);
	assert_int_equal(l.key, 2);
	ui_list_move(&l, before, 5, 100);
	assert_int_equal(l.key, 5);
	ui_list_move(&l, before, 5, -100);
	assert_int_equal(l.key, 1);
}

static void
test_match(void **state)
{
	(void)state;
	assert_int_equal(ui_list_match(QWEN, ""), 1);
	assert_int_equal(ui_list_match(QWEN, "qwen"), 3);
	assert_int_equal(ui_list_match(QWEN, "coder"), 2);
	assert_int_equal(ui_list_match(QWEN, "q30b"), 1);
	assert_int_equal(ui_list_match(QWEN, "Coder"), 2);
	assert_int_equal(ui_list_match(QWEN, "CODER"), 0);
	assert_int_equal(ui_list_match(QWEN, "gemma"), 0);
	assert_int_equal(ui_list_match("", "x"), 0);
}

static void
test_keys(void **state)
{
	(void)state;
	assert_int_equal(ui_key_action('m'), ACT_MODELS);
	assert_int_equal(ui_key_action('R'), ACT_FORCE);
	assert_int_equal(ui_key_action(3), ACT_QUIT);
	assert_int_equal(ui_key_action(UI_K_F10), ACT_QUIT);
	assert_int_equal(ui_key_action('Z'), ACT_NONE);
	assert_int_equal(ui_key_action(0), ACT_NONE);
	for (int a = ACT_NONE + 1; a < ACT_N; a++) {
		const struct ui_binding *b = ui_binding_of((enum ui_action)a);

		assert_non_null(b);
		assert_true((b->codes[0] != 0 || b->command != NULL) && b->shown[0] != '\0' && b->help[0] != '\0');
		for (size_t i = 0; i < ARRAY_LEN(b->codes); i++)
			if (b->codes[i] != 0)
				assert_int_equal(ui_key_action(b->codes[i]), a);	/* no key twice */
	}
	for (size_t i = 0; i < ui_nbar_items; i++)
		assert_non_null(ui_binding_of(ui_bar_items[i].action));
}

static bool
matches(const struct ui_pattern *p, const char *line)
{
	return ui_pattern_match(p, line, strlen(line));
}

static void
test_pattern(void **state)
{
	struct ui_pattern p = {.text = ""};
	struct err e = {{0}};
	char t[UI_PATTERN_MAX + 1];

	(void)state;
	assert_true(matches(&p, "anything"));
	assert_int_equal(ui_pattern_set(&p, "error", &e), 0);
	assert_true(matches(&p, "An ERROR"));
	assert_false(matches(&p, "a warning"));
	assert_int_equal(ui_pattern_set(&p, "Error", &e), 0);
	assert_false(matches(&p, "An ERROR"));
	assert_int_equal(ui_pattern_set(&p, "!models", &e), 0);
	assert_false(matches(&p, "GET /v1/models"));
	assert_true(matches(&p, "GET /v1/chat"));
	assert_int_equal(ui_pattern_set(&p, "~^a+b$", &e), 0);
	assert_true(matches(&p, "aab"));
	assert_false(matches(&p, "aabc"));
	assert_int_equal(ui_pattern_set(&p, "~[", &e), -1);
	assert_string_not_equal(e.msg, "");
	assert_true(matches(&p, "aab"));	/* as it was */
	assert_false(matches(&p, "aabc"));
	memset(t, 'x', sizeof(t) - 1);
	t[sizeof(t) - 1] = '\0';
	assert_int_equal(ui_pattern_set(&p, t, &e), -1);
	assert_true(matches(&p, "aab"));
	assert_int_equal(ui_pattern_set(&p, "", &e), 0);
	assert_true(matches(&p, "aabc"));
	assert_int_equal(ui_pattern_set(&p, "!", &e), 0);
	assert_true(matches(&p, "marks alone are nothing"));
	ui_pattern_clear(&p);
}

static void
test_edit(void **state)
{
	struct ui_edit e = {.len = 0};

	(void)state;
	ui_edit_key(&e, 'a');
	ui_edit_key(&e, 0xe9);
	ui_edit_key(&e, 0x65e5);
	assert_streq(e.text, "a\xc3\xa9\xe6\x97\xa5");
	ui_edit_key(&e, UI_K_BACKSPACE);
	assert_streq(e.text, "a\xc3\xa9");
	assert_false(ui_edit_key(&e, 0x202e));
	assert_false(ui_edit_key(&e, UI_K_UP));
	assert_false(ui_edit_key(&e, 7));
	ui_edit_key(&e, ' ');
	ui_edit_key(&e, 'b');
	ui_edit_key(&e, 23);
	assert_streq(e.text, "a\xc3\xa9 ");
	ui_edit_key(&e, 21);
	assert_streq(e.text, "");
	for (int i = 0; i < 1000; i++)
		ui_edit_key(&e, 0x65e5);
	assert_true(e.len < sizeof(e.text));
}

/* The cursor goes anywhere; what is too long is shown around it. */
static void
test_edit_inside(void **state)
{
	struct ui_edit e = {.len = 0};
	struct grid g = {0};

	(void)state;
	ui_edit_set(&e, "two w\xc3\xb6rds");
	ui_edit_key(&e, UI_K_LEFT);
	ui_edit_key(&e, UI_K_LEFT);
	ui_edit_key(&e, UI_K_LEFT);
	ui_edit_key(&e, UI_K_BACKSPACE);
	assert_streq(e.text, "two wrds");
	ui_edit_key(&e, 'o');
	assert_streq(e.text, "two words");
	ui_edit_key(&e, UI_K_HOME);
	ui_edit_key(&e, UI_K_DELETE);
	assert_streq(e.text, "wo words");
	ui_edit_key(&e, UI_K_END);
	ui_edit_key(&e, 23);
	assert_streq(e.text, "wo ");
	ui_edit_key(&e, 1);
	ui_edit_key(&e, 11);
	assert_streq(e.text, "");
	ui_edit_set(&e, "0123456789abcdefghij");
	grid_size(&g, 1, 20);
	ui_edit_draw(&e, &g, 0, 0, 10, ROLE_TEXT, "_");
	assert_cells(&g, "bcdefghij_");
	grid_clear(&g);
	ui_edit_key(&e, UI_K_HOME);
	ui_edit_draw(&e, &g, 0, 0, 10, ROLE_TEXT, "_");
	assert_cells(&g, "0123456789");
	assert_int_equal(g.cells[0].role, ROLE_SELECT);
	grid_fini(&g);
}

static void
test_names_and_paths(void **state)
{
	struct grid g = {0};

	(void)state;
	grid_size(&g, 1, 40);
	grid_put_model(&g, 0, 0, 30, ROLE_TEXT, "org/short-4bit");
	assert_cells(&g, "org/short-4bit");
	grid_clear(&g);
	grid_put_model(&g, 0, 0, 20, ROLE_TEXT, "mlx-community/Qwen3-4B-4bit");
	assert_cells(&g, "Qwen3-4B-4bit");
	grid_clear(&g);
	grid_put_model(&g, 0, 0, 12, ROLE_TEXT, "mlx-community/Qwen3-Coder-30B-4bit");
	assert_cells(&g, "Qwen3-C…4bit");
	grid_clear(&g);
	grid_put_path(&g, 0, 0, 12, ROLE_TEXT, "/v1/messages/count_tokens");
	assert_cells(&g, "…ount_tokens");
	grid_fini(&g);
}

static void
test_counts(void **state)
{
	static const struct {
		uint64_t n;
		const char *text;
	} cases[] = {{0, "0"}, {999, "999"}, {1204, "1,204"}, {1234567, "1,234,567"}, {UINT64_MAX, "18,446,744,073,709,551,615"}};
	char t[40];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ui_count_text(t, sizeof(t), cases[i].n);
		assert_streq(t, cases[i].text);
	}
}

static void
test_wishes(void **state)
{
	struct ui_wish w = {.cols = 80, .rows = 24, .nrequests = 10, .nmodels = 6};
	struct ui_layout l;

	(void)state;
	ui_layout(&l, &w);
	assert_true(l.models == 4 && l.models_row == 1 && l.use_row == 5 && l.head_rows == 7);
	w.zoom = ZOOM_LOG;
	ui_layout(&l, &w);
	assert_true(l.short_head && l.models == 4 && l.req_rule == -1 && l.log_rule == 4 && l.log_rows == 17);
	w.zoom = ZOOM_REQUESTS;
	ui_layout(&l, &w);
	assert_true(l.log_rule == -1 && l.log_rows == 0 && l.req_rows > 10);
	w.zoom = ZOOM_NONE;
	w.split = -50;
	ui_layout(&l, &w);
	assert_int_equal(l.req_rows, 2);
	w.split = 50;
	ui_layout(&l, &w);
	assert_int_equal(l.log_rows, 3);
	for (w.rows = 1; w.rows < 50; w.rows++)
		for (w.cols = 1; w.cols < 130; w.cols += 3)
			for (int z = ZOOM_NONE; z <= ZOOM_REQUESTS; z++)
				for (w.split = -9; w.split < 40; w.split += 7) {
					w.zoom = (enum ui_zoom)z;
					ui_layout(&l, &w);
					assert_true(l.head_rows <= l.rows && l.log_rows >= 0 && l.req_rows >= 0);
					assert_true(l.log_row + l.log_rows <= l.rows && l.req_row + l.req_rows <= l.rows);
				}
}

static void
items(int n)
{
	char t[32];

	for (int i = 0; i < n; i++) {
		snprintf(t, sizeof(t), "item %d", i);
		fix_line(f, 12, 0, i % 60, i % 10 == 5 ? "cE" : "c ", t);
	}
}

static void
test_scroll(void **state)
{
	(void)state;
	fix_running(f);
	items(100);
	fix_compose(f, 80, 24);
	assert_row(f, 21, "12:00:39 c  item 99");
	fix_key(f, 'j');	/* at the end there is no further */
	assert_true(f->s.log.follow);
	fix_key(f, 'k');
	assert_false(f->s.log.follow);
	fix_compose(f, 80, 24);
	/* The selection moves first, the window only with it. */
	assert_row(f, 7, "12:00:25 cE item 85");
	assert_row(f, 20, "12:00:38>c  item 98");
	items(7);
	fix_compose(f, 80, 24);
	assert_row(f, 7, "12:00:25 cE item 85");
	assert_row(f, 6, "━ Log all ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ PAUSED +7 new  wrap off ━");
	fix_key(f, UI_K_PGUP);
	fix_compose(f, 80, 24);
	assert_row(f, 7, "12:00:11 c  item 71");
	assert_row(f, 20, "12:00:24>c  item 84");
	for (int i = 0; i < 14; i++)
		fix_key(f, 'k');
	fix_compose(f, 80, 24);
	assert_row(f, 7, "12:00:10>c  item 70");
	fix_key(f, 'g');
	fix_compose(f, 80, 24);
	assert_row(f, 7, "12:00:00>c  item 0");
	fix_key(f, 'G');
	fix_compose(f, 80, 24);
	assert_row(f, 21, "12:00:06 c  item 6");
}

/* Lines that leave the copy under a paused view do not move the text. */
static void
test_gone(void **state)
{
	(void)state;
	fix_running(f);
	view_log_free(&f->log);
	f->log = view_log_new(4096);
	items(100);
	fix_compose(f, 80, 24);
	fix_key(f, 'g');
	f->s.log.top = f->s.log.cur = 1;
	items(400);
	fix_compose(f, 80, 24);
	assert_true(view_log_at(f->log, 0)->seq > 1);
	{
		char want[64], got[512];

		snprintf(want, sizeof(want), "-- %llu lines gone --", (unsigned long long)view_log_at(f->log, 0)->seq);
		grid_row_text(&f->g, 7, got, sizeof(got));
		assert_streq(got, want);
	}
}

static void
assert_error(int key, int n)
{
	fix_key(f, key);
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.log.error_n, n);
}

static void
test_errors(void **state)
{
	(void)state;
	fix_running(f);
	items(100);
	fix_compose(f, 80, 24);
	assert_error('e', 10);
	assert_int_equal(f->s.log.error_of, 10);
	assert_error('E', 9);
	assert_error('e', 10);
	assert_error('e', 1);	/* around the end */
	assert_error('E', 10);
	assert_row(f, 17, "12:00:35>cE item 95");
	ui_log_set_mask(&f->s.log, 1u << SOURCE_MAI);
	fix_key(f, 'e');
	assert_streq(f->s.msg.text, "no error among the lines that are shown");
}

static void
test_wrap(void **state)
{
	char text[200];

	(void)state;
	fix_running(f);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	items(40);
	fix_line(f, 12, 4, 0, "c ", text);
	fix_compose(f, 80, 24);
	fix_key(f, 'w');
	fix_compose(f, 80, 24);
	{
		char row[512];

		grid_row_text(&f->g, 21, row, sizeof(row));
		assert_int_equal(strlen(row), 12 + 199 - 2 * 68);
		assert_int_equal(strspn(row, " "), 12);
		grid_row_text(&f->g, 18, row, sizeof(row));
		assert_streq(row, "12:00:39 c  item 39");
	}
	fix_key(f, 'w');
	fix_key(f, 'l');
	fix_compose(f, 80, 24);
	assert_row(f, 20, "12:00:39 c");	/* scrolled sideways out of it */
	fix_key(f, 1);
	fix_compose(f, 80, 24);
	assert_row(f, 20, "12:00:39 c  item 39");
}

/* One line of so many rows of the pane at 80 columns, each with its number. */
static void
long_line(int rows)
{
	struct strbuf b = STRBUF_INIT;

	for (int i = 0; i < rows; i++) {
		strbuf_printf(&b, "row %03d ", i);
		for (int k = 8; k < 68; k++)
			strbuf_putc(&b, '.');
	}
	fix_line(f, 12, 1, 0, "c ", strbuf_str(&b));
	strbuf_fini(&b);
}

static int
row_number(int row)
{
	char t[4096];
	int n = -1;

	grid_row_text(&f->g, row, t, sizeof(t));
	return sscanf(t + (t[8] == '>' || t[9] == 'c' ? 12 : 0), " row %d", &n) == 1 ? n : -1;
}

/* Pausing moves nothing; a wrapped line that is higher than the pane is read row by row and page by page. */
static void
test_long_lines(void **state)
{
	int first, last;

	(void)state;
	fix_line(f, 12, 0, 59, "c ", "before");
	long_line(40);
	fix_line(f, 12, 1, 1, "c ", "behind");
	fix_key(f, 'w');
	fix_compose(f, 80, 24);
	first = f->s.lay.log_row;
	last = first + f->s.lay.log_rows - 1;
	assert_int_equal(row_number(last - 1), 39);
	fix_key(f, 'f');
	fix_compose(f, 80, 24);
	assert_row(f, last, "12:01:01>c  behind");
	assert_int_equal(row_number(last - 1), 39);
	assert_int_equal(row_number(first), 40 - (last - first));
	/* Upwards into the line: its end first, then its beginning, then what is before it. */
	fix_key(f, 'k');
	fix_compose(f, 80, 24);
	assert_int_equal(row_number(last - 1), 39);
	for (int i = 1; i <= 40 - (last - first); i++) {
		fix_key(f, 'k');
		fix_compose(f, 80, 24);
		assert_int_equal(row_number(first), 40 - (last - first) - i);
	}
	fix_key(f, 'k');
	fix_compose(f, 80, 24);
	assert_row(f, first, "12:00:59>c  before");
	fix_key(f, 'j');
	fix_compose(f, 80, 24);
	assert_int_equal(row_number(first), 0);
	fix_key(f, 'j');
	fix_compose(f, 80, 24);
	assert_int_equal(row_number(first), 1);
	assert_row(f, first, "        >   row 001 ............................................................");
	fix_key(f, UI_K_PGDN);
	fix_compose(f, 80, 24);
	assert_int_equal(row_number(first), 1 + last - first);
	fix_key(f, UI_K_PGDN);
	fix_compose(f, 80, 24);
	assert_int_equal(row_number(last), 39);
	fix_key(f, 'j');
	fix_compose(f, 80, 24);
	assert_row(f, last, "12:01:01>c  behind");
	fix_key(f, 'k');
	fix_compose(f, 80, 24);
	/* On another width it is another height; the pane stays full. */
	fix_compose(f, 200, 24);
	assert_int_equal(f->s.log.below, 0);
	assert_in_range(f->s.log.skip, 1, 14);
	fix_key(f, 'w');
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.log.skip, 0);
}

/* From 100 columns on the table has models and paths, and still room for the state. */
static void
test_request_columns(void **state)
{
	(void)state;
	fix_running(f);
	fix_request(f, 1285, "10.0.0.7:40120", GEMMA, REQ_QUEUED, 0.8, 112, -1, -1);
	fix_compose(f, 100, 24);
	assert_row(f, 6, "    ID  CLIENT           MODEL        PATH           AGE     IN    OUT  TOK/S  STATE");
	assert_row(f, 7, "  1285  10.0.0.7:40120   gemma-3…4bit …completions  0.8s    112      -      -  queued > gemma-3…4bit");
	fix_compose(f, 115, 24);
	assert_row(f, 6, "    ID  CLIENT           MODEL                PATH                AGE     IN    OUT  TOK/S  STATE");
}

/* A rate that was only counted says so, and so does a sum with one in it; what the engine tells does not. */
static void
test_estimated_rates(void **state)
{
	(void)state;
	fix_running(f);
	fix_request(f, 7, "c:1", QWEN, REQ_GENERATING, 2, -1, 40, 19.8);
	fix_request(f, 8, "c:2", GEMMA, REQ_GENERATING, 1, -1, 20, 22.0);
	f->v.in_flight = 2;
	f->v.requests[1].estimated = true;
	fix_compose(f, 80, 24);
	assert_row(f, 7, "     7 c:1              chat     2.0s     -    40  19.8  gen");
	assert_row(f, 8, "     8 c:2              chat     1.0s     -    20 ~22.0  gen");
	assert_true(fix_shows(f, "  tok/s ~41.8 "));
	fix_compose(f, 40, 12);
	assert_row(f, 1, "~41.8 tok/s  2 req  17.4G");
	f->v.requests[1].estimated = false;
	fix_compose(f, 80, 24);
	assert_true(fix_shows(f, "  tok/s  41.8 "));
	/* The figure of a chosen one is of its own requests. */
	f->v.requests[1].estimated = true;
	f->v.engines[1].state = ENGINE_READY;
	f->v.engines[0].tps = 19.8;
	f->v.engines[1].tps = 22;
	snprintf(f->s.model, sizeof(f->s.model), "%s", QWEN);
	fix_compose(f, 80, 24);
	assert_true(fix_shows(f, "  tok/s  19.8 "));
	snprintf(f->s.model, sizeof(f->s.model), "%s", GEMMA);
	fix_compose(f, 80, 24);
	assert_true(fix_shows(f, "  tok/s ~22.0 "));
}

static struct view_engine *
loaded(const char *id, int port, double tps, double rss, uint64_t up)
{
	struct view_engine *e = fix_engine(f, id, "llama-server", "llama");

	e->state = ENGINE_READY;
	e->port = port;
	e->tps = tps;
	e->rss = (uint64_t)rss;
	e->spawned_at = NOW - up;
	return e;
}

/* One reads down a column of the model list, whatever the figures. */
static void
test_model_columns(void **state)
{
	struct view_engine *e;

	(void)state;
	loaded("one", 5800, 62.8, 318 * GIB / 1024, S(18));
	loaded("two", 51723, 0, 35.3 * GIB / 1024, 0);
	e = loaded("three", 443, 1234.5, 64 * GIB, S(9 * 86400));
	e->attempt = 10;
	e->max_attempts = 10;
	e = loaded("four", 0, -1, 0, S(8047));
	e->state = ENGINE_FAILED;
	e->last_exit = xstrdup("exit status 1 after 9.1s");
	fix_compose(f, 80, 24);
	assert_rows(f, 1,
	    ">● RUNNING  one                          :5800   0/3 62.8 t/s  318M up 18s",
	    " ● RUNNING  two                         :51723   0/3  0.0 t/s 35.3M up 0s",
	    " ● RUNNING  three                         :443 10/10 1234 t/s 64.0G up 9d00h",
	    " ■ FAILED   four                                 0/3 exit status 1 after 9.1s");
	fix_compose(f, 40, 14);
	assert_rows(f, 0,
	    ">● RUN one                63  318M 18s",
	    " ● RUN two                 0 35.3M 0s",
	    " ● RUN three            1234 64.0G 9d00h",
	    " ■ FAI four                 exit 1");
	e->state = ENGINE_DRAINING;
	e->in_flight = 12;
	e->since = NOW - S(4);
	fix_compose(f, 80, 24);
	assert_row(f, 4, ">◌ STOPPING four                                 0/3   12 in flight 4s");
	e->state = ENGINE_BACKOFF;
	e->retry_at = NOW + S(723);
	fix_compose(f, 80, 24);
	assert_row(f, 4, ">▲ BACKOFF  four                                 0/3   retry 12m03s exit 1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grid),
		cmocka_unit_test(test_grid_clip),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_pattern),
		cmocka_unit_test(test_edit),
		cmocka_unit_test(test_edit_inside),
		cmocka_unit_test(test_names_and_paths),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_wishes),
		cmocka_unit_test_setup_teardown(test_scroll, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_request_columns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_estimated_rates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_model_columns, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
