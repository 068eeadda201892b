# Unit tests of src/ui.
if UI
UI_TESTS = \
	tests/unit/test_ui_keys \
	tests/unit/test_ui_log \
	tests/unit/test_ui_parts \
	tests/unit/test_ui_screens \
	tests/unit/test_ui_term
check_PROGRAMS += $(UI_TESTS)
TESTS += $(UI_TESTS)
UI_TEST_CPPFLAGS = $(UNIT_CPPFLAGS) $(CURSES_CFLAGS)
UI_TEST_LDADD = libui.a libview.a libbus.a $(RANK0) $(CMOCKA_LIBS) $(CURSES_LIBS)
tests_unit_test_ui_screens_SOURCES = tests/unit/test_ui_screens.c tests/unit/ui_fixture.h tests/unit/unit.h
tests_unit_test_ui_screens_CPPFLAGS = $(UI_TEST_CPPFLAGS) -DUI_SCREENS='"$(top_srcdir)/tests/unit/ui_screens.txt"'
tests_unit_test_ui_screens_LDADD = $(UI_TEST_LDADD)
tests_unit_test_ui_keys_SOURCES = tests/unit/test_ui_keys.c tests/unit/ui_fixture.h tests/unit/unit.h
tests_unit_test_ui_keys_CPPFLAGS = $(UI_TEST_CPPFLAGS)
tests_unit_test_ui_keys_LDADD = $(UI_TEST_LDADD)
tests_unit_test_ui_log_SOURCES = tests/unit/test_ui_log.c tests/unit/ui_fixture.h tests/unit/unit.h
tests_unit_test_ui_log_CPPFLAGS = $(UI_TEST_CPPFLAGS)
tests_unit_test_ui_log_LDADD = $(UI_TEST_LDADD)
tests_unit_test_ui_parts_SOURCES = tests/unit/test_ui_parts.c tests/unit/ui_fixture.h tests/unit/unit.h
tests_unit_test_ui_parts_CPPFLAGS = $(UI_TEST_CPPFLAGS)
tests_unit_test_ui_parts_LDADD = $(UI_TEST_LDADD)
tests_unit_test_ui_term_SOURCES = tests/unit/test_ui_term.c tests/unit/ui_fixture.h tests/unit/unit.h
tests_unit_test_ui_term_CPPFLAGS = $(UI_TEST_CPPFLAGS)
tests_unit_test_ui_term_LDADD = $(UI_TEST_LDADD)
endif
EXTRA_DIST += tests/unit/ui_screens.txt
