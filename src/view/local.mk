noinst_LIBRARIES += libview.a
libview_a_SOURCES = \
	src/view/view.c src/view/view.h src/view/view_int.h \
	src/view/view_apply.c src/view/view_json.c \
	src/view/view_log.c src/view/view_log.h src/view/view_log_int.h src/view/view_log_apply.c
