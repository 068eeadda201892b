# SPDX-License-Identifier: ISC
"""Ends of mai that somebody else makes hard: a reader of its log that does not read, signals at the wrong moment, a terminal
that goes away, and what escaped from an engine."""
import fcntl
import os
import signal
import threading
import time

import pytest

from lib import proc
from lib.mai import SLOW
from lib.proc import wait

F_SETPIPE_SZ = 1031


def left_behind(mai):
    return [p.name for p in mai.socket.parent.iterdir() if p in (mai.socket, mai.pidfile)]


@pytest.mark.parametrize("how", ["term", "kill-core", "kill-guard"])
def test_nothing_stays_in_the_runtime_directory(mai, how):
    mai.config({"m": mai.engine("m")})
    mai.start_all()
    mai.expect_clean = how == "term"
    guard = proc.stat(mai.core)[1]
    if how == "term":
        os.kill(guard, signal.SIGTERM)
    else:
        proc.kill(mai.core if how == "kill-core" else guard, signal.SIGKILL)
    mai.wait_exit()
    wait(lambda: not mai.mine(), 5 * SLOW, "gone")
    wait(lambda: not left_behind(mai), 2 * SLOW, lambda: left_behind(mai))


def test_a_log_that_nobody_reads_stops_nothing(mai):
    r, w = os.pipe()
    try:
        fcntl.fcntl(w, F_SETPIPE_SZ, 4096)
        mai.config({"m": mai.engine("m")})

        def to_pipe():
            os.dup2(w, 2)

        mai.serve(preexec=to_pipe)
        os.close(w)
        w = -1
        # Each is a line or two of log: many times what the pipe holds.
        for i in range(200):
            assert mai.post("/load", {"model": f"none-{i}"}, timeout=5).status == 404
        assert mai.get("/livez", timeout=2).status == 200
        os.read(r, 1 << 16)
        mai.post("/load", {"model": "none"})
        assert b"lines not shown" in os.read(r, 1 << 16)
        mai.term()
    finally:
        for fd in (r, w):
            if fd >= 0:
                os.close(fd)


def test_signals_while_it_ends_do_not_change_the_status(mai):
    mai.config({"m": mai.engine("m")})
    mai.serve()
    for _ in range(200):
        try:
            os.kill(mai.p.pid, signal.SIGTERM)
        except ProcessLookupError:
            break
        if mai.p.poll() is not None:
            break
        time.sleep(0.001)
    assert mai.wait_exit(5 * SLOW) == 0


def test_what_escaped_from_everybody_is_ended_by_the_next_start(mai):
    mai.config({"m": mai.engine("m", ["--fork-setsid"])})
    mai.start_all()
    mai.expect_clean = False
    engines = set(mai.engines())
    for p in (mai.core, proc.stat(mai.core)[1]):
        proc.kill(p, signal.SIGKILL)
    mai.wait_exit()
    wait(lambda: not proc.alive(mai.core), 5 * SLOW, "the core is gone, and its lock")
    mai.expect_clean = True
    mai.serve()
    wait(lambda: not engines & set(mai.mine()), 5 * SLOW, lambda: proc.describe(mai.mine()))


def test_stop_comes_out_while_requests_keep_coming(mai):
    mai.config({"m": mai.engine("m")})
    mai.start_all()
    over = threading.Event()

    def client():
        while not over.is_set():
            try:
                mai.chat("m", timeout=20)
            except OSError:
                pass

    clients = [threading.Thread(target=client) for _ in range(4)]
    for c in clients:
        c.start()
    try:
        for _ in range(5):
            r = mai.verb("stop", timeout=10 * SLOW)
            assert r.returncode == 0, r
    finally:
        over.set()
        for c in clients:
            c.join()
