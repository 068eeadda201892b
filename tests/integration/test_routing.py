# SPDX-License-Identifier: ISC
"""Which engine a request goes to: every path of the allow-list, every way to name a model; the shape of every error."""
import json
import os
import signal
from urllib.parse import quote

import pytest

from lib import http, proc, world
from lib.http import request
from lib.mai import MAI, SLOW
from lib.proc import never, wait
from lib.stream import MESSAGES, Stream

JSON_PATHS = ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/v1/messages/count_tokens", "/v1/embeddings",
              "/v1/rerank", "/v1/reranking", "/rerank", "/infill", "/completion", "/chat/completions"]
FORM_PATHS = ["/v1/audio/transcriptions", "/v1/audio/translations", "/v1/audio/speech", "/v1/audio/any/thing", "/v1/images/generations",
              "/v1/images/edits", "/v1/images/variations"]
POST_PATHS = JSON_PATHS + FORM_PATHS + ["/props"]
GET_PATHS = ["/props", "/v1/audio/voices", "/v1/audio/models"]
ECHO = {"X-Fake": "any, echo-head"}
BOUNDARY = "----b0undary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def form(*parts):
    """A multipart body: (name, value) is a field, (name, filename, bytes) a file."""
    out = b""
    for name, *rest in parts:
        file = f'; filename="{rest[0]}"\r\nContent-Type: audio/wav' if len(rest) == 2 else ""
        value = rest[-1] if isinstance(rest[-1], bytes) else rest[-1].encode()
        out += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + value + b"\r\n"
    return out + f"--{BOUNDARY}--\r\n".encode()


def by(reply):
    """Which model's engine it was, and what that got."""
    assert reply.status == 200, reply
    return reply.header("X-Mai-Model"), reply.json["head"], reply.json["body"]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """`a` and `b`, each with a name of its own for itself; requests swap at once."""
    from lib.mai import Mai
    m = Mai(tmp_path_factory.mktemp("both"))
    try:
        m.config({"a": m.engine("a", aliases=["gpt-4o", "org/name"], useModelName="inner-a", extraPaths=["/slots", "/both"]),
                  "b": m.engine("b", useModelName="inner-b", extraPaths=["/lora-adapters", "/both"])}, minResident=0, maxSwapWait=0.05)
        m.start_all()
        yield m
    finally:
        m.finish()


# the allow-list ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path", POST_PATHS)
def test_every_path_goes_to_the_model_in_the_body(both, path):
    for model in ("a", "b"):
        name, head, body = by(both.post(path, {"model": model, "x": [1, {"model": "not this"}]}, headers=ECHO, timeout=20))
        assert name == model and head.startswith(f"POST {path} HTTP/1.1\r\n")
        assert json.loads(body) == {"model": f"inner-{model}", "x": [1, {"model": "not this"}]}


@pytest.mark.parametrize("path", [p for p in POST_PATHS if p != "/props"])
def test_every_path_by_query_and_without_a_name(both, path):
    name, head, body = by(both.post(path + "?model=b&x=1", {"x": 1}, headers=ECHO, timeout=20))
    assert name == "b" and head.startswith(f"POST {path}?model=b&x=1 HTTP/1.1\r\n") and json.loads(body) == {"model": "inner-b", "x": 1}
    name, _, _ = by(both.post(path, {"x": 1}, headers=ECHO))
    assert name == "b", "the current one"
    name, _, _ = by(both.post(path + "?model=b", {"model": "a"}, headers=ECHO, timeout=20))
    assert name == "a", "the body goes first"


@pytest.mark.parametrize("path", GET_PATHS)
def test_what_may_be_read(both, path):
    for model in ("a", "b"):
        name, head, _ = by(both.get(f"{path}?model={model}", headers=ECHO, timeout=20))
        assert name == model and head.startswith(f"GET {path}?model={model} HTTP/1.1\r\n")
    with both.raw() as c:
        c.send(request("HEAD", f"{path}?model=b", headers=[("X-Fake", "any, echo-head")]))
        assert c.reply(no_body=True).status == 200


def test_props_needs_a_name(both):
    r = both.get("/props")
    assert r.status == 400 and "model" in r.json["error"]["message"]


@pytest.mark.parametrize("path", ["/slots/0", "/v1/nope", "/v1/chat", "/v1/chat/completions/", "/v1/chat/completions/x", "/v1/audio", "/v1/audio/",
                                  "/v1/images/", "/tools", "/v1/completionsx", "/V1/chat/completions", "/fake/stats", "/tokenize", "/detokenize",
                                  "/apply-template", "/v1/load_lora_adapter", "/cors-proxy", "/v1/chat%2e/completions", "/%761/completions"])
def test_everything_else_is_404(both, path):
    before = both.stats("a")["requests"]
    for method in ("GET", "POST", "DELETE"):
        r = both.call(method, path, {"model": "a"} if method == "POST" else None)
        assert r.status == 404 and r.json, (method, path, r)
    assert both.stats("a")["requests"] == before


@pytest.mark.parametrize("path", POST_PATHS)
def test_other_methods_are_405(both, path):
    allow = "GET, HEAD, POST" if path == "/props" or path.startswith("/v1/audio/") else "POST"
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"):
        if method in allow:
            continue
        with both.raw() as c:
            c.send(request(method, path))
            r = c.reply(no_body=method == "HEAD")
        assert r.status == 405 and r.header("Allow") == allow, (method, r)
        if method != "HEAD":
            assert r.json == {"detail": "Method Not Allowed"}


@pytest.mark.parametrize("path", ["/v1%2fchat/completions", "/v1/chat%5ccompletions", "/v1/chat/completions%00", "/v1/./chat/completions",
                                  "/v1/x/../chat/completions", "/v1/%2e%2e/v1/chat/completions", "//v1/chat/completions", "/v1//chat/completions",
                                  "/v1/chat/completions%", "/v1/chat/completions%zz", "/v1/chat/completions/..", "/v1/audio/..%2fspeech"])
def test_encoded_tricks_are_400(both, path):
    with both.raw() as c:
        c.send(request("POST", path, {"model": "a"}))
        r = c.reply()
        assert r.status == 400 and r.json["error"]["code"] == "bad_request"


# ways to name a model ---------------------------------------------------------------------------------------------

def test_aliases_and_names_restored(both):
    for name in ("gpt-4o", "org/name", "a"):
        r = both.post("/v1/chat/completions", http.chat(name))
        assert r.json["model"] == name and r.header("X-Mai-Model") == "a"
        events = http.events(both.post("/v1/chat/completions", http.chat(name, True)).body)
        assert events[-1] == "[DONE]" and {json.loads(e)["model"] for e in events[:-1]} == {name}
        model, _, body = by(both.post("/v1/chat/completions", http.chat(name), headers=ECHO))
        assert model == "a" and json.loads(body)["model"] == "inner-a"


@pytest.mark.parametrize("place", ["first", "late", "quoted", "only"])
def test_a_form_names_it(both, place):
    """Also behind a file, in which nothing is taken for a field."""
    evil = b"\0\1" + f'\r\n--{BOUNDARY[:-1]}\r\nContent-Disposition: form-data; name="model"\r\n\r\nevil\r\n'.encode() * 100
    file, field = ("file", "a.wav", evil), ("model", "b")
    parts = {"first": [field, file], "late": [file, ("language", "en"), field], "quoted": [file, field], "only": [field]}[place]
    body = form(*parts)
    if place == "quoted":
        body = body.replace(b'name="model"', b"name=model")
    kind = f'multipart/form-data; charset=utf-8; boundary="{BOUNDARY}"' if place == "quoted" else FORM
    both.post("/load", {"model": "a"}, timeout=20)
    name, head, got = by(both.post("/v1/audio/transcriptions", body, headers={**ECHO, "Content-Type": kind}, timeout=20))
    want = body.replace(b"\r\n\r\nb\r\n", b"\r\n\r\ninner-b\r\n")
    assert name == "b" and f"Content-Length: {len(want)}\r\n" in head and got == want.decode("latin-1")


def test_a_form_without_a_name_goes_to_the_current_one(both):
    both.post("/load", {"model": "b"}, timeout=20)
    body = form(("file", "model", b"a"), ("xmodel", "a"))
    name, _, got = by(both.post("/v1/audio/transcriptions", body, headers={**ECHO, "Content-Type": FORM}))
    assert name == "b" and got.encode() == body
    name, _, _ = by(both.post("/v1/audio/transcriptions?model=a", body, headers={**ECHO, "Content-Type": FORM}, timeout=20))
    assert name == "a"


@pytest.mark.parametrize("kind,body", [
    ("application/json", b'{"model":"a","model":"b"}'), ("application/json", b'{"model":"a","mod\\u0065l":"b"}'), ("application/json", b'{"model":'),
    ("application/json", b'{"model":["a"]}'), ("application/json", b"[]"), ("application/json", b""), ("text/plain", b"model=a"),
    ("application/octet-stream", b'{"model":"a","model":"b"}'), (FORM, form(("model", "a")))])
def test_what_two_readers_might_read_differently_is_400(both, kind, body):
    r = both.post("/v1/chat/completions", body, headers={**ECHO, "Content-Type": kind})
    assert r.status == 400 and r.json["error"]["code"] == "bad_request", r


@pytest.mark.parametrize("kind,body", [(FORM, form(("model", "a"), ("model", "b"))), ("multipart/form-data", form(("model", "a"))),
                                       (FORM, form(("model", "a" * 300))), (FORM, form(("model", b"a\0b")))])
def test_bad_forms_are_400(both, kind, body):
    r = both.post("/v1/audio/transcriptions", body, headers={**ECHO, "Content-Type": kind})
    assert r.status == 400 and r.json["error"]["code"] == "bad_request", r


def test_a_type_of_content_hides_no_name(both):
    """An engine that reads JSON whatever it is called would load what the client names."""
    for kind in ("application/octet-stream", "audio/wav", "text/plain", "multipart/form-data; boundary=x"):
        _, _, body = by(both.post("/v1/chat/completions", b'{"model":"gpt-4o"}', headers={**ECHO, "Content-Type": kind}, timeout=20))
        assert body == '{"model":"inner-a"}'


NAMES = ["org/na me", "caf\u00e9", 'q"x\\y', "a:b+c%d"]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_any_kind(mai, name):
    """As they are written in JSON, by number too, in a query and in a path; and back in what comes."""
    mai.config({"a": mai.engine("a", aliases=[name], useModelName="inner"), "b": mai.engine("b")})
    mai.start_all()
    for ascii_only in (True, False):
        for stream in (True, False):
            r = mai.post("/v1/chat/completions", json.dumps(http.chat(name, stream), ensure_ascii=ascii_only).encode())
            got = {json.loads(e)["model"] for e in http.events(r.body)[:-1]} if stream else {r.json["model"]}
            assert r.status == 200 and got == {name}
    with Stream(mai, MESSAGES, "sse=2", model=name) as s:
        s.all().assert_whole()
    assert json.loads(s.data()[0])["message"]["model"] == name and b"inner" not in s.body
    query = quote(name, safe="")
    for q in (query, query.replace("%20", "+"), quote(name, safe="") + "&model=b"):
        assert by(mai.get(f"/props?model={q}", headers=ECHO))[0] == "a"
    r = mai.get("/upstream/" + quote(name, safe="/:+") + "/x", headers=ECHO)
    assert r.status == (400 if "\\" in name else 200), "an encoded backslash is no path"
    body = form(("file", "a.wav", b"RIFF"), ("model", name))
    assert b'\r\n\r\ninner\r\n' in by(mai.post("/v1/audio/transcriptions", body, headers={**ECHO, "Content-Type": FORM}))[2].encode()


def test_pipelined_for_one_and_the_other(both):
    with both.raw(timeout=20) as c:
        c.send(b"".join(request("POST", "/v1/chat/completions", http.chat(i)) for i in "abba"))
        assert [c.reply().json["model"] for _ in "abba"] == ["a", "b", "b", "a"]


@pytest.mark.parametrize("keep", [False, True])
def test_a_client_of_http_1_0_swaps_too(both, keep):
    for i in "ab":
        body = json.dumps(http.chat(i))
        with both.raw(timeout=20) as c:
            more = "Connection: keep-alive\r\n" if keep else ""
            c.send(f"POST /v1/chat/completions HTTP/1.0\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}")
            r = c.reply()
            assert r.status == 200 and r.header("X-Mai-Model") == i and r.header("Transfer-Encoding") is None


def test_a_chunked_form_behind_a_100_names_it_at_its_end(both):
    assert both.post("/load", {"model": "a"}, timeout=20).status == 200
    body = form(("file", "a.wav", b"\r\n--x" * 400_000), ("model", "b"))
    with both.raw(timeout=20) as c:
        c.send("POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\nX-Fake: any\r\nExpect: 100-continue\r\n"
               f"Content-Type: {FORM}\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert c.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        for i in range(0, len(body), 99_999):
            part = body[i:i + 99_999]
            c.send(b"%x\r\n%s\r\n" % (len(part), part))
        c.send("0\r\nX-Trailer: x\r\n\r\n")
        r = c.reply()
    assert r.status == 200 and r.header("X-Mai-Model") == "b"
    assert both.records["b"].events("request")[-1]["body"] == len(body) + len("inner-b") - 1


def test_reject_and_fallback_by_whatever_name(new_mai):
    """An alias is its model; so is the fallback of a name that nobody has."""
    m = new_mai()
    m.config({"a": m.engine("a", aliases=["aa"]), "b": m.engine("b", aliases=["bb"])}, route="reject", fallbackModel="bb")
    m.start_all()
    assert m.chat("aa").status == 200
    for name in ("b", "bb", "whatever"):
        r = m.chat(name)
        assert r.status == 409 and r.json["error"]["message"] == f"there is no room for {name}: a is loaded and route is reject"
    for r in (m.post("/load", {"model": "whatever"}), m.get("/upstream/whatever/x"), m.get("/v1/models/whatever")):
        assert r.status == 404, "only inference falls back"
    assert m.post("/stop").status == 200
    r = m.chat("whatever")
    assert r.status == 200 and r.header("X-Mai-Model") == "b" and r.json["model"] == "whatever", "nothing was in the way"
    assert m.chat("aa").status == 409


def test_route_and_fallback(new_mai):
    def start(**top):
        m = new_mai()
        m.config({"a": m.engine("a"), "b": m.engine("b")}, minResident=0, maxSwapWait=0.05, **top)
        m.start_all()
        return m

    m = start(route="swap")
    assert m.chat("b", timeout=20).header("X-Mai-Model") == "b"
    m = start(route="loaded")
    for name in ("b", "whatever"):
        r = m.chat(name)
        assert r.header("X-Mai-Model") == "a" and r.json["model"] == name
    m = start(route="reject")
    r = m.chat("b")
    assert r.status == 409 and r.json["error"]["code"] == "model_conflict" and m.chat("a").status == 200
    m = start(fallbackModel="b")
    r = m.chat("whatever", timeout=20)
    assert r.header("X-Mai-Model") == "b" and r.json["model"] == "whatever"


# paths of a model's own -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_own_paths_take_any_method(both, method):
    for path, model in (("/slots", "a"), ("/lora-adapters", "b"), ("/both?model=a", "a"), ("/both?model=b", "b")):
        with both.raw(timeout=20) as c:
            c.send(request(method, path, b"", [("X-Fake", "any, echo-head")]))
            r = c.reply(no_body=method == "HEAD")
        assert r.status == 200 and r.header("X-Mai-Model") == model
        if method != "HEAD":
            assert r.json["head"].startswith(f"{method} {path} HTTP/1.1\r\n")


def test_own_paths_by_name_by_owner_or_by_what_is_loaded(both):
    name, _, body = by(both.post("/both", {"model": "b", "x": 1}, headers=ECHO, timeout=20))
    assert name == "b" and json.loads(body)["model"] == "inner-b"
    name, _, body = by(both.post("/both", b'[{"id": 0, "model": "z"}]', headers=ECHO))
    assert name == "b" and body == '[{"id": 0, "model": "z"}]'
    name, _, _ = by(both.post("/slots", b"x=1", headers={**ECHO, "Content-Type": "application/x-www-form-urlencoded"}, timeout=20))
    assert name == "a", "the only one that has it"
    name, _, _ = by(both.get("/both", headers=ECHO))
    assert name == "a", "the current one"


def test_own_paths_are_nobody_elses(both):
    both.post("/load", {"model": "a"}, timeout=20)
    starts = both.records["b"].count("start")
    for call in (lambda: both.post("/slots", {"model": "b"}), lambda: both.get("/slots?model=b"), lambda: both.get("/lora-adapters?model=gpt-4o")):
        r = call()
        assert r.status == 404 and r.json["error"]["code"] == "not_found", r
    assert both.get("/slots?model=zzz").json["error"]["code"] == "model_not_found"
    assert both.status()["current_model"] == "a" and both.records["b"].count("start") == starts, "nothing was loaded to find that out"


def test_own_paths_of_several_none_of_which_is_current(mai):
    mai.config({"a": mai.engine("a"), "b": mai.engine("b", extraPaths=["/x"]), "c": mai.engine("c", extraPaths=["/x"])})
    mai.start_all()
    r = mai.get("/x")
    assert r.status == 400 and "?model=" in r.json["error"]["message"]


# errors -----------------------------------------------------------------------------------------------------------

SHAPES = ["/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens", "/v1/responses", "/v1/embeddings", "/upstream/a/v1/messages"]
ANTHROPIC = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
             409: "invalid_request_error", 413: "request_too_large", 502: "api_error", 503: "overloaded_error"}
OPENAI = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "invalid_request_error",
          409: "invalid_request_error", 413: "invalid_request_error", 502: "server_error", 503: "server_error"}


def shaped(r, path, status, code):
    assert r.status == status, (path, r)
    error = r.json["error"]
    assert error["code"] == code and error["message"] and error["param"] is None, r
    messages = "/v1/messages" in path
    assert (r.json.get("type") == "error") is messages
    assert error["type"] == (ANTHROPIC if messages else OPENAI)[status]
    assert set(r.json) <= {"error", "mai", "type"} and r.header("Content-Type") == "application/json"
    if status == 503:
        assert int(r.header("Retry-After")) == r.json["mai"]["retry_after"] > 0
    return r


def test_codes_that_need_no_trouble(mai):
    mai.config({"a": mai.engine("a"), "b": mai.engine("b")}, route="reject", maxBody=1000,
               apiKeys=["root-key", {"key": "infer-key", "scope": "infer"}])
    mai.keys = {"Authorization": "Bearer root-key"}
    mai.start_all()
    for path in SHAPES:
        shaped(mai.post(path, b"[1"), path, 400, "bad_request")
        shaped(http.call(mai.port, "POST", path, {"model": "a"}), path, 401, "unauthorized")
        shaped(mai.post(path, {"model": "a"}, headers={"Origin": "https://evil.example"}), path, 403, "forbidden")
        shaped(mai.post(path, {"pad": "x" * 1000}), path, 413, "body_too_large")
        if path.startswith("/upstream"):
            shaped(http.call(mai.port, "POST", path, {"model": "a"}, {"X-Api-Key": "infer-key"}), path, 403, "forbidden")
            shaped(mai.post("/upstream/b/v1/messages", {}), path, 409, "model_conflict")
            r = shaped(mai.post("/upstream/zzz/v1/messages", {}), path, 404, "model_not_found")
        else:
            assert shaped(mai.post(path, {"model": "b"}), path, 409, "model_conflict").json["mai"]["cause"]
            r = shaped(mai.post(path, {"model": "zzz"}), path, 404, "model_not_found")
            assert r.json["mai"]["model"] == "zzz"
        assert "a, b" in r.json["error"]["message"]


def test_codes_of_the_queue(mai):
    mai.config({"a": mai.engine("a", ["--never-ready"])}, queueMax=1, queueMaxWait=3)
    mai.serve()
    waiter = world.Later(mai.post, "/v1/messages", {"model": "a"}, timeout=20)
    wait(lambda: mai.status()["queued"] == 1, 5, "one waits")
    for path in SHAPES:
        shaped(mai.post(path, {"model": "a"}), path, 503, "queue_full")
    r = shaped(waiter.result(20), "/v1/messages", 503, "queue_timeout")
    assert r.json["mai"]["state"] == "starting" and r.json["mai"]["model"] == "a"
    later = [world.Later(mai.post, p, {"model": "a"}, timeout=20) for p in ("/v1/responses",)]
    wait(lambda: mai.status()["queued"] == 1, 5, "one waits")
    mai.p.send_signal(signal.SIGTERM)
    shaped(later[0].result(10), "/v1/responses", 503, "shutting_down")
    assert mai.wait_exit(10) == 0


def test_codes_of_a_failed_model(mai):
    mai.config({"a": mai.engine("a", ["--spew", "error: out of luck", "--exit-after", "0", "--exit-code", "1"], maxAttempts=0)})
    mai.serve()
    mai.post("/start", timeout=20)
    for path in SHAPES:
        r = shaped(mai.post(path, {"model": "a"}), path, 503, "engine_failed")
        assert r.json["mai"]["state"] == "failed" and "out of luck" in r.json["mai"]["cause"] and r.header("Retry-After") == "60"


def test_codes_of_a_crash(mai):
    """The first time it is asked once more; the second time it is told, with what it was."""
    mai.config({"a": mai.engine("a", ["--crash-on-request", "1", "--spew", "error: bad luck", "--exit-code", "3"], backoff=0.02, maxAttempts=30,
                                backoffMax=0.02)})
    mai.start_all()
    for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses"):
        r = shaped(mai.post(path, {"model": "a"}, timeout=20), path, 502, "engine_crashed")
        assert r.json["mai"]["model"] == "a" and "3" in r.json["mai"]["exit"] and r.json["mai"]["attempt"] >= 1
        assert "bad luck" in r.json["mai"]["cause"] and r.header("X-Mai-Model") == "a" and r.header("X-Request-Id")


def test_codes_of_an_engine_that_speaks_no_http(one):
    for path in SHAPES[:4]:
        shaped(one.post(path, {"model": "m"}, headers={"X-Fake": "bad-head=not-http"}), path, 502, "bad_gateway")
        shaped(one.post(path, {"model": "m"}, headers={"X-Fake": "refuse"}), path, 502, "bad_gateway")


def test_not_found_has_a_shape_of_its_own(one):
    assert one.post("/v1/nope", {}).json == {"detail": "Not Found"}


# bodies -----------------------------------------------------------------------------------------------------------

def peak_kib(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


@pytest.mark.limit(120)
@pytest.mark.parametrize("how", ["length", "chunked", "form", "upstream"])
def test_a_body_is_kept_once(mai, how):
    """48 MiB cost the core 48 MiB and little more, while it waits and while it is sent."""
    mai.config({"m": mai.engine("m", ["--ready-after", "700"], useModelName="a name of its own that is longer than the client's was")})
    mai.serve()
    size = 48 << 20
    pad = b"y" * size
    body = b'{"model":"m","pad":"' + pad + b'"}'
    path, kind = "/v1/chat/completions", "application/json"
    if how == "form":
        path, kind, body = "/v1/audio/transcriptions", FORM, form(("file", "a.wav", pad), ("model", "m"))
    if how == "upstream":
        path = "/upstream/m/any"
    before = peak_kib(mai.core)
    with mai.raw(timeout=60) as c:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
        if how == "chunked":
            c.send(head + "Transfer-Encoding: chunked\r\n\r\n")
            for i in range(0, len(body), 1 << 20):
                part = body[i:i + (1 << 20)]
                c.send(b"%x\r\n%s\r\n" % (len(part), part))
            c.send("0\r\n\r\n")
        else:
            c.send(head + f"Content-Length: {len(body)}\r\n\r\n")
            c.send(body)
        assert c.reply().status == 200
    got = mai.records["m"].events("request")[-1]["body"]
    assert size < got <= len(body) + 100
    if not world.sanitized(MAI):
        assert peak_kib(mai.core) - before < (size >> 10) + 24 * 1024
        assert proc.rss_kib(mai.core) - before < 24 * 1024, "given back, but for what the allocator keeps"


@pytest.mark.limit(90)
def test_twenty_bodies_at_once(mai):
    mai.config({"m": mai.engine("m", ["--ready-after", "500"])})
    mai.serve()
    calls = [world.Later(mai.post, "/v1/chat/completions", http.chat("m", pad=str(i % 10) * 2_000_000), headers=ECHO, timeout=60) for i in range(20)]
    for i, call in enumerate(calls):
        r = call.result(60)
        assert r.status == 200 and json.loads(r.json["body"])["pad"] == str(i % 10) * 2_000_000


def test_a_model_is_not_named_by_what_stands_deep(both):
    body = b'{"messages":[{"model":"b"}],"x":"\\"model\\":\\"b\\"","tools":{"model":"b"},"model":"a"}'
    name, _, got = by(both.post("/v1/chat/completions", body, headers=ECHO, timeout=20))
    assert name == "a" and got == body.decode().replace('"model":"a"}', '"model":"inner-a"}')


def test_killed_engines_requests_name_the_cause_once_it_is_known(mai):
    mai.config({"m": mai.engine("m", backoff=0.05)})
    mai.start_all()
    later = world.Later(mai.chat, "m", "hang", timeout=20)
    wait(lambda: mai.stats()["in_progress"] == 1, 5, "it is with the engine")
    os.kill(mai.status()["pid"], signal.SIGKILL)
    wait(lambda: mai.records["m"].count("start") == 2, 5 * SLOW, "started again")
    wait(lambda: mai.status()["in_flight"] == 1, 5, "asked once more")
    os.kill(mai.status()["pid"], signal.SIGKILL)
    r = shaped(later.result(20), "/v1/chat/completions", 502, "engine_crashed")
    assert "SIGKILL" in r.json["mai"]["exit"]
    never(lambda: mai.status()["in_flight"], 0.2, "a third time")
