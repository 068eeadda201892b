#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What the dashboard can do besides the daily keys, in tmux against a fake core. features.py MAI [TEST...]"""
import json
import os
import random
import re
import signal
import sys
import time

import recordings
from term import Core, Term, alive, run, until
from fake_core import GEMMA, QWEN

TESTS = []


def test(fn):
    TESTS.append(fn)
    return fn


def ready(t, *args, **kw):
    t.attach(*args, **kw)
    t.see("RUNNING")


def lines(n, text="item %d", source="child", level=" ", model=""):
    return [[source, level, text % i, model] for i in range(n)]


def armed():
    """A popup that asks takes no answer in its first moments."""
    time.sleep(0.2)


@test
def info_box(t):
    ready(t)
    t.keys("i")
    t.see("┌─ Model " + QWEN)
    t.see(r"command +python3 -m mlx_lm.server --model 'a b'")
    t.see(r"environment +HF_TOKEN=\*\*\*")
    t.see(r"configured +/etc/mai/mai.yaml:3:5")
    t.see(r"exits +1m0\ds ago: SIGKILL after 12s: out of memory")
    t.keys("Escape")
    t.gone("┌─ Model ")


@test
def palette(t):
    ready(t)
    t.keys(":")
    t.see("┌─ Commands ─")
    t.type("wra")
    t.see(r"> wrap +w +wrap long lines")
    armed()
    t.keys("Enter")
    t.gone("Commands ─")
    t.see("wrap on")
    t.keys(":")
    t.type("set wr")
    t.see("> wrap on")
    t.keys("Down")
    t.see("> wrap off")
    armed()
    t.keys("Enter")
    t.see("wrap off ━")
    t.keys(":")
    t.type("swap gem")
    t.see("> " + GEMMA)
    armed()
    t.keys("Enter")
    t.core.called(r'POST /load \{"model":"%s"\}' % GEMMA)
    t.keys(":")
    t.type("stop")
    armed()
    t.keys("Enter")
    t.see("Stop model")     # it asks as the key does
    t.keys("Escape", ":")
    t.type("sear")
    t.keys("Tab")
    t.see(": search ")
    t.type("zzz")
    armed()
    t.keys("Enter")
    t.see("nothing found for zzz")
    t.keys(":", "BSpace")
    t.gone("Commands ─")


@test
def request_details(t):
    ready(t)
    t.core.be("request", id=5, bytes_in=4100, bytes_out=2048, waited_ms=1500, first_byte_at=0)
    t.see("Requests 1")
    t.keys("Tab", "Enter")
    t.see("┌─ Request 5 ─")
    t.see(r"tokens in +9,214")
    t.see(r"waited +1\.5s")
    t.see(r"headers +User-Agent: test")
    t.core.be("request", id=5, tokens_out=77)
    t.see(r"tokens out +77")            # it is live
    t.core.be("request", id=5, phase="done")
    t.see("ended; the last that was seen")
    t.see(r"tokens out +77")
    t.keys("Escape")
    t.gone("┌─ Request")


@test
def sort_zoom_split(t):
    ready(t)
    for i, out in ((1, 5), (2, 900), (3, 70), (4, 1), (5, 2), (6, 3)):
        t.core.be("request", id=i, tokens_out=out, since=i)
    t.see("Requests 6 ")
    order = lambda: re.findall(r"^[> ] +(\d) 127", t.grab(), re.M)
    until(lambda: order() == ["1", "2", "3", "4"], 2000, order)
    t.keys("o")
    until(lambda: order() == ["2", "3", "1", "6"], 2000, order)
    t.see("Requests 6 by tokens")
    t.keys("o", "o")
    until(lambda: order()[0] == "1", 2000, order)
    t.keys("Tab", "+")
    until(lambda: len(order()) == 5, 2000, order)
    t.keys("-", "-", "-")
    until(lambda: len(order()) == 2, 2000, order)
    t.keys("z")
    until(lambda: len(order()) == 6, 2000, order)
    assert "Log all" not in t.grab()
    t.keys("Tab")
    t.see("Log all")
    assert "Requests" not in t.grab()
    t.keys("Escape")
    t.see("Requests 6")
    t.size(40, 12)
    t.see(r"\A● RUNNING")
    t.keys("Tab")
    t.see(r"━ Requests 6")              # no room for a pane: it is shown alone
    t.see(r"^> +\d +\d+d\d+h")
    t.keys("Tab")
    t.see("Log all")


@test
def time_stamps(t):
    ready(t)
    t.core.be("log", lines=lines(3))
    t.see(r"^\d\d:\d\d:\d\d c  item 2")
    t.keys("t")
    t.see(r"^ +\ds c  item 2")
    t.keys("t")
    t.see(r"^ c  item 2")
    t.keys("t")
    t.see(r"^\d\d:\d\d:\d\d c  item 2")


@test
def marks_and_put_away(t):
    ready(t)
    t.core.be("log", lines=lines(5))
    t.see("item 4")
    t.keys("Enter")
    t.see(r"^── mark \d\d:\d\d:\d\d ─+$")
    t.core.be("log", lines=lines(2, "later %d"))
    t.see("later 1")
    rows = [r for r in t.grab().split("\n") if re.search("item 4|mark|later 0", r)]
    assert len(rows) == 3 and "mark" in rows[1], rows
    t.keys("C")
    t.gone("item|later")
    t.see(r"Log all  since \d\d:\d\d:\d\d")
    t.core.be("log", lines=lines(1, "fresh %d"))
    t.see("fresh 0")
    t.keys("Escape")
    t.see("item 4")
    t.see("fresh 0")


@test
def copy(t):
    """Through the terminal's own clipboard: what tmux gets is the selected line, or the lines shown."""
    ready(t, env={"TERM": "tmux-256color"})
    t.tmux("set", "-s", "set-clipboard", "on")
    t.core.be("log", lines=lines(30, "copy me %d"))
    t.see("copy me 29")
    buffer = lambda: t.tmux("show-buffer", check=False)
    t.keys("y")
    t.see("sent 10 bytes to the terminal's clipboard")
    until(lambda: buffer() == "copy me 29", 2000, buffer)
    t.keys("k", "k", "k")
    t.see(r">c  copy me 26")
    t.keys("y")
    until(lambda: buffer() == "copy me 26", 2000, buffer)
    t.keys("Y")
    until(lambda: buffer().split("\n")[:2] == ["copy me 15", "copy me 16"] and "copy me 29" in buffer(), 2000, buffer)


@test
def no_clipboard(t):
    ready(t, env={"TERM": "screen"})
    t.core.be("log", lines=lines(3))
    t.see("item 2")
    t.keys("y")
    t.see("this terminal has no clipboard for programs; S saves to a file")


@test
def save(t):
    ready(t)
    path = t.dir + "/out.log"
    t.core.be("log", lines=lines(40, "keep %d") + lines(3, "drop %d", "mai"))
    t.see("drop 2")
    t.keys("1")                         # what is shown is what is saved
    t.gone("drop")
    t.keys("S")
    t.see(r"save to: mai-\d{8}-\d{6}\.log_")
    t.keys("C-u")
    t.type(path)
    t.keys("Enter")
    t.see("saved 40 lines to")
    with open(path, encoding="utf-8") as f:
        got = f.read().split("\n")
    assert len(got) == 41 and re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} child +keep 0$", got[0]), got[:3]
    assert os.stat(path).st_mode & 0o777 == 0o600
    with open(path, "w", encoding="utf-8") as f:
        f.write("mine")
    t.keys("S", "C-u")
    t.type(path)
    t.keys("Enter")
    t.see("There is a file")
    armed()
    t.keys("Enter")
    t.gone("There is a file")
    with open(path, encoding="utf-8") as f:
        assert f.read() == "mine"
    t.keys("S", "Up")                   # what was typed before
    t.see("save to: " + path[:20])
    t.keys("Enter")
    t.see("There is a file")
    armed()
    t.keys("y")
    t.see("saved 40 lines to")
    t.keys("S", "C-u")
    t.type("/nowhere/at/all")
    t.keys("Enter")
    t.see("cannot save to /nowhere")


@test
def save_elsewhere(t):
    """A file that cannot be written, a full disk, a pipe that nobody reads: a message, and the screen goes on."""
    ready(t)
    t.core.be("log", lines=lines(2000))
    t.see("item 1999")
    os.mkfifo(t.dir + "/pipe")
    for path, again, why in (("/no/such/dir/x", False, "No such file"), ("/dev/full", True, "No space left"),
                             (t.dir + "/pipe", True, "No such device")):
        if again and not os.path.exists(path):
            continue
        t.keys("S")
        t.see("save to:")
        t.type(path)
        t.keys("Enter")
        if again:
            t.see("There is a file")
            armed()
            t.keys("y")
        t.see("cannot save to .*" + why)
        t.keys("j")
        t.gone("cannot save to")


@test
def mouse(t):
    def click(col, row, button=0):
        t.type("\x1b[<%d;%d;%dM" % (button, col, row))
        t.type("\x1b[<%d;%d;%dm" % (button, col, row))
    ready(t)
    t.core.be("log", lines=lines(100))
    for i in (1, 2, 3):
        t.core.be("request", id=i)
    t.see("Requests 3")
    t.see("item 99")
    t.keys("M")
    t.see("mouse on")
    until(lambda: t.tmux("display", "-p", "-t", "t", "#{mouse_any_flag}").strip() == "1", 2000, "not asked for")
    click(10, 9)                        # a request
    t.see("^> +2 127")
    click(10, 18, 64)                   # the wheel over the log
    t.see("PAUSED")
    click(10, 14)                       # a line
    t.see(r"^\d\d:\d\d:\d\d>c  item")
    click(25, 24)                       # "x Stop" in the bar
    t.see("Stop model")
    armed()
    col = t.row([i for i, r in enumerate(t.grab().split("\n")) if "[ Cancel ]" in r][0]).index("[ Cancel")
    row = [i for i, r in enumerate(t.grab().split("\n")) if "[ Cancel ]" in r][0]
    click(col + 3, row + 1)
    t.gone("Stop model")
    assert not any("stop" in c for c in t.core.calls())
    t.keys("M")
    t.see("mouse off")
    until(lambda: t.tmux("display", "-p", "-t", "t", "#{mouse_any_flag}").strip() == "0", 2000, "still on")
    t.keys("M", "q")
    assert t.ended() == 0
    assert t.tmux("display", "-p", "-t", "t", "#{mouse_any_flag}").strip() == "0"


@test
def mouse_of_config(t):
    t.core = Core(t.dir)
    t.core.be("rest", mouse=True)
    t.attach()
    t.see("RUNNING")
    until(lambda: t.tmux("display", "-p", "-t", "t", "#{mouse_any_flag}").strip() == "1", 2000, "off")


@test
def several_models(t):
    ready(t)
    t.core.be("engine", id=GEMMA, state="ready", pid=7, port=5801, spawned_at="-9000", since="-9000", attempt=1)
    t.see(r"^>● RUNNING  Qwen3.* :51723 0/3 ")
    t.see(r"^ ● RUNNING  gemma\S+ +:5801 1/3 +up 9s")
    t.core.be("log", lines=lines(1, "of qwen %d", model=QWEN) + lines(1, "of gemma %d", model=GEMMA))
    t.see(r"Qwen3.*: of qwen 0")
    t.see(r"gemma.*: of gemma 0")
    t.core.be("request", id=1, model=QWEN)
    t.core.be("request", id=2, model=GEMMA)
    t.see("Requests 2 ")
    t.keys("Tab")                       # models
    t.keys("j")
    t.see(r"^>● RUNNING  gemma")
    t.see("Log all of gemma")
    t.see(r"c  of gemma 0")
    t.gone("of qwen")
    t.see("Requests 1 of 2, gemma")
    t.keys("x")
    t.see("Stop " + GEMMA[:10])
    armed()
    t.keys("y")
    t.core.called(r"POST /stop\?model=" + GEMMA)
    t.core.be("engine", id=GEMMA, state="stopped", pid=0, since="-0")
    t.see(r"^ ● RUNNING  Qwen3")        # alone again: in full
    t.see("mlx_lm.server  pid 91532")
    t.see("of qwen 0")


@test
def five_models_scroll(t):
    ready(t)
    for i in range(5):
        t.core.be("engine", id="extra-%d" % i, state="ready", pid=10 + i, port=6000 + i, spawned_at="-0", since="-0")
    t.see(r"^ ● RUNNING  extra-2")
    assert "extra-4" not in t.grab()
    t.see(r"Requests 0 ─+ 4 of 6 models ─$")
    t.keys("Tab", "G")
    t.see(r"^>● RUNNING  extra-4")
    t.size(40, 12)
    t.see(r"^>● RUN extra-4")
    t.keys("Escape")
    t.see(r"Log all ─+ 2 of 6 models  FOLLOW ─$")


@test
def older_lines(t):
    """Of a long past the newest is fetched first; more comes when somebody looks for it."""
    t.core = Core(t.dir)
    t.core.be("log", lines=[["child", "E", "the first error", ""]] + lines(9000))
    t.attach()
    t.see("item 8999")
    first = min(int(re.search(r"from=(\d+)", f).group(1)) for f in t.core.ask("GET", "/fake/fetches"))
    assert first > 6000, first
    t.type("/first error")
    t.keys("Enter")
    t.see(r"/first error +match 1 of 1 ", 5000)
    t.see(r">cE the first error")
    t.keys("Escape", "G", "e")
    t.see("PAUSED at error 1 of 1")
    t.keys("G", "S", "C-u")
    t.type(t.dir + "/all.log")
    t.keys("Enter")
    t.see("saved 9001 lines", 5000)


@test
def errors_of_the_whole_past(t):
    t.core = Core(t.dir)
    t.core.be("log", lines=[["child", "E", "long ago", ""]] + lines(6000))
    t.attach()
    t.see("item 5999")
    t.keys("e")
    t.see(r">cE long ago", 5000)
    t.see("PAUSED at error 1 of 1")


@test
def flood_leaves_the_rest(t):
    """What a flood of one engine skips is said, and what mai says meanwhile is not lost."""
    ready(t)
    t.core.be("log", lines=lines(1, "before %d"))
    t.see("before 0")
    t.core.be("log", lines=lines(9000, "a %d") + lines(1, "told %d", "mai", "W") + lines(9000, "b %d"))
    t.see("b 8999", 5000)
    t.keys("2")
    t.see(r"mW told 0")
    t.keys("0", "/")
    t.type("told")
    t.keys("Enter")
    t.see(r"match 1 of 1", 5000)
    t.see(r"-- [\d,]+ lines of a flood left out --")


@test
def search_does_not_hold_up_keys(t):
    t.core = Core(t.dir)
    t.core.be("log", lines=lines(19000, "a line of some length about nothing much, number %d, with words and words"))
    t.attach()
    t.see("number 18999")
    t.type("/~(x+x+)+y|number 1$")
    t.keys("Enter")
    for _ in range(5):
        t.keys("w")
        t.see("wrap on", 500)
        t.keys("w")
        t.see("wrap off", 500)
    t.keys("/")
    t.type("number 1,")
    t.keys("Enter")
    t.see(r"match 1 of 1 ", 8000)
    t.see(r">c  a line .* number 1,")


@test
def search_and_filter_syntax(t):
    ready(t)
    t.core.be("log", lines=[["child", " ", x] for x in ("alpha one", "Beta two", "alpha TWO", "gamma 77")])
    t.see("gamma 77")
    for text, want in (("two", 2), ("TWO", 1), ("~^alpha", 2), ("~[0-9]{2}$", 1), ("~ALPHA", 0)):
        t.type("/" + text)
        t.keys("Enter")
        t.see(r"match \d of %d " % want if want else "nothing found", 1500)
        t.keys("Escape")
        t.keys("G")
    t.type("&!alpha")
    t.keys("Enter")
    t.gone("alpha one")
    t.see("Beta two")
    t.keys("&", "C-u", "Enter")         # empty clears
    t.see("alpha one")
    for bad in ("~[", "~(a)\\1", "~(a{900}){900}"):
        t.type("/" + bad)
        t.keys("Enter")
        t.see("bad expression", 1500)
        t.keys("f", "f")
    t.keys("/", "Up", "Up", "Up", "Up")
    t.see(r"search \(~ regex\): ~ALPHA_")
    t.keys("Down")
    t.see(r"search \(~ regex\): ~\[_")
    t.keys("Escape")


@test
def sideways_is_kept(t):
    ready(t)
    t.core.be("log", lines=[["child", " ", "start " + "x" * 60 + " middle " + "y" * 60]])
    t.see("start xxx")
    t.keys("Right")
    t.gone("start xxx")
    t.see("middle")
    t.core.be("log", lines=[["child", " ", "other " + "z" * 60 + " centre"]])
    t.see("centre")
    assert "start x" not in t.grab() and "other" not in t.grab(), t.grab()
    t.keys("C-a")
    t.see("start xxx")


@test
def messages_are_kept(t):
    ready(t)
    t.core.be("answers", answer=[500, {"detail": "Failed", "cause": "out of memory"}])
    t.keys("r")
    t.see("out of memory")
    t.keys("f")
    t.gone("out of memory")
    t.keys("2")
    t.see(r"mW screen: restart: .*out of memory")
    t.keys("0")
    t.gone("screen:")


@test
def gone_lines(t):
    """Lines that leave the copy under a paused view are counted, and the text does not move."""
    ready(t)
    t.core.be("log", lines=lines(60, "wide %d " + "x" * 3000))
    t.see("wide 59")
    t.keys("g")
    t.see(r">c  wide 0 ")
    for _ in range(4):
        t.core.be("log", lines=lines(1200, "more %d " + "y" * 3000))
        time.sleep(0.3)
    t.see(r"^-- [\d,]+ lines gone --", 15000)


@test
def help_finds(t):
    ready(t)
    t.keys("?")
    t.see("/ find a key")
    t.see("mouse off: the terminal's own selection works")
    t.keys("/")
    t.type("zoom")
    t.see(r"z +zoom pane")
    t.gone("pick a model and swap")
    t.keys("Escape", "Escape")
    t.gone("┌─ Help")


@test
def help_of_a_watcher(t):
    ready(t, args="--read-only")
    t.keys("?")
    t.see("┌─ Help ─")
    assert "restart" not in t.grab() and "stop" not in t.grab()
    t.keys("Escape", ":")
    t.type("st")
    t.gone("> stop|> start")
    t.keys("Escape", "i")
    t.see("┌─ Model")                   # looking is allowed


@test
def protocol_again(t):
    """A viewer that could only look may act again when the right core is back."""
    t.core = Core(t.dir)
    t.core.be("head", protocol=99, version="9.4.0")
    t.attach()
    t.see(r"mai 9.4.0 is running, this is .*: read-only")
    t.core.be("head", protocol=1)
    t.core.be("drop")
    t.gone("attached, read-only", 5000)
    t.keys("r")
    t.core.called("POST /api/restart")


@test
def record_and_replay(t):
    """A recording shows the same screen without any core, and stands still at its end."""
    path = t.dir + "/rec"
    t.attach(args="--record " + path)
    t.see("RUNNING")
    t.core.be("log", lines=lines(30, "recorded %d", model=QWEN))
    t.core.be("request", id=4)
    t.see("recorded 29")
    t.see("Requests 1")
    t.keys("i")
    t.see("HF_TOKEN")
    t.keys("Escape")
    t.core.be("engine", id=QWEN, state="backoff", attempt=2, retry_at="+60000", retry_total=60000, pid=0,
              last_exit="SIGKILL after 2s")
    t.see("BACKOFF")
    t.gone("┌─ Model")
    before = t.grab().split("\n")
    t.keys("q")
    assert t.ended() == 0
    t.core.stop()
    with open(path, encoding="utf-8") as f:
        entries = [json.loads(x) for x in f]
    assert entries[0]["recording"] == 1 and any("logs" in e for e in entries)
    x = Term(t.mai)
    try:
        x.up(80, 24, "mai attach --speed 0 --replay " + path)
        x.see("BACKOFF")
        x.see("recorded 29")
        after = x.grab().split("\n")
        assert after[8:22] == before[8:22] and after[3:7] == before[3:7], (before, after)
        assert re.search(r"retry in [56]\ds", after[2]), after[:3]
        time.sleep(1.2)
        assert x.grab().split("\n") == after, "it does not stand still"
        x.keys("r")
        x.see("this is a recording: there is nothing to act on")
        x.keys("q")
        assert x.ended() == 0
        x.sane()
    finally:
        x.close()
    x = Term(t.mai)
    try:
        x.up(80, 24, "mai attach --replay /nowhere")
        assert x.ended() == 1
        x.see("cannot read /nowhere")
        x.sane()
    finally:
        x.close()


@test
def record_to_a_full_disk(t):
    if not os.path.exists("/dev/full"):
        return
    ready(t, args="--record /dev/full")
    t.keys("q")
    assert t.ended() == 0
    t.see("mai: the recording /dev/full is not complete: No space left on device")


@test
def replay_in_time(t):
    """At its own speed an entry comes when it came, and the clocks are those of then."""
    path = t.dir + "/rec"
    wall = 1700000000000
    with open(path, "w", encoding="utf-8") as f:
        def put(ms, **kw):
            f.write(json.dumps(dict(kw, t=ms)) + "\n")
        f.write(json.dumps({"recording": 1, "version": "0.1.0", "wall": wall}) + "\n")
        head = {"protocol": 1, "version": "0.3.0", "listen": "http://127.0.0.1:8081", "pid": 4, "started": 1000, "seq": 1,
                "viewer": 1, "now": 500000}
        put(5, link="up")
        put(10, event="hello", data=head)
        put(20, event="snapshot", data=dict(head, engines=[], requests=[], log_next=1))
        put(2500, event="action", data={"who": "attach#2", "text": "came late"})
    t.up(80, 24, "mai attach --replay " + path)
    t.see("NO MODEL")
    t.see(r"22:13:2\d$")
    assert "came late" not in t.grab()
    t.see("attach#2: came late", 5000)


def sgr(t, word):
    """The attributes with which a word on the screen is drawn, as numbers."""
    on = set()
    for part in re.split(r"(\x1b\[[0-9;]*m)", t.grab("-e").split(word)[0]):
        for n in re.findall(r"\d+", part) or ["0"] if part.startswith("\x1b[") else []:
            n = int(n)
            if n == 0:
                on = set()
            on = {x for x in on if not (30 <= n < 40 and 30 <= x < 40)} | ({n} if n not in (0, 39, 49) else set())
    return on


@test
def roles_of_states(t):
    """Each state in the colour of its role, by theme; without colours in attributes that say the same."""
    states = {"RUNNING": recordings.running, "STARTING": recordings.starting, "BACKOFF": recordings.backoff, "FAILED": recordings.failed}
    colours = {"RUNNING": {36}, "STARTING": {33}, "BACKOFF": {1, 33}, "FAILED": {1, 31}}
    light = {"RUNNING": {36}, "STARTING": {35}, "BACKOFF": {1, 35}, "FAILED": {1, 31}}
    mono = {"RUNNING": {1}, "STARTING": set(), "BACKOFF": {1, 4}, "FAILED": {7}}
    for args, env, theme, want in (("", {}, None, colours), ("", {}, "light", light), ("", {}, "mono", mono),
                                   ("", {"NO_COLOR": "1"}, None, mono), ("", {"NO_COLOR": ""}, None, colours),
                                   ("--color=never ", {}, None, mono), ("", {"TERM": "vt220"}, None, mono)):
        x = Term(t.mai)
        try:
            for state, make in states.items():
                entries = make()
                entries[3]["data"]["theme"] = theme
                recordings.write(entries, x.dir + "/rec")
                x.up(80, 24, "mai attach %s--speed 0 --replay %s/rec" % (args, x.dir), env=env)
                x.see("^ . " + state)
                until(lambda: sgr(x, state) == want[state], 2000, lambda: (args, env, theme, state, sgr(x, state)))
                x.tmux("kill-server")
                until(lambda: "no server" in x.tmux("ls", check=False) or "error" in x.tmux("ls", check=False), 3000, "alive")
        finally:
            x.close()


@test
def old_figures_are_dim(t):
    ready(t)
    t.core.be("request", id=4)
    t.see("Requests 1")
    for word in ("up 2h14m", "127.0.0.1", "17.4G"):
        assert 2 not in sgr(t, word), (word, sgr(t, word))
    t.core.stop()
    t.see("LINK DOWN")
    for word in ("tok/s", "127.0.0.1", "17.4G"):
        assert 2 in sgr(t, word), (word, sgr(t, word))


BAD = "a\u202eb\u200bc\x1b[31md\x07e\nf\tg\u009bh日本語\u0301\u0301\u0301\u0301"


def hostile(state):
    """A recording in which every text is one that a terminal would obey, hide or turn around."""
    e = recordings.qwen(id=BAD, name="N" + BAD, kind="K" + BAD, kind_short="k" + BAD, state=state, last_exit="L" + BAD, cause="C" + BAD,
                        stopped_by="S" + BAD, live="V" + BAD, missing="M" + BAD, install="I" + BAD, pinned=True)
    r = dict(recordings.request(1, "c" + BAD, BAD, "gen", 3, 1), path="p" + BAD, api="q" + BAD)
    lines = [[1, recordings.WALL, "child", "E", "l" + BAD, BAD, [1, 1]]]
    out = recordings.recording([e, recordings.engine("two" + BAD, state="failed", last_exit="X" + BAD)], [r], lines, 1.0, 1 << 30,
                               listen="h" + BAD, version="9" + BAD, log_colors=True)
    return out + [{"t": recordings.T, "event": "action", "data": {"who": "w" + BAD, "text": BAD}} for _ in range(2)] + [
        {"t": recordings.T, "answer": "/api/requests/1", "body": {"id": 1, "headers": {"H" + BAD: "v" + BAD}}}]


@test
def hostile_texts_everywhere(t):
    """Names, paths, causes, headers, authors: none reaches the terminal as it is, in any box and size."""
    for state in ("ready", "starting", "backoff", "failed", "stopped"):
        x = Term(t.mai)
        try:
            recordings.write(hostile(state), x.dir + "/rec")
            x.up(80, 24, "mai attach --speed 0 --replay %s/rec" % x.dir)
            x.see("Quit")
            for keys in ([], ["m"], ["Escape", "x"], ["Escape", "q"], ["Escape", ":", *"swap", "Space"], ["Escape", "Escape", "Tab", "Enter"],
                         ["Escape", "Tab"], ["Tab", "i"], ["Escape", "z"], ["?"]):
                x.keys(*keys) if keys else None
                for cols, rows in ((120, 36), (40, 12), (80, 24)):
                    x.size(cols, rows)
                    until(lambda: x.grab().count("\n") == rows, 2000, "size")
                    text = x.grab()
                    bad = [hex(ord(c)) for c in text if (ord(c) < 32 and c != "\n") or 0x7f <= ord(c) < 0xa0 or c in "\u202e\u200b"]
                    assert not bad, (state, keys, bad, text)
            assert x.pid() != 0
        finally:
            x.close()


@test
def random_keys(t):
    """Keys at random: nothing crashes, nothing is stopped unless its question was answered, the terminal comes back."""
    seconds = float(os.environ.get("MAI_UI_RANDOM_SECONDS", "60"))
    ready(t)
    for i in (1, 2, 3):
        t.core.be("request", id=i)
    t.core.be("engine", id=GEMMA, state="ready", pid=7, port=5801, spawned_at="-9000", since="-9000")
    t.core.be("log", lines=lines(500, "item %d error", level="E"))
    rnd = random.Random(int(os.environ.get("MAI_UI_SEED", "11")))
    plain = [c for c in map(chr, range(33, 127)) if c not in "qdyQ;"] + list("xRrKms") * 3
    names = ["Up", "Down", "Left", "Right", "PageUp", "PageDown", "Home", "End", "Tab", "BTab", "Enter", "Escape", "BSpace",
             "C-l", "C-u", "C-a", "F1", "F3", "F4", "DC", "Space"]
    end = time.monotonic() + seconds
    asked = 0
    while time.monotonic() < end:
        picks = [rnd.choice(plain + names * 3) for _ in range(8)]
        t.tmux("send-keys", "-t", "t", *picks)
        if rnd.random() < 0.2:
            t.size(rnd.randint(1, 140), rnd.randint(1, 45))
        if rnd.random() < 0.3:
            t.core.be("log", lines=lines(5, "live %d"))
        if rnd.random() < 0.1:
            t.core.be("request", id=rnd.randint(1, 9), phase=rnd.choice(["gen", "done", "queued"]))
        asked += "x" in picks or "R" in picks
        assert t.pid() != 0, "it ended:\n" + t.grab()
    assert asked > 3
    for c in t.core.calls():
        assert not re.search(r"POST /(stop|api/shutdown)|force|/cancel", c), c
    t.size(80, 24)
    t.keys("Escape")
    t.keys("Escape")
    t.keys("Escape")
    until(lambda: re.search(r"RUNNING", t.grab()), 3000, t.grab)
    t.keys("C-c")
    t.keys("q")
    t.keys("q")
    assert t.ended() == 0
    t.sane()


@test
def lost_for_long(t):
    """However long a core is away the viewer waits for it."""
    ready(t)
    t.core.stop()
    t.see("LINK DOWN", 3000)
    until(lambda: int((re.search(r"retry (\d+) in", t.grab()) or [0, 0])[1]) >= 5, 15000, t.grab)
    t.core.start()
    t.see("RUNNING", 8000)


if __name__ == "__main__":
    sys.exit(run(TESTS))
