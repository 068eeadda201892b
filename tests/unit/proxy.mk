# Unit tests of src/proxy. The router is a fake of the test's own: its symbols come before the library's.
PROXY_BENCH = tests/unit/proxy_bench.c tests/unit/proxy_bench.h tests/unit/net.h tests/unit/unit.h
PROXY_TESTS = tests/unit/test_proxy_model tests/unit/test_proxy_usage tests/unit/test_proxy_beat tests/unit/test_proxy \
	tests/unit/test_proxy_hold tests/unit/test_proxy_upstream tests/unit/test_proxy_direct tests/unit/test_proxy_tunnel \
	tests/unit/test_proxy_filter
check_PROGRAMS += $(PROXY_TESTS)
TESTS += $(PROXY_TESTS)
tests_unit_test_proxy_filter_SOURCES = tests/unit/test_proxy_filter.c tests/unit/unit.h
tests_unit_test_proxy_filter_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_proxy_filter_LDADD = libproxy.a $(RANK0) $(CMOCKA_LIBS)
tests_unit_test_proxy_model_SOURCES = tests/unit/test_proxy_model.c tests/unit/unit.h
tests_unit_test_proxy_model_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_proxy_model_LDADD = libproxy.a $(RANK0) $(CMOCKA_LIBS)
tests_unit_test_proxy_usage_SOURCES = tests/unit/test_proxy_usage.c tests/unit/unit.h
tests_unit_test_proxy_usage_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_proxy_usage_LDADD = libproxy.a $(RANK0) $(CMOCKA_LIBS)
tests_unit_test_proxy_beat_SOURCES = tests/unit/test_proxy_beat.c tests/unit/unit.h
tests_unit_test_proxy_beat_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_proxy_beat_LDADD = libproxy.a $(RANK0) $(CMOCKA_LIBS)
tests_unit_test_proxy_SOURCES = tests/unit/test_proxy.c $(PROXY_BENCH)
tests_unit_test_proxy_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_proxy_LDADD = libproxy.a $(RANK1) $(CMOCKA_LIBS)
tests_unit_test_proxy_hold_SOURCES = tests/unit/test_proxy_hold.c $(PROXY_BENCH)
tests_unit_test_proxy_hold_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_proxy_hold_LDADD = libproxy.a $(RANK1) $(CMOCKA_LIBS)
tests_unit_test_proxy_upstream_SOURCES = tests/unit/test_proxy_upstream.c tests/unit/unit.h
tests_unit_test_proxy_upstream_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_proxy_upstream_LDADD = libproxy.a $(RANK1) $(CMOCKA_LIBS)
tests_unit_test_proxy_direct_SOURCES = tests/unit/test_proxy_direct.c $(PROXY_BENCH)
tests_unit_test_proxy_direct_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_proxy_direct_LDADD = libproxy.a $(RANK1) $(CMOCKA_LIBS)
tests_unit_test_proxy_tunnel_SOURCES = tests/unit/test_proxy_tunnel.c $(PROXY_BENCH)
tests_unit_test_proxy_tunnel_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_proxy_tunnel_LDADD = libproxy.a $(RANK1) $(CMOCKA_LIBS)
