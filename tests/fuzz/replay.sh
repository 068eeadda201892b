#!/bin/sh
# SPDX-License-Identifier: ISC
# Replays every corpus through its fuzz target.
srcdir=${srcdir:-.}
status=0
for dir in "$srcdir"/tests/fuzz/corpus/*/; do
	name=$(basename "$dir")
	printf '%s: ' "$name"
	if out=$(tests/fuzz/fuzz_"$name" -runs=0 "$dir" 2>&1); then
		printf '%s\n' "$out" | tail -n 1
	else
		printf 'FAILED\n%s\n' "$out"
		status=1
	fi
done
exit $status
