# Real engines (downloads about 180 MB once, kept in MAI_REAL_ENGINES): make check-real
EXTRA_DIST += tests/real/conftest.py tests/real/test_real.py tests/real/test_real_streams.py tests/real/test_sdk.py tests/real/sdk_client.py \
	tests/real/requirements.txt tests/real/tools.jinja
check-real: mai$(EXEEXT)
	MAI_BUILD=$(abs_builddir) PYTEST_PYTHON='$(PYTEST_PYTHON)' PYTEST_WORKERS=1 $(top_srcdir)/tests/run-pytest \
	    $(top_srcdir)/tests/real $(PYTEST_ARGS)
.PHONY: check-real
