noinst_LIBRARIES += libproxy.a
libproxy_a_SOURCES = \
	src/proxy/proxy.c src/proxy/proxy.h \
	src/proxy/proxy_edit.c \
	src/proxy/proxy_error.c \
	src/proxy/proxy_filter.c src/proxy/proxy_filter.h \
	src/proxy/proxy_header.c src/proxy/proxy_header.h \
	src/proxy/proxy_model.c src/proxy/proxy_model.h \
	src/proxy/proxy_note.c \
	src/proxy/proxy_priv.h \
	src/proxy/proxy_relay.c \
	src/proxy/proxy_rewrite.c src/proxy/proxy_rewrite.h \
	src/proxy/proxy_txn.c \
	src/proxy/proxy_usage.c src/proxy/proxy_usage.h \
	src/proxy/proxy_walk.c src/proxy/proxy_walk.h
