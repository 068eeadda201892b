# SPDX-License-Identifier: ISC
"""Another model becomes the served one: drain, stop, settle, start, ready."""
import json
import signal
import time

import pytest

from lib import http, proc, world
from lib.mai import SLOW
from lib.proc import never, wait
from lib.stream import CHAT, Stream


def start_two(m, a=(), b=(), **top):
    m.config({"a": m.engine("a", a), "b": m.engine("b", b)}, **top)
    m.serve()
    m.settle_fds()
    assert m.post("/load", {"model": "a"}).status == 200
    return m


def test_load_swaps_and_supervision_goes_on(mai):
    start_two(mai)
    old = mai.status()["pid"]
    r = mai.post("/load", {"model": "b"})
    assert (r.status, r.json) == (200, {"status": "success", "model": "b", "message": "Model b loaded successfully"})
    assert not proc.alive(old)
    s = mai.status()
    assert s["current_model"] == "b" and s["state"] == "ready"
    proc.kill(s["pid"], 9)
    mai.wait_state("backoff", "starting")
    mai.ready()
    assert mai.records["b"].count("start") == 2, "the seed stopped watching after a load"


def test_load_of_what_is_loaded_is_a_no_op(mai):
    start_two(mai)
    pid = mai.status()["pid"]
    assert mai.post("/load", {"model": "a"}).status == 200
    assert mai.status()["pid"] == pid and mai.records["a"].count("start") == 1


def test_the_old_engine_is_gone_before_the_new_one_starts(mai):
    start_two(mai, a=["--fork-setsid"])
    mai.post("/load", {"model": "b"})
    old_end = mai.records["a"].events("term")[0]["ms"]
    new_start = mai.records["b"].events("start")[0]["ms"]
    assert new_start >= old_end
    gone = [e["pid"] for e in mai.records["a"].all()]
    assert not any(proc.alive(p) for p in gone)


def test_swap_costs_little_beyond_the_engines(mai):
    start_two(mai)
    costs = []
    for i in range(6):
        before = time.monotonic()
        assert mai.post("/load", {"model": "ba"[i % 2]}).status == 200
        costs.append(time.monotonic() - before)
    assert sorted(costs)[2] < 0.12 * SLOW, costs     # engines of C: a few ms each; the seed slept 2 s


def test_a_request_for_another_model_swaps(mai):
    start_two(mai)
    r = mai.chat("b")
    assert r.status == 200 and r.json["model"] == "b"
    assert r.header("X-Mai-Model") == "b" and int(r.header("X-Queue-Ms")) >= 0
    assert mai.status()["current_model"] == "b"


def test_a_swap_by_request_waits_for_streams_and_never_cuts(mai):
    start_two(mai, drainTimeout=0.2, minResident=0)
    stream = world.Later(mai.chat, "a", fake="sse=20, gap=50", stream=True)
    wait(lambda: mai.stats("a")["in_progress"] == 1, 5, "stream")
    other = world.Later(mai.chat, "b")
    body = stream.result().body
    assert http.events(body)[-1] == "[DONE]" and len(http.events(body)) == 21
    assert other.result().status == 200


def test_a_swap_by_load_drains_no_longer_than_drainTimeout(mai):
    start_two(mai, drainTimeout=0.4)
    stream = world.Later(mai.chat, "a", fake="sse=1000, gap=50", stream=True, timeout=30)
    wait(lambda: mai.stats("a")["in_progress"] == 1, 5, "stream")
    before = time.monotonic()
    assert mai.post("/load", {"model": "b"}).status == 200
    assert 0.35 < time.monotonic() - before < 1.0 + SLOW
    try:
        body = stream.result().body
        assert b"[DONE]" not in body and b'"error"' in body
    except Exception as e:
        assert "Incomplete" in repr(e), repr(e)


def drains(m, id, fake="sse=40, gap=50"):
    """A stream of a model, and how to wait until the model drains for a reason to come."""
    stream = world.Later(m.chat, id, fake=fake, stream=True, timeout=30)
    wait(lambda: m.stats(id)["in_progress"] == 1, 5, "stream")
    return stream, lambda: wait(lambda: m.engine_state(id) == "draining", 5, f"{id} drains")


def whole(stream):
    return http.events(stream.result().body)[-1] == "[DONE]"


def test_a_second_reload_cuts_nothing(mai):
    start_two(mai)
    stream, draining = drains(mai, "a")
    mai.config({"b": mai.engine("b")})
    for _ in range(3):
        assert mai.post("/api/reload").status == 200
        draining()
    assert whole(stream)


def test_a_load_behind_a_restart_cuts_nothing(mai):
    start_two(mai)
    stream, draining = drains(mai, "a")
    restart = world.Later(mai.post, "/api/restart", {"model": "a"})
    draining()
    assert mai.post("/load", {"model": "b"}).status == 200
    assert whole(stream)
    assert restart.result().status == 500
    assert mai.status()["current_model"] == "b" and mai.records["a"].count("start") == 1


def test_the_end_of_mai_lets_a_stop_go_on(mai):
    start_two(mai)
    stream, draining = drains(mai, "a")
    stop = world.Later(mai.post, "/stop")
    draining()
    assert mai.term() == 0
    assert whole(stream)
    assert stop.result().status == 200


@pytest.mark.parametrize("why", ["request", "load", "restart"])
def test_a_crash_while_it_drains_is_as_invisible_as_any(mai, why):
    """Who has no byte yet is asked once more when the model has its next turn; who has some is told the truth."""
    start_two(mai, minResident=0, maxSwapWait=0)
    silent = world.Later(mai.chat, "a", fake="delay=700")
    stream = Stream(mai, CHAT, "sse=500, gap=50", model="a")
    stream.until(b"word0")
    wait(lambda: mai.stats("a")["in_progress"] == 2, 5, "both are with the engine")
    what = {"request": lambda: mai.chat("b"), "load": lambda: mai.post("/load", {"model": "b"}),
            "restart": lambda: mai.post("/api/restart", {"model": "a"})}[why]
    other = world.Later(what)
    wait(lambda: mai.engine_state("a") == "draining", 5, "a drains")
    proc.kill(mai.records["a"].pid(), signal.SIGKILL)
    with stream as s:
        s.all().assert_broken("engine_crashed")
    r = silent.result()
    assert r.status == 200 and r.header("X-Mai-Model") == "a", r
    assert other.result().status == 200
    assert mai.records["a"].count("start") == 2
    assert mai.records["b"].count("start") == (0 if why == "restart" else 1)


@pytest.mark.parametrize("route", ["loaded", "reject"])
def test_a_crash_while_it_drains_takes_nothing_back_where_requests_do_not_swap(mai, route):
    start_two(mai, minResident=0, maxSwapWait=0, route=route)
    silent = world.Later(mai.chat, "a", fake="delay=700")
    wait(lambda: mai.stats("a")["in_progress"] == 1, 5, "it is with the engine")
    load = world.Later(mai.post, "/load", {"model": "b"})
    wait(lambda: mai.engine_state("a") == "draining", 5, "a drains")
    proc.kill(mai.records["a"].pid(), signal.SIGKILL)
    assert load.result().status == 200
    r = silent.result()
    if route == "loaded":
        assert r.status == 200 and r.header("X-Mai-Model") == "b" and r.json["model"] == "a", r
    else:
        assert r.status == 502 and r.json["error"]["code"] == "engine_crashed", r
    never(lambda: mai.status()["current_model"] != "b" or mai.records["a"].count("start") > 1, 0.3, "a comes back")


def test_a_crash_while_it_drains_to_be_stopped_starts_nothing(mai):
    start_two(mai)
    calls = [world.Later(mai.chat, "a", fake="hang") for _ in range(3)]
    wait(lambda: mai.stats("a")["in_progress"] == 3, 5, "all are with the engine")
    stop = world.Later(mai.post, "/stop")
    wait(lambda: mai.engine_state("a") == "draining", 5, "a drains")
    proc.kill(mai.records["a"].pid(), signal.SIGKILL)
    for c in calls:
        r = c.result()
        assert r.status == 502 and r.json["error"]["code"] == "engine_crashed", r
    assert stop.result().status == 200
    never(lambda: mai.engines(), 0.3, "an engine after stop")


@pytest.mark.parametrize("drains", [False, True])
def test_who_reads_slowly_what_a_dead_engine_left_holds_nobody_up(mai, drains):
    """It is in flight with no engine any more, and still gets what there is."""
    mai.config({"a": mai.engine("a", backoff=0.01), "b": mai.engine("b")}, minResident=0, maxSwapWait=0)
    mai.serve()
    mai.settle_fds()
    assert mai.post("/load", {"model": "a"}).status == 200
    with mai.raw(timeout=30, rcvbuf=4096) as c:
        c.send(http.request("POST", "/v1/chat/completions", http.chat("a", True), [("X-Fake", "sse=400000, gap=0")]))
        assert c.head()[0] == 200

        def out():
            return mai.get("/api/requests").json["requests"][0]["bytes_out"]

        def is_full():
            before = out()
            time.sleep(0.05)
            return out() == before

        wait(is_full, 10, "the back-log is full")
        if drains:
            other = world.Later(mai.chat, "b")
            wait(lambda: mai.engine_state("a") == "draining", 5, "a drains")
        proc.kill(mai.records["a"].pid(), signal.SIGKILL)
        assert not drains or other.result().status == 200
        for model in "aba":
            assert mai.chat(model).status == 200
        assert len(mai.get("/api/requests").json["requests"]) == 1 and mai.status()["in_flight"] == 0
        assert b'data: {"error":{"message":"the engine ' in c.all()[-600:]


def test_short_streams_complete_during_a_load(mai):
    start_two(mai)
    streams = [world.Later(mai.chat, "a", fake="sse=10, gap=20", stream=True) for _ in range(8)]
    wait(lambda: mai.stats("a")["in_progress"] == 8, 5, "streams")
    assert mai.post("/load", {"model": "b"}).status == 200
    for s in streams:
        assert http.events(s.result().body)[-1] == "[DONE]"


def test_requests_during_a_swap_wait(mai):
    start_two(mai, b=["--ready-after", "400"])
    load = world.Later(mai.post, "/load", {"model": "b"})
    wait(lambda: mai.records["b"].count("start") == 1, 5, "b starts")
    r = mai.chat("b")
    assert r.status == 200 and r.json["model"] == "b"
    assert load.result().status == 200


def test_llama_waits_for_clients_but_we_hang_up_first(mai):
    start_two(mai, a=["--wait-clients-on-term"], drainTimeout=0.2, unloadTimeout=5)
    stream = world.Later(mai.chat, "a", fake="sse=1000, gap=50", stream=True, timeout=30)
    wait(lambda: mai.stats("a")["in_progress"] == 1, 5, "stream")
    before = time.monotonic()
    assert mai.post("/load", {"model": "b"}).status == 200
    assert time.monotonic() - before < 2 * SLOW, "no waiting for unloadTimeout"
    assert [e["count"] for e in mai.records["a"].events("term")] == [1], "SIGTERM once"
    try:
        stream.result()
    except Exception:
        pass


def test_unknown_model_is_404_with_ids(mai):
    start_two(mai)
    r = mai.post("/load", {"model": "zzz"})
    assert r.status == 404 and r.json["detail"] == "Unknown model zzz"
    assert "a" in json.dumps(r.json) and "b" in json.dumps(r.json)
    r = mai.chat("zzz")
    assert r.status == 404 and r.json["error"]["code"] == "model_not_found"
    assert "a, b" in r.json["error"]["message"].replace("'", "").replace('"', ""), r
    assert mai.status()["current_model"] == "a"


def test_start_while_another_runs_is_409(mai):
    start_two(mai)
    assert mai.post("/start?model=b").status == 409
    assert mai.post("/start?model=a").status == 200
    assert mai.post("/start").json == {"status": "started", "model": "a"}


def test_second_load_wins_over_the_first(mai):
    start_two(mai, b=["--ready-after", "2000"])
    first = world.Later(mai.post, "/load", {"model": "b"}, timeout=20)
    wait(lambda: mai.records["b"].count("start") == 1, 5, "b starts")
    assert mai.post("/load", {"model": "a"}, timeout=20).status == 200
    assert first.result().status in (409, 500, 200)
    s = mai.status()
    assert s["current_model"] == "a" and s["state"] == "ready"


def test_stop_during_start_is_prompt(mai):
    start_two(mai, b=["--never-ready"])
    load = world.Later(mai.post, "/load", {"model": "b"}, timeout=20)
    wait(lambda: mai.records["b"].count("start") == 1, 5, "b starts")
    before = time.monotonic()
    assert mai.post("/stop").json == {"status": "stopped"}
    assert time.monotonic() - before < 1 * SLOW
    assert load.result().status == 500
    never(lambda: mai.engines(), 0.3, "an engine after stop")


def test_route_loaded_and_reject(new_mai):
    m = new_mai()
    start_two(m, route="loaded")
    r = m.chat("b")
    assert r.status == 200 and m.status()["current_model"] == "a"
    assert r.json["model"] == "b", "replies carry the name that the client used"
    m = new_mai()
    start_two(m, route="reject")
    r = m.chat("b")
    assert r.status == 409 and r.json["error"]["code"] == "model_conflict"


def test_aliases_and_fallback(mai):
    mai.config({"a": mai.engine("a", aliases=["gpt-x"]), "b": mai.engine("b")}, fallbackModel="a")
    mai.serve()
    mai.settle_fds()
    r = mai.chat("gpt-x")
    assert r.status == 200 and r.json["model"] == "gpt-x" and r.header("X-Mai-Model") == "a"
    r = mai.chat("who-knows")
    assert r.status == 200 and r.header("X-Mai-Model") == "a"
