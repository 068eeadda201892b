#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What the dashboard costs, as figures beside their goals: make check-ui-figures. Nothing fails here: machines differ, and
what must hold on all of them is in acceptance.py. The terminal is a pty that is read at once. figures.py MAI FAKE_ENGINE"""
import fcntl
import json
import os
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import urllib.request

MAI, ENGINE = map(os.path.abspath, sys.argv[1:3])
TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Dash:
    """A foreground mai on a pty of 120x36."""

    def __init__(self, engine_args="--ready-after 100"):
        self.dir = tempfile.mkdtemp(prefix="mai-figures-")
        self.port = free_port()
        with open(self.dir + "/mai.yaml", "w", encoding="utf-8") as f:
            f.write("listen: 127.0.0.1:%d\nmodels:\n  one:\n    cmd: %s --port ${PORT} --model one %s\n    checkEndpoint: /health\n"
                    % (self.port, ENGINE, engine_args))
        self.env = {"PATH": os.environ["PATH"], "HOME": self.dir, "XDG_RUNTIME_DIR": self.dir, "XDG_STATE_HOME": self.dir,
                    "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        self.began = time.monotonic()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
            os.execve(MAI, [MAI, "-c", self.dir + "/mai.yaml"], self.env)
        self.bytes = 0

    def read(self, seconds):
        """What comes within that time, at once when something does; b"" when nothing did."""
        if not select.select([self.fd], [], [], max(0, seconds))[0]:
            return b""
        try:
            got = os.read(self.fd, 1 << 16)
        except OSError:                 # its other end is closed
            return b""
        self.bytes += len(got)
        return got

    def drain(self, seconds):
        end = time.monotonic() + seconds
        got = b""
        while time.monotonic() < end:
            got += self.read(end - time.monotonic())
        return got

    def until(self, word, seconds=10):
        end, got = time.monotonic() + seconds, b""
        while word not in got:
            if time.monotonic() > end:
                raise SystemExit("figures: %s does not come" % word)
            got += self.read(0.1)

    def core(self):
        with open(self.dir + "/mai/default.pid", encoding="ascii") as f:
            return int(f.read())

    def close(self):
        subprocess.run([MAI, "shutdown"], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=30)
        self.drain(0.3)
        try:
            os.kill(self.pid, signal.SIGHUP)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self.fd)
        shutil.rmtree(self.dir, ignore_errors=True)


def cpu_ms(pid):
    """To the nanosecond where the kernel tells it, else in ticks."""
    try:
        with open("/proc/%d/schedstat" % pid, encoding="ascii") as f:
            return int(f.read().split()[0]) / 1e6
    except (OSError, ValueError, IndexError):
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            s = f.read().rsplit(")", 1)[1].split()
        return (int(s[11]) + int(s[12])) * 1000 / TICK


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, len(values) * p // 100)]


def first_frame():
    took = []
    for _ in range(9):
        d = Dash()
        d.until(b"mai 0")
        took.append((time.monotonic() - d.began) * 1000)
        d.until(b"RUNNING")
        d.close()
    return percentile(took, 50)


def key_echo(d):
    """A key that opens the help, and one that closes it; not when the clock is about to tick."""
    took = []
    for i in range(300):
        while not 0.05 < time.time() % 1 < 0.85:
            d.drain(0.02)
        while d.read(0.012):
            pass
        begin = time.monotonic()
        os.write(d.fd, b"?")
        while not d.read(1):
            pass
        took.append((time.monotonic() - begin) * 1000)
        d.drain(0.04 if i % 2 else 0.11)
    return percentile(took, 50), percentile(took, 99)


def idle(d):
    view, core = cpu_ms(d.pid), cpu_ms(d.core())
    d.bytes = 0
    d.drain(10)
    return d.bytes, cpu_ms(d.pid) - view, cpu_ms(d.core()) - core


def flood(d):
    """Frames are what comes without a pause between."""
    d.drain(2)
    view, core = cpu_ms(d.pid), cpu_ms(d.core())
    d.bytes, frames, end, last = 0, 0, time.monotonic() + 10, 0
    while time.monotonic() < end:
        if d.read(end - time.monotonic()):
            now = time.monotonic()
            frames += now - last > 0.015
            last = now
    return frames / 10, (cpu_ms(d.pid) - view) / 100, (cpu_ms(d.core()) - core) / 100, d.bytes / 10


def stopped(d):
    """A terminal that does not read while the engine floods: what /health and a chat take meanwhile."""
    took, on = [], [True]

    def ask():
        body = json.dumps({"model": "one", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}).encode()
        while on[0]:
            for path, data in (("/health", None), ("/v1/chat/completions", body)):
                r = urllib.request.Request("http://127.0.0.1:%d%s" % (d.port, path), data=data, headers={"Content-Type": "application/json"})
                begin = time.monotonic()
                with urllib.request.urlopen(r, timeout=20) as answer:
                    answer.read()
                took.append((time.monotonic() - begin) * 1000)
            time.sleep(0.005)
    t = threading.Thread(target=ask)
    t.start()
    time.sleep(5)
    on[0] = False
    t.join()
    begin = time.monotonic()
    os.write(d.fd, b"f")
    d.until(b"PAUSED")
    return percentile(took, 99), (time.monotonic() - begin) * 1000


def main():
    rows = [("first frame after exec", first_frame(), "ms", 500)]
    d = Dash()
    d.until(b"RUNNING")
    d.drain(6)                          # what is said at the start goes
    p50, p99 = key_echo(d)
    rows += [("key to its echo, p50", p50, "ms", None), ("key to its echo, p99", p99, "ms", 50)]
    d.drain(5)
    out, view, core = idle(d)
    rows += [("idle 10 s: bytes to the terminal", out, "B", 800), ("idle 10 s: CPU of the dashboard", view, "ms", 20),
             ("idle 10 s: CPU of the core with a viewer", core, "ms", 50)]
    d.close()
    d = Dash("--ready-after 100 --flood 100000")
    d.until(b"RUNNING")
    frames, view, core, out = flood(d)
    rows += [("flood of 100k lines/s: frames a second", frames, "1/s", 10), ("flood: CPU of the dashboard", view, "%", 5),
             ("flood: CPU of the core", core, "%", None), ("flood: bytes a second to the terminal", out, "B/s", None)]
    p99, caught = stopped(d)
    rows += [("terminal stopped in a flood: p99 of the proxy", p99, "ms", 20), ("until a key shows when it reads again", caught, "ms", None)]
    d.close()
    print("| what | measured | goal | reached |\n|---|--:|--:|---|")
    for what, value, unit, goal in rows:
        print("| %s | %s %s | %s | %s |" % (what, ("%.1f" % value).rstrip("0").rstrip("."), unit, "" if goal is None else "<= %g" % goal,
                                            "" if goal is None else "yes" if value <= goal else "NO"))


if __name__ == "__main__":
    main()
