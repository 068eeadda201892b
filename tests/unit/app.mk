# Unit tests of src/app.
check_PROGRAMS += tests/unit/test_cmd_opts tests/unit/test_cmd_text tests/unit/test_cmd_verbs
TESTS += tests/unit/test_cmd_opts tests/unit/test_cmd_text tests/unit/test_cmd_verbs
tests_unit_test_cmd_opts_SOURCES = tests/unit/test_cmd_opts.c tests/unit/unit.h
tests_unit_test_cmd_opts_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_cmd_opts_LDADD = libapp.a $(RANK3) $(CMOCKA_LIBS)
tests_unit_test_cmd_text_SOURCES = tests/unit/test_cmd_text.c tests/unit/unit.h
tests_unit_test_cmd_text_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_cmd_text_LDADD = libapp.a $(RANK3) $(CMOCKA_LIBS)
tests_unit_test_cmd_verbs_SOURCES = tests/unit/test_cmd_verbs.c tests/unit/unit.h
tests_unit_test_cmd_verbs_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_cmd_verbs_LDADD = libapp.a $(RANK3) $(CMOCKA_LIBS)
