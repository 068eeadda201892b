# Unit tests of src/proxy. The router is a fake of the test's own: its symbols come before the library's.
check_PROGRAMS += tests/unit/test_proxy_filter tests/unit/test_proxy_model tests/unit/test_proxy
TESTS += tests/unit/test_proxy_filter tests/unit/test_proxy_model tests/unit/test_proxy
tests_unit_test_proxy_filter_SOURCES = tests/unit/test_proxy_filter.c tests/unit/unit.h
tests_unit_test_proxy_filter_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_proxy_filter_LDADD = libproxy.a $(RANK0) $(CMOCKA_LIBS)
tests_unit_test_proxy_model_SOURCES = tests/unit/test_proxy_model.c tests/unit/unit.h
tests_unit_test_proxy_model_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_proxy_model_LDADD = libproxy.a $(RANK0) $(CMOCKA_LIBS)
tests_unit_test_proxy_SOURCES = tests/unit/test_proxy.c tests/unit/net.h tests/unit/unit.h
tests_unit_test_proxy_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_proxy_LDADD = libproxy.a $(RANK1) $(CMOCKA_LIBS)
