# SPDX-License-Identifier: ISC
"""cmdStop: a command in SIGTERM's place, bounded, seen in the log, never left behind."""
import signal
import time

import pytest

from lib import proc
from lib.docker import Docker
from lib.mai import SLOW
from lib.proc import wait


def script(mai, text, name="stop.sh"):
    p = mai.tmp / name
    p.write_text("#!/bin/sh\n" + text + "\n")
    p.chmod(0o755)
    return p


def marked(mai):
    return mai.engines()


def serve(mai, stop, *args, **keys):
    mai.config({"m": mai.engine("m", args, cmdStop=stop, **keys)})
    return mai.start_all()


def test_it_is_run_instead_of_the_signal(mai):
    p = script(mai, 'echo "stopping $1 at $2 of $3"\nread -r x || echo "no input"\nkill -USR1 "$1"; kill -KILL "$1"')
    s = serve(mai, f"{p} ${{PID}} ${{PORT}} ${{MODEL_ID}}")
    assert mai.post("/stop").status == 200
    log = mai.log()
    assert f"[cmdStop] stopping {s['pid']} at {mai.records['m'].port()} of m" in log and "[cmdStop] no input" in log
    assert mai.records["m"].count("term") == 0, "no SIGTERM"
    assert mai.status()["last_exit"]["expected"], mai.status()


def test_it_is_used_by_swap_restart_and_ttl_too(mai):
    p = script(mai, 'echo asked; kill -TERM "$1"')
    mai.config({"a": mai.engine("a", cmdStop=f"{p} ${{PID}}", ttl=1), "b": mai.engine("b")}, defaultModel="a")
    mai.start_all()
    assert mai.verb("restart").returncode == 0
    assert mai.log().count("[cmdStop] asked") == 1
    assert mai.chat("b").status == 200
    assert mai.log().count("[cmdStop] asked") == 2
    assert mai.chat("a").status == 200
    wait(lambda: mai.log().count("[cmdStop] asked") == 3, 6 * SLOW, "ttl")


@pytest.mark.parametrize("stop", ["/no/such/command ${PID}", "no-such-command-of-mai", "false"])
def test_one_that_fails_is_followed_by_the_signal_at_once(mai, stop):
    serve(mai, stop)
    before = time.monotonic()
    assert mai.post("/stop").status == 200
    assert time.monotonic() - before < 3 * SLOW
    assert mai.records["m"].count("term") == 1
    assert "cmdStop cannot be run" in mai.stderr or "cmdStop failed with exit status 1" in mai.stderr


def test_one_that_hangs_ends_with_the_engine(mai):
    p = script(mai, "trap '' TERM INT HUP\nsleep 600 &\nsleep 600")
    serve(mai, str(p), unloadTimeout=1)
    before = time.monotonic()
    assert mai.post("/stop").status == 200
    assert 0.9 < time.monotonic() - before < 4 * SLOW
    assert mai.status()["last_exit"]["text"] == "SIGKILL"
    wait(lambda: not marked(mai), 3, lambda: proc.describe(marked(mai)))


def test_force_and_kill_do_not_ask(mai):
    p = script(mai, "echo asked")
    serve(mai, str(p), unloadTimeout=1)
    assert mai.verb("restart", "--force").returncode == 0
    mai.ready()
    assert "[cmdStop]" not in mai.log()


def test_it_dies_with_the_core(mai):
    p = script(mai, "trap '' TERM\nsleep 600 & sleep 600")
    serve(mai, str(p), "--ignore-term")
    assert mai.verb("stop", "--no-wait").returncode == 0
    wait(lambda: len([x for x in marked(mai) if b"sleep" in proc.cmdline(x)[0]]) == 2, 5, "the command")
    mai.expect_clean = False
    proc.kill(mai.core, signal.SIGKILL)
    mai.wait_exit()
    wait(lambda: not mai.mine(), 5 * SLOW, lambda: proc.describe(mai.mine()))


def test_a_second_signal_does_not_wait_for_it(mai):
    p = script(mai, "trap '' TERM\nsleep 600")
    serve(mai, str(p), "--ignore-term", unloadTimeout=30)
    mai.p.send_signal(signal.SIGTERM)
    wait(lambda: any(b"sleep" in proc.cmdline(x)[0] for x in marked(mai)), 5, "the command")
    before = time.monotonic()
    assert mai.term() == 0
    assert time.monotonic() - before < 1 + 1 * SLOW


def test_docker_is_stopped_by_its_command(mai):
    with Docker(mai) as d:
        mai.config({"m": {"cmd": "docker run -p ${PORT}:8080 image", "checkEndpoint": "/health",
                          "cmdStop": "docker stop c1"}})
        mai.start_all()
        assert mai.chat("m").status == 200
        assert mai.post("/stop").status == 200
        assert not d.running() and len(d.calls("stop")) == 1


def test_docker_whose_client_is_killed_leaves_no_container(mai):
    """SIGKILL of the client is not heard inside: the next container would find its name and port taken."""
    with Docker(mai) as d:
        mai.config({"m": {"cmd": "docker run -p ${PORT}:8080 image", "checkEndpoint": "/health", "backoff": 0.05,
                          "cmdStop": "docker stop c1"}})
        pid = mai.start_all()["pid"]
        proc.kill(pid, signal.SIGKILL)
        wait(lambda: d.runs == 2, 10 * SLOW, "the next container")
        assert len(d.calls("stop")) == 1
        mai.ready()
        assert mai.verb("restart", "--force").returncode == 0
        wait(lambda: d.runs == 3, 10 * SLOW, "a third one")
        assert len(d.calls("stop")) == 2
        mai.ready()
        assert mai.post("/stop").status == 200
        assert not d.running()
