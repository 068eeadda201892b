# SPDX-License-Identifier: ISC
"""Streams that wait: heartbeats after a while, in the words of their API, for as long as there is hope; and what comes then."""
import json
import os
import signal

import pytest

from lib import world
from lib.mai import SLOW
from lib.proc import never, wait
from lib.stream import Api, CHAT, HELD, MESSAGES, NATIVE, RESPONSES, Stream, access, metric

FAST = {"heartbeatAfter": 0.2, "heartbeatEvery": 0.1}
PING = b'event: ping\ndata: {"type": "ping"}\n\n'


def beat(api, text=b"loading m"):
    return PING if api is MESSAGES else b": mai: " + text


def loading(m, *args, top=(), **keys):
    """An engine that is not ready before a second and a bit."""
    m.config({"m": m.engine("m", ["--ready-after", "1200", *args], **keys)}, **{**FAST, **dict(top)})
    m.serve()
    m.settle_fds()
    return m


def for_ever(m, *args, top=(), **keys):
    """One that is never ready, but shows signs of life."""
    m.config({"m": m.engine("m", ["--never-ready", "--flood", "20", *args], **keys)}, **{**FAST, **dict(top)})
    m.serve()
    m.settle_fds()
    return m


@pytest.mark.parametrize("api", HELD, ids=repr)
def test_a_stream_that_waits_for_its_model(mai, api):
    loading(mai)
    with Stream(mai, api, "sse=3") as s:
        s.head()
        assert 0.15 < s.head_at - s.sent < 0.8 * SLOW and mai.state() == "starting"
        s.all().assert_whole()
    h = s.headers
    assert h["content-type"] == "text/event-stream" + ("; charset=utf-8" if api is CHAT else "")
    assert h["x-accel-buffering"] == "no" and h["x-mai-model"] == "m" and h["x-request-id"]
    assert h["transfer-encoding"] == "chunked"
    beats = s.body.count(beat(api, b""))
    assert beats >= 4, s.body
    assert s.body.startswith(beat(api)) and s.body.rindex(beat(api)) < s.body.index(b"word0")
    assert metric(mai, "mai_heartbeats_total", model="m") == beats
    assert " 200 " in access(mai)[-1] and " 3 out" in access(mai)[-1]


def test_the_place_in_the_queue_is_told(mai):
    loading(mai)
    streams = [Stream(mai, CHAT, "sse=1") for _ in range(3)]
    for s in streams:
        s.all().assert_whole()
        s.raw.s.close()
    places = {n for s in streams for n in (1, 2, 3) if b", position %d\n\n" % n in s.body}
    assert places == {1, 2, 3}


def test_who_is_served_in_time_gets_none(mai):
    mai.config({"m": mai.engine("m")}, **FAST)
    mai.start_all()
    with Stream(mai, CHAT, "sse=8, gap=100") as s:
        s.all().assert_whole()
        assert b"mai:" not in s.body
    with Stream(mai, CHAT, "sse=2, delay=50", headers=[("X-Request-Id", "mine")]) as s:
        s.all().assert_whole()
        assert b"mai:" not in s.body and s.headers["x-request-id"] == "mine"
    assert metric(mai, "mai_heartbeats_total") == 0


def test_who_asked_for_no_stream_gets_none(mai):
    loading(mai)
    r = mai.chat("m")
    assert r.status == 200 and r.json["choices"] and int(r.header("X-Queue-Ms")) > 500
    with Stream(mai, NATIVE, "sse=1, delay=700") as s:
        s.all().assert_whole()
        assert b"mai:" not in s.body
    assert metric(mai, "mai_heartbeats_total") == 0


def test_heartbeatAfter_0_is_never(mai):
    loading(mai, top={"heartbeatAfter": 0})
    with Stream(mai, CHAT, "sse=1") as s:
        s.all().assert_whole()
        assert b"mai:" not in s.body and int(s.headers["x-queue-ms"]) > 500


@pytest.mark.parametrize("api", HELD, ids=repr)
def test_a_long_prompt(mai, api):
    """The engine is there and silent; then it tells of its progress by itself."""
    mai.config({"m": mai.engine("m")}, **FAST)
    mai.start_all()
    with Stream(mai, api, "sse=2, delay=700, comments=3, ahead-gap=50") as s:
        s.all().assert_whole()
    assert s.body.count(beat(api, b"m works on the prompt")) >= 3, s.body
    assert b": keepalive 1/3\n\n: keepalive 2/3\n\n: keepalive 3/3\n\n" in s.body, "the engine's own are enough"
    assert s.body.index(b"keepalive") > s.body.rindex(beat(api, b"m works on the prompt"))


def test_a_client_of_http_1_0(mai):
    loading(mai)
    with Stream(mai, CHAT, "sse=3", version="1.0") as s:
        s.all()
        assert s.clean and s.body.count(b": mai: ") >= 3 and s.body.endswith(b"data: [DONE]\n\n")
        assert "transfer-encoding" not in s.headers


# ways out ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("api", HELD, ids=repr)
def test_a_load_that_fails(mai, api):
    mai.config({"m": mai.engine("m", ["--never-ready", "--exit-after", "600", "--exit-code", "3", "--spew", "fatal: out of tea"],
                                maxAttempts=1, backoff=0.2)}, **FAST)
    mai.serve()
    with Stream(mai, api) as s:
        s.all().assert_broken("engine_failed")
    assert s.body.count(beat(api, b"")) >= 6, "through its backoff, too"
    if api is not MESSAGES:
        assert b"m failed, starts again in 1 s" in s.body
    j = json.loads(s.data()[-1])
    assert j["mai"]["model"] == "m" and j["mai"]["retry_after"] == 60 and "out of tea" in j["mai"]["cause"]
    assert " 503 " in access(mai)[-1]
    assert metric(mai, "mai_requests_total", model="m", code="503") == 1
    # Once it failed it is said at once, by a status.
    with Stream(mai, api) as s:
        assert s.head().status == 503


@pytest.mark.parametrize("api", HELD, ids=repr)
def test_a_wait_that_is_too_long(mai, api):
    for_ever(mai, top={"queueMaxWait": 0.8})
    with Stream(mai, api) as s:
        s.all().assert_broken("queue_timeout")
    assert s.body.count(beat(api, b"")) >= 4


@pytest.mark.parametrize("api", HELD, ids=repr)
def test_a_stop_meanwhile(mai, api):
    for_ever(mai)
    with Stream(mai, api) as s:
        s.until(beat(api))
        assert mai.post("/stop").status == 200
        s.all().assert_broken("engine_failed")


@pytest.mark.parametrize("api", HELD, ids=repr)
def test_the_end_of_mai_meanwhile(mai, api):
    for_ever(mai)
    with Stream(mai, api) as s:
        s.until(beat(api))
        mai.p.send_signal(signal.SIGTERM)
        s.all().assert_broken("shutting_down")
    assert mai.wait_exit() == 0


@pytest.mark.parametrize("api", HELD, ids=repr)
def test_cancelled_meanwhile(mai, api):
    for_ever(mai)
    with Stream(mai, api) as s:
        s.until(beat(api))
        rid = mai.get("/api/requests").json["requests"][0]["id"]
        assert mai.post(f"/api/requests/{rid}/cancel").status == 200
        s.all().assert_broken("cancelled")
    assert mai.status()["queued"] == 0


def test_a_client_that_leaves_meanwhile(mai):
    loading(mai)
    s = Stream(mai, CHAT)
    s.until(b"mai: loading")
    s.raw.s.close()
    wait(lambda: mai.status()["queued"] == 0, 2 * SLOW, "forgotten")
    assert " 499 " in access(mai)[-1]
    mai.ready()
    never(lambda: mai.records["m"].count("request"), 0.3, "asked for nobody")


@pytest.mark.parametrize("api", HELD, ids=repr)
def test_a_crash_before_the_first_token_is_invisible(mai, api):
    mai.config({"m": mai.engine("m", backoff=0.2)}, **FAST)
    mai.start_all()
    with Stream(mai, api, "sse=3, delay=900") as s:
        s.until(beat(api, b"m works on the prompt"))
        os.kill(mai.records["m"].pid(), signal.SIGKILL)
        s.all().assert_whole()
    assert mai.records["m"].count("request") == 2 and mai.records["m"].count("start") == 2
    if api is not MESSAGES:
        assert s.body.index(b"works on") < s.body.index(b"failed, starts again") < s.body.index(b"word0")


def test_a_crash_behind_comments_is_invisible_too(mai):
    mai.config({"m": mai.engine("m", backoff=0.1)}, **FAST)
    mai.start_all()
    with Stream(mai, CHAT, "sse=3, http10, comments=4, ahead-gap=150") as s:
        s.until(b": keepalive 2/4\n\n")
        os.kill(mai.records["m"].pid(), signal.SIGKILL)
        s.all().assert_whole()
    assert s.body.count(b": keepalive 1/4\n\n") == 2


def test_twice_is_told(mai):
    mai.config({"m": mai.engine("m", backoff=0.05)}, **FAST)
    mai.start_all()
    with Stream(mai, CHAT, "sse=3, delay=60000") as s:
        for n in (1, 2):
            wait(lambda: mai.records["m"].count("request") == n, 10, f"sent {n} times")
            s.until(b"works on the prompt\n\n")
            s.body = b""
            os.kill(mai.records["m"].pid(), signal.SIGKILL)
        s.all()
    assert s.error()["code"] == "engine_crashed" and s.clean is False and b"SIGKILL" in s.body


# answers that are no streams ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("status", [400, 404, 500, 503])
@pytest.mark.parametrize("api", HELD, ids=repr)
def test_an_error_of_the_engine(mai, api, status):
    loading(mai)
    with Stream(mai, api, f"status={status}") as s:
        s.until(beat(api)).all().assert_broken("engine_error")
    assert str(status) in s.error()["message"]
    assert f" {status} " in access(mai)[-1]
    # Who did not wait gets it as it is.
    with Stream(mai, api, f"status={status}") as s:
        assert s.head().status == status and s.headers["content-type"] == "application/json"


@pytest.mark.parametrize("framing", ["length", "chunked", "until-close"])
@pytest.mark.parametrize("api", HELD, ids=repr)
def test_json_of_an_engine_that_does_not_stream(mai, api, framing):
    loading(mai, "--own-name")
    with Stream(mai, api, f"no-stream, {framing}") as s:
        s.until(beat(api)).all()
    assert s.clean and api.error not in s.body
    data = [json.loads(d) for d in s.data() if d != "[DONE]" and "ping" not in d]
    assert len(data) == 1 and data[0]["model"] == "m" and "word7" in json.dumps(data[0])
    assert (s.data()[-1] == "[DONE]") == (api not in (MESSAGES, RESPONSES))


def test_json_of_such_an_engine_that_dies(mai):
    loading(mai, "--signal", "KILL", "--exit-after", "600000", backoff=0.05)
    with Stream(mai, CHAT, "no-stream, chunked, die-after-bytes=100") as s:
        s.until(beat(CHAT)).all().assert_broken("engine_crashed")


# limits --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("api", HELD, ids=repr)
def test_an_engine_that_is_late(mai, api):
    """timeouts.responseHeader: a status before the first heartbeat, an error event behind it."""
    mai.config({"m": mai.engine("m", timeouts={"responseHeader": 0.6})}, **FAST)
    mai.start_all()
    with Stream(mai, api, "delay=60000") as s:
        s.all().assert_broken("engine_timeout")
        assert s.body.count(beat(api, b"")) >= 3
    r = mai.post(api.path, {"model": "m", **api.body}, headers={"X-Fake": "delay=60000"})
    assert r.status == 504 and r.json["error"]["code"] == "engine_timeout", r
    wait(lambda: mai.stats()["aborted"] == 2, 3 * SLOW, "the engine is let go")
    assert " 504 " in access(mai)[-1]
    with Stream(mai, api, "sse=3, delay=300, gap=400") as s:
        s.all().assert_whole()


def test_a_stream_below_upstream_hears_of_its_wait(mai):
    loading(mai)
    api = Api("upstream", "/upstream/m" + CHAT.path, CHAT.body, CHAT.mark, CHAT.error)
    with Stream(mai, api, "sse=3") as s:
        s.all().assert_whole()
    assert s.body.count(b": mai: loading m") >= 3


# progress that is shown ----------------------------------------------------------------------------------------------

def thoughts(s):
    out = []
    for d in s.data():
        if d != "[DONE]":
            out += [c["delta"]["reasoning_content"] for c in json.loads(d)["choices"] if "reasoning_content" in c["delta"]]
    return out


@pytest.mark.parametrize("where", ["global", "model"])
def test_sendLoadingState(mai, where):
    keys = {"sendLoadingState": True}
    mai.config({"m": mai.engine("m", ["--ready-after", "2500"], aliases=["gpt"], **(keys if where == "model" else {}))},
               **(keys if where == "global" else {}))
    mai.serve()
    with Stream(mai, CHAT, "sse=3", model="gpt") as s:
        s.head()
        assert 0.9 < s.head_at - s.sent < 1.6 * SLOW
        s.all().assert_whole()
    got = thoughts(s)
    assert got and got[0].startswith("loading m") and got[0].endswith(", position 1\n")
    assert all(a != b for a, b in zip(got, got[1:])), got
    assert b": mai: " not in s.body
    first = json.loads(s.data()[0])
    assert first["object"] == "chat.completion.chunk" and first["model"] == "gpt" and first["id"]
    # Nobody waits any more: nothing is shown.
    with Stream(mai, CHAT, "sse=3, delay=1300") as s:
        assert not thoughts(s.all())


def test_sendLoadingState_is_for_chats(mai):
    loading(mai, sendLoadingState=True)
    with Stream(mai, RESPONSES, "sse=3") as s:
        s.all().assert_whole()
    assert b": mai: loading m" in s.body and b"reasoning" not in s.body


def test_sendLoadingState_of_what_never_comes(mai):
    """The thoughts end with an error event, not with a proper end; who asked for no stream is shown none."""
    mai.config({"m": mai.engine("m", ["--never-ready", "--exit-after", "2000", "--exit-code", "3"])}, sendLoadingState=True, maxAttempts=0)
    mai.serve()
    plain = world.Later(mai.chat, "m")
    with Stream(mai, CHAT) as s:
        s.all().assert_broken("engine_failed")
    got = [c["delta"]["reasoning_content"] for d in s.data()[:-1] for c in json.loads(d)["choices"]]
    assert got and b"finish_reason\":\"" not in s.body, s.body
    r = plain.result()
    assert r.status == 503 and r.json["error"]["code"] == "engine_failed"


@pytest.mark.slow
def test_after_8_seconds_then_every_10(mai):
    """What holds when nothing is said about it."""
    mai.config({"m": mai.engine("m", ["--never-ready", "--flood", "20"])})
    mai.serve()
    with Stream(mai, CHAT, timeout=40) as s:
        s.part()
        s.part()
        times = [t - s.sent for t, _ in s.parts]
    assert 7.9 < times[0] < 8.5 * SLOW and 17.8 < times[1] < 18.7 * SLOW, times
    assert all(p.startswith(b": mai: loading m") for _, p in s.parts)


def test_many_wait_and_all_are_served(mai):
    """Mixed streams and plain requests on one load."""
    loading(mai)
    streams = [Stream(mai, HELD[i % 4], "sse=3", timeout=30) for i in range(60)]
    calls = [world.Later(mai.chat, "m") for _ in range(10)]
    for s in streams:
        s.all().assert_whole()
        assert s.body.count(beat(s.api)) >= 2
        s.raw.s.close()
    assert all(c.result().status == 200 for c in calls)
    assert mai.records["m"].count("start") == 1
