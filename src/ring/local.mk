noinst_LIBRARIES += libring.a
libring_a_SOURCES = src/ring/ring.c src/ring/ring.h src/ring/ring_priv.h src/ring/ring_read.c
