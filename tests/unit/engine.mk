# Unit tests of src/engine.
check_PROGRAMS += tests/unit/test_engine_fsm tests/unit/test_engine_policy
TESTS += tests/unit/test_engine_fsm tests/unit/test_engine_policy
tests_unit_test_engine_fsm_SOURCES = tests/unit/test_engine_fsm.c tests/unit/unit.h
tests_unit_test_engine_fsm_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_engine_fsm_LDADD = $(RANK2) $(CMOCKA_LIBS)
tests_unit_test_engine_policy_SOURCES = tests/unit/test_engine_policy.c tests/unit/unit.h
tests_unit_test_engine_policy_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_engine_policy_LDADD = $(RANK2) $(CMOCKA_LIBS)
