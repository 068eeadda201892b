noinst_LIBRARIES += libmetrics.a
libmetrics_a_SOURCES = src/metrics/metrics.h 
