# SPDX-License-Identifier: ISC
"""An engine that says what it is told: python3 teller.py --port PORT. The JSON of a POST may hold "print", a line of output, and
"say": the bytes of the answer as base64 texts, each sent on its own, "gap" ms after the one before. Then the connection is
closed; without "say" nothing is answered until its other side goes."""
import base64
import json
import re
import socketserver
import sys
import time

HEALTHY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return
            head += line
        if not head.startswith(b"POST"):
            self.wfile.write(HEALTHY)
            return
        want = json.loads(self.rfile.read(int(re.search(rb"content-length: *(\d+)", head, re.I)[1])))
        if "print" in want:
            print(want["print"], flush=True)
        if "say" not in want:
            self.rfile.read(1)
            return
        for n, part in enumerate(want["say"]):
            if n:
                time.sleep(want.get("gap", 20) / 1000)
            self.wfile.write(base64.b64decode(part))


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 64


Server(("127.0.0.1", int(sys.argv[-1])), Handler).serve_forever()
