#!/bin/sh
# Every header compiles alone. The compiler and its flags come from make (tests/lint/flags).
set -eu
src=${srcdir:-.}/src
flags=tests/lint/flags
[ -f "$flags" ] || { echo "no $flags: run this by 'make check'"; exit 77; }
cc=$(cat "$flags")
bad=0
for h in "$src"/*/*.h; do
  # shellcheck disable=SC2086
  if ! printf '#include "%s"\n' "${h#"$src"/}" | $cc -fsyntax-only -x c -; then
    echo "${h#"$src"/} does not compile alone"
    bad=1
  fi
done
exit $bad
