# SPDX-License-Identifier: ISC
"""Upgrades: the handshake, bytes both ways with a bound on what is kept, and every way in which a tunnel ends."""
import os
import signal
import socket
import threading
import time

import pytest

from lib import http, proc, world, ws
from lib.http import request
from lib.mai import MAI, SLOW
from lib.proc import never, wait
from lib.ws import BINARY, CLOSE, PING, PONG, TEXT, WebSocket, frame, handshake

WS = "/upstream/m/ws"


def tunnels(m, id=None):
    s = m.stats(id)
    return s["tunnels"] - s["tunnels_ended"]


def row(m):
    rows = m.get("/api/requests").json["requests"]
    return rows[0] if rows else None


def reset_seen(c):
    """Whether the connection ends with a reset, not with an orderly close."""
    c.s.settimeout(5)
    try:
        while c.s.recv(65536):
            pass
        return False
    except ConnectionResetError:
        return True


# the handshake ----------------------------------------------------------------------------------------------------

def test_handshake_and_echo(one):
    with WebSocket(one.port, WS + "?q=1", [("X-Request-Id", "mine")]) as c:
        assert c.headers["x-mai-model"] == "m" and c.headers["x-request-id"] == "mine" and c.headers["x-engine"] == "yes"
        for data in ("hello", "", "x" * 125, "y" * 126, "z" * 65535, "w" * 65536):
            c.echo(data)
        c.echo(bytes(range(256)) * 50, BINARY)
        c.say("are you there", PING)
        assert c.hear() == (PONG, b"are you there")
        c.say(b"\x03\xe8bye", CLOSE)
        assert c.hear() == (CLOSE, b"\x03\xe8bye")
        assert c.closed(2)
    wait(lambda: one.status()["in_flight"] == 0, 2, "over")
    line = one.get("/logs?source=access&n=5").body.decode()
    assert " GET /upstream/m/ws 101 " in line
    assert 'mai_requests_total{model="m",code="101"} 1' in one.get("/metrics").body.decode()


def test_what_reaches_the_engine(one):
    fields = [("Sec-WebSocket-Protocol", "chat, other"), ("Sec-WebSocket-Extensions", "permessage-deflate"), ("Sec-Fetch-Site", "same-origin"),
              ("Origin", f"http://127.0.0.1:{one.port}"), ("Cookie", "secret"), ("Authorization", "Bearer secret"), ("X-Keep", "yes"),
              ("X-Forwarded-For", "1.2.3.4")]
    with WebSocket(one.port, WS, fields, fake="ws, ws-head") as c:
        op, head = c.hear()
        head = head.decode()
        assert op == TEXT and head.startswith("GET /ws HTTP/1.1\r\n") and head.endswith("\r\n\r\n")
        for line in ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: chat, other",
                     "Sec-WebSocket-Extensions: permessage-deflate", "X-Keep: yes"):
            assert f"\r\n{line}\r\n" in head
        for no in ("secret", "Origin", "Sec-Fetch", "keep-alive", "1.2.3.4", "Content-Length"):
            assert no not in head
        assert c.headers["sec-websocket-protocol"] == "chat"
        c.echo("hi")


def test_by_a_path_of_the_models_own(mai):
    mai.config({"a": mai.engine("a", extraPaths=["/live"]), "b": mai.engine("b", extraPaths=["/live"])},
               apiKeys=["root-key", {"key": "infer-key", "scope": "infer"}])
    mai.keys = {"Authorization": "Bearer root-key"}
    mai.start_all()
    key = [("X-Api-Key", "infer-key")]
    with WebSocket(mai.port, "/live", key) as c:
        assert c.headers["x-mai-model"] == "a"
        c.echo("one")
        c.say(b"", CLOSE)
        assert c.closed(2) or c.hear()
    with WebSocket(mai.port, "/live?model=b", key, timeout=20) as c:
        assert c.headers["x-mai-model"] == "b"
        c.echo("two")
        # its own path is all that a key for inference opens
        with mai.raw() as d:
            d.send(handshake("/upstream/b/live", key)[0])
            assert d.head()[0] == 403


def test_early_data_goes_to_the_engine_after_the_101(one):
    """Also when it looks like a request."""
    early = frame("early 1") + frame("e" * 20000) + frame("GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
    with WebSocket(one.port, WS, fake="ws, delay=100", early=early) as c:
        assert [c.hear()[1][:7] for _ in range(3)] == [b"early 1", b"eeeeeee", b"GET /st"]
        c.echo("and on")


def test_early_data_without_a_101_is_nobodys(one):
    with one.raw() as c:
        data, _ = handshake(WS, [("X-Fake", "any, status=403")])
        c.send(data + request("POST", "/upstream/m/evil", b"{}"))
        r = c.reply()
        assert r.status == 403 and r.header("Connection") == "close"
        assert c.closed(3) and c.buf == b""
    assert not [e for e in one.records["m"].events("request") if "evil" in e["path"]]


def test_an_answer_that_is_no_101_is_an_answer(one):
    for fake, status in (("any", 200), ("any, status=426", 426), ("any, body-bytes=100000, chunked", 200)):
        with one.raw() as c:
            c.send(handshake(WS, [("X-Fake", fake)])[0])
            r = c.reply()
            assert r.status == status and r.body and r.header("Upgrade") is None and r.header("X-Mai-Model") == "m"


def test_no_upgrade_where_none_is_meant(one):
    # h2c: a plain request
    with one.raw() as c:
        c.send("GET /upstream/m/x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
               "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nX-Fake: any, echo-head\r\n\r\n")
        r = c.reply()
        assert r.status == 200 and "pgrade" not in r.json["head"] and "ettings" not in r.json["head"]
    # inference paths have none
    with one.raw() as c:
        c.send(request("POST", "/v1/chat/completions", http.chat("m"), [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("X-Fake", "ws, echo-head"),
                                                                        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]))
        r = c.reply()
        assert r.status == 200 and "pgrade" not in r.json["head"] and "ebSocket" not in r.json["head"]
    # a 101 for something else than what was asked for
    with one.raw() as c:
        c.send(handshake(WS, [("X-Fake", "upgrade=other")])[0])
        r = c.reply()
        assert r.status == 502 and r.json["error"]["code"] == "bad_gateway"
    assert wait(lambda: tunnels(one) == 0, 2)


def test_other_protocols(one):
    with one.raw() as c:
        c.send("POST /upstream/m/x HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: raw/1\r\nContent-Length: 4\r\n"
               "X-Fake: upgrade=raw/1\r\n\r\nbody")
        status, fields = c.head()
        assert status == 101 and ("Upgrade", "raw/1") in fields
        c.send(b"\0\r\n any bytes \xff")
        assert c.exactly(15) == b"\0\r\n any bytes \xff"


# who may ----------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    from lib.mai import Mai
    m = Mai(tmp_path_factory.mktemp("guarded"))
    try:
        m.config({"m": m.engine("m")}, apiKeys=["root-key", {"key": "infer-key", "scope": "infer"}], allowedOrigins=["https://ok.example"])
        m.keys = {"Authorization": "Bearer root-key"}
        m.start_all()
        yield m
    finally:
        m.finish()


ROOT = {"Authorization": "Bearer root-key"}


@pytest.mark.parametrize("headers,status", [
    ({}, 401), ({"Authorization": "Bearer nope"}, 401), ({"X-Api-Key": "infer-key"}, 403),
    ({**ROOT, "Origin": "https://evil.example"}, 403), ({**ROOT, "Origin": "null"}, 403), ({**ROOT, "Sec-Fetch-Site": "cross-site"}, 403),
    ({**ROOT, "Origin": "http://127.0.0.1:1"}, 403), ({**ROOT, "Origin": "{own}", "Host": "evil.example"}, 403)])
def test_refused_before_anything_reaches_the_engine(guarded, headers, status):
    before = guarded.stats()
    headers = {k: v.format(own=f"http://127.0.0.1:{guarded.port}") for k, v in headers.items()}
    host = headers.pop("Host", "127.0.0.1")
    with guarded.raw() as c:
        c.send(handshake(WS, list(headers.items()) + [("X-Fake", "ws")], host=host)[0])
        r = c.reply()
        assert r.status == status and r.json["error"]
    assert guarded.stats()["tunnels"] == before["tunnels"] and guarded.stats()["requests"] == before["requests"]


@pytest.mark.parametrize("origin", [None, "https://ok.example", "{own}"])
def test_pages_that_may(guarded, origin):
    headers = list(ROOT.items())
    if origin:
        host = f"127.0.0.1:{guarded.port}"
        headers.append(("Origin", origin.format(own=f"http://{host}")))
        data, key = handshake(WS, headers + [("X-Fake", "ws")], host=host)
        with guarded.raw() as c:
            c.send(data)
            status, fields = c.head()
            assert status == 101 and ("Sec-WebSocket-Accept", ws.accept_of(key)) in fields
    else:
        with WebSocket(guarded.port, WS, headers) as c:
            c.echo("hi")


# bytes ------------------------------------------------------------------------------------------------------------

@pytest.mark.limit(120)
def test_large_transfers_both_ways_at_once(one):
    """40 MB each way; what the client does not read yet holds back the engine and the client itself, and mai keeps little."""
    n, size = 640, 65000
    rss = proc.rss_kib(one.core)
    with WebSocket(one.port, WS, rcvbuf=65536, timeout=60) as c:
        payload = os.urandom(size)
        data = frame(payload, BINARY, mask=b"\0\0\0\0")
        sender = threading.Thread(target=lambda: [c.s.sendall(data) for _ in range(n)], daemon=True)
        sender.start()
        seen = []

        def stalls():
            seen.append(one.stats()["tunnel_in"])
            return len(seen) > 40 and seen[-1] == seen[-40] and seen[-1] > 0
        wait(stalls, 20, "everything stands", every=0.01)
        assert sender.is_alive(), "the sender is held back"
        if not world.sanitized(MAI):
            assert proc.rss_kib(one.core) - rss < 3072
        cpu = proc.cpu_seconds(one.core)
        never(lambda: proc.cpu_seconds(one.core) - cpu > 0.05, 0.5, "no spinning while it stands")
        assert one.chat("m").status == 200, "others are not disturbed"
        for _ in range(n):
            assert c.hear() == (BINARY, payload)
        sender.join(10)
        assert not sender.is_alive()
        r = row(one)
        assert r["bytes_out"] >= n * size and r["bytes_in"] >= n * size and r["api"] == "upstream" and r["phase"] == "gen"
        if not world.sanitized(MAI):
            assert proc.rss_kib(one.core) - rss < 3072
        c.echo("still here")


@pytest.mark.limit(90)
def test_a_flood_that_nobody_reads(one):
    with WebSocket(one.port, WS, rcvbuf=8192, timeout=30) as c:
        rss = proc.rss_kib(one.core)
        c.say("!flood 100000000")
        seen = []

        def stalls():
            seen.append(one.stats()["tunnel_out"])
            return len(seen) > 40 and seen[-1] == seen[-40] and seen[-1] > 0
        wait(stalls, 20, "the engine is held back", every=0.01)
        assert seen[-1] < 30_000_000
        if not world.sanitized(MAI):
            assert proc.rss_kib(one.core) - rss < 2048
        got = 0
        while got < 100_000_000:
            got += len(c.hear()[1])
        c.echo("and on")


@pytest.mark.limit(90)
def test_an_engine_that_does_not_listen(one):
    with WebSocket(one.port, WS, timeout=30) as c:
        http.call(one.records["m"].port(), "POST", "/fake/deaf")
        rss = proc.rss_kib(one.core)
        data, sent = frame(b"x" * 65000, BINARY, mask=b"\0\0\0\0"), 0
        c.s.settimeout(1.5)
        with pytest.raises((TimeoutError, socket.timeout)):
            while sent < 60_000_000:
                sent += c.s.send(data[sent % len(data):])
        assert 100_000 < sent < 30_000_000
        if not world.sanitized(MAI):
            assert proc.rss_kib(one.core) - rss < 2048
        assert row(one)["bytes_in"] <= sent
        http.call(one.records["m"].port(), "POST", "/fake/hear")
        c.s.settimeout(30)
        c.send(data[sent % len(data):])
        for _ in range(sent // len(data) + 1):
            assert len(c.hear()[1]) == 65000
        c.echo("now it does")


def test_fifty_tunnels_side_by_side(one):
    conns = [WebSocket(one.port, WS) for _ in range(50)]
    for i, c in enumerate(conns):
        c.say(f"I am {i}")
    for i, c in enumerate(conns):
        assert c.hear() == (TEXT, f"I am {i}".encode())
    assert one.status()["in_flight"] == 50 and tunnels(one) == 50
    for c in conns:
        c.s.close()
    wait(lambda: one.status()["in_flight"] == 0 and tunnels(one) == 0, 5, "all gone")


# ends -------------------------------------------------------------------------------------------------------------

def test_the_engine_closes(one):
    with WebSocket(one.port, WS) as c:
        c.say("last words")
        c.say("!close")
        assert c.hear() == (TEXT, b"last words")
        assert not reset_seen(c)
    wait(lambda: one.status()["in_flight"] == 0, 2, "over")


def test_the_engine_resets(one):
    with WebSocket(one.port, WS) as c:
        c.say("!reset")
        assert c.closed(3)
    wait(lambda: one.status()["in_flight"] == 0, 2, "over")
    assert one.state() == "ready"


def test_the_engine_dies(mai):
    mai.config({"m": mai.engine("m", backoff=0.05)})
    mai.start_all()
    for how in ("!die", None):
        with WebSocket(mai.port, WS) as c:
            c.echo("hi")
            if how:
                c.say(how)
            else:
                os.kill(mai.status()["pid"], signal.SIGKILL)
            assert c.closed(3)
        wait(lambda: mai.state() == "ready" and mai.status()["in_flight"] == 0, 10, "it is back")


@pytest.mark.parametrize("how", ["fin", "rst", "half"])
def test_the_client_leaves(one, how):
    c = WebSocket(one.port, WS)
    c.echo("hi")
    if how == "rst":
        c.reset()
    elif how == "half":
        c.say("the last")
        c.s.shutdown(socket.SHUT_WR)
    else:
        c.s.close()
    wait(lambda: tunnels(one) == 0, 3, "the engine sees it leave")
    wait(lambda: one.status()["in_flight"] == 0, 2, "over")
    assert " GET /upstream/m/ws 101 " in one.get("/logs?source=access&n=5").body.decode()


def test_the_client_leaves_while_it_is_blocked(one):
    c = WebSocket(one.port, WS, rcvbuf=8192)
    c.say("!flood 50000000")
    wait(lambda: one.stats()["tunnel_out"] > 300_000, 5, "it floods")
    c.reset()
    wait(lambda: tunnels(one) == 0, 5, "noticed")
    assert one.chat("m").status == 200


def test_the_client_leaves_before_the_answer(one):
    with one.raw() as c:
        c.send(handshake(WS, [("X-Fake", "ws, delay=300")])[0])
        wait(lambda: one.status()["in_flight"] == 1, 3, "it is with the engine")
    wait(lambda: one.status()["in_flight"] == 0, 2, "gone")
    assert " 499 " in one.get("/logs?source=access&n=5").body.decode()


def test_cancel(one):
    with WebSocket(one.port, WS) as c:
        c.echo("hi")
        assert one.post(f"/api/requests/{row(one)['id']}/cancel").status == 200
        assert c.closed(2)
    wait(lambda: tunnels(one) == 0, 3)


def test_idle_tunnels_stay(mai):
    """No timeout: neither the one of idle connections, nor a stall of the engine's."""
    mai.config({"m": mai.engine("m", stallTimeout=0.5, healthCheckTimeout=1)}, idleTimeout=0.3, headTimeout=0.3)
    mai.start_all()
    with WebSocket(mai.port, WS) as c:
        c.echo("hi")
        never(lambda: tunnels(mai) != 1 or mai.state() != "ready", 2.5, "it ended")
        c.echo("still here")


# the model comes and goes -----------------------------------------------------------------------------------------

def start_two(m, **top):
    m.config({"m": m.engine("m"), "b": m.engine("b", ["--ready-after", "200"])}, minResident=0, maxSwapWait=0.1, **top)
    m.start_all()


def test_it_loads_its_model(mai):
    start_two(mai)
    with WebSocket(mai.port, "/upstream/b/ws", timeout=20) as c:
        assert c.headers["x-mai-model"] == "b" and int(c.headers["x-queue-ms"]) > 100
        c.echo("hi")


def test_a_swap_by_request_waits_for_it_no_longer_than_drainTimeout(mai):
    """A stream has an end and is waited for; a tunnel may have none."""
    start_two(mai, drainTimeout=1.0)
    with WebSocket(mai.port, WS) as c:
        c.echo("hi")
        other = world.Later(mai.chat, "b", timeout=20)
        wait(lambda: mai.engine_state("m") == "draining", 5, "m drains")
        before = time.monotonic()
        c.echo("it still works")
        r = other.result(20)
        assert r.status == 200 and r.header("X-Mai-Model") == "b"
        assert time.monotonic() - before > 0.8
        assert c.closed(2)


def test_a_swap_goes_on_at_once_when_it_ends(mai):
    start_two(mai, drainTimeout=60)
    with WebSocket(mai.port, WS) as c:
        c.echo("hi")
        other = world.Later(mai.chat, "b", timeout=20)
        wait(lambda: mai.engine_state("m") == "draining", 5, "m drains")
        c.say(b"", CLOSE)
        assert other.result(10).status == 200


def test_a_stop_closes_it(mai):
    start_two(mai, drainTimeout=0.5)
    with WebSocket(mai.port, WS) as c:
        c.echo("hi")
        assert mai.post("/stop", timeout=20).status == 200
        assert c.closed(2)
        assert mai.state() == "stopped"


def test_the_end_of_mai_closes_it(mai):
    start_two(mai, drainTimeout=0.5)
    with WebSocket(mai.port, WS) as c:
        c.echo("hi")
        assert mai.term(10) == 0
        assert c.closed(2)


def test_it_keeps_the_model_while_it_is_open_and_not_longer(mai):
    mai.config({"m": mai.engine("m", ttl=0.7)})
    mai.start_all()
    with WebSocket(mai.port, WS) as c:
        c.echo("hi")
        never(lambda: mai.state() != "ready", 1.5, "unloaded under a tunnel")
        c.echo("still here")
    wait(lambda: mai.state() == "stopped", 5, "it was no use that puts off the unloading")


def test_a_crash_before_the_101_is_not_seen(mai):
    mai.config({"m": mai.engine("m", ["--crash-on-request", "1", "--good-after", "1", "--state", str(mai.tmp / "s"), "--any"], backoff=0.05)})
    mai.start_all()
    with WebSocket(mai.port, WS, timeout=20) as c:
        c.echo("hi")
    assert mai.records["m"].count("start") == 2
