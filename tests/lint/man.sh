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
# mai.1 knows every verb and every option.
verbs=$(awk -F'"' '/^\t\{"[a-z]+", / && /cmd_/ { print $2 }' ../src/app/cmd_table.c)
options=$(awk -F'"' '/^\t\{"[a-z-]+", / && /OPT_/ { print $2 }' ../src/app/cmd_opts.c)
[ -n "$verbs" ] && [ -n "$options" ] || { echo "the tables of src/app were not found"; exit 1; }
for verb in $verbs; do
  grep -qE "^\.It Cm $verb( |\$)" mai.1 || { echo "mai.1 does not know the verb $verb"; bad=1; }
done
for option in $options; do
  grep -qE "Fl \\\\-$option( |\$)" mai.1 || { echo "mai.1 does not know --$option"; bad=1; }
done
exit $bad
