# The real binary against the pretend engine. Needs python3 with tests/requirements.txt: PYTEST_PYTHON=$(tests/setup-venv).
INTEGRATION = \
	tests/integration/conftest.py \
	tests/integration/conftest_base.py \
	tests/integration/lib/__init__.py \
	tests/integration/lib/capture.py \
	tests/integration/lib/chaos.py \
	tests/integration/lib/docker.py \
	tests/integration/lib/http.py \
	tests/integration/lib/mai.py \
	tests/integration/lib/proc.py \
	tests/integration/lib/stream.py \
	tests/integration/lib/teller.py \
	tests/integration/lib/terminal.py \
	tests/integration/lib/wild.py \
	tests/integration/lib/world.py \
	tests/integration/lib/ws.py \
	tests/integration/test_api.py \
	tests/integration/test_backoff.py \
	tests/integration/test_cli.py \
	tests/integration/test_client_gone.py \
	tests/integration/test_cmdstop.py \
	tests/integration/test_config.py \
	tests/integration/test_daemon.py \
	tests/integration/test_edges.py \
	tests/integration/test_ends.py \
	tests/integration/test_events.py \
	tests/integration/test_failed_cause.py \
	tests/integration/test_filters.py \
	tests/integration/test_guard.py \
	tests/integration/test_heartbeat.py \
	tests/integration/test_honest_ends.py \
	tests/integration/test_kills.py \
	tests/integration/test_lifecycle.py \
	tests/integration/test_malformed.py \
	tests/integration/test_migrate.py \
	tests/integration/test_odd_engines.py \
	tests/integration/test_queue.py \
	tests/integration/test_ready.py \
	tests/integration/test_relay.py \
	tests/integration/test_routing.py \
	tests/integration/test_security.py \
	tests/integration/test_seed_api.py \
	tests/integration/test_several.py \
	tests/integration/test_soak.py \
	tests/integration/test_soak_names.py \
	tests/integration/test_soak_viewers.py \
	tests/integration/test_soak_wire.py \
	tests/integration/test_swap.py \
	tests/integration/test_tokens.py \
	tests/integration/test_transducer.py \
	tests/integration/test_upstream.py \
	tests/integration/test_websocket.py \
	tests/integration/test_wedge.py

EXTRA_DIST += $(INTEGRATION) tests/requirements.txt tests/setup-venv tests/run-pytest

# make check-integration [PYTEST_ARGS="-k P10"]; part of make check where PYTEST_PYTHON is set.
check-integration: mai$(EXEEXT) tests/fake/fake_engine$(EXEEXT)
	MAI_BUILD=$(abs_builddir) PYTEST_PYTHON='$(PYTEST_PYTHON)' $(top_srcdir)/tests/run-pytest \
	    $(top_srcdir)/tests/integration $(PYTEST_ARGS)
.PHONY: check-integration
