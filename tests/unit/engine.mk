# Unit tests of src/engine.
check_PROGRAMS += tests/unit/test_engine_fsm tests/unit/test_engine_policy
TESTS += tests/unit/test_engine_fsm tests/unit/test_engine_policy
tests_unit_test_engine_fsm_SOURCES = tests/unit/test_engine_fsm.c tests/unit/unit.h
tests_unit_test_engine_fsm_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_engine_fsm_LDADD = $(RANK2) $(CMOCKA_LIBS)
tests_unit_test_engine_policy_SOURCES = tests/unit/test_engine_policy.c tests/unit/unit.h
tests_unit_test_engine_policy_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_engine_policy_LDADD = $(RANK2) $(CMOCKA_LIBS)
# Those with a child of their own.
ENGINE_CHILD = tests/unit/engine_child.c tests/unit/engine_child.h tests/unit/engine_fixture.h tests/unit/unit.h
check_PROGRAMS += tests/unit/test_engine tests/unit/test_engine_stop tests/unit/test_engine_wedge
TESTS += tests/unit/test_engine tests/unit/test_engine_stop tests/unit/test_engine_wedge
tests_unit_test_engine_SOURCES = tests/unit/test_engine.c $(ENGINE_CHILD)
tests_unit_test_engine_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_engine_LDADD = $(RANK2) $(CMOCKA_LIBS)
tests_unit_test_engine_stop_SOURCES = tests/unit/test_engine_stop.c $(ENGINE_CHILD)
tests_unit_test_engine_stop_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_engine_stop_LDADD = $(RANK2) $(CMOCKA_LIBS)
tests_unit_test_engine_wedge_SOURCES = tests/unit/test_engine_wedge.c $(ENGINE_CHILD)
tests_unit_test_engine_wedge_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_engine_wedge_LDADD = $(RANK2) $(CMOCKA_LIBS)
