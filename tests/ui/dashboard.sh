#!/bin/sh
# SPDX-License-Identifier: ISC
# The dashboard in tmux; skipped where tmux or python3 is missing, or mai has no dashboard.
[ "${MAI_TEST_UI:-1}" != 0 ] || { echo "MAI_TEST_UI is 0: the dashboard is tested elsewhere"; exit 77; }
command -v tmux >/dev/null 2>&1 || { echo "no tmux"; exit 77; }
python=${PYTHON3:-python3}
command -v "$python" >/dev/null 2>&1 || { echo "no python3"; exit 77; }
status=0
for suite in dashboard features replays foreground acceptance; do
	case $suite in
	foreground | acceptance) [ -x tests/fake/fake_engine ] || continue ;;
	esac
	"$python" -B "${srcdir:-.}/tests/ui/$suite.py" ./mai || status=1
done
exit $status
