# Unit tests of src/http.
HTTP_UNIT = tests/unit/test_http_msg tests/unit/test_http_parse tests/unit/test_http_body tests/unit/test_http_url \
	tests/unit/test_http_sse
check_PROGRAMS += $(HTTP_UNIT)
TESTS += $(HTTP_UNIT)
tests_unit_test_http_msg_SOURCES = tests/unit/test_http_msg.c tests/unit/unit.h
tests_unit_test_http_msg_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_http_msg_LDADD = libhttp.a $(RANK0) $(CMOCKA_LIBS)
tests_unit_test_http_parse_SOURCES = tests/unit/test_http_parse.c tests/unit/http_feed.h tests/unit/unit.h
tests_unit_test_http_parse_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_http_parse_LDADD = libhttp.a $(RANK0) $(CMOCKA_LIBS)
tests_unit_test_http_body_SOURCES = tests/unit/test_http_body.c tests/unit/unit.h
tests_unit_test_http_body_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_http_body_LDADD = libhttp.a $(RANK0) $(CMOCKA_LIBS)
tests_unit_test_http_url_SOURCES = tests/unit/test_http_url.c tests/unit/unit.h
tests_unit_test_http_url_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_http_url_LDADD = libhttp.a $(RANK0) $(CMOCKA_LIBS)
tests_unit_test_http_sse_SOURCES = tests/unit/test_http_sse.c tests/unit/unit.h
tests_unit_test_http_sse_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_http_sse_LDADD = libhttp.a $(RANK0) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_http_conn
TESTS += tests/unit/test_http_conn
tests_unit_test_http_conn_SOURCES = tests/unit/test_http_conn.c tests/unit/net.h tests/unit/unit.h
tests_unit_test_http_conn_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_http_conn_LDADD = libhttp.a $(RANK0) $(CMOCKA_LIBS)
