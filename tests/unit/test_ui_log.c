/* SPDX-License-Identifier: ISC
 * The log pane as a state: slices, jumps that wait, what is put away, marks, sources, and the patterns. */
#include "ui_fixture.h"

static struct fix fx;
static struct fix *const f = &fx;

static int
setup(void **state)
{
	(void)state;
	fix_init(f);
	fix_running(f);
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
put(uint64_t seq, enum log_source source, char level, const char *model, const char *text)
{
	view_log_put(f->log, seq, WALL, source, level, model, text, strlen(text));
}

static void
items(uint64_t from, uint64_t to, const char *text)
{
	char t[64];

	for (uint64_t i = from; i <= to; i++) {
		snprintf(t, sizeof(t), "%s %llu", text, (unsigned long long)i);
		put(i, SOURCE_CHILD, ' ', NULL, t);
	}
}

static void
type(const char *text)
{
	for (; *text != '\0'; text++)
		fix_key(f, *text);
}

/* One slice; the clock stands still, so that a budget of nothing ends it at the first look. */
static bool
slice(void)
{
	return ui_log_scan(&f->s.log, f->log, clock_us());
}

/* Lines are looked at in slices from the newest one on; what was not looked at is not shown yet. */
static void
test_slices(void **state)
{
	struct err e;
	int n = 0;

	(void)state;
	items(1, 1000, "item");
	assert_int_equal(ui_log_set_filter(&f->s.log, f->log, "item", &e), 0);
	assert_false(ui_log_scanned(&f->s.log, f->log));
	assert_true(slice());
	assert_true(ui_log_shows(&f->s.log, f->log, view_log_at(f->log, 999)));
	assert_false(ui_log_shows(&f->s.log, f->log, view_log_at(f->log, 0)));
	for (n = 1; slice(); n++)
		;
	assert_in_range(n, 30, 100);
	assert_true(ui_log_scanned(&f->s.log, f->log));
	assert_true(ui_log_shows(&f->s.log, f->log, view_log_at(f->log, 0)));
	items(1001, 1003, "item");
	assert_false(ui_log_scanned(&f->s.log, f->log));
	assert_false(slice());
	assert_true(ui_log_shows(&f->s.log, f->log, view_log_at(f->log, 1002)));
}

/* A search that has found nothing so far waits, and jumps when a slice finds it. */
static void
test_search_waits(void **state)
{
	struct err e;

	(void)state;
	items(1, 1000, "item");
	fix_compose(f, 80, 24);
	assert_int_equal(ui_log_set_search(&f->s.log, f->log, "item 7", &e), 0);
	slice();
	assert_int_equal(ui_log_jump(&f->s.log, f->log, JUMP_NEAREST), UI_NOT_YET);
	assert_true(f->s.log.follow);
	while (f->s.log.jump != JUMP_NONE) {
		slice();
		ui_log_settle(&f->s.log, f->log);
	}
	assert_false(f->s.log.follow);
	assert_int_equal(f->s.log.cur, VIEW_KEY(799));	/* the newest of item 7, 70..79, 700..799 */
	ui_log_count(&f->s.log, f->log);
	assert_int_equal(f->s.log.hit_of, f->s.log.hit_n);
	/* Earlier ones: known as far as they were looked at. */
	assert_int_equal(ui_log_jump(&f->s.log, f->log, JUMP_PREVIOUS), UI_FOUND);
	assert_int_equal(f->s.log.cur, VIEW_KEY(798));
	assert_int_equal(ui_log_jump(&f->s.log, f->log, JUMP_NEXT), UI_FOUND);
	/* Behind the newest comes the first one of all, which is only known at the end. */
	assert_int_equal(ui_log_jump(&f->s.log, f->log, JUMP_NEXT), UI_NOT_YET);
	while (slice())
		;
	assert_int_equal(ui_log_settle(&f->s.log, f->log), UI_FOUND);
	assert_int_equal(f->s.log.cur, VIEW_KEY(7));
	assert_int_equal(ui_log_jump(&f->s.log, f->log, JUMP_PREVIOUS), UI_FOUND);
	assert_int_equal(f->s.log.cur, VIEW_KEY(799));
}

/* With more in the core than in the copy the answer comes when everything was fetched; a key ends the waiting. */
static void
test_older_lines(void **state)
{
	static const char older[] = "{\"first\":1,\"next\":3,\"dropped\":0,\"lines\":[[1,1,\"child\",\"E\",\"the needle\",\"a\"],"
	    "[2,2,\"child\",\" \",\"two\",\"a\"]]}";
	bool gap = true;

	(void)state;
	items(3, 40, "item");
	f->link.older = true;
	fix_compose(f, 80, 24);
	assert_false(f->s.log.wants_older);
	type("/needle");
	fix_key(f, UI_K_ENTER);
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.log.jump, JUMP_NEAREST);
	assert_true(f->s.log.wants_older);
	assert_row(f, 22, " /needle   0 found so far, looking (12:04:31)");
	assert_int_equal(view_log_apply_older(f->log, older, strlen(older), &gap, NULL), 2);
	assert_false(gap);
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.log.cur, VIEW_KEY(1));
	f->link.older = false;
	fix_compose(f, 80, 24);
	assert_row(f, 22, " /needle   match 1 of 1 (oldest line 00:00:00)");
	fix_key(f, 'G');
	fix_key(f, 'E');
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.log.cur, VIEW_KEY(1));
	assert_int_equal(f->s.log.error_of, 1);
	/* Nothing at all: said once everything is known. */
	f->link.older = true;
	fix_compose(f, 80, 24);
	type("/nowhere");
	fix_key(f, UI_K_ENTER);
	fix_compose(f, 80, 24);
	assert_streq(f->s.msg.text, "");
	fix_key(f, 'w');	/* any key */
	assert_int_equal(f->s.log.jump, JUMP_NONE);
	fix_key(f, 'n');
	f->link.older = false;
	fix_compose(f, 80, 24);
	assert_streq(f->s.msg.text, "nothing found for nowhere");
}

static void
test_sources(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 300; i += 3) {
		put(i, SOURCE_CHILD, ' ', QWEN, "from the engine");
		put(i + 1, SOURCE_ACCESS, ' ', QWEN, "a request");
		put(i + 2, SOURCE_CHILD, ' ', GEMMA, "from the other");
	}
	put(301, SOURCE_MAI, ' ', NULL, "from mai");
	put(302, SOURCE_CHILD, ' ', QWEN, "last");
	fix_compose(f, 80, 24);
	fix_key(f, 'k');
	fix_key(f, '2');
	fix_compose(f, 80, 24);
	/* The pane is never empty beside lines, and something is selected. */
	assert_row(f, 7, "12:04:31>m  from mai");
	fix_key(f, '1');
	fix_compose(f, 80, 24);
	assert_row(f, 21, "12:04:31 c  last");
	snprintf(f->s.log.model, sizeof(f->s.log.model), "%s", GEMMA);
	assert_false(ui_log_shows(&f->s.log, f->log, view_log_at(f->log, 0)));
	assert_true(ui_log_shows(&f->s.log, f->log, view_log_at(f->log, 2)));
}

/* Where a long name would be all that is seen of what mai says of a model, its ends do. */
static void
test_names_on_narrow_screens(void **state)
{
	(void)state;
	put(1, SOURCE_MAI, ' ', QWEN, QWEN ": starting -> ready (user)");
	put(2, SOURCE_MAI, 'W', "one", "one: died after 2s: SIGKILL");
	put(3, SOURCE_MAI, ' ', QWEN, "stop " QWEN);
	put(4, SOURCE_CHILD, ' ', QWEN, QWEN ": of its own");
	fix_compose(f, 40, 12);
	assert_rows(f, 3, "m 04:31 Qwen…bit: starting -> ready (us…", "mW04:31 one: died after 2s: SIGKILL",
	    "m 04:31 stop Qwen3-Coder-30B-A3B-Instru…", "c 04:31 Qwen3-Coder-30B-A3B-Instruct-4b…");
	type("/ready");
	fix_key(f, UI_K_ENTER);
	fix_compose(f, 40, 12);
	assert_int_equal(f->g.cells[3 * f->g.cols + 30].role, ROLE_SELECT);
	assert_int_equal(f->g.cells[3 * f->g.cols + 29].role, ROLE_TEXT);
	fix_key(f, 'w');
	fix_compose(f, 40, 12);
	assert_rows(f, 3, "m 04:31>Qwen…bit: starting -> ready (use", "        r)");
	fix_key(f, 'y');
	assert_streq(strbuf_str(&f->s.copy), QWEN ": starting -> ready (user)");
	fix_key(f, 'w');
	fix_compose(f, 80, 24);
	assert_row(f, 7, "12:04:31>m  " QWEN ": starting -> ready (user)");
	/* A few rows are enough for the newest line. */
	fix_compose(f, 20, 4);
	assert_row(f, 2, "m 04:31>Qwen…bit: s…");
}

static void
test_empty_pane(void **state)
{
	(void)state;
	fix_compose(f, 80, 24);
	assert_row(f, 7, "");
	put(1, SOURCE_MAI, ' ', NULL, "from mai");
	fix_key(f, '1');
	fix_compose(f, 80, 24);
	assert_row(f, 7, " nothing yet from this source; 0 shows all");
	fix_key(f, 'k');
	fix_compose(f, 80, 24);
	assert_row(f, 7, " nothing yet from this source; 0 shows all");
	fix_key(f, '0');
	type("&nowhere");
	fix_key(f, UI_K_ENTER);
	fix_compose(f, 80, 24);
	assert_row(f, 7, " no line passes the filter; Esc ends it");
	fix_key(f, UI_K_ESC);
	fix_key(f, 'C');
	fix_compose(f, 80, 24);
	assert_row(f, 7, " nothing yet; Esc shows what is hidden");
	fix_key(f, UI_K_ESC);
	fix_compose(f, 80, 24);
	assert_true(fix_shows(f, "from mai"));
}

static void
test_put_away(void **state)
{
	(void)state;
	items(1, 50, "item");
	fix_compose(f, 80, 24);
	fix_key(f, 'C');
	fix_compose(f, 80, 24);
	assert_row(f, 6, "━ Log all  since 12:04:31 ━━━━━━━━━━━━━━━━━━━━━━━ 0-3 source  FOLLOW  wrap off ━");
	assert_row(f, 7, " nothing yet; Esc shows what is hidden");
	items(51, 51, "new");
	fix_compose(f, 80, 24);
	assert_row(f, 7, "12:04:31 c  new 51");
	fix_key(f, 'C');	/* something came: that goes, too */
	fix_compose(f, 80, 24);
	assert_row(f, 7, " nothing yet; Esc shows what is hidden");
	fix_key(f, 'C');	/* nothing came: back */
	fix_compose(f, 80, 24);
	assert_row(f, 21, "12:04:31 c  new 51");
	/* What the screen says of it is nothing that came, even where it is shown; a mark is. */
	fix_key(f, '2');
	fix_key(f, 'C');
	fix_compose(f, 80, 24);
	assert_row(f, 7, "12:04:31 m  screen: older lines are hidden; C again or Esc brings them back");
	fix_key(f, 'C');
	assert_int_equal(f->s.log.since, 0);
	fix_key(f, 'C');
	fix_key(f, UI_K_ENTER);
	fix_key(f, 'C');
	assert_int_not_equal(f->s.log.since, 0);
	fix_key(f, 'C');
	assert_int_equal(f->s.log.since, 0);
}

/* What became of one search or filter is not said of the next one. */
static void
test_answers_are_of_the_last(void **state)
{
	(void)state;
	items(1, 50, "item");
	fix_compose(f, 80, 24);
	type("/nowhere");
	fix_key(f, UI_K_ENTER);
	fix_compose(f, 80, 24);
	assert_row(f, 22, " nothing found for nowhere");
	type("/item 7");
	fix_key(f, UI_K_ENTER);
	fix_compose(f, 80, 24);
	assert_row(f, 22, " /item 7   match 1 of 1 (oldest line 12:04:31)");
	fix_key(f, UI_K_ESC);
	type("&~[");
	fix_key(f, UI_K_ENTER);
	fix_compose(f, 80, 24);
	assert_row(f, 22, " bad expression: Invalid regular expression");
	type("&item");
	fix_key(f, UI_K_ENTER);
	fix_compose(f, 80, 24);
	assert_row(f, 22, "");
}

static void
test_marks(void **state)
{
	(void)state;
	items(1, 2, "item");
	fix_compose(f, 80, 24);
	fix_key(f, UI_K_ENTER);
	items(3, 3, "item");
	fix_key(f, '3');	/* of another source, but a mark is of all */
	fix_compose(f, 80, 24);
	assert_row(f, 7, "── mark 12:04:31 ───────────────────────────────────────────────────────────────");
	fix_key(f, '0');
	fix_compose(f, 80, 24);
	assert_row(f, 9, "── mark 12:04:31 ───────────────────────────────────────────────────────────────");
	assert_row(f, 10, "12:04:31 c  item 3");
	fix_key(f, 'k');
	fix_key(f, UI_K_ENTER);
	assert_streq(f->s.msg.text, "paused; while following, Enter puts a mark here");
}

/* The selected line is what is copied; a screenful has no more than the pane. */
static void
test_copy(void **state)
{
	(void)state;
	items(1, 100, "item");
	fix_compose(f, 80, 24);
	fix_key(f, 'y');
	assert_streq(strbuf_str(&f->s.copy), "item 100");
	strbuf_clear(&f->s.copy);
	fix_key(f, 'k');
	fix_key(f, 'y');
	assert_streq(strbuf_str(&f->s.copy), "item 99");
	fix_compose(f, 80, 24);
	fix_key(f, 'Y');
	assert_true(strncmp(strbuf_str(&f->s.copy), "item 86\nitem 87\n", 16) == 0);
	assert_non_null(strstr(strbuf_str(&f->s.copy), "item 100\n"));
	f->s.copy.len = 0;
	fix_key(f, '3');
	fix_key(f, 'y');
	assert_streq(f->s.msg.text, "nothing to copy");
}

static void
test_history(void **state)
{
	(void)state;
	items(1, 5, "item");
	fix_compose(f, 80, 24);
	for (int i = 0; i < 30; i++) {
		char t[16];

		snprintf(t, sizeof(t), "&f%d", i);
		fix_key(f, '&');
		fix_key(f, 21);
		type(t + 1);
		fix_key(f, UI_K_ENTER);
	}
	fix_key(f, '&');
	fix_key(f, UI_K_UP);
	assert_streq(f->s.edit.text, "f29");
	for (int i = 0; i < 40; i++)
		fix_key(f, UI_K_UP);
	assert_streq(f->s.edit.text, "f10");	/* the last twenty */
	fix_key(f, UI_K_DOWN);
	assert_streq(f->s.edit.text, "f11");
	for (int i = 0; i < 40; i++)
		fix_key(f, UI_K_DOWN);
	assert_streq(f->s.edit.text, "");
	fix_key(f, UI_K_ESC);
	assert_streq(f->s.log.filter.text, "f29");
}

/* Lines that trickle in while there is a filter are in the frame that shows them, and the rule does not say that it looks
 * for them. */
static void
test_trickle(void **state)
{
	(void)state;
	items(1, 50, "item");
	fix_compose(f, 80, 24);
	fix_key(f, '&');
	type("!item 4");
	fix_key(f, UI_K_ENTER);
	fix_compose(f, 80, 24);
	items(51, 60, "more");
	ui_compose(&f->s, &f->g, &f->v, f->log, &f->link, f->now);
	assert_true(fix_shows(f, "filter !item 4 (11 hidden)"));
	assert_true(fix_shows(f, "more 59"));
}

/* What was searched for is offered: typed over, edited, or made the filter. */
static void
test_offered(void **state)
{
	(void)state;
	items(1, 50, "item");
	fix_compose(f, 80, 24);
	fix_key(f, '/');
	type("em 4");
	fix_key(f, UI_K_ENTER);
	fix_compose(f, 80, 24);
	assert_row(f, 23, " n Next  N Previous  / Edit  & Keep only matches  Esc Clear");
	fix_key(f, '/');
	assert_streq(f->s.edit.text, "em 4");
	fix_key(f, UI_K_END);
	type("7");
	assert_streq(f->s.edit.text, "em 47");
	fix_key(f, UI_K_ESC);
	fix_key(f, '/');
	type("new");
	assert_streq(f->s.edit.text, "new");
	fix_key(f, UI_K_ESC);
	fix_key(f, '/');
	fix_key(f, UI_K_BACKSPACE);
	assert_streq(f->s.edit.text, "");
	fix_key(f, UI_K_ESC);
	fix_key(f, '&');
	fix_key(f, UI_K_ENTER);
	assert_streq(f->s.log.filter.text, "em 4");
	fix_compose(f, 80, 24);
	assert_row(f, 23, " n Next  N Previous  / Edit  & Filter  Esc Clear");
	/* A bad expression leaves what there was. */
	fix_key(f, '&');
	type("~[");
	fix_key(f, UI_K_ENTER);
	assert_non_null(strstr(f->s.msg.text, "bad expression"));
	assert_streq(f->s.log.filter.text, "em 4");
}

/* Another core: the log begins anew, what was said here stays. */
static void
test_other_core(void **state)
{
	(void)state;
	items(1, 50, "old");
	fix_compose(f, 80, 24);
	fix_key(f, 'k');
	fix_key(f, 'Z');
	fix_compose(f, 80, 24);
	view_log_restart(f->log);
	items(1, 2, "new");
	fix_compose(f, 80, 24);
	assert_true(f->s.log.follow);
	assert_row(f, 7, "12:04:31 c  new 1");
	fix_key(f, '2');
	fix_compose(f, 80, 24);
	assert_row(f, 7, "12:04:31 m  screen: unknown key; ? shows all");
}

static void
test_hits_are_marked(void **state)
{
	(void)state;
	put(1, SOURCE_CHILD, ' ', NULL, "one needle and a needle");
	put(2, SOURCE_CHILD, ' ', NULL, "none");
	put(3, SOURCE_CHILD, ' ', NULL, "the NEEDLE");
	fix_compose(f, 80, 24);
	type("/needle");
	fix_key(f, UI_K_ENTER);
	fix_compose(f, 80, 24);
	for (int col = 12; col < 40; col++) {
		enum ui_role first = (enum ui_role)f->g.cells[7 * f->g.cols + col].role;
		enum ui_role third = (enum ui_role)f->g.cells[9 * f->g.cols + col].role;
		bool in = (col >= 16 && col < 22) || (col >= 29 && col < 35);

		assert_int_equal(first, in ? ROLE_TITLE : ROLE_TEXT);
		assert_int_equal(third, col >= 16 && col < 22 ? ROLE_SELECT : ROLE_TEXT);
	}
	assert_int_equal(f->g.cells[9 * f->g.cols + 8].s[0], '>');
}

static void
test_pattern_limits(void **state)
{
	struct ui_pattern p = {.text = ""};
	char *line = malloc(70001);
	struct err e;
	size_t at;

	(void)state;
	assert_int_equal(ui_pattern_set(&p, "~(a)\\1", &e), -1);
	assert_int_equal(ui_pattern_set(&p, "~a{2000}", &e), -1);
	assert_int_equal(ui_pattern_set(&p, "~(a{100}){100}", &e), -1);
	assert_int_equal(ui_pattern_set(&p, "~a{3}", &e), 0);
	assert_true(ui_pattern_match(&p, "xaaay", 5));
	assert_int_equal(ui_pattern_find(&p, "xaaay", 0, &at), 3);
	assert_int_equal(at, 1);
	assert_int_equal(ui_pattern_find(&p, "xaaay", 2, &at), 0);
	/* Smart case for both kinds. */
	assert_int_equal(ui_pattern_set(&p, "~err(or)?", &e), 0);
	assert_true(ui_pattern_match(&p, "ERROR", 5));
	assert_int_equal(ui_pattern_set(&p, "~Err", &e), 0);
	assert_false(ui_pattern_match(&p, "ERROR", 5));
	/* Literal text is found however far along it is. */
	memset(line, 'x', 70000);
	memcpy(line + 69990, "needle", 6);
	line[70000] = '\0';
	assert_int_equal(ui_pattern_set(&p, "NEEDLE", &e), 0);
	assert_false(ui_pattern_match(&p, line, 70000));
	assert_int_equal(ui_pattern_set(&p, "needle", &e), 0);
	assert_true(ui_pattern_match(&p, line, 70000));
	ui_pattern_clear(&p);
	free(line);
}

static int
role_at(int row, int col)
{
	return f->g.cells[row * f->g.cols + col].role;
}

/* Colours of an engine stand where its text does: behind a tag, scrolled sideways, wrapped; a search hit is on top. */
static void
test_log_colors(void **state)
{
	static const char answer[] = "{\"next\":2,\"lines\":[[1,0,\"child\",\" \",\"ok red \\u65e5 and more of it than fits into a row "
	    "of the pane, so that it is wrapped: green to the end\",\"m\",[3,1,6,-1,83,10]]]}";
	uint64_t next;
	int row;

	(void)state;
	assert_int_equal(view_log_apply(f->log, answer, sizeof(answer) - 1, 0, &next, NULL), 1);
	fix_compose(f, 80, 24);
	row = f->s.lay.log_row;
	assert_row(f, row, "00:00:00 c  ok red 日 and more of it than fits into a row of the pane, so that …");
	assert_int_equal(role_at(row, 14), ROLE_TEXT);
	assert_int_equal(role_at(row, 15), ROLE_BAD);
	assert_int_equal(role_at(row, 17), ROLE_BAD);
	assert_int_equal(role_at(row, 18), ROLE_TEXT);
	fix_key(f, 'w');
	fix_compose(f, 80, 24);
	assert_row(f, row + 1, "            t is wrapped: green to the end");
	assert_int_equal(role_at(row, 15), ROLE_BAD);
	assert_int_equal(role_at(row + 1, 25), ROLE_TEXT);
	assert_int_equal(role_at(row + 1, 26), ROLE_OK);
	assert_int_equal(role_at(row + 1, 41), ROLE_OK);
	assert_int_equal(role_at(row + 1, 42), ROLE_TEXT);
	fix_key(f, 'w');
	fix_key(f, 'l');
	fix_compose(f, 80, 24);
	assert_row(f, row, "00:00:00 c  a row of the pane, so that it is wrapped: green to the end");
	assert_int_equal(role_at(row, 53), ROLE_TEXT);
	assert_int_equal(role_at(row, 54), ROLE_OK);
	fix_key(f, 1);
	fix_key(f, '/');
	type("red");
	fix_key(f, UI_K_ENTER);
	fix_compose(f, 80, 24);
	assert_int_equal(role_at(row, 15), ROLE_SELECT);
}

/* What does not fit is no colour. */
static void
test_bad_colors(void **state)
{
	static const char answer[] = "{\"next\":6,\"lines\":["
	    "[1,0,\"child\",\" \",\"abc\",\"m\",[9,1]],[2,0,\"child\",\" \",\"abc\",\"m\",[1,99,0,1]],"
	    "[3,0,\"child\",\" \",\"abc\",\"m\",\"red\"],[4,0,\"child\",\" \",\"abc\",\"m\",[-1,1]],"
	    "[5,0,\"child\",\" \",\"abc\",\"m\",[0,1,2]]]}";
	uint64_t next;

	(void)state;
	assert_int_equal(view_log_apply(f->log, answer, sizeof(answer) - 1, 0, &next, NULL), 5);
	assert_int_equal(view_log_at(f->log, 0)->ncolors, 0);
	assert_int_equal(view_log_at(f->log, 1)->ncolors, 1);
	assert_int_equal(view_log_at(f->log, 1)->colors[0].color, TEXT_COLOR_NONE);
	assert_int_equal(view_log_at(f->log, 2)->ncolors, 0);
	assert_int_equal(view_log_at(f->log, 3)->ncolors, 0);
	assert_int_equal(view_log_at(f->log, 4)->ncolors, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_slices, setup, teardown),
		cmocka_unit_test_setup_teardown(test_search_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_older_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sources, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_on_narrow_screens, setup, teardown),
		cmocka_unit_test_setup_teardown(test_empty_pane, setup, teardown),
		cmocka_unit_test_setup_teardown(test_put_away, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answers_are_of_the_last, setup, teardown),
		cmocka_unit_test_setup_teardown(test_marks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_history, setup, teardown),
		cmocka_unit_test_setup_teardown(test_offered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trickle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_core, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hits_are_marked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_log_colors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_colors, setup, teardown),
		cmocka_unit_test(test_pattern_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
