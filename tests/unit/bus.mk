# Unit tests of src/bus.
check_PROGRAMS += tests/unit/test_bus
TESTS += tests/unit/test_bus
tests_unit_test_bus_SOURCES = tests/unit/test_bus.c tests/unit/unit.h
tests_unit_test_bus_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_bus_LDADD = libbus.a $(RANK0) $(CMOCKA_LIBS)
