# Unit tests of src/view.
check_PROGRAMS += tests/unit/test_view
TESTS += tests/unit/test_view
tests_unit_test_view_SOURCES = tests/unit/test_view.c tests/unit/unit.h
tests_unit_test_view_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_view_LDADD = libview.a libbus.a $(RANK0) $(CMOCKA_LIBS)
