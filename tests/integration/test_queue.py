# SPDX-License-Identifier: ISC
"""Requests wait while their model is not there: bounded, in order, forgotten when their client leaves."""
import time

import pytest

from lib import http, world
from lib.mai import SLOW
from lib.proc import wait


def loading(m, ms=700, **top):
    m.config({"m": m.engine("m", ["--ready-after", str(ms)])}, **top)
    m.serve()
    m.settle_fds()
    return m


def queued(m):
    return m.status()["queued"]


def test_requests_wait_for_a_starting_engine(mai):
    loading(mai)
    before = time.monotonic()
    calls = [world.Later(mai.chat, "m") for _ in range(10)]
    wait(lambda: queued(mai) == 10, 3, lambda: mai.status())
    for c in calls:
        r = c.result()
        assert r.status == 200 and int(r.header("X-Queue-Ms")) > 300
    assert time.monotonic() - before < 1.5 * SLOW + 1
    assert queued(mai) == 0 and mai.records["m"].count("start") == 1


def test_first_in_first_out(mai):
    loading(mai, 600)
    calls = []
    for i in range(6):
        calls.append(world.Later(mai.post, f"/v1/chat/completions?n={i}", http.chat("m")))
        wait(lambda: queued(mai) == i + 1, 3)
    for c in calls:
        assert c.result().status == 200
    order = [e["path"][-1] for e in mai.records["m"].events("request") if "n=" in e["path"]]
    assert order == list("012345")


def test_concurrencyLimit_waits_in_order_and_starves_nobody_else(mai):
    mai.config({"a": mai.engine("a"), "b": mai.engine("b")}, concurrencyLimit=2, minResident=0, maxSwapWait=0.2)
    mai.serve()
    assert mai.chat("a").status == 200
    before = time.monotonic()
    calls = []
    for i in range(6):
        calls.append(world.Later(mai.post, f"/v1/chat/completions?n={i}", http.chat("a"), headers={"X-Fake": "delay=300"}))
        wait(lambda: mai.snapshot()["in_flight"] + queued(mai) == i + 1, 3)
    assert mai.snapshot()["in_flight"] == 2 and queued(mai) == 4
    # one that waits and leaves takes no place; another model's turn comes when those who were first are served
    gone = mai.raw()
    gone.send(http.request("POST", "/v1/chat/completions?n=x", http.chat("a")))
    wait(lambda: queued(mai) == 5, 3)
    other = world.Later(mai.chat, "b")
    wait(lambda: mai.snapshot()["queued"] == 6, 3)
    gone.s.close()
    late = world.Later(mai.post, "/v1/chat/completions?n=late", http.chat("a"))
    assert all(c.result().status == 200 for c in calls)
    assert time.monotonic() - before >= 0.9, "three rounds of two"
    assert other.result().status == 200 and late.result().status == 200
    order = [e["path"].partition("n=")[2] for e in mai.records["a"].events("request") if "n=" in e["path"]]
    # two go at a time, and which of them the engine reads first is its own affair
    assert [sorted(order[i:i + 2]) for i in range(0, 7, 2)] == [["0", "1"], ["2", "3"], ["4", "5"], ["late"]], order
    assert mai.records["a"].count("start") == 2 and mai.records["b"].count("start") == 1


def test_full_queue_is_503_with_retry_after(mai):
    loading(mai, 1500, queueMax=3)
    calls = [world.Later(mai.chat, "m") for _ in range(3)]
    wait(lambda: queued(mai) == 3, 3)
    before = time.monotonic()
    r = mai.chat("m")
    assert time.monotonic() - before < 0.3 * SLOW
    assert r.status == 503 and r.json["error"]["code"] == "queue_full" and int(r.header("Retry-After")) > 0
    assert all(c.result().status == 200 for c in calls)


def test_queueMaxWait(mai):
    mai.config({"m": mai.engine("m", ["--never-ready", "--flood", "20"])}, queueMaxWait=0.5)
    mai.serve()
    before = time.monotonic()
    r = mai.chat("m")
    assert r.status == 503 and r.json["error"]["code"] == "queue_timeout" and r.header("Retry-After")
    assert 0.45 < time.monotonic() - before < 0.7 + SLOW


def test_control_is_never_queued(mai):
    loading(mai, 1500)
    c = world.Later(mai.chat, "m")
    wait(lambda: queued(mai) == 1, 3)
    for path in ("/status", "/health", "/metrics", "/v1/models", "/api/requests", "/livez"):
        before = time.monotonic()
        assert mai.get(path).status in (200, 503)
        assert time.monotonic() - before < 0.3 * SLOW
    assert c.result().status == 200


def test_stop_answers_the_waiters(mai):
    mai.config({"m": mai.engine("m", ["--never-ready", "--flood", "20"])})
    mai.serve()
    calls = [world.Later(mai.chat, "m") for _ in range(3)]
    wait(lambda: queued(mai) == 3, 3)
    before = time.monotonic()
    mai.post("/stop")
    for c in calls:
        assert c.result().status == 503
    assert time.monotonic() - before < 2 * SLOW


def test_shutdown_answers_the_waiters_at_once(mai):
    mai.config({"m": mai.engine("m", ["--never-ready", "--flood", "20"])})
    mai.serve()
    calls = [world.Later(mai.chat, "m") for _ in range(3)]
    wait(lambda: queued(mai) == 3, 3)
    before = time.monotonic()
    mai.p.terminate()
    for c in calls:
        r = c.result()
        assert r.status == 503 and r.json["error"]["code"] == "shutting_down"
    assert time.monotonic() - before < 0.5 * SLOW
    assert mai.wait_exit(5) == 0
    assert time.monotonic() - before < 2 * SLOW


def test_queued_bodies_arrive_whole(mai):
    loading(mai, 400)
    bodies = [{"messages": [{"role": "user", "content": c * 300_000}], "model": "m"} for c in "xyz"]
    calls = [world.Later(mai.post, "/v1/chat/completions", b, headers={"X-Fake": "echo-head"}) for b in bodies]
    for c, b in zip(calls, bodies):
        r = c.result()
        assert r.status == 200
        import json
        assert json.loads(r.json["body"]) == b


def test_requests_are_listed_with_their_phase(mai):
    loading(mai, 800)
    c = world.Later(mai.chat, "m", fake="sse=20, gap=20", stream=True)
    wait(lambda: "queued" in mai.get("/api/requests").body.decode(), 3, "queued")
    wait(lambda: '"gen"' in mai.get("/api/requests").body.decode(), 3, "generating")
    c.result()
    wait(lambda: '"gen"' not in mai.get("/api/requests").body.decode(), 3, "gone")


def test_one_restart_serves_a_request_that_met_a_crash(mai):
    """Before the first byte a crash is invisible: queued once more behind one restart."""
    mai.config({"m": mai.engine("m", ["--state", mai.tmp / "n", "--good-after", "1", "--crash-on-request", "1",
                                      "--signal", "SEGV"], backoff=0.05)})
    mai.serve()
    r = mai.chat("m")
    assert r.status == 200, r
    assert mai.records["m"].count("start") == 2


@pytest.mark.parametrize("slow,reason", [(700, "crash"), (600_000, "wedged")])
def test_one_that_dies_slowly_loses_nobody_either(mai, slow, reason):
    """Its sockets are closed at once, its process goes later, as with a GPU to hand back, or never. Who had no byte yet, and
    who comes meanwhile, is served by the next one."""
    mai.config({"m": mai.engine("m", ["--state", mai.tmp / "n", "--good-after", "1", "--crash-on-request", "4", "--slow-death",
                                      slow, "--signal", "SEGV"], backoff=0.05)})
    mai.start_all()
    calls = [world.Later(mai.chat, "m", fake="delay=500") for _ in range(3)]
    wait(lambda: mai.stats()["in_progress"] == 3, 5, "in flight")
    calls += [world.Later(mai.chat, "m")]
    wait(lambda: mai.records["m"].count("die"), 5, "it begins to die")
    calls += [world.Later(mai.chat, "m") for _ in range(4)]
    time.sleep(0.2)     # well past the moment in which a death is usually known
    calls += [world.Later(mai.chat, "m") for _ in range(4)]
    assert [c.result(15 * SLOW).status for c in calls] == [200] * 12
    s = mai.ready()
    assert s["last_exit"]["reason"] == reason, s["last_exit"]
    assert mai.records["m"].count("start") == 2


def test_a_second_crash_is_told(mai):
    mai.config({"m": mai.engine("m", ["--crash-on-request", "1", "--signal", "SEGV"], backoff=0.05)})
    mai.serve()
    r = mai.chat("m")
    assert r.status == 502 and r.json["error"]["code"] == "engine_crashed", r
    assert "SIGSEGV" in r.body.decode()
    assert mai.records["m"].count("request") == 2, "sent at most twice"
