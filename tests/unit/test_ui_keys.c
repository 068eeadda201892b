/* SPDX-License-Identifier: ISC
 * What keys do on each screen: which intents come out, which popups open, and that nothing happens by accident. */
#include "ui_fixture.h"

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
	later(UI_ARM_MS);
	assert_intent('y', UI_FORCE_RESTART, QWEN);
}

static void
test_pending(void **state)
{
	(void)state;
	assert_intent('r', UI_RESTART, QWEN);
	f->s.pending[UI_RESTART].on = true;
	f->s.pending[UI_RESTART].since = f->now;
	assert_intent('r', UI_NONE, NULL);
	assert_streq(f->s.msg.text, "restart: already under way");
	/* A core that says nothing is named. */
	f->s.pending[UI_RESTART].seq = f->v.seq;
	later(9200);
	fix_compose(f, 80, 24);
	assert_row(f, 22, " restart: waiting for the supervisor, 9.2 s");
	f->v.seq++;
	fix_compose(f, 80, 24);
	assert_row(f, 22, "");
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
	assert_intent('x', UI_STOP, GEMMA);
	assert_intent('R', UI_STOP, QWEN);
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

static void
test_escape_never_quits(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		assert_intent(UI_K_ESC, UI_NONE, NULL);
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
	assert_row(f, 23, " f Follow  / Search  & Filter  Tab Focus  : Commands             ? Help  q Quit");
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
	ui_say(&f->s, UI_MSG_ERROR, f->now, "%s", "it broke");
	later(60000);
	fix_compose(f, 80, 24);
	assert_row(f, 22, " it broke");
	fix_key(f, 'k');
	fix_compose(f, 80, 24);
	assert_row(f, 22, "");
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
	be(ENGINE_STARTING);
	fix_line(f, 12, 4, 35, "m ", "one: failed -> starting (user)");
	be(ENGINE_FAILED);
	fix_key(f, 'w');
	fix_line(f, 12, 4, 36, "mE", "again");
	fix_compose(f, 80, 24);
	assert_true(f->s.log.follow);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stop_asks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pending, setup, teardown),
		cmocka_unit_test_setup_teardown(test_swap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_quit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_escape_never_quits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_link_down, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_paste, setup, teardown),
		cmocka_unit_test_setup_teardown(test_popup_closes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_messages_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failure, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
