# The dashboard in a real terminal, against a fake core.
if UI
TESTS += tests/ui/dashboard.sh
endif
EXTRA_DIST += tests/ui/acceptance.py tests/ui/dashboard.py tests/ui/dashboard.sh tests/ui/fake_core.py tests/ui/features.py tests/ui/recordings.py \
	tests/ui/replays.py tests/ui/screens \
	tests/ui/foreground.py tests/ui/term.py
