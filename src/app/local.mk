noinst_LIBRARIES += libapp.a
libapp_a_SOURCES = src/app/cmd.h src/app/cmd_main.c
libapp_a_SOURCES += \
	src/app/cmd_serve.c src/app/cmd_serve.h src/app/cmd_top.c \
	src/app/daemon.c src/app/daemon.h \
	src/app/guard.c src/app/guard.h \
	src/app/server.c src/app/server.h
