# SPDX-License-Identifier: ISC
"""Chaos against promises: models with drawn faults, clients of every kind, an operator who changes his mind, viewers that come
and go. What each of them saw is judged at once, the core as a whole when all is quiet again.

MAI_SOAK_SECONDS: how long one run of chaos takes (4; 2 in test_soak_*.py). MAI_SOAK_SEED: the first seed; MAI_SOAK_RUNS: how many
follow (1)."""
import collections
import json
import os
import random
import re
import signal
import socket
import threading
import time

import pytest

from lib import http, proc, world
from lib.chaos import BOUND, Actor, Client, Setting
from lib.mai import MAI, SLOW
from lib.proc import wait
from lib.stream import CHAT, Stream
from test_events import Watch


def seconds(usual):
    return float(os.environ.get("MAI_SOAK_SECONDS", usual))


SECONDS = seconds(4)
SEED = int(os.environ.get("MAI_SOAK_SEED", "1"))
RUNS = int(os.environ.get("MAI_SOAK_RUNS", "1"))


class Operator(Actor):
    """Swaps, stops, reloads, and hurts engines."""
    ANSWERS = {200, 202, 404, 409, 500, 503}

    def __init__(self, soak, name, waits):
        self.waits = waits
        super().__init__(soak, name)

    def step(self):
        r = self.rand
        names = self.soak.setting.names
        model, waits = r.choice(names), {"wait": self.waits}
        load = ("/load", {"model": model, **waits})
        verbs = [load, load, ("/stop", waits), ("/start", waits), ("/unload", None), ("/models/load", {"model": model}),
                 ("/models/unload", {"model": model}), (f"/api/models/unload/{model}", None),
                 ("/api/restart", {"model": model, "force": r.random() < 0.4, **waits}),
                 ("/api/pin", {"model": model, "pin": r.random() < 0.3}), ("cancel", None)]
        path, body = r.choice(verbs)
        if path == "cancel":
            rows = self.m.get("/api/requests", timeout=BOUND).json["requests"]
            if rows:
                self.call(f"/api/requests/{r.choice(rows)['id']}/cancel", None)
        else:
            self.call(path, body)
        self.over.wait(r.random() * (0.2 if self.waits else 0.6))

    def call(self, path, body):
        self.doing = f"{path} {body}"
        r = self.m.post(path, body, timeout=BOUND)
        self.soak.say(f"{path} {body} -> {r.status}")
        assert r.status in self.ANSWERS, r
        if r.body != b"OK":
            assert isinstance(r.json, dict), r
        self.soak.count(path.rsplit("/", 1)[0] if path.startswith(("/api/requests", "/api/models")) else path, r.status)


class Editor(Actor):
    """Changes the configuration; sometimes it is wrong, and the old one stays."""

    def step(self):
        self.over.wait(self.rand.random() * 1.5)
        setting = self.soak.setting
        if self.rand.random() < 0.15:
            self.m.write("models: [")
            assert self.m.post("/api/reload", timeout=BOUND).status == 409
            setting.write()
            return
        what = setting.change()
        self.doing = what
        self.soak.say(f"reload: {what}: {sorted(setting.models)}")
        if self.rand.random() < 0.5:
            self.m.p.send_signal(signal.SIGHUP)
        else:
            r = self.m.post("/api/reload", timeout=BOUND)
            assert r.status == 200, r
        self.soak.count("reload", what)


class Killer(Actor):
    """The machine's part: engines die or hang."""

    def step(self):
        r = self.rand
        if self.over.wait(r.random() * 0.8):
            return
        found = list(self.soak.census.alive())
        if not found:
            return
        pid = r.choice(found)[0]
        how = r.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGSTOP])
        # By design it then holds its streams for as long as their clients stay, and that is for ever.
        if how == signal.SIGTERM and b"--wait-clients-on-term" in proc.cmdline(pid):
            how = signal.SIGKILL
        # Asleep meanwhile, the core finds all that happened at once.
        asleep = r.random() < 0.3
        self.soak.say(f"{signal.Signals(how).name} to {pid}{', core asleep' if asleep else ''}")
        if asleep:
            proc.kill(self.m.core, signal.SIGSTOP)
            time.sleep(r.random() * 0.2)
        proc.kill(pid, how)
        if asleep:
            time.sleep(r.random() * 0.2)
            proc.kill(self.m.core, signal.SIGCONT)
        self.soak.count("hurt", signal.Signals(how).name)
        if how == signal.SIGSTOP:
            self.over.wait(r.random() * 3)
            proc.kill(pid, signal.SIGCONT)


class Census(Actor):
    """Counts engines: never two of one model, never more than may be loaded, never more memory than there is."""

    def __init__(self, soak):
        self.most = 0
        super().__init__(soak, "census", soak.quiet)

    def alive(self):
        """(pid, model) of engines; those found alive again afterwards were alive together."""
        found = []
        try:
            with open(f"/proc/{self.m.core}/task/{self.m.core}/children") as f:
                children = [int(x) for x in f.read().split()]
        except OSError:
            return []
        for pid in children:
            words = proc.cmdline(pid)
            # The core adopts what engines forked; those lead no group.
            if words and words[0].decode() == self.m.fake_bin and b"--model-name" in words and (proc.stat(pid) or [0] * 3)[2] == pid:
                found.append((pid, words[words.index(b"--model-name") + 1].decode()))
        return [x for x in found if proc.alive(x[0])]

    def step(self):
        found = self.alive()
        models = sorted(x for _, x in found)
        needs = self.soak.setting.needs
        self.most = max(self.most, len(found))
        assert len(set(models)) == len(models), f"two of one model: {found}"
        assert len(found) <= self.soak.setting.limit, f"maxLoaded is {self.soak.setting.limit}: {found}"
        budget = self.soak.setting.budget
        assert not budget or sum(needs[x[0]] for x in models) <= budget, (budget, found, needs)
        self.over.wait(0.02)


class Poller(Actor):
    """Reads what may be read, and that is never late."""

    def step(self):
        path = self.rand.choice(["/livez", "/status", "/metrics", "/api/snapshot", "/running", "/v1/models", "/logs?n=100",
                                 "/api/requests", "/api/logs?n=50", "/health", "/ready",
                                 f"/api/info?model={self.rand.choice('abcd')}"])
        self.doing = path
        before = time.monotonic()
        r = self.rand.choice([self.m.call, self.m.control])("GET", path, timeout=BOUND)
        took = time.monotonic() - before
        self.soak.slowest = max(self.soak.slowest, took)
        assert r.status in (200, 503 if path == "/ready" else 404 if path.startswith("/api/info") else 200), r
        assert took < 2 * SLOW, f"{path} took {took:.2f} s"
        self.over.wait(0.05)


class Viewer(Actor):
    """Attaches, reads for a while or not, and goes, with or without a word."""
    seen = None

    def step(self):
        r = self.rand
        if r.random() < 0.3:
            path = "/logs/stream" + r.choice(["", "/proxy", "/upstream", "/a", "?no-history"])
            with self.m.raw(timeout=BOUND, rcvbuf=r.choice([None, 4096])) as c:
                c.send(http.request("GET", path))
                assert c.head()[0] in (200, 404)
                self.over.wait(r.random())
                for _ in range(r.randint(0, 20)):
                    c.s.settimeout(0.2)
                    try:
                        c.fill()
                    except (TimeoutError, socket.timeout):
                        break
            return
        path = f"/api/events?since={self.seen}" if self.seen and r.random() < 0.5 else "/api/events"
        with Watch(self.m, path, r.choice([(), [("X-Mai-Viewer", "ann,pts/1,attached")]]), rcvbuf=r.choice([None, 4096])) as w:
            assert w.next()[0] == "hello"
            for _ in range(r.randint(0, 30)):
                w.c.s.settimeout(2)
                try:
                    w.next()
                except (TimeoutError, socket.timeout):
                    break
                if r.random() < 0.05:
                    self.over.wait(r.random() * 2)
            ids = [i for _, _, i in w.events if i is not None]
            assert ids == sorted(set(ids)), ids
            self.seen, viewer = ids[-1] if ids else None, w.events[0][1]["viewer"]
            if viewer and r.random() < 0.5:
                assert self.m.post(f"/api/viewers/{viewer}/bye", {"how": r.choice(["detach", "stop", "hangup"])}).status == 200
            if r.random() < 0.3:
                w.c.reset()


class Ledger(Actor):
    """Every request that is told of ends once, as an event stream has it that reads all."""

    def __init__(self, soak):
        self.open, self.done = {}, set()
        self.w = Watch(soak.m, timeout=1)
        super().__init__(soak, "ledger", soak.quiet)

    def step(self):
        try:
            name, data, _ = self.w.next()
        except (TimeoutError, socket.timeout):
            return
        if name == "snapshot":
            self.open = {x["id"]: x for x in data["requests"]}
        elif name == "request":
            id = data["id"]
            assert id not in self.done, f"told of after its end: {data}"
            if data["phase"] == "done":
                self.open.pop(id, None)
                self.done.add(id)
            else:
                self.open[id] = data


class Soak:
    def __init__(self, m, seed):
        self.m, self.seed = m, seed
        self.setting = Setting(m, random.Random(seed))
        self.lock, self.over, self.quiet = threading.Lock(), threading.Event(), threading.Event()
        self.counts, self.sums, self.faults, self.said = collections.Counter(), collections.Counter(), [], []
        self.slowest, self.born, self.top = 0.0, time.monotonic(), dict(self.setting.top)

    def say(self, text):
        self.said.append(f"{time.monotonic() - self.born:.3f} {text}")

    def count(self, what, how):
        with self.lock:
            self.counts[f"{what}: {how}"] += 1

    def add(self, what, n):
        with self.lock:
            self.sums[what] += n

    def fault(self, actor, text):
        with self.lock:
            self.faults.append(f"{time.monotonic() - self.born:.3f} {actor.name}: {actor.doing}: {text}"[:2500])
        if len(self.faults) > 20:
            self.over.set()

    def told(self):
        return "\n".join([f"seed {self.seed}; {self.top}", *(f"{k}: {v}" for k, v in self.setting.models.items()),
                          *self.said[-60:], *self.faults[:8], self.m.stderr[-3000:]])


def samples(m):
    """{name: [(labels, value)]} of /metrics."""
    out = collections.defaultdict(list)
    for line in m.get("/metrics").body.decode().splitlines():
        got = re.match(r"(\w+)(?:\{(.*)\})? (\S+)$", line)
        if got:
            out[got[1]].append((got[2] or "", float(got[3])))
    return out


def rest(soak, ledger):
    """Nothing is left of the requests, and the figures agree with one another and with what the clients saw."""
    m = soak.m
    wait(lambda: not m.get("/api/requests").json["requests"], 10 * SLOW, lambda: f"at rest: {m.get('/api/requests').json}")
    got = samples(m)
    for name in ("mai_in_flight", "mai_queued"):
        assert all(v == 0 for _, v in got[name]), got[name]
    snapshot = m.snapshot()
    assert (snapshot["in_flight"], snapshot["queued"], snapshot["requests"]) == (0, 0, [])
    total = sum(v for _, v in got["mai_requests_total"])
    assert total == snapshot["done"], (total, snapshot["done"])
    assert not soak.faults, f"{len(soak.faults)} faults"
    asked, answered, left = (soak.sums[k] for k in ("asked", "answered", "left"))
    assert answered == asked, (asked, answered)
    assert answered <= total <= answered + left, (answered, total, left)
    wait(lambda: not ledger.open, 5 * SLOW, lambda: f"never ended: {ledger.open}")
    assert len(ledger.done) <= total, (len(ledger.done), total)
    assert "nothing is being loaded" not in m.stderr


def marks(soak):
    """Each request came to the engine of the model it asked for, and again after one crash at most. (Once more each time where a kept
    connection turned out closed.)"""
    fresh, kept = collections.Counter(), collections.Counter()
    for x, record in soak.m.records.items():
        for e in record.events("request"):
            got = re.search(r"soak=([\w-]+)\.(\w)", e["path"])
            if got:
                assert got[2] == x or soak.setting.elsewhere(x) or soak.top["route"] == "loaded", f"asked for {got[2]}, came to {x}: {e}"
                (kept if e["reused"] else fresh)[got[1]] += 1
    often = {k: (fresh[k], kept[k]) for k in {*fresh, *kept} if fresh[k] > 2 or kept[k] > 2}
    assert not often, often


def serves_again(soak):
    """No model is spoilt: with good engines each of them answers."""
    m, setting = soak.m, soak.setting
    setting.models = {x: m.engine(x, memory=f"{setting.needs[x]}GiB", unloadTimeout=0.3, drainTimeout=0.2) for x in "abcd"}
    setting.budget = 0
    setting.top.pop("fallbackModel", None)
    setting.top.update(memoryBudget="100GiB", route="swap")
    setting.write()
    assert m.post("/api/reload").status == 200
    assert m.post("/unload", timeout=BOUND).status == 200
    wait(lambda: not m.engines(), 5 * SLOW, lambda: f"unloaded: {proc.describe(m.engines())}")
    for x in "abcd":
        assert m.post("/load", {"model": x}, timeout=BOUND).status == 200
        assert m.chat(x).status == 200
    assert m.post("/unload", timeout=BOUND).status == 200
    wait(lambda: not proc.children(m.core), 5 * SLOW, lambda: f"children: {proc.describe(proc.children(m.core))}")


@pytest.mark.limit(int(SECONDS + 150))
@pytest.mark.parametrize("seed", range(SEED, SEED + RUNS))
def test_chaos_leaves_nothing_behind(mai, seed):
    soak = Soak(mai, seed)
    mai.serve()
    mai.settle_fds()
    rss = proc.rss_kib(mai.core)
    ledger, soak.census = Ledger(soak), Census(soak)
    actors = [Editor(soak, "editor"), Killer(soak, "killer"), Operator(soak, "operator", False), Operator(soak, "waiter", True),
              Poller(soak, "poller"), Viewer(soak, "viewer1"), Viewer(soak, "viewer2")]
    actors += [Client(soak, n) for n in range(soak.setting.rand.randint(10, 20))]
    try:
        soak.over.wait(SECONDS)
        soak.over.set()
        for a in actors:
            a.join(max(1, soak.born + SECONDS + 2 * BOUND - time.monotonic()))
        assert not [f"{a.name}: {a.doing}" for a in actors if a.is_alive()], "never came back"
        rest(soak, ledger)
        serves_again(soak)
        marks(soak)
        soak.quiet.set()
        for a in (ledger, soak.census):
            a.join(5)
        ledger.w.c.s.close()
        wait(lambda: mai.snapshot()["viewers"] == 0, 5 * SLOW, "no viewer is left")
        if not world.sanitized(MAI):
            assert proc.rss_kib(mai.core) - rss < 64 * 1024
        assert not soak.faults, f"{len(soak.faults)} faults"
        mai.check_fds()
        ends_under_load(soak)
    except (AssertionError, OSError, TimeoutError) as e:
        told = f"{type(e).__name__}: {e}\n{soak.told()}"
        (mai.tmp / "told").write_text(told)
        raise AssertionError(told) from None
    finally:
        soak.quiet.set()
        ledger.w.c.s.close()
        print(f"seed {seed}: slowest {soak.slowest:.3f} s, most {soak.census.most} of {soak.setting.limit}, "
              f"{dict(soak.sums)}, {dict(sorted(soak.counts.items()))}")


def ends_under_load(soak):
    """SIGTERM amid streams: each is told or whole, and nothing stays on the disk or among the processes."""
    m = soak.m
    got = []

    def ask(x):
        try:
            with Stream(m, CHAT, "sse=40, gap=10", x, timeout=BOUND) as s:
                s.head()
                if s.status == 503:
                    assert json.loads(s.raw.exactly(int(s.headers["content-length"])))["error"]["code"] == "shutting_down"
                    return
                s.all()
                s.assert_whole() if s.clean else s.assert_broken()
        except (ConnectionError, AssertionError) as e:
            got.append(e)

    threads = [threading.Thread(target=ask, args=(x,), daemon=True) for x in "abcd" * 2]
    for t in threads:
        t.start()
    wait(lambda: len(m.get("/api/requests").json["requests"]) == len(threads), 5 * SLOW, "load")
    assert m.term(20) == 0, m.exit
    for t in threads:
        t.join(10)
    assert not [t for t in threads if t.is_alive()] and not got, got
    assert not m.socket.exists() and not m.pidfile.exists()
    with socket.socket() as s:
        assert s.connect_ex(("127.0.0.1", m.port)) != 0
