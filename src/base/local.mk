noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	src/base/clock.c src/base/clock.h \
	src/base/compat.h \
	src/base/err.c src/base/err.h \
	src/base/json.c src/base/json.h \
	src/base/log.c src/base/log.h \
	src/base/loop.c src/base/loop.h \
	src/base/strbuf.c src/base/strbuf.h \
	src/base/text.c src/base/text.h src/base/text_clean.c \
	src/base/xmalloc.c src/base/xmalloc.h
