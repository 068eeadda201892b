#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Every screen from a recording, in a terminal of each size and both sets of marks, against the text it should be
(screens/NAME.txt). UPDATE=1 writes the texts anew, to be read by a person before they are kept. replays.py MAI [NAME...]"""
import os
import re
import sys
import time

import recordings
from term import HERE, Term, run, until

TESTS = []
SIZES = ((120, 36), (80, 24), (40, 12), (30, 6))


def frame(t, cols, rows):
    """The screen once it has this size and stands still."""
    pid = t.pid()

    def written():
        with open("/proc/%d/io" % pid, encoding="ascii") as f:
            return int(re.search(r"wchar: (\d+)", f.read()).group(1))
    before = written()
    same = t.tmux("display", "-p", "-t", "t", "#{window_width}x#{window_height}").strip() == "%dx%d" % (cols, rows)
    t.size(cols, rows)
    last = [before]

    def still():
        now, was = written(), last[0]
        last[0] = now
        time.sleep(0.06)
        return now == was and (same or now > before)
    until(still, 5000, lambda: "it does not stand still:\n%s" % t.grab())
    return "\n".join(r.rstrip() for r in t.grab().split("\n"))


def screen(name, make, keys=(), see="Quit"):
    def fn(t):
        path = os.path.join(HERE, "screens", name + ".txt")
        got = ""
        for args in ("", "--ascii "):
            x = Term(t.mai)
            try:
                recordings.write(make(), x.dir + "/rec")
                x.up(80, 24, "mai attach %s--speed 0 --replay %s/rec" % (args, x.dir))
                x.see(see)
                for key in keys:
                    x.type(key) if len(key) == 1 else x.keys(key)
                    time.sleep(0.05)
                for cols, rows in SIZES:
                    text = frame(x, cols, rows)
                    assert not args or all(ord(c) < 128 for c in text), text
                    got += "== %dx%d%s\n%s" % (cols, rows, " ascii" if args else "", text)
                if not keys:
                    x.keys("q")
            finally:
                x.close()
        if os.environ.get("UPDATE"):
            with open(path, "w", encoding="utf-8") as f:
                f.write(got)
            return
        with open(path, encoding="utf-8") as f:
            want = f.read()
        bad = [x for x in zip(want.split("\n"), got.split("\n")) if x[0] != x[1]]
        assert got == want, "%s differs in %d rows: %s" % (name, len(bad), bad[:3])
    fn.__name__ = name
    TESTS.append(fn)


screen("running", recordings.running, see="RUNNING")
screen("requests_focused", recordings.running, ["Tab"], see="RUNNING")
screen("idle", recordings.idle, see="none in flight")
screen("starting", recordings.starting, see="STARTING")
screen("swapping", recordings.swapping, see="SWAPPING")
screen("backoff", recordings.backoff, see="BACKOFF")
screen("failed", recordings.failed, see="at error")
screen("stopped", recordings.stopped, see="STOPPED")
screen("several_models", recordings.several, see="BACKOFF")
screen("several_models_chosen", recordings.several, ["Tab", "j"], see="BACKOFF")
screen("link_down", recordings.link_down, see="LINK DOWN")
screen("picker", recordings.picker, ["m", *"qwen", "Down"], see="RUNNING")
screen("confirm_stop", recordings.running, ["x"], see="RUNNING")
screen("quit", recordings.running, ["q"], see="RUNNING")
screen("help", recordings.running, ["?"], see="RUNNING")
screen("log_search", recordings.running, ["1", "/", *"token", "Enter", "N"], see="RUNNING")
screen("log_filter_prompt", recordings.running, ["&", *"!/v1/models"], see="RUNNING")
screen("log_filter", recordings.running, ["&", *"!/v1/models", "Enter"], see="RUNNING")
screen("commands", recordings.running, [":", *"sto"], see="RUNNING")
screen("info", recordings.info, ["i"], see="RUNNING")
screen("request", recordings.running, ["Tab", "Enter"], see="RUNNING")

if __name__ == "__main__":
    sys.exit(run(TESTS))
