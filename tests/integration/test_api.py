# SPDX-License-Identifier: ISC
"""Management: version, metrics, logs, snapshot, requests, info; and that errors are never empty."""
import json
import re

import pytest

from lib import http, proc, world
from lib.http import request
from lib.proc import wait


def test_livez_and_version(one):
    assert one.get("/livez").status == 200
    v = one.get("/api/version").json
    assert v["pid"] == one.core and v["version"] and v["protocol"] >= 1 and "commit" in v and "started" in v


def test_root_is_one_line_of_text(one):
    r = one.get("/")
    assert r.status == 200 and b"/status" in r.body and b"mai attach" in r.body
    assert r.header("Content-Type").startswith("text/plain")


def test_metrics_text_format(one):
    one.chat("m")
    r = one.get("/metrics")
    assert r.status == 200 and r.header("Content-Type").startswith("text/plain")
    types = {}
    for line in r.body.decode().splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types and kind in ("counter", "gauge", "histogram", "summary", "untyped")
            types[name] = kind
        elif line and not line.startswith("#"):
            m = re.fullmatch(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\]|\\.)*",?)*\})? (\S+)', line)
            assert m, line
            float(m[3].replace("+Inf", "inf"))
            base = re.sub(r"_(bucket|sum|count)$", "", m[1])
            assert m[1] in types or base in types, line
    assert 'model="m"' in r.body.decode()


def test_metrics_never_wake_a_model(mai):
    mai.config({"m": mai.engine("m")})
    mai.serve()
    for path in ("/metrics", "/status", "/health", "/ready", "/v1/models", "/api/snapshot", "/api/requests", "/logs"):
        mai.get(path)
    assert mai.records["m"].count("start") == 0


def test_logs(one):
    r = one.get("/logs")
    assert r.status == 200 and r.header("Content-Type").startswith("text/plain")
    one.chat("m")
    assert len(one.get("/logs?n=3").body.decode().splitlines()) <= 3


@pytest.mark.parametrize("query", ["", "?no-history"])
@pytest.mark.parametrize("path,of_child,of_mai", [("", True, True), ("/proxy", False, True), ("/upstream", True, False),
                                                  ("/m", True, False)])
def test_logs_stream(mai, path, of_child, of_mai, query):
    """What was said before it is asked for, unless told otherwise, and what is said then; each of the ways shows its own."""
    mai.config({"m": mai.engine("m", ["--print-env"])})
    mai.start_all()
    mark = re.compile(rb"MAI_ENGINE=\S+\.(\d+)\n")     # which start it is
    first = int(wait(lambda: mark.search(mai.log().encode()), 5, "its line")[1])
    with mai.raw(timeout=10) as c:
        c.send(request("GET", f"/logs/stream{path}{query}"))
        status, headers = c.head()
        assert status == 200 and dict(headers)["Content-Type"].startswith("text/plain")
        assert mai.post("/api/restart", {}, timeout=20).status == 200
        assert mai.post("/load", {"model": "unheard-of"}).status == 404
        got = b""
        while (of_mai and b"unheard-of" not in got) or (of_child and not any(int(n) > first for n in mark.findall(got))):
            got += c.chunk()
    past = not query
    assert (b"listening on" in got) == (past and of_mai) and (b"unheard-of" in got) == of_mai, got
    assert (str(first).encode() in mark.findall(got)) == (past and of_child), got
    assert of_child or not mark.search(got)


def test_logs_stream_of_an_unknown_model(one):
    assert one.get("/logs/stream/none").status == 404


def test_api_logs_cursor(mai):
    mai.config({"m": mai.engine("m", ["--spew", "\\n".join(f"row {i}" for i in range(50))])})
    mai.start_all()
    wait(lambda: "row 49" in mai.log(), 5)
    r = mai.get("/api/logs?model=m&source=child").json
    assert set(r) >= {"first", "next", "dropped", "lines"}
    seqs = [x[0] for x in r["lines"]]
    assert seqs == sorted(seqs) and [x[4] for x in r["lines"] if x[4].startswith("row ")] == [f"row {i}" for i in range(50)]
    again = mai.get(f"/api/logs?model=m&source=child&from={seqs[10]}").json
    assert again["lines"][0][0] == seqs[10]
    assert mai.get(f"/api/logs?model=m&source=child&from={r['next']}").json["lines"] == []
    small = mai.get("/api/logs?model=m&source=child&from=0&max=200")
    assert len(small.body) < 2000


def test_snapshot(one):
    s = one.snapshot()
    assert [e["id"] for e in s["engines"]] == ["m"]
    e = s["engines"][0]
    assert e["state"] == "ready" and e["pid"] == one.status()["pid"]
    json.dumps(s)


def test_requests_and_cancel(one):
    call = world.Later(one.chat, "m", fake="sse=1000, gap=20", stream=True,
                       headers={"Authorization": "Bearer canary-7", "Cookie": "c=canary-8", "X-Plain": "seen"})
    row = wait(lambda: next((r for r in one.get("/api/requests").json["requests"] if r["phase"] == "gen"), None), 3, "generating")
    for key in ("id", "client", "model", "path", "phase"):
        assert key in row, row
    assert row["model"] == "m" and row["path"] == "/v1/chat/completions"
    shown = one.get(f"/api/requests/{row['id']}").json
    headers = {k.lower(): v for k, v in shown["headers"].items()}
    assert shown["id"] == row["id"] and "host" in headers and "canary" not in json.dumps(shown), shown
    assert headers["authorization"] == "***" and headers["x-plain"] == "seen", shown
    for bad in ("999999", "zz", f"{row['id']}/x", "1" * 30):
        assert one.get(f"/api/requests/{bad}").status == 404, bad
    r = one.post(f"/api/requests/{row['id']}/cancel")
    assert r.status == 200, r
    try:
        assert b"[DONE]" not in call.result().body
    except Exception as e:
        assert "Incomplete" in repr(e)
    wait(lambda: one.stats()["aborted"] == 1, 1)
    assert one.post("/api/requests/999999/cancel").status == 404
    assert one.post("/api/requests/zz/cancel").status in (400, 404)


def test_info_masks_secrets(mai):
    mai.config({"m": mai.engine("m", env=["HF_TOKEN=canary-1", "MY_API_KEY=canary-2", "PLAIN=seen"])},
               apiKeys=["canary-3"])
    mai.keys = {"Authorization": "Bearer canary-3"}
    mai.start_all()
    everything = b"".join(mai.get(p).body for p in ("/api/info?model=m", "/api/snapshot", "/status", "/logs?n=1000", "/metrics"))
    everything += mai.stderr.encode() + mai.verb("status", "--json").stdout.encode()
    assert b"canary" not in everything
    assert b"PLAIN" in mai.get("/api/info?model=m").body


def test_prompts_are_never_logged(one):
    one.chat("m", messages=[{"role": "user", "content": "canary-prompt"}])
    one.chat("m", fake="status=500", messages=[{"role": "user", "content": "canary-prompt"}])
    assert "canary-prompt" not in one.log() + one.stderr


def test_restart(one):
    pid = one.status()["pid"]
    assert one.post("/api/restart", {"model": "m"}).status == 200
    s = one.ready()
    assert s["pid"] != pid and s["restart_attempts"] == 0
    assert one.post("/api/restart", {"force": True}).status == 200
    assert one.ready()["pid"] not in (pid, s["pid"])
    assert one.post("/api/restart", {"model": "zz"}).status == 404


def test_no_management_get_has_side_effects(one):
    pid = one.status()["pid"]
    for path in ("/load", "/stop", "/start", "/unload", "/api/restart", "/api/shutdown", "/api/reload", "/api/models/unload"):
        r = one.get(path)
        assert r.status in (404, 405) and r.body, (path, r)
    assert one.status()["pid"] == pid


def test_errors_are_never_empty(one):
    for method, path, body in (("GET", "/x", None), ("POST", "/v1/chat/completions", "{"), ("POST", "/v1/zzz", "{}"),
                               ("DELETE", "/status", None), ("POST", "/load", "[]"), ("POST", "/v1/chat/completions", "")):
        r = one.call(method, path, body)
        assert r.status >= 400 and r.json, (method, path, r)
        assert r.header("Content-Type").startswith("application/json")
        assert not r.header("Access-Control-Allow-Origin")


def test_own_answers_are_not_cached_or_sniffed(one):
    r = one.get("/status")
    assert r.header("Cache-Control") == "no-store" and r.header("X-Content-Type-Options") == "nosniff"
    assert not r.header("Server")


def test_shutdown(one):
    assert one.post("/api/shutdown").status in (200, 202)
    assert one.wait_exit(5) == 0


def test_anthropic_errors_have_their_shape(mai):
    mai.config({"m": mai.engine("m", ["--exit-after", "0", "--exit-code", "2"])})
    mai.serve()
    r = mai.post("/v1/messages", {"model": "m", "max_tokens": 1, "messages": []}, timeout=20)
    assert r.status == 503 and r.json["type"] == "error" and r.json["error"]["type"] and r.json["error"]["message"]


def test_accepted_and_ready_figures(one):
    s = one.status()
    for k in ("state", "reason", "ready", "pid", "in_flight", "queued", "failed"):
        assert k in s, k
    assert s["ready"] is True and s["failed"] is False and (s["in_flight"], s["queued"]) == (0, 0)
    assert proc.alive(s["pid"])


@pytest.mark.parametrize("n", [1, 3])
def test_many_small_calls_on_one_connection(one, n):
    with one.raw() as c:
        for _ in range(100 * n):
            c.send(request("GET", "/livez"))
            assert c.reply().status == 200


def test_listening_quickly(mai):
    import time
    mai.config({"m": mai.engine("m")})
    before = time.monotonic()
    mai.serve()
    assert time.monotonic() - before < 1.0
    assert http.call(mai.port, "GET", "/livez").status == 200


def test_management_bodies_are_small(one):
    """Many may be under way, and nothing counts them: names need no megabytes."""
    r = one.post("/load", b'{"model":"m","x":"' + b"x" * 70_000 + b'"}')
    assert r.status == 413 and r.json["error"]["code"] == "body_too_large", r
    assert one.post("/load", b'{"model":"m","x":"' + b"x" * 60_000 + b'"}').status == 200


def test_programs_that_are_not_there(mai):
    """A picker hears which engines are not installed, and what installs them, before anybody waits for one."""
    bin_dir = mai.tmp / "bin"
    bin_dir.mkdir()
    mai.config({"a": mai.engine("a"), "b": {"cmd": "no-such-engine --port ${PORT}"},
                "c": {"cmd": "llama-server -m /x.gguf --port ${PORT}"}, "d": {"cmd": "/no/such/file ${PORT}"}})
    mai.serve(env={"PATH": str(bin_dir)})

    def missing():
        return {e["id"]: (e["missing"], e["install"]) for e in mai.snapshot()["engines"] if e["missing"]}
    wait(lambda: len(missing()) == 3, 2)
    m = missing()
    assert m["b"] == ("no-such-engine", None) and m["d"][0] == "/no/such/file"
    assert m["c"][0] == "llama-server" and "llama.cpp" in m["c"][1]
    (bin_dir / "llama-server").write_text("#!/bin/sh\n")
    (bin_dir / "llama-server").chmod(0o755)
    assert mai.post("/api/reload").status == 200
    wait(lambda: sorted(missing()) == ["b", "d"], 2)
