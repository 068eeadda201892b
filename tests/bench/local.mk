# mai beside nginx: make bench (Linux, nginx and python3 needed)
EXTRA_PROGRAMS += tests/bench/bench_load tests/bench/bench_upstream
tests_bench_bench_load_SOURCES = tests/bench/bench_load.c tests/bench/bench.h
tests_bench_bench_load_CFLAGS = $(WARN_CFLAGS) -O2
tests_bench_bench_upstream_SOURCES = tests/bench/bench_upstream.c tests/bench/bench.h
tests_bench_bench_upstream_CFLAGS = $(WARN_CFLAGS) -O2
EXTRA_DIST += tests/bench/run.py

bench: mai$(EXEEXT) tests/bench/bench_load$(EXEEXT) tests/bench/bench_upstream$(EXEEXT) tests/fake/fake_engine$(EXEEXT)
	$(PYTHON3) $(top_srcdir)/tests/bench/run.py $(abs_builddir) $(BENCH_ARGS)
.PHONY: bench
