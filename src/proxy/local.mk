noinst_LIBRARIES += libproxy.a
libproxy_a_SOURCES = \
	src/proxy/proxy.c src/proxy/proxy.h \
	src/proxy/proxy_beat.c src/proxy/proxy_beat.h \
	src/proxy/proxy_edit.c \
	src/proxy/proxy_end.c \
	src/proxy/proxy_error.c \
	src/proxy/proxy_filter.c src/proxy/proxy_filter.h \
	src/proxy/proxy_fold.c \
	src/proxy/proxy_form.c \
	src/proxy/proxy_head.c \
	src/proxy/proxy_header.c src/proxy/proxy_header.h \
	src/proxy/proxy_hold.c \
	src/proxy/proxy_model.c src/proxy/proxy_model.h \
	src/proxy/proxy_note.c \
	src/proxy/proxy_priv.h \
	src/proxy/proxy_relay.c \
	src/proxy/proxy_rewrite.c src/proxy/proxy_rewrite.h \
	src/proxy/proxy_route.c \
	src/proxy/proxy_tunnel.c \
	src/proxy/proxy_txn.c \
	src/proxy/proxy_upstream.c src/proxy/proxy_upstream.h \
	src/proxy/proxy_usage.c src/proxy/proxy_usage.h \
	src/proxy/proxy_usage_key.c \
	src/proxy/proxy_walk.c src/proxy/proxy_walk.h
