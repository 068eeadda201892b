noinst_LIBRARIES += libengine.a
libengine_a_SOURCES = \
	src/engine/engine.c src/engine/engine.h src/engine/engine_priv.h \
	src/engine/engine_cmdstop.c \
	src/engine/engine_command.c \
	src/engine/engine_env.c \
	src/engine/engine_exit.c \
	src/engine/engine_fork.c src/engine/engine_fork.h \
	src/engine/engine_fsm.c src/engine/engine_fsm.h \
	src/engine/engine_life.c \
	src/engine/engine_lines.c \
	src/engine/engine_need.c \
	src/engine/engine_output.c \
	src/engine/engine_policy.c src/engine/engine_policy.h \
	src/engine/engine_port.c \
	src/engine/engine_preflight.c \
	src/engine/engine_probe.c \
	src/engine/engine_probe_send.c \
	src/engine/engine_reap.c \
	src/engine/engine_spawn.c \
	src/engine/engine_state.c \
	src/engine/engine_stop.c \
	src/engine/engine_text.c \
	src/engine/engine_wedge.c \
	src/engine/engine_words.c
