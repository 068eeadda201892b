# SPDX-License-Identifier: ISC
"""What is outside of mai: squatters, raw servers, background calls."""
import http.server
import socket
import subprocess
import threading


def sanitized(binary):
    """Whether a program was built with AddressSanitizer: its memory figures say nothing then."""
    try:
        return b"libasan" in subprocess.run(["ldd", binary], capture_output=True, timeout=10).stdout or \
            b"__asan_init" in open(binary, "rb").read()
    except OSError:
        return False


class Squatter:
    """Someone else's server: 200 to everything. Counts what reaches it."""

    def __init__(self, port):
        outer = self
        self.hits = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.hits.append((self.command, self.path))
                body = b'{"status":"ok","data":[{"id":"stranger"}]}'
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *a):
                pass

        http.server.ThreadingHTTPServer.allow_reuse_address = True
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.server.shutdown()
        self.server.server_close()


class RawServer:
    """Answers each connection with what a function of the received bytes gives; keeps all that came."""

    def __init__(self, port, answer):
        self.answer, self.got, self.lock = answer, [], threading.Lock()
        self.s = socket.socket()
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.s.bind(("127.0.0.1", port))
        self.port = self.s.getsockname()[1]
        self.s.listen(128)
        self.stop = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stop:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        c.settimeout(20)
        with c:
            data = bytearray()
            with self.lock:
                self.got.append(data)
            try:
                while True:
                    part = c.recv(65536)
                    if not part:
                        return
                    data += part
                    out = self.answer(bytes(data))
                    if out is not None:
                        c.sendall(out)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.stop = True
        self.s.close()


class Later(threading.Thread):
    """fn in the background; result() gives its value or raises what it raised."""

    def __init__(self, fn, *args, **kw):
        super().__init__(daemon=True)
        self.fn, self.args, self.kw = fn, args, kw
        self.value = self.error = None
        self.start()

    def run(self):
        try:
            self.value = self.fn(*self.args, **self.kw)
        except BaseException as e:   # handed to result()
            self.error = e

    def done(self):
        return not self.is_alive()

    def result(self, timeout=20):
        self.join(timeout)
        assert not self.is_alive(), "still waiting"
        if self.error:
            raise self.error
        return self.value
