# SPDX-License-Identifier: ISC
"""/upstream/ID/...: everything an engine has, by its model's name."""
import json
import re

import pytest

from lib import http, world
from lib.http import request
from lib.mai import SLOW
from lib.proc import never, wait

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
ECHO = {"X-Fake": "any, echo-head"}


def sent(reply):
    """Head and body that the engine got."""
    return reply.json["head"], reply.json["body"]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """`a` with aliases, ready, and `org/b`, whose own name is another one; a is not swapped away by what the tests do."""
    from lib.mai import Mai
    m = Mai(tmp_path_factory.mktemp("two"))
    try:
        m.config({"a": m.engine("a", aliases=["al ias"], useModelName="inner-a"), "org/b": m.engine("org/b", ["--any"]),
                  "org": m.engine("org")}, listen=f"127.0.0.1:{m.port}")
        m.start_all()
        yield m
    finally:
        m.finish()


# what passes ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("method", METHODS)
def test_any_method_path_query_and_body(two, method):
    path = "/upstream/a/some/where%20else?x=%2F&model=zzz"
    body = b'{"model": "zzz", "half": '
    with two.raw() as c:
        c.send(request(method, path, body, [("X-Fake", "any, echo-head"), ("Authorization", "Bearer secret"), ("Cookie", "secret"),
                                            ("X-Api-Key", "secret"), ("X-Request-Id", "mine"), ("X-Keep", "yes")]))
        r = c.reply(no_body=method == "HEAD")
    assert r.status == 200 and r.header("X-Mai-Model") == "a" and r.header("X-Request-Id") == "mine"
    if method == "HEAD":
        assert int(r.header("Content-Length")) > 100 and r.body == b""
        return
    head, got = sent(r)
    assert head.startswith(f"{method} /some/where%20else?x=%2F&model=zzz HTTP/1.1\r\n")
    assert got.encode() == body and f"Content-Length: {len(body)}" in head
    assert "X-Keep: yes" in head and "X-Request-Id: mine" in head and "secret" not in head
    assert f"Host: 127.0.0.1:{two.records['a'].port()}\r\n" in head


def test_the_root_of_an_engine(two):
    head, _ = sent(two.get("/upstream/a/", headers=ECHO))
    assert head.startswith("GET / HTTP/1.1\r\n") and "Content-Length" not in head


@pytest.mark.parametrize("framing", ["length", "chunked", "until-close", "http10"])
def test_answers_come_as_they_are(two, framing):
    for fake in ("status=404", "body-bytes=300000", "status=503"):
        with two.raw() as c:
            c.send(request("GET", "/upstream/a/x", headers=[("X-Fake", f"any, {fake}, {framing}")]))
            r = c.reply()
        direct = http.call(two.records["a"].port(), "GET", "/x", headers={"X-Fake": f"any, {fake}, {framing}"})
        assert r.status == direct.status and r.header("Content-Type") == direct.header("Content-Type")
        assert re.sub(rb"fake-\d+", b"fake-N", r.body) == re.sub(rb"fake-\d+", b"fake-N", direct.body)


def test_names_in_other_answers_stay(two):
    """Only inference paths have their model's name put back; the rest is none of mai's business."""
    r = two.post("/upstream/a/x", {"model": "zzz"}, headers={"X-Fake": "any"})
    assert r.json["model"] == "zzz"
    body = {"model": "zzz", "messages": []}
    head, got = sent(two.post("/upstream/a/v1/chat/completions", body, headers=ECHO))
    assert head.startswith("POST /v1/chat/completions HTTP/1.1\r\n") and json.loads(got)["model"] == "inner-a"
    assert two.post("/upstream/a/v1/chat/completions", body).json["model"] == "zzz"
    assert two.post("/upstream/al%20ias/v1/chat/completions", {"messages": []}).json["model"] == "al ias"
    events = http.events(two.post("/upstream/a/v1/chat/completions", http.chat("zzz", True)).body)
    assert events[-1] == "[DONE]" and all(json.loads(e)["model"] == "zzz" for e in events[:-1])


def test_bodies_up_to_maxBody(two):
    big = b"x" * 5_000_000
    r = two.call("PUT", "/upstream/a/x", big, headers=ECHO)
    assert r.status == 200 and len(r.json["body"]) == len(big)
    with two.raw() as c:
        c.send(f"PUT /upstream/a/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: {1 << 30}\r\n\r\n")
        r = c.reply()
        assert r.status == 413 and r.json["error"]["code"] == "body_too_large"


# names ------------------------------------------------------------------------------------------------------------

def test_the_longest_name_is_meant(two):
    two.post("/load", {"model": "org/b"}, timeout=20)
    head, _ = sent(two.get("/upstream/org/b/x", headers=ECHO))
    assert head.startswith("GET /x ")
    assert two.status()["current_model"] == "org/b"
    two.post("/load", {"model": "org"}, timeout=20)
    head, _ = sent(two.get("/upstream/%6Frg/bb/x", headers=ECHO))
    assert head.startswith("GET /bb/x ")
    two.post("/load", {"model": "a"}, timeout=20)
    head, _ = sent(two.get("/upstream/al%20ias/x", headers=ECHO))
    assert head.startswith("GET /x ")


@pytest.mark.parametrize("path", ["/upstream/zzz/x", "/upstream/A/x", "/upstream/aa", "/upstream/a%20/x", "/upstream/or/g/x"])
def test_unknown_names_are_404_with_the_list(two, path):
    r = two.get(path)
    assert r.status == 404 and r.json["error"]["code"] == "model_not_found", r
    assert "a, org/b, org" in r.json["error"]["message"]


@pytest.mark.parametrize("path", ["/upstream/org%2fb/x", "/upstream/a/../org/x", "/upstream/a/%2e%2e/x", "/upstream//a/x", "/upstream/a//x",
                                  "/upstream/a/x%00", "/upstream/a/%5cx", "/upstream/a/%zz"])
def test_tricks_are_400(two, path):
    before = two.stats("a")["requests"]
    with two.raw() as c:
        c.send(request("GET", path, headers=[("X-Fake", "any")]))
        assert c.reply().status == 400
    assert two.stats("a")["requests"] == before, "nothing reached the engine"


@pytest.mark.parametrize("path", ["/%75pstream/a/x", "/Upstream/a/x", "/upstreamx/a", "/x/upstream/a/x"])
def test_other_spellings_are_no_such_path(two, path):
    assert two.get(path).status == 404


@pytest.mark.parametrize("method", METHODS)
def test_a_name_without_its_slash_is_redirected(two, method):
    """Relative links of an engine's page need the slash; method and body stay the same."""
    for path, to in (("/upstream/a", "/upstream/a/"), ("/upstream/org/b?x=1", "/upstream/org/b/?x=1"),
                     ("/upstream/al%20ias", "/upstream/al%20ias/")):
        with two.raw() as c:
            c.send(request(method, path, b"{}" if method == "POST" else b""))
            r = c.reply(no_body=method == "HEAD")
        assert r.status == 308 and r.header("Location") == to and r.header("Cache-Control") == "no-store", r
    assert two.engine_state("org/b") == "stopped"


def test_the_list(two):
    for path in ("/upstream", "/upstream/"):
        r = two.get(path)
        assert r.status == 200 and r.body == b"a\norg/b\norg\n" and r.header("Content-Type").startswith("text/plain")
        assert two.post(path).status == 405


# models come and go -----------------------------------------------------------------------------------------------

def start_two(m, b=(), **top):
    m.config({"a": m.engine("a"), "b": m.engine("b", b)}, minResident=0, maxSwapWait=0.1, **top)
    m.start_all()


def test_it_loads_and_swaps_like_any_request(mai):
    start_two(mai, b=["--ready-after", "300"])
    assert mai.engine_state("b") == "stopped"
    r = mai.get("/upstream/b/x", headers=ECHO)
    assert r.status == 200 and r.header("X-Mai-Model") == "b" and int(r.header("X-Queue-Ms")) >= 250
    assert mai.status()["current_model"] == "b"


def test_it_waits_in_the_queue(mai):
    mai.config({"a": mai.engine("a", ["--ready-after", "1000"])}, queueMax=1)
    mai.serve()
    later = world.Later(mai.get, "/upstream/a/x", headers=ECHO)
    rows = wait(lambda: mai.get("/api/requests").json["requests"], 5, "it is listed")
    assert rows[0]["phase"] == "queued" and rows[0]["api"] == "upstream" and rows[0]["path"] == "/upstream/a/x" and rows[0]["model"] == "a"
    r = mai.get("/upstream/a/y")
    assert r.status == 503 and r.json["error"]["code"] == "queue_full" and r.header("Retry-After")
    assert later.result().status == 200


@pytest.mark.parametrize("name", ["app.js", "a/b/style.css?v=3", "favicon.ico", "x.PNG", "f.woff2", "app.js.map"])
def test_parts_of_pages_wake_nobody(mai, name):
    start_two(mai)
    for method in ("GET", "HEAD"):
        with mai.raw() as c:
            c.send(request(method, f"/upstream/b/{name}"))
            r = c.reply(no_body=method == "HEAD")
        assert r.status == 409
    assert mai.get(f"/upstream/b/{name}").json["error"]["code"] == "model_conflict"
    assert mai.records["b"].count("start") == 0 and mai.status()["current_model"] == "a"
    assert mai.get(f"/upstream/a/{name}", headers=ECHO).status == 200
    assert mai.get("/upstream/b/index.html", headers=ECHO).status == 200, "a page is what a person opens"
    assert mai.get(f"/upstream/b/{name}", headers=ECHO).status == 200


def test_parts_of_pages_do_not_call_back_who_leaves(mai):
    """b is on its way in, a drains: what is asked of a's pages then must not bring it back."""
    start_two(mai)
    stream = world.Later(mai.chat, "a", "sse=30, gap=50", True)
    wait(lambda: mai.status()["in_flight"] == 1, 5, "a stream of a")
    other = world.Later(mai.chat, "b")
    wait(lambda: mai.engine_state("a") == "draining", 5, "a drains")
    assert mai.get("/upstream/a/app.js").status == 409
    assert http.events(stream.result().body)[-1] == "[DONE]" and other.result().status == 200
    never(lambda: mai.records["a"].count("start") != 1, 0.5, "a is started again")


def test_a_page_of_a_starting_model_waits(mai):
    mai.config({"a": mai.engine("a", ["--ready-after", "500"])})
    mai.serve()
    page = world.Later(mai.get, "/upstream/a/", headers=ECHO)
    mai.wait_state("starting")
    assert mai.get("/upstream/a/app.js", headers=ECHO).status == 200
    assert page.result().status == 200


def test_a_failed_model_says_why(mai):
    mai.config({"a": mai.engine("a", ["--spew", "error: no such thing", "--exit-after", "0", "--exit-code", "1"], maxAttempts=0)})
    mai.serve()
    mai.post("/start", timeout=20)
    for path in ("/upstream/a/x", "/upstream/a/app.js"):
        r = mai.get(path)
        assert r.status == 503 and r.json["error"]["code"] == "engine_failed" and r.header("Retry-After") == "60"
        assert "no such thing" in r.json["mai"]["cause"]
    r = mai.post("/upstream/a/v1/messages", {"model": "a"})
    assert r.status == 503 and r.json["type"] == "error"


def test_route_loaded_never_asks_the_wrong_engine(mai):
    start_two(mai, route="loaded")
    assert mai.chat("b").header("X-Mai-Model") == "a"
    r = mai.get("/upstream/b/x", headers=ECHO)
    assert r.status == 409 and r.json["error"]["code"] == "model_conflict" and "a is loaded" in r.json["error"]["message"]
    assert mai.get("/upstream/a/x", headers=ECHO).status == 200


def test_route_reject(mai):
    start_two(mai, route="reject")
    assert mai.get("/upstream/b/x").status == 409


def test_a_crash_before_the_first_byte_is_not_seen(mai):
    mai.config({"a": mai.engine("a", ["--crash-on-request", "1", "--good-after", "1", "--state", str(mai.tmp / "s")], backoff=0.05)})
    mai.start_all()
    assert mai.call("DELETE", "/upstream/a/x", headers=ECHO).status == 200
    assert mai.records["a"].count("start") == 2


def test_only_inference_keeps_a_model(mai):
    mai.config({"a": mai.engine("a", ttl=1.5)})
    mai.start_all()
    stop = []

    def polls():
        while not stop:
            mai.get("/upstream/a/metrics", headers=ECHO)
            mai.get("/props?model=a", headers=ECHO)
            mai.get("/upstream/a/v1/models")
        return True

    poller = world.Later(polls)
    try:
        # inference keeps it, for longer than the ttl
        for _ in range(6):
            never(lambda: mai.records["a"].count("start") != 1, 0.4, "another start")
            assert mai.post("/upstream/a/v1/chat/completions", http.chat()).status == 200
        # without, the polls alone do not: it is unloaded (and what polls wakes it again)
        wait(lambda: mai.records["a"].count("term") == 1, 6 * SLOW, "unloaded in spite of the polls")
        assert [x["event"] for x in mai.records["a"].all() if x["event"] in ("start", "term")][:2] == ["start", "term"]
    finally:
        stop.append(1)
        poller.result()


# who may ----------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    from lib.mai import Mai
    m = Mai(tmp_path_factory.mktemp("guarded"))
    try:
        m.config({"a": m.engine("a")}, apiKeys=["root-key", {"key": "infer-key", "scope": "infer"}], allowedOrigins=["https://ok.example"])
        m.keys = {"Authorization": "Bearer root-key"}
        m.start_all()
        yield m
    finally:
        m.finish()


@pytest.mark.parametrize("path", ["/upstream", "/upstream/", "/upstream/a", "/upstream/a/x", "/upstream/a/v1/chat/completions",
                                  "/upstream/zzz/x"])
def test_it_is_for_keys_of_full_rights(guarded, path):
    def ask(headers):
        return http.call(guarded.port, "GET", path, headers={**ECHO, **headers})

    before = guarded.stats()["requests"]
    assert ask({}).status == 401
    r = ask({"X-Api-Key": "infer-key"})
    assert r.status == 403 and r.json["error"]["code"] == "forbidden"
    assert guarded.stats()["requests"] == before, "nothing reached the engine"
    assert ask({"X-Api-Key": "root-key"}).status in (200, 308, 404)


def test_hosts_and_origins_as_everywhere(guarded):
    for headers, want in (({"Host": "evil.example"}, 403), ({"Origin": "https://evil.example"}, 403), ({"Sec-Fetch-Site": "cross-site"}, 403),
                          ({"Origin": f"http://127.0.0.1:{guarded.port}"}, 200), ({"Origin": "https://ok.example"}, 200)):
        r = guarded.get("/upstream/a/x", headers={**ECHO, **headers})
        assert r.status == want, (headers, r)
        if want == 200:
            assert "Origin" not in r.json["head"]
            assert (r.header("Access-Control-Allow-Origin") is not None) is ("ok" in headers["Origin"])


# what is told -----------------------------------------------------------------------------------------------------

def test_access_line_metrics_and_events(one):
    one.get("/upstream/m/some/path?secret=1", headers=ECHO)
    one.get("/upstream/nobody/x")
    lines = one.get("/logs?source=access&n=10").body.decode()
    assert " GET /upstream/m/some/path 200 " in lines and "secret" not in lines
    assert " GET /upstream/nobody/x 404 " in lines
    text = one.get("/metrics").body.decode()
    assert 'mai_requests_total{model="m",code="200"} 1' in text
    assert not [x for x in text.splitlines() if x.startswith("mai_first_byte_seconds") and 'model="m"' in x], "that is about inference"


def test_cut_answers_never_look_complete(one):
    with one.raw() as c:
        c.send(request("GET", "/upstream/m/x", headers=[("X-Fake", "any, body-bytes=100000, cut-after-bytes=50000, chunked")]))
        c.head()
        body = c.all()
    assert b"0\r\n\r\n" not in body[-10:] and b"error" not in body


def test_a_slow_reader_holds_back_only_itself(one):
    with one.raw(rcvbuf=8192) as slow:
        slow.send(request("GET", "/upstream/m/x", headers=[("X-Fake", "any, body-bytes=60000000")]))
        slow.fill(100)
        seen = []

        def stalls():
            seen.append(one.stats()["bytes"])
            return len(seen) > 40 and seen[-1] == seen[-40]
        wait(stalls, 15, "the engine is held back", every=0.01)
        assert seen[-1] < 30_000_000
        assert one.get("/upstream/m/y", headers=ECHO).status == 200
    wait(lambda: one.stats()["aborted"] == 1, 5, "it left")
