#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The dashboard as it must behave with the whole program below it: real core, real keys, engines that misbehave.
acceptance.py MAI [TEST...]"""
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request

from term import Term, alive, run, until
from foreground import children, cli, close, config, core_pid, nothing_left, start, tidy

TESTS = []


def test(fn):
    TESTS.append(fn)
    return fn


def up(t, cols=80, rows=24, shell=None, args="", more="", **kw):
    """mai on one model `one`, whose command is a line of sh that ends in the pretend engine."""
    config(t, more=more, **kw)
    if shell is not None:
        engine = os.path.abspath("tests/fake/fake_engine")
        with open(t.dir + "/script", "w", encoding="utf-8") as f:
            f.write("%s\nexec %s --port $1 --model one --ready-after 100\n" % (shell, engine))
        with open(t.dir + "/mai.yaml", encoding="utf-8") as f:
            head = f.read().split("models:")[0]
        with open(t.dir + "/mai.yaml", "w", encoding="utf-8") as f:
            f.write(head + "models:\n  one:\n    cmd: sh %s/script ${PORT}\n    checkEndpoint: /health\n" % t.dir)
    t.up(cols, rows, "mai -c %s/mai.yaml %s" % (t.dir, args))


def port(t):
    with open(t.dir + "/mai.yaml", encoding="utf-8") as f:
        return int(re.search(r"listen: 127.0.0.1:(\d+)", f.read()).group(1))


def rss(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) * 1024


def ticks(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        s = f.read().rsplit(")", 1)[1].split()
    return int(s[11]) + int(s[12])


class Stream(threading.Thread):
    """A streamed answer that is being read: cut or whole in the end."""

    def __init__(self, t, fake):
        super().__init__(daemon=True)
        self.request = urllib.request.Request(
            "http://127.0.0.1:%d/v1/chat/completions" % port(t),
            headers={"Content-Type": "application/json", "X-Fake": fake, "Authorization": "Bearer canary"},
            data=json.dumps({"model": "one", "stream": True, "messages": [{"role": "user", "content": "hi"}]}).encode())
        self.got = b""
        self.start()

    def run(self):
        try:
            with urllib.request.urlopen(self.request, timeout=60) as r:
                while True:
                    part = r.read1(4096)
                    if not part:
                        break
                    self.got += part
        except OSError:
            pass
        except Exception as e:
            self.got += repr(e).encode()

    @property
    def whole(self):
        return not self.is_alive() and b"[DONE]" in self.got


class Probe(threading.Thread):
    """Asks the core all the time; the slowest answers are kept."""

    def __init__(self, t):
        super().__init__(daemon=True)
        self.url = "http://127.0.0.1:%d/health" % port(t)
        self.took, self.on = [], True
        self.start()

    def run(self):
        while self.on:
            begin = time.monotonic()
            with urllib.request.urlopen(self.url, timeout=10) as r:
                assert r.status == 200
            self.took.append(time.monotonic() - begin)
            time.sleep(0.01)

    def p99(self):
        self.on = False
        self.join()
        return sorted(self.took)[len(self.took) * 99 // 100]


SLOW = float(os.environ.get("MAI_TEST_SLOW", "1"))


@test
def first_frame(t):
    begin = time.monotonic()
    up(t)
    t.see("STARTING|RUNNING|CONNECTING", 2000 * SLOW)
    took = time.monotonic() - begin
    print("first frame after %d ms" % (took * 1000))
    assert took < 0.5 * SLOW, took
    t.see("STARTING|RUNNING", 2000 * SLOW)


@test
def keys_are_echoed(t):
    """A key shows at once: what the terminal and this test need for it is in the figure."""
    up(t)
    t.see("RUNNING  one", 10000)
    took = []
    for i in range(20):
        word = "FOLLOW" if i % 2 else "PAUSED"
        begin = time.monotonic()
        t.keys("f")
        until(lambda: word in t.grab(), 2000, word)
        took.append(time.monotonic() - begin)
    took.sort()
    print("echo after %d ms (median)" % (took[10] * 1000))
    assert took[10] < 0.08 * SLOW, took


@test
def sizes_and_back(t):
    up(t)
    t.see("RUNNING  one", 10000)
    for cols, rows in ((120, 36), (60, 16), (40, 12), (30, 6), (20, 3), (1, 1), (80, 24)):
        t.size(cols, rows)
        until(lambda: t.grab().count("\n") == rows, 2000, "size")
        if (cols, rows) == (40, 12):
            t.see(r"\A● RUNNING one")
        assert t.pid() != 0
    t.see(r"^ ● RUNNING  one +up ")
    t.see(r"\? Help  q Quit$")


@test
def idle_costs_nothing(t):
    """Ten seconds in which nothing happens: few bytes to the terminal, hardly any work."""
    up(t)
    t.see("RUNNING  one", 10000)
    t.gone("^ mai: start one", 10000)
    pid = t.pid()

    def written():
        with open("/proc/%d/io" % pid, encoding="ascii") as f:
            return int(re.search(r"wchar: (\d+)", f.read()).group(1))
    core = core_pid(t)
    a, c, w = ticks(pid), ticks(core), written()
    time.sleep(10)
    cpu, of_core, out = (ticks(pid) - a) * 10, (ticks(core) - c) * 10, written() - w
    print("%d bytes, %d ms, %d ms of the core" % (out, cpu, of_core))
    assert out <= 800, out
    assert cpu <= 50 * SLOW and of_core <= 50 * SLOW, (cpu, of_core)


@test
def long_line(t):
    """50 MiB without a newline: bounded memory, and it is said that something is missing."""
    up(t, shell="echo before; sleep 1; head -c 150000 /dev/zero | tr '\\000' y; echo; sleep 1; "
       "head -c 52428800 /dev/zero | tr '\\000' x; echo; echo behind it")
    t.see("c  before", 10000)
    pids = (core_pid(t), t.pid())
    before = [rss(p) for p in pids]
    t.see("c  behind it", 20000 * SLOW)
    t.see("RUNNING  one", 20000 * SLOW)
    grown = [rss(p) - b for p, b in zip(pids, before)]
    print("grown by %s" % grown)
    assert max(grown) < (24 << 20) * SLOW, grown
    lines = cli(t, "logs", "-n", "5000", "--source", "child", "one").stdout.split("\n")
    cut = [x for x in lines if x.startswith("yyyy")]
    assert len(cut) == 1 and len(cut[0]) <= 65536 + 3 and cut[0].endswith("y..."), [(len(x), x[-9:]) for x in cut]
    cut = [x for x in lines if re.match(r"x{1000,}\.\.\.$", x)]
    assert len(cut) == 1 and not any("dropped" in x for x in lines), [x[:80] for x in lines]
    t.keys("1")
    t.see(r"c  y{20,}…")
    t.see(r"c  x{20,}…")
    t.keys("w")
    t.see(r"^ +x+\.\.\.$")                   # wrapped, its end is seen: the mark of the cut


@test
def loading_is_seen(t):
    """What an engine has written of a line is shown before it ends; the bar marks how long loading usually takes."""
    up(t, shell="printf 'loading shards 3/5'; sleep 2; printf '\\rloading shards 5/5\\n'")
    t.see(r"c  loading shards 3/5$", 2000 * SLOW)
    t.see(r"^ ◌ STARTING one +\ds$")
    t.see(r"^  [░█]+  quiet \d+/\d+s$")
    t.see("RUNNING  one", 10000)
    t.see(r"c  loading shards 5/5$")
    assert "3/5" not in t.grab()
    t.keys("r")
    t.see(r"^  █*│?░*│░+ .*usually 2s", 5000)
    t.see(r"RSS +\d")
    t.see("restarted in [23]", 10000)


@test
def progress_bar(t):
    """A thousand redraws of one line are one line, its last state."""
    up(t, shell="i=0; while [ $i -lt 1000 ]; do i=$((i + 1)); printf '\\rloading %s/1000 %s%%' $i $((i / 10)); done; echo; echo done loading")
    t.see("done loading", 10000)
    rows = [r for r in t.grab().split("\n") if re.search(r"c  loading ", r)]
    assert len(rows) == 1 and "1000/1000 100%" in rows[0], rows
    r = cli(t, "logs", "--source", "child", "one")
    assert len(re.findall("loading 1000/1000", r.stdout)) == 1 and "loading 5/1000" not in r.stdout, r.stdout


@test
def hostile_output(t):
    up(t, shell=r"""printf 'a\rEVIL\n'; printf 'x\342\200\256y\342\200\213z\n'; printf '\033]0;gotcha\007t\033[31mred\033[5;5Hcell\n'
printf '\233\061m8bit \177 \001\n'; echo last""")
    t.see("c  last", 10000)
    t.see(r"^\d\d:\d\d:\d\d c  EVIL")
    t.see(r"x<202e>y<200b>z")
    t.see(r"tredcell")
    assert "\u202e" not in t.grab() and "gotcha" not in t.tmux("display", "-p", "#{pane_title}")
    for row in t.grab().split("\n")[7:21]:
        assert row == "" or re.match(r"\d\d:\d\d:\d\d[ >][cma][ EW] ", row), row


@test
def colours_of_an_engine(t):
    """They are gone, unless the configuration keeps them; then they are those of the theme."""
    line = "printf 'plain \\033[31mtrouble\\033[0m \\033[32mwell\\033[0m \\033[38;5;99modd\\033[0m end\\n'; echo last"

    def painted(x):
        row = [r for r in x.grab("-e").split("\n") if "trouble" in r][0]
        return re.sub(r"\x1b\[[0-9;]*m", lambda m: "<%s>" % m.group(0)[2:-1], row)
    up(t, shell=line)
    t.see("c  last", 10000)
    assert "plain trouble well odd end" in painted(t), painted(t)
    r = json.loads(subprocess.run(["curl", "-s", "http://127.0.0.1:%d/api/logs?source=child&colors=1" % port(t)],
                                  stdout=subprocess.PIPE).stdout)
    assert all(len(x) == 6 for x in r["lines"]), r
    other = Term(t.mai)
    try:
        up(other, shell=line, more="dashboard: {logColors: true}\n")
        other.see("c  last", 10000)
        assert re.search(r"plain (<\d+>)*<31>trouble(<\d+>)+ (<\d+>)*<36>well(<\d+>)+ odd end", painted(other)), painted(other)
        close(other)
    finally:
        other.close()


@test
def wide_text(t):
    up(t, shell="i=0; while [ $i -lt 60 ]; do printf '日本語'; i=$((i + 1)); done; echo; echo after")
    t.see("c  after", 10000)
    for cols in (80, 79, 41):
        t.size(cols, 24)
        until(lambda: re.search(r"after", t.grab()) and re.search("Quit$", t.grab(), re.M), 3000, t.grab)
        time.sleep(0.2)
        rows = t.grab().split("\n")
        at = [i for i, r in enumerate(rows) if "日本" in r]
        assert len(at) == 1, rows
        nxt = rows[at[0] + 1]
        assert re.match(r"\d\d:\d\d:\d\d[ >]c|c.\d\d:\d\d", nxt), nxt
        assert rows[23].rstrip().endswith("q Quit"), rows[23]


@test
def swap_says_what_it_does(t):
    up(t, one="--ready-after 200", two="--ready-after 600")
    t.see("RUNNING  one", 10000)
    s = Stream(t, "sse=40, gap=50")
    t.see("in flight 1")
    t.keys("m")
    t.see("Swap model")
    t.type("two")
    t.see("1 of 2 shown")
    time.sleep(0.2)
    t.keys("Enter")
    t.see(r"SWAPPING one -> two", 2000)
    t.see(r"\[1 drain 1 req")
    t.see(r"\[3 start", 8000)
    t.see(r"RUNNING  two", 8000)
    t.see("swapped in")
    assert "loaded in" not in t.grab()
    s.join(5)
    assert s.whole, s.got[-100:]


@test
def swap_cancelled(t):
    up(t, one="--ready-after 200")
    t.see("RUNNING  one", 10000)
    s = Stream(t, "sse=200, gap=50")
    t.see("in flight 1")
    t.keys("m")
    t.see("Swap model")
    t.type("two")
    time.sleep(0.3)
    t.keys("Enter")
    t.see(r"\[1 drain 1 req")
    t.keys("x")
    t.see("RUNNING  one", 5000)
    t.gone("SWAPPING")
    assert cli(t, "cancel", "1").returncode == 0
    s.join(5)


@test
def change_of_mind(t):
    """While a model loads the core is not called silent, and another one may be picked."""
    up(t, one="--ready-after 200", two="--ready-after 60000")
    t.see("RUNNING  one", 10000)
    t.keys("m")
    t.see("Swap model")
    t.type("two")
    time.sleep(0.3)
    t.keys("Enter")
    t.see("swap: sent")
    t.gone("swap: sent", 8000)
    assert "waiting for" not in t.grab(), t.grab()
    t.see("swap requested by ")
    t.keys("m")
    t.see("Swap model")
    t.type("two")
    time.sleep(0.3)
    t.keys("Enter")
    t.see("swap: already under way")
    t.keys("m")
    t.see("Swap model")
    t.type("one")
    time.sleep(0.3)
    t.keys("Enter")
    t.see("RUNNING  one", 8000)


@test
def stop_is_asked_for(t):
    up(t)
    t.see("RUNNING  one", 10000)
    t.keys("x")
    t.see("Stop model")
    time.sleep(0.2)
    t.keys("Enter")
    t.gone("Stop model")
    assert "ready" in cli(t, "status").stdout
    t.type("xy")                        # in one write: too soon to be an answer
    t.see("Stop model")
    time.sleep(0.4)
    assert "ready" in cli(t, "status").stdout
    t.keys("y")
    t.see("STOPPED  one", 8000)
    t.see("next request starts it")
    t.keys("s")
    t.see("RUNNING  one", 8000)


@test
def stop_is_hurried(t):
    """A second x ends the drain; what is said counts from the first."""
    up(t)
    t.see("RUNNING  one", 10000)
    s = Stream(t, "sse=60, gap=50, stall-after=3")
    t.see("in flight 1")
    t.keys("x")
    t.see("1 request in flight will be given 30s")
    time.sleep(0.25)
    t.keys("y")
    t.see(r"draining 1 in flight, 2[0-8]s left", 5000)
    t.keys("x")
    t.see("STOPPED  one", 5000)
    t.see(r"^ stopped in [1-9][0-9.]*s", 2000)
    s.join(5)


@test
def end_is_hurried(t):
    """While everything drains, x does not wait any longer."""
    up(t)
    t.see("RUNNING  one", 10000)
    s = Stream(t, "sse=60, gap=50, stall-after=3")
    t.see("in flight 1")
    t.keys("q")
    t.see("Quit mai")
    time.sleep(0.25)
    t.keys("s")
    t.see(r"draining 1 in flight, \d+s left")
    t.keys("x")
    assert t.ended(5000 * SLOW) == 0
    t.sane()
    nothing_left(t)
    s.join(5)


@test
def crash_and_retry_now(t):
    up(t, more="backoff: 30\n")
    t.see("RUNNING  one", 10000)
    os.kill(int(re.search(r"pid (\d+)", t.grab()).group(1)), signal.SIGKILL)
    t.see("BACKOFF", 1000)
    t.see(r"retry in [0-9.ms]+s? ", 1000)
    t.keys("r")
    t.see("STARTING", 1000)
    t.see("RUNNING  one", 10000)
    t.keys("1")
    t.see(r"c  --- run 1, SIGKILL.* ---")
    t.see("restarts 0/3")       # a start by hand begins anew


@test
def gives_up_and_is_told_again(t):
    up(t, shell="echo RuntimeError: no metal here >&2; sleep 0.1; exit 1", more="backoff: 0.1\n")
    t.see("FAILED", 20000)
    t.see("gave up after 3/3 attempts", 3000)
    t.see("mai: start one failed", 5000)
    t.see("cause: RuntimeError: no metal here", 10000)
    t.see("PAUSED at error")
    t.see(r">cE RuntimeError: no metal here")
    assert cli(t, "logs", "--source", "child", "one").stdout.count("no metal here") == 4
    t.keys("y")
    t.see("sent 27 bytes")
    t.keys("r")
    t.see(r"BACKOFF[\s\S]*attempt 1/3", 8000)


@test
def what_it_died_of(t):
    """e finds the error behind a failure among what became of requests since, and y takes all of it."""
    up(t, shell="echo Traceback >&2; echo '  File x.py' >&2; echo RuntimeError: no metal here >&2; echo bye; sleep 0.1; exit 1",
       more="backoff: 0.1\n")
    t.see("FAILED", 20000)
    t.see(r">cE Traceback")
    for _ in range(30):
        Stream(t, "sse=1").join(5)
    t.keys("G")
    t.see(r"aE 127.* 503 .*\n.*aE 127.* 503 ")
    t.gone("Traceback")
    t.keys("3", "e")
    t.see(r">cE Traceback")
    t.see("Log all, last error")
    t.keys("y")
    t.see("sent 49 bytes")
    t.keys("e")
    t.see("it failed with this; e goes to the next error")
    t.keys("e")
    t.see(r">mE one: died after \S+: exit status 1: RuntimeError: no metal here")


def bells(t):
    """Says how often the terminal was rung from now on."""
    t.tmux("pipe-pane", "-t", "t", "-o", "cat > %s/out" % t.dir)

    def count():
        with open(t.dir + "/out", "rb") as f:
            return f.read().count(b"\a")
    until(lambda: os.path.exists(t.dir + "/out"), 3000, "no pipe")
    return count


@test
def a_failure_rings(t):
    """Once, and not at all where the configuration says so."""
    for more, want in (("", 1), ("dashboard: {bell: false}\n", 0)):
        x = Term(t.mai)
        try:
            up(x, shell="sleep 0.2; exit 1", more="backoff: 0.1\n" + more)
            count = bells(x)
            x.see("FAILED", 20000)
            x.see("gave up after 3/3 attempts")
            x.see(">mE one: died after")
            x.keys("?")
            x.see("┌─ Help ─")
            assert count() == want, (more, count())
        finally:
            close(x)
            x.close()


@test
def prompt_in_progress(t):
    """How far an engine is with a prompt, as its server tells it, in the table and in the box."""
    up(t)
    t.see("RUNNING  one", 10000)
    s = Stream(t, "sse=300, gap=50, progress=4, ahead-gap=1500")
    t.see("Requests 1")
    t.keys("Tab")
    t.see(r"^> +1 127\S+ +chat .* prefill 25%", 5000)
    t.keys("Enter")
    t.see(r"state +prefill")
    t.see(r"prompt +1,024 of 2,048 tokens", 5000)
    t.see(r"tokens out +0 ")
    t.see(r"state +gen", 8000)
    t.gone(r"prompt +[0-9,]+ of")
    t.see(r"tokens in +2,048")
    t.size(60, 24)
    t.keys("Escape")
    t.see(r"^> +1 127.* ~\d\d\.\d +gen")         # only counted
    t.see(r"^ +tok/s +~\d+\.\d ")
    assert "prefill" not in t.grab()
    assert cli(t, "cancel", "1").returncode == 0
    s.join(5)


@test
def cancel_the_selected_one(t):
    up(t, one="--ready-after 200")
    t.see("RUNNING  one", 10000)
    s = []
    for gap in (40, 100, 100):
        s.append(Stream(t, "sse=%d, gap=%d" % (30 if gap == 40 else 300, gap)))
        t.see("Requests %d" % len(s), 4000)
    t.keys("Tab", "j")
    t.see(r"^> +2 127")
    t.see("Requests 2", 8000)           # the first one ends by itself
    t.see(r"^> +2 127")
    t.keys("Enter")
    t.see(r"Host: 127")
    t.keys("G")
    t.see(r"Authorization: \*\*\*")
    assert "canary" not in t.grab()
    t.keys("Escape", "K")
    t.see("Cancel request 2 of 127")
    time.sleep(0.25)
    t.keys("y")
    t.see("Requests 1", 4000)
    s[1].join(5)
    assert s[0].whole and not s[1].whole and s[2].is_alive()
    t.see(r"^> +3 127")
    assert cli(t, "cancel", "3").returncode == 0


@test
def filter_then_follow(t):
    up(t, one="--flood 50")
    t.see("RUNNING  one", 10000)
    t.keys("k", "k")
    t.see("PAUSED")
    top = t.row(7)
    t.see(r"PAUSED \+\d+ new", 5000)
    assert t.row(7) == top
    t.keys("G")
    t.see("FOLLOW")
    t.keys("&")
    t.type("!flood")
    t.keys("Enter")
    t.see(r"filter !flood \(\d[\d,]* hidden\)")
    t.see("starting -> ready")


@test
def suspended_and_serving(t):
    config(t)
    t.shell(80, 24)
    t.type("%s -c %s/mai.yaml" % (t.mai, t.dir))
    t.keys("Enter")
    t.see("RUNNING  one", 10000)
    probe = Probe(t)
    t.keys("C-z")
    t.gone("RUNNING  one")
    time.sleep(1)
    assert len(probe.took) > 10
    t.type("fg")
    t.keys("Enter")
    t.see("RUNNING  one")
    t.see(r"\? Help  q Quit")
    print("p99 %.1f ms" % (probe.p99() * 1000))


@test
def stopped_terminal(t):
    """A terminal that does not read during a flood: everybody else goes on, and one frame catches up."""
    up(t, one="--flood 20000")
    t.see("RUNNING  one", 10000)
    server = int(t.tmux("display", "-p", "#{pid}"))
    probe = Probe(t)
    os.kill(server, signal.SIGSTOP)
    try:
        time.sleep(3)
    finally:
        os.kill(server, signal.SIGCONT)
    p99 = probe.p99()
    print("p99 %.1f ms of %d" % (p99 * 1000, len(probe.took)))
    assert p99 < 0.05 * SLOW, p99
    before = t.grab()
    until(lambda: t.grab() != before, 5000, "the view does not catch up")


@test
def terminal_gone(t):
    """Attached: the viewer goes, the core stays and nobody spins. Foreground: the engine is drained and gone."""
    up(t)
    t.see("RUNNING  one", 10000)
    other = Term(t.mai)
    try:
        other.env["XDG_RUNTIME_DIR"] = t.dir
        other.up(80, 24, "mai attach")
        other.see("attached")
        other.see("RUNNING  one")
        pid = other.pid()
        other.tmux("kill-pane", "-t", "t", check=False)
        until(lambda: not alive(pid), 3000, "the view outlives its terminal")
    finally:
        other.close()
    assert "ready" in cli(t, "status").stdout
    pids = children(t)
    a = {p: ticks(p) for p in pids}
    time.sleep(2)
    for p in pids:
        assert ticks(p) - a[p] <= 2 * SLOW, (p, ticks(p) - a[p])
    t.tmux("kill-pane", "-t", "t", check=False)
    nothing_left(t)


@test
def two_models_at_once(t):
    """Each loaded model has a row; the chosen one is what the keys act on, and the other goes on."""
    up(t, more="maxLoaded: 2\nbackoff: 30\n")
    t.see("RUNNING  one", 10000)
    t.keys("m")
    t.see("Swap model")
    t.type("two")
    time.sleep(0.2)
    t.keys("Enter")
    t.see(r"^ loaded in \d+\.\ds$", 10000)        # nothing gave way: that is no swap
    t.see(r"^[ >]● RUNNING  one +:\d+ +0/3")
    t.see(r"^[ >]● RUNNING  two +:\d+ +0/3")
    t.keys("Tab", "g")
    t.see(r"^>● RUNNING  one")
    t.keys("j")
    t.see(r"^>● RUNNING  two")
    t.see("Log all of two")
    t.keys("m")
    t.type("one")
    time.sleep(0.2)
    t.keys("Enter")
    t.see("one is running already")         # what is loaded is looked at
    t.see(r"^>● RUNNING  one")
    t.see("Log all of one")
    t.keys("j")
    t.see("Log all of two")
    t.keys("p")                              # it never gives way from now on
    t.see(r"^>● RUNNING  two ◆ +:\d+")
    assert re.search("two.*pinned", cli(t, "status").stdout), cli(t, "status").stdout
    assert cli(t, "unpin", "two").returncode == 0
    t.see(r"^>● RUNNING  two  +:\d+")
    t.keys("x")
    t.see(r"Stop two\?")
    time.sleep(0.25)
    t.keys("y")
    t.see(r"^ ● RUNNING  one +up ", 8000)
    t.see("Log all ━")
    assert cli(t, "start", "two").returncode == 0
    t.see(r"RUNNING  two +:\d+")
    for p in children(t):
        with open("/proc/%d/cmdline" % p, "rb") as f:
            if b"--model\0two" in f.read():
                os.kill(p, signal.SIGKILL)
    t.see(r"▲ BACKOFF  two .* 1/3 +retry in \d+.* SIGKILL", 3000)
    t.see(r"● RUNNING  one +:\d+ +0/3")


@test
def two_viewers(t):
    up(t)
    t.see("RUNNING  one", 10000)
    other = Term(t.mai)
    try:
        other.env["XDG_RUNTIME_DIR"] = t.dir
        other.up(100, 30, "mai attach")
        other.see("RUNNING  one")
        t.gone("^ mai: start one: done", 6000)
        t.keys("r")
        other.see(r"^ \S+.*: restart one", 3000)
        t.see("restarted in", 8000)
        other.keys("2")
        other.see("restart one, asked for by ", 3000)
        other.keys("q")
        assert other.ended() == 0
        other.sane()
    finally:
        other.close()
    t.see("RUNNING  one")


@test
def copy_reaches_the_terminal(t):
    config(t)
    t.up(80, 24, "mai -c %s/mai.yaml" % t.dir, env={"TERM": "tmux-256color"})
    t.tmux("set", "-s", "set-clipboard", "on")
    t.see("RUNNING  one", 10000)
    t.see("starting -> ready")
    t.keys("k")
    t.see(r"^\d\d:\d\d:\d\d>")
    line = re.search(r"^\d\d:\d\d:\d\d>m. (.*)$", t.grab(), re.M).group(1)
    t.keys("y")
    t.see("to the terminal's clipboard")
    until(lambda: t.tmux("show-buffer", check=False) == line, 2000, lambda: t.tmux("show-buffer", check=False) + "|" + line)


@test
def killed_mid_screen(t):
    """kill -TERM and kill -SEGV of an attached viewer: modes, cursor and main screen are as before."""
    up(t)
    t.see("RUNNING  one", 10000)
    for sig in (signal.SIGTERM, signal.SIGSEGV):
        other = Term(t.mai)
        try:
            other.env["XDG_RUNTIME_DIR"] = t.dir
            other.up(80, 24, "mai attach")
            other.see("RUNNING  one")
            other.keys("M", "m")
            other.see("Swap model")
            os.kill(other.pid(), sig)
            other.ended()
            other.sane()
            assert other.tmux("display", "-p", "-t", "t", "#{mouse_any_flag}").strip() == "0"
        finally:
            other.close()
    assert "ready" in cli(t, "status").stdout


@test
def started_again(t):
    """The core is killed under its viewer: that says so, and starts another one by a key."""
    up(t)
    t.see("RUNNING  one", 10000)
    os.kill(core_pid(t), signal.SIGKILL)
    t.see("LINK DOWN", 5000)
    t.see("supervisor not running", 8000)
    t.see(r"r Retry now  s Start")
    t.keys("s")
    t.see("RUNNING  one", 15000)
    t.keys("q")		# it is not this terminal's: no question
    assert t.ended() == 0
    assert "ready" in cli(t, "status").stdout


@test
def started_again_by_a_guest(t):
    """A viewer that only attached starts a core with the configuration of the one that is gone; when that does not start, it
    says why."""
    up(t)
    t.see("RUNNING  one", 10000)
    other = Term(t.mai)
    try:
        other.env["XDG_RUNTIME_DIR"] = t.dir
        other.up(80, 24, "mai attach")
        other.see("RUNNING  one")
        os.rename(t.dir + "/mai.yaml", t.dir + "/away.yaml")
        os.kill(core_pid(t), signal.SIGKILL)
        other.see("supervisor not running", 8000)
        other.keys("s")
        other.see(r"the supervisor did not start: .*mai\.yaml: ", 5000)
        os.rename(t.dir + "/away.yaml", t.dir + "/mai.yaml")
        other.keys("s")
        other.see("RUNNING  one", 15000)
        other.keys("q")
        assert other.ended() == 0
    finally:
        other.close()
    assert "ready" in cli(t, "status").stdout


@test
def plain_without_a_terminal(t):
    up(t)
    t.see("RUNNING  one", 10000)
    for env in ({"TERM": "dumb"}, {"TERM": ""}, {"TERM": None}, {"TERM": "xterm"}):
        env = {k: v for k, v in dict(t.env, **env).items() if v is not None}
        p = subprocess.Popen([t.mai, "attach"], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        got = b""
        os.set_blocking(p.stdout.fileno(), False)
        end = time.monotonic() + 5
        while b"one ready" not in got and time.monotonic() < end:
            got += p.stdout.read() or b""
            time.sleep(0.02)
        p.send_signal(signal.SIGINT)
        assert p.wait(5) == 0 and b"one ready" in got and b"\x1b" not in got, got
        p.stdout.close()


@test
def flood_is_a_screenful(t):
    """100,000 lines a second cost at most ten frames a second, and keys answer at once."""
    up(t, one="--flood 100000")
    t.see("RUNNING  one", 10000)
    t.see("flood", 5000)
    time.sleep(1)
    pid = t.pid()

    def written():
        with open("/proc/%d/io" % pid, encoding="ascii") as f:
            return int(re.search(r"wchar: (\d+)", f.read()).group(1))
    w, was, frames, last, end = written(), written(), 0, 0, time.monotonic() + 3
    while time.monotonic() < end:
        now = written()
        if now != was:                  # what comes without a pause between is one frame
            frames += time.monotonic() - last > 0.03
            last = time.monotonic()
        was = now
        time.sleep(0.005)
    out = was - w
    print("%d bytes in %d frames in 3 s" % (out, frames))
    assert out < 30 * 80 * 24 * 4 and 3 <= frames <= 33, (out, frames)
    t.keys("f")
    t.see("PAUSED", 1500 * SLOW)
    t.keys("m")
    t.see("Swap model", 1500 * SLOW)
    t.keys("Escape", "2")
    t.see("starting -> ready")          # what mai says is not pushed out


if __name__ == "__main__":
    sys.exit(run([tidy(x) for x in TESTS]))
