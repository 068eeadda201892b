# SPDX-License-Identifier: ISC
"""An engine that speaks HTTP as badly as it likes: python3 wild.py --seed N --record FILE --port PORT. A request for inference whose
query has soak=MARK gets an answer that is drawn, right or wrong, with the mark in it; all others get a good one. What was said to
its end is written down as "MARK kind"."""
import json
import random
import re
import socket
import socketserver
import struct
import sys
import time

seed = int(sys.argv[sys.argv.index("--seed") + 1])
told = sys.argv[sys.argv.index("--record") + 1]
rand = random.Random(seed)
GOOD = b"HTTP/1.1 200 OK\r\n"
JSON = b"Content-Type: application/json\r\n"
SSE = b"Content-Type: text/event-stream\r\n"
STRAY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"mark\":\"stray\"}"


def chunks(body, most=200, trailer=b""):
    out, at = b"", 0
    while at < len(body):
        n = rand.randint(1, most)
        part = body[at:at + n]
        out += b"%x\r\n%s\r\n" % (len(part), part)
        at += n
    return out + b"0\r\n" + trailer + b"\r\n"


class Over(Exception):
    pass


class Wild(socketserver.StreamRequestHandler):
    def handle(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while self.one():
                pass
        except (Over, OSError):
            pass

    def one(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return False
            head += line
        line = head.split(b"\r\n")[0]
        got = re.search(rb"soak=([\w.-]+)", line)
        self.done = b'event: message_stop\ndata: {"type":"message_stop"}\n\n' if b"/messages" in line else b"data: [DONE]\n\n"
        self.mark = got[1] if got else b"none"
        self.length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
        self.unread = int(self.length[1]) if self.length else 0
        if b"chunked" in head.lower():
            self.unread = -1
        if not got:
            self.body()
            self.say(GOOD + JSON + b"Content-Length: %d\r\n\r\n%s" % (len(self.json()), self.json()))
            return True
        if rand.random() < 0.15:
            return self.early()
        text = self.body()
        self.stream = b'"stream": true' in text or b'"stream":true' in text
        kind = rand.choice([self.good] * 6 + [self.interim, self.head_only, self.huge, self.lengths, self.bad_chunk, self.race,
                                              self.stray, self.bodiless, self.odd_status, self.cut, self.old, self.none, self.error])
        goes_on = kind()
        self.tell(kind)
        return goes_on

    def body(self):
        if self.unread >= 0:
            out = self.rfile.read(self.unread)
            self.unread = 0
            return out
        out = b""
        while True:
            n = int(self.rfile.readline() or b"0", 16)
            out += self.rfile.read(n)
            self.rfile.readline()
            if n == 0:
                return out

    def tell(self, kind):
        """That it was said to the end."""
        with open(told, "a") as f:
            f.write(f"{self.mark.decode()} {kind.__name__}\n")

    def say(self, data):
        way = rand.random()
        if way < 0.1:
            for i in range(len(data[:400])):
                self.request.sendall(data[i:i + 1])
                if rand.random() < 0.05:
                    time.sleep(0.001)
            self.request.sendall(data[400:])
        elif way < 0.3:
            at = rand.randint(0, len(data))
            self.request.sendall(data[:at])
            time.sleep(rand.random() * 0.02)
            self.request.sendall(data[at:])
        else:
            self.request.sendall(data)

    def json(self, size=0):
        return json.dumps({"mark": self.mark.decode(), "object": "x", "choices": [{"index": 0, "finish_reason": "stop"}],
                           "usage": {"prompt_tokens": 3, "completion_tokens": 2}, "pad": "p" * size}).encode()

    def events(self):
        out = b""
        for n in range(rand.randint(0, 20)):
            event = {"mark": self.mark.decode(), "choices": [{"index": 0, "delta": {"content": f"w{n} "}}]}
            out += b"data: " + json.dumps(event).encode() + b"\n\n"
        return out + self.done

    def payload(self):
        return (SSE, self.events()) if self.stream else (JSON, self.json(rand.choice([0, 0, 100, 70000])))

    def reset(self):
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.request.close()
        raise Over

    def drop(self):
        if rand.random() < 0.5:
            self.reset()
        raise Over

    def good(self):
        kind, body = self.payload()
        way = rand.random()
        if way < 0.4:
            self.say(GOOD + kind + b"Transfer-Encoding: chunked\r\n\r\n" + chunks(body, rand.choice([3, 50, 5000]),
                     rand.choice([b"", b"", b"X-T: 1\r\n"])))
        elif way < 0.8:
            self.say(GOOD + kind + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        else:
            self.say(GOOD + kind + b"\r\n" + body)
            return False
        return True

    def interim(self):
        for _ in range(rand.choice([1, 2, 30])):
            self.say(rand.choice([b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
                                  b"HTTP/1.1 102 Processing\r\n\r\n", b"HTTP/1.1 199 X\r\nContent-Length: 5\r\n\r\n"]))
        if rand.random() < 0.2:
            self.drop()
        return self.good()

    def head_only(self):
        kind, body = self.payload()
        self.say(GOOD + kind + rand.choice([b"Transfer-Encoding: chunked\r\n\r\n", b"Content-Length: %d\r\n\r\n" % len(body), b"\r\n",
                                            b"", b"Transfer-Encoding: chunked"]))
        self.drop()

    def huge(self):
        kind, body = self.payload()
        pad = rand.choice([b"X-P: " + b"p" * rand.choice([1000, 30000, 70000, 300000, 2000000]) + b"\r\n",
                           b"".join(b"X-%d: y\r\n" % n for n in range(rand.choice([50, 99, 101, 300, 5000])))])
        self.request.sendall(GOOD + pad + kind + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return True

    def lengths(self):
        kind, body = self.payload()
        n = len(body)
        self.say(GOOD + kind + rand.choice([
            b"Content-Length: %d\r\nContent-Length: %d\r\n" % (n, n), b"Content-Length: %d\r\nContent-Length: %d\r\n" % (n, n + 1),
            b"Content-Length: %d, %d\r\n" % (n, n), b"Content-Length: +%d\r\n" % n, b"Content-Length: -1\r\n",
            b"Content-Length: 99999999999999999999999\r\n", b"Content-Length: 0x10\r\n", b"Content-Length:\r\n",
            b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % n, b"Transfer-Encoding: gzip, chunked\r\n",
            b"Transfer-Encoding: chunked, chunked\r\n", b"Transfer-Encoding: identity\r\nContent-Length: %d\r\n" % n]) + b"\r\n" + body)
        return rand.random() < 0.5

    def bad_chunk(self):
        kind, body = self.payload()
        ok = chunks(body, 50)[:-5] if rand.random() < 0.7 else b""
        self.say(GOOD + kind + b"Transfer-Encoding: chunked\r\n\r\n" + ok + rand.choice([
            b"zz\r\n", b"-1\r\n", b"ffffffffffffffffffff\r\n", b"7fffffffffffffff\r\nabc", b"5\r\nabcdefgh\r\n", b"0x5\r\nabcde\r\n",
            b"5\nabcde\n", b"\r\n", b"5;" + b"x" * 100000 + b"\r\n", b"0\r\nbad trailer\r\n\r\n", b"0\r\nX: " + b"y" * 100000 + b"\r\n\r\n",
            b"00000000000000000000000000000005\r\nabcde\r\n", b" 5\r\nabcde\r\n", b"0\r\n"]))
        time.sleep(rand.choice([0, 0.05]))
        self.drop()

    def race(self):
        """Ends a kept connection at a moment of its own."""
        goes_on = self.good()
        way = rand.random()
        if way < 0.4 or not goes_on:
            self.drop()
        time.sleep(rand.random() * 0.01)
        if way < 0.6:
            self.request.shutdown(socket.SHUT_WR)
            time.sleep(rand.random() * 0.05)
        elif way < 0.8:
            self.rfile.readline()
        self.drop()

    def stray(self):
        """Bytes of an answer that nobody asked for, right behind: what comes a moment later could not be told from one."""
        kind, body = (SSE, self.events()) if self.stream else (JSON, self.json())
        out = GOOD + kind + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        self.request.sendall(out + STRAY)
        return True

    def bodiless(self):
        self.request.sendall(rand.choice([b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 16\r\n\r\n",
                              b"HTTP/1.1 204 No Content\r\nContent-Length: 16\r\n\r\n{\"mark\":\"stray\"}",
                              b"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                              b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]))
        return True

    def odd_status(self):
        kind, body = self.payload()
        line = rand.choice([b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n", b"HTTP/1.1 999 X\r\n",
                            b"HTTP/1.1 099 X\r\n", b"HTTP/1.1 600 \r\n", b"HTTP/1.1 200\r\n", b"HTTP/2 200 OK\r\n", b"HTTP/1.1  200 OK\r\n",
                            b"ICY 200 OK\r\n", b"\r\nHTTP/1.1 200 OK\r\n", b"HTTP/1.1 20 OK\r\n", b"HTTP/1.2 200 OK\r\n"])
        self.say(line + kind + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return rand.random() < 0.5

    def cut(self):
        kind, body = self.payload()
        out = GOOD + kind + rand.choice([b"Transfer-Encoding: chunked\r\n\r\n" + chunks(body),
                                         b"Content-Length: %d\r\n\r\n%s" % (len(body), body)])
        self.say(out[:rand.randint(0, len(out) - 1)])
        self.drop()

    def old(self):
        kind, body = self.payload()
        keep = rand.random() < 0.5
        self.say(b"HTTP/1.0 200 OK\r\n" + kind + (b"Connection: keep-alive\r\nContent-Length: %d\r\n" % len(body) if keep else b"") +
                 b"\r\n" + body)
        return keep

    def none(self):
        self.drop()

    def error(self):
        body = b'{"mark":"%s","error":{"message":"no","type":"x","code":1}}' % self.mark
        self.say(b"HTTP/1.1 %d No\r\n" % rand.choice([400, 401, 404, 413, 429, 500, 503]) + JSON +
                 rand.choice([b"", b"Retry-After: 1\r\n"]) + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return rand.random() < 0.7

    def early(self):
        """An answer before the request was read."""
        self.stream = False
        if self.unread > 0 and rand.random() < 0.5:
            n = rand.randint(0, self.unread)
            self.rfile.read(n)
            self.unread -= n
        way = rand.random()
        if way < 0.5:
            self.error()
        else:
            body = self.json(rand.choice([0, 70000]))
            self.say(GOOD + JSON + rand.choice([b"", b"Connection: close\r\n"]) + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        end = rand.random()
        if end < 0.4:
            self.drop()
        if end < 0.5:
            self.request.shutdown(socket.SHUT_WR)
        time.sleep(rand.random() * 0.01)
        self.body()
        return end >= 0.5


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 128


Server(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Wild).serve_forever()
