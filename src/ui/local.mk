if UI
noinst_LIBRARIES += libui.a
endif
libui_a_CPPFLAGS = $(AM_CPPFLAGS) $(CURSES_CFLAGS)
libui_a_SOURCES = src/ui/ui.h 
