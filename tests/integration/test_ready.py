# SPDX-License-Identifier: ISC
"""Ready means that the model answers; up means that a process lives."""
import time

import pytest

from lib import proc, world
from lib.mai import FAKE, SLOW, free_port
from lib.proc import never, wait


def test_up_is_not_ready(mai):
    mai.config({"m": mai.engine("m", ["--ready-after", "800"])})
    mai.serve()
    later = world.Later(mai.post, "/start")
    s = mai.wait_state("starting")
    wait(lambda: mai.status()["mlx_server_running"], 3, "process")
    s = mai.status()
    assert s["status"] == "running" and s["ready"] is False and s["uptime_seconds"] >= 0
    r = mai.get("/ready")
    assert r.status == 503 and r.json == {"detail": "MLX server not ready"}
    assert mai.get("/health").json["status"] == "starting"
    mai.ready()
    assert mai.get("/ready").json == {"status": "ready", "model": "m"}
    assert mai.get("/health").json["status"] == "healthy"
    assert later.result().json == {"status": "started", "model": "m"}


def test_readiness_is_seen_within_milliseconds(mai):
    """The probe must not cost a swap a quarter of a second."""
    mai.config({"m": mai.engine("m", ["--ready-after", "300"])})
    mai.serve()
    before = time.monotonic()
    assert mai.post("/start").status == 200
    took = time.monotonic() - before
    assert 0.3 <= took < 0.3 + 0.2 * SLOW, took


def test_late_listener(mai):
    mai.config({"m": mai.engine("m", ["--listen-after", "400"])})
    mai.serve()
    assert mai.post("/start").status == 200
    assert mai.chat("m").status == 200


def test_mlx_is_ready_only_when_a_completion_came(mai):
    """mlx answers /health and /v1/models with 200 while it loads."""
    mai.config({"m": {**mai.engine("m", ["--health-before-ready", "--ready-after", "700"], checkEndpoint="/v1/models"),
                      "engine": "mlx_lm"}})
    mai.serve()
    before = time.monotonic()
    assert mai.post("/start").status == 200
    assert time.monotonic() - before >= 0.65
    assert mai.stats()["completions"] >= 1, "the canary"
    assert mai.chat("m").status == 200


def test_mlx_zombie_fails_fast_with_its_cause(mai):
    empty = mai.tmp / "no-weights"
    empty.mkdir()
    mai.config({"m": {**mai.engine("m", ["--zombie", "--model", empty], checkEndpoint="/v1/models", backoff=0.05),
                      "engine": "mlx_lm"}})
    mai.serve()
    before = time.monotonic()
    r = mai.post("/start", timeout=30)
    assert r.status == 500
    assert time.monotonic() - before < 8 * SLOW
    s = mai.wait_state("failed")
    assert "generation thread died" in str(s) or "No safetensors" in str(s), s
    wait(lambda: not mai.engines(), 3 * SLOW, "the zombie is gone")


def test_port_in_use_zombie_of_mlx(mai):
    """mlx stays alive after a failed bind; the line in its log tells."""
    port = free_port()
    script = mai.tmp / "engine.sh"
    script.write_text('#!/bin/sh\necho "OSError: [Errno 98] Address already in use" >&2\nexec sleep 600\n')
    script.chmod(0o755)
    mai.config({"m": {"cmd": f"{script} {port}", "proxy": f"http://127.0.0.1:{port}", "engine": "mlx_lm", "backoff": 0.05}},
               healthCheckTimeout=2)
    mai.serve()
    before = time.monotonic()
    assert mai.post("/start", timeout=30).status == 500
    assert time.monotonic() - before < 12 * SLOW
    s = mai.wait_state("failed", timeout=15)
    assert "Address already in use" in str(s)


def test_checkEndpoint_none_needs_only_the_port(mai):
    mai.config({"m": mai.engine("m", ["--never-ready"], checkEndpoint="none")})
    mai.serve()
    assert mai.post("/start").status == 200
    assert mai.stats()["health"] == 0


def test_ports_are_picked_fresh(mai):
    mai.config({"m": mai.engine("m", backoff=0.05)})
    mai.start_all()
    ports = set()
    for _ in range(3):
        ports.add(mai.records["m"].port())
        mai.post("/stop")
        mai.post("/start")
    assert all(1024 < p < 65536 for p in ports)
    assert mai.chat("m").status == 200


def test_light_checks_do_not_kill_a_slow_engine(mai):
    mai.config({"m": mai.engine("m", ["--slow-health", "300"])})
    s = mai.start_all()
    never(lambda: mai.status()["pid"] != s["pid"], 2, "restarted for slow health")


def test_env_and_cmd_words_reach_the_engine_unchanged(mai):
    rec = mai.engine("m")
    mai.config({"m": {**rec, "cmd": rec["cmd"] + r" --model-name 'a b; touch x $(id)' --print-env",
                      "env": ["EXTRA=one two", "PYTHONUNBUFFERED=0"]}})
    mai.start_all()
    log = mai.log()
    assert "env: EXTRA=one two" in log and "env: PYTHONUNBUFFERED=0" in log
    assert b"a b; touch x $(id)" in proc.cmdline(mai.status()["pid"])
    assert not (mai.tmp / "x").exists()
    assert FAKE in mai.get("/api/info?model=m").body.decode()


@pytest.mark.parametrize("kind", ["llama-server", "vllm", "custom"])
def test_engine_kinds_start(mai, kind):
    mai.config({"m": {**mai.engine("m", ["--ready-after", "100"]), "engine": kind}})
    mai.start_all()
    assert mai.chat("m").status == 200
