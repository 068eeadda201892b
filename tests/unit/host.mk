# Unit tests of src/host.
check_PROGRAMS += tests/unit/test_host
TESTS += tests/unit/test_host
tests_unit_test_host_SOURCES = tests/unit/test_host.c tests/unit/unit.h
tests_unit_test_host_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_host_LDADD = libhost.a $(RANK0) $(CMOCKA_LIBS)
