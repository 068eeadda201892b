# Unit tests of src/client.
check_PROGRAMS += tests/unit/test_client tests/unit/test_client_sse
TESTS += tests/unit/test_client tests/unit/test_client_sse
tests_unit_test_client_SOURCES = tests/unit/test_client.c tests/unit/unit.h
tests_unit_test_client_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_client_LDADD = libclient.a $(RANK0) $(CURL_LIBS) $(CMOCKA_LIBS)
tests_unit_test_client_sse_SOURCES = tests/unit/test_client_sse.c tests/unit/unit.h
tests_unit_test_client_sse_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_client_sse_LDADD = libclient.a $(RANK0) $(CURL_LIBS) $(CMOCKA_LIBS)
