/* SPDX-License-Identifier: ISC
 * What keys do on each screen: which intents come out, which popups open, and that nothing happens by accident. */
#include "ui_fixture.h"

#include "base/text.h"

static struct fix fx;
static struct fix *const f = &fx;

static int
setup(void **state)
{
	(void)state;
	fix_init(f);
	fix_running(f);
	fix_compose(f, 80, 24);
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
be(enum engine_state s)
{
	f->v.engines[0].state = s;
	fix_compose(f, 80, 24);
}

static void
assert_intent(int key, enum ui_intent_kind kind, const char *model)
{
	fix_key(f, key);
	assert_int_equal(f->intent.kind, kind);
	if (model != NULL)
		assert_streq(f->intent.model, model);
}

static void
type(const char *text)
{
	for (; *text != '\0'; text++)
		fix_key(f, *text);
}

static void
later(uint64_t ms)
{
	f->now += ms;
	clock_fake(f->now, WALL + (f->now - NOW));
}

static void
test_stop_asks(void **state)
{
	(void)state;
	assert_intent('x', UI_NONE, NULL);
	assert_int_equal(f->s.popup.kind, POPUP_STOP);
	assert_intent('y', UI_NONE, NULL);	/* typed ahead: not armed yet */
	assert_int_equal(f->s.popup.kind, POPUP_STOP);
	later(UI_ARM_MS);
	assert_intent(UI_K_ENTER, UI_NONE, NULL);	/* Enter is Cancel */
	assert_int_equal(f->s.popup.kind, POPUP_NONE);
	fix_key(f, 'x');
	later(UI_ARM_MS);
	assert_intent('y', UI_STOP, QWEN);
	assert_streq(f->s.msg.text, "stop: sent");
	be(ENGINE_STARTING);
	assert_intent('x', UI_STOP, QWEN);	/* nothing is lost: no question */
	be(ENGINE_BACKOFF);
	assert_intent('x', UI_STOP, QWEN);
	be(ENGINE_STOPPED);
	assert_intent('x', UI_NONE, NULL);
	/* When the core ends anyway, it is its end that is hurried. */
	f->v.shutting_down = true;
	be(ENGINE_DRAINING);
	assert_intent('x', UI_KILL, NULL);
}

static void
test_restart(void **state)
{
	(void)state;
	assert_intent('r', UI_RESTART, QWEN);
	f->v.engines[0].in_flight = 2;
	assert_intent('r', UI_NONE, NULL);
	assert_int_equal(f->s.popup.kind, POPUP_RESTART);
	fix_key(f, UI_K_ESC);
	assert_int_equal(f->s.popup.kind, POPUP_NONE);
	be(ENGINE_BACKOFF);
	assert_intent('r', UI_RESTART, QWEN);
	be(ENGINE_FAILED);
	assert_intent('r', UI_RESTART, QWEN);
	assert_intent('s', UI_START, QWEN);
	assert_intent('R', UI_NONE, NULL);
	assert_int_equal(f->s.popup.kind, POPUP_FORCE);
	/* There is no process: none is said to be killed. */
	fix_compose(f, 80, 24);
	assert_true(fix_shows(f, "Start " QWEN " again?"));
	assert_true(fix_shows(f, "It is not running: there is nothing to kill."));
	fix_compose(f, 40, 12);
	assert_true(fix_shows(f, "not running: none to kill"));
	later(UI_ARM_MS);
	assert_intent('y', UI_FORCE_RESTART, QWEN);
}

static void
test_pending(void **state)
{
	(void)state;
	assert_intent('r', UI_RESTART, QWEN);
	ui_pend(&f->s, UI_RESTART, QWEN, 0, true, f->now);
	assert_intent('r', UI_NONE, NULL);
	assert_streq(f->s.msg.text, "restart: already under way");
	/* A core that says nothing is named, after a second. */
	fix_compose(f, 80, 24);
	assert_row(f, 22, " restart: already under way");
	later(1200);
	fix_compose(f, 80, 24);
	assert_row(f, 22, " restart: waiting for the supervisor, 1.2 s");
	later(8000);
	fix_compose(f, 80, 24);
	assert_row(f, 22, " restart: waiting for the supervisor, 9.2 s");
	f->v.seq++;
	fix_compose(f, 80, 24);
	assert_row(f, 22, "");
	/* While it drains a stop is its end. */
	be(ENGINE_DRAINING);
	assert_row(f, 23, " x Do not restart  f Follow  / Search  & Filter                  ? Help  q Quit");
	assert_intent('x', UI_STOP, QWEN);
	ui_pend(&f->s, UI_STOP, QWEN, 0, true, f->now);
	fix_compose(f, 80, 24);
	assert_true(fix_shows(f, " x Hurry "));
	ui_pend(&f->s, UI_STOP, QWEN, 0, false, f->now);
	be(ENGINE_READY);
	/* Another model's is another action, and so is another request's. */
	f->v.engines[1].state = ENGINE_READY;
	snprintf(f->s.model, sizeof(f->s.model), "%s", GEMMA);
	fix_compose(f, 80, 24);
	assert_intent('r', UI_RESTART, GEMMA);
	ui_pend(&f->s, UI_CANCEL, NULL, 7, true, f->now);
	assert_true(ui_pends(&f->s, UI_CANCEL, NULL, 7));
	assert_false(ui_pends(&f->s, UI_CANCEL, NULL, 8));
	ui_pend(&f->s, UI_RESTART, QWEN, 0, false, f->now);
	assert_true(ui_pends(&f->s, UI_CANCEL, NULL, 7));
	for (uint64_t i = 0; i < 100; i++)
		ui_pend(&f->s, UI_CANCEL, NULL, i, true, f->now);
	for (uint64_t i = 0; i < 100; i++)
		ui_pend(&f->s, UI_CANCEL, NULL, i, false, f->now);
	assert_int_equal(f->s.npending, 0);
}

/* Somebody else stopped it while the question was open: a yes would cut the requests that it gives time to. */
static void
test_stopped_by_another(void **state)
{
	(void)state;
	f->v.engines[0].in_flight = 2;
	fix_key(f, 'x');
	fix_compose(f, 80, 24);
	assert_true(fix_shows(f, "2 requests in flight will be given 30s to finish"));
	be(ENGINE_DRAINING);
	assert_int_equal(f->s.popup.kind, POPUP_NONE);
	assert_streq(f->s.msg.text, QWEN " is draining now");
	be(ENGINE_READY);
	fix_key(f, 'x');
	fix_compose(f, 80, 24);
	later(UI_ARM_MS);
	f->v.engines[0].state = ENGINE_DRAINING;	/* before the frame that shows it */
	assert_intent('y', UI_NONE, NULL);
	/* Nor is a key without a question one where the screen promises it. */
	f->s.msg.text[0] = '\0';
	assert_intent('x', UI_NONE, NULL);
	assert_streq(f->s.msg.text, QWEN " is draining now");
	f->v.swap_from = xstrdup(QWEN);
	f->v.swap_to = xstrdup(GEMMA);
	f->v.swap_step = 1;
	assert_intent('x', UI_NONE, NULL);
	assert_intent('R', UI_NONE, NULL);
	fix_compose(f, 80, 24);
	assert_intent('R', UI_STOP, QWEN);
	free(f->v.swap_from);
	free(f->v.swap_to);
	f->v.swap_from = f->v.swap_to = NULL;
	/* A restart drains on. */
	fix_compose(f, 80, 24);
	fix_key(f, 'r');
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.popup.kind, POPUP_RESTART);
}

/* What asks the core goes when the core does; what is sent then goes nowhere. */
static void
test_lost_meanwhile(void **state)
{
	static const int keys[] = {'x', 'R', 'q'};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		f->link.link = UI_LINK_UP;
		fix_compose(f, 80, 24);
		fix_key(f, keys[i]);
		assert_int_not_equal(f->s.popup.kind, POPUP_NONE);
		f->link.link = UI_LINK_DOWN;
		fix_compose(f, 80, 24);
		assert_int_equal(f->s.popup.kind, POPUP_NONE);
		assert_streq(f->s.msg.text, "not connected any more");
	}
	f->link.link = UI_LINK_UP;
	fix_compose(f, 80, 24);
	fix_key(f, 'm');
	fix_key(f, UI_K_DOWN);
	f->link.link = UI_LINK_DOWN;
	fix_compose(f, 80, 24);
	later(UI_ARM_MS);
	assert_intent(UI_K_ENTER, UI_NONE, NULL);
	assert_streq(f->s.msg.text, "not connected");
}

static void
test_swap(void **state)
{
	(void)state;
	fix_key(f, 'm');
	for (const char *c = "gemma"; *c != '\0'; c++)
		fix_key(f, *c);		/* text is taken at once */
	assert_intent(UI_K_ENTER, UI_NONE, NULL);
	assert_int_equal(f->s.popup.kind, POPUP_PICKER);
	later(UI_ARM_MS);
	assert_intent(UI_K_ENTER, UI_SWAP, GEMMA);
	fix_key(f, 'm');
	later(UI_ARM_MS);
	assert_intent(UI_K_ENTER, UI_NONE, NULL);
	assert_streq(f->s.msg.text, QWEN " is running already");
	/* During the swap x cancels it, R skips the drain. */
	f->v.swap_from = xstrdup(QWEN);
	f->v.swap_to = xstrdup(GEMMA);
	f->v.swap_step = 1;
	fix_compose(f, 80, 24);
	assert_row(f, 23, " x Cancel swap  R Force now  f Follow  / Search  & Filter        ? Help  q Quit");
	assert_intent('x', UI_STOP, GEMMA);
	assert_intent('R', UI_STOP, QWEN);
	/* A restart of the one that drains ends the swap: it asks as ever. */
	f->v.engines[0].in_flight = 2;
	assert_intent('r', UI_NONE, NULL);
	assert_int_equal(f->s.popup.kind, POPUP_RESTART);
	fix_key(f, UI_K_ESC);
	f->v.swap_step = 3;
	fix_compose(f, 80, 24);
	assert_row(f, 23, " x Cancel swap  f Follow  / Search  & Filter                     ? Help  q Quit");
}

static void
test_quit(void **state)
{
	(void)state;
	assert_intent('q', UI_NONE, NULL);
	assert_int_equal(f->s.popup.kind, POPUP_QUIT);
	assert_intent('s', UI_NONE, NULL);
	later(UI_ARM_MS);
	assert_intent('d', UI_DETACH, NULL);
	fix_key(f, 3);
	later(UI_ARM_MS);
	assert_intent(3, UI_QUIT_STOP, NULL);	/* ^C twice */
	assert_intent('q', UI_NONE, NULL);
	assert_intent(3, UI_KILL, NULL);
	f->s.quitting = false;
	f->s.foreground = false;
	assert_intent('q', UI_DETACH, NULL);
	f->s.foreground = true;
	f->link.link = UI_LINK_DOWN;
	fix_compose(f, 80, 24);
	assert_intent('q', UI_DETACH, NULL);
}

/* A model whose program is not there says so, and how to get it; without any model all that could run one do. */
static void
test_missing_program(void **state)
{
	struct view_engine *e = &f->v.engines[1];

	(void)state;
	e->missing = xstrdup("llama-server");
	e->install = xstrdup("brew install llama.cpp, or the llama.cpp package of the distribution");
	e->memory = (uint64_t)GIB;
	fix_key(f, 'm');
	fix_compose(f, 80, 24);
	assert_true(fix_shows(f, "never   no program"));
	assert_false(fix_shows(f, "to install it"));
	fix_key(f, UI_K_DOWN);
	fix_compose(f, 80, 24);
	assert_true(fix_shows(f, "│ llama-server is not in PATH; to install it:"));
	assert_true(fix_shows(f, "│ brew install llama.cpp, or the llama.cpp package of the distribution │"));
	assert_false(fix_shows(f, "needs ~"));
	free(e->install);
	free(e->missing);
	e->install = NULL;
	e->missing = xstrdup("/opt/engine");
	fix_compose(f, 40, 12);
	assert_true(fix_shows(f, "│ /opt/engine is not there"));
	fix_key(f, UI_K_ESC);
	view_fini(&f->v);
	f->v.version = xstrdup("0.3.0");
	f->v.missing = xstrdup("llama-server\tbrew install llama.cpp\nvllm\tpip install vllm\n");
	fix_key(f, 'm');
	fix_compose(f, 80, 24);
	assert_true(fix_shows(f, "not in PATH, and how to install it:"));
	assert_true(fix_shows(f, "│ llama-server   brew install llama.cpp "));
	assert_true(fix_shows(f, "│ vllm           pip install vllm "));
}

/* The key turns it about, the commands say which way; the mark stands wherever the model's name does. */
static void
test_pin(void **state)
{
	(void)state;
	fix_compose(f, 80, 24);
	assert_false(fix_shows(f, "◆"));
	assert_intent('p', UI_PIN, QWEN);
	f->v.engines[0].pinned = true;
	assert_intent('p', UI_UNPIN, QWEN);
	fix_compose(f, 80, 24);
	assert_row(f, 1, " ● RUNNING  " QWEN " ◆                     up 2h14m07s");
	fix_compose(f, 40, 12);
	assert_true(fix_shows(f, "● RUNNING Qwen3-Coder-…ruct-4bit ◆ 2h14m"));
	fix_key(f, 'm');
	fix_compose(f, 80, 24);
	assert_true(fix_shows(f, ">* Qwen3-Coder-30B-A…Instruct-4bit ◆ mlx"));
	fix_key(f, UI_K_ESC);
	fix_key(f, '?');
	fix_compose(f, 80, 24);
	assert_true(fix_shows(f, "◆ pinned: never gives way"));
	fix_key(f, UI_K_ESC);
	fix_key(f, ':');
	type("pin");
	later(UI_ARM_MS);
	assert_intent(UI_K_ENTER, UI_NONE, NULL);
	assert_streq(f->s.msg.text, QWEN " is pinned already");
	fix_key(f, ':');
	type("unpin");
	later(UI_ARM_MS);
	assert_intent(UI_K_ENTER, UI_UNPIN, QWEN);
	f->v.engines[1].state = ENGINE_READY;
	fix_compose(f, 80, 24);
	assert_row(f, 1, ">● RUNNING  Qwen3-Coder-30B…struct-4bit ◆ :51723 0/3  0.0 t/s       up 2h14m07s");
	fix_key(f, '\t');
	fix_key(f, 'j');
	assert_intent('p', UI_PIN, GEMMA);
	f->s.read_only = true;
	assert_intent('p', UI_NONE, NULL);
	assert_streq(f->s.msg.text, "read-only");
}

static void
ask(int key, int cols, int rows)
{
	fix_key(f, UI_K_ESC);
	fix_key(f, key);
	fix_compose(f, cols, rows);
}

/* With several models loaded a question counts those that it ends, and says what goes on. */
static void
test_counts_of_all(void **state)
{
	struct view_engine *e = &f->v.engines[1];

	(void)state;
	e->drain_limit = S(60);
	f->v.in_flight = 2;
	f->v.engines[0].in_flight = 2;
	ask('q', 80, 24);
	assert_true(fix_shows(f, "s  Stop the model and quit (2 in flight, 30s drain)"));
	e->state = ENGINE_READY;
	e->in_flight = 1;
	f->v.in_flight = 3;
	ask('q', 80, 24);
	assert_true(fix_shows(f, "The supervisor and its 2 models run in this terminal."));
	assert_true(fix_shows(f, "s  Stop 2 models and quit (3 in flight, 1m00s drain)"));
	ask('q', 40, 12);
	assert_true(fix_shows(f, "s Stop 2 models, 3 in flight"));
	ask('x', 80, 24);
	assert_true(fix_shows(f, "Stop " QWEN "?"));
	assert_true(fix_shows(f, "2 requests in flight will be given 30s to finish"));
	assert_true(fix_shows(f, "The other model goes on (1 in flight)."));
	ask('R', 80, 24);
	assert_true(fix_shows(f, "2 in flight are cut"));
	assert_true(fix_shows(f, "The other model goes on (1 in flight)."));
	ask('x', 40, 12);
	assert_true(fix_shows(f, "Stop Qwen3-Coder"));
	f->v.engines[0].state = e->state = ENGINE_FAILED;
	f->v.in_flight = 0;
	ask('q', 80, 24);
	assert_true(fix_shows(f, "s  Stop it and quit "));
}

static void
test_escape_never_quits(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		assert_intent(UI_K_ESC, UI_NONE, NULL);
}

/* One Esc each, innermost first. */
static void
test_escape_in_order(void **state)
{
	(void)state;
	f->v.engines[1].state = ENGINE_READY;
	for (int i = 0; i < 40; i++)
		fix_line(f, 12, 4, i, "c ", "item");
	fix_compose(f, 80, 24);
	fix_key(f, '\t');
	fix_key(f, 'j');		/* a model is chosen */
	fix_key(f, 'C');
	fix_line(f, 12, 4, 50, "c ", "item");
	fix_key(f, 'z');
	fix_key(f, '&');
	type("item");
	fix_key(f, UI_K_ENTER);
	fix_key(f, '/');
	type("item");
	fix_key(f, UI_K_ENTER);
	fix_compose(f, 80, 24);
	fix_key(f, '?');
	for (int n = 0; n < 8; n++) {
		bool left[] = {f->s.popup.kind != POPUP_NONE, f->s.log.search.text[0] != '\0', f->s.log.filter.text[0] != '\0',
		    f->s.zoom != ZOOM_NONE, f->s.log.since != 0, f->s.model[0] != '\0', f->s.focus != FOCUS_LOG};

		for (int i = 0; i < (int)ARRAY_LEN(left); i++)
			assert_int_equal(left[i], i >= n);
		assert_intent(UI_K_ESC, UI_NONE, NULL);
		fix_compose(f, 80, 24);
	}
}

/* However low the screen is, what Enter would do is seen. */
static void
test_low_boxes(void **state)
{
	(void)state;
	fix_key(f, 'm');
	fix_key(f, UI_K_DOWN);
	for (int rows = 3; rows < 14; rows++) {
		fix_compose(f, 20, rows);
		assert_true(fix_shows(f, ">  gemma-3-…-4bit│"));
		assert_int_equal(fix_shows(f, "Filter: "), rows > 3);
	}
	fix_key(f, UI_K_ESC);
	fix_key(f, ':');
	for (int rows = 3; rows < 14; rows++) {
		fix_compose(f, 20, rows);
		assert_true(fix_shows(f, "> models"));
	}
	fix_key(f, UI_K_ESC);
	fix_key(f, 'x');
	fix_compose(f, 40, 12);
	assert_true(fix_shows(f, "│ none in flight "));
	fix_key(f, UI_K_ESC);
	fix_key(f, 'i');
	fix_compose(f, 30, 12);
	assert_row(f, 4, "┌─ Model Qwen3-Coder-30B-A3B…┐");
}

static void
test_mouse_in_help(void **state)
{
	(void)state;
	fix_key(f, '?');
	fix_compose(f, 80, 24);
	assert_true(fix_shows(f, "mouse off: the terminal's own selection works; M turns it on"));
	fix_key(f, UI_K_ESC);
	fix_key(f, 'M');
	fix_key(f, '?');
	fix_compose(f, 80, 24);
	assert_true(fix_shows(f, "mouse on: Shift selects text; M turns it off"));
}

static void
test_link_down(void **state)
{
	(void)state;
	f->link = (struct ui_link_state){.link = UI_LINK_DOWN, .text = "closed", .since = NOW, .retry_at = NOW};
	fix_compose(f, 80, 24);
	assert_intent('x', UI_NONE, NULL);
	assert_streq(f->s.msg.text, "not connected");
	assert_intent('s', UI_NONE, NULL);
	assert_intent('r', UI_RETRY_LINK, NULL);
	f->link.gone = true;
	fix_compose(f, 80, 24);
	assert_intent('s', UI_START_CORE, NULL);
}

static void
test_read_only(void **state)
{
	static const int keys[] = {'m', 's', 'x', 'r', 'R', 'K'};

	(void)state;
	f->s.read_only = true;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		assert_intent(keys[i], UI_NONE, NULL);
		assert_int_equal(f->s.popup.kind, POPUP_NONE);
	}
	fix_key(f, 'f');
	fix_compose(f, 80, 24);
	assert_row(f, 23, " f Follow  / Search  & Filter  Tab Focus  : Commands  0-3 Source ? Help  q Quit");
}

static void
test_paste(void **state)
{
	(void)state;
	fix_key(f, UI_K_PASTE_BEGIN);
	assert_intent('r', UI_NONE, NULL);
	assert_intent('q', UI_NONE, NULL);
	fix_key(f, UI_K_PASTE_END);
	assert_streq(f->s.msg.text, "pasted text ignored");
	fix_key(f, 'm');
	fix_key(f, UI_K_PASTE_BEGIN);
	fix_key(f, 'a');
	fix_key(f, UI_K_ENTER);
	fix_key(f, 'b');
	fix_key(f, UI_K_PASTE_END);
	assert_streq(f->s.popup.edit.text, "ab");
	fix_key(f, UI_K_ESC);
	/* The end of one may get lost; Esc after a pause is a person's, one in the text is not. */
	fix_key(f, UI_K_PASTE_BEGIN);
	fix_key(f, 'x');
	fix_key(f, UI_K_ESC);
	assert_intent('r', UI_NONE, NULL);
	assert_true(f->s.pasting);
	later(1000);
	assert_intent('r', UI_NONE, NULL);
	assert_streq(f->s.msg.text, "in the middle of a paste; Esc ends it");
	later(1000);
	fix_key(f, UI_K_ESC);
	assert_false(f->s.pasting);
	assert_intent('r', UI_RESTART, QWEN);
}

static void
test_popup_closes(void **state)
{
	(void)state;
	fix_key(f, 'x');
	f->v.engines[0].state = ENGINE_BACKOFF;
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.popup.kind, POPUP_NONE);
	assert_streq(f->s.msg.text, QWEN " is backoff now");
}

static void
test_cancel(void **state)
{
	(void)state;
	fix_request(f, 7, "c:1", QWEN, REQ_GENERATING, 1, -1, -1, -1);
	fix_request(f, 8, "c:2", QWEN, REQ_GENERATING, 1, -1, -1, -1);
	fix_compose(f, 80, 24);
	assert_intent('K', UI_NONE, NULL);
	assert_int_equal(f->s.popup.kind, POPUP_NONE);
	fix_key(f, '\t');
	fix_key(f, 'j');
	fix_compose(f, 80, 24);
	fix_key(f, 'K');
	later(UI_ARM_MS);
	assert_intent('y', UI_CANCEL, NULL);
	assert_int_equal(f->intent.id, 8);
}

static void
test_messages_end(void **state)
{
	(void)state;
	fix_key(f, 'Z');
	fix_compose(f, 80, 24);
	assert_row(f, 22, " unknown key; ? shows all");
	assert_in_range(ui_tick(&f->s, &f->v, f->now), 1, 1001);
	later(4000);
	fix_compose(f, 80, 24);
	assert_row(f, 22, "");
	ui_say(&f->s, UI_MSG_WARN, f->now, "%s", "mind this");
	later(7999);
	fix_compose(f, 80, 24);
	assert_row(f, 22, " mind this");
	later(1);
	fix_compose(f, 80, 24);
	assert_row(f, 22, "");
	ui_say(&f->s, UI_MSG_ERROR, f->now, "%s", "it broke");
	later(60000);
	fix_compose(f, 80, 24);
	assert_row(f, 22, " it broke");
	fix_key(f, 'k');
	fix_compose(f, 80, 24);
	assert_row(f, 22, "");
}

/* How a run ended gives way where there is little room, but not what and when. */
static void
test_long_ends(void **state)
{
	struct view_engine *e = &f->v.engines[0];

	(void)state;
	e->last_exit = xstrdup("SIGKILL, not by us (possible OOM) after 17s");
	e->attempt = 3;
	e->retry_at = NOW + 3400;
	e->retry_total = 8000;
	be(ENGINE_BACKOFF);
	assert_row(f, 2, "  retry in 3.4s █████████░░░░░░░  last: SIGKILL after 17s           attempt 3/3");
	fix_compose(f, 120, 24);
	assert_true(fix_shows(f, "last: SIGKILL, not by us (possible OOM) after 17s"));
	fix_compose(f, 40, 12);
	assert_row(f, 1, "r retry now  exit: SIGKILL");
	f->s.read_only = true;
	fix_compose(f, 40, 12);
	assert_row(f, 1, "exit: SIGKILL");
	e->failed_wall = WALL;
	be(ENGINE_FAILED);
	assert_row(f, 2, "  gave up after 3/3 attempts: SIGKILL after 17s                 failed 12:04:31");
}

/* A failure rings once and shows its error; the next start follows again. */
static void
test_failure(void **state)
{
	(void)state;
	fix_line(f, 12, 4, 0, "m ", "starting " QWEN);
	fix_line(f, 12, 4, 1, "cE", "no memory");
	be(ENGINE_FAILED);
	assert_true(f->s.bell);
	assert_false(f->s.log.follow);
	f->s.bell = false;
	fix_compose(f, 80, 24);
	assert_false(f->s.bell);
	be(ENGINE_STARTING);
	assert_true(f->s.log.follow);
	/* The lines may come after the state; an old error is not it, and a key ends the waiting. */
	clock_fake(NOW + 2000, WALL + 2000);
	fix_line(f, 12, 4, 33, "m ", "one: stopped -> starting (user)");
	f->v.engines[0].spawned_at = 0;
	be(ENGINE_FAILED);
	assert_true(f->s.log.follow);
	fix_line(f, 12, 4, 34, "mE", "load one failed");
	fix_compose(f, 80, 24);
	assert_false(f->s.log.follow);
	assert_int_equal(view_log_at(f->log, 3)->key, f->s.log.cur);
	/* Who asks for the last error has it; only then the first one is next. */
	fix_key(f, 'e');
	assert_int_equal(view_log_at(f->log, 3)->key, f->s.log.cur);
	assert_streq(f->s.msg.text, "it failed with this; e goes to the next error, E to the one before");
	fix_key(f, 'e');
	assert_int_equal(view_log_at(f->log, 1)->key, f->s.log.cur);
	fix_key(f, 'G');
	be(ENGINE_STARTING);
	fix_line(f, 12, 4, 35, "m ", "one: failed -> starting (user)");
	be(ENGINE_FAILED);
	fix_key(f, 'w');
	fix_line(f, 12, 4, 36, "mE", "again");
	fix_compose(f, 80, 24);
	assert_true(f->s.log.follow);
}

static uint64_t
line_of(const char *model, const char *gutter, const char *text)
{
	static const char marks[] = "cma";
	size_t n = view_log_count(f->log);
	uint64_t seq = n > 0 ? view_log_at(f->log, n - 1)->seq + 1 : 1;

	view_log_put(f->log, seq, WALL, (enum log_source)(strchr(marks, gutter[0]) - marks), gutter[1], model, text, strlen(text));
	return VIEW_KEY(seq);
}

/* While a model is down e goes to what it died of: not to what its requests got meanwhile, not to another model's errors or
 * an earlier run's, from wherever the log stands and whichever source it shows. */
static void
test_last_error(void **state)
{
	uint64_t cause, inner, ready, dying;

	(void)state;
	line_of(QWEN, "m ", QWEN ": stopped -> starting (user)");
	line_of(QWEN, "cE", "an earlier run's");
	line_of(QWEN, "m ", QWEN ": backoff -> starting (crash)");
	line_of(GEMMA, "cE", "another model's");
	line_of(QWEN, "c ", "loading");
	cause = line_of(QWEN, "cE", "Traceback (most recent call last):");
	line_of(QWEN, "c ", "  File \"server.py\", line 812, in load");
	line_of(QWEN, "cE", "RuntimeError: out of memory");
	line_of(QWEN, "c ", "bye");
	inner = line_of(QWEN, "cE", "error: the end");
	line_of(GEMMA, "m ", GEMMA ": stopped -> starting (user)");
	be(ENGINE_FAILED);
	assert_int_equal(f->s.log.cur, cause);
	assert_true(fix_shows(f, "Log all, last error"));
	assert_true(fix_shows(f, "PAUSED at error 3 of 4"));
	fix_key(f, 'y');
	assert_streq(strbuf_str(&f->s.copy), "Traceback (most recent call last):\n  File \"server.py\", line 812, in load\n"
	    "RuntimeError: out of memory");
	for (int i = 0; i < 3; i++)
		line_of(QWEN, "aE", "127.0.0.1:1 POST /v1/chat/completions 503 0 ms");
	fix_key(f, 'e');
	assert_int_equal(f->s.log.cur, cause);
	fix_key(f, 'e');
	assert_int_equal(f->s.log.cur, inner);
	fix_key(f, 'G');
	fix_key(f, '3');
	fix_key(f, 'e');
	assert_int_equal(f->s.log.cur, cause);
	assert_int_equal(f->s.log.mask, UI_LOG_ALL);
	fix_key(f, 'k');
	fix_key(f, 'e');
	assert_int_equal(f->s.log.cur, cause);
	/* After it was ready the last one counts; reading goes on over the next start. */
	be(ENGINE_STARTING);
	fix_key(f, 'G');
	line_of(QWEN, "m ", QWEN ": failed -> starting (user)");
	line_of(QWEN, "cE", "error: a client went away");
	ready = line_of(QWEN, "m ", QWEN ": starting -> ready (user)");
	dying = line_of(QWEN, "cE", "GGML_ASSERT(x) failed");
	line_of(QWEN, "aE", "127.0.0.1:1 POST /v1/chat/completions 502 0 ms");
	assert_true(ready < dying);
	be(ENGINE_BACKOFF);
	assert_true(f->s.log.follow);
	fix_key(f, 'e');
	assert_int_equal(f->s.log.cur, dying);
	be(ENGINE_STARTING);
	assert_false(f->s.log.follow);
	/* An engine that said nothing: what mai said. */
	fix_key(f, 'G');
	line_of(QWEN, "m ", QWEN ": backoff -> starting (crash)");
	cause = line_of(QWEN, "mW", QWEN ": died after 2s: SIGKILL");
	line_of(QWEN, "aE", "127.0.0.1:1 POST /v1/chat/completions 503 0 ms");
	be(ENGINE_FAILED);
	assert_int_equal(f->s.log.cur, cause);
	assert_true(fix_shows(f, "PAUSED +3 new"));	/* that is no error */
	/* Who asks for it has it, and gets on from there; an earlier one is not what it died of. */
	fix_key(f, 'e');
	assert_int_equal(f->s.log.cur, cause);
	assert_streq(f->s.msg.text, "it failed with this; e goes to the next error, E to the one before");
	fix_key(f, 'e');
	assert_int_equal(f->s.log.cur, VIEW_KEY(view_log_at(f->log, view_log_count(f->log) - 1)->seq));
	fix_key(f, 'G');
	fix_key(f, 'e');
	assert_int_equal(f->s.log.cur, cause);
	fix_key(f, 'e');
	assert_int_not_equal(f->s.log.cur, cause);
	be(ENGINE_STARTING);
	fix_key(f, 'G');
	line_of(QWEN, "m ", QWEN ": failed -> starting (user)");
	cause = line_of(QWEN, "cE", "out of memory");
	be(ENGINE_FAILED);
	assert_true(fix_shows(f, "Log all, last error"));
	fix_key(f, 'E');
	fix_compose(f, 80, 24);
	assert_false(fix_shows(f, "last error "));
	f->s.msg.text[0] = '\0';
	fix_key(f, 'e');
	assert_int_equal(f->s.log.cur, cause);
	assert_streq(f->s.msg.text, "");
	/* Hidden lines are not said not to be there. */
	fix_key(f, 'G');
	fix_key(f, '&');
	type("nothing like it");
	fix_key(f, UI_K_ENTER);
	fix_compose(f, 80, 24);
	fix_key(f, 'e');
	assert_streq(f->s.msg.text, "no error among the lines that are shown");
}

/* Of a failure whose lines are not in the copy yet the older ones are asked for. */
static void
test_last_error_is_fetched(void **state)
{
	static const char older[] = "{\"first\":1,\"next\":3,\"dropped\":0,\"lines\":[[1,1,\"mai\",\" \",\"q: stopped -> starting\","
	    "\"" QWEN "\"],[2,2,\"child\",\"E\",\"out of memory\",\"" QWEN "\"]]}";
	bool gap = true;

	(void)state;
	for (uint64_t i = 3; i < 40; i++)
		view_log_put(f->log, i, WALL, SOURCE_ACCESS, 'E', QWEN, "POST / 503", 10);
	f->link.older = true;
	be(ENGINE_FAILED);
	assert_true(f->s.log.follow && f->s.log.wants_older);
	fix_key(f, 'e');
	fix_compose(f, 80, 24);
	assert_true(f->s.log.follow && f->s.log.wants_older);
	assert_int_equal(view_log_apply_older(f->log, older, strlen(older), &gap, NULL), 2);
	f->link.older = false;
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.log.cur, VIEW_KEY(2));
}

/* What a command does is what its key does, with the same question; what it takes is chosen behind it. */
static void
test_palette(void **state)
{
	(void)state;
	fix_key(f, ':');
	type("stop");
	fix_compose(f, 80, 24);
	assert_intent(UI_K_ENTER, UI_NONE, NULL);	/* not armed */
	assert_int_equal(f->s.popup.kind, POPUP_PALETTE);
	later(UI_ARM_MS);
	assert_intent(UI_K_ENTER, UI_NONE, NULL);
	assert_int_equal(f->s.popup.kind, POPUP_STOP);
	fix_key(f, UI_K_ESC);
	fix_key(f, ':');
	type("swap");
	later(UI_ARM_MS);
	fix_key(f, UI_K_ENTER);		/* it takes a name */
	assert_streq(f->s.popup.edit.text, "swap ");
	type("gem");
	assert_intent(UI_K_ENTER, UI_SWAP, GEMMA);
	fix_key(f, ':');
	type("swap Qwen");
	later(UI_ARM_MS);
	assert_intent(UI_K_ENTER, UI_NONE, NULL);
	assert_streq(f->s.msg.text, QWEN " is running already");
	fix_key(f, ':');
	type("set time ago");
	later(UI_ARM_MS);
	fix_key(f, UI_K_ENTER);
	assert_int_equal(f->s.log.stamp, UI_STAMP_AGO);
	fix_key(f, ':');
	type("save /tmp/x y");
	later(UI_ARM_MS);
	assert_intent(UI_K_ENTER, UI_SAVE, NULL);
	assert_streq(f->intent.path, "/tmp/x y");
	fix_key(f, ':');
	type("nonsense");
	later(UI_ARM_MS);
	assert_intent(UI_K_ENTER, UI_NONE, NULL);
	assert_int_equal(f->s.popup.kind, POPUP_PALETTE);
	/* A watcher is not offered what acts. */
	fix_key(f, UI_K_ESC);
	f->s.read_only = true;
	fix_key(f, ':');
	type("swap gem");
	later(UI_ARM_MS);
	assert_intent(UI_K_ENTER, UI_NONE, NULL);
}

/* A key is for what was seen: not for a state that the model has left since the last frame, nor for a model that has become
 * the current one under the finger. */
static void
test_under_the_finger(void **state)
{
	struct view_engine *a = &f->v.engines[0], *b = &f->v.engines[1];

	(void)state;
	be(ENGINE_STARTING);
	a->state = ENGINE_READY;
	assert_intent('x', UI_NONE, NULL);
	assert_int_equal(f->s.popup.kind, POPUP_STOP);
	fix_key(f, UI_K_ESC);
	be(ENGINE_BACKOFF);
	a->state = ENGINE_READY;
	a->in_flight = 1;
	assert_intent('r', UI_NONE, NULL);
	assert_int_equal(f->s.popup.kind, POPUP_RESTART);
	fix_key(f, UI_K_ESC);
	/* Another one comes to the fore: before the frame that shows it, and right behind it. */
	a->in_flight = 0;
	b->state = ENGINE_STARTING;
	be(ENGINE_READY);
	assert_int_equal(f->s.lay.models, 2);
	later(1000);
	assert_intent('r', UI_RESTART, QWEN);
	a->current = false;
	b->current = true;
	b->state = ENGINE_READY;
	b->since = f->now;
	a->state = ENGINE_BACKOFF;
	assert_intent('r', UI_NONE, NULL);
	assert_streq(f->s.msg.text, "keys are for " GEMMA " now; again, if it is meant");
	fix_compose(f, 80, 24);
	later(399);
	assert_intent('r', UI_NONE, NULL);
	later(1);
	assert_intent('r', UI_RESTART, GEMMA);
	/* What was chosen stays what it is. */
	fix_key(f, '\t');
	fix_key(f, 'k');
	assert_intent('r', UI_RESTART, QWEN);
}

/* A model that failed may leave the configuration before the frame that shows it. */
static void
test_gone_under_the_finger(void **state)
{
	size_t n = f->v.nengines;

	(void)state;
	line_of(QWEN, "m ", QWEN ": stopped -> starting (user)");
	line_of(QWEN, "cE", "out of memory");
	be(ENGINE_FAILED);
	fix_key(f, 'G');
	f->v.nengines = 0;
	for (const char *k = "eExrRsi"; *k != '\0'; k++)
		assert_intent(*k, UI_NONE, NULL);
	f->v.nengines = n;
}

/* Each command of the list can be run by its name, and none crashes or acts unasked. */
static void
test_every_command(void **state)
{
	(void)state;
	for (size_t i = 0; i < ui_nbindings; i++) {
		const char *c = ui_bindings[i].command;
		char name[64];

		if (c == NULL || strcspn(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(c))
			continue;
		snprintf(name, sizeof(name), "%s", c);
		fix_key(f, ':');
		type(name);
		later(UI_ARM_MS);
		fix_key(f, UI_K_ENTER);
		assert_int_not_equal(f->s.popup.kind, POPUP_PALETTE);
		assert_true(f->intent.kind != UI_STOP && f->intent.kind != UI_FORCE_RESTART && f->intent.kind != UI_QUIT_STOP &&
		    f->intent.kind != UI_CANCEL && f->intent.kind != UI_SWAP);
		fix_compose(f, 80, 24);
		for (int k = 0; k < 3; k++)
			fix_key(f, UI_K_ESC);
		fix_compose(f, 80, 24);
	}
}

static void
click(int row, int col, enum ui_mouse_what what)
{
	f->s.clicked = (struct ui_mouse){row, col, what};
	fix_key(f, UI_K_MOUSE);
}

static void
test_mouse(void **state)
{
	char row[512];

	(void)state;
	fix_request(f, 7, "c:1", QWEN, REQ_GENERATING, 1, -1, -1, -1);
	fix_request(f, 8, "c:2", QWEN, REQ_GENERATING, 1, -1, -1, -1);
	for (int i = 0; i < 40; i++)
		fix_line(f, 12, 0, i, "c ", "item");
	fix_compose(f, 80, 24);
	click(8, 10, MOUSE_CLICK);
	assert_int_equal(f->s.focus, FOCUS_REQUESTS);
	assert_int_equal(f->s.requests.key, 8);
	click(15, 10, MOUSE_UP);
	assert_false(f->s.log.follow);
	assert_int_equal(f->s.focus, FOCUS_REQUESTS);	/* the wheel takes no focus */
	fix_compose(f, 80, 24);
	click(15, 10, MOUSE_CLICK);
	assert_int_equal(f->s.focus, FOCUS_LOG);
	fix_compose(f, 80, 24);
	grid_row_text(&f->g, 15, row, sizeof(row));
	assert_int_equal(row[8], '>');
	grid_row_text(&f->g, 23, row, sizeof(row));
	click(23, (int)(strstr(row, "x Stop") - row) + 3, MOUSE_CLICK);
	assert_int_equal(f->s.popup.kind, POPUP_STOP);
	/* What lies below a popup takes no clicks. */
	fix_compose(f, 80, 24);
	click(23, 2, MOUSE_CLICK);
	assert_int_equal(f->s.popup.kind, POPUP_STOP);
	for (int r = 0; r < 24; r++) {
		const char *at;

		grid_row_text(&f->g, r, row, sizeof(row));
		at = strstr(row, "y  Stop");
		if (at == NULL)
			continue;
		*(char *)(uintptr_t)at = '\0';
		click(r, text_width(row), MOUSE_CLICK);
		assert_int_equal(f->intent.kind, UI_NONE);	/* a click is an answer, too: not armed */
		later(UI_ARM_MS);
		click(r, text_width(row), MOUSE_CLICK);
		assert_int_equal(f->intent.kind, UI_STOP);
		break;
	}
	fix_compose(f, 80, 24);
	fix_key(f, 'm');
	fix_compose(f, 80, 24);
	later(UI_ARM_MS);
	click(12, 20, MOUSE_CLICK);
	fix_compose(f, 80, 24);
	click(12, 20, MOUSE_CLICK);
	assert_true(f->intent.kind == UI_SWAP || f->s.popup.kind == POPUP_NONE);
}

/* A model that gave up has its row until it is put away, and again when it fails again; one that could not be tried has
 * none. */
static void
test_failed_rows(void **state)
{
	struct view_engine *e = &f->v.engines[1];

	(void)state;
	e->state = ENGINE_FAILED;
	e->reason = REASON_EXEC_FAILED;
	fix_compose(f, 120, 24);
	assert_int_equal(f->s.lay.models, 0);
	e->reason = REASON_CRASH;
	e->attempt = 3;
	e->failed_wall = 7;
	fix_compose(f, 120, 24);
	assert_int_equal(f->s.lay.models, 2);
	fix_key(f, '\t');
	fix_key(f, 'j');
	fix_compose(f, 120, 24);
	assert_int_equal(f->s.screen, SCREEN_FAILED);
	assert_true(fix_shows(f, "x Put away"));
	assert_intent('x', UI_NONE, NULL);
	fix_compose(f, 120, 24);
	assert_int_equal(f->s.lay.models, 0);
	assert_streq(f->s.msg.text, GEMMA " is put away; m starts it");
	e->failed_wall = 8;
	fix_compose(f, 120, 24);
	assert_int_equal(f->s.lay.models, 2);
	for (uint64_t i = 0; i < 100; i++) {
		e->failed_wall = i;
		ui_put_away(&f->s, e);
	}
	fix_compose(f, 120, 24);
	assert_int_equal(f->s.lay.models, 0);
}

/* With several loaded models the chosen one is what keys act on; alone, the current one. */
static void
test_several_models(void **state)
{
	(void)state;
	f->v.engines[1].state = ENGINE_READY;
	f->v.engines[1].since = NOW;
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.lay.models, 2);
	assert_intent('r', UI_RESTART, QWEN);
	fix_key(f, '\t');
	assert_int_equal(f->s.focus, FOCUS_MODELS);
	fix_key(f, 'j');
	fix_compose(f, 80, 24);
	assert_intent('r', UI_RESTART, GEMMA);
	assert_streq(f->s.log.model, GEMMA);
	f->v.engines[1].state = ENGINE_BACKOFF;
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.screen, SCREEN_BACKOFF);
	assert_intent('x', UI_STOP, GEMMA);
	fix_key(f, UI_K_ESC);
	fix_compose(f, 80, 24);
	assert_intent('r', UI_RESTART, QWEN);
	assert_streq(f->s.log.model, "");
	/* When the chosen one has no row any more, the panes are of the one that keys are for. */
	fix_engine(f, LLAMA, "mlx_lm.server", "mlx")->state = ENGINE_READY;
	fix_request(f, 7, "c:1", LLAMA, REQ_GENERATING, 1, -1, -1, -1);
	fix_compose(f, 80, 24);
	fix_key(f, 'j');
	fix_compose(f, 80, 24);
	assert_true(fix_shows(f, "Requests 0 of 1, " GEMMA));
	f->v.engines[1].state = ENGINE_STOPPED;
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.lay.models, 2);
	assert_true(fix_shows(f, "Requests 1 "));
	assert_streq(f->s.log.model, "");
	f->v.engines[1].state = ENGINE_READY;
	fix_compose(f, 80, 24);
	later(1000);
	assert_intent('r', UI_RESTART, QWEN);
	/* Where only one of them has room, its numbers are its own. */
	f->v.in_flight = 1;
	f->v.engines[2].in_flight = 1;
	f->v.engines[2].tps = 12;
	fix_compose(f, 30, 8);
	assert_row(f, 1, "idle  17.4G");
	snprintf(f->s.model, sizeof(f->s.model), "%s", LLAMA);
	fix_compose(f, 30, 8);
	assert_row(f, 1, "12.0 tok/s  1 req");
	f->s.model[0] = '\0';
	f->v.engines[1].state = f->v.engines[2].state = ENGINE_STOPPED;
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.lay.models, 0);
	assert_int_equal(f->s.focus, FOCUS_LOG);
	assert_intent('r', UI_RESTART, QWEN);
	/* A swap is one thing, though two models are in it. */
	f->v.engines[0].state = ENGINE_DRAINING;
	f->v.engines[1].state = ENGINE_STARTING;
	f->v.swap_from = xstrdup(QWEN);
	f->v.swap_to = xstrdup(GEMMA);
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.lay.models, 0);
	assert_int_equal(f->s.screen, SCREEN_SWAPPING);
}

static void
test_boxes(void **state)
{
	(void)state;
	assert_intent('i', UI_INFO, QWEN);
	assert_int_equal(f->s.popup.kind, POPUP_INFO);
	fix_key(f, 'i');
	assert_int_equal(f->s.popup.kind, POPUP_NONE);
	fix_request(f, 7, "c:1", QWEN, REQ_GENERATING, 1, -1, -1, -1);
	fix_compose(f, 80, 24);
	assert_intent(UI_K_ENTER, UI_NONE, NULL);	/* in the log: a mark */
	assert_int_equal(f->s.popup.kind, POPUP_NONE);
	fix_key(f, '\t');
	fix_compose(f, 80, 24);
	assert_intent(UI_K_ENTER, UI_DETAILS, NULL);
	assert_int_equal(f->intent.id, 7);
	fix_compose(f, 80, 24);
	fix_key(f, 'K');
	assert_int_equal(f->s.popup.kind, POPUP_CANCEL);
	later(UI_ARM_MS);
	assert_intent('Y', UI_NONE, NULL);	/* only y is yes */
	assert_int_equal(f->s.popup.kind, POPUP_CANCEL);
	assert_intent('y', UI_CANCEL, NULL);
	/* What has ended cannot be cancelled; what was seen of it stays to be read. */
	fix_key(f, UI_K_ENTER);
	fix_compose(f, 80, 24);
	assert_true(fix_shows(f, "─ K cancel  Esc close "));
	f->v.requests[0].id = 6;
	fix_compose(f, 80, 24);
	assert_true(fix_shows(f, "ended; the last that was seen of it"));
	assert_true(fix_shows(f, "─ Esc close "));
	fix_key(f, 'K');
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.popup.kind, POPUP_DETAILS);
	fix_key(f, UI_K_ESC);
	f->v.requests[0].id = 7;
	fix_compose(f, 80, 24);
	/* One that ended before the frame that shows it. */
	fix_request(f, 8, "c:2", QWEN, REQ_GENERATING, 1, -1, -1, -1);
	f->v.requests[0].id = 9;
	fix_key(f, 'K');
	assert_int_equal(f->s.popup.kind, POPUP_NONE);
	assert_streq(f->s.msg.text, "request 7 has ended");
}

/* The requests of the chosen model have ended: others' are no reason to take the keys again when new ones come. */
static void
test_focus_stays_in_the_log(void **state)
{
	(void)state;
	f->v.engines[1].state = ENGINE_READY;
	fix_request(f, 7, "c:1", GEMMA, REQ_GENERATING, 1, -1, -1, -1);
	fix_request(f, 8, "c:2", QWEN, REQ_GENERATING, 1, -1, -1, -1);
	fix_compose(f, 80, 24);
	fix_key(f, '\t');
	fix_key(f, 'j');
	fix_compose(f, 80, 24);
	fix_key(f, '\t');
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.focus, FOCUS_REQUESTS);
	free(f->v.requests[0].model);
	f->v.requests[0].model = xstrdup(QWEN);
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.focus, FOCUS_LOG);
	fix_request(f, 9, "c:1", GEMMA, REQ_GENERATING, 1, -1, -1, -1);
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.focus, FOCUS_LOG);
}

/* Requests that are shown alone for want of room give it back when there is some, and when they have ended. */
static void
test_alone_for_a_while(void **state)
{
	(void)state;
	fix_request(f, 7, "c:1", QWEN, REQ_GENERATING, 1, -1, -1, -1);
	fix_compose(f, 40, 12);
	fix_key(f, '\t');
	fix_compose(f, 40, 12);
	assert_int_equal(f->s.zoom, ZOOM_REQUESTS);
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.zoom, ZOOM_NONE);
	assert_int_equal(f->s.focus, FOCUS_REQUESTS);
	fix_key(f, '\t');
	fix_compose(f, 40, 12);
	fix_key(f, '\t');
	fix_compose(f, 40, 12);
	assert_int_equal(f->s.zoom, ZOOM_REQUESTS);
	f->v.nrequests = 0;
	fix_compose(f, 40, 12);
	assert_int_equal(f->s.zoom, ZOOM_NONE);
	assert_int_equal(f->s.focus, FOCUS_LOG);
	assert_true(fix_shows(f, "Log all"));
	f->v.nrequests = 1;
}

/* What a small screen takes away comes back with a large one, unless something was chosen meanwhile. */
static void
test_back_from_small(void **state)
{
	(void)state;
	fix_request(f, 7, "c:1", QWEN, REQ_GENERATING, 1, -1, -1, -1);
	fix_request(f, 8, "c:2", QWEN, REQ_GENERATING, 1, -1, -1, -1);
	fix_compose(f, 80, 24);
	fix_key(f, '\t');
	fix_key(f, 'j');
	fix_compose(f, 1, 1);
	assert_int_equal(f->s.focus, FOCUS_LOG);
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.focus, FOCUS_REQUESTS);
	assert_int_equal(f->s.requests.key, 8);
	fix_compose(f, 30, 6);
	fix_key(f, '\t');
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.focus, FOCUS_LOG);
	fix_key(f, '\t');
	fix_compose(f, 1, 1);
	f->v.nrequests = 0;
	fix_compose(f, 1, 1);
	f->v.nrequests = 2;
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.focus, FOCUS_LOG);
}

static void
test_panes(void **state)
{
	(void)state;
	for (uint64_t i = 1; i < 9; i++)
		fix_request(f, i, "c:1", QWEN, REQ_GENERATING, 10 - (double)i, -1, (int64_t)i * 10, 100 - (double)i);
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.lay.req_rows, 5);
	fix_key(f, '-');	/* the log has the focus */
	fix_compose(f, 80, 24);
	assert_int_equal(f->s.lay.req_rows, 6);
	fix_key(f, UI_K_BACKTAB);
	assert_int_equal(f->s.focus, FOCUS_REQUESTS);
	for (int i = 0; i < 100; i++)
		fix_key(f, '+');
	fix_compose(f, 80, 24);
	assert_true(f->s.lay.req_rows == 9 && f->s.lay.log_rows >= 3);
	fix_key(f, 'o');
	fix_compose(f, 80, 24);
	assert_row(f, 7, "     8 c:1              chat     2.0s     -    80  92.0  gen");
	fix_key(f, 'o');
	fix_compose(f, 80, 24);
	assert_row(f, 7, ">    1 c:1              chat     9.0s     -    10  99.0  gen");
	fix_key(f, 'z');
	fix_compose(f, 80, 24);
	assert_true(f->s.lay.req_rows > 15 && f->s.lay.log_rows == 0);
	fix_key(f, '\t');
	fix_compose(f, 80, 24);
	assert_true(f->s.lay.req_rows == 0 && f->s.lay.log_rows > 15);
	fix_key(f, 'z');
	fix_compose(f, 80, 24);
	assert_true(f->s.lay.req_rows > 0 && f->s.lay.log_rows > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stop_asks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pending, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stopped_by_another, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_swap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_quit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missing_program, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pin, setup, teardown),
		cmocka_unit_test_setup_teardown(test_counts_of_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_escape_never_quits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_escape_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mouse_in_help, setup, teardown),
		cmocka_unit_test_setup_teardown(test_low_boxes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_link_down, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_paste, setup, teardown),
		cmocka_unit_test_setup_teardown(test_popup_closes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_messages_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failure, setup, teardown),
		cmocka_unit_test_setup_teardown(test_last_error, setup, teardown),
		cmocka_unit_test_setup_teardown(test_last_error_is_fetched, setup, teardown),
		cmocka_unit_test_setup_teardown(test_under_the_finger, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone_under_the_finger, setup, teardown),
		cmocka_unit_test_setup_teardown(test_palette, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_command, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mouse, setup, teardown),
		cmocka_unit_test_setup_teardown(test_several_models, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failed_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_boxes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_focus_stays_in_the_log, setup, teardown),
		cmocka_unit_test_setup_teardown(test_alone_for_a_while, setup, teardown),
		cmocka_unit_test_setup_teardown(test_back_from_small, setup, teardown),
		cmocka_unit_test_setup_teardown(test_panes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
