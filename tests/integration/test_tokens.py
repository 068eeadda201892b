# SPDX-License-Identifier: ISC
"""What is known of requests and told everywhere, for every engine: tokens, their rate, times, and how far a prompt is."""
import pytest

from lib.mai import SLOW
from lib.proc import wait
from lib.stream import ALL, CHAT, MESSAGES, NATIVE, RESPONSES, TEXT, Stream, access, metric
from test_events import Watch


def rows(m):
    return m.get("/api/requests").json["requests"]


def row(m, fn=lambda r: True, timeout=5):
    """The only request, once it is as fn wants it."""
    got = []

    def look():
        got[:] = rows(m)
        return got[0] if len(got) == 1 and fn(got[0]) else None
    return wait(look, timeout * SLOW, lambda: got)


@pytest.mark.parametrize("api,fake,out", [
    (CHAT, "sse=5", " 5 out"),                            # counted by events
    (CHAT, "sse=5, usage", " 7 in 5 out"),                # as the engine says
    (CHAT, "sse=5, finish, timings", " 7 in 5 out"),      # llama-server's timings alone: what was in its cache went in, too
    (TEXT, "sse=5, usage", " 7 in 5 out"),
    (MESSAGES, "sse=5", " 7 in 5 out"),
    (RESPONSES, "sse=5", " 7 in 5 out"),
    (NATIVE, "sse=5", " 7 in 5 out"),
    (CHAT, "no-stream, max_tokens", None),
], ids=str)
def test_counts_of_every_api(one, api, fake, out):
    if out is None:
        assert one.chat("m", max_tokens=5).status == 200
        out = " 7 in 5 out"
    else:
        with Stream(one, api, fake) as s:
            s.all().assert_whole()
    assert access(one)[-1].endswith(out), access(one)
    assert metric(one, "mai_tokens_total", model="m") == 5
    assert metric(one, "mai_prompt_tokens_total", model="m") == (7 if " in " in out else 0)
    assert metric(one, "mai_first_byte_seconds_count", model="m") == 1


@pytest.mark.parametrize("api", ALL, ids=repr)
def test_times_and_rate_of_a_stream(one, api):
    with Stream(one, api, "delay=250, sse=400, gap=20") as s:
        r = row(one, lambda r: r["phase"] == "prefill")
        assert r["first_byte_seconds"] is None and r["first_token_seconds"] is None and r["tokens_out"] is None
        assert r["stream"] is True and r["tokens_per_second"] is None
        s.until(b"word20")
        r = row(one, lambda r: r["tokens_out"] is not None and r["tokens_out"] >= 20)
        assert r["phase"] == "gen" and 0.2 < r["first_byte_seconds"] <= r["first_token_seconds"] < 2 * SLOW
        assert 0 < r["tokens_per_second"] <= 60 and r["estimated"] is True
        assert r["waited_seconds"] == 0 and r["bytes_out"] > 0
    wait(lambda: not rows(one), 2 * SLOW, "gone")
    assert metric(one, "mai_first_token_seconds_count", model="m") == 1
    assert 0.2 < metric(one, "mai_first_token_seconds_sum", model="m") < 2 * SLOW


def test_the_engines_own_rate_is_shown(one):
    with Stream(one, NATIVE, "sse=5, stall-after=5") as s:
        s.until(b"word4")
        assert row(one, lambda r: r["tokens_out"] == 5)["tokens_cached"] is None
    with Stream(one, CHAT, "sse=5, finish, timings, usage, no-done, gap=1") as s:
        s.all()
    assert metric(one, "mai_tokens_total", model="m") == 10


def test_cached_tokens(one):
    with Stream(one, MESSAGES, "sse=3, stall-after=3") as s:
        s.until(b"word2")
        r = row(one, lambda r: r["tokens_out"] == 3)
        assert r["tokens_in"] == 7 and r["tokens_cached"] == 4


@pytest.mark.parametrize("fake,total", [("comments=6, ahead-gap=150, http10", 6), ("progress=6, ahead-gap=150", 6 * 512)])
def test_progress_of_a_prompt(one, fake, total):
    """mlx_lm.server tells it in comments, llama-server in events when asked to."""
    with Watch(one, timeout=20) as w, Stream(one, CHAT, f"sse=3, {fake}") as s:
        step = total // 6
        r = row(one, lambda r: r["prompt_done"] == 2 * step)
        assert r["prompt_total"] == total and r["phase"] == "prefill" and r["first_token_seconds"] is None
        assert "prefill 33%" in one.verb("ps").stdout or rows(one)[0]["prompt_done"] != 2 * step
        name, data, _ = w.until(lambda name, d, i: name == "request" and d.get("prompt_done", -1) > 0)
        assert data["prompt_total"] == total and data["phase"] == "prefill"
        s.until(b"word0")
        s.all().assert_whole()
    assert access(one)[-1].endswith(f" {total} in 3 out"), "the only one who told what went in"


def test_a_prompt_is_told_of_no_more_once_it_is_done(one):
    with Stream(one, CHAT, "sse=500, gap=20, comments=2") as s:
        s.until(b"word3")
        r = row(one, lambda r: r["phase"] == "gen")
        assert r["prompt_done"] is None and r["prompt_total"] is None and r["tokens_in"] == 2


def test_a_wait_is_told(mai):
    mai.config({"m": mai.engine("m", ["--ready-after", "900"])})
    mai.serve()
    with Stream(mai, CHAT, "sse=400, gap=20") as s:
        r = row(mai, lambda r: r["phase"] == "queued" and r["waited_seconds"] > 0.2)
        assert r["position"] == 1
        assert "queued 1" in mai.verb("ps").stdout
        s.until(b"word1")
        r = row(mai, lambda r: r["phase"] == "gen")
        assert 0.7 < r["waited_seconds"] < 5 * SLOW and r["position"] == 0
        assert r["waited_seconds"] <= r["first_byte_seconds"]
        out = mai.verb("ps").stdout.splitlines()
        assert out[0].split() == ["ID", "CLIENT", "PHASE", "AGE", "WAITED", "IN", "OUT", "TOK/S", "MODEL", "PATH"]
        assert " gen " in out[1] and out[1].endswith("/v1/chat/completions")
    assert metric(mai, "mai_queue_seconds_count", model="m") == 1
    assert 0.7 < metric(mai, "mai_queue_seconds_sum", model="m") < 5 * SLOW


def test_a_second_wait_counts_only_itself(mai):
    """Behind a restart: not the time in which the engine had it."""
    import os
    import signal
    mai.config({"m": mai.engine("m", backoff=0.1)})
    mai.start_all()
    with Stream(mai, CHAT, "sse=3, delay=800") as s:
        wait(lambda: rows(mai) and rows(mai)[0]["age_seconds"] > 0.6, 5 * SLOW, "with the engine")
        os.kill(mai.records["m"].pid(), signal.SIGKILL)
        s.all().assert_whole()
        assert 0.15 < int(s.headers["x-queue-ms"]) / 1000 < 0.6 * SLOW


def test_tokens_per_second_of_each_model(mai):
    mai.config({"m": mai.engine("m"), "other": mai.engine("other")})
    mai.start_all()
    with Watch(mai, timeout=20) as w, Stream(mai, CHAT, "sse=2000, gap=10") as s:
        s.until(b"word5")
        wait(lambda: metric(mai, "mai_model_tokens_per_second", model="m") > 5, 8 * SLOW, "its rate")
        assert metric(mai, "mai_model_tokens_per_second", model="other") == 0
        assert metric(mai, "mai_tokens_per_second") > 5
        e = {x["id"]: x for x in mai.snapshot()["engines"]}
        assert e["m"]["tps"] > 5 and e["other"]["tps"] == 0
        w.until(lambda name, d, i: name == "gauges" and any(u[0] == "m" and u[3] > 5 for u in d["use"]))
        # Figures alone are no news of an engine.
        told = [d for name, d, _ in w.events if name == "engine" and d["id"] == "m"]
        assert len(told) < 8, told


def test_a_prompt_that_makes_progress_is_work(one):
    """The bytes of comments are counted as signs of life only when they move; the request ends whole either way."""
    with Stream(one, CHAT, "sse=2, comments=8, ahead-gap=30") as s:
        s.all().assert_whole()
    assert s.body.count(b": keepalive") == 8
