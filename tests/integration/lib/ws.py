# SPDX-License-Identifier: ISC
"""A websocket client on a raw connection: the handshake checked to the byte, frames made and read by hand."""
import base64
import hashlib
import os
import struct

from .http import Raw

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(data, opcode=TEXT, mask=None):
    data = data.encode() if isinstance(data, str) else data
    mask = os.urandom(4) if mask is None else mask
    n = len(data)
    head = bytes([0x80 | opcode])
    head += bytes([0x80 | n]) if n < 126 else struct.pack("!BH", 0xFE, n) if n < 65536 else struct.pack("!BQ", 0xFF, n)
    key = int.from_bytes(mask * (n // 4 + 1), "big") >> (8 * (4 - n % 4)) if n else 0
    return head + mask + ((int.from_bytes(data, "big") ^ key).to_bytes(n, "big") if n else b"")


def handshake(path, headers=(), host="127.0.0.1", key=None):
    """The bytes of an upgrade request, and the key in it."""
    key = key or base64.b64encode(os.urandom(16)).decode()
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: keep-alive, Upgrade", "Upgrade: websocket",
             "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
    lines += [f"{k}: {v}" for k, v in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), key


def accept_of(key):
    return base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


class WebSocket(Raw):
    """Connected: the 101 was checked; its fields are in headers (lower case)."""

    def __init__(self, port, path, headers=(), fake="ws", early=b"", **kw):
        super().__init__(port, **kw)
        data, key = handshake(path, list(headers) + ([("X-Fake", fake)] if fake else []),
                              host=f"127.0.0.1:{port}")
        self.send(data + early)
        status, fields = self.head()
        self.status, self.headers = status, {k.lower(): v for k, v in fields}
        if status != 101:
            self.s.close()
            raise AssertionError(f"no 101: {status} {fields}")
        assert self.headers["upgrade"].lower() == "websocket" and "upgrade" in self.headers["connection"].lower()
        assert self.headers["sec-websocket-accept"] == accept_of(key)
        assert "content-length" not in self.headers and "transfer-encoding" not in self.headers

    def say(self, data, opcode=TEXT):
        self.send(frame(data, opcode))

    def hear(self):
        """opcode and payload of the next frame."""
        a, b = self.exactly(2)
        assert not b & 0x80, "a server does not mask"
        n = b & 0x7F
        if n == 126:
            n = struct.unpack("!H", self.exactly(2))[0]
        elif n == 127:
            n = struct.unpack("!Q", self.exactly(8))[0]
        return a & 15, self.exactly(n)

    def echo(self, data, opcode=TEXT):
        self.say(data, opcode)
        got = self.hear()
        assert got == (opcode, data.encode() if isinstance(data, str) else data), got
        return self
