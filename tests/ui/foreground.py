#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The whole program in a terminal: `mai` with its core, guard and pretend engines. foreground.py MAI [TEST...]"""
import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

from term import Term, alive, run, until

TESTS = []


def test(fn):
    TESTS.append(fn)
    return fn


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_port(_count=itertools.count()):
    """Below the ephemeral ports, ten for each case: other tests on the machine take the default ones."""
    return 22000 + (os.getpid() * 37 + next(_count) * 10) % 8000


def config(t, one="--ready-after 300", two="--ready-after 300", more=""):
    engine = os.path.abspath("tests/fake/fake_engine")
    with open(t.dir + "/mai.yaml", "w", encoding="utf-8") as f:
        f.write("listen: 127.0.0.1:%d\nstartPort: %d\ndefaultModel: one\n%smodels:\n" % (free_port(), start_port(), more))
        for name, args in (("one", one), ("two", two)):
            f.write("  %s:\n    cmd: |\n      %s --port ${PORT} --model %s %s\n" % (name, engine, name, args))


def start(t, cols=80, rows=24, args="", **kw):
    config(t, **kw)
    t.up(cols, rows, "mai -c %s/mai.yaml %s" % (t.dir, args))


def cli(t, *args):
    return subprocess.run([t.mai, *args], env=t.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, encoding="utf-8", timeout=30)


def core_pid(t):
    with open(t.dir + "/mai/default.pid", encoding="ascii") as f:
        return int(f.read())


def children(t):
    """Processes of this test's core: they carry its runtime directory in their environment."""
    mark = ("XDG_RUNTIME_DIR=%s" % t.dir).encode()
    out = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/environ" % pid, "rb") as f:
                env = f.read().split(b"\0")
            with open("/proc/%s/comm" % pid, encoding="ascii") as f:
                comm = f.read().strip()
        except OSError:
            continue
        if mark in env and (comm.startswith("mai") or comm.startswith("fake_engine")):
            out.append(int(pid))
    return out


def nothing_left(t):
    until(lambda: not children(t), 8000, lambda: "left: %s" % children(t))


@test
def quit_and_stop(t):
    start(t)
    t.see("RUNNING  one", 10000)
    t.see("foreground")
    t.keys("q")
    t.see("The supervisor and its model run in this terminal")
    time.sleep(0.2)
    t.keys("s")
    assert t.ended(10000) == 0
    t.sane()
    nothing_left(t)


@test
def interrupt_twice(t):
    start(t)
    t.see("RUNNING  one", 10000)
    t.keys("C-c")
    t.see("Quit mai")
    time.sleep(0.2)
    t.keys("C-c")
    assert t.ended(10000) == 0
    t.sane()
    nothing_left(t)


@test
def interrupted_early(t):
    """Also before the view has heard of the core that it started: that does not go on without an owner."""
    config(t)
    for plain in ([], ["--plain"]):
        for step in range(10):
            p, fd = t.on_pty("-c", t.dir + "/mai.yaml", *plain)
            try:
                os.read(fd, 1)
                time.sleep(0.002 * step)
                p.send_signal(signal.SIGINT)
                while os.read(fd, 65536):
                    pass
            except OSError:
                pass                       # nobody holds the other side any more
            os.close(fd)
            assert p.wait(10) == 0
            nothing_left(t)


@test
def detach_and_attach(t):
    start(t)
    t.see("RUNNING  one", 10000)
    t.keys("q")
    t.see("Quit mai")
    time.sleep(0.2)
    t.keys("d")
    assert t.ended() == 0
    t.sane()
    assert "ready" in cli(t, "status").stdout
    server = int(t.tmux("display", "-p", "#{pid}"))
    t.tmux("kill-server")
    until(lambda: not alive(server), 5000, "the terminal does not end")
    t.up(80, 24, "mai attach")
    t.see("RUNNING  one")
    t.see("attached")
    assert cli(t, "shutdown").returncode == 0
    nothing_left_but_view(t)


@test
def bare_attaches(t):
    """Without a model or a file mai joins the core that runs; with them it is refused, and told whom to join."""
    start(t)
    t.see("RUNNING  one", 10000)
    other = Term(t.mai)
    try:
        other.env["XDG_RUNTIME_DIR"] = t.dir
        other.up(80, 24, "mai")
        other.see("RUNNING  one", 5000)
        other.see("attached")
        other.keys("q")
        assert other.ended() == 0
        other.sane()
    finally:
        other.close()
    r = cli(t, "-c", t.dir + "/mai.yaml")
    assert r.returncode == 1 and str(core_pid(t)) in r.stdout and "mai attach" in r.stdout, r
    t.see("RUNNING  one")


@test
def seven_ends_of_a_viewer(t):
    """However the viewer of a foreground core is killed, its terminal is whole and the core is there or gone as told."""
    for sig in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGQUIT, signal.SIGTERM):
        x = Term(t.mai)
        try:
            start(x)
            x.see("RUNNING  one", 10000)
            os.kill(x.pid(), sig)
            x.ended(10000)
            x.sane()
            assert "ready" in cli(x, "status").stdout or sig in (signal.SIGTERM, signal.SIGQUIT), sig
        finally:
            if children(x):
                cli(x, "shutdown")
            nothing_left(x)
            x.close()


def nothing_left_but_view(t):
    until(lambda: len(children(t)) <= 2, 8000, lambda: "left: %s" % children(t))
    t.see("LINK DOWN", 5000)
    t.keys("q")
    nothing_left(t)


@test
def hangup_stops(t):
    start(t)
    t.see("RUNNING  one", 10000)
    t.tmux("kill-pane", "-t", "t", check=False)
    nothing_left(t)


@test
def hangup_detaches_where_told(t):
    start(t, more="hangup: detach\n")
    t.see("RUNNING  one", 10000)
    pid = t.pid()
    t.tmux("kill-pane", "-t", "t", check=False)
    until(lambda: not alive(pid), 5000, "the view outlives its terminal")
    assert "ready" in cli(t, "status").stdout
    time.sleep(0.5)
    assert "ready" in cli(t, "status").stdout
    assert cli(t, "shutdown").returncode == 0
    nothing_left(t)


@test
def killed_view_keeps_serving(t):
    start(t)
    t.see("RUNNING  one", 10000)
    pid = t.pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid), 2000, "alive")
    time.sleep(0.5)
    assert "ready" in cli(t, "status").stdout
    assert cli(t, "shutdown").returncode == 0
    nothing_left(t)


@test
def killed_core(t):
    """The view of a core that was killed says so, and ends whole; no engine is left."""
    start(t, one="--ready-after 100 --ignore-term --fork-setsid")
    t.see("RUNNING  one", 10000)
    os.kill(core_pid(t), signal.SIGKILL)
    t.see("LINK DOWN", 5000)
    view = t.pid()
    until(lambda: [p for p in children(t) if p != view] == [], 5000, lambda: "left: %s" % children(t))
    t.keys("q")
    t.ended()
    t.sane()
    nothing_left(t)


@test
def started_again(t):
    """What a dead core is replaced by runs behind the terminal: it is told so, and leaving is no question of its end."""
    start(t)
    t.see("RUNNING  one", 10000)
    t.see("foreground")
    os.kill(core_pid(t), signal.SIGKILL)
    t.see("s Start", 5000)
    t.see(r"retry \d+ in 4\.", 10000)
    t.keys("s")
    until(lambda: "ready" in cli(t, "status").stdout, 15000, "the core is not started")
    t.see("RUNNING  one", 1500)		# as soon as it is there, not with the next try
    t.see("attached")
    t.keys("q")
    assert t.ended() == 0
    t.sane()
    assert "ready" in cli(t, "status").stdout
    assert cli(t, "shutdown").returncode == 0
    nothing_left(t)


@test
def started_again_stays(t):
    """Nor does it end with a terminal that is closed."""
    start(t)
    t.see("RUNNING  one", 10000)
    os.kill(core_pid(t), signal.SIGKILL)
    t.see("s Start", 5000)
    t.keys("s")
    t.see("RUNNING  one", 15000)
    t.see("attached")
    pid = t.pid()
    t.tmux("kill-pane", "-t", "t", check=False)
    until(lambda: not alive(pid), 5000, "the view outlives its terminal")
    time.sleep(0.5)
    assert "ready" in cli(t, "status").stdout
    assert cli(t, "shutdown").returncode == 0
    nothing_left(t)


@test
def swap_by_key(t):
    start(t)
    t.see("RUNNING  one", 10000)
    t.keys("m")
    t.see("Swap model")
    t.type("two")
    t.see("1 of 2 shown")
    time.sleep(0.2)
    t.keys("Enter")
    t.see("SWAPPING", 2000)
    t.see("RUNNING  two", 10000)
    t.see("swapped in")


@test
def crash_and_recover(t):
    start(t)
    t.see("RUNNING  one", 10000)
    pid = int(re.search(r"pid (\d+)", t.grab()).group(1))
    os.kill(pid, signal.SIGKILL)
    t.see("BACKOFF", 1000)
    t.see(r"retry in [0-9.]+s .* last: .*SIGKILL.* attempt 1/3")
    t.keys("r")
    t.see("STARTING", 1000)
    t.see("RUNNING  one", 10000)
    t.keys("e")
    t.see("PAUSED at error 1 of 1")
    t.see(r">mE one: died after \S+: SIGKILL")


@test
def always_dies(t):
    start(t, one="--exit-after 50 --exit-code 1 --spew 'RuntimeError: no metal here'", more="backoff: 0.1\n")
    t.see("BACKOFF", 5000)
    t.see("FAILED", 15000)
    t.see("gave up after 3/3 attempts", 3000)
    t.see("PAUSED at error")
    t.keys("s")
    t.see("STARTING|BACKOFF", 3000)


@test
def flood_of_the_engine(t):
    start(t, one="--flood 20000")
    t.see("RUNNING  one", 10000)
    time.sleep(1)
    t.keys("f")
    t.see("PAUSED", 1500)
    t.keys("m")
    t.see("Swap model", 1500)


@test
def stopped_terminal(t):
    """A terminal that stops reading during a flood of engine output delays nobody else."""
    start(t, one="--flood 20000")
    t.see("RUNNING  one", 10000)
    with open(t.dir + "/mai.yaml", encoding="utf-8") as f:
        port = int(re.search(r"listen: 127.0.0.1:(\d+)", f.read()).group(1))
    server = int(t.tmux("display", "-p", "#{pid}"))
    took = []
    os.kill(server, signal.SIGSTOP)
    try:
        end = time.monotonic() + 5
        while time.monotonic() < end:
            begin = time.monotonic()
            chat = urllib.request.Request("http://127.0.0.1:%d/v1/chat/completions" % port, headers={"Content-Type": "application/json"},
                                          data=b'{"model": "one", "max_tokens": 2, "messages": [{"role": "user", "content": "hi"}]}')
            with urllib.request.urlopen(chat, timeout=5) as r:
                assert r.status == 200 and b"choices" in r.read()
            took.append(time.monotonic() - begin)
            time.sleep(0.01)
    finally:
        os.kill(server, signal.SIGCONT)
    took.sort()
    assert took[len(took) * 9 // 10] < 0.1 and took[-1] < 1, took[-5:]
    before = t.grab()
    until(lambda: t.grab() != before, 5000, "the view does not catch up")


@test
def plain_foreground(t):
    start(t, args="--plain")
    t.see("one ready", 10000)
    t.keys("C-c")
    assert t.ended(10000) == 0
    nothing_left(t)


@test
def plain_beside_a_daemon(t):
    """Nor does an interrupt of the lines end what took the place of the core that was started with them."""
    start(t, args="--plain", cols=120)
    t.see("one ready", 10000)
    os.kill(core_pid(t), signal.SIGKILL)
    t.see("not connected", 5000)
    until(lambda: cli(t, "--daemon", "-c", t.dir + "/mai.yaml").returncode == 0, 5000, "no daemon")
    t.see("(?s)not connected.*= +connected", 10000)
    t.keys("C-c")
    t.ended(5000)
    time.sleep(0.3)
    assert cli(t, "status").returncode == 0
    assert cli(t, "shutdown").returncode == 0
    nothing_left(t)


@test
def nothing_to_run(t):
    """Without any model the picker opens, and says which engines are not installed and how to install them; what lies
    on disk is offered."""
    t.env.update(HOME=t.dir, XDG_CONFIG_HOME=t.dir, PATH="/usr/bin:/bin")
    t.up(80, 24, "mai --listen 127.0.0.1:%d" % free_port())
    t.see("Swap model", 5000)
    t.see("no model is known")
    t.see("not in PATH, and how to install it")
    t.see(r"vllm +python3 -m pip install vllm")
    t.keys("Escape", "d")
    assert t.ended() == 0
    assert cli(t, "shutdown").returncode == 0
    os.makedirs(t.dir + "/.cache/llama.cpp")
    with open(t.dir + "/.cache/llama.cpp/tiny-q8_0.gguf", "wb") as f:
        f.write(bytes(5000))
    other = Term(t.mai)
    try:
        other.env.update(t.env)
        other.up(80, 24, "mai --listen 127.0.0.1:%d" % free_port())
        other.see("Swap model", 5000)
        other.see(r">  tiny-q8_0.gguf +llama +4.9K +never +no program")
        other.see("llama-server is not in PATH; to install it:")
        other.see("│ brew install llama.cpp")
        cli(t, "shutdown")
    finally:
        other.close()


def close(t):
    cli(t, "shutdown")


def tidy(fn):
    """However a test ends, its core does too."""
    def wrapped(t):
        try:
            fn(t)
        finally:
            if children(t):
                close(t)
                until(lambda: len(children(t)) <= 2, 8000, "the core does not end")
    wrapped.__name__ = fn.__name__
    return wrapped


if __name__ == "__main__":
    sys.exit(run([tidy(x) for x in TESTS]))
