# SPDX-License-Identifier: ISC
"""A pseudo-terminal with a program on it, the dashboard mostly: keys in, bytes out, and how it leaves the terminal."""
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time

from .mai import MAI, spawn_settings
from .proc import kill, wait

ESCAPES = re.compile(rb"\x1b(?:\[[0-9;?<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Za-z0-9]|[=>78MDEHc])|[\x0e\x0f\r]")
KEPT = 200_000


class Terminal:
    def __init__(self, m, *args, cols=100, rows=30):
        self.master, self.slave = os.openpty()
        self.size(cols, rows)
        self.before = termios.tcgetattr(self.slave)
        self.out, self.lock = b"", threading.Lock()
        self.err = m.tmp / f"viewer.{self.master}.{time.monotonic_ns()}"

        def before():
            spawn_settings()
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        with open(self.err, "wb") as err:
            env = {**m.env, "TERM": "screen-256color", "LANG": "C.UTF-8"}
            self.p = subprocess.Popen([MAI, *map(str, args)], env=env, stdin=self.slave, stdout=self.slave, stderr=err, cwd=m.tmp,
                                      preexec_fn=before)
        self.stop = False
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while not self.stop:
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    data = os.read(self.master, 65536)
                except OSError:
                    return
                with self.lock:
                    self.out = (self.out + data)[-KEPT:]

    def size(self, cols, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def keys(self, data):
        """Types; what does not fit is lost, as with a program that does not read."""
        if select.select([], [self.master], [], 0)[1]:
            os.write(self.master, data)

    def clear(self):
        with self.lock:
            self.out = b""

    def text(self):
        """What was written since clear(), without its escapes."""
        with self.lock:
            return ESCAPES.sub(b" ", self.out).decode(errors="replace")

    def see(self, pattern, seconds):
        wait(lambda: re.search(pattern, self.text()), seconds, lambda: f"not seen: {pattern} in {self.text()[-3000:]!r}")

    def running(self):
        return self.p.poll() is None

    def stderr(self):
        return self.err.read_text(errors="replace")

    def ended(self, seconds):
        """Its exit status; the terminal is as it was."""
        rc = self.p.wait(seconds)
        wait(lambda: b"\x1b[?1049l" in self.out or b"\x1b[?1049h" not in self.out, 2, lambda: f"main screen: {self.out[-300:]!r}")
        with self.lock:
            out = self.out
        assert out.rfind(b"\x1b[?1049l") >= out.rfind(b"\x1b[?1049h"), f"left on the other screen: {out[-300:]!r}"
        now = termios.tcgetattr(self.slave)
        assert now[:6] == self.before[:6], ("terminal modes", self.before[:6], now[:6])
        assert b"\x1b[?1000h" not in out or out.rfind(b"\x1b[?1000l") > out.rfind(b"\x1b[?1000h"), "mouse left on"
        assert b"\x1b[?25l" not in out or max(out.rfind(b"\x1b[?25h"), out.rfind(b"\x1b[34h")) > out.rfind(b"\x1b[?25l"), "no cursor"
        return rc

    def close(self):
        if self.p.poll() is None:
            kill(self.p.pid, signal.SIGKILL)
            self.p.wait(10)
        self.stop = True
        self.thread.join(2)
        os.close(self.master)
        os.close(self.slave)

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.close()
