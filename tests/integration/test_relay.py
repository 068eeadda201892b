# SPDX-License-Identifier: ISC
"""Bytes between client and engine: streaming both ways, framing, reuse of connections, and the faults U1 to U13."""
import json
import os
import signal
import socket
import sys
import time

import pytest

from lib import http, proc, world
from lib.http import Raw, request
from lib.mai import MAI, SLOW, words
from lib.proc import never, wait

CHAT = "/v1/chat/completions"


def post(body=None, fake=None, headers=(), path=CHAT):
    h = list(headers) + ([("X-Fake", fake)] if fake else [])
    return request("POST", path, body if body is not None else http.chat("m"), h)


def ask(m, fake, body=None, timeout=10):
    """One request on a connection of its own; the reply is read strictly."""
    with m.raw(timeout=timeout) as c:
        c.send(post(body, fake))
        return c.reply()


# streaming --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("framing", ["chunked", "until-close", "http10"])
def test_stream_arrives_event_by_event(one, framing):
    with one.raw() as c:
        c.send(post(http.chat("m", True), f"sse=5, gap=150, {framing}"))
        status, headers = c.head()
        h = {k.lower(): v for k, v in headers}
        assert status == 200
        assert h["content-type"] == "text/event-stream; charset=utf-8"
        assert h["transfer-encoding"] == "chunked" and "content-length" not in h
        times, body = [], b""
        while True:
            part = c.chunk()
            if not part:
                break
            body += part
            times.append(time.monotonic())
        assert len(http.events(body)) == 6 and http.events(body)[-1] == "[DONE]"
        assert times[-1] - times[0] > 0.5, "not buffered up"
        # close-delimited from the engine, kept alive for the client
        c.send(request("GET", "/status"))
        assert c.reply().status == 200


def test_stream_bytes_are_unchanged_comments_included(one):
    got = one.chat("m", fake="sse=3, comments=2, http10", stream=True)
    direct = http.call(one.records["m"].port(), "POST", CHAT, http.chat("m", True), {"X-Fake": "sse=3, comments=2, http10"})
    a, b = (x.body.decode().replace("fake-1", "fake-N").replace("fake-2", "fake-N") for x in (got, direct))
    assert a == b
    assert a.startswith(": keepalive 1/2\n\n")


def test_first_byte_is_not_delayed(one):
    with one.raw() as c:
        c.send(post(http.chat("m", True), "sse=3, gap=400"))
        before = time.monotonic()
        c.head()
        assert c.chunk()
        assert time.monotonic() - before < 0.2 * SLOW


@pytest.mark.parametrize("framing", ["length", "chunked", "until-close", "http10"])
def test_whole_answers_in_every_framing(one, framing):
    r = ask(one, framing)
    assert r.status == 200 and r.json["choices"][0]["message"]["content"].startswith("word0")
    r = ask(one, framing + ", body-bytes=3000000")
    assert len(r.body) == 3_000_000


def test_request_goes_upstream_with_content_length(one):
    body = json.dumps(http.chat("m")).encode()
    with one.raw() as c:
        c.send(f"POST {CHAT} HTTP/1.1\r\nHost: x.local\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
               "X-Fake: echo-head\r\n\r\n")
        for i in range(0, len(body), 7):
            part = body[i:i + 7]
            c.send(b"%x\r\n%s\r\n" % (len(part), part))
        c.send("0\r\n\r\n")
        r = c.reply()
    head = r.json["head"].lower()
    assert "transfer-encoding" not in head and f"content-length: {len(r.json['body'])}" in head
    assert json.loads(r.json["body"])["messages"] == http.chat()["messages"]


def test_upload_of_30_MB(one):
    body = http.chat("m", pad="y" * 30_000_000)
    r = one.post(CHAT, body, headers={"X-Fake": "echo-head"}, timeout=30)
    assert json.loads(r.json["body"])["pad"] == body["pad"]


def test_status_and_headers_pass_through(one):
    for status in (400, 404, 429, 500, 503):
        r = one.chat("m", fake=f"status={status}")
        assert r.status == status and r.json["choices"]
        assert r.header("X-Fake-Served")


def test_upstream_errors_without_body_are_never_empty(one):
    r = one.chat("m", fake="body-bytes=0, status=500")
    assert r.status == 500


def test_request_id_and_model_headers(one):
    r = one.chat("m", headers={"X-Request-Id": "mine-77"})
    assert r.header("X-Request-Id") == "mine-77" and r.header("X-Mai-Model") == "m"
    assert one.chat("m").header("X-Request-Id")
    assert one.chat("m", fake="echo-head", headers={"X-Request-Id": "mine-78"}).status == 200


# back-pressure ----------------------------------------------------------------------------------------------------

@pytest.mark.limit(90)
@pytest.mark.parametrize("framing", ["chunked", "until-close"])
def test_U9_100_MB_unread_stream_stays_bounded(one, framing):
    rss = proc.rss_kib(one.core)
    with one.raw(rcvbuf=8192, timeout=30) as slow:
        slow.send(post(http.chat("m", True), f"sse=1600, chunk-bytes=65536, {framing}"))
        slow.fill(100)
        sent = []

        def stalls():
            sent.append(one.stats()["bytes"])
            return len(sent) > 40 and sent[-1] == sent[-40]
        wait(stalls, 15, "the engine is held back", every=0.01)
        assert sent[-1] < 30_000_000
        if not world.sanitized(MAI):
            assert proc.rss_kib(one.core) - rss < 2048
        before = time.monotonic()
        assert one.chat("m").status == 200
        assert time.monotonic() - before < 0.3 * SLOW, "others are not disturbed"
        cpu = proc.cpu_seconds(one.core)
        never(lambda: proc.cpu_seconds(one.core) - cpu > 0.05, 0.5, "no spinning while blocked")
        # it all arrives when read
        total, tail = len(slow.buf), b""
        while slow.fill(1 << 20):
            total += len(slow.buf)
            tail, slow.buf = (tail + slow.buf)[-64:], b""
            if tail.endswith(b"0\r\n\r\n"):
                break
        assert total > 100_000_000 and tail.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


def test_U9_slow_engine_input_holds_the_client_back(one):
    """maxBody bounds what is kept; an upload to an engine that is hung still ends when the client goes."""
    with one.raw(timeout=5) as c:
        c.send(post(http.chat("m", pad="z" * 8_000_000), "hang"))
        wait(lambda: one.stats()["in_progress"] == 1, 5, "received")
    wait(lambda: one.stats()["aborted"] == 1, 2, "given up")


# connections ------------------------------------------------------------------------------------------------------

def test_keep_alive_and_pipelining_in_order(one):
    with one.raw() as c:
        n = 8
        c.send(b"".join(post(http.chat("m", max_tokens=i + 1), "delay=%d" % (60 - 7 * i)) for i in range(n)))
        for i in range(n):
            r = c.reply()
            assert r.status == 200 and r.json["usage"]["completion_tokens"] == i + 1
        c.send(request("GET", "/status") + post() + request("GET", "/health"))
        assert [c.reply().status for _ in range(3)] == [200, 200, 200]


def test_pipelined_stream_then_request(one):
    with one.raw() as c:
        c.send(post(http.chat("m", True), "sse=3, gap=30, http10") + request("GET", "/status"))
        assert http.events(c.reply().body)[-1] == "[DONE]"
        assert "mlx_server_running" in c.reply().json


def test_http10_client(one):
    body = json.dumps(http.chat("m", True)).encode()
    with one.raw() as c:
        c.send(f"POST {CHAT} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {len(body)}\r\nX-Fake: sse=3\r\n\r\n".encode() + body)
        status, headers = c.head()
        assert status == 200 and "transfer-encoding" not in {k.lower() for k, _ in headers}
        assert http.events(c.all())[-1] == "[DONE]"


def test_upstream_connections_are_reused(one):
    before = one.stats()["connections"]
    for _ in range(10):
        assert one.chat("m").status == 200
    assert one.stats()["connections"] - before <= 3     # one pooled; stats itself opens two


def test_pooled_connection_closed_while_idle_is_not_used(mai):
    mai.config({"m": mai.engine("m", ["--keepalive-close-after", "150"])})
    mai.start_all()
    for _ in range(4):
        assert mai.chat("m").status == 200
        before = mai.stats()["requests"]
        never(lambda: mai.stats()["requests"] != before, 0.25, "nothing is sent")
    assert mai.records["m"].count("aborted") == 0


def test_retry_once_on_a_reused_connection_closed_without_a_byte(mai):
    mai.config({"m": mai.engine("m", ["--drop-reused"])})
    mai.start_all()
    for _ in range(5):
        assert mai.chat("m").status == 200
    requests = mai.records["m"].events("request")
    assert all(not e["reused"] for e in requests[-1:])


def test_U1_a_fresh_connection_closed_without_a_byte_is_502_and_never_replayed(one):
    r = ask(one, "refuse")
    assert r.status == 502, r
    assert "error" in r.json and r.json["error"]["message"]
    assert one.records["m"].count("request") == 1


def test_U1_engine_killed_before_headers_is_requeued_once(mai):
    mai.config({"m": mai.engine("m", backoff=0.05)})
    mai.start_all()
    calls = [world.Later(mai.chat, "m", fake="delay=1500") for _ in range(3)]
    wait(lambda: mai.stats()["in_progress"] == 3, 5, "in flight")
    os.kill(mai.status()["pid"], signal.SIGKILL)
    wait(lambda: mai.records["m"].count("start") == 2, 5, "restart")
    assert [c.result().status for c in calls] == [200, 200, 200]
    assert mai.records["m"].count("request") == 6


def test_U1_requeued_only_once(mai):
    mai.config({"m": mai.engine("m", backoff=0.05)})
    mai.start_all()
    call = world.Later(mai.chat, "m", fake="delay=60000", timeout=30)
    for n in (1, 2):
        wait(lambda: mai.records["m"].count("request") == n, 10, f"sent {n} times")
        killed = time.monotonic()
        os.kill(mai.records["m"].pid(), signal.SIGKILL)
    r = call.result()
    assert r.status == 502 and r.json["error"]["code"] == "engine_crashed", r
    assert time.monotonic() - killed < 0.5 * SLOW
    assert "SIGKILL" in r.body.decode()


@pytest.mark.parametrize("how", ["die-after-bytes=400", "cut-after-bytes=400", "reset-after-bytes=400"])
@pytest.mark.parametrize("framing", ["chunked", "http10"])
def test_U2_a_cut_stream_never_looks_complete(mai, how, framing):
    mai.config({"m": mai.engine("m", ["--signal", "KILL", "--exit-after", "600000"], backoff=0.05)})
    mai.start_all()
    with mai.raw() as c:
        c.send(post(http.chat("m", True), f"sse=20, {how}, {framing}"))
        assert c.head()[0] == 200
        body = c.all()
        assert b"word0" in body
        assert not body.endswith(b"\r\n0\r\n\r\n") and b"[DONE]" not in body, body[-200:]
        assert b'data: {"error":' in body, body[-300:]
    mai.ready()
    assert mai.records["m"].count("request") == 1, "never replayed after the first byte"


def test_U2_a_close_delimited_stream_without_done_is_truncated(one):
    with one.raw() as c:
        c.send(post(http.chat("m", True), "sse=3, no-done, http10"))
        c.head()
        body = c.all()
        assert not body.endswith(b"\r\n0\r\n\r\n") and b"[DONE]" not in body
    wait(lambda: "truncated" in one.get("/metrics").body.decode(), 2, "counted")


@pytest.mark.parametrize("how", ["die-after-bytes=90", "cut-after-bytes=90"])
def test_U2_a_close_delimited_answer_that_is_cut_never_looks_complete(mai, how):
    """Its end and the engine's death look the same on the wire; JSON tells by its brackets."""
    mai.config({"m": mai.engine("m", backoff=0.05)})
    mai.start_all()
    with mai.raw() as c:
        c.send(post(http.chat("m"), f"until-close, {how}"))
        assert c.head()[0] == 200
        body = c.all()
        assert body and not body.endswith(b"0\r\n\r\n"), body


def test_U2_a_close_delimited_answer_of_bytes_is_cut_when_the_engine_died(mai):
    mai.config({"m": mai.engine("m", backoff=0.05)})
    mai.start_all()
    assert len(mai.chat("m", fake="body-bytes=20000, until-close").body) == 20000
    with mai.raw() as c:
        c.send(post(http.chat("m"), "body-bytes=20000, until-close, die-after-bytes=9000"))
        assert c.head()[0] == 200
        assert not c.all().endswith(b"\r\n0\r\n\r\n")


def test_U2_a_close_delimited_answer_of_bytes_is_cut_when_the_engine_is_about_to_die(mai):
    """Its connection is closed well before it is dead."""
    mai.config({"m": mai.engine("m", ["--slow-death", "500"], backoff=0.05)})
    mai.start_all()
    with mai.raw() as c:
        c.send(post(http.chat("m"), "body-bytes=20000, until-close, die-after-bytes=9000"))
        assert c.head()[0] == 200
        assert not c.all().endswith(b"\r\n0\r\n\r\n")
    assert mai.ready()["last_exit"]["reason"] == "crash"


def test_U1_an_engine_that_died_behind_its_head_is_requeued(mai):
    """mlx sends its head before it has a token: still nothing reached the client."""
    mai.config({"m": mai.engine("m", backoff=0.05)})
    mai.start_all()
    r = mai.chat("m", fake="sse=3, http10, die-after-bytes=0", stream=True)
    assert r.status == 502 and r.json["error"]["code"] == "engine_crashed", r
    assert mai.records["m"].count("request") == 2, "once more behind one restart"


def test_U2_the_error_event_is_an_event_of_its_own(one):
    """A cut between the two newlines that end an event."""
    first = one.chat("m", fake="sse=1", stream=True).body.index(b"\n\n")
    for n in range(first - 1, first + 3):
        with one.raw() as c:
            c.send(post(http.chat("m", True), f"sse=3, cut-after-bytes={n}"))
            body = b""
            c.head()
            while not c.eof:
                try:
                    body += c.chunk()
                except AssertionError:
                    break
        last = [b.strip() for b in body.split(b"\n\n") if b.strip()][-1]
        assert last.startswith(b'data: {"error":'), body


def test_U2_short_content_length_is_cut(one):
    with one.raw() as c:
        c.send(post(None, "bad-head=short"))
        status, headers = c.head()
        if status == 200:
            h = {k.lower(): v for k, v in headers}
            rest = c.all()
            assert not rest.endswith(b"0\r\n\r\n") if "transfer-encoding" in h else len(rest) < int(h["content-length"])
        else:
            assert status == 502


@pytest.mark.parametrize("kind", ["dup-cl", "cl-te", "nul", "obs-fold", "bare-lf", "space-colon", "bad-status", "not-http",
                                  "header-bomb", "101"])
def test_U3_U5_U12_malformed_upstream_heads_are_502(one, kind):
    rss = proc.rss_kib(one.core)
    r = ask(one, f"bad-head={kind}")
    assert r.status == 502, r
    assert r.json["error"]["message"]
    for k, _ in r.headers:
        assert not k.lower().startswith(("x-a", "x-bomb", "upgrade"))
    assert one.chat("m").status == 200, "the next request is not disturbed"
    if not world.sanitized(MAI):
        assert proc.rss_kib(one.core) - rss < 2048


def test_U3_bad_chunk_size_never_looks_complete(one):
    with one.raw() as c:
        c.send(post(None, "bad-head=bad-chunk"))
        status, _ = c.head()
        assert status == 502 or not c.all().endswith(b"0\r\n\r\n")


def test_U4_extra_bytes_after_a_response_reach_nobody(one):
    for _ in range(3):
        r = ask(one, "bad-head=extra-bytes")
        assert r.status == 200 and r.body == b"{}"
        r = one.chat("m")
        assert r.status == 200 and b"stolen" not in r.body and r.json["choices"]


def test_U5_interim_responses_are_not_final(one):
    with one.raw() as c:
        c.send(post(None, "bad-head=100-continue"))
        r = c.reply()
        assert r.status == 200 and r.json == {"final": True}
        assert 100 not in c.interim


def test_U6_no_body_where_none_may_be(one):
    with one.raw() as c:
        c.send(post(None, "bad-head=body-on-204"))
        status, headers = c.head()
        assert status == 204
        c.send(request("GET", "/status"))
        assert c.reply().json["mlx_server_running"] is True, "no stray bytes between"


def test_U7_no_first_byte_client_abort_frees_it(one):
    c = one.raw()
    c.send(post(None, "hang"))
    wait(lambda: one.stats()["in_progress"] == 1, 5, "at the engine")
    c.s.close()
    before = time.monotonic()
    wait(lambda: one.stats()["aborted"] == 1, 2, "aborted")
    assert time.monotonic() - before < 0.1 * SLOW + 0.1
    assert one.status()["in_flight"] == 0


@pytest.mark.parametrize("keys", [{"connectTimeout": 0.4}, {"timeouts": {"connect": 0.4}}], ids=["own", "llama-swap"])
def test_U7_an_engine_that_accepts_no_connection(mai, keys):
    """Its one place in the kernel's queue was taken by the look at its port."""
    code = "import socket, sys, time; s = socket.socket(); s.setsockopt(1, 2, 1); s.bind(('127.0.0.1', int(sys.argv[1]))); " \
        "s.listen(0); time.sleep(600)"
    mai.config({"m": {"cmd": words([sys.executable, "-c", code]) + " ${PORT}", "checkEndpoint": "none", **keys}})
    mai.start_all()
    before = time.monotonic()
    r = mai.chat("m")
    took = time.monotonic() - before
    assert r.status == 502 and r.json["error"]["code"] == "bad_gateway", r
    assert "does not accept connections" in r.json["error"]["message"] and 0.35 < took < 3 * SLOW


def test_U8_a_stalled_stream_is_kept_while_the_client_stays(one):
    with one.raw() as c:
        c.send(post(http.chat("m", True), "sse=10, stall-after=3"))
        c.head()
        for _ in range(1):
            assert c.chunk()
        assert not c.closed(within=1)
        assert one.status()["in_flight"] == 1
    wait(lambda: one.status()["in_flight"] == 0, 1, "freed")


def test_U10_early_error_while_the_body_is_uploading(mai):
    mai.config({"m": mai.engine("m")}, maxBody=1_000_000)
    mai.start_all()
    with mai.raw() as c:
        c.send(f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        part = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        try:
            for _ in range(200):
                c.send(part)
        except OSError:
            pass
        assert c.head()[0] == 413


def test_U11_engine_restarted_between_requests_no_stale_reuse(mai):
    mai.config({"m": mai.engine("m", backoff=0.01, backoffMax=0.02, maxAttempts=30)})
    mai.start_all()
    for i in range(12):
        assert mai.chat("m").status == 200
        pid = mai.records["m"].pid()
        os.kill(pid, signal.SIGKILL)
        assert mai.chat("m").status == 200
        wait(lambda: mai.status()["pid"] != pid, 5)
        mai.ready()
    assert mai.records["m"].count("request") == 24, "no request was doubled"


def test_U13_hop_by_hop_headers_cross_in_neither_direction(one):
    r = ask(one, "bad-head=hop")
    names = {k.lower() for k, _ in r.headers}
    assert r.status == 200 and "x-kept" in names
    assert not names & {"x-secret-hop", "keep-alive", "proxy-authenticate", "proxy-connection", "upgrade", "trailer"}
    with one.raw() as c:
        c.send(post(None, "echo-head", [("Connection", "keep-alive, X-My-Hop"), ("X-My-Hop", "1"), ("Keep-Alive", "timeout=5"),
                                        ("Proxy-Authorization", "Basic eHg="), ("TE", "trailers"), ("Upgrade", "h2c"),
                                        ("X-End-To-End", "yes"), ("X-Forwarded-For", "6.6.6.6")]))
        head = c.reply().json["head"].lower()
    assert "x-end-to-end: yes" in head
    for bad in ("x-my-hop", "keep-alive:", "proxy-authorization", "\r\nte:", "upgrade", "6.6.6.6"):
        assert bad not in head, head


def test_credentials_are_not_forwarded(mai):
    mai.config({"m": mai.engine("m")}, apiKeys=["key-1"])
    mai.keys = {"Authorization": "Bearer key-1"}
    mai.start_all()
    for h in ({"Authorization": "Bearer key-1"}, {"X-Api-Key": "key-1"}):
        r = mai.chat("m", fake="echo-head", headers={**h, "Cookie": "session=1"})
        assert r.status == 200
        assert "key-1" not in r.json["head"] and "authorization" not in r.json["head"].lower()


def test_cors_headers_of_the_engine_are_stripped(one):
    r = ask(one, "bad-head=cors")
    assert r.status == 200 and not [k for k, _ in r.headers if k.lower().startswith("access-control")]


def test_model_name_is_the_engines_own_upstream_and_the_clients_in_the_reply(mai):
    mai.config({"m": mai.engine("m", useModelName="real-name", aliases=["nick"])})
    mai.start_all()
    r = mai.chat("nick", fake="echo-head")
    assert json.loads(r.json["body"])["model"] == "real-name"
    assert mai.chat("nick").json["model"] == "nick"
    for data in http.events(mai.chat("nick", stream=True).body)[:-1]:
        assert json.loads(data)["model"] == "nick"


def test_the_reply_names_the_clients_model_whatever_the_engine_calls_itself(mai):
    """llama-server answers with the path of its file."""
    mai.config({"m": mai.engine("m", ["--own-name", "-m", "/models/x.gguf"], aliases=["nick"])})
    mai.start_all()
    for name in ("m", "nick"):
        assert mai.chat(name).json["model"] == name
        for data in http.events(mai.chat(name, stream=True, stream_options={"include_usage": True}).body)[:-1]:
            assert json.loads(data)["model"] == name


def test_body_bytes_are_otherwise_unchanged(one):
    raw = b'{ "messages" : [ {"role":"user","content":"\\u00e9 \xc3\xa9 "} ],\n\t"x":1e400, "model" : "m","seed":-0 }'
    with one.raw() as c:
        c.send(post(raw, "echo-head"))
        got = c.reply().json["body"].encode("latin-1")
    assert got == raw


def test_paths_are_an_allow_list(one):
    for path in ("/slots", "/lora-adapters", "/v1/nope", "/tools/call", "/fake/stats", "/v1/chat/completions/x"):
        r = one.post(path, {"model": "m"})
        assert r.status == 404 and r.body, r
    assert one.get(CHAT).status == 405
    for path in ("/v1/completions", "/v1/embeddings", "/chat/completions"):
        assert one.post(path, {"model": "m", "prompt": "x", "input": "x"}).status == 200


@pytest.mark.limit(120)
def test_many_streams_at_once(one):
    n = 64
    conns = [one.raw(timeout=30) for _ in range(n)]
    for i, c in enumerate(conns):
        c.send(post(http.chat("m", True, max_tokens=20), "gap=10"))
    for c in conns:
        r = c.reply()
        assert len(http.events(r.body)) == 21
        c.s.close()
    assert one.status()["in_flight"] == 0


def test_usage_and_tokens_are_counted(one):
    one.chat("m", stream=True, max_tokens=5, stream_options={"include_usage": True})
    one.chat("m", max_tokens=7)
    text = one.get("/metrics").body.decode()
    rows = [x for x in text.splitlines() if "token" in x and not x.startswith("#") and 'model="m"' in x]
    assert any(float(x.rsplit(" ", 1)[1]) >= 12 for x in rows), text
