# Manual pages and notes.
dist_man_MANS += doc/mai.1 doc/mai.yaml.5
EXTRA_DIST += doc/api.md doc/architecture.md doc/dashboard.md doc/migration.md doc/performance.md doc/style.md
