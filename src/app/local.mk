noinst_LIBRARIES += libapp.a
libapp_a_SOURCES = src/app/cmd.h src/app/cmd_main.c
