# SPDX-License-Identifier: ISC
"""Who takes part in a run of chaos: a configuration that is drawn and redrawn, and clients of every kind that judge what they get.
The test that brings them together is test_soak.py."""
import json
import os
import random
import re
import socket
import threading
import time

from . import http
from .mai import SLOW
from .stream import CHAT, MESSAGES, NATIVE, RESPONSES, TEXT, Api, Stream
from .ws import WebSocket

BOUND = 40 * SLOW            # no request takes longer, and no call of an operator
FRAMINGS = ["chunked", "http10", "until-close", "length"]
REFUSALS = {404: {"model_not_found"}, 409: {"model_conflict"}, 502: {"engine_crashed", "engine_wedged", "bad_gateway"},
            503: {"queue_full", "queue_timeout", "engine_failed", "cancelled"}, 504: {"engine_timeout"}}
BOUNDARY = "soak"


class Setting:
    """The configuration, and every one there was: names whose first letter tells the model, whatever is renamed."""

    def __init__(self, m, rand):
        self.m, self.rand = m, rand
        self.top = {"maxLoaded": rand.randint(1, 3), "minResident": rand.choice([0, 0, 0.3]), "maxSwapWait": rand.choice([0, 0.2, 1]),
                    "onSwapFailure": rand.choice(["stay", "rollback"]), "queueMax": rand.choice([4, 30, 200]),
                    "queueMaxWait": rand.choice([2, 8]), "heartbeatAfter": rand.choice([0, 0.05, 0.5]), "heartbeatEvery": 0.1,
                    "globalTTL": rand.choice([0, 0, 0.5]), "stallTimeout": rand.choice([0.5, 1, 120]),
                    "idleTimeout": rand.choice([1, 75]), "bodyMemory": rand.choice(["1MiB", "512MiB"]),
                    "route": rand.choice(["swap", "swap", "swap", "swap", "loaded", "reject"])}
        self.limit, self.budget = self.top["maxLoaded"], 0
        if rand.random() < 0.4:
            self.budget = rand.randint(2, 5)
            self.top["memoryBudget"] = f"{self.budget}GiB"
        self.fallback = rand.random() < 0.2
        if self.fallback:
            self.top["fallbackModel"] = "a-alias"
        if rand.random() < 0.3:
            self.top["hooks"] = {"on_startup": {"preload": rand.sample("abcd", rand.randint(1, 4))}}
        if rand.random() < 0.3:
            self.top["listen"] = [f"127.0.0.1:{m.port}", f"unix:{m.tmp}/also.sock"]
        self.needs = {x: rand.randint(1, 3) for x in "abcd"}
        self.models = {x: self.model(x) for x in "abcd"}
        self.names = sorted(n for x in "abcd" for n in (x, f"{x}-alias"))
        self.write()

    def elsewhere(self, id):
        """Whether a request for another model may be answered by this one."""
        return self.top["route"] == "loaded" or (id[0] == "a" and self.fallback)

    def model(self, id):
        """One engine and its faults, drawn anew."""
        x = id[0]
        r, args = self.rand, ["--model-name", id, "--ready-after", self.rand.choice([0, 20, 300])]

        def some(chance, *words):
            if r.random() < chance:
                args.extend(words)

        some(0.2, "--crash-on-request", r.randint(5, 300))
        some(0.1, "--exit-after", r.randint(200, 4000))
        some(0.2, "--ignore-term")
        some(0.1, "--fork")
        some(0.1, "--fork-setsid")
        some(0.1, "--serial")
        some(0.1, "--drop-reused")
        some(0.1, "--keepalive-close-after", 20)
        some(0.1, "--end-streams-on-term")
        some(0.1, "--wait-clients-on-term")
        some(0.1, "--listen-after", 100)
        some(0.1, "--flood", 2000)
        some(0.05, "--never-ready")
        keys = {"aliases": [f"{x}-alias"], "backoff": 0.02, "backoffMax": 0.2, "stableAfter": r.choice([0.01, 1]),
                "maxAttempts": r.choice([0, 3, 6]), "drainTimeout": r.choice([0.2, 2]), "unloadTimeout": 0.3,
                "healthCheckTimeout": 1, "startTimeout": 5, "memory": f"{self.needs[x]}GiB"}

        def maybe(chance, **more):
            if r.random() < chance:
                keys.update(more)

        maybe(0.2, ttl=r.choice([0.2, 1]))
        maybe(0.15, pin=True)
        maybe(0.2, cmdStop=r.choice(["kill -TERM ${PID}", "sleep 0.1", "false", "kill -KILL ${PID}"]))
        maybe(0.1, external=True, cmdStop="kill -TERM ${PID}")
        maybe(0.1, timeouts={"responseHeader": 0.2})
        maybe(0.2, concurrencyLimit=r.randint(1, 4))
        maybe(0.2, onAbort="drain")
        maybe(0.3, sendLoadingState=True)
        maybe(0.5, extraPaths=["/live"])
        maybe(0.2, useModelName=f"{x}-inside")
        maybe(0.2, filters={"stripParams": "top_k", "setParams": {"temperature": 0.5}})
        return self.m.engine(x, args, **keys)

    def write(self):
        """In one step: the core may read at any moment."""
        path = self.m.conf_path
        self.m.conf_path = path.with_suffix(".new")
        self.m.config(self.models, **self.top)
        os.replace(self.m.conf_path, path)
        self.m.conf_path = path

    def change(self):
        """One thing more or less, as an editor would."""
        r, have = self.rand, list(self.models)
        what = r.choice(["fault", "fault", "remove", "add", "rename", "top"])
        if what == "fault":
            id = r.choice(have)
            self.models[id] = self.model(id)
        elif what == "remove" and len(have) > 1:
            gone = r.choice(have)
            if gone[0] != "a" or not self.fallback:
                del self.models[gone]
                self.top.pop("hooks", None)   # every name in it would have to lead somewhere
        elif what == "add":
            for x in "abcd":
                if not any(id[0] == x for id in have):
                    self.models[x] = self.model(x)
        elif what == "rename":
            id = r.choice(have)
            self.top.pop("hooks", None)
            other = id[0] if len(id) > 1 else f"{id}.2"
            keys = self.models.pop(id)
            cmd = keys["cmd"].replace(f"--model-name {id} ", f"--model-name {other} ")
            self.models[other] = {**keys, "cmd": cmd, "aliases": [f"{id[0]}-alias"] + ([id] if r.random() < 0.7 else [])}
            self.names = sorted({*self.names, other})
        else:
            self.top["maxSwapWait"] = r.choice([0, 0.2, 1])
            self.top["minResident"] = r.choice([0, 0, 0.3, 2])
            self.top["onSwapFailure"] = r.choice(["stay", "rollback"])
            if self.budget:
                budget = r.randint(2, 6)
                self.top["memoryBudget"] = f"{budget}GiB"
                self.budget = max(self.budget, budget)
            self.top["queueMax"] = r.choice([4, 30, 200])
            self.top["maxLoaded"] = r.randint(1, 3)
            self.limit = max(self.limit, self.top["maxLoaded"])   # those that are too many drain first
        self.write()
        return what


class Actor(threading.Thread):
    """Does one thing after the other until it is over; what went wrong is kept with what it was doing."""

    def __init__(self, soak, name, over=None):
        super().__init__(daemon=True, name=name)
        self.soak, self.m, self.rand, self.over = soak, soak.m, random.Random(f"{soak.seed}-{name}"), over or soak.over
        self.doing, self.since = "", time.monotonic()
        self.start()

    def run(self):
        while not self.over.is_set():
            try:
                self.since = time.monotonic()
                self.step()
            except Exception as e:
                self.soak.fault(self, f"{type(e).__name__}: {e}")
                self.over.wait(0.2)

    def step(self):
        raise NotImplementedError


def whole(text):
    """Of an event's data."""
    try:
        return text == "[DONE]" or json.loads(text) is not None
    except ValueError:
        return False


def fields_of(fields):
    return {k.lower(): v for k, v in fields}


class Client(Actor):
    """Asks in every way there is. Each way ends in counting one end: whole, broken, refused, or left."""

    def __init__(self, soak, n):
        self.n = 0
        super().__init__(soak, f"client{n}")

    def step(self):
        way, = self.rand.choices([self.stream, self.plain, self.form, self.kept, self.upstream, self.socket, self.leave, self.slow],
                                 [6, 4, 1, 2, 2, 1, 4, 1])
        self.model = self.rand.choice(self.soak.setting.names)
        end = way()
        self.soak.count(way.__name__, end)
        took = time.monotonic() - self.since
        assert took < BOUND, f"{self.doing} took {took:.1f} s"

    def tag(self, path):
        """Each request has a mark of its own, which the engine writes down."""
        self.n += 1
        mark = f"{self.name}-{self.n}"
        self.doing = f"{mark} {path} {self.model}"
        return f"{path}?soak={mark}.{self.model[0]}"

    def tagged(self, api):
        return Api(api.name, self.tag(api.path), api.body, api.mark, api.error)

    def sent(self):
        self.soak.add("asked", 1)

    def served(self, headers):
        """By the model that was asked for, unless the configuration has it otherwise."""
        got = headers.get("x-mai-model")
        assert got, headers
        assert got[0] == self.model[0] or self.soak.setting.elsewhere(got), f"asked for {self.model}, got {got}"

    def refused(self, path, status, body):
        """In the shape of the client's API, for a reason that can be."""
        self.soak.add("answered", 1)
        j = json.loads(body)
        e = j["error"]
        assert e["message"] and e["type"] and e["code"] in REFUSALS[status], (status, body)
        assert ("/v1/messages" in path) == (j.get("type") == "error"), (path, body)
        return f"{status} {e['code']}"

    def words(self, body, n, broken=False):
        got = [int(x) for x in re.findall(rb"word(\d+) ", body)]
        assert got == list(range(len(got))), f"words out of order: {got}"
        assert len(got) <= n if broken else len(got) == n, f"{len(got)} words of {n}: {body[-600:]}"

    def told(self, body, api):
        """Of a broken end, once, and by no event that says the opposite. (The engine may have died within its last one.)"""
        assert body.count(api.error) == 1, body[-900:]
        for block in body.decode().split("\n\n"):
            if api.mark.decode().strip() in block:
                assert not whole(block.split("data: ")[-1]), body[-900:]

    def stream(self):
        r = self.rand
        api, n = r.choice([CHAT, CHAT, TEXT, MESSAGES, RESPONSES, NATIVE]), r.randint(0, 40)
        fake = f"sse={n}, gap={r.choice([0, 1, 5, 20])}, delay={r.choice([0, 0, 5, 100])}, comments={r.choice([0, 0, 2])}, " \
               f"{r.choice(FRAMINGS)}"
        cut = r.random()
        if cut < 0.05:
            fake += f", error-event={r.randint(0, n)}"
        elif cut < 0.15:
            fake += f", {r.choice(['die', 'cut', 'reset'])}-after-bytes={r.randint(0, 3000)}"
        elif cut < 0.2:
            fake += ", no-done"
        path, api = api.path, self.tagged(api)
        self.doing += f" [{fake}]"
        with Stream(self.m, api, fake, self.model, timeout=BOUND, version=r.choice(["1.0", "1.1", "1.1"])) as s:
            self.sent()
            s.head()
            if s.status != 200:
                return self.refused(path, s.status, s.raw.exactly(int(s.headers["content-length"])))
            s.all()
            self.soak.add("answered", 1)
            # One that is told of its wait hears of the engine only if it comes.
            if "x-mai-model" in s.headers:
                self.served(s.headers)
            if s.clean and b"engine says no" in s.body:
                self.words(s.body, n, True)
                return "error of the engine"
            if s.clean:
                s.assert_whole()
                self.words(s.body, n)
                return "whole"
            self.words(s.body, n, True)
            self.told(s.body, api)
            return "broken"

    def answer(self, c, path, n=None, size=None, status=200):
        """Reads one answer to the end: whole, or visibly short."""
        got, fields = c.head()
        h = fields_of(fields)
        self.close = "close" in h.get("connection", "")
        if got != status:
            body = c.exactly(int(h["content-length"]))
            return self.refused(path, got, body)
        self.served(h)
        try:
            body = self.body(c, h)
        except (AssertionError, ConnectionResetError):
            self.close = True
            self.soak.add("answered", 1)
            return "broken"
        self.soak.add("answered", 1)
        if size is not None:
            assert len(body) == size, f"{len(body)} bytes of {size}"
        else:
            j = json.loads(body)
            if n is not None:
                assert j["usage"]["completion_tokens"] == n
                self.words(body, n)
        return "whole"

    @staticmethod
    def body(c, h):
        if "chunked" in h.get("transfer-encoding", ""):
            body = b""
            while True:
                part = c.chunk()
                if not part:
                    return body
                body += part
        return c.exactly(int(h["content-length"]))

    def question(self):
        """The bytes of one request for a whole answer, and what is to come."""
        r = self.rand
        path, body = r.choice([("/v1/chat/completions", http.chat()), ("/v1/completions", {"prompt": "hello"}),
                               ("/v1/messages", {"messages": [], "max_tokens": 8}), ("/v1/responses", {"input": "x"}),
                               ("/v1/embeddings", {"input": "x"}), ("/v1/rerank", {"query": "x", "documents": ["y"]})])
        fake, n, size = f"delay={r.choice([0, 0, 5, 100])}", r.randint(1, 400), None
        if r.random() < 0.1:
            size = r.randint(0, 300000)
            fake += f", body-bytes={size}, {r.choice(['chunked', 'length'])}"
        else:
            fake += f", {r.choice(FRAMINGS)}"
        if r.random() < 0.1:
            fake += f", {r.choice(['die', 'cut', 'reset'])}-after-bytes={r.randint(0, 3000)}"
        elif r.random() < 0.03:
            fake += ", refuse"
        body = {**body, "model": self.model, "max_tokens": n, "top_k": 3}
        if r.random() < 0.1:
            body["pad"] = "p" * r.randint(0, 200000)
        data = http.request("POST", self.tag(path), body, [("X-Fake", fake)])
        self.doing += f" [{fake}]"
        if r.random() < 0.1:
            head, rest = data.split(b"\r\n\r\n", 1)
            at = r.randint(0, len(rest))
            head = re.sub(rb"Content-Length: \d+", b"Transfer-Encoding: chunked", head)
            parts = [b"%x\r\n%s\r\n" % (len(p), p) for p in (rest[:at], rest[at:]) if p]
            data = head + b"\r\n\r\n" + b"".join(parts) + b"0\r\n\r\n"
        return path, data, n, size

    def plain(self):
        path, data, n, size = self.question()
        with self.m.raw(timeout=BOUND) as c:
            c.send(data)
            self.sent()
            return self.answer(c, path, n, size)

    def kept(self):
        """Several on one connection, some sent before the last answer came."""
        end = "none"
        with self.m.raw(timeout=BOUND) as c:
            for _ in range(self.rand.randint(1, 5)):
                asked = [self.question() for _ in range(self.rand.choice([1, 1, 2]))]
                c.send(b"".join(data for _, data, _, _ in asked))
                for path, _, n, size in asked:
                    self.since = time.monotonic()
                    try:
                        end = self.answer(c, path, n, size)
                    except (AssertionError, ConnectionError):
                        # Behind an end that closes the connection nothing is read any more.
                        if end in ("none", "whole"):
                            raise
                        return end
                    self.sent()
                    if self.close:
                        return end
        return end

    def form(self):
        size = self.rand.randint(0, 400000)
        body = (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="x.wav"\r\n\r\n'.encode() + b"x" * size +
                f'\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name="model"\r\n\r\n{self.model}\r\n--{BOUNDARY}--\r\n'.encode())
        path = "/v1/audio/transcriptions"
        head = f"POST {self.tag(path)} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n" \
               f"Content-Length: {len(body)}\r\n\r\n"
        with self.m.raw(timeout=BOUND) as c:
            try:
                c.send(head.encode() + body)
            except (BrokenPipeError, ConnectionResetError):
                pass    # refused by the head of the form; the answer may be there
            self.sent()
            return self.answer(c, path, 8)

    def upstream(self):
        r = self.rand
        rest = r.choice(["/v1/models", "/nothing", "/v1/chat/completions", "/x.js"])
        path = self.tag(f"/upstream/{self.model}{rest}")
        with self.m.raw(timeout=BOUND) as c:
            if rest == "/v1/chat/completions":
                c.send(http.request("POST", path, http.chat("anything")))
            else:
                c.send(http.request("GET", path))
            self.sent()
            status, fields = c.head()
            h = fields_of(fields)
            body = self.body(c, h)
            self.soak.add("answered", 1)
            j = json.loads(body)
            if "x-fake-served" in h:
                self.served(h)
                assert status == (200 if rest.startswith("/v1") else 404), (status, body)
                return "whole"
            assert j["error"]["code"] in REFUSALS[status], (status, body)
            return f"{status} {j['error']['code']}"

    def socket(self):
        path = self.tag(f"/upstream/{self.model}/ws") if self.rand.random() < 0.5 else self.tag("/live") + f"&model={self.model}"
        try:
            c = WebSocket(self.m.port, path, timeout=BOUND)
        except AssertionError as e:
            self.sent()
            self.soak.add("answered", 1)
            status = int(str(e).split()[2].rstrip(":")) if str(e).startswith("no 101") else 0
            assert status in REFUSALS, e
            return str(status)
        self.sent()
        self.soak.add("answered", 1)
        self.served(c.headers)
        with c:
            for _ in range(self.rand.randint(0, 10)):
                try:
                    c.echo(os.urandom(self.rand.choice([0, 10, 1000, 100000])), 2)
                except (AssertionError, OSError):
                    return "broken"
                if self.over.wait(self.rand.choice([0, 0, 0.05, 0.3])):
                    break
            if self.rand.random() < 0.3:
                c.reset()
        return "left"

    def leave(self):
        """Somewhere between the first byte of the request and the last of the answer."""
        r = self.rand
        if r.random() < 0.5:
            path, data, n, size = self.question()
        else:
            api = r.choice([CHAT, MESSAGES, RESPONSES])
            fake = r.choice(["sse=200, gap=10", "sse=5, hang", "sse=5, stall-after=2", "sse=100, chunk-bytes=20000",
                             "sse=9, no-stream, delay=50"])
            data = http.request("POST", self.tag(api.path), {"model": self.model, "stream": True, **api.body}, [("X-Fake", fake)])
        at = r.choice([len(data), len(data), r.randint(1, len(data))])
        with self.m.raw(timeout=BOUND) as c:
            self.soak.add("left", 1)
            c.send(data[:at])
            how = r.choice(["now", "soon", "reading"])
            if how == "soon":
                self.over.wait(r.random() * 0.3)
            elif how == "reading" and at == len(data):
                c.s.settimeout(r.random() * 0.5)
                try:
                    for _ in range(r.randint(1, 5)):
                        c.fill(r.choice([1, 1000, 65536]))
                except (TimeoutError, socket.timeout):
                    pass
            way = r.choice(["close", "reset", "half"])
            if way == "reset":
                c.reset()
            elif way == "half":
                try:
                    c.s.shutdown(socket.SHUT_WR)
                except OSError:
                    return "left"    # the other side was first
                c.buf = b""
                assert c.closed(10 * SLOW), "a half-close was not noticed"
        return "left"

    def slow(self):
        """A reader who takes his time is nobody's trouble but his own."""
        r = self.rand
        n, size = r.randint(5, 30), r.randint(1, 30000)
        api = self.tagged(CHAT)
        with self.m.raw(timeout=BOUND, rcvbuf=4096) as c:
            c.send(http.request("POST", api.path, {"model": self.model, "stream": True, **api.body},
                                [("X-Fake", f"sse={n}, chunk-bytes={size}")]))
            self.sent()
            status, fields = c.head()
            h = fields_of(fields)
            if status != 200:
                return self.refused(api.path, status, c.exactly(int(h["content-length"])))
            self.soak.add("answered", 1)
            body, broken = b"", False
            try:
                while not broken:
                    time.sleep(0.001)     # the slowness itself
                    part = c.chunk()
                    if not part:
                        break
                    body += part
            except AssertionError:
                broken = True
        texts = [len(x) for x in re.findall(rb'"content":"(x+)"', body)]
        assert all(x == size for x in texts), texts
        if broken:
            self.told(body, api)
            return "broken"
        assert len(texts) == n and body.count(api.mark) == 1, (len(texts), n)
        return "whole"
