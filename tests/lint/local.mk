# Checks of the tree itself. Each exits 77 where its tool is missing.
LINT = \
	tests/lint/banned.sh \
	tests/lint/docs.sh \
	tests/lint/hardened.sh \
	tests/lint/headers.sh \
	tests/lint/layers.sh \
	tests/lint/man.sh \
	tests/lint/registry.sh \
	tests/lint/shell.sh
TESTS += $(LINT)
EXTRA_DIST += $(LINT) tests/lint/docs.py

# How headers.sh compiles.
check_DATA = tests/lint/flags
CLEANFILES += tests/lint/flags
tests/lint/flags: Makefile
	@$(MKDIR_P) tests/lint
	@echo '$(CC) $(DEFS) $(AM_CPPFLAGS) $(CPPFLAGS) $(CURSES_CFLAGS) $(WARN_CFLAGS)' > $@
