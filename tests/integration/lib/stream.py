# SPDX-License-Identifier: ISC
"""Streams of every API, read strictly: what came, when, and whether its end was a proper one."""
import json
import re
import time

from . import http

PROMPT = [{"role": "user", "content": "hello"}]


class Api:
    def __init__(self, name, path, body, mark, error):
        self.name, self.path, self.body, self.mark, self.error = name, path, body, mark, error

    def __repr__(self):
        return self.name


CHAT = Api("chat", "/v1/chat/completions", {"messages": PROMPT}, b"data: [DONE]\n\n", b'data: {"error":{')
TEXT = Api("text", "/v1/completions", {"prompt": "hello"}, b"data: [DONE]\n\n", b'data: {"error":{')
MESSAGES = Api("messages", "/v1/messages", {"messages": PROMPT, "max_tokens": 8}, b'data: {"type":"message_stop"}\n\n',
               b'event: error\ndata: {"type":"error","error":{')
RESPONSES = Api("responses", "/v1/responses", {"input": "hello"}, b'{"type":"response.completed"',
                b'event: response.failed\ndata: {"type":"response.failed","response":{')
NATIVE = Api("native", "/completion", {"prompt": "hello"}, b'"stop":true', b'data: {"error":{')
HELD = [CHAT, TEXT, MESSAGES, RESPONSES]     # those whose clients hear of it while they wait
ALL = [*HELD, NATIVE]


class Stream:
    """One request for a stream on a connection of its own."""

    def __init__(self, m, api, fake=None, model="m", timeout=20.0, headers=(), version="1.1", **more):
        self.api, self.parts, self.clean, self.body = api, [], None, b""
        self.raw = m.raw(timeout=timeout)
        h = list(headers) + ([("X-Fake", fake)] if fake else [])
        data = http.request("POST", api.path, {"model": model, "stream": True, **api.body, **more}, h)
        self.sent = time.monotonic()
        self.raw.send(data.replace(b" HTTP/1.1\r\n", b" HTTP/%s\r\n" % version.encode(), 1))
        self.status = self.headers = None

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.raw.s.close()

    def head(self):
        if self.status is None:
            self.status, h = self.raw.head()
            self.headers = {k.lower(): v for k, v in h}
            self.head_at = time.monotonic()
        return self

    def part(self):
        """One chunk more; False when it is over, and then clean tells how."""
        self.head()
        chunked = "chunked" in self.headers.get("transfer-encoding", "")
        try:
            if chunked:
                data = self.raw.chunk()
            elif "content-length" in self.headers:
                data = self.raw.exactly(int(self.headers["content-length"]) - len(self.body))
            else:
                data, self.raw.buf = self.raw.buf or self.raw.s.recv(65536), b""
        except (AssertionError, ConnectionResetError):
            self.clean = False
            return False
        if not data:
            self.clean = True
            return False
        self.parts.append((time.monotonic(), data))
        self.body += data
        return True

    def until(self, mark):
        while mark not in self.body:
            assert self.part(), (mark, self.clean, self.body[-600:])
        return self

    def all(self):
        while self.part():
            pass
        return self

    def at(self, mark):
        """When these bytes had come."""
        got = b""
        for t, data in self.parts:
            got += data
            if mark in got:
                return t
        raise AssertionError((mark, got[-600:]))

    def data(self):
        return http.events(self.body)

    def error(self):
        """What the last event says of an error."""
        j = json.loads(self.data()[-1])
        return j["response"]["error"] if "response" in j else j["error"]

    def assert_whole(self):
        assert self.status == 200 and self.clean, (self.status, self.clean, self.body[-600:])
        assert self.body.count(self.api.mark) == 1 and self.api.error not in self.body, self.body[-600:]

    def assert_broken(self, code=None):
        """An error event, and no proper end of any kind."""
        assert self.status == 200 and self.clean is False, (self.status, self.clean, self.body[-600:])
        last = [b for b in self.body.split(b"\n\n") if b.strip()][-1].strip()
        assert last.startswith(self.api.error), self.body[-900:]
        assert self.body.count(self.api.error) == 1
        for mark in (b"[DONE]", b"message_stop", b"response.completed", b'"stop":true'):
            assert mark not in self.body, self.body[-900:]
        if code:
            assert self.error()["code"] == code, self.error()


def metric(m, name, **labels):
    """The value of one sample; 0 when there is none yet."""
    for line in m.get("/metrics").body.decode().splitlines():
        got = re.match(r"(\w+)(?:\{(.*)\})? (\S+)$", line)
        if got and got[1] == name and all(f'{k}="{v}"' in (got[2] or "") for k, v in labels.items()):
            return float(got[3])
    return 0.0


def access(m):
    return [line for line in m.get("/logs?source=access&n=50").body.decode().splitlines() if "POST" in line]
