noinst_LIBRARIES += libengine.a
libengine_a_SOURCES = \
	src/engine/engine.h \
	src/engine/engine_fsm.c src/engine/engine_fsm.h \
	src/engine/engine_policy.c src/engine/engine_policy.h \
	src/engine/engine_text.c
