noinst_LIBRARIES += libhttp.a
libhttp_a_SOURCES = src/http/http_body.h src/http/http_client.h src/http/http_conn.h src/http/http_listen.h src/http/http_msg.h src/http/http_parse.h src/http/http_url.h 
libhttp_a_SOURCES += src/http/http_msg.c src/http/http_parse.c src/http/http_parse_priv.h src/http/http_meaning.c src/http/http_body.c src/http/http_url.c
libhttp_a_SOURCES += \
	src/http/http_answer.c \
	src/http/http_client.c src/http/http_client_priv.h \
	src/http/http_conn.c \
	src/http/http_input.c \
	src/http/http_listen.c \
	src/http/http_out.c src/http/http_out.h \
	src/http/http_pool.c src/http/http_pool.h \
	src/http/http_priv.h \
	src/http/http_reply.c \
	src/http/http_req.c
