# SPDX-License-Identifier: ISC
"""Processes as the system shows them: who is alive, whose child, what it holds. Linux only (/proc)."""
import os
import time


def wait(fn, timeout=10.0, what="condition", every=0.005):
    """The first true value of fn; a hard limit, no blind sleeps."""
    end = time.monotonic() + timeout
    while True:
        value = fn()
        if value:
            return value
        if time.monotonic() > end:
            text = what() if callable(what) else what
            raise AssertionError(f"not within {timeout} s: {text}")
        time.sleep(every)


def _read(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as f:
            return f.read()
    except OSError:
        return b""


def pids():
    return [int(p) for p in os.listdir("/proc") if p.isdigit()]


def stat(pid):
    """state, ppid, pgrp, session, utime+stime ticks; None when it is gone."""
    text = _read(pid, "stat")
    if not text:
        return None
    f = text[text.rindex(b")") + 2:].split()
    return f[0].decode(), int(f[1]), int(f[2]), int(f[3]), int(f[11]) + int(f[12])


def alive(pid):
    s = stat(pid)
    return s is not None and s[0] not in "ZX"


def cpu_seconds(pid):
    s = stat(pid)
    return s[4] / os.sysconf("SC_CLK_TCK") if s else 0.0


def environ(pid):
    return _read(pid, "environ").split(b"\0")


def cmdline(pid):
    return _read(pid, "cmdline").split(b"\0")[:-1]


def comm(pid):
    return _read(pid, "comm").decode(errors="replace").strip()


def rss_kib(pid):
    for line in _read(pid, "status").decode().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def nfds(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def fds(pid):
    out = {}
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                out[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
            except OSError:
                pass
    except OSError:
        pass
    return out


def children(pid):
    return [p for p in pids() if (stat(p) or ("", 0))[1] == pid]


def bearing(text, also=b""):
    """Live processes in whose environment stands text (and also)."""
    text = text.encode() if isinstance(text, str) else text
    out = []
    for p in pids():
        env = _read(p, "environ")
        if text in env and also in env and alive(p):
            out.append(p)
    return out


def describe(ps):
    return [(p, stat(p), b" ".join(cmdline(p))[:200]) for p in ps]


def never(fn, seconds, what="it"):
    """Watches for a while that fn stays false."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = fn()
        assert not value, f"{what}: {value}"
        time.sleep(0.01)


def kill(pid, sig):
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass
