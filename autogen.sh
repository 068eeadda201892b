#!/bin/sh
# Make configure and Makefile.in from a checkout. Needs autoconf, automake and pkg-config (contrib/packages build).
set -e
cd "$(dirname "$0")"
mkdir -p m4 build-aux
exec autoreconf -fi
