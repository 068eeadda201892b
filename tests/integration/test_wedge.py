# SPDX-License-Identifier: ISC
"""An engine that answers and generates nothing is restarted; one that works, or waits for its turn, is left alone."""
import json
import os
import signal
import time
from http.client import IncompleteRead

import pytest

from lib import http, world
from lib.docker import Docker
from lib.mai import SLOW
from lib.proc import never, wait
from lib.stream import CHAT, Stream


def wedged(mai):
    x = mai.status()["last_exit"]
    return x if x and x["reason"] == "wedged" else None


def crashes(mai, reason):
    """mai_engine_crashes_total of a reason, over all models."""
    return sum(float(x.rsplit(" ", 1)[1]) for x in mai.get("/metrics").body.decode().splitlines()
               if x.startswith("mai_engine_crashes_total{") and f'reason="{reason}"' in x)


def good_then_wedged(mai, n, *more, **keys):
    """An engine whose first process hangs after n completions, and whose next one is well."""
    keys.setdefault("stallTimeout", 1)
    return mai.engine("m", ["--wedge-after", n, "--state", mai.tmp / "starts", "--good-after", 1, *more], backoff=0.05,
                      **keys)


def test_one_that_finishes_what_it_has_behind_a_closed_port_is_left_to_it(mai):
    """Somebody else told it to end. Who comes too late for it is served by the next one."""
    mai.config({"m": mai.engine("m", ["--finish-on-term"], backoff=0.05)})
    mai.start_all()
    with Stream(mai, CHAT, "sse=3, gap=2500") as s:
        s.until(b"word0")
        os.kill(mai.records["m"].pid(), signal.SIGTERM)
        wait(lambda: mai.records["m"].count("term"), 5, "it closes its port")
        late = world.Later(mai.chat, "m", timeout=30)
        s.all().assert_whole()
    assert late.result().status == 200
    assert mai.ready()["last_exit"]["reason"] == "crash"


def test_a_wedge_is_a_crash_and_its_requests_are_served_by_the_next_process(mai):
    mai.config({"m": good_then_wedged(mai, 1)})
    first = mai.start_all()["pid"]
    assert mai.chat("m").status == 200
    r = mai.chat("m", timeout=30)
    assert r.status == 200, r
    s = mai.ready()
    assert s["pid"] != first and mai.records["m"].count("start") == 2
    x = s["last_exit"]
    assert x["reason"] == "wedged" and x["requests_lost"] == 1, x
    assert "no byte, no prompt progress and an idle process group for" in x["text"], x
    assert "1 request got nothing; a test completion got no answer" in x["cause"], x
    assert crashes(mai, "wedged") == 1 and crashes(mai, "crash") == 0
    assert x["text"] in mai.log() or "hung: no byte" in mai.stderr


def test_who_meets_two_wedges_is_told_so(mai):
    mai.config({"m": mai.engine("m", ["--wedge-after", 0], stallTimeout=1, backoff=0.05)})
    mai.start_all()
    waiters = [world.Later(mai.chat, "m", timeout=50) for _ in range(3)]
    for w in waiters:
        r = w.result(50)
        assert r.status == 502 and r.json["error"]["code"] == "engine_wedged", r
        assert "hung" in r.json["error"]["message"]
    assert mai.records["m"].count("start") >= 2
    assert crashes(mai, "wedged") == 2


def test_a_stream_that_hangs_ends_with_an_error(mai):
    mai.config({"m": good_then_wedged(mai, 1)})
    mai.start_all()
    with pytest.raises(IncompleteRead) as cut:     # no terminator: it never looks complete
        mai.chat("m", stream=True, fake="stall-after=2", timeout=30)
    text = cut.value.partial.decode()
    assert text.count("word") == 2 and '"error"' in text and "[DONE]" not in text, text
    assert wait(lambda: wedged(mai), 5, "told")["requests_lost"] == 1
    assert mai.chat("m", timeout=20).status == 200


def test_a_prefill_that_burns_cpu_is_left_alone(mai):
    mai.config({"m": mai.engine("m", ["--wedge-after", 0, "--busy"], stallTimeout=1)})
    pid = mai.start_all()["pid"]
    later = world.Later(mai.chat, "m", timeout=6)
    never(lambda: mai.status()["pid"] != pid or wedged(mai), 6, "a busy engine was killed")
    with pytest.raises(TimeoutError):
        later.result(10)
    assert crashes(mai, "wedged") == 0


def test_stallTimeout_0_is_never(mai):
    mai.config({"m": mai.engine("m", ["--wedge-after", 0], stallTimeout=0)})
    pid = mai.start_all()["pid"]
    world.Later(mai.chat, "m", timeout=6)
    never(lambda: mai.status()["pid"] != pid, 5, "killed")


@pytest.mark.parametrize("kind", ["mlx_lm", "llama-server", "vllm", "custom"])
def test_every_kind(mai, kind):
    n = 1 if kind == "mlx_lm" else 0     # it answers the completion that makes it ready
    mai.config({"m": {**good_then_wedged(mai, n), "engine": kind}})
    mai.start_all()
    assert mai.chat("m", timeout=30).status == 200
    assert wedged(mai)


def test_mlx_whose_generation_thread_dies_while_it_serves(mai):
    """It lives on, its port answers, its health check says 503 from then on."""
    mai.config({"m": {**mai.engine("m", ["--thread-dies", 3, "--state", mai.tmp / "starts", "--good-after", 1], backoff=0.05,
                                   checkEndpoint="/v1/models"), "engine": "mlx_lm"}})
    first = mai.start_all()["pid"]
    assert mai.chat("m").status == 200
    before = time.monotonic()
    assert mai.chat("m", timeout=20).status == 200
    assert time.monotonic() - before < 8 * SLOW
    x = wedged(mai)
    assert mai.status()["pid"] != first and "alive, but it says that it cannot work" in x["text"], x
    assert "metal::malloc" in x["cause"] or "Exception in thread" in x["cause"], x
    assert crashes(mai, "wedged") == 1


@pytest.mark.parametrize("kind,line", [
    ("llama-server", "CUDA error: an illegal memory access was encountered"),
    ("vllm", "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue."),
])
def test_an_engine_that_says_that_it_cannot_work_is_not_waited_for(mai, kind, line):
    """With stallTimeout far away, while its port and its health check answer."""
    mai.config({"m": mai.teller(engine=kind, backoff=0.05, stallTimeout=600)})
    pid = mai.start_all(timeout=20)["pid"]
    before = time.monotonic()
    r = mai.chat("m", print=line, timeout=50)
    assert time.monotonic() - before < 20 * SLOW
    assert r.status == 502 and r.json["error"]["code"] == "engine_wedged", r
    x = wedged(mai)
    assert mai.ready()["pid"] != pid and x and x["cause"].endswith(line), x
    assert crashes(mai, "wedged") == 2, "the one it met first, and the one behind its only restart"


@pytest.mark.parametrize("kind,line", [
    ("llama-server", "D srv  log_server_r: request: {\"prompt\":\"CUDA error: x\"}"),
    ("vllm", "INFO 11-27 10:00:00 [logger.py:43] Received request cmpl-1: prompt: 'EngineDeadError: CUDA error: '"),
])
def test_words_of_a_prompt_are_no_alarm(mai, kind, line):
    mai.config({"m": mai.teller(engine=kind, stallTimeout=600)})
    pid = mai.start_all(timeout=20)["pid"]
    with pytest.raises(TimeoutError):
        mai.chat("m", print=line, timeout=4)
    assert mai.status()["pid"] == pid and not mai.status()["last_exit"]


def test_a_canary_behind_real_work_is_no_failure(mai):
    """One completion at a time: the canary waits for the stream, which moves."""
    mai.config({"m": {**mai.engine("m", ["--serial"], stallTimeout=1), "engine": "llama-server"}})
    pid = mai.start_all()["pid"]
    later = world.Later(mai.chat, "m", stream=True, fake="sse=30,gap=200", timeout=30)
    wait(lambda: mai.stats("m")["in_progress"] == 1, 5, "the stream")
    assert mai.chat("m", fake="refuse").status == 502     # which makes it suspicious
    wait(lambda: mai.records["m"].count("canary"), 5, "the canary")
    r = later.result(30)
    assert r.status == 200 and r.body.count(b"word") == 30 and b"[DONE]" in r.body
    assert mai.status()["pid"] == pid and not mai.status()["last_exit"]


def test_a_request_that_moves_again_takes_its_canary_along(mai):
    """Silent until a canary is sent, which then waits behind a stream that moves."""
    mai.config({"m": {**mai.engine("m", ["--serial"], stallTimeout=2), "engine": "llama-server"}})
    pid = mai.start_all()["pid"]
    r = mai.chat("m", stream=True, fake="delay=3000,sse=20,gap=300", timeout=30)
    assert r.status == 200 and r.body.count(b"word") == 20 and b"[DONE]" in r.body
    s = mai.status()
    assert s["pid"] == pid and not s["last_exit"], s


def test_a_slow_answer_with_a_canary_that_is_answered_is_waited_for(mai):
    mai.config({"m": {**mai.engine("m", stallTimeout=1), "engine": "llama-server"}})
    pid = mai.start_all()["pid"]
    assert mai.chat("m", fake="delay=5000", timeout=20).status == 200
    assert mai.records["m"].count("canary") >= 1 and mai.records["m"].count("request") == 1
    assert mai.status()["pid"] == pid


def test_a_canary_does_not_reset_the_ttl(mai):
    mai.config({"m": {**mai.engine("m", stallTimeout=1, ttl=2.5), "engine": "llama-server"}})
    mai.start_all()
    assert mai.chat("m").status == 200
    before = time.monotonic()
    assert mai.chat("m", fake="refuse").status == 502
    wait(lambda: mai.records["m"].count("canary"), 2, "the canary")
    r = mai.get("/api/requests")
    assert "completions" not in r.body.decode(), "the canary is nobody's request"
    mai.wait_state("stopped", timeout=6)
    assert time.monotonic() - before < 2.5 + 2 * SLOW


@pytest.mark.slow
@pytest.mark.limit(120)
def test_three_missed_checks_with_nothing_in_flight_are_looked_into(mai):
    mai.config({"m": mai.engine("m", ["--health-fail-after", 500, "--wedge-after", 0, "--state", mai.tmp / "starts",
                                      "--good-after", 1], stallTimeout=1, backoff=0.05)})
    mai.start_all()
    x = wait(lambda: wedged(mai), 50 * SLOW, "wedged", every=0.2)
    assert x["requests_lost"] == 0
    assert "the health check failed 3 times" in x["cause"] and "a test completion got no answer" in x["cause"], x
    mai.ready()


@pytest.mark.slow
@pytest.mark.limit(120)
def test_missed_checks_of_an_engine_that_completes_are_no_end(mai):
    mai.config({"m": mai.engine("m", ["--health-fail-after", 500], stallTimeout=1)})
    pid = mai.start_all()["pid"]
    wait(lambda: mai.records["m"].count("canary"), 50 * SLOW, "the canary", every=0.2)
    never(lambda: mai.status()["pid"] != pid, 2, "killed")
    assert "the health check failed 3 times" in mai.stderr


# the clock ---------------------------------------------------------------------------------------------------------


def test_time_in_which_the_core_did_not_run_is_no_stall(mai):
    """The engine has one turn for one request and works without CPU (as on a GPU): nothing but time could speak against it."""
    mai.config({"m": mai.engine("m", ["--serial"], stallTimeout=3)})
    pid = mai.start_all()["pid"]
    later = world.Later(mai.chat, "m", fake="delay=11500", timeout=40)
    wait(lambda: mai.stats("m")["in_progress"] == 1, 5, "the request")
    time.sleep(2.2)     # silent for a while, but not long enough
    os.kill(mai.core, signal.SIGSTOP)
    time.sleep(4.5)
    os.kill(mai.core, signal.SIGCONT)
    assert later.result(40).status == 200
    assert mai.status()["pid"] == pid and not mai.status()["last_exit"]
    assert "the core did not run for a while" in mai.stderr


def test_after_a_gap_it_is_looked_at_at_once(mai):
    """A suspended machine may have lost its engine without a word."""
    mai.config({"m": {**mai.engine("m", stallTimeout=20), "engine": "llama-server"}})
    mai.start_all()
    later = world.Later(mai.chat, "m", stream=True, fake="sse=60,gap=100", timeout=40)
    wait(lambda: mai.stats("m")["events"] > 3, 5, "the stream")
    os.kill(mai.core, signal.SIGSTOP)
    time.sleep(5.5)
    os.kill(mai.core, signal.SIGCONT)
    wait(lambda: mai.records["m"].count("canary"), 4 * SLOW, "the canary")
    assert later.result(40).body.count(b"word") == 60


# what works elsewhere ----------------------------------------------------------------------------------------------


def docker_model(**keys):
    return {"cmd": "docker run -p ${PORT}:8080 image", "checkEndpoint": "/health", "backoff": 0.05,
            "cmdStop": "docker stop c1", "unloadTimeout": 2, **keys}


def test_external_is_judged_by_its_canary_alone(mai):
    """The client burns CPU and speaks for nobody; another process than ours holds the port."""
    with Docker(mai, ["--wedge-after", 0], more="(while :; do :; done) &") as d:
        mai.config({"m": docker_model(stallTimeout=1)})
        mai.start_all()
        later = world.Later(mai.chat, "m", timeout=30)
        x = wait(lambda: wedged(mai), 20 * SLOW, "wedged")
        assert x["text"].startswith("hung: no byte and no prompt progress for") and "idle" not in x["cause"], x
        assert later.result(40).status == 502
        wait(lambda: d.runs >= 2, 10, "the next container")
        assert d.calls("stop"), "the container of the first was stopped"


def test_external_that_answers_its_canary_is_left_alone(mai):
    with Docker(mai) as d:
        mai.config({"m": docker_model(stallTimeout=1)})
        mai.start_all()
        assert mai.chat("m", fake="delay=4000", timeout=20).status == 200
        assert d.runs == 1 and not mai.status()["last_exit"]


def test_external_may_be_silent_while_it_starts(mai):
    with Docker(mai, ["--listen-after", 2500]):
        mai.config({"m": docker_model(healthCheckTimeout=0.5, startTimeout=20)})
        mai.start_all(timeout=20)
        assert not mai.status()["last_exit"]


def test_external_has_startTimeout_as_its_deadline(mai):
    with Docker(mai, ["--never-ready"]):
        mai.config({"m": docker_model(healthCheckTimeout=0.5, startTimeout=1.5, maxAttempts=0)})
        mai.serve()
        before = time.monotonic()
        assert mai.post("/start", timeout=20).status == 500
        assert time.monotonic() - before >= 1.4
        x = mai.wait_state("failed")["last_exit"]
        assert x["text"] == "not ready after 1.5s", json.dumps(x)


def test_a_request_of_http_alone_is_no_proof(mai):
    """The health check of a wedged engine answers all the time."""
    mai.config({"m": good_then_wedged(mai, 0)})
    mai.start_all()
    port = mai.records["m"].port()
    later = world.Later(mai.chat, "m", timeout=30)
    wait(lambda: mai.stats("m")["in_progress"] == 1, 5, "the request")
    assert http.call(port, "GET", "/health").status == 200
    assert later.result(30).status == 200 and wedged(mai)


def test_a_process_that_is_stopped_is_hung(mai):
    """Its port takes connections, and nothing else happens; even its health check is silent."""
    mai.config({"m": mai.engine("m", backoff=0.05, stallTimeout=1)})
    pid = mai.start_all()["pid"]
    os.kill(pid, signal.SIGSTOP)
    r = mai.chat("m", timeout=40)
    assert r.status == 200, r
    assert mai.status()["pid"] != pid and wedged(mai)["requests_lost"] == 1


def test_a_client_that_does_not_read_is_no_stall(mai):
    """The engine is held back by its one client and has no time for another question: still it is well."""
    mai.config({"m": {**mai.engine("m", ["--serial"], stallTimeout=1), "engine": "llama-server"}})
    pid = mai.start_all()["pid"]
    with mai.raw(timeout=30) as c:
        c.send(http.request("POST", "/v1/chat/completions", http.chat("m", True), [("X-Fake", "sse=400000, gap=0")]))
        assert c.head()[0] == 200
        wait(lambda: mai.get("/api/requests").json["requests"][0]["bytes_out"] > 200_000, 10, "the back-log is full")
        never(lambda: mai.status()["pid"] != pid or wedged(mai), 4, "restarted because a client does not read")
    assert mai.chat("m", timeout=30).status == 200
    assert mai.status()["pid"] == pid
