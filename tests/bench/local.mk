# mai beside nginx: make bench (Linux, nginx and python3 needed)
EXTRA_PROGRAMS += tests/bench/bench_load tests/bench/bench_upstream tests/bench/bench_tap
tests_bench_bench_load_SOURCES = tests/bench/bench_load.c tests/bench/bench.h
tests_bench_bench_load_CFLAGS = $(WARN_CFLAGS) -O2
tests_bench_bench_upstream_SOURCES = tests/bench/bench_upstream.c tests/bench/bench.h
tests_bench_bench_upstream_CFLAGS = $(WARN_CFLAGS) -O2
tests_bench_bench_tap_SOURCES = tests/bench/bench_tap.c
tests_bench_bench_tap_LDADD = libproxy.a $(RANK0)
EXTRA_DIST += tests/bench/run.py

bench: mai$(EXEEXT) tests/bench/bench_load$(EXEEXT) tests/bench/bench_upstream$(EXEEXT) tests/fake/fake_engine$(EXEEXT)
	$(PYTHON3) $(top_srcdir)/tests/bench/run.py $(abs_builddir) $(BENCH_ARGS)

# The tap on answers alone, on the recordings that it is tested with.
TAPPED = $(top_srcdir)/tests/fuzz/corpus/proxy_usage
bench-tap: tests/bench/bench_tap$(EXEEXT)
	tests/bench/bench_tap $(TAPPED)/chat-llama $(TAPPED)/chat-llama-progress $(TAPPED)/chat-mlx $(TAPPED)/text-llama \
	    $(TAPPED)/messages-llama $(TAPPED)/responses-llama $(TAPPED)/native-llama $(TAPPED)/long-line $(TAPPED)/chat-llama-json
.PHONY: bench bench-tap
