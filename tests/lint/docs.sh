#!/bin/sh
# SPDX-License-Identifier: ISC
# Keys and screens in the pages are those of the program; see docs.py.
python=${PYTHON3:-python3}
command -v "$python" >/dev/null 2>&1 || { echo "no python3"; exit 77; }
exec "$python" -B "${srcdir:-.}/tests/lint/docs.py" "${srcdir:-.}"
