noinst_LIBRARIES += libbus.a
libbus_a_SOURCES = src/bus/bus.c src/bus/bus.h src/bus/vocab.c src/bus/vocab.h
