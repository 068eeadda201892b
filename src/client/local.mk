noinst_LIBRARIES += libclient.a
libclient_a_SOURCES = \
	src/client/client.c src/client/client.h \
	src/client/client_async.c \
	src/client/client_priv.h \
	src/client/client_sse.c src/client/client_sse.h \
	src/client/client_watch.c
