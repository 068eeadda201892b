# The pretend engine. It links nothing of mai.
check_PROGRAMS += tests/fake/fake_engine
# Plain: a sanitizer would turn its deaths by signal into exits of its own.
tests_fake_fake_engine_CFLAGS = $(WARN_CFLAGS)
tests_fake_fake_engine_LDFLAGS =
tests_fake_fake_engine_SOURCES = \
	tests/fake/fake.h \
	tests/fake/fake_bad.c \
	tests/fake/fake_buf.c \
	tests/fake/fake_conn.c \
	tests/fake/fake_engine.c \
	tests/fake/fake_life.c \
	tests/fake/fake_opts.c \
	tests/fake/fake_reply.c \
	tests/fake/fake_request.c \
	tests/fake/fake_stream.c \
	tests/fake/fake_ws.c
