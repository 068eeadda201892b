noinst_LIBRARIES += libview.a
libview_a_SOURCES = src/view/view.h src/view/view_log.h 
