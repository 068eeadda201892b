noinst_LIBRARIES += libmetrics.a
libmetrics_a_SOURCES = src/metrics/metrics.c src/metrics/metrics.h
