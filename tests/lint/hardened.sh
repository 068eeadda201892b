#!/bin/sh
# The program is built as configure promises: position-independent, read-only after relocation, symbols bound at start,
# stack protected. Builds that gave that up (sanitizers, coverage, fuzzing, --disable-hardening) are left out.
set -eu
flags=$(sed -n 's/^HARDEN_LDFLAGS = *//p' Makefile)
case $flags in
'' | *-fsanitize* | *--coverage*) echo "not a hardened build"; exit 77 ;;
esac
command -v readelf >/dev/null || { echo "no readelf"; exit 77; }
bad=0
has() { # TEXT WHAT READELF-OPTIONS
  readelf "$3" ./mai 2>/dev/null | grep -qE "$1" || { echo "mai: $2"; bad=1; }
}
readelf -hW ./mai >/dev/null 2>&1 || { echo "not ELF"; exit 77; }
has 'Type: +DYN' 'not position-independent' -hW
has GNU_RELRO 'relocations stay writable' -lW
has 'BIND_NOW|Flags:.*NOW' 'symbols are bound lazily' -dW
has __stack_chk_fail 'no stack protector' -sW
case $(readelf -lW ./mai | grep GNU_STACK) in
*RWE*) echo "mai: the stack is executable"; bad=1 ;;
esac
exit $bad
