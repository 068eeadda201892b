/* SPDX-License-Identifier: ISC
 * Every screen of the dashboard against the text it should be. */
#include "ui_fixture.h"

static struct fix fx;
static struct fix *const f = &fx;

static void
running(struct fix *x)
{
	fix_running(x);
	fix_busy_requests(x);
	fix_busy_log(x);
}

static void
starting(struct fix *x)
{
	struct view_engine *e = fix_state(x, QWEN, ENGINE_STARTING);

	e->pid = 91532;
	e->spawned_at = e->since;
	e->usual_ms = S(42);
	e->quiet_since = NOW - S(4);
	e->queued = 1;
	e->live = xstrdup("loading shards 3/5");
	x->v.queued = 1;
	x->v.rss = (uint64_t)(11.2 * GIB);
	x->v.cpu_permille = 970;
	x->v.hist.n = 11;
	for (int i = 0; i < 11; i++)
		x->v.hist.rss[i] = (float)(i + 1) * 1024;
	fix_line(x, 12, 4, 0, "m ", "starting " QWEN " (quiet limit 30 s)");
	fix_line(x, 12, 4, 1, "c ", "INFO  Fetching 12 files: 100%  12/12");
	fix_line(x, 12, 4, 2, "c ", "INFO  loading weights from ~/.cache/huggingface/hub/...");
}

static void
swapping(struct fix *x)
{
	running(x);
	x->v.engines[0].state = ENGINE_DRAINING;
	x->v.engines[0].kill_at = NOW + S(12);
	x->v.swap_from = xstrdup(QWEN);
	x->v.swap_to = xstrdup(GEMMA);
	x->v.swap_step = 1;
	x->v.swap_since = NOW - S(4);
	x->v.swap_who = xstrdup("attach#2 (alice, ttys003)");
}

static void
backoff(struct fix *x)
{
	struct view_engine *e = fix_state(x, QWEN, ENGINE_BACKOFF);

	e->attempt = 2;
	e->retry_at = NOW + 3400;
	e->retry_total = S(8);
	e->last_exit = xstrdup("SIGKILL after 12s");
	e->cause = xstrdup("libc++abi: terminating due to uncaught exception");
	e->queued = 1;
	x->v.queued = 1;
	fix_line(x, 12, 4, 7, "cE", "libc++abi: terminating due to uncaught exception");
	fix_line(x, 12, 4, 7, "mE", "child 91610 killed by signal 9 (SIGKILL) after 12 s");
	fix_line(x, 12, 4, 7, "mW", "restart 2/3 in 8.0 s");
}

static void
failed(struct fix *x)
{
	struct view_engine *e = fix_state(x, LLAMA, ENGINE_FAILED);

	e->attempt = 3;
	e->reason = REASON_CRASH;
	e->failed_wall = wall_at(12, 4, 7);
	e->last_exit = xstrdup("exit status 1 after 9.1s");
	e->cause = xstrdup("RuntimeError: [metal::malloc] attempting to allocate 68.2 GB");
	fix_line(x, 12, 3, 58, "m ", "starting " LLAMA " (attempt 3/3)");
	fix_line(x, 12, 3, 59, "c ", "INFO  loading weights from ~/.cache/huggingface/hub/...");
	fix_line(x, 12, 4, 7, "cE", "Traceback (most recent call last):");
	fix_line(x, 12, 4, 7, "cE", "  File \".../mlx_lm/server.py\", line 812, in load");
	fix_line(x, 12, 4, 7, "cE", "RuntimeError: [metal::malloc] attempting to allocate 68.2 GB");
	fix_line(x, 12, 4, 7, "mE", "child 91610 exited: status 1 after 9.1 s (attempt 3/3)");
	fix_line(x, 12, 4, 7, "mE", "gave up on " LLAMA ": 4 failed starts in 31 s");
}

static void
stopped(struct fix *x)
{
	struct view_engine *e = fix_state(x, QWEN, ENGINE_STOPPED);

	e->since = NOW - S(3 * 60 + 21);
	e->reason = REASON_USER;
	e->stopped_by = xstrdup("local");
	fix_busy_log(x);
}

static void
link_down(struct fix *x)
{
	running(x);
	x->link = (struct ui_link_state){.link = UI_LINK_DOWN, .text = "supervisor closed the socket", .tries = 4,
	    .since = NOW, .retry_at = NOW + S(14) + 2000, .where = "mai/default.sock"};
	x->s.foreground = false;
	x->now = NOW + S(14);
	clock_fake(x->now, WALL + S(14));
}

static void
picker(struct fix *x)
{
	struct view_engine *e;

	running(x);
	fix_compose(x, 80, 24);
	x->v.engines[0].memory = (uint64_t)(16.0 * GIB);
	e = fix_engine(x, "Qwen3-4B-Instruct-2507-4bit", "mlx_lm.server", "mlx");
	e->memory = (uint64_t)(2.1 * GIB);
	e->last_used_wall = WALL - S(2 * 86400 + 500);
	e = fix_engine(x, "qwen2.5-coder-7b-q8_0.gguf", "llama-server", "llama");
	e->memory = (uint64_t)(7.6 * GIB);
	e->discovered = true;
	fix_key(x, 'm');
	for (const char *c = "qwen"; *c != '\0'; c++)
		fix_key(x, *c);
	fix_key(x, UI_K_DOWN);
}

static void
confirm_stop(struct fix *x)
{
	running(x);
	fix_compose(x, 80, 24);
	fix_key(x, 'x');
}

static void
quit(struct fix *x)
{
	running(x);
	fix_compose(x, 80, 24);
	fix_key(x, 'q');
}

static void
help(struct fix *x)
{
	running(x);
	fix_compose(x, 80, 24);
	fix_key(x, '?');
}

static void
focused(struct fix *x)
{
	running(x);
	fix_compose(x, 80, 24);
	fix_key(x, '\t');
}

static void
idle(struct fix *x)
{
	fix_running(x);
	x->v.tps = 0;
	fix_busy_log(x);
}


static void
narrow_log(struct fix *x)
{
	running(x);
	fix_compose(x, 80, 24);
	fix_key(x, '1');
	fix_key(x, 'k');
	fix_line(x, 12, 4, 31, "c ", "INFO  one more");
}

static void
filtered(struct fix *x)
{
	running(x);
	fix_compose(x, 80, 24);
	fix_key(x, '&');
	for (const char *c = "!/v1/models"; *c != '\0'; c++)
		fix_key(x, *c);
	fix_key(x, UI_K_ENTER);
}

static void
filter_prompt(struct fix *x)
{
	running(x);
	fix_compose(x, 80, 24);
	fix_key(x, '&');
	for (const char *c = "!/v1/models"; *c != '\0'; c++)
		fix_key(x, *c);
}

static void
searched(struct fix *x)
{
	running(x);
	fix_compose(x, 80, 24);
	fix_key(x, '/');
	for (const char *c = "models"; *c != '\0'; c++)
		fix_key(x, *c);
	fix_key(x, UI_K_ENTER);
}

static void
starting_unknown(struct fix *x)
{
	starting(x);
	x->v.engines[0].usual_ms = 0;
	x->v.engines[0].attempt = 1;
}

static void
starting_progress(struct fix *x)
{
	starting(x);
	x->v.engines[0].progress = 500;
}

static void
exec_failed(struct fix *x)
{
	struct view_engine *e = fix_state(x, QWEN, ENGINE_FAILED);

	e->reason = REASON_EXEC_FAILED;
	e->cause = xstrdup("llama-server: No such file or directory");
}

static void
nothing(struct fix *x)
{
	(void)x;
}

static void
connecting(struct fix *x)
{
	view_fini(&x->v);
	view_init(&x->v);
	x->v.tps = -1;
	x->link.link = UI_LINK_CONNECTING;
}

static void
force(struct fix *x)
{
	confirm_stop(x);
	fix_key(x, UI_K_ESC);
	fix_key(x, 'R');
}

static void
cancel(struct fix *x)
{
	focused(x);
	fix_key(x, 'j');
	fix_key(x, 'K');
}

static void
type(struct fix *x, const char *text)
{
	for (; *text != '\0'; text++)
		fix_key(x, *text);
}

static void
palette(struct fix *x)
{
	running(x);
	fix_compose(x, 80, 24);
	fix_key(x, ':');
	type(x, "st");
}

static void
palette_swap(struct fix *x)
{
	running(x);
	fix_compose(x, 80, 24);
	fix_key(x, ':');
	type(x, "swap gem");
}

static void
info(struct fix *x)
{
	running(x);
	fix_compose(x, 80, 24);
	fix_key(x, 'i');
	x->s.popup.text = xstrdup("engine\tmlx_lm.server\n"
	    "command\tpython3 -m mlx_lm.server --model mlx-community/Qwen3-Coder-30B-A3B-Instruct-4bit --host 127.0.0.1 "
	    "--port 51723 --max-tokens 32768 --log-level INFO\n"
	    "environment\tHF_TOKEN=***\n\tPYTHONUNBUFFERED=1\nconfigured\t/etc/mai/mai.yaml:12:5\n"
	    "listens on\t127.0.0.1:8081\nengine port\t51723\npid\t91532\ncheck\t/v1/models\nstate\tready\n"
	    "load\tlast 41.2s, usually 42.0s\npeak memory\t18.2G\nstarts\t3, 1 crashed\n"
	    "exits\t2h14m ago: SIGKILL, not by us (possible OOM) after 12.0s\n\t1d03h ago: exit status 0 after 3h02m\n");
}

static void
details(struct fix *x)
{
	focused(x);
	x->v.requests[0].bytes_in = 41203;
	x->v.requests[0].bytes_out = 183022;
	x->v.requests[0].stream = true;
	x->v.requests[0].first_byte_at = NOW - S(28);
	fix_key(x, UI_K_ENTER);
	x->s.popup.text = xstrdup("headers\tAuthorization: ***\n\tUser-Agent: openai-python/1.99\n");
}

static void
several(struct fix *x)
{
	struct view_engine *e;

	running(x);
	x->v.engines[0].tps = 41.8;
	x->v.engines[0].rss = x->v.rss;
	e = fix_engine(x, "bge-m3-Q8_0.gguf", "llama-server", "llama");
	e->state = ENGINE_BACKOFF;
	e->port = 51730;
	e->attempt = 2;
	e->retry_at = NOW + 3400;
	e->last_exit = xstrdup("SIGKILL after 12s");
	view_log_put(x->log, 90, wall_at(12, 4, 31), SOURCE_CHILD, 'E', "bge-m3-Q8_0.gguf", "ggml: out of memory", 19);
	view_log_put(x->log, 91, wall_at(12, 4, 31), SOURCE_CHILD, ' ', QWEN, "slot 2 released", 15);
	e = fix_engine(x, "whisper-large-v3", "whisper-server", "whisper");
	e->state = ENGINE_STARTING;
	e->port = 51731;
	e->since = NOW - S(12);
	e->progress = 420;
	e->tps = -1;
}

static void
several_chosen(struct fix *x)
{
	several(x);
	fix_compose(x, 80, 24);
	fix_key(x, '\t');
	fix_key(x, 'j');
}

static void
marked(struct fix *x)
{
	running(x);
	fix_compose(x, 80, 24);
	fix_key(x, UI_K_ENTER);
	view_log_note(x->log, WALL, SOURCE_CHILD, UI_LOG_GAP, "-- 91,204 lines of a flood left out --");
	fix_line(x, 12, 4, 31, "c ", "--- run 7, SIGABRT ---");
	fix_key(x, 't');
	x->now += 5000;
}

static void
zoomed(struct fix *x)
{
	running(x);
	fix_compose(x, 80, 24);
	fix_key(x, 'z');
}

static void
zoomed_requests(struct fix *x)
{
	focused(x);
	fix_key(x, 'z');
	fix_key(x, 'o');
	x->now += 5000;
}

static void
saving(struct fix *x)
{
	running(x);
	fix_compose(x, 80, 24);
	fix_key(x, 'S');
}

static void
replacing(struct fix *x)
{
	running(x);
	fix_compose(x, 80, 24);
	ui_popup_open(&x->s, POPUP_REPLACE, "mai-20260727-120431.log", 0, x->now);
}

static void
help_find(struct fix *x)
{
	help(x);
	fix_key(x, '/');
	type(x, "error");
}

static void
looking(struct fix *x)
{
	searched(x);
	x->link.older = true;
	fix_key(x, 'N');
	fix_key(x, 'N');
	fix_key(x, 'N');
}

static void
read_only(struct fix *x)
{
	running(x);
	x->s.read_only = true;
	x->s.foreground = false;
}

static const struct {
	const char *name;
	void (*make)(struct fix *);
} screens[] = {
	{"running", running}, {"running, requests focused", focused}, {"idle", idle}, {"starting", starting},
	{"starting, first time", starting_unknown}, {"starting, progress known", starting_progress},
	{"swapping", swapping}, {"backoff", backoff}, {"failed", failed}, {"failed at once", exec_failed},
	{"stopped", stopped}, {"no model", nothing}, {"connecting", connecting}, {"picker", picker},
	{"confirm stop", confirm_stop}, {"force restart", force}, {"cancel request", cancel}, {"quit", quit},
	{"help", help}, {"help, finding", help_find}, {"log of one source, paused", narrow_log}, {"log filter", filtered},
	{"log filter prompt", filter_prompt}, {"log search", searched}, {"log search, older lines to come", looking},
	{"log with marks", marked}, {"attach, link down", link_down}, {"several models", several},
	{"several models, one chosen", several_chosen}, {"commands", palette}, {"commands, swap", palette_swap},
	{"info", info}, {"request", details}, {"log zoomed", zoomed}, {"requests zoomed", zoomed_requests},
	{"save", saving}, {"save over", replacing}, {"read-only", read_only},
};
#define FULL 4	/* of the sizes: every screen; of the others only states */
static const int sizes[][2] = {{120, 36}, {80, 24}, {40, 12}, {30, 6}, {60, 16}, {64, 20}, {20, 3}, {1, 1}};

static void
put_rows(struct strbuf *out, bool ascii)
{
	char t[4096];

	for (int r = 0; r < f->g.rows; r++) {
		grid_row_text(&f->g, r, t, sizeof(t));
		for (const char *c = t; ascii && *c != '\0'; c++)
			assert_true((unsigned char)*c < 0x80);
		strbuf_printf(out, "%s\n", t);
	}
}

/* Every frame as text, in the form of the file that it is compared with. */
static void
frame(struct strbuf *out, size_t screen, int cols, int rows, bool ascii)
{
	fix_init(f);
	f->s.ascii = ascii;
	f->s.g = ui_glyphs(ascii);
	screens[screen].make(f);
	fix_compose(f, cols, rows);
	strbuf_printf(out, "== %s %dx%d%s\n", screens[screen].name, cols, rows, ascii ? " ascii" : "");
	put_rows(out, ascii);
	fix_fini(f);
}

static bool
wanted(size_t screen, size_t size, bool ascii)
{
	return size < FULL || (!ascii && (screen < 10 || (screen == 13 && size == FULL)));
}

static char *
read_file(const char *path)
{
	struct strbuf b = STRBUF_INIT;
	FILE *in = fopen(path, "r");
	char t[4096];
	size_t n;

	assert_non_null(in);
	while ((n = fread(t, 1, sizeof(t), in)) > 0)
		strbuf_add(&b, t, n);
	fclose(in);
	return strbuf_take(&b);
}

/* UPDATE=1 writes the file anew, to be read by a person before it is kept. */
static void
test_screens(void **state)
{
	struct strbuf got = STRBUF_INIT;
	bool update = getenv("UPDATE") != NULL;
	const char *heading = "";
	char *file, *want, *save = NULL;

	(void)state;
	for (size_t size = 0; size < ARRAY_LEN(sizes); size++)
		for (int ascii = 0; ascii < 2; ascii++)
			for (size_t i = 0; i < ARRAY_LEN(screens); i++)
				if (wanted(i, size, ascii))
					frame(&got, i, sizes[size][0], sizes[size][1], ascii);
	if (update) {
		FILE *o = fopen(UI_SCREENS, "w");

		assert_non_null(o);
		fputs(strbuf_str(&got), o);
		fclose(o);
	}
	file = read_file(UI_SCREENS);
	want = file;
	for (char *line = got.p; line != NULL; line = save) {
		char *end = strchr(want, '\n');

		save = strchr(line, '\n');
		if (save != NULL)
			*save++ = '\0';
		if (end != NULL)
			*end = '\0';
		if (strncmp(line, "== ", 3) == 0)
			heading = line;
		if (strcmp(line, want) != 0)
			print_message("%s\n", heading);
		assert_streq(line, want);
		if (end == NULL)
			break;
		want = end + 1;
	}
	assert_streq(want, "");
	free(file);
	strbuf_fini(&got);
}

/* No size crashes, no frame has a character outside of the grid, and coming back shows the same. */
static void
test_any_size(void **state)
{
	struct strbuf before = STRBUF_INIT, after = STRBUF_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(screens); i++) {
		fix_init(f);
		screens[i].make(f);
		fix_compose(f, 80, 24);
		put_rows(&before, false);
		for (int rows = 1; rows < 40; rows += 1)
			for (int cols = 1; cols < 130; cols += 7)
				fix_compose(f, cols, rows);
		fix_compose(f, 1, 1);
		fix_compose(f, 80, 24);
		put_rows(&after, false);
		fix_fini(f);
		assert_streq(strbuf_str(&before), strbuf_str(&after));
		strbuf_clear(&before);
		strbuf_clear(&after);
	}
	strbuf_fini(&before);
	strbuf_fini(&after);
}

static void
assert_cell(int row, int col, const char *glyph)
{
	const struct cell *c = &f->g.cells[row * f->g.cols + col];

	assert_true(c->n == strlen(glyph) && memcmp(c->s, glyph, c->n) == 0);
}

/* Whatever is said meanwhile: the frame of a popup is whole at any size. */
static void
test_boxes_are_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(screens); i++) {
		fix_init(f);
		screens[i].make(f);
		ui_say(&f->s, UI_MSG_ERROR, f->now, "swapped in 0.0s");
		for (int rows = 3; rows < 40 && f->s.popup.kind != POPUP_NONE; rows++)
			for (int cols = 8; cols < 130; cols += 9) {
				const struct ui_box *b = &f->s.box;

				fix_compose(f, cols, rows);
				assert_in_range(b->height, 2, rows);
				for (int r = b->row + 1; r < b->row + b->height - 1; r++) {
					assert_cell(r, b->col, f->s.g->v);
					assert_cell(r, b->col + b->width - 1, f->s.g->v);
				}
				assert_cell(b->row + b->height - 1, b->col, f->s.g->bl);
				assert_cell(b->row + b->height - 1, b->col + b->width - 1, f->s.g->br);
			}
		fix_fini(f);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_screens),
		cmocka_unit_test(test_boxes_are_whole),
		cmocka_unit_test(test_any_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
