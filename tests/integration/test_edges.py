# SPDX-License-Identifier: ISC
"""Rarer forms of the faults of test_lifecycle.py, and what is said about them."""
import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from lib import proc, world
from lib.mai import SLOW, Record, free_port, words
from lib.proc import never, wait


def test_P3_arguments_too_long_are_permanent(mai):
    """More than execve takes (E2BIG; a quarter of the stack's limit): no retry helps."""
    mai.config({"m": mai.engine("m", ["--spew", "x" * 62000])})
    mai.serve(env={"BIG1": "x" * 105000, "BIG2": "x" * 105000},
              preexec=lambda: resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 20)))
    before = time.monotonic()
    r = mai.post("/start", timeout=10)
    assert time.monotonic() - before < 1 * SLOW
    assert r.status == 500 and "Argument list too long" in r.json["cause"], r
    assert mai.wait_state("failed")["reason"] == "exec_failed"


@pytest.mark.parametrize("switch", ["--fork", "--fork-setsid"])
def test_P10_what_both_left_is_killed_by_the_next_start(mai, switch):
    """Core and guard killed at once: the engine goes with its parent, its child is found by what is on record."""
    mai.config({"m": mai.engine("m", ["--ignore-term", switch], unloadTimeout=0.3)})
    mai.start_all()
    left = wait(lambda: mai.records["m"].events("grandchild"), 5, "grandchild")[0]["pid"]
    guard = proc.stat(mai.core)[1]
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    mai.expect_clean = False
    try:
        os.kill(mai.core, signal.SIGSTOP)     # that it does not see the guard die
        for p in (guard, mai.core):
            os.kill(p, signal.SIGKILL)
        wait(lambda: not proc.alive(mai.records["m"].pid()), 2 * SLOW, "the engine is gone")
        mai.p.wait(5)
        assert proc.alive(left), "nobody is there who could know it"
        mai.start_all()
        assert not proc.alive(left), "found by its record"
        assert stranger.poll() is None
        assert mai.chat("m").status == 200
        mai.expect_clean = True
    finally:
        proc.kill(left, signal.SIGKILL)
        stranger.kill()
        stranger.wait()


def test_P13_fifty_deaths_at_once(mai):
    """One SIGCHLD stands for many."""
    engine = mai.engine("m", backoff=0.05)
    engine["cmd"] = words(["/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 "
                           "26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50; do (sleep 600 &) ; done; "
                           "exec " + mai.fake(record=mai.records["m"].path)])
    mai.config({"m": engine})
    mai.start_all()
    victims = wait(lambda: (lambda e: len(e) == 51 and e)(mai.engines()), 5 * SLOW, lambda: f"{len(mai.engines())} of 51")
    os.kill(mai.core, signal.SIGSTOP)
    for p in victims:
        os.kill(p, signal.SIGKILL)
    os.kill(mai.core, signal.SIGCONT)
    wait(lambda: not any(proc.stat(p) for p in victims), 0.5 * SLOW, "all reaped")
    mai.ready()
    assert mai.chat("m").status == 200


def test_P24_a_stranger_is_named(mai):
    """It took the port after the engine was started; the engine's own bind fails or comes late."""
    port = free_port()
    rec = mai.records.setdefault("m", Record(mai.tmp / "record.m"))
    mai.config({"m": {"cmd": mai.fake("--listen-after", "60000", record=rec.path, port=str(port)), "maxAttempts": 0,
                      "proxy": f"http://127.0.0.1:{port}", "checkEndpoint": "/health", "startTimeout": 2}})
    mai.serve()
    later = world.Later(mai.post, "/start", timeout=30)
    wait(lambda: rec.count("start") == 1, 5, "started")
    with world.Squatter(port) as squatter:
        r = later.result(20)
        s = mai.wait_state("failed")
        assert r.status == 500 and not s["ready"]
        assert str(port) in r.json["cause"] and str(os.getpid()) in r.json["cause"], r
        assert proc.comm(os.getpid()) in r.json["cause"], r
        assert mai.chat("m").status == 503
        assert not [h for h in squatter.hits if b"chat" in (h if isinstance(h, bytes) else str(h).encode())]


def test_P29_stop_during_every_moment_of_a_start(mai):
    mai.config({"m": mai.engine("m", ["--ready-after", "60"])})
    mai.serve()
    mai.settle_fds()
    for ms in (0, 1, 3, 10, 30, 60, 65, 80, 120):
        later = world.Later(mai.post, "/start", timeout=20)
        time.sleep(ms / 1000)
        assert mai.post("/stop", timeout=10).status == 200
        assert later.result(20).status in (200, 500)
        wait(lambda: mai.state() == "stopped" or mai.post("/stop"), 5)
        assert not mai.engines(), ms


def test_P33_nothing_is_spawned_after_a_stop_in_backoff(mai):
    mai.config({"m": mai.engine("m", backoff=0.1)})
    mai.start_all()
    os.kill(mai.status()["pid"], signal.SIGKILL)
    mai.wait_state("backoff")
    waiter = world.Later(mai.chat, "m", timeout=10)
    wait(lambda: mai.status()["queued"] == 1, 2, "one waits")
    assert mai.post("/stop").status == 200
    assert waiter.result(5).status == 503
    n = mai.records["m"].count("start")
    never(lambda: mai.records["m"].count("start") != n, 0.6, "a start after the stop")
    assert mai.state() == "stopped"
