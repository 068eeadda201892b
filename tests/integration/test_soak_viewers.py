# SPDX-License-Identifier: ISC
"""Dashboards on terminals, and verbs, while engines crash, the configuration changes and the supervisor itself is killed. See
test_soak.py for the variables."""
import os
import random
import re
import signal
import subprocess
import threading
import time

import pytest

from lib import proc
from lib.chaos import BOUND, Actor
from lib.mai import MAI, SLOW, spawn_settings
from lib.proc import wait
from lib.stream import CHAT, Stream
from lib.terminal import Terminal
from test_soak import RUNS, SEED, Census, Editor, Killer, Soak, seconds

KEYS = [b"m", b"s", b"x", b"r", b"R", b"p", b"i", b"\t", b"z", b"+", b"-", b":", b"M", b"\x0c", b"\x1a", b"?", b"0", b"1", b"2", b"3",
        b"f", b"j", b"k", b"\x1b[5~", b"\x1b[6~", b"g", b"G", b"h", b"l", b"\x01", b"w", b"t", b"n", b"N", b"\\", b"e", b"E", b"\r", b"y",
        b"Y", b"C", b"K", b"o", b"\x1b[A", b"\x1b[B", b"\x1bOP", b"\x1b[Z", b" ", b"\x1b", b"\x1b", b"\x10", b"\x0e", b"/a\r", b"/~wo.d\r",
        b"&word\r", b"&!GET\r", b"&\r", b"&~(\r", b"\xc3\xa4", b"\xff", b"\x1b[200~q\x1b[201~", b"\x1b[200~d", b"\x1b[M !!", b"\x1b[M`\"#",
        b"ma\r", b"mb\r", b":pin\r", b":wrap on\r", b":time\r", b":search x\r", b":nothing\r", b":swap a\r"]
SIZES = [(100, 30), (80, 24), (40, 10), (20, 5), (200, 60), (1, 1), (9, 3), (300, 8)]

SECONDS = seconds(2)


class Watcher(Actor):
    """One who looks on, types anything but what would end the supervisor, and goes in some way."""

    def step(self):
        r = self.rand
        record = self.m.tmp / f"recording.{self.name}"
        record.unlink(missing_ok=True)
        args = ["attach", "--name", self.m.name] + r.choice([[], [], ["--record", record], ["--ascii"], ["--read-only"]])
        up = self.soak.up_count
        cols, rows = r.choice(SIZES)
        with Terminal(self.m, *args, cols=cols, rows=rows) as t:
            self.typed = []
            for _ in range(r.randint(0, 60)):
                self.doing = f"{args} {cols}x{rows} {self.typed[-40:]}"
                if self.over.is_set() or not t.running():
                    break
                what = r.random()
                if what < 0.8:
                    key = r.choice(KEYS)
                    t.keys(key)
                    self.typed.append(key)
                elif what < 0.88:
                    t.size(*r.choice(SIZES))
                elif what < 0.92:
                    t.p.send_signal(signal.SIGSTOP)
                    self.over.wait(r.random() * 2)
                    t.p.send_signal(signal.SIGCONT)
                elif what < 0.94:
                    t.p.send_signal(signal.SIGCONT)
                self.over.wait(r.choice([0, 0.01, 0.1, 0.5]))
            how = r.choice(["d", "d", "d", "q", "TERM", "HUP", "INT", "KILL", "close"])
            self.doing += f" then {how}"
            self.leave(t, how, up)
            self.soak.count("viewer", how)
        if record.exists() and how != "KILL" and record.stat().st_size > 0:
            got = subprocess.run([MAI, "attach", "--replay", record, "--speed", "0", "--plain"], env=self.m.env, timeout=BOUND,
                                 stdin=subprocess.DEVNULL, capture_output=True, preexec_fn=spawn_settings)
            assert got.returncode == 0, (got.returncode, got.stderr[-2000:])

    def leave(self, t, how, up):
        if how == "KILL":
            t.p.kill()
            t.p.wait(10)
            return
        if how == "close":
            os.close(t.master)
            t.stop = True
            t.master = os.open("/dev/null", os.O_RDWR)
            rc = t.p.wait(10 * SLOW)
        elif how in "dq":
            end = time.monotonic() + 15 * SLOW
            while t.running():
                assert time.monotonic() < end, f"does not leave: {t.text()[-1500:]!r} {proc.stat(t.p.pid)}"
                t.keys(b"\x1b")
                self.pause(0.15)
                t.keys(b"\x1b")
                self.pause(0.15)
                t.keys(how.encode())
                self.pause(0.3)
            rc = t.ended(5)
        else:
            t.p.send_signal(getattr(signal, f"SIG{how}"))
            rc = t.ended(10 * SLOW)
        said = t.stderr()
        assert "Sanitizer" not in said and "runtime error" not in said, said[-3000:]
        if rc in (1, 3) and said and (self.soak.up_count != up or not self.soak.up.is_set()):
            return
        # Before it has taken over its signals they end it as any program, or as any of curses.
        early = {"TERM": (-signal.SIGTERM, 1), "INT": (-signal.SIGINT, 1), "HUP": (-signal.SIGHUP,), "close": (-signal.SIGHUP,)}
        assert rc in (0, *early.get(how, ())), (rc, said)

    @staticmethod
    def pause(seconds):
        time.sleep(seconds)     # as one who types


class Caller(Actor):
    """Verbs, some of which are interrupted."""

    def step(self):
        r = self.rand
        x = r.choice(["a", "b", "c", "d", "a-alias", "nobody"])
        verb = r.choice([["swap", x], ["swap", x, "--no-wait"], ["start", x], ["start"], ["stop"], ["stop", x], ["restart"],
                         ["restart", x, "--force"], ["pin", x], ["unpin", x], ["logs", "-f"], ["logs", "-n", "50"], ["status"],
                         ["status", "--watch"], ["status", "--json"], ["ps"], ["models"], ["ask", "why?"], ["reload"], ["version"],
                         ["cancel", "5"]])
        endless = "-f" in verb or "--watch" in verb
        sig = r.choice([None, None, signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGPIPE])
        if endless and sig is None:
            sig = signal.SIGINT
        up, was_up = self.soak.up_count, self.soak.up.is_set()
        self.doing = f"{verb} {sig}"
        p = subprocess.Popen([MAI, verb[0], "--name", self.m.name, *verb[1:]], env=self.m.env, cwd=self.m.tmp, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", preexec_fn=spawn_settings)
        if sig is not None:
            try:
                p.wait(r.random() * 0.6)
            except subprocess.TimeoutExpired:
                p.send_signal(sig)
        try:
            out, err = p.communicate(timeout=BOUND)
        except subprocess.TimeoutExpired:
            p.kill()
            p.communicate()
            raise AssertionError(f"{verb} does not end") from None
        rc = p.returncode
        self.soak.count(f"mai {verb[0]}", rc)
        assert "Sanitizer" not in err and "runtime error" not in err, err[-3000:]
        steady = was_up and self.soak.up.is_set() and self.soak.up_count == up
        allowed = {0}
        if verb[0] in ("swap", "start", "restart", "stop", "ask", "reload", "pin", "unpin", "cancel"):
            allowed |= {1, 4}
        if verb[0] == "logs":
            allowed |= {4}
        if not steady:
            allowed |= {1, 3}
        if sig is not None:
            allowed |= {-sig, 128 + sig}
        assert rc in allowed, f"{verb} {sig}: {rc}: {out[-500:]!r} {err[-500:]!r}"
        if rc in (1, 3, 4):
            assert err.strip(), f"{verb}: {rc} without a word: {out!r}"
        if x == "nobody" and x in verb and steady and sig is None:
            assert rc in (4, 1), f"{verb}: {rc}: {out} {err}"
        self.over.wait(r.random() * 0.3)


class Load(Actor):
    """Streams whose fate is judged elsewhere."""

    def step(self):
        try:
            with Stream(self.m, CHAT, "sse=30, gap=20", self.rand.choice("abcd"), timeout=BOUND) as s:
                s.all()
        except (OSError, AssertionError):
            self.over.wait(0.1)


class Reaper(Actor):
    """The supervisor dies in every way and comes again."""

    def step(self):
        r, soak, m = self.rand, self.soak, self.m
        if self.over.wait(0.5 + r.random() * min(4, SECONDS)):
            return
        how = r.choice(["core", "guard", "shutdown", "force", "term"])
        self.doing = how
        soak.say(f"the supervisor ends: {how}")
        soak.up.clear()
        core = m.core
        guard = proc.stat(core)[1]
        if how == "core":
            proc.kill(core, signal.SIGKILL)
        elif how == "guard":
            proc.kill(guard, signal.SIGKILL)
        elif how == "term":
            proc.kill(core, signal.SIGTERM)
        else:
            got = m.verb("shutdown", *(["--force"] if how == "force" else []), timeout=BOUND)
            assert got.returncode == 0, got
            assert not proc.alive(core), "shutdown came back too soon"
        wait(lambda: not proc.alive(core) and not proc.alive(guard), 15 * SLOW, lambda: proc.describe([core, guard]))
        wait(lambda: not [p for p in m.engines() if ours(p, core)], 3 * SLOW, lambda: f"left over: {proc.describe(m.engines())}")
        soak.count("end", how)
        self.over.wait(r.random() * 2)
        # A viewer may have started one meanwhile.
        got = m.run("--daemon", "--name", m.name, "-c", m.conf_path, timeout=BOUND)
        assert got.returncode == 0 or "already" in got.stderr or "running" in got.stderr, got
        m.p = None
        m.wait_up(20)
        soak.up_count += 1
        soak.up.set()


def ours(pid, core):
    """Whether an engine was one of a core that is gone: it is no child of a living one."""
    s = proc.stat(pid)
    parent = proc.cmdline(s[1]) if s else []
    return s is not None and not any(b"mai" in w for w in parent[:1])


def shown(m, t):
    """What a viewer tells agrees with the snapshot."""
    def agree():
        snapshot = m.snapshot()
        t.clear()
        t.keys(b"\x0c")
        wait(lambda: "done" in t.text(), 5 * SLOW, lambda: t.text())
        text = " ".join(t.text().split())
        got = re.search(r"in flight (\d+) queued (\d+) done (\d+) err(?:ors)? (\d+)", text)
        return got and [int(x) for x in got.groups()] == [snapshot[k] for k in ("in_flight", "queued", "done", "errors")]
    wait(agree, 10 * SLOW, lambda: f"{m.snapshot()}\n{t.text()}", every=0.3)


@pytest.mark.limit(int(SECONDS + 150))
@pytest.mark.parametrize("seed", range(SEED, SEED + RUNS))
@pytest.mark.parametrize("mortal", [False, True], ids=["steady", "mortal"])
def test_viewers_amid_chaos(mai, seed, mortal):
    soak = Soak(mai, f"{seed}-{mortal}")
    soak.up, soak.up_count = threading.Event(), 0
    soak.setting.limit = 99
    mai.serve()
    soak.up.set()
    mai.expect_clean = False
    soak.census = Census(soak)
    first = Terminal(mai, "attach", "--name", mai.name)
    actors = [Watcher(soak, f"watcher{n}") for n in range(4)] + [Caller(soak, f"caller{n}") for n in range(3)]
    actors += [Load(soak, f"load{n}") for n in range(4)]
    actors += [Reaper(soak, "reaper")] if mortal else [Editor(soak, "editor"), Killer(soak, "killer")]
    try:
        soak.over.wait(SECONDS)
        soak.over.set()
        for a in actors:
            a.join(2 * BOUND)
        assert not [f"{a.name}: {a.doing}" for a in actors if a.is_alive()], "never came back"
        soak.quiet.set()
        assert mai.verb("stop", "a", timeout=BOUND).returncode in (0, 4)
        assert first.running(), first.stderr()
        wait(lambda: not mai.get("/api/requests").json["requests"], 10 * SLOW, "rest")
        shown(mai, first)
        first.keys(b"d")
        assert first.ended(5 * SLOW) == 0, first.stderr()
        assert "Sanitizer" not in first.stderr()
        assert mai.verb("shutdown", timeout=BOUND).returncode == 0
        wait(lambda: not mai.mine(), 10 * SLOW, lambda: proc.describe(mai.mine()))
        assert not soak.faults, f"{len(soak.faults)} faults"
    except (AssertionError, OSError, TimeoutError) as e:
        raise AssertionError(f"{type(e).__name__}: {e}\n{soak.told()}") from None
    finally:
        soak.over.set()
        soak.quiet.set()
        first.close()
        print(f"seed {seed}: {dict(sorted(soak.counts.items()))}")
