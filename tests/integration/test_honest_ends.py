# SPDX-License-Identifier: ISC
"""A stream is whole only with the end mark of its API, whatever its framing says; else its client is told, and it is counted."""
import os
import signal

import pytest

from lib import http, proc, world
from lib.mai import MAI, SLOW
from lib.proc import never, wait
from lib.stream import ALL, CHAT, HELD, TEXT, Stream, access, metric

FRAMINGS = ["chunked", "until-close", "http10", "length"]


def read(m, api, fake, **kw):
    with Stream(m, api, fake, **kw) as s:
        return s.all()


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("api", ALL, ids=repr)
def test_a_whole_stream_ends_properly(one, api, framing):
    s = read(one, api, f"sse=5, finish, {framing}")
    s.assert_whole()
    assert b"word4" in s.body
    assert "cut short" not in access(one)[-1] and " 5 out" in access(one)[-1]
    assert metric(one, "mai_truncated_streams_total") == 0


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("api", ALL, ids=repr)
def test_a_proper_end_of_the_message_is_none_of_the_answer(one, api, framing):
    s = read(one, api, f"sse=5, no-done, {framing}")
    assert b"word4" in s.body
    s.assert_broken("bad_gateway")
    assert "cut short" in access(one)[-1]
    assert metric(one, "mai_truncated_streams_total", model="m") == 1
    assert one.chat("m").status == 200


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("api", [CHAT, TEXT], ids=repr)
def test_a_reason_for_every_choice_is_an_end_where_the_engine_ends_the_message(one, api, framing):
    s = read(one, api, f"sse=5, finish, no-done, {framing}")
    if framing in ("chunked", "length"):
        assert s.clean and api.error not in s.body and api.mark not in s.body
        assert metric(one, "mai_truncated_streams_total") == 0
    else:
        s.assert_broken("bad_gateway")


@pytest.mark.parametrize("how", ["die", "cut", "reset"])
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("api", ALL, ids=repr)
def test_a_cut_stream_is_broken(mai, api, framing, how):
    mai.config({"m": mai.engine("m", ["--signal", "KILL", "--exit-after", "600000"], backoff=0.05)})
    mai.start_all()
    s = read(mai, api, f"sse=20, {how}-after-bytes=500, {framing}")
    s.assert_broken("engine_crashed" if how == "die" else "bad_gateway")
    if how == "die":
        assert "SIGKILL" in s.body.decode()
    assert metric(mai, "mai_truncated_streams_total", model="m") == 1
    mai.ready()
    assert mai.records["m"].count("request") == 1, "never sent again"


@pytest.mark.parametrize("framing", ["chunked", "until-close", "chunked, gap=20"])
@pytest.mark.parametrize("n", [0, 2])
@pytest.mark.parametrize("api", ALL, ids=repr)
def test_an_error_that_the_engine_tells_is_an_end(one, api, n, framing):
    s = read(one, api, f"sse=9, error-event={n}, {framing}")
    assert s.clean and s.body.count(b"engine says no") == 1
    assert s.body.count(api.error.split(b"\n")[0]) == 1, s.body
    assert "with an error" in access(one)[-1]
    assert metric(one, "mai_truncated_streams_total") == 0
    assert one.snapshot()["errors"] == 1


@pytest.mark.parametrize("framing", ["chunked", "until-close", "length"])
@pytest.mark.parametrize("api", ALL, ids=repr)
def test_an_end_mark_to_which_only_line_ends_are_missing_is_one(mai, api, framing):
    """And the client gets them: a strict reader knows no event without its blank line."""
    mai.config({"m": mai.engine("m", ["--model-name", "m"])})
    mai.start_all()
    whole = len(read(mai, api, "sse=3").body)
    for missing in (1, 2):
        s = read(mai, api, f"sse=3, {framing}, cut-after-bytes={whole - missing}")
        s.assert_whole()
        assert s.body.endswith(b"\n\n")
    s = read(mai, api, f"sse=3, {framing}, cut-after-bytes={whole - 3}")
    assert s.clean is False and s.body.count(api.error) == 1


@pytest.mark.parametrize("framing", ["chunked", "until-close", "length"])
@pytest.mark.parametrize("how", ["die", "cut"])
def test_json_that_is_cut_ends_broken(mai, framing, how):
    """Behind its first byte; a short answer of known length is not begun before it is whole."""
    mai.config({"m": mai.engine("m", backoff=0.05)})
    mai.start_all()
    with mai.raw() as c:
        c.send(http.request("POST", CHAT.path, http.chat("m", max_tokens=20000),
                            [("X-Fake", f"{framing}, {how}-after-bytes=90000")]))
        status, headers = c.head()
        h = {k.lower(): v for k, v in headers}
        body = c.all()
    assert status == 200 and len(body) > 80000
    if "content-length" in h:
        assert len(body) < int(h["content-length"])
    else:
        assert not body.endswith(b"\r\n0\r\n\r\n")
    wait(lambda: "cut short" in access(mai)[-1], 2 * SLOW, lambda: access(mai))


@pytest.mark.parametrize("api", ALL, ids=repr)
def test_an_engine_that_is_told_to_stop_ends_its_streams_properly_and_is_seen_through(mai, api):
    """llama-server at SIGTERM: a final chunk, but no end mark, and exit 0. Who had no byte yet waits for its restart."""
    mai.config({"m": mai.engine("m", ["--end-streams-on-term"], backoff=0.05)})
    mai.start_all()
    with Stream(mai, api, "sse=500, gap=20") as s, Stream(mai, api, "comments=1, ahead-gap=60000") as early:
        s.until(b"word3")
        early.until(b": keepalive 1/1\n\n")
        os.kill(mai.status()["pid"], signal.SIGTERM)
        s.all().assert_broken("engine_crashed")
        assert "exited 0" in s.body.decode()
        wait(lambda: mai.records["m"].count("request") == 3, 5 * SLOW, "sent again")
        early.until(b": keepalive 1/1\n\n: keepalive 1/1\n\n")
        assert api.error not in early.body


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_client_of_either_version_sees_it(one, version):
    s = read(one, CHAT, "sse=5, no-done", version=version)
    assert s.clean is False and b'data: {"error":{' in s.body
    s = read(one, CHAT, "sse=5", version=version)
    assert s.clean and s.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("api", HELD, ids=repr)
def test_a_stop_in_the_middle_of_a_stream(mai, api):
    mai.config({"m": mai.engine("m", drainTimeout=0.1)})
    mai.start_all()
    with Stream(mai, api, "sse=5000, gap=20") as s:
        s.until(b"word2")
        assert mai.post("/stop").status == 200
        s.all().assert_broken("engine_failed")


@pytest.mark.limit(120)
@pytest.mark.parametrize("fake", ["sse=3200, chunk-bytes=65536", "sse=3200, chunk-bytes=65536, until-close",
                                  "sse=900000"])
def test_memory_is_flat_when_nobody_reads_200_MB(one, fake):
    """Three clients that never read: what they cost is bounded, and does not grow."""
    streams = [Stream(one, CHAT, fake, timeout=30) for _ in range(3)]
    rss = proc.rss_kib(one.core)
    try:
        for s in streams:
            s.until(b"data:")
        seen = []

        def stalls():
            seen.append(one.stats()["bytes"])
            return len(seen) > 60 and seen[-1] == seen[-60]

        wait(stalls, 20 * SLOW, "the engine is held back", every=0.01)
        assert seen[-1] < 60_000_000, "of 600 MB"
        if not world.sanitized(MAI):
            never(lambda: proc.rss_kib(one.core) - rss > 3 * 1024, 1, "memory")
        assert one.chat("m").status == 200
    finally:
        for s in streams:
            s.raw.s.close()
    wait(lambda: one.status()["in_flight"] == 0, 5 * SLOW, "given up")
