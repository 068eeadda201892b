# The dashboard in a real terminal, against a fake core.
if UI
TESTS += tests/ui/dashboard.sh
endif

# What it costs, as figures; about a minute, and nothing that can fail.
check-ui-figures: mai$(EXEEXT) tests/fake/fake_engine$(EXEEXT)
	$(PYTHON3) -B $(top_srcdir)/tests/ui/figures.py ./mai tests/fake/fake_engine
.PHONY: check-ui-figures
EXTRA_DIST += tests/ui/acceptance.py tests/ui/dashboard.py tests/ui/dashboard.sh tests/ui/fake_core.py tests/ui/features.py tests/ui/figures.py tests/ui/recordings.py \
	tests/ui/replays.py tests/ui/screens \
	tests/ui/foreground.py tests/ui/term.py
