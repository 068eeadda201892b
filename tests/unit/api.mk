# Unit tests of src/api: the pure parts, and the whole of it over a real socket with a pretended core behind it.
check_PROGRAMS += tests/unit/test_api_pure tests/unit/test_api
TESTS += tests/unit/test_api_pure tests/unit/test_api
tests_unit_test_api_pure_SOURCES = tests/unit/test_api_pure.c tests/unit/unit.h
tests_unit_test_api_pure_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_api_pure_LDADD = libapi.a libview.a $(RANK1) $(CMOCKA_LIBS)
tests_unit_test_api_SOURCES = tests/unit/test_api.c tests/unit/api_core.c tests/unit/api_core.h tests/unit/unit.h
tests_unit_test_api_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_api_LDADD = libapi.a libview.a $(RANK1) $(CMOCKA_LIBS)
