# SPDX-License-Identifier: ISC
"""Engines are killed at 200 random moments under load, swaps too: nothing is cut silently, and nobody who waits is lost."""
import json
import random
import signal
import threading
import time

import pytest

from lib import http, proc, world
from lib.mai import SLOW
from lib.proc import wait
from lib.stream import CHAT, MESSAGES, NATIVE, RESPONSES, TEXT, Stream

KILLS, CLIENTS = 200, 8
FRAMINGS = ["chunked", "http10", "until-close", "length"]


class Client(threading.Thread):
    """Asks again and again; what it got is judged at once."""

    def __init__(self, m, n, over, models):
        super().__init__(daemon=True)
        self.m, self.n, self.over, self.models, self.rand = m, n, over, models, random.Random(1000 + n)
        self.whole = self.broken = self.refused = self.unsure = 0
        self.wrong = []

    def run(self):
        while not self.over.is_set():
            try:
                self.stream() if self.rand.random() < 0.75 else self.plain()
            except Exception as e:   # judged by the test
                self.wrong.append(repr(e))

    def stream(self):
        api = self.rand.choice([CHAT, TEXT, MESSAGES, RESPONSES, NATIVE])
        fake = f"sse={self.rand.randint(1, 40)}, gap={self.rand.choice([0, 1, 3])}, delay={self.rand.choice([0, 0, 5, 20])}, " \
               f"comments={self.rand.choice([0, 0, 2])}, {self.rand.choice(FRAMINGS)}"
        with Stream(self.m, api, fake, self.rand.choice(self.models), timeout=40 * SLOW) as s:
            s.head()
            if s.status != 200:
                self.refusal(s.status, s.raw.exactly(int(s.headers["content-length"])))
                return
            s.all()
            if s.clean:
                s.assert_whole()
                self.whole += 1
            else:
                assert s.body.count(api.error) == 1 and api.mark not in s.body, s.body[-900:]
                self.broken += 1

    def plain(self):
        framing = self.rand.choice(FRAMINGS)
        try:
            r = self.m.chat(self.rand.choice(self.models), fake=f"delay={self.rand.randint(0, 20)}, {framing}", timeout=40 * SLOW,
                            max_tokens=self.rand.randint(1, 3000))
        except (http.http.client.IncompleteRead, ConnectionResetError):
            self.broken += 1
            return
        if r.status != 200:
            self.refusal(r.status, r.body)
            return
        assert r.json["usage"]["total_tokens"] == r.json["usage"]["completion_tokens"] + 7
        self.whole += 1

    def refusal(self, status, body):
        """Only who was twice with an engine that died, or was taken for one that lives."""
        code = json.loads(body)["error"]["code"]
        assert status == 502 and code in ("engine_crashed", "bad_gateway"), (status, body)
        self.refused += 1
        self.unsure += code == "bad_gateway"


class Engines:
    """Those that came to listen, of each model in order; the records are long, hence read once."""

    def __init__(self, records):
        self.files = [[open(r.path), ""] for r in records]

    def next(self):
        for f in self.files:
            f[1] += f[0].read()
            while "\n" in f[1]:
                line, f[1] = f[1].split("\n", 1)
                if '"event":"listen"' in line:
                    return json.loads(line)["pid"]
        return None


@pytest.mark.limit(150)
@pytest.mark.parametrize("models", ["m", "ab"])
def test_200_kills(mai, models):
    mai.config({i: mai.engine(i, backoff=0.01, stableAfter=0.001, maxAttempts=30) for i in models},
               heartbeatAfter=0.05, heartbeatEvery=0.1, queueMax=1000, minResident=0.02, maxSwapWait=0.05)
    mai.start_all()
    for i in models:
        assert mai.chat(i).status == 200
    over = threading.Event()
    clients = [Client(mai, n, over, models) for n in range(CLIENTS)]
    for c in clients:
        c.start()
    rand = random.Random(20261127)
    engines = Engines(mai.records[i] for i in models)
    kills = 0
    while kills < KILLS:
        pid = wait(engines.next, 20 * SLOW, f"an engine after {kills} kills", every=0.002)
        time.sleep(rand.random() * 0.08)     # the moment is what is random
        if len(models) == 1 or proc.alive(pid):     # it may have been swapped away
            proc.kill(pid, signal.SIGKILL)
            kills += 1
    over.set()
    for c in clients:
        c.join(60 * SLOW)
    assert not [c.n for c in clients if c.is_alive()], "lost while waiting"
    wrong = [w for c in clients for w in c.wrong]
    assert not wrong, (len(wrong), wrong[:5])
    whole, broken, refused, unsure = (sum(getattr(c, k) for c in clients) for k in ("whole", "broken", "refused", "unsure"))
    print(f"whole {whole}, broken {broken}, refused {refused}, unsure {unsure}")
    assert whole > KILLS and broken > 10, "there was load, and it was hit"
    assert refused < (whole + broken) / 4
    wait(lambda: mai.status()["in_flight"] == 0 and mai.status()["queued"] == 0, 5 * SLOW, lambda: mai.status())
    mai.ready()
    assert all(mai.chat(i).status == 200 for i in models)


def test_what_was_still_connecting_reaches_no_other_engine(mai):
    """A hung engine takes no connections; when it is killed, the next one gets its port, and the system goes on trying."""
    n = 20
    mai.config({"m": mai.engine("m", ["--backlog", "2", "--ready-after", "1500"], backoff=0.01)}, stallTimeout=120)
    mai.start_all(timeout=20)
    pid, port = mai.status()["pid"], mai.records["m"].port()

    def connecting():
        with open("/proc/net/tcp") as f:
            return sum(w[2].endswith(f":{port:04X}") and w[3] == "02" for w in map(str.split, f))

    proc.kill(pid, signal.SIGSTOP)
    try:
        asked = [world.Later(mai.chat, "m", timeout=30) for _ in range(n)]
        wait(lambda: mai.status()["in_flight"] == n and connecting() > n // 2, 5 * SLOW, "nobody gets through")
    finally:
        proc.kill(pid, signal.SIGKILL)
    assert [r.status for r in (a.result(30) for a in asked)] == [200] * n
    assert mai.records["m"].port() == port
