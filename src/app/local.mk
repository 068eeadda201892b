noinst_LIBRARIES += libapp.a
libapp_a_SOURCES = \
	src/app/cmd.h src/app/cmd_priv.h \
	src/app/cmd_ask.c src/app/cmd_call.c src/app/cmd_check.c src/app/cmd_ctl.c src/app/cmd_list.c \
	src/app/cmd_logs.c src/app/cmd_main.c src/app/cmd_opts.c src/app/cmd_paths.c src/app/cmd_progress.c \
	src/app/cmd_status.c src/app/cmd_status_text.c src/app/cmd_table.c
libapp_a_SOURCES += \
	src/app/cmd_serve.c src/app/cmd_serve.h src/app/cmd_top.c \
	src/app/daemon.c src/app/daemon.h \
	src/app/guard.c src/app/guard.h \
	src/app/log_child.c src/app/log_child.h \
	src/app/log_out.c src/app/log_out.h \
	src/app/server.c src/app/server.h
libapp_a_SOURCES += \
	src/app/cmd_attach.c \
	src/app/top.h src/app/top_priv.h src/app/top_act.h \
	src/app/top_fetch.c src/app/top_info.c src/app/top_link.c src/app/top_plain.c src/app/top_record.c src/app/top_replay.c \
	src/app/top_spawn.c
if UI
libapp_a_SOURCES += src/app/top.c src/app/top_act.c src/app/top_call.c src/app/top_int.h
else
libapp_a_SOURCES += src/app/top_noui.c
endif
