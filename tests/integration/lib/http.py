# SPDX-License-Identifier: ISC
"""A small HTTP client for tests: plain calls, raw bytes, streams that are read as they come."""
import http.client
import json as _json
import socket
import struct
import time


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return _json.loads(self.body)

    def header(self, name):
        """All values joined, None when absent."""
        got = [v for k, v in self.headers if k.lower() == name.lower()]
        return ", ".join(got) if got else None

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:400]!r}>"


def encode(body):
    if body is None or isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else _json.dumps(body).encode()


def call(port, method, path, body=None, headers=None, timeout=15.0, host="127.0.0.1"):
    c = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        h = dict(headers or {})
        body = encode(body)
        if body is not None and not any(k.lower() == "content-type" for k in h):
            h["Content-Type"] = "application/json"
        c.request(method, path, body, h)
        r = c.getresponse()
        return Reply(r.status, r.getheaders(), r.read())
    finally:
        c.close()


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("mai", timeout=timeout)
        self.unix = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix)


def call_unix(path, method, target, body=None, headers=None, timeout=15.0):
    c = UnixConnection(path, timeout)
    try:
        c.request(method, target, encode(body), headers or {})
        r = c.getresponse()
        return Reply(r.status, r.getheaders(), r.read())
    finally:
        c.close()


class Raw:
    """A connection that says exactly what it is told."""

    def __init__(self, port, timeout=10.0, rcvbuf=None, host="127.0.0.1"):
        self.s = socket.socket()
        if rcvbuf:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.s.settimeout(timeout)
        self.s.connect((host, port))
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buf = b""
        self.eof = self.was_reset = False

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.s.close()

    def send(self, data):
        self.s.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def fill(self, n=65536):
        """Reads once; False at the end of the stream (a reset counts as one)."""
        try:
            data = self.s.recv(n)
        except ConnectionResetError:
            data, self.was_reset = b"", True
        if not data:
            self.eof = True
            return False
        self.buf += data
        return True

    def until(self, mark):
        while mark not in self.buf:
            if not self.fill():
                raise AssertionError(f"connection ended before {mark!r}: {self.buf[-400:]!r}")
        at = self.buf.index(mark) + len(mark)
        out, self.buf = self.buf[:at], self.buf[at:]
        return out

    def all(self):
        while self.fill():
            pass
        out, self.buf = self.buf, b""
        return out

    def head(self):
        """status, headers of the next final response (1xx are collected in self.interim)."""
        self.interim = []
        while True:
            lines = self.until(b"\r\n\r\n")[:-4].decode("latin-1").split("\r\n")
            status = int(lines[0].split(" ")[1])
            headers = [tuple(x.strip() for x in line.split(":", 1)) for line in lines[1:]]
            if status >= 200 or status == 101:
                return status, headers
            self.interim.append(status)

    def exactly(self, n):
        while len(self.buf) < n:
            if not self.fill():
                raise AssertionError(f"connection ended after {len(self.buf)} of {n} bytes")
        out, self.buf = self.buf[:n], self.buf[n:]
        return out

    def chunk(self):
        """The next chunk of a chunked body; b"" for the last one."""
        n = int(self.until(b"\r\n")[:-2].split(b";")[0], 16)
        data = self.exactly(n)
        assert self.exactly(2) == b"\r\n"
        return data

    def reply(self, no_body=False):
        """One whole response; body framed strictly."""
        status, headers = self.head()
        h = {k.lower(): v for k, v in headers}
        if no_body or status in (204, 304):
            body = b""
        elif "chunked" in h.get("transfer-encoding", ""):
            body = b""
            while True:
                part = self.chunk()
                if not part:
                    break
                body += part
        elif "content-length" in h:
            body = self.exactly(int(h["content-length"]))
        else:
            body = self.all()
        return Reply(status, headers, body)

    def reset(self):
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.s.close()

    def closed(self, within=5.0):
        """True when the other side closes in time; what still comes is kept in buf."""
        end = time.monotonic() + within
        old = self.s.gettimeout()
        try:
            while time.monotonic() < end:
                self.s.settimeout(max(0.001, end - time.monotonic()))
                try:
                    if not self.fill():
                        return True
                except (TimeoutError, socket.timeout):
                    return False
            return False
        finally:
            self.s.settimeout(old)


def request(method, path, body=b"", headers=(), host="127.0.0.1"):
    """The bytes of a well-formed request."""
    body = encode(body) or b""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{k}: {v}" for k, v in headers]
    if body or method in ("POST", "PUT"):
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def chat(model=None, stream=False, **more):
    body = {"messages": [{"role": "user", "content": "hello"}], **more}
    if model is not None:
        body["model"] = model
    if stream:
        body["stream"] = True
    return body


def events(body):
    """The data of each event of an SSE body."""
    out = []
    for block in body.decode().split("\n\n"):
        for line in block.split("\n"):
            if line.startswith("data:"):
                out.append(line[5:].strip())
    return out
