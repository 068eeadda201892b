# SPDX-License-Identifier: ISC
"""The guard: the core's parent. It forwards signals once, ends with the core's status, and leaves nothing behind."""
import os
import signal
import time

import pytest

from lib import http, proc, world
from lib.http import request
from lib.mai import SLOW
from lib.proc import wait


def guard_of(m):
    return proc.stat(m.core)[1]


def test_family(one):
    guard = guard_of(one)
    assert guard == one.p.pid
    _, _, pgid, sid, _ = proc.stat(one.core)
    assert sid == one.core and pgid == one.core, "the core runs in its own session"
    assert proc.stat(one.status()["pid"])[1] == one.core
    assert int(one.pidfile.read_text().split()[0]) == one.core


@pytest.mark.parametrize("target", ["guard", "core"])
@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_either_ends_both(one, target, sig):
    os.kill(guard_of(one) if target == "guard" else one.core, sig)
    assert one.wait_exit(5) == 0
    assert [e["count"] for e in one.records["m"].events("term")] == [1], "the engine saw SIGTERM once"


def test_core_death_is_the_guards_exit_status(one):
    one.expect_clean = False
    os.kill(one.core, signal.SIGKILL)
    assert one.wait_exit(3) in (1, 137, -9)


def test_guard_death_ends_the_core_with_1(one):
    one.expect_clean = False
    engine = one.status()["pid"]
    before = time.monotonic()
    os.kill(guard_of(one), signal.SIGKILL)
    wait(lambda: not proc.alive(one.core) and not proc.alive(engine), 0.5 * SLOW, "core and engine are gone")
    assert time.monotonic() - before < 0.5 * SLOW


def test_shutdown_drains_first(one):
    stream = world.Later(one.chat, "m", fake="sse=15, gap=40", stream=True)
    wait(lambda: one.stats()["in_progress"] == 1, 5)
    one.p.terminate()
    assert http.events(stream.result().body)[-1] == "[DONE]"
    assert one.wait_exit(5) == 0


def test_new_connections_are_refused_while_it_ends(one):
    stream = world.Later(one.chat, "m", fake="sse=15, gap=40", stream=True)
    wait(lambda: one.stats()["in_progress"] == 1, 5)
    one.p.terminate()

    def no():
        try:
            r = one.chat("m", timeout=3)
            return r.status == 503 and r.json["error"]["code"] == "shutting_down"
        except OSError:
            return True
    wait(no, 1, "refused")
    stream.result()
    assert one.wait_exit(5) == 0


@pytest.mark.parametrize("to_group", [False, True])
def test_a_second_signal_kills_all_within_a_second(mai, to_group):
    mai.config({"m": mai.engine("m", ["--ignore-term"], drainTimeout=30, unloadTimeout=30)})
    mai.start_all()
    with mai.raw() as c:
        c.send(request("POST", "/v1/chat/completions", http.chat("m", True), [("X-Fake", "sse=10000, gap=20")]))
        c.head()
        mai.p.terminate()
        wait(lambda: "ending, asked for by" in mai.stderr, 2 * SLOW, "the first one arrived")
        before = time.monotonic()
        mai.p.terminate()
        wait(lambda: mai.p.poll() is not None, 1.0 * SLOW + 0.2, "gone after the second signal")
        assert time.monotonic() - before < 1.2 * SLOW
        assert mai.p.returncode == 0
        assert not mai.engines()


def test_engine_that_ignores_sigterm_ends_with_shutdown(mai):
    mai.config({"m": mai.engine("m", ["--ignore-term", "--fork-setsid"], unloadTimeout=0.3)})
    mai.start_all()
    assert mai.term() == 0
    assert not mai.mine()


def test_hangup_of_the_terminal_of_serve(one):
    """Only the guard gets terminal signals; serve ends cleanly on a hangup."""
    os.kill(guard_of(one), signal.SIGHUP)
    # SIGHUP is reload where a configuration stands behind it, an end otherwise: either way no orphan and no crash
    wait(lambda: one.p.poll() is not None or one.get("/livez").status == 200, 3)
    if one.p.poll() is not None:
        assert one.p.returncode == 0
