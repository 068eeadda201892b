# SPDX-License-Identifier: ISC
"""An engine whose HTTP is drawn, wrong in every way, and clients that judge what of it reaches them: never the answer of another
one, never a broken one that looks whole, never nothing. See test_soak.py for the variables."""
import collections
import random
import re
import sys
import threading
import time

import pytest

from lib import http, proc
from lib.mai import SLOW, TOP, words
from lib.proc import wait
from test_soak import RUNS, SEED, seconds

BOUND = 20 * SLOW
SECONDS = seconds(2)
WILD = TOP / "tests/integration/lib/wild.py"


class Asker(threading.Thread):
    """Asks on connections that it keeps as long as it may."""

    def __init__(self, m, seed, n, over):
        super().__init__(daemon=True, name=f"asker{n}")
        self.m, self.over, self.rand, self.n = m, over, random.Random(f"{seed}-{n}"), 0
        self.faults, self.ends, self.last, self.got = [], collections.Counter(), b"", {}
        self.start()

    def run(self):
        while not self.over.is_set():
            try:
                self.last = b""
                with self.m.raw(timeout=BOUND) as c:
                    while not self.over.is_set() and self.some(c):
                        pass
            except Exception as e:
                self.faults.append(f"{self.name}: {self.mark}: {type(e).__name__}: {e}"[:3000])

    def question(self, alone):
        """1.0 comes alone: the reset that tells of a broken answer without framing takes those before it along."""
        r = self.rand
        self.n += 1
        self.mark = f"{self.name}-{self.n}"
        path, body = r.choice([("/v1/chat/completions", http.chat()), ("/v1/completions", {"prompt": "x"}),
                               ("/v1/messages", {"messages": [], "max_tokens": 8}), ("/v1/embeddings", {"input": "x"})])
        body = {**body, "model": "w", "pad": "p" * r.choice([0, 0, 10, 1000, 300000])}
        if "embeddings" not in path and r.random() < 0.5:
            body["stream"] = True
        version = r.choice(["1.1"] * 5 + ["1.0"]) if alone else "1.1"
        data = http.request("POST", f"{path}?soak={self.mark}", body)
        return self.mark, data.replace(b"HTTP/1.1", b"HTTP/" + version.encode(), 1), version

    def some(self, c):
        r = self.rand
        n = r.choice([1, 1, 1, 2, 3])
        asked = [self.question(n == 1) for _ in range(n)]
        data = b"".join(d for _, d, _ in asked)
        if r.random() < 0.1:
            c.send(data[:r.randint(1, len(data))])
            self.over.wait(r.random() * 0.05)
            if r.random() < 0.5:
                c.reset()
            self.ends["left"] += 1
            return False
        c.send(data)
        for mark, _, version in asked:
            if not self.answer(c, mark, version):
                return False
        return True

    def answer(self, c, mark, version):
        """Whether the connection goes on."""
        before = time.monotonic()
        try:
            status, fields = c.head()
        except AssertionError as e:
            if c.buf.startswith(b"HTTP/1.") or not self.last:
                raise
            self.ends["none"] += 1
            raise AssertionError(f"no answer at all; before it {self.last!r}: {e}") from None
        h = {k.lower(): v for k, v in fields}
        names = [k.lower() for k, _ in fields]
        assert names.count("content-length") <= 1 and names.count("transfer-encoding") <= 1, fields
        assert not ("content-length" in h and "transfer-encoding" in h), fields
        assert 200 <= status < 600 or status == 999, (status, fields)
        assert not c.interim, c.interim
        whole, body = True, b""
        if status not in (204, 304):
            try:
                if "chunked" in h.get("transfer-encoding", ""):
                    assert version == "1.1", fields
                    while part := c.chunk():
                        body += part
                elif "content-length" in h:
                    body = c.exactly(int(h["content-length"]))
                else:
                    assert "close" in h.get("connection", "") or version == "1.0", fields
                    body = c.all()
                    whole = not c.was_reset
            except AssertionError as e:
                if "connection ended" not in str(e):
                    raise
                whole = False
                body += c.buf
        self.last = (status, fields, body[-200:])
        assert time.monotonic() - before < BOUND / 2, self.last
        marks = set(re.findall(rb'"mark": ?"([\w.-]+)"', body))
        assert marks <= {mark.encode()}, f"{mark} got {marks}: {status} {body[-500:]}"
        if whole and status == 200 and b"event-stream" in h.get("content-type", "").encode():
            ends = body.count(b"[DONE]") + body.count(b'{"type":"message_stop"}') + body.count(b'"error":{')
            assert ends <= 1, body[-900:]
        elif whole and status == 200 and body:
            assert body.startswith(b"{") and body.endswith(b"}"), body[-500:]
        self.got[mark] = (status, whole, version, c.was_reset, len(body), fields, body[-300:])
        self.ends[f"{status}{'' if whole else ' broken'}"] += 1
        return whole and "close" not in h.get("connection", "") and (version == "1.1" or "keep-alive" in h.get("connection", ""))


def right_ones(told, askers):
    """Faults: proper answers of the engine that did not reach their clients as such."""
    got = {k: v for a in askers for k, v in a.got.items()}
    said = dict(line.split() for line in told.read_text().splitlines())
    return [f"{mark}: the engine was {kind}, and there came {got[mark]}" for mark, kind in said.items()
            if mark in got and kind in ("good", "old", "error") and (got[mark][0] == 502 or not got[mark][1]) and
            b'"code":"engine_error"' not in got[mark][-1]]


@pytest.mark.limit(int(SECONDS + 120))
@pytest.mark.parametrize("seed", range(SEED, SEED + RUNS))
def test_whatever_an_engine_says(mai, seed):
    told = mai.tmp / "told"
    mai.config({"w": {"cmd": words([sys.executable, WILD]) + f" --seed {seed} --record {told} --port ${{PORT}}", "checkEndpoint": "/health",
                      "stallTimeout": 0, "timeouts": {"responseHeader": 2}}}, heartbeatAfter=random.Random(seed).choice([0, 0.01, 1]))
    mai.start_all(timeout=20)
    over = threading.Event()
    askers = [Asker(mai, seed, n, over) for n in range(12)]
    over.wait(SECONDS)
    over.set()
    for a in askers:
        a.join(BOUND)
    ends = sum((a.ends for a in askers), collections.Counter())
    print(f"seed {seed}: {dict(sorted(ends.items()))}")
    faults = [f for a in askers for f in a.faults]
    faults += right_ones(told, askers)
    assert not faults, "\n".join([str(len(faults)), *faults[:6], mai.stderr[-2000:]])
    assert not [a.name for a in askers if a.is_alive()]
    wait(lambda: not mai.get("/api/requests").json["requests"], 5 * SLOW, lambda: mai.get("/api/requests").json)
    assert mai.snapshot()["in_flight"] == 0
