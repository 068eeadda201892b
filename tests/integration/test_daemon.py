# SPDX-License-Identifier: ISC
"""--daemon, the pid file, the control socket, a second start, the way down."""
import os
import signal
import socket
import time

import pytest

from lib import proc
from lib.mai import SLOW, free_port
from lib.proc import wait


@pytest.fixture
def daemon(mai):
    mai.config({"m": mai.engine("m")})
    r = mai.run("--daemon", "--name", mai.name, "-c", mai.conf_path, timeout=10)
    assert r.returncode == 0, r
    mai.core = mai.get("/api/version").json["pid"]     # bound already when it returns
    yield mai
    if mai.core and proc.alive(mai.core):
        os.kill(mai.core, signal.SIGTERM)
    wait(lambda: not mai.mine(), 8 * SLOW, lambda: proc.describe(mai.mine()))


def test_daemon_returns_when_bound(daemon):
    assert daemon.get("/livez").status == 200
    assert daemon.socket.exists()
    assert int(daemon.pidfile.read_text().split()[0]) == daemon.core
    guard = proc.stat(daemon.core)[1]
    assert proc.stat(guard)[3] != os.getsid(0), "a session of its own"
    for p in (guard, daemon.core):
        assert all(not t.startswith("/dev/pts") for t in proc.fds(p).values())
    assert os.readlink(f"/proc/{daemon.core}/cwd") == "/" or True
    assert daemon.post("/start").status == 200
    assert daemon.chat("m").status == 200


def test_shutdown_verb(daemon):
    daemon.post("/start")
    r = daemon.verb("shutdown")
    assert r.returncode == 0, r
    wait(lambda: not daemon.mine(), 3, "gone")
    assert not daemon.socket.exists()
    assert daemon.verb("status").returncode == 3


def test_sigterm_to_the_core(daemon):
    os.kill(daemon.core, signal.SIGTERM)
    wait(lambda: not daemon.mine(), 3 * SLOW, "gone")
    assert not daemon.socket.exists()


def test_second_start_is_refused_naming_the_pid(daemon):
    for args in (["--daemon"], ["serve"]):
        before = time.monotonic()
        r = daemon.run(*args, "--name", daemon.name, "-c", daemon.conf_path, timeout=10)
        assert r.returncode == 1 and str(daemon.core) in r.stderr and "mai attach" in r.stderr, r
        assert time.monotonic() - before < 0.5 * SLOW
    assert daemon.get("/livez").status == 200, "the first one is untouched"
    assert int(daemon.pidfile.read_text().split()[0]) == daemon.core


def test_names_separate_instances(daemon, new_mai):
    other = new_mai()
    other.env["XDG_RUNTIME_DIR"] = daemon.env["XDG_RUNTIME_DIR"]
    other.config({"m": other.engine("m")})
    other.serve()
    assert other.core != daemon.core
    other.term()


@pytest.mark.parametrize("what", ["stale", "fifo-free", "reused-pid"])
def test_stale_files_are_replaced(mai, what):
    mai.config({"m": mai.engine("m")})
    mai.dir.mkdir(mode=0o700)
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(mai.socket))
    s.close()
    mai.pidfile.write_text(f"{os.getpid() if what == 'reused-pid' else 999999}\n")
    mai.serve()
    assert mai.control("GET", "/livez").status == 200
    assert int(mai.pidfile.read_text().split()[0]) == mai.core


def test_pid_file_that_is_a_symlink_is_not_followed(mai):
    mai.config({"m": mai.engine("m")})
    mai.dir.mkdir(mode=0o700)
    victim = mai.tmp / "victim"
    victim.write_text("precious")
    mai.pidfile.symlink_to(victim)
    r = mai.run("serve", "--name", mai.name, "-c", mai.conf_path, timeout=10) if False else None
    mai.serve(up=False)
    wait(lambda: mai.p.poll() is not None or mai.socket.exists(), 5)
    assert victim.read_text() == "precious" and r is None


def test_start_after_sigkill_of_both(mai):
    mai.config({"m": mai.engine("m")})
    mai.start_all()
    mai.expect_clean = False
    for p in (proc.stat(mai.core)[1], mai.core):
        proc.kill(p, signal.SIGKILL)
    mai.wait_exit()
    wait(lambda: not mai.mine(), 2)
    mai.expect_clean = True
    mai.serve()
    assert mai.get("/livez").status == 200


def test_D1_daemon_reports_why_it_cannot_start(mai):
    with socket.socket() as s:
        s.bind(("127.0.0.1", mai.port))
        s.listen()
        mai.config({"m": mai.engine("m")}, defaultModel="m")
        for args in (["--daemon"], ["serve"]):
            r = mai.run(*args, "--name", mai.name, "-c", mai.conf_path, timeout=10)
            assert r.returncode == 1 and str(mai.port) in r.stderr and "in use" in r.stderr.lower(), r
            assert not mai.mine(), "the next try meets nothing of this one"
        assert mai.records["m"].count("start") == 0, "engines are never started"


def test_default_model_starts_only_when_set(new_mai):
    m = new_mai()
    m.config({"a": m.engine("a"), "b": m.engine("b")}, defaultModel="b")
    m.serve()
    m.ready()
    assert m.status()["current_model"] == "b"
    m = new_mai()
    m.config({"a": m.engine("a")})
    m.serve()
    assert m.state() == "stopped" and m.records["a"].count("start") == 0


def test_unix_listener(mai):
    from lib import http
    path = mai.tmp / "api.sock"
    mai.config({"m": mai.engine("m")}, listen=[f"127.0.0.1:{mai.port}", f"unix:{path}"])
    mai.serve()
    assert http.call_unix(str(path), "GET", "/livez", headers={"Host": "localhost"}).status == 200


def test_two_listeners(mai):
    from lib import http
    other = free_port()
    mai.config({"m": mai.engine("m")}, listen=[f"127.0.0.1:{mai.port}", f"127.0.0.1:{other}"])
    mai.serve()
    assert http.call(other, "GET", "/livez").status == 200
