# Fuzz targets. Without --enable-fuzzing each is linked with replay.c, which runs the files it is given; with it (clang)
# libFuzzer's own main comes in. `make check` replays corpus/<target>/ either way (replay.sh).
#
# A new target NAME: fuzz_NAME.c with LLVMFuzzerTestOneInput, corpus/NAME/ with a few inputs, and the three lines below.
# To fuzz: make fuzz-targets && tests/fuzz/fuzz_NAME -max_total_time=60 /tmp/NAME SRCDIR/tests/fuzz/corpus/NAME
EXTRA_DIST += tests/fuzz/replay.sh tests/fuzz/corpus
TESTS += tests/fuzz/replay.sh
if FUZZING
FUZZ_MAIN =
else
FUZZ_MAIN = tests/fuzz/replay.c
endif
EXTRA_DIST += tests/fuzz/replay.c
FUZZ_LINK = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS =
check_PROGRAMS += $(FUZZ_TARGETS)

fuzz-targets: $(FUZZ_TARGETS)
.PHONY: fuzz-targets

FUZZ_TARGETS += tests/fuzz/fuzz_http_request
tests_fuzz_fuzz_http_request_SOURCES = tests/fuzz/fuzz_http_request.c tests/fuzz/fuzz_head.h tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_http_request_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_http_request_LDADD = libhttp.a $(RANK0)

FUZZ_TARGETS += tests/fuzz/fuzz_http_response
tests_fuzz_fuzz_http_response_SOURCES = tests/fuzz/fuzz_http_response.c tests/fuzz/fuzz_head.h tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_http_response_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_http_response_LDADD = libhttp.a $(RANK0)

FUZZ_TARGETS += tests/fuzz/fuzz_http_body
tests_fuzz_fuzz_http_body_SOURCES = tests/fuzz/fuzz_http_body.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_http_body_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_http_body_LDADD = libhttp.a $(RANK0)

FUZZ_TARGETS += tests/fuzz/fuzz_http_url
tests_fuzz_fuzz_http_url_SOURCES = tests/fuzz/fuzz_http_url.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_http_url_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_http_url_LDADD = libhttp.a $(RANK0)


FUZZ_TARGETS += tests/fuzz/fuzz_conf
tests_fuzz_fuzz_conf_SOURCES = tests/fuzz/fuzz_conf.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_conf_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_conf_LDADD = libconf.a $(RANK0) $(YAML_LIBS)

FUZZ_TARGETS += tests/fuzz/fuzz_proxy_names
tests_fuzz_fuzz_proxy_names_SOURCES = tests/fuzz/fuzz_proxy_names.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_proxy_names_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_proxy_names_LDADD = libproxy.a libhttp.a $(RANK0)
FUZZ_TARGETS += tests/fuzz/fuzz_proxy_usage
tests_fuzz_fuzz_proxy_usage_SOURCES = tests/fuzz/fuzz_proxy_usage.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_proxy_usage_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_proxy_usage_LDADD = libproxy.a $(RANK0)
FUZZ_TARGETS += tests/fuzz/fuzz_proxy_filter
tests_fuzz_fuzz_proxy_filter_SOURCES = tests/fuzz/fuzz_proxy_filter.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_proxy_filter_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_proxy_filter_LDADD = libproxy.a $(RANK0)

FUZZ_TARGETS += tests/fuzz/fuzz_text_clean
tests_fuzz_fuzz_text_clean_SOURCES = tests/fuzz/fuzz_text_clean.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_text_clean_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_text_clean_LDADD = $(RANK0)

FUZZ_TARGETS += tests/fuzz/fuzz_view
tests_fuzz_fuzz_view_SOURCES = tests/fuzz/fuzz_view.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_view_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_view_LDADD = libview.a libbus.a $(RANK0)
