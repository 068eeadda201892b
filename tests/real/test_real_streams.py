# SPDX-License-Identifier: ISC
"""Streams of the real engines through mai: their end marks, their tokens, the progress of their prompts, and one that is told to
stop by somebody else."""
import os
import signal

import pytest

from lib.proc import wait
from lib.stream import ALL, CHAT, TEXT, Stream, access, metric
from test_real import load

LONG = [{"role": "user", "content": "The quick brown fox jumps over the lazy dog. " * 80}]


@pytest.mark.limit(240)
@pytest.mark.parametrize("name,api", [("llama-tiny", a) for a in ALL] + [("mlx-tiny", CHAT), ("mlx-tiny", TEXT)], ids=str)
def test_ends_and_tokens_of_every_api(real, name, api):
    load(real, name)
    limit = {"max_tokens": 9, "max_output_tokens": 9, "n_predict": 9}
    more = {k: v for k, v in limit.items() if k in ("max_tokens",) or api.name in ("responses", "native")}
    with Stream(real, api, model=name, timeout=60, stream_options={"include_usage": True}, **more) as s:
        s.all().assert_whole()
    line = access(real)[-1]
    assert line.endswith(" 9 out") and " in " in line, line
    assert metric(real, "mai_tokens_total", model=name) == 9
    assert metric(real, "mai_first_token_seconds_count", model=name) == 1
    assert metric(real, "mai_truncated_streams_total") == 0


@pytest.mark.limit(240)
@pytest.mark.parametrize("name", ["llama", "mlx"])
def test_progress_of_a_long_prompt(real, name):
    load(real, name)
    with Stream(real, CHAT, model=name, timeout=120, messages=LONG, max_tokens=3, return_progress=True) as s:
        def look():
            r = real.get("/api/requests").json["requests"]
            return r and (r[0]["prompt_total"] or 0) > 500 and r[0]["phase"] == "prefill"
        wait(look, 90, "its progress")
        s.all().assert_whole()


@pytest.mark.limit(240)
def test_llama_server_that_is_told_to_stop_by_somebody_else(real):
    """It ends its streams properly, but without their end mark, and exits 0."""
    models = {"m": {**real.models["llama-tiny"], "backoff": 0.1}}
    models["m"]["cmd"] += " --sse-ping-interval 1"
    real.config(models)
    assert real.post("/api/reload").status == 200
    load(real, "m")
    with Stream(real, CHAT, model="m", timeout=60, max_tokens=7000) as s:
        while len(s.body) < 20000:     # at its first token it may hang for good: that is another fault
            assert s.part()
        os.kill(real.status()["pid"], signal.SIGTERM)
        s.all().assert_broken()
    assert "cut short" in access(real)[-1]
    with Stream(real, CHAT, model="m", timeout=60, max_tokens=3) as s:
        s.all().assert_whole()
