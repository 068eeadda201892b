# Unit tests of src/router.
check_PROGRAMS += tests/unit/test_router_policy tests/unit/test_router tests/unit/test_router_random
TESTS += tests/unit/test_router_policy tests/unit/test_router tests/unit/test_router_random
tests_unit_test_router_policy_SOURCES = tests/unit/test_router_policy.c tests/unit/unit.h
tests_unit_test_router_policy_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_router_policy_LDADD = librouter.a $(RANK2) $(CMOCKA_LIBS)
tests_unit_test_router_SOURCES = tests/unit/test_router.c tests/unit/unit.h
tests_unit_test_router_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_router_LDADD = librouter.a $(RANK2) $(CMOCKA_LIBS)
tests_unit_test_router_random_SOURCES = tests/unit/test_router_random.c tests/unit/unit.h
tests_unit_test_router_random_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_router_random_LDADD = librouter.a $(RANK2) $(CMOCKA_LIBS)
