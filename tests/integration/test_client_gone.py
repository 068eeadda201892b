# SPDX-License-Identifier: ISC
"""A client that leaves is forgotten at once, wherever its request is (C6, C7, C8)."""
import socket
import time

import pytest

from lib import http
from lib.http import request
from lib.mai import SLOW
from lib.proc import never, wait
from test_events import Watch

CHAT = "/v1/chat/completions"


def leave(c, how):
    if how == "rst":
        c.reset()
    elif how == "fin":
        c.s.close()
    else:
        c.s.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("how", ["fin", "rst", "half-close"])
def test_C6_client_leaves_while_queued(mai, how):
    mai.config({"m": mai.engine("m", ["--ready-after", "1200"])})
    mai.serve()
    mai.settle_fds()
    stays = mai.raw()
    stays.send(request("POST", CHAT, http.chat("m")))
    goes = mai.raw()
    goes.send(request("POST", CHAT, http.chat("m")))
    wait(lambda: mai.status()["queued"] == 2, 3, "queued")
    leave(goes, how)
    before = time.monotonic()
    wait(lambda: mai.status()["queued"] == 1, 1, "slot freed")
    assert time.monotonic() - before < 0.1 * SLOW + 0.05
    assert stays.reply().status == 200
    assert mai.records["m"].count("request") == 1, "never sent to the engine"
    stays.s.close()
    goes.s.close()


def test_C6_client_leaves_with_a_pipelined_request_unread(mai):
    mai.config({"m": mai.engine("m", ["--ready-after", "1200"])})
    mai.serve()
    c = mai.raw()
    c.send(request("POST", CHAT, http.chat("m")) + request("GET", "/status"))
    wait(lambda: mai.status()["queued"] == 1, 3)
    c.s.close()
    wait(lambda: mai.status()["queued"] == 0, 1, "slot freed though data is unread")


def test_C6_a_client_that_left_never_causes_a_load(mai):
    mai.config({"a": mai.engine("a"), "b": mai.engine("b")}, minResident=0)
    mai.serve()
    mai.settle_fds()
    mai.post("/load", {"model": "a"})
    hold = mai.raw()
    hold.send(request("POST", CHAT, http.chat("a", True), [("X-Fake", "sse=1000, gap=20")]))
    hold.head()
    c = mai.raw()
    c.send(request("POST", CHAT, http.chat("b")))
    wait(lambda: mai.status()["queued"] == 1 or "queued" in mai.get("/api/requests").body.decode(), 3)
    c.s.close()
    wait(lambda: "queued" not in mai.get("/api/requests").body.decode(), 1)
    hold.s.close()
    never(lambda: mai.records["b"].count("start"), 0.5, "b was loaded for nobody")
    assert mai.status()["current_model"] == "a"


def test_a_load_that_nobody_waits_for_any_more_goes_on(mai):
    """Its client will ask again; a load that each impatient client ends would never come to its end."""
    mai.config({"m": mai.engine("m", ["--ready-after", "1000"])})
    mai.serve()
    c = mai.raw()
    c.send(request("POST", CHAT, http.chat("m")))
    wait(lambda: mai.status()["state"] == "starting", 5, "loading")
    c.s.close()
    wait(lambda: mai.status()["queued"] == 0, 1 * SLOW, "gone")
    mai.ready()
    assert mai.records["m"].count("start") == 1 and mai.records["m"].count("request") == 0


def test_a_load_that_nobody_waits_for_any_more_gives_way(mai):
    mai.config({"a": mai.engine("a", ["--ready-after", "30000"], healthCheckTimeout=60), "b": mai.engine("b")})
    mai.serve()
    c = mai.raw()
    c.send(request("POST", CHAT, http.chat("a")))
    wait(lambda: mai.status()["state"] == "starting", 5, "loading")
    c.s.close()
    wait(lambda: mai.status()["queued"] == 0, 1 * SLOW, "gone")
    before = time.monotonic()
    assert mai.chat("b").status == 200
    assert time.monotonic() - before < 5 * SLOW, "not after a's start"


@pytest.mark.parametrize("how", ["fin", "rst", "half-close"])
@pytest.mark.parametrize("framing", ["chunked", "http10"])
def test_C7_C8_client_leaves_mid_stream(one, how, framing):
    c = one.raw()
    c.send(request("POST", CHAT, http.chat("m", True), [("X-Fake", f"sse=10000, gap=20, {framing}")]))
    c.head()
    c.chunk()
    leave(c, how)
    before = time.monotonic()
    wait(lambda: one.stats()["aborted"] == 1, 1, "the engine is told")
    assert time.monotonic() - before < 0.1 * SLOW + 0.1
    tokens = one.stats()["tokens"]
    never(lambda: one.stats()["tokens"] > tokens, 0.3, "tokens for nobody")
    assert one.status()["in_flight"] == 0
    c.s.close()


def test_onAbort_drain_lets_the_engine_finish_within_drainTimeout(mai):
    mai.config({"m": mai.engine("m", onAbort="drain")}, drainTimeout=1)
    mai.start_all()
    for fake, finishes in (("sse=20, gap=20", True), ("sse=10000, gap=20", False)):
        before = mai.stats()
        c = mai.raw()
        c.send(request("POST", CHAT, http.chat("m", True), [("X-Fake", fake)]))
        c.head()
        c.chunk()
        c.s.close()
        wait(lambda: mai.status()["in_flight"] == 0, 5, "it is over")
        now = mai.stats()
        assert (now["done"] > before["done"], now["aborted"] > before["aborted"]) == (finishes, not finishes), (before, now)


def test_onAbort_drain_is_listed_as_what_it_is_and_ends_once(mai):
    mai.config({"m": mai.engine("m", onAbort="drain")})
    mai.start_all()
    with Watch(mai) as w:
        w.until(lambda n, d, i: n == "snapshot")
        with mai.raw() as c:
            c.send(request("POST", CHAT, http.chat("m", True), [("X-Fake", "sse=40, gap=50")]))
            c.head()
            c.chunk()
        rows = wait(lambda: [r for r in mai.get("/api/requests").json["requests"] if r["client"] == "-"], 2, "its client is gone")
        assert [r["phase"] for r in rows] == ["gen"]
        w.until(lambda n, d, i: n == "request" and d["phase"] == "done")
        assert mai.stats()["done"] == 1, "told as over while its engine worked"
        assert mai.chat("m").status == 200
        w.until(lambda n, d, i: n == "gauges" and d["done"] == 2)
    assert [d["id"] for n, d, _ in w.events if n == "request" and d["phase"] == "done"].count(1) == 1


@pytest.mark.parametrize("how", ["fin", "rst", "half-close"])
def test_C7_client_leaves_while_the_stream_is_silent(one, how):
    c = one.raw()
    c.send(request("POST", CHAT, http.chat("m", True), [("X-Fake", "sse=10, stall-after=2")]))
    c.head()
    c.chunk()
    leave(c, how)
    wait(lambda: one.stats()["aborted"] == 1, 1, "noticed without a byte to write")
    c.s.close()


def test_C7_client_leaves_while_it_is_blocked(one):
    """It does not read, the back-log is full, and then it goes."""
    c = one.raw(rcvbuf=8192)
    c.send(request("POST", CHAT, http.chat("m", True), [("X-Fake", "sse=2000, chunk-bytes=65536")]))
    seen = []

    def stalled():
        seen.append(one.stats()["bytes"])
        return len(seen) > 30 and seen[-1] == seen[-30]
    wait(stalled, 10, "blocked", every=0.01)
    c.reset()
    wait(lambda: one.stats()["aborted"] == 1, 1, "freed")


def test_C7_client_leaves_during_upload(one):
    c = one.raw()
    c.send(f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" + "x" * 1000)
    c.s.close()
    never(lambda: one.records["m"].count("request"), 0.3, "half a request was sent on")
    assert one.status()["in_flight"] == 0


def test_C8_a_half_close_after_a_served_request_ends_the_connection(one):
    c = one.raw()
    c.send(request("GET", "/status"))
    assert c.reply().status == 200
    c.s.shutdown(socket.SHUT_WR)
    assert c.closed(1)


@pytest.mark.limit(120)
def test_C9_reset_at_every_offset(one):
    one.post("/stop")
    one.post("/start")
    whole = request("POST", CHAT, http.chat("m", True), [("X-Fake", "sse=3")])
    for n in list(range(0, len(whole) + 1)):
        c = one.raw()
        c.send(whole[:n])
        c.reset()
    with one.raw() as c:
        c.send(whole.replace(b"Host:", b"Connection: close\r\nHost:"))
        length = len(c.all())
    for n in range(0, length - 60, 9):
        c = one.raw()
        c.send(whole)
        while len(c.buf) < n and c.fill(n - len(c.buf) or 1):
            pass
        c.reset()
    wait(lambda: one.status()["in_flight"] == 0, 3)
    assert one.chat("m").status == 200
