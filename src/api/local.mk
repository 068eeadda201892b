noinst_LIBRARIES += libapi.a
libapi_a_SOURCES = \
	src/api/api.c src/api/api.h src/api/api_int.h \
	src/api/api_auth.c src/api/api_auth.h \
	src/api/api_body.c \
	src/api/api_diff.c \
	src/api/api_engines.c \
	src/api/api_events.c src/api/api_hub.h \
	src/api/api_logs.c \
	src/api/api_metrics.c \
	src/api/api_misc.c \
	src/api/api_models.c \
	src/api/api_reader.c \
	src/api/api_reply.c \
	src/api/api_request.c \
	src/api/api_requests.c \
	src/api/api_seed.c \
	src/api/api_snapshot.c \
	src/api/api_verbs.c
