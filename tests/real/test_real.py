# SPDX-License-Identifier: ISC
"""llama-server and mlx_lm.server as they are: what the pretend engine imitates must hold for them too."""
import json
import os
import signal
import time

import pytest

from lib import http, proc, world
from lib.http import request
from lib.proc import never, wait

TINY = ["llama-tiny", "mlx-tiny"]
REAL = ["llama", "mlx"]
QUESTION = [{"role": "user", "content": "What is the capital of France? Answer in one short sentence."}]


def load(m, name, timeout=90):
    r = m.post("/load", {"model": name}, timeout=timeout)
    assert r.status == 200, (r, m.stderr[-3000:])


def ask(m, name, **more):
    return m.chat(name, messages=QUESTION, temperature=0, timeout=120, **{"max_tokens": 12, **more})


@pytest.mark.limit(240)
@pytest.mark.parametrize("name", REAL)
def test_chat_gives_real_words(real, name):
    load(real, name)
    r = ask(real, name, max_tokens=16)
    assert r.status == 200 and r.json["model"] == name
    assert "Paris" in r.json["choices"][0]["message"]["content"], r


@pytest.mark.limit(240)
@pytest.mark.parametrize("name", REAL)
def test_streaming_chat_gives_real_tokens_one_by_one(real, name):
    load(real, name)
    with real.raw(timeout=90) as c:
        c.send(request("POST", "/v1/chat/completions", {"model": name, "messages": QUESTION, "max_tokens": 16, "stream": True,
                                                        "temperature": 0, "stream_options": {"include_usage": True}}))
        status, headers = c.head()
        assert status == 200
        assert dict((k.lower(), v) for k, v in headers)["content-type"] == "text/event-stream; charset=utf-8"
        body, times = b"", []
        while part := c.chunk():
            body += part
            times.append(time.monotonic())
    data = http.events(body)
    assert data[-1] == "[DONE]"
    text = "".join((d["choices"] or [{"delta": {}}])[0]["delta"].get("content") or "" for d in map(json.loads, data[:-1]))
    assert "Paris" in text
    assert len(times) >= 4 and times[-1] > times[0]
    assert all(json.loads(d)["model"] == name for d in data[:-1])


@pytest.mark.limit(240)
@pytest.mark.parametrize("name", ["mlx", "mlx-tiny"])
def test_mlx_is_not_ready_before_the_model_answers(real, name):
    later = world.Later(real.post, "/load", {"model": name}, timeout=90)
    early = []

    def look():
        s = real.status()
        if not s["ready"] and s["mlx_server_running"]:
            if real.get("/ready").status == 503:
                early.append(s)
            else:
                assert real.status()["ready"], "/ready and /status agree"
        return s["ready"]
    wait(look, 90, "ready")
    assert early and later.result(60).status == 200
    before = time.monotonic()
    assert ask(real, name, max_tokens=1).status == 200
    assert time.monotonic() - before < 15


@pytest.mark.limit(240)
def test_swap_between_the_two_kinds(real):
    for name in ("llama-tiny", "mlx-tiny", "llama-tiny"):
        r = ask(real, name)
        assert r.status == 200 and r.json["model"] == name, r
        s = real.status()
        assert s["current_model"] == name
        assert len(real.engines()) == 1 or wait(lambda: len([p for p in real.engines() if (proc.stat(p) or (0, 0))[1] == real.core]) == 1, 2)


@pytest.mark.limit(240)
@pytest.mark.parametrize("name", TINY)
def test_kill_9_and_recovery(real, name):
    load(real, name)
    pid = real.status()["pid"]
    killed = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    s = real.wait_state("backoff", timeout=2)
    assert "SIGKILL" in str(s["last_exit"]) and s["restart_attempts"] == 1
    r = ask(real, name)          # held through backoff and start
    assert r.status == 200
    assert time.monotonic() - killed >= 2.0
    assert real.status()["pid"] != pid


@pytest.mark.limit(240)
def test_mlx_without_weights_is_a_zombie_that_is_seen(real):
    empty = real.tmp / "no-weights"
    empty.mkdir()
    (empty / "config.json").write_text('{"model_type": "llama"}')
    before = time.monotonic()
    real.config({"z": json.loads(json.dumps(real.models["mlx-missing"]).replace("/no/such/model", str(empty)))}, defaultModel="z")
    real.term()
    real.serve()
    s = real.wait_state("failed", timeout=60)
    assert time.monotonic() - before < 60
    assert "generation thread died" in str(s) or "safetensors" in str(s) or "Error" in str(s), s
    wait(lambda: not real.engines(), 3, "the zombie is gone")


@pytest.mark.limit(240)
@pytest.mark.parametrize("name", ["llama-missing", "mlx-missing"])
def test_missing_model_path_fails_fast_with_the_cause(real, name):
    before = time.monotonic()
    r = real.post("/load", {"model": name}, timeout=60)
    took = time.monotonic() - before
    assert r.status == 500, r
    assert took < 15, took
    s = real.wait_state("failed", timeout=5)
    assert "/no/such/model" in str(s) or "/no/such/model" in r.json["cause"], (s, r)
    wait(lambda: not real.engines(), 3, "the zombie is gone")
    r = ask(real, name)
    assert r.status == 503 and r.json["error"]["code"] == "engine_failed" and "/no/such/model" in r.body.decode()
    load(real, "llama-tiny")


@pytest.mark.limit(240)
@pytest.mark.parametrize("name", TINY)
def test_sigterm_with_a_stream_open(real, name):
    """llama-server waits for its clients: they are hung up on first."""
    load(real, name)
    real.expect_clean = False
    with real.raw(timeout=60) as c:
        c.send(request("POST", "/v1/chat/completions", {"model": name, "messages": QUESTION, "max_tokens": 8000, "stream": True}))
        c.head()
        c.chunk()
        pid = real.status()["pid"]
        before = time.monotonic()
        real.p.terminate()
        never(lambda: real.p.poll() is not None and real.p.returncode != 0, 0.2)
        real.p.terminate()       # the second one does not drain
        assert real.wait_exit(8) == 0
        assert time.monotonic() - before < 4
        assert not proc.alive(pid)


@pytest.mark.limit(240)
@pytest.mark.parametrize("name", TINY)
def test_stop_with_a_stream_open_is_bounded_by_drainTimeout(real, name):
    load(real, name)
    with real.raw(timeout=20) as c:
        c.send(request("POST", "/v1/chat/completions", {"model": name, "messages": QUESTION, "max_tokens": 8000, "stream": True}))
        c.head()
        c.chunk()
        before = time.monotonic()
        assert real.post("/stop", timeout=60).json == {"status": "stopped"}
        assert 0.4 < time.monotonic() - before < 0.5 + 3
        body = c.all()
        assert b"[DONE]" not in body
    assert not real.engines()


@pytest.mark.limit(240)
@pytest.mark.parametrize("name", TINY)
def test_a_client_that_leaves_stops_the_generation(real, name):
    load(real, name)
    pid = real.status()["pid"]
    with real.raw(timeout=60) as c:
        c.send(request("POST", "/v1/chat/completions", {"model": name, "messages": QUESTION, "max_tokens": 8000, "stream": True}))
        c.head()
        c.chunk()
    wait(lambda: real.status()["in_flight"] == 0, 2)

    def idle():
        a = proc.cpu_seconds(pid)
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            time.sleep(0.05)
        return proc.cpu_seconds(pid) - a < 0.1
    wait(idle, 15, "the engine rests")


@pytest.mark.limit(240)
@pytest.mark.parametrize("name", TINY)
def test_a_model_field_that_names_something_else(new_mai, engines, name):
    """mlx would drop its model and try to fetch that name; it never sees it."""
    from conftest import models_of
    m = new_mai()
    m.config({"it": models_of(engines)[name]}, route="loaded", defaultModel="it")
    m.serve()
    m.wait_state("ready", timeout=60)
    for other in ("gpt-4o", "mlx-community/Something-Else-4bit", "it"):
        r = ask(m, other)
        assert r.status == 200 and r.json["model"] == other, r
    assert m.status()["restart_attempts"] == 0
    assert "Fetching" not in m.log()


@pytest.mark.limit(240)
def test_keep_alive_of_llama_is_outlived(real):
    """It closes idle connections after 5 s; a request that meets that is not lost."""
    load(real, "llama-tiny")
    for _ in range(2):
        assert ask(real, "llama-tiny", max_tokens=1).status == 200
        start = time.monotonic()
        wait(lambda: time.monotonic() - start > 5.05, 8, "idle for 5 s", every=0.05)
    assert ask(real, "llama-tiny", max_tokens=1).status == 200
    assert real.status()["restart_attempts"] == 0


@pytest.mark.limit(240)
@pytest.mark.parametrize("name", TINY)
def test_one_that_hangs_is_replaced_and_its_request_answered(real, name):
    """Stopped by a signal it is as a wedged one is: alive, its port open, and silent."""
    real.models = {k: {**v, "stallTimeout": 2} for k, v in real.models.items()}
    real.config(real.models, drainTimeout=0.5)
    assert real.verb("reload").returncode == 0
    load(real, name)
    pid = real.status()["pid"]
    os.kill(pid, signal.SIGSTOP)
    r = real.chat(name, messages=QUESTION, max_tokens=4, timeout=120)
    assert r.status == 200, r
    s = real.status()
    assert s["pid"] != pid and s["last_exit"]["reason"] == "wedged", s


@pytest.mark.limit(240)
@pytest.mark.parametrize("name", TINY)
def test_a_long_prompt_and_its_canaries_are_left_alone(real, name):
    """Without a byte for longer than stallTimeout, but at work; after a gap of the core it is asked, and answers."""
    real.models = {k: {**v, "stallTimeout": 1} for k, v in real.models.items()}
    real.config(real.models, drainTimeout=0.5)
    assert real.verb("reload").returncode == 0
    load(real, name)
    pid = real.status()["pid"]
    # more than a fast machine answers during the gap: where nothing is left to be waited for, none is looked for
    calls = [world.Later(ask, real, name, max_tokens=3000) for _ in range(8 if name.startswith("llama") else 2)]
    wait(lambda: real.status()["in_flight"] == len(calls), 30, "in flight")
    os.kill(real.core, signal.SIGSTOP)
    time.sleep(4)
    os.kill(real.core, signal.SIGCONT)
    wait(lambda: "the core did not run for a while" in real.stderr, 20, "the gap was seen")
    for c in calls:
        c.join(60)
    s = real.status()
    assert s["pid"] == pid and not s["last_exit"], s
