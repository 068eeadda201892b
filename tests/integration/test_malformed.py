# SPDX-License-Identifier: ISC
"""The front is strict (C1 to C5, C9 to C16); what it refuses it refuses with one answer and a close."""
import resource
import socket
import time

import pytest

from lib import http, proc, world
from lib.http import request
from lib.mai import MAI, SLOW
from lib.proc import never, wait

CHAT = "/v1/chat/completions"
OK = '{"messages":[],"model":"m"}'


def refused(m, data, *want, timeout=5):
    """One response with a wanted status, then a close; nothing reached the engine."""
    before = m.records["m"].count("request")
    with m.raw(timeout=timeout) as c:
        c.send(data)
        status, headers = c.head()
        assert status in want, (status, data[:200])
        rest = c.all()
        if rest:
            assert rest.startswith(b"{") and rest.endswith(b"}") and b"\nHTTP/1." not in rest, "one answer only"
    assert m.records["m"].count("request") == before
    return status


# time and size ----------------------------------------------------------------------------------------------------

@pytest.mark.limit(60)
def test_C1_slow_head_is_408_in_all(mai):
    mai.config({"m": mai.engine("m")}, headTimeout=1.5)
    mai.start_all()
    with mai.raw() as c:
        before = time.monotonic()
        data = iter(b"GET /status HTTP/1.1\r\nHost: localhost\r\nX-Drip: " + b"d" * 1000)
        c.s.settimeout(0.1)
        while not c.eof:
            try:
                c.send(bytes([next(data)]))
            except OSError:
                break
            try:
                c.fill()
            except TimeoutError:
                pass
        took = time.monotonic() - before
        assert 1.3 < took < 2.2 + SLOW - 1, took
        assert b" 408 " in c.buf


def test_C1_slow_body_does_not_hold_a_slot(one):
    with one.raw() as c:
        c.send(f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n{{")
        never(lambda: one.status()["in_flight"] or one.records["m"].count("request"), 0.3, "a slot is held")
        assert one.chat("m").status == 200


def test_idle_connection_is_closed(mai):
    mai.config({"m": mai.engine("m")}, idleTimeout=0.5)
    mai.start_all()
    with mai.raw() as c:
        c.send(request("GET", "/status"))
        c.reply()
        before = time.monotonic()
        assert c.closed(3)
        assert 0.4 < time.monotonic() - before < 1.0 * SLOW
        assert c.buf == b""


def test_C3_head_flood_is_431(one):
    rss = proc.rss_kib(one.core)
    for extra in ("X-A: " + "a" * 200_000 + "\r\n", "".join(f"X-{i}: {i}\r\n" for i in range(5000))):
        with one.raw() as c:
            try:
                c.send(f"GET /status HTTP/1.1\r\nHost: localhost\r\n{extra}\r\n")
            except OSError:
                pass
            assert c.head()[0] == 431
    if not world.sanitized(MAI):
        assert proc.rss_kib(one.core) - rss < 1024


def test_long_target_is_414_or_431(one):
    with one.raw() as c:
        try:
            c.send("GET /" + "a" * 100_000 + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
        except OSError:
            pass
        assert c.head()[0] in (414, 431)


def test_C4_oversize_body_is_413_before_reading(mai):
    mai.config({"m": mai.engine("m")}, maxBody=100_000)
    mai.start_all()
    with mai.raw() as c:
        before = time.monotonic()
        c.send(f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n")
        r = c.reply()
        assert r.status == 413 and r.json["error"]["code"] == "body_too_large"
        assert time.monotonic() - before < 0.2 * SLOW
        assert c.closed(5)
    assert mai.records["m"].count("request") == 0
    body = '{"model":"m","messages":[],"p":"' + "x" * 99_000 + '"}'
    assert mai.post(CHAT, body).status == 200


# syntax -----------------------------------------------------------------------------------------------------------

def head(extra="", method="POST", target=CHAT, version="HTTP/1.1", host="Host: localhost\r\n"):
    return f"{method} {target} {version}\r\n{host}{extra}"


BAD = {
    "cl-and-te": (head(f"Content-Length: {len(OK)}\r\nTransfer-Encoding: chunked\r\n\r\n") + "0\r\n\r\n", 400),
    "two-cls": (head(f"Content-Length: {len(OK)}\r\nContent-Length: 3\r\n\r\n") + OK, 400),
    "cl-list": (head(f"Content-Length: {len(OK)}, 3\r\n\r\n") + OK, 400),
    "cl-plus": (head(f"Content-Length: +{len(OK)}\r\n\r\n") + OK, 400),
    "cl-minus": (head("Content-Length: -1\r\n\r\n"), 400),
    "cl-hex": (head("Content-Length: 0x1b\r\n\r\n") + OK, 400),
    "cl-huge": (head("Content-Length: 99999999999999999999999\r\n\r\n"), 400, 413),
    "cl-empty": (head("Content-Length: \r\n\r\n"), 400),
    "te-unknown": (head("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 400, 501),
    "te-not-last": (head("Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"), 400, 501),
    "te-twice": (head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400, 501),
    "te-tab": (head("Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n"), 400, 501),
    "te-1.0": (head("Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", version="HTTP/1.0"), 400, 501),
    "bare-lf": ("GET /status HTTP/1.1\nHost: localhost\n\n", 400),
    "bare-cr": ("GET /status HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n", 400),
    "nul": ("GET /status HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n", 400),
    "obs-fold": ("GET /status HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n", 400),
    "space-colon": ("GET /status HTTP/1.1\r\nHost: localhost\r\nX : a\r\n\r\n", 400),
    "first-line-space": ("GET /status HTTP/1.1\r\n Host: localhost\r\n\r\n", 400),
    "no-colon": ("GET /status HTTP/1.1\r\nHost: localhost\r\nfoo\r\n\r\n", 400),
    "empty-name": ("GET /status HTTP/1.1\r\nHost: localhost\r\n: a\r\n\r\n", 400),
    "name-char": ("GET /status HTTP/1.1\r\nHost: localhost\r\nX\"y: a\r\n\r\n", 400),
    "two-spaces": ("GET  /status HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "target-tab": ("GET\t/status HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "version-2": ("GET /status HTTP/2.0\r\nHost: localhost\r\n\r\n", 400, 505),
    "version-1.10": ("GET /status HTTP/1.10\r\nHost: localhost\r\n\r\n", 400, 505),
    "version-low": ("GET /status http/1.1\r\nHost: localhost\r\n\r\n", 400, 505),
    "no-version": ("GET /status\r\n\r\n", 400),
    "chunk-0x": (head("Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n"), 400),
    "chunk-plus": (head("Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n"), 400),
    "chunk-lf": (head("Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n"), 400),
    "chunk-no-crlf": (head("Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n"), 400),
    "chunk-huge": (head("Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"), 400, 413),
    "h2-preface": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 405, 501, 505),
    "connect": ("CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", 400, 403, 405, 501),
    "encoded-slash": (head("Content-Length: 2\r\n\r\n{}", target="/v1%2fchat/completions"), 400),
    "dot-segment": (head("Content-Length: 2\r\n\r\n{}", target="/v1/../v1/chat/completions"), 400),
    "double-slash": (head("Content-Length: 2\r\n\r\n{}", target="//v1/chat/completions"), 400),
    "nul-target": (head("Content-Length: 2\r\n\r\n{}", target="/v1/chat%00/completions"), 400),
    "high-target": (head("Content-Length: 2\r\n\r\n{}", target="/v1/\xe9"), 400),
    "ssh": ("SSH-2.0-OpenSSH_9.2p1 Debian\r\n\r\n", 400),
    "tls": (bytes.fromhex("16030100a5010000a10303") + bytes(range(64)) + b"\r\n\r\n", 400),
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One instance for all cases of a file that only send bad requests."""
    from lib.mai import Mai
    m = Mai(tmp_path_factory.mktemp("shared"))
    try:
        m.config({"m": m.engine("m")})
        m.start_all()
        yield m
    finally:
        m.finish()


@pytest.mark.parametrize("case", BAD)
def test_C5_C14_malformed_is_refused_and_closed(shared, case):
    data, *want = BAD[case]
    refused(shared, data, *want)
    assert shared.get("/livez").status == 200


@pytest.mark.parametrize("split", [1, 2, 3, 7])
def test_C5_verdict_does_not_depend_on_packets(shared, split):
    for case in ("cl-and-te", "two-cls", "obs-fold", "chunk-0x", "bare-cr"):
        data = BAD[case][0].encode("latin-1")
        with shared.raw() as c:
            try:
                for i in range(0, len(data), split):
                    c.send(data[i:i + split])
            except OSError:
                pass
            assert c.head()[0] == 400


def test_C15_host_missing_twice_or_bad(shared):
    for host in ("", "Host: localhost\r\nHost: localhost\r\n", "Host: a b\r\n", "Host: localhost:99999x\r\n"):
        refused(shared, f"GET /status HTTP/1.1\r\n{host}\r\n", 400)
    with shared.raw() as c:
        c.send("GET /status HTTP/1.0\r\n\r\n")
        assert c.head()[0] in (200, 400), "1.0 has no Host"


def test_C14_trace_and_unknown_methods(shared):
    for method in ("TRACE", "FOO", "PROPFIND"):
        refused_or_405 = request(method, "/status")
        with shared.raw() as c:
            c.send(refused_or_405)
            r = c.reply()
            assert r.status in (405, 501), r
            if r.status == 405:
                assert "GET" in r.header("Allow")


def test_C14_upgrade_is_ignored_where_it_means_nothing(shared):
    with shared.raw() as c:
        c.send("GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
               "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n")
        assert c.reply().status in (200, 400, 501)


def test_C14_absolute_form(shared):
    with shared.raw() as c:
        c.send(f"GET http://localhost:{shared.port}/status HTTP/1.1\r\nHost: localhost:{shared.port}\r\n\r\n")
        assert c.reply().status in (200, 400)
    with shared.raw() as c:
        c.send("GET http://evil.example/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert c.head()[0] in (400, 403)


def test_C13_expect(one):
    body = OK.encode()
    with one.raw() as c:
        c.send(f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n")
        assert b"100 Continue" in c.until(b"\r\n\r\n")
        c.send(body)
        assert c.reply().status == 200
    with one.raw() as c:
        c.send(f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nExpect: the-unexpected\r\nContent-Length: 2\r\n\r\n")
        assert c.head()[0] == 417


def test_C13_no_100_where_the_body_is_not_wanted(mai):
    mai.config({"m": mai.engine("m")}, apiKeys=["k"], maxBody=1000)
    mai.keys = {"Authorization": "Bearer k"}
    mai.start_all()
    for extra, want in (("Content-Length: 10\r\n", 401), ("Authorization: Bearer k\r\nContent-Length: 100000\r\n", 413)):
        with mai.raw() as c:
            c.send(f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n{extra}\r\n")
            assert c.head()[0] == want
            assert c.interim == []


def test_C12_second_body_is_never_part_of_the_first(one):
    first = b'{"messages":[],"model":"m","a":1}'
    second = b'{"messages":[],"model":"m","b":2}'
    with one.raw() as c:
        c.send(b"".join(request("POST", CHAT, b, [("X-Fake", "echo-head")]) for b in (first, second)))
        assert [c.reply().json["body"] for _ in range(2)] == [first.decode(), second.decode()]


@pytest.mark.limit(60)
def test_C10_out_of_descriptors_pauses_accept(mai):
    limit = 48

    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    mai.config({"m": mai.engine("m")})
    mai.serve(preexec=few)
    mai.settle_fds()
    mai.post("/start")
    conns = [mai.raw() for _ in range(80)]
    cpu = proc.cpu_seconds(mai.core)
    size = len(mai.stderr)
    never(lambda: not proc.alive(mai.core), 1.5, "the core died")
    assert proc.cpu_seconds(mai.core) - cpu < 0.25 * SLOW, "no spinning"
    assert len(mai.stderr) - size < 2000, "no log flood"
    for c in conns:
        c.s.close()
    wait(lambda: mai.get("/livez").status == 200, 3, "serves again")
    assert mai.chat("m").status == 200


@pytest.mark.limit(60)
def test_C11_many_idle_connections(mai):
    mai.config({"m": mai.engine("m")}, maxConnections=200)
    mai.start_all()
    stream = mai.raw()
    stream.send(request("POST", CHAT, http.chat("m", True), [("X-Fake", "sse=40, gap=50")]))
    stream.head()
    rss = proc.rss_kib(mai.core)
    conns = []
    for _ in range(400):
        try:
            conns.append(mai.raw(timeout=1))
        except OSError:
            break
    if not world.sanitized(MAI):
        assert proc.rss_kib(mai.core) - rss < 4096
    body = b""
    while part := stream.chunk():
        body += part
    assert http.events(body)[-1] == "[DONE]", "live streams are not disturbed"
    stream.s.close()
    for c in conns:
        c.s.close()
    wait(lambda: mai.get("/livez").status == 200, 3)


def test_control_socket_answers_when_all_connections_are_taken(mai):
    mai.config({"m": mai.engine("m")}, maxConnections=8)
    mai.start_all()
    conns = [mai.raw() for _ in range(8)]
    for c in conns:
        c.send(request("POST", CHAT, http.encode(http.chat("m")), [("X-Fake", "hang")]))
    wait(lambda: len(mai.control("GET", "/api/requests").json["requests"]) >= 7, 5 * SLOW, "all are in flight")
    assert mai.control("GET", "/status").status == 200
    for c in conns:
        c.s.close()


def test_control_socket_gets_events_when_all_readers_are_taken(one):
    conns = [one.raw() for _ in range(64)]
    for c in conns:
        c.send(request("GET", "/api/events"))
        assert c.head()[0] == 200
    assert one.get("/api/events").status == 503
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(str(one.socket))
        s.sendall(request("GET", "/api/events"))
        assert s.recv(100).startswith(b"HTTP/1.1 200 ")
    for c in conns:
        c.s.close()


def test_C4_an_announced_length_costs_nothing(mai):
    """Without a limit any length may be announced; memory is taken as the bytes come."""
    mai.config({"m": mai.engine("m")}, maxBody=0)
    mai.start_all()
    with mai.raw() as c:
        c.send(f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9223372036854775807\r\n\r\n{{")
        wait(lambda: mai.get("/api/requests").json["requests"], 5 * SLOW, "it is read")
    big = mai.post(CHAT, http.chat("m", more="x" * 3_000_000))
    assert big.status == 200, big


JSON_BAD = [b"", b"{", b"[", b"[]", b'"x"', b"nul", b'{"model":', b'{"model":"m"', b'{"model":"m",}', b'{"model":"m"}}',
            b"[" * 100_000, b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"model":"\xff\xfe"}', b'{"model":"m\\u0000"}',
            b'{"model":{"a":1}}', b'{"model":["m"]}', b'{"model":12}']


@pytest.mark.parametrize("n", range(len(JSON_BAD)))
def test_C16_bad_json_is_answered_and_harms_nobody(shared, n):
    r = shared.post(CHAT, JSON_BAD[n])
    assert r.status in (400, 404, 413, 422) or n in (3,) and r.status == 200, r
    assert r.json
    assert shared.chat("m").status == 200


@pytest.mark.parametrize("name", ["../m", "m/", "M", " m", "m ", "m\n", "m%00", "%6d", "m\u202e", "x" * 5000, ""])
def test_C16_model_names_match_exactly(shared, name):
    r = shared.chat(name)
    assert r.status in ((404,) if 0 < len(name) < 100 else (200, 400, 404)), (name, r)
    if r.status == 404:
        assert r.json["error"]["code"] == "model_not_found"


def test_head_requests(shared):
    for path in ("/status", "/health", "/livez"):
        with shared.raw() as c:
            c.send(request("HEAD", path) + request("GET", path))
            assert c.reply(no_body=True).status in (200, 405)
            assert c.reply().status == 200
