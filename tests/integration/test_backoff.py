# SPDX-License-Identifier: ISC
"""Waiting between starts: how long, how often, what may cut it short."""
import os
import signal
import time

from lib import world
from lib.mai import SLOW
from lib.proc import never, wait

DIES = ["--exit-after", "0", "--exit-code", "1"]


def gaps(m):
    starts, deaths = (m.records["m"].events(x) for x in ("start", "die"))
    return [b["ms"] - a["ms"] for a, b in zip(deaths, starts[1:])]


def test_delays_double_from_twice_the_base(mai):
    mai.config({"m": mai.engine("m", DIES, backoff=0.1)})
    mai.serve()
    assert mai.post("/start", timeout=20).status == 500
    got = gaps(mai)
    assert len(got) == 3
    for gap, want in zip(got, (200, 400, 800)):
        assert want - 5 <= gap <= want + 80 * SLOW, got


def test_backoffMax_caps(mai):
    mai.config({"m": mai.engine("m", DIES, backoff=0.1, backoffMax=0.25, maxAttempts=4)})
    mai.serve()
    mai.post("/start", timeout=20)
    got = gaps(mai)
    assert len(got) == 4
    for gap, want in zip(got, (200, 250, 250, 250)):
        assert want - 5 <= gap <= want + 80 * SLOW, got


def test_status_counts_down(mai):
    mai.config({"m": mai.engine("m", DIES, backoff=1)})
    mai.serve()
    later = world.Later(mai.post, "/start", timeout=30)
    s = mai.wait_state("backoff")
    assert 1.0 < s["next_retry_seconds"] <= 2.0
    assert s["restart_attempts"] == 1 and s["pid"] in (None, 0) and s["uptime_seconds"] == 0
    wait(lambda: mai.status()["next_retry_seconds"] < s["next_retry_seconds"] - 0.2, 3, "counting down")
    mai.post("/stop")
    later.result()


def test_manual_start_cuts_backoff_short_and_resets_attempts(mai):
    mai.config({"m": mai.engine("m", ["--state", mai.tmp / "n", "--good-after", "1", *DIES], backoff=30)})
    mai.serve()
    later = world.Later(mai.post, "/start", timeout=30)
    mai.wait_state("backoff")
    before = time.monotonic()
    r = mai.post("/start", timeout=10)
    assert r.status == 200, r
    assert time.monotonic() - before < 1 * SLOW
    assert mai.status()["restart_attempts"] == 0
    assert later.result().status == 200


def test_a_request_in_backoff_waits_and_is_served(mai):
    mai.config({"m": mai.engine("m", backoff=0.2)})
    mai.start_all()
    os.kill(mai.status()["pid"], signal.SIGKILL)
    mai.wait_state("backoff")
    before = time.monotonic()
    r = mai.chat("m")
    assert r.status == 200
    assert 0.2 < time.monotonic() - before < 0.5 + 0.5 * SLOW
    assert int(r.header("X-Queue-Ms")) >= 150


def test_a_request_does_not_shorten_backoff(mai):
    mai.config({"m": mai.engine("m", backoff=0.5)})
    mai.start_all()
    os.kill(mai.status()["pid"], signal.SIGKILL)
    died = time.monotonic()
    mai.wait_state("backoff")
    assert mai.chat("m").status == 200
    assert time.monotonic() - died >= 0.95


def test_load_of_another_model_leaves_backoff(mai):
    mai.config({"m": mai.engine("m", backoff=30), "good": mai.engine("good")}, defaultModel="m")
    mai.serve()
    mai.ready()
    os.kill(mai.status()["pid"], signal.SIGKILL)
    mai.wait_state("backoff")
    assert mai.post("/load", {"model": "good"}).status == 200
    assert mai.status()["current_model"] == "good"
    never(lambda: mai.records["m"].count("start") > 1, 0.5, "the old model came back")


def test_exit_while_starting_counts_too(mai):
    mai.config({"m": mai.engine("m", ["--state", mai.tmp / "n", "--good-after", "2", "--ready-after", "100",
                                      "--exit-after", "50", "--exit-code", "1"], backoff=0.05)})
    mai.serve()
    assert mai.post("/start", timeout=20).status == 200
    assert mai.records["m"].count("start") == 3
    assert mai.status()["restart_attempts"] == 2
