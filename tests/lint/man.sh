#!/bin/sh
# The manual pages have no complaint of mandoc's lint.
set -eu
command -v mandoc >/dev/null || { echo "no mandoc"; exit 77; }
cd "${srcdir:-.}/doc"
bad=0
for page in *.[1-8]; do
  # Whether a page that is referred to is installed here says nothing about ours.
  said=$(mandoc -Tlint -Wstyle "$page" | grep -v 'referenced manual not found' || :)
  [ -z "$said" ] || { echo "$said"; bad=1; }
done
exit $bad
