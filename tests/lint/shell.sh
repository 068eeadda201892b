#!/bin/sh
# Every shell script of the tree passes shellcheck (warnings and errors).
set -eu
command -v shellcheck >/dev/null || { echo "no shellcheck"; exit 77; }
cd "${srcdir:-.}"
list=$(find autogen.sh .ci contrib doc tests -type f ! -name '*.py' ! -path '*/corpus/*' ! -path '*/__pycache__/*' \
  -exec sh -c 'for f; do head -n 1 "$f" | LC_ALL=C grep -aqE "^#! *(/usr)?/bin/(env )?(ba)?sh" && echo "$f"; done' sh {} + \
  2>/dev/null || :)
[ -n "$list" ] || { echo "no scripts found"; exit 1; }
# shellcheck disable=SC2086
shellcheck -x -S warning $list
