#!/bin/sh
# SPDX-License-Identifier: ISC
# Fetches the fixtures, turns them into raw cases and has the codec judge each of them.
set -u
here=${srcdir:-.}/tests/corpora
# the tests' own Python has pip where the system's has not
python=${PYTEST_PYTHON:-${PYTHON3:-python3}}
export PYTHON3="$python"

# In CI a test that silently does not run is a failure.
skip() {
	echo "corpus: $1"
	[ "${CI:-}" = true ] && exit 1
	exit 77
}

command -v "$python" >/dev/null 2>&1 || skip "no python3"
cache=$("$here/fetch") || skip "the fixtures could not be fetched"
tmp=$(mktemp -d "${TMPDIR:-/tmp}/mai-corpus.XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
PYTHONDONTWRITEBYTECODE=1 "$python" "$here/convert.py" "$here/requirements.txt" "$cache" "$tmp" || exit 1
tests/corpora/http_corpus "$tmp" "$here/limits"
