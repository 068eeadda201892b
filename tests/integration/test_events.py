# SPDX-License-Identifier: ISC
"""GET /api/events: hello, snapshot, events with sequence numbers, heartbeats; a slow reader never blocks anybody."""
import json
import os
import signal
import time

import pytest

from lib import proc, world
from lib.http import request
from lib.mai import SLOW
from lib.proc import wait


class Watch:
    def __init__(self, m, path="/api/events", headers=(), **kw):
        self.c = m.raw(**kw)
        self.c.send(request("GET", path, headers=headers))
        self.status, self.headers = self.c.head()
        self.buf = b""
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.c.s.close()

    def next(self):
        """name, data, id of the next event; comments are skipped."""
        while True:
            while b"\n\n" not in self.buf:
                part = self.c.chunk()
                assert part, "the stream ended"
                self.buf += part
            block, self.buf = self.buf.split(b"\n\n", 1)
            f = {}
            for line in block.decode().split("\n"):
                if not line.startswith(":"):
                    k, _, v = line.partition(":")
                    f[k] = v.strip()
            if "data" in f:
                self.events.append((f.get("event"), json.loads(f["data"]), int(f["id"]) if "id" in f else None))
                return self.events[-1]

    def until(self, fn, timeout=10):
        end = time.monotonic() + timeout * SLOW
        while time.monotonic() < end:
            e = self.next()
            if fn(*e):
                return e
        raise AssertionError(f"did not come; {self.events[-5:]}")


def test_hello_then_snapshot(one):
    with Watch(one) as w:
        assert w.status == 200
        h = {k.lower(): v for k, v in w.headers}
        assert h["content-type"].startswith("text/event-stream") and h.get("x-accel-buffering") == "no"
        name, data, _ = w.next()
        assert name == "hello" and {"protocol", "started", "seq", "viewer"} <= set(data)
        name, data, _ = w.next()
        assert name == "snapshot" and data["engines"][0]["id"] == "m"


def test_a_crash_and_its_recovery_are_told(mai):
    mai.config({"m": mai.engine("m", backoff=0.1)})
    mai.start_all()
    with Watch(mai) as w:
        w.until(lambda n, d, i: n == "snapshot")
        os.kill(mai.status()["pid"], signal.SIGKILL)
        seen = []

        def step(n, d, i):
            if n == "engine" and d.get("id") == "m" and (not seen or seen[-1] != d["state"]):
                seen.append(d["state"])
            return bool(seen) and seen[-1] == "ready"
        w.until(step)
        assert seen == ["backoff", "starting", "ready"], seen
        ids = [i for _, _, i in w.events if i is not None]
        assert ids == sorted(ids) and len(set(ids)) == len(ids)


def test_since_replays_what_was_missed(one):
    with Watch(one) as w:
        w.until(lambda n, d, i: n == "snapshot")
        one.chat("m")
        last = w.until(lambda n, d, i: i is not None)[2]
    one.post("/api/restart", {})
    with Watch(one, f"/api/events?since={last}") as w:
        assert w.next()[0] == "hello"
        name, data, i = w.next()
        assert name == "snapshot" or i > last


def test_viewers_are_counted(one):
    with Watch(one, headers=[("X-Mai-Viewer", "ann,pts/1,attached")]) as w:
        w.until(lambda n, d, i: n == "snapshot")
        assert one.snapshot()["viewers"] == 1
    wait(lambda: one.snapshot()["viewers"] == 0, 3, "viewer left")


@pytest.mark.limit(90)
def test_a_slow_reader_blocks_nobody(mai):
    mai.config({"m": mai.engine("m", ["--flood", "20000"])})
    mai.start_all()
    rss = proc.rss_kib(mai.core)
    with Watch(mai, rcvbuf=4096) as w:
        w.until(lambda n, d, i: n == "snapshot")
        worst = 0.0
        for _ in range(60):
            before = time.monotonic()
            assert mai.chat("m", max_tokens=1).status == 200
            worst = max(worst, time.monotonic() - before)
        assert worst < 0.3 * SLOW
        from lib.mai import MAI
        if not world.sanitized(MAI):
            assert proc.rss_kib(mai.core) - rss < 6 * 1024


def test_actions_are_published_with_their_author(one):
    with Watch(one, headers=[("X-Mai-Viewer", "ann,pts/1,attached")]) as w:
        hello = w.next()[1]
        w.until(lambda n, d, i: n == "snapshot")
        one.post("/stop", headers={"X-Mai-Viewer-Id": str(hello["viewer"])})
        e = w.until(lambda n, d, i: n == "action")
        assert "ann" in json.dumps(e[1])


def test_shutdown_is_told_and_the_stream_ends(one):
    with Watch(one) as w:
        w.until(lambda n, d, i: n == "snapshot")
        later = world.Later(one.term)
        w.until(lambda n, d, i: n == "shutdown")
        assert later.result() == 0
