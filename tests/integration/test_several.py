# SPDX-License-Identifier: ISC
"""Several models: who is loaded, who gives way, who waits and for how long, and what happens when a swap fails."""
import json
import threading
import time

import pytest

from lib import http, proc, world
from lib.mai import SLOW
from lib.proc import never, wait
from lib.stream import CHAT, Stream


def models(m, ids, args=(), **keys):
    return {i: m.engine(i, args, **keys) for i in ids}


def serve(m, defs, **top):
    m.config(defs, **top)
    m.serve()
    m.settle_fds()
    return m


def loaded(m):
    return sorted(r["model"] for r in m.get("/running").json["running"] if r["state"] == "ready")


def states(m):
    return {r["model"]: r["state"] for r in m.get("/running").json["running"]}


class Clients:
    """Clients that ask for one model again and again until they are told to end; what came back is kept."""

    def __init__(self, m, model, n, fake):
        self.m, self.model, self.fake = m, model, fake
        self.stop = threading.Event()
        self.done, self.bad = 0, []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(n)]
        for t in self.threads:
            t.start()

    def run(self):
        while not self.stop.is_set():
            try:
                r = self.m.chat(self.model, fake=self.fake, stream=True, timeout=60)
                good = r.status == 200 and http.events(r.body)[-1] == "[DONE]"
            except Exception as e:   # counted, whatever it was
                good, r = False, e
            with self.lock:
                self.done += good
                if not good:
                    self.bad.append(r)

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join(60)
        assert not any(t.is_alive() for t in self.threads)
        return self


def test_two_at_once_and_the_least_recently_used_goes(mai):
    serve(mai, models(mai, "abc"), maxLoaded=2, minResident=0)
    for i in "ab":
        assert mai.chat(i).status == 200
    assert loaded(mai) == ["a", "b"]
    assert mai.chat("a").status == 200
    assert mai.chat("c").status == 200
    assert loaded(mai) == ["a", "c"], "b was not used for the longest time"
    assert mai.records["a"].count("start") == 1
    ids = {e["id"]: e["state"] for e in mai.snapshot()["engines"]}
    assert ids == {"a": "ready", "b": "stopped", "c": "ready"}


def test_one_that_works_is_not_the_one_that_goes(mai):
    serve(mai, models(mai, "abc"), maxLoaded=2, minResident=0)
    stream = world.Later(mai.chat, "a", fake="sse=30, gap=50", stream=True, timeout=30)
    wait(lambda: "a" in mai.records and mai.records["a"].count("listen") == 1, 5, "a listens")
    wait(lambda: mai.stats("a")["in_progress"] == 1, 5, "stream")
    assert mai.chat("b").status == 200
    assert mai.chat("c").status == 200
    assert loaded(mai) == ["a", "c"]
    assert http.events(stream.result().body)[-1] == "[DONE]"


def test_pinned_never_goes(mai):
    defs = {"a": mai.engine("a", pin=True, ttl=0.2), **models(mai, "bc")}
    serve(mai, defs, maxLoaded=2, minResident=0)
    for i in "abcbc":
        assert mai.chat(i).status == 200
    assert mai.records["a"].count("start") == 1 and "a" in loaded(mai)
    never(lambda: "a" not in loaded(mai), 0.6, "a pinned model unloaded for its ttl")


def test_all_places_pinned_is_a_409_that_says_so(mai):
    serve(mai, {"a": mai.engine("a", pin=True), "b": mai.engine("b")}, minResident=0)
    assert mai.chat("a").status == 200
    r = mai.chat("b")
    assert r.status == 409 and r.json["error"]["code"] == "model_conflict"
    assert r.json["mai"]["cause"] == "a is pinned and maxLoaded is 1"
    r = mai.post("/load", {"model": "b"})
    assert r.status == 409 and "a is pinned" in json.dumps(r.json)
    assert mai.records["b"].count("start") == 0 and loaded(mai) == ["a"]
    # a person may stop it
    assert mai.post("/models/unload", {"model": "a"}).status == 200
    wait(lambda: mai.chat("b").status == 200, 5, "b after a was stopped")


def test_pinned_by_a_call(mai):
    serve(mai, models(mai, "ab"), minResident=0)
    assert mai.chat("a").status == 200
    r = mai.post("/api/pin", {"model": "a"})
    assert (r.status, r.json) == (200, {"status": "pinned", "model": "a"})
    assert mai.chat("b").status == 409
    assert [e["pinned"] for e in mai.snapshot()["engines"]] == [True, False]
    assert mai.get("/running").json["running"][0]["pinned"] is True
    assert mai.post("/api/pin", {"model": "a", "pin": False}).json["status"] == "not pinned"
    assert mai.chat("b").status == 200
    assert mai.post("/api/pin", {"model": "zzz"}).status == 404
    assert mai.post("/api/pin", {}).status == 422
    # what was said holds until the configuration is read again
    mai.post("/api/pin", {"model": "b"})
    assert mai.chat("a").status == 409
    assert mai.post("/api/reload").status == 200
    assert mai.chat("a").status == 200


def test_route_loaded_with_several(mai):
    """The current one answers for every name, but each of those loaded beside it for its own: by whatever path, and
    also while it comes back from a crash."""
    serve(mai, models(mai, "abc"), maxLoaded=2, route="loaded", heartbeatAfter=0.1, backoff=20, backoffMax=20)
    for i in "ab":
        assert mai.post("/load", {"model": i}).status == 200
    for asked, answers in (("a", "a"), ("b", "b"), ("c", "b"), ("nobody", "b")):
        r = mai.chat(asked)
        assert (r.status, r.header("X-Mai-Model")) == (200, answers), asked
    any_path = {"X-Fake": "any"}
    assert mai.get("/upstream/a/x", headers=any_path).header("X-Mai-Model") == "a"
    assert mai.get("/upstream/b/x", headers=any_path).header("X-Mai-Model") == "b"
    r = mai.get("/upstream/c/x", headers=any_path)
    assert r.status == 409 and r.json["error"]["message"] == "b is loaded and route is loaded"
    proc.kill(mai.records["a"].pid(), 9)
    wait(lambda: states(mai)["a"] == "backoff", 5, "a is in backoff")
    with mai.raw() as c:
        c.send(http.request("POST", "/v1/chat/completions", http.chat("a", True)))
        status, headers = c.head()
        assert status == 200 and dict(headers)["X-Mai-Model"] == "a"
        assert b"a failed, starts again" in c.chunk()
        assert [r["model"] for r in mai.get("/api/requests").json["requests"]] == ["a"]
        # a person's load takes what waits along where there is one place only; here it waits for its own
        assert mai.post("/load", {"model": "c"}, timeout=30).status == 200


def test_memory_budget(mai):
    defs = {"a": mai.engine("a", memory="6GiB"), "b": mai.engine("b", memory="3GiB"),
            "c": mai.engine("c", memory="7GiB"), "big": mai.engine("big", memory="11GiB")}
    serve(mai, defs, maxLoaded=8, memoryBudget="10GiB", minResident=0)
    assert mai.chat("a").status == 200
    assert mai.chat("b").status == 200
    assert loaded(mai) == ["a", "b"]
    assert mai.chat("c").status == 200
    assert loaded(mai) == ["b", "c"], "a alone is enough to make room"
    r = mai.chat("big")
    assert r.status == 409 and r.json["mai"]["cause"] == "big needs 11.0G, and memoryBudget is 10.0G"
    assert loaded(mai) == ["b", "c"]


def test_memory_budget_names_who_holds_it(mai):
    defs = {"a": mai.engine("a", memory="8GiB", pin=True), "b": mai.engine("b", memory="3GiB")}
    serve(mai, defs, maxLoaded=8, memoryBudget="10GiB", minResident=0)
    assert mai.chat("a").status == 200
    r = mai.chat("b")
    assert r.status == 409
    assert r.json["mai"]["cause"] == "a is pinned and holds 8.0G of 10.0G; b needs 3.0G"
    assert r.json["error"]["message"] == "there is no room for b: a is pinned and holds 8.0G of 10.0G; b needs 3.0G"


def test_an_unknown_need_is_learned(mai):
    serve(mai, models(mai, "ab"), maxLoaded=8, memoryBudget="1GiB", minResident=0)
    assert mai.chat("a").status == 200
    # Nothing is known of b: it is loaded alone, once.
    assert mai.chat("b").status == 200
    assert loaded(mai) == ["b"]
    assert mai.chat("a").status == 200
    assert loaded(mai) == ["a", "b"], "what a took is known by now"


@pytest.mark.limit(120)
def test_fifty_at_once_over_three_models_and_one_place(mai):
    serve(mai, models(mai, "abc", ["--ready-after", "50"]), minResident=0.2, maxSwapWait=0.5, queueMax=64)
    calls = [world.Later(mai.chat, "abc"[i % 3], fake="sse=5, gap=10" if i % 2 else None, stream=bool(i % 2), timeout=60)
             for i in range(50)]
    for i, c in enumerate(calls):
        r = c.result(90)
        assert r.status == 200 and r.header("X-Mai-Model") == "abc"[i % 3], r
        if i % 2:
            assert http.events(r.body)[-1] == "[DONE]"
    # collated: not one swap for each request
    assert sum(mai.records[i].count("start") for i in "abc") <= 12


@pytest.mark.limit(120)
def test_a_busy_model_starves_nobody_and_is_never_cut(mai):
    patience, flight, load = 1.0, 0.6, 0.2
    serve(mai, models(mai, "ab", ["--ready-after", str(int(load * 1000))]), maxSwapWait=patience, minResident=0.1,
          drainTimeout=0.1)
    # Of several lengths, so that there is no moment in which all of them are between two requests.
    busy = [Clients(mai, "a", 3, f"sse=12, gap={gap}") for gap in (int(flight / 12 * 1000), 43, 37, 31)]

    def done():
        return sum(b.done for b in busy)

    wait(lambda: done() >= 12, 20, "a is busy")
    waited = []
    for _ in range(3):
        before = time.monotonic()
        r = mai.chat("b", timeout=60)
        waited.append(time.monotonic() - before)
        assert r.status == 200 and r.header("X-Mai-Model") == "b"
        # Once its patience ends nobody else goes before it.
        served = mai.records["b"].events("request")[-1]["ms"]
        others = [e["ms"] / 1000 - before for e in mai.records["a"].events("request") if before < e["ms"] / 1000 and e["ms"] < served]
        assert all(o < patience + 0.3 * SLOW for o in others), (others, waited)
        n = done()
        wait(lambda: done() >= n + 12, 20, "a again")
    assert [b.end().bad for b in busy] == [[]] * 4
    # The next change may have to wait for the one before: b came while a was on its way back.
    assert all(0.3 < w <= (patience + flight + load + 1.0) * SLOW for w in waited), waited
    assert max(waited) > patience, "it was kept busy"


def test_minResident_is_how_long_a_loaded_one_stays(mai):
    serve(mai, models(mai, "ab"), minResident=1, maxSwapWait=0)
    assert mai.chat("a").status == 200
    assert mai.chat("b").status == 200
    assert mai.chat("a", fake="sse=10, gap=20", stream=True).status == 200

    def at(i, event):
        return mai.records[i].events(event)[-1]["ms"]

    assert 990 < at("b", "term") - at("b", "listen") < 1000 + 1000 * SLOW
    first = mai.records["a"].all()
    assert 990 < next(e["ms"] for e in first if e["event"] == "term") - next(e["ms"] for e in first if e["event"] == "listen")


def test_who_leaves_is_forgotten_and_the_drain_ends(mai):
    serve(mai, models(mai, "ab"), minResident=0, maxSwapWait=0)
    stream = world.Later(mai.chat, "a", fake="sse=60, gap=50", stream=True, timeout=30)
    wait(lambda: mai.records["a"].count("listen") == 1 and mai.stats("a")["in_progress"] == 1, 5, "stream")
    with mai.raw() as c:
        c.send(http.request("POST", "/v1/chat/completions", http.chat("b")))
        wait(lambda: states(mai).get("a") == "draining", 5, "a drains for b")
    wait(lambda: states(mai).get("a") == "ready", 5, "a goes on, as nobody waits for b any more")
    assert mai.chat("a").status == 200
    assert mai.records["b"].count("start") == 0
    assert http.events(stream.result().body)[-1] == "[DONE]"
    assert mai.records["a"].count("start") == 1


def test_a_swap_that_is_called_off_leaves_the_old_one(mai):
    serve(mai, models(mai, "ab"), drainTimeout=20)
    assert mai.post("/load", {"model": "a"}).status == 200
    stream = world.Later(mai.chat, "a", fake="sse=40, gap=50", stream=True, timeout=30)
    wait(lambda: mai.stats("a")["in_progress"] == 1, 5, "stream")
    load = world.Later(mai.post, "/load", {"model": "b"}, timeout=30)
    wait(lambda: states(mai)["a"] == "draining", 5, "a drains")
    assert mai.post("/models/unload", {"model": "b"}).status == 200
    assert load.result().status == 500
    wait(lambda: states(mai) == {"a": "ready"}, 5, "a goes on")
    assert http.events(stream.result().body)[-1] == "[DONE]"
    assert mai.records["a"].count("start") == 1


def test_a_swap_that_fails_brings_the_old_one_back(mai):
    serve(mai, {"a": mai.engine("a"), "b": mai.engine("b", ["--never-ready", "--exit-after", "50", "--exit-code", "7"])}, minResident=0,
          maxAttempts=1, backoff=0.05)
    assert mai.chat("a").status == 200
    r = mai.chat("b")
    assert r.status == 503 and r.json["error"]["code"] == "engine_failed", r
    assert "exit status 7" in json.dumps(r.json)
    wait(lambda: loaded(mai) == ["a"], 5, "a is back")
    assert mai.records["a"].count("start") == 2
    assert mai.status()["current_model"] == "a"
    assert "b did not start: a comes back" in mai.log()
    # b stays failed and starts nothing more, and costs a nothing
    starts = mai.records["b"].count("start")
    assert mai.chat("b").status == 503
    assert mai.chat("a").status == 200
    assert mai.records["b"].count("start") == starts and mai.records["a"].count("start") == 2


def test_a_load_that_fails_brings_the_old_one_back(mai):
    serve(mai, {"a": mai.engine("a"), "b": mai.engine("b", ["--never-ready", "--exit-after", "20", "--exit-code", "7"])}, maxAttempts=0)
    assert mai.post("/load", {"model": "a"}).status == 200
    r = mai.post("/load", {"model": "b"})
    assert r.status == 500 and r.json["detail"] == "Failed to load model"
    mai.wait_state("ready")
    assert mai.status()["current_model"] == "a"
    assert states(mai)["b"] == "failed"


def test_one_that_failed_is_gone_before_the_old_one_comes_back(mai):
    """They share a port: the old one cannot have it before the new one is dead."""
    port = mai.port + 400

    def at(id, *args):
        cmd = mai.fake(*args, record=mai.records[id].path, port=port)
        return {**mai.engine(id), "cmd": cmd, "proxy": f"http://127.0.0.1:{port}"}

    mai.engine("a"), mai.engine("b")
    serve(mai, {"a": at("a"), "b": at("b", "--never-ready", "--mute")}, minResident=0, maxAttempts=0,
          healthCheckTimeout=1)
    assert mai.chat("a").status == 200
    r = mai.chat("b")
    assert r.status == 503 and "no sign of life" in r.json["mai"]["cause"], r
    wait(lambda: loaded(mai) == ["a"], 5, lambda: f"a is back: {states(mai)}")
    assert mai.chat("a").status == 200


def test_stay_leaves_it_failed(mai):
    serve(mai, {"a": mai.engine("a"), "b": mai.engine("b", ["--never-ready", "--exit-after", "20", "--exit-code", "7"])}, maxAttempts=0, onSwapFailure="stay")
    assert mai.post("/load", {"model": "a"}).status == 200
    assert mai.post("/load", {"model": "b"}).status == 500
    s = mai.wait_state("failed")
    assert s["current_model"] == "b"
    never(lambda: mai.records["a"].count("start") > 1, 0.3, "a came back")


@pytest.mark.parametrize("what", ["command", "model", "port"])
def test_nothing_is_touched_for_a_model_that_cannot_start(mai, what):
    bad = {"command": {"cmd": "/no/such/engine --port ${PORT}"},
           "model": {"cmd": f"{mai.fake_bin} -m /no/such/file.gguf --port ${{PORT}}", "engine": "llama-server"},
           "port": {"cmd": mai.fake(port=str(mai.port + 500)), "checkEndpoint": "/health"}}[what]
    mai.config({"a": mai.engine("a"), "b": bad}, minResident=0)
    with world.Squatter(mai.port + 500):
        mai.serve()
        assert mai.chat("a").status == 200
        pid = mai.status()["pid"]
        r = mai.chat("b")
        assert r.status == 503 and r.json["error"]["code"] == "engine_failed", r
        assert {"command": "/no/such/engine", "model": "/no/such/file.gguf", "port": str(mai.port + 500)}[what] in \
            json.dumps(r.json["mai"]), r.json
        assert mai.post("/load", {"model": "b"}).status == 500
        s = mai.status()
        assert s["pid"] == pid and s["current_model"] == "a" and s["state"] == "ready"
        assert states(mai) == {"a": "ready", "b": "failed"}
        assert mai.records["a"].count("start") == 1


def test_a_load_that_cannot_start_is_what_is_seen_where_nothing_else_is_loaded(mai):
    serve(mai, {"a": mai.engine("a"), "b": {"cmd": "/no/such/engine --port ${PORT}"}}, minResident=0)
    assert mai.post("/load", {"model": "b"}).status == 500
    s = mai.status()
    assert (s["current_model"], s["state"]) == ("b", "failed") and "/no/such/engine" in s["last_exit"]["cause"]
    # but a request's failure, or one beside a model that serves, changes nothing
    assert mai.post("/load", {"model": "a"}).status == 200
    assert mai.post("/load", {"model": "b"}).status == 500 and mai.chat("b").status == 503
    s = mai.status()
    assert (s["current_model"], s["state"]) == ("a", "ready")


def test_failed_for_requests_until_somebody_says_so(mai):
    flag = mai.tmp / "good"
    script = mai.tmp / "engine.sh"
    script.write_text(f"#!/bin/sh\n[ -e {flag} ] || exit 3\nexec {mai.fake(record=mai.record.path, port='$1')}\n")
    script.chmod(0o755)
    mai.config({"a": {"cmd": f"{script} ${{PORT}}", "checkEndpoint": "/health", "proxy": "http://127.0.0.1:${PORT}"}},
               maxAttempts=0)
    mai.serve()
    mai.settle_fds()
    assert mai.chat("a").status == 503
    flag.write_text("")
    assert mai.chat("a").status == 503, "requests alone start nothing that failed"
    assert mai.post("/load", {"model": "a"}).status == 200
    assert mai.chat("a").status == 200


def test_preload_pin_and_ttl(mai):
    """What is to be loaded at start is, as far as there is room; nobody gives way for it, and what is pinned has no ttl."""
    serve(mai, {"a": mai.engine("a", pin=True, ttl=1), "b": mai.engine("b", ttl=1), "c": mai.engine("c")}, maxLoaded=2,
          hooks={"on_startup": {"preload": ["a", "b", "c"]}}, minResident=0)
    wait(lambda: loaded(mai) == ["a", "b"], 5, lambda: f"a and b: {states(mai)}")
    wait(lambda: "not loaded: there is no room" in mai.log(), 5, "c is told of")
    wait(lambda: loaded(mai) == ["a"], 10, "b goes when nobody asks for it")
    never(lambda: mai.records["c"].count("start") or loaded(mai) != ["a"], 1.5, "c came later, or a went")
    assert mai.chat("c").status == 200 and loaded(mai) == ["a", "c"]
    assert mai.chat("b").status == 200 and loaded(mai) == ["a", "b"]


def test_ttl_with_several(mai):
    defs = {"a": mai.engine("a", ttl=0.4), "b": mai.engine("b")}
    serve(mai, defs, maxLoaded=2)
    assert mai.chat("a").status == 200 and mai.chat("b").status == 200
    wait(lambda: loaded(mai) == ["b"], 5, "a unloaded after its ttl")
    assert mai.chat("a").status == 200
    assert loaded(mai) == ["a", "b"]


def test_ttl_counts_from_the_end_of_the_last_request(mai):
    serve(mai, {"a": mai.engine("a", ttl=1)})
    r = mai.chat("a", stream=True, fake="sse=25, gap=100", timeout=30)
    end = time.monotonic()
    assert r.status == 200 and http.events(r.body)[-1] == "[DONE]", "longer than the ttl"
    wait(lambda: loaded(mai) == [], 6 * SLOW, "unloaded")
    assert time.monotonic() - end > 0.9 and mai.records["a"].count("start") == 1


def test_requests_in_the_moment_of_the_ttl_are_all_served(mai):
    serve(mai, {"a": mai.engine("a", ttl=0.25)}, minResident=0)
    for i in range(30):
        assert mai.chat("a").status == 200
        time.sleep(0.24 + (i % 10) * 0.002)     # the moment is what it is about
    assert mai.records["a"].count("start") > 1, "it was met"


def test_the_ttl_of_all_and_of_each(mai):
    """As llama-swap has them: -1 is that of all, 0 never."""
    serve(mai, {"a": mai.engine("a"), "b": mai.engine("b", ttl=-1), "c": mai.engine("c", ttl=0), "d": mai.engine("d", ttl=3600)},
          maxLoaded=4, globalTTL=1)
    for i in "abcd":
        assert mai.chat(i).status == 200
    wait(lambda: loaded(mai) == ["c", "d"], 8 * SLOW, lambda: states(mai))
    never(lambda: loaded(mai) != ["c", "d"], 1.5, "one went that has another ttl")


def test_a_start_for_which_memory_does_not_suffice_gets_room_and_one_more_try(mai):
    out = ["--spew", "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 9000.00 MiB on device 0: cudaMalloc failed: out of memory\\n",
           "--exit-after", "0", "--exit-code", "1"]
    defs = {"a": mai.engine("a"), "b": mai.engine("b"),
            "c": {**mai.engine("c", [*out, "--state", mai.tmp / "starts", "--good-after", "1"]), "engine": "llama-server"}}
    serve(mai, defs, maxLoaded=3, backoff=0.05)
    assert mai.chat("b").status == 200 and mai.chat("a").status == 200
    assert mai.chat("c").status == 200
    assert loaded(mai) == ["a", "c"], "b was the one unused longest"
    assert mai.records["c"].count("start") == 2
    assert {r["model"]: (r["last_exit"] or {}).get("reason") for r in mai.get("/running").json["running"]}["c"] == "oom"
    assert "memory ran out: b makes room" in mai.log()


def test_ttl_of_one_that_was_pinned_meanwhile(mai):
    serve(mai, {"a": mai.engine("a", ttl=0.3)})
    assert mai.chat("a").status == 200
    assert mai.post("/api/pin", {"model": "a"}).status == 200
    never(lambda: not loaded(mai), 0.7, "unloaded though it is pinned")
    assert mai.post("/api/pin", {"model": "a", "pin": False}).status == 200
    wait(lambda: not loaded(mai), 3, "unloaded")


def test_preload_takes_no_more_than_the_budget(mai):
    defs = {i: mai.engine(i, memory=size) for i, size in (("a", "6GiB"), ("b", "6GiB"), ("c", "20GiB"), ("d", "4GiB"))}
    serve(mai, defs, maxLoaded=8, memoryBudget="10GiB", hooks={"on_startup": {"preload": ["c", "a", "b", "d"]}})
    wait(lambda: loaded(mai) == ["a", "d"], 5, lambda: f"what fits: {states(mai)}")
    for i in "bc":
        assert f"{i}: not loaded: there is no room" in mai.log()
        assert mai.records[i].count("start") == 0


def test_an_unload_during_the_load(mai):
    """Who waited for it is told; what gave way for it does not come back, as nobody asked for that."""
    serve(mai, {"a": mai.engine("a"), "b": mai.engine("b", ["--ready-after", "3000"])}, minResident=0)
    assert mai.chat("a").status == 200
    waiter = world.Later(mai.chat, "b")
    wait(lambda: states(mai).get("b") == "starting", 5, "b starts")
    assert mai.post("/api/models/unload/b").body == b"OK"
    r = waiter.result()
    assert r.status == 503 and r.json["error"]["message"] == "the model was stopped" and r.header("Retry-After")
    wait(lambda: states(mai) == {}, 5, "nothing is loaded")
    never(lambda: mai.engines(), 0.3, "an engine")
    assert mai.chat("b", timeout=20).status == 200


def test_a_reload_without_the_model_that_some_wait_for(mai):
    serve(mai, {"a": mai.engine("a"), "b": mai.engine("b", ["--ready-after", "5000"]), "c": mai.engine("c")}, minResident=0,
          heartbeatAfter=0.1, heartbeatEvery=0.1)
    assert mai.chat("a").status == 200
    plain = world.Later(mai.chat, "b")
    with Stream(mai, CHAT, model="b") as held:
        held.until(b": mai: loading b")
        other = world.Later(mai.chat, "c")
        wait(lambda: mai.snapshot()["queued"] == 3, 5, "three wait")
        mai.config({"a": mai.engine("a"), "c": mai.engine("c")}, minResident=0)
        assert mai.post("/api/reload").status == 200
        r = plain.result()
        assert r.status == 404 and r.json["error"]["code"] == "model_not_found"
        assert r.json["mai"]["cause"] == "the model is no longer configured"
        held.all().assert_broken("model_not_found")
    assert other.result().status == 200
    wait(lambda: states(mai) == {"c": "ready"}, 5, lambda: f"b is gone: {states(mai)}")


def test_loads_of_the_same_at_once(mai):
    serve(mai, models(mai, "ab", ["--ready-after", "300"]))
    loads = [world.Later(mai.post, "/load", {"model": "a"}) for _ in range(5)]
    assert [x.result().status for x in loads] == [200] * 5 and mai.records["a"].count("start") == 1
    # The last word holds; those it overtook are told.
    loads = []
    for n, i in enumerate("bab"):
        loads.append(world.Later(mai.post, "/load", {"model": i}))
        wait(lambda: mai.log().count(f"load {i}, asked for by") == (6 if i == "a" else 1 + n // 2), 5, "it is heard")
    replies = [x.result() for x in loads]
    assert replies[1].status in (409, 500) and b"took its place" in replies[1].body
    assert replies[2].status == 200 and loaded(mai) == ["b"]


def test_a_model_that_fails_costs_the_others_nothing(mai):
    bad = mai.engine("f", ["--never-ready", "--exit-after", "50", "--exit-code", "3"], maxAttempts=1, backoff=0.1)
    serve(mai, {**models(mai, "ab", ["--ready-after", "30"]), "f": bad}, minResident=0.1, maxSwapWait=0.2)
    calls = [world.Later(mai.chat, "abf"[i % 3], fake="sse=5, gap=10", stream=True, timeout=60) for i in range(45)]
    for i, c in enumerate(calls):
        r = c.result(60)
        if i % 3 == 2:
            assert r.status == 503 and r.json["error"]["code"] == "engine_failed", r
        else:
            assert r.status == 200 and http.events(r.body)[-1] == "[DONE]", r


def test_stop_of_one_and_of_all(mai):
    serve(mai, models(mai, "abc"), maxLoaded=3)
    for i in "abc":
        assert mai.chat(i).status == 200
    assert mai.post("/api/models/unload/b").status == 200
    assert loaded(mai) == ["a", "c"]
    r = mai.chat(None)
    assert r.header("X-Mai-Model") == "c"
    assert mai.post("/unload").status == 200
    assert loaded(mai) == []


def test_crash_of_one_leaves_the_others_alone(mai):
    serve(mai, models(mai, "ab"), maxLoaded=2, backoff=0.05)
    for i in "ab":
        assert mai.chat(i).status == 200
    proc.kill(mai.records["a"].pid(), 9)
    wait(lambda: states(mai)["a"] != "ready", 3, "a is noticed")
    assert mai.chat("b").status == 200
    assert mai.chat("a").status == 200
    assert mai.records["b"].count("start") == 1 and mai.records["a"].count("start") == 2


def test_reload_with_fewer_places_unloads_idle_ones(mai):
    defs = models(mai, "abc")
    serve(mai, defs, maxLoaded=3, minResident=0)
    for i in "abc":
        assert mai.chat(i).status == 200
    mai.config(defs, maxLoaded=1, minResident=0)
    assert mai.post("/api/reload").status == 200
    wait(lambda: loaded(mai) == ["c"], 5, "the least recently used ones go")
    assert mai.records["c"].count("start") == 1
