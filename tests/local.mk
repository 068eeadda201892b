# Unit tests: tests/unit/<module>.mk belongs to the module of that name. Each program links its module's library and the
# lower ones only (RANKn in src/local.mk).
UNIT_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit $(CMOCKA_CFLAGS)
if HAVE_CMOCKA
include tests/unit/base.mk
include tests/unit/conf.mk
include tests/unit/bus.mk
include tests/unit/ring.mk
include tests/unit/http.mk
include tests/unit/metrics.mk
include tests/unit/host.mk
include tests/unit/engine.mk
include tests/unit/view.mk
include tests/unit/router.mk
include tests/unit/client.mk
include tests/unit/ui.mk
include tests/unit/proxy.mk
include tests/unit/api.mk
include tests/unit/app.mk
endif
include tests/fuzz/local.mk
include tests/corpora/local.mk
include tests/fake/local.mk
include tests/integration/local.mk
include tests/ui/local.mk
include tests/real/local.mk
include tests/lint/local.mk
include tests/bench/local.mk
