#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The dashboard in a real terminal (tmux) against a fake core. dashboard.py MAI [TEST...]"""
import os
import random
import re
import select
import signal
import subprocess
import sys
import time

from term import Core, Term, alive, run, until
from fake_core import GEMMA, QWEN

TESTS = []


def test(fn):
    TESTS.append(fn)
    return fn


def ready(t, *args, **kw):
    t.attach(*args, **kw)
    t.see("RUNNING")


@test
def first_frame(t):
    t.core = Core(t.dir)
    start = time.monotonic()
    t.attach()
    t.see("RUNNING|CONNECTING", 1500)
    assert time.monotonic() - start < 1.5
    t.see(r"^ ● RUNNING  Qwen3-Coder-30B-A3B-Instruct-4bit +up 2h14m")
    t.see(r"m Models  r Restart  x Stop  f Follow  / Search  & Filter +\? Help  q Quit")
    t.core.called(r"VIEWER [^,]+,pts/\d+,attached")


@test
def sizes(t):
    ready(t)
    for cols, rows in ((120, 36), (60, 16), (40, 12), (30, 6), (20, 3), (2, 2), (1, 1), (80, 24)):
        t.size(cols, rows)
        until(lambda: t.grab().count("\n") == rows, 2000, "size")
    t.see(r"^ ● RUNNING  Qwen3-Coder-30B-A3B-Instruct-4bit +up 2h")
    t.size(40, 12)
    t.see(r"\A● RUNNING Qwen3-Coder-3…truct-4bit 2h14m")
    t.see(r"^ m Models  r Restart      \? Help  q Quit")


@test
def many_sizes(t):
    ready(t)
    rnd = random.Random(7)
    for _ in range(200):
        t.size(rnd.randint(1, 150), rnd.randint(1, 50))
    t.size(80, 24)
    t.see(r"supervisor up 3d00h")

    def same():
        a = [x for x in t.grab().split("\n")[5:]]
        t.keys("C-l")
        time.sleep(0.05)
        return a == [x for x in t.grab().split("\n")[5:]]
    until(same, 3000, "a repaint changes the screen")
    assert t.pid() != 0


@test
def follow_key(t):
    ready(t)
    start = time.monotonic()
    t.keys("f")
    t.see("PAUSED", 500)
    t.keys("f")
    t.see("FOLLOW", 500)
    assert time.monotonic() - start < 1


@test
def idle_is_cheap(t):
    ready(t)
    pid = t.pid()

    def ticks():
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            s = f.read().rsplit(")", 1)[1].split()
        return int(s[11]) + int(s[12])

    def written():
        with open("/proc/%d/io" % pid, encoding="ascii") as f:
            return int(re.search(r"wchar: (\d+)", f.read()).group(1))
    if not os.path.exists("/proc/self/io"):
        return
    time.sleep(1)
    a, w = ticks(), written()
    time.sleep(5)
    assert ticks() - a <= 5, ticks() - a        # 50 ms in 5 s, with sanitizers
    assert written() - w <= 600, written() - w


@test
def hostile_text(t):
    ready(t)
    t.core.be("log", lines=[["child", " ", "a\rEVIL"], ["child", " ", "x\u202ey\u200bz"], ["child", "E", "\x1b]0;title\x07red \x1b[31mtext"],
                            ["child", " ", "\u65e5\u672c\u8a9e" * 60]])
    t.see("EVIL")
    t.see("x<202e>y<200b>z")
    t.see(r"^\d\d:\d\d:\d\d cE red text")
    assert "\u202e" not in t.grab()
    for cols in (80, 79, 41):
        t.size(cols, 24)
        t.see(r"日本")
        time.sleep(0.2)
        rows = t.grab().split("\n")
        for r in rows:
            if "日" in r:
                assert sum(2 if ord(c) > 0x3000 else 1 for c in r) <= cols, r
        t.see(r"\? Help  q Quit")


@test
def terminals(t):
    for term in ("vt100", "xterm-mono", "linux", "screen", "xterm-256color", "ansi"):
        x = Term(t.mai)
        try:
            x.attach(env={"TERM": term})
            x.see("RUNNING")
            if term in ("vt100", "xterm-mono"):
                assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", x.grab("-e")), term
            if term == "xterm-256color":
                assert re.search(r"\x1b\[[0-9;]*36m", x.grab("-e"))
        finally:
            x.close()


@test
def unknown_terminals(t):
    """A type that is not installed here is drawn on as its like is, and that is said once."""
    for term in ("xterm-newest", "foot-newer", "nonsense"):
        x = Term(t.mai)
        try:
            x.attach(env={"TERM": term})
            x.see("RUNNING")
            x.see("TERM=%s is not known here; drawing as for %s" % (term, "ansi" if term == "nonsense" else "xterm-256color"))
            x.keys("q")
            assert x.ended() == 0
        finally:
            x.close()


@test
def no_color(t):
    ready(t, env={"NO_COLOR": "1"})
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", t.grab("-e"))


@test
def plain_lines(t):
    t.core = Core(t.dir)
    for env, args in (({"TERM": "dumb"}, ""), ({"TERM": "xterm"}, "--plain"), ({"TERM": ""}, "")):
        p = subprocess.Popen([t.mai, "attach"] + args.split(), env=dict(t.env, **env), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE)
        os.set_blocking(p.stdout.fileno(), False)
        got = bytearray()

        def read(want):
            def more():
                got.extend(p.stdout.read() or b"")
                return re.search(want, got)
            until(more, 5000, lambda: "%r not in %r" % (want, bytes(got)))
        read(rb"%s ready" % QWEN.encode())
        t.core.be("log", lines=[["child", "W", "low on \x1b[31mmemory"]])
        read(rb"\d\d:\d\d:\d\d cW low on memory")
        t.core.be("engine", id=QWEN, state="backoff", attempt=1, last_exit="SIGKILL after 2s")
        read(rb"backoff \(1/3\): SIGKILL after 2s")
        t.core.be("engine", id=QWEN, state="ready", attempt=0)
        p.send_signal(signal.SIGINT)
        assert p.wait(5) == 0
        assert b"\x1b" not in got
        p.stdout.close()


@test
def ascii_only(t):
    for env, args in (({"LC_ALL": "C"}, ""), ({}, "--ascii")):
        x = Term(t.mai)
        try:
            ready(x, args=args, env=env)
            x.core.be("log", lines=[["child", " ", "caf\u00e9 \u65e5"]])
            x.see(r"caf\? \?\?")
            assert all(ord(c) < 128 for c in x.grab()), x.grab()
            x.see(r"^= Log all =")
        finally:
            x.close()


@test
def swap(t):
    ready(t)
    t.core.be("answers", delay=0.5)
    t.keys("m")
    t.see("Swap model")
    t.type("gemma")
    t.see("1 of 2 shown")
    time.sleep(0.2)
    t.keys("Enter")
    t.see("swap: sent", 500)
    t.core.called(r'POST /load \{"model":"%s"\} viewer=1' % GEMMA)
    t.core.be("engine", id=QWEN, state="draining", kill_at="+12000")
    t.core.be("gauges", swap_from=QWEN, swap_to=GEMMA, swap_step=1, swap_since="-0", swap_who="attach#2 (alice, tty1)")
    t.see(r"◌ SWAPPING %s -> %s" % (QWEN, GEMMA))
    t.see(r"\[1 drain 0 req, 1[012]s left\]  2 stop  3 start")
    t.core.be("engine", id=QWEN, state="stopped", current=False, pid=0)
    t.core.be("engine", id=GEMMA, state="ready", current=True, pid=7, spawned_at="-0", since="-0")
    t.core.be("gauges", swap_from=None, swap_to=None)
    t.see(r"● RUNNING  %s" % GEMMA)
    t.see("swapped in 0.[5-9]s")


@test
def stop_asks(t):
    ready(t)
    t.keys("x")
    t.see("Stop model")
    time.sleep(0.2)
    t.keys("Enter")
    t.gone("Stop model")
    assert not any("stop" in c for c in t.core.calls())
    t.keys("x")
    t.see("Stop model")
    time.sleep(0.25)
    t.keys("y")
    t.core.called(r"POST /stop\?model=Qwen3")
    t.core.be("engine", id=QWEN, state="stopped", reason="user", stopped_by="attach#1", since="-0", pid=0)
    t.see(r"○ STOPPED")
    t.keys("s")
    t.core.called(r"POST /start\?model=Qwen3")


@test
def stopping_counts_down(t):
    ready(t)
    t.core.be("engine", id=QWEN, state="stopping", reason="user", since="-0", kill_at="+9000")
    t.see(r"STOPPING")
    t.see(r"SIGKILL in [0-9.]+s")
    a = re.search(r"SIGKILL in ([0-9.]+)s", t.grab()).group(1)
    until(lambda: re.search(r"SIGKILL in ([0-9.]+)s", t.grab()).group(1) != a, 2500, "the countdown stands")


@test
def typed_ahead(t):
    ready(t)
    t.type("xy")
    t.see("Stop model")
    time.sleep(0.3)
    assert not any("stop" in c for c in t.core.calls())
    t.see("Stop model")


@test
def paste_is_dropped(t):
    ready(t)
    t.tmux("set-buffer", "xysq")
    t.tmux("paste-buffer", "-p", "-t", "t")
    t.see("pasted text ignored")
    assert not any("stop" in c or "shutdown" in c for c in t.core.calls())
    t.keys("m")
    t.see("Swap model")
    t.tmux("set-buffer", "gemma")
    t.tmux("paste-buffer", "-p", "-t", "t")
    t.see("Filter: gemma")


@test
def paste_without_end(t):
    """When the end of a paste is lost its text does nothing; keys are told how to go on, and do after Esc."""
    ready(t)
    t.type("\x1b[200~xyq")
    time.sleep(0.4)
    t.keys("f")
    t.see("in the middle of a paste; Esc ends it")
    time.sleep(0.4)
    t.keys("Escape")
    t.see("pasted text ignored")
    assert not any("stop" in c or "shutdown" in c for c in t.core.calls())
    t.keys("f")
    t.see("PAUSED")
    t.keys("x")
    t.see("Stop model")


@test
def backoff_and_failed(t):
    ready(t)
    t.core.be("engine", id=QWEN, state="backoff", attempt=2, retry_at="+6000", retry_total=8000, pid=0,
              last_exit="SIGKILL after 12s", cause="boom")
    t.see(r"▲ BACKOFF", 1000)
    t.see(r"retry in [0-9.]+s █+░* +last: SIGKILL after 12s +attempt 2/3")
    t.see("cause: boom")
    a = re.search(r"retry in ([0-9.]+)s", t.grab()).group(1)
    until(lambda: re.search(r"retry in ([0-9.]+)s", t.grab()).group(1) != a, 1000, "the countdown stands")
    t.keys("r")
    t.core.called(r'POST /api/restart \{"model":"Qwen3')
    t.core.be("log", lines=[["mai", " ", "starting x (attempt 3/3)"], ["child", "E", "RuntimeError: no"]] +
              [["mai", " ", "line %d" % i] for i in range(40)])
    t.core.be("engine", id=QWEN, state="failed", reason="crash", attempt=3, failed_wall=int(time.time() * 1000),
              last_exit="exit status 1 after 9.1s", cause="RuntimeError: no")
    t.see(r"■ FAILED ")
    t.see(r"gave up after 3/3 attempts: exit status 1 after 9.1s +failed \d\d:\d\d:\d\d")
    t.see(r"PAUSED at error 1 of 1")
    t.see(r"^\d\d:\d\d:\d\d>cE RuntimeError: no")
    t.see(r"^ cause: RuntimeError: no", 6000)
    t.core.be("engine", id=QWEN, state="starting", since="-0", quiet_since="-0", attempt=0, usual_ms=42000)
    t.see(r"◌ STARTING")
    t.see(r"│░+ +usually 42s")
    t.see("FOLLOW")


@test
def cancel_by_id(t):
    ready(t)
    for i in (1, 2, 3):
        t.core.be("request", id=i)
    t.see("Requests 3")
    t.keys("Tab")
    t.see("^> +1 ")
    t.keys("j")
    t.see("^> +2 ")
    t.core.be("request", id=1, phase="done")
    t.see("Requests 2")
    t.see("^> +2 ")
    t.keys("K")
    t.see("Cancel request 2")
    time.sleep(0.25)
    t.keys("y")
    t.core.called(r"POST /api/requests/2/cancel")


@test
def live_popup(t):
    ready(t)
    t.core.be("engine", id=QWEN, in_flight=2, queued=1)
    t.keys("x")
    t.see("2 requests in flight will be given 30s to finish, then cut.")
    t.see("1 queued request will get 503")
    t.core.be("engine", id=QWEN, in_flight=1)
    t.see("1 request in flight")
    t.core.be("engine", id=QWEN, state="backoff", retry_at="+60000", retry_total=60000)
    t.gone("Stop model")
    t.see("is backoff now")


@test
def search_and_filter(t):
    ready(t)
    t.core.be("log", lines=[["child", "E" if i % 10 == 0 else " ", "item %d%s" % (i, " error" if i % 10 == 0 else "")]
                            for i in range(100)])
    t.see("item 99")
    t.type("/error")
    t.see("search .*: error_")
    t.keys("Enter")
    t.see("match 10 of 10")
    t.keys("N")
    t.see("match 9 of 10")
    t.keys("n")
    t.see("match 10 of 10")
    t.type("/~[")
    t.keys("Enter")
    t.see("bad expression")
    t.keys("Escape")
    t.keys("G")
    t.see("FOLLOW")
    t.type("&!error")
    t.keys("Enter")
    t.see(r"filter !error \(10 hidden\)")
    assert "error" not in "\n".join(t.grab().split("\n")[7:22])
    t.keys("Escape")
    t.gone("hidden")
    t.keys("e")
    t.see("PAUSED at error 10 of 10")
    t.keys("E")
    t.see("PAUSED at error 9 of 10")


@test
def scrolling(t):
    ready(t)
    t.core.be("log", lines=[["child", " ", "item %d" % i] for i in range(100)])
    t.see("item 99")
    t.keys("k")
    t.see("PAUSED")
    top = t.row(7)
    t.core.be("log", lines=[["child", " ", "more %d" % i] for i in range(100)])
    t.see(r"PAUSED \+100 new")
    assert t.row(7) == top, (t.row(7), top)
    t.keys("g")
    t.see("item 0$")
    t.keys("PageDown")
    t.see("item 20$")
    t.keys("1")
    t.see("Log child")
    t.keys("2")
    t.see("Log mai")
    t.gone("item")
    t.keys("0", "G")
    t.see("FOLLOW")
    t.see("more 99")
    t.core.be("log", lines=[["child", " ", "0123456789" * 30]])
    t.see("…$")
    t.keys("w")
    t.see("wrap on")
    t.see(r"^ +[0-9]{10,}")


@test
def suspend(t):
    t.core = Core(t.dir)
    t.shell(80, 24)
    t.type(t.mai + " attach")
    t.keys("Enter")
    t.see("RUNNING")
    t.keys("C-z")
    t.see(r"[Ss]topped|\$ ")
    t.gone("RUNNING")
    t.type("fg")
    t.keys("Enter")
    t.see("RUNNING")
    t.see(r"\? Help  q Quit")
    t.keys("q")
    t.gone("RUNNING")


@test
def stalled_terminal(t):
    """A terminal that does not read holds up nothing but itself; the view catches up."""
    ready(t)
    server = int(t.tmux("display", "-p", "#{pid}"))
    os.kill(server, signal.SIGSTOP)
    try:
        for _ in range(20):
            t.core.be("flood", n=500)
            time.sleep(0.05)
        start = time.monotonic()
        t.core.ask("GET", "/api/version")
        assert time.monotonic() - start < 1
    finally:
        os.kill(server, signal.SIGCONT)
    t.core.be("log", lines=[["child", " ", "after all"]])
    t.see("after all", 5000)


@test
def flood(t):
    ready(t)
    for _ in range(20):
        t.core.be("flood", n=1000)
    t.see("flood line 999", 5000)
    t.keys("f")
    t.see("PAUSED", 1000)


@test
def lost_terminal(t):
    ready(t)
    pid = t.pid()
    t.tmux("kill-pane", "-t", "t", check=False)
    until(lambda: not alive(pid), 3000, "the view outlives its terminal")
    assert t.core.alive()
    t.core.called(r'/bye \{"how":"hangup"\}')


@test
def other_viewer(t):
    ready(t)
    t.core.be("action", who="attach#2 (alice, tty1)", text="restart " + QWEN)
    t.see(r"attach#2 \(alice, tty1\): restart")
    t.core.be("action", who="attach#1", text="my own deed")
    time.sleep(0.3)
    assert "my own deed" not in t.grab()


@test
def leave_restores(t):
    ready(t)
    t.keys("q")
    assert t.ended() == 0
    t.sane()
    t.core.called(r'POST /api/viewers/1/bye \{"how":"detach"\}')


@test
def killed_restores(t):
    for sig in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGSEGV, signal.SIGABRT):
        x = Term(t.mai)
        try:
            ready(x)
            os.kill(x.pid(), sig)
            rc = x.ended()
            assert rc == 0 if sig in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT) else rc != 0, (sig, rc)
            x.sane()
        finally:
            x.close()


def interrupted(p, fd):
    """Its exit status, and what it wrote."""
    out = b""
    p.send_signal(signal.SIGINT)
    try:
        while select.select([fd], [], [], 5)[0]:
            out += os.read(fd, 65536)
        p.kill()
    except OSError:
        pass                               # nobody holds the other side any more
    os.close(fd)
    return p.wait(5), out


@test
def interrupted_early(t):
    """An interrupt at any moment of the start ends it as later ones do, or before the terminal was touched."""
    t.core = Core(t.dir)
    begin = time.monotonic()
    p, fd = t.on_pty("attach")
    os.read(fd, 1)
    usual = time.monotonic() - begin
    assert interrupted(p, fd)[0] == 0
    for step in range(200):
        p, fd = t.on_pty("attach")
        time.sleep(usual * 1.5 * step / 200)
        rc, out = interrupted(p, fd)
        drawn = b"\x1b[?1049h" in out
        assert drawn == (b"\x1b[?1049l" in out), (step, out)
        assert rc == 0 or rc == -signal.SIGINT and not drawn, (step, rc, out)


@test
def link_down(t):
    ready(t)
    t.core.stop()
    t.see(r"^ \? LINK DOWN Qwen3")
    t.see(r"last known \d+s ago: RUNNING up 2h14m, 0 in flight +retry \d+ in [0-9.]+s")
    t.see(r"r Retry now.*q Quit")
    t.keys("m")
    t.see("not connected")
    until(lambda: "supervisor not running" in t.grab(), 10000, "why")
    t.core.start()
    t.keys("r")
    t.see("RUNNING", 7000)
    t.keys("q")
    assert t.ended() == 0


@test
def no_core(t):
    p = subprocess.run([t.mai, "attach"], env=t.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=20)
    assert p.returncode == 3, p
    assert p.stdout == b""


@test
def refused(t):
    ready(t)
    t.core.be("answers", answer=[500, {"detail": "Failed to load model", "cause": "out of memory"}])
    t.keys("r")
    t.see(r"restart: .*(out of memory|Failed to load)")
    t.keys("f")
    t.gone("restart: ")


@test
def pending_twice(t):
    ready(t)
    t.core.be("answers", delay=3)
    t.keys("r")
    t.see("restart: sent", 500)
    t.core.called("POST /api/restart")
    t.keys("r")
    t.see("already under way", 500)
    t.see(r"waiting for the supervisor, [12]\.\d s", 2500)
    t.see("restarted in 3", 8000)
    assert sum("/api/restart" in c for c in t.core.calls()) == 1


@test
def read_only(t):
    ready(t, args="--read-only")
    t.see("attached, read-only")
    assert "Restart" not in t.grab()
    t.keys("r")
    t.see("read-only$")
    assert not any("restart" in c for c in t.core.calls())


@test
def other_protocol(t):
    t.core = Core(t.dir)
    t.core.be("head", protocol=99, version="9.4.0")
    t.attach()
    t.see(r"mai 9.4.0 is running, this is .*: read-only")


@test
def help_screen(t):
    ready(t)
    t.keys("?")
    t.see("┌─ Help ─")
    t.see("pick a model and swap")
    t.see(r"K +cancel request \(asks\)")
    t.keys("Escape")
    t.gone("┌─ Help ─")


@test
def unknown_key(t):
    ready(t)
    t.keys("Z")
    t.see(r"unknown key; \? shows all")
    t.gone("unknown key", 6000)


if __name__ == "__main__":
    sys.exit(run(TESTS))
