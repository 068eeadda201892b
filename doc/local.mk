# Manual pages and notes.
dist_man_MANS += doc/mai.1
EXTRA_DIST += doc/architecture.md doc/style.md
