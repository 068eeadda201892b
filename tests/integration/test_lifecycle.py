# SPDX-License-Identifier: ISC
"""Faults of the process and of supervision; each test is named after the fault that it shows."""
import os
import random
import resource
import shutil
import signal
import socket
import stat as stat_
import subprocess
import sys
import time

import pytest

from lib import proc, world
from lib.mai import MAI, SLOW, free_port
from lib.proc import never, wait

FAST = {"backoff": 0.05}     # 0.1, 0.2, 0.4 s


def text_of(status):
    return str(status)


def crash_and_wait(m, sig, states=("backoff", "starting", "ready")):
    pid = m.status()["pid"]
    os.kill(pid, sig)
    wait(lambda: m.status()["pid"] != pid, 5, "the death is noticed")
    return pid


@pytest.mark.parametrize("sig", ["SEGV", "ABRT", "KILL"])
def test_P1_crash_while_idle_is_restarted(mai, sig):
    mai.config({"m": mai.engine("m", backoff=0.5)})
    mai.start_all()
    assert mai.status()["restart_attempts"] == 0
    old = mai.status()["pid"]
    os.kill(old, getattr(signal, "SIG" + sig))
    s = mai.wait_state("backoff", timeout=2)
    assert s["restart_attempts"] == 1
    assert s["mlx_server_running"] is False and s["status"] == "stopped"
    assert s["current_model"] == "m"
    assert f"SIG{sig}" in text_of(s["last_exit"])
    s = mai.ready()
    assert s["pid"] not in (old, 0, None)
    assert s["restart_attempts"] == 1, "stays until stableAfter"
    assert mai.records["m"].count("start") == 2
    assert mai.chat("m").status == 200


def test_P1_crash_is_noticed_at_once(mai):
    mai.config({"m": mai.engine("m", backoff=30)})
    mai.start_all()
    os.kill(mai.status()["pid"], signal.SIGKILL)
    before = time.monotonic()
    mai.wait_state("backoff", timeout=1)
    assert time.monotonic() - before < 0.1 * SLOW


@pytest.mark.slow
def test_P1_P2_delays_are_2_4_8_seconds_then_failed(mai):
    mai.config({"m": mai.engine("m", ["--exit-after", "0", "--exit-code", "3", "--spew", "fatal: out of tea"])})
    mai.serve()
    mai.post("/start", timeout=40)
    s = mai.wait_state("failed", timeout=25)
    starts, deaths = (mai.records["m"].events(x) for x in ("start", "die"))
    assert len(starts) == 4
    for n, want in enumerate((2000, 4000, 8000)):
        gap = starts[n + 1]["ms"] - deaths[n]["ms"]
        assert want - 5 <= gap <= want + 150 * SLOW, (n, gap)
    assert "exit status 3" in text_of(s["last_exit"]) or "status 3" in text_of(s["last_exit"])
    assert s["restart_attempts"] == 0, "the seed's number is 0 once it gave up"


def test_P1_attempts_return_to_0_after_stable(mai):
    mai.config({"m": mai.engine("m", stableAfter=0.3, **FAST)})
    mai.start_all()
    crash_and_wait(mai, signal.SIGKILL)
    mai.ready()
    assert mai.status()["restart_attempts"] == 1
    wait(lambda: mai.status()["restart_attempts"] == 0, 3, "stable again")


def test_P2_dying_right_after_ready_cannot_loop_for_ever(mai):
    mai.config({"m": mai.engine("m", ["--exit-after", "150", "--exit-code", "1"], **FAST)})
    mai.serve()
    mai.post("/start", timeout=20)
    mai.wait_state("failed", timeout=15)
    assert mai.records["m"].count("start") == 4


def test_P2_crash_loop_ends_in_failed_and_stays_there(mai):
    mai.config({"m": mai.engine("m", ["--exit-after", "0", "--exit-code", "1", "--spew", "fatal: no luck"], **FAST)})
    mai.serve()
    r = mai.post("/start", timeout=20)
    assert (r.status, r.json["detail"]) == (500, "Failed to start server")
    s = mai.wait_state("failed")
    assert mai.records["m"].count("start") == 4
    assert s["failed"] and s["current_model"] == "m"
    cpu = proc.cpu_seconds(mai.core)
    before = time.monotonic()
    for _ in range(5):
        r = mai.chat("m")
        assert r.status == 503, r
        assert r.json["error"]["code"] == "engine_failed"
        assert "fatal: no luck" in r.body.decode()
        assert r.header("Retry-After") == "60"
    assert time.monotonic() - before < 2 * SLOW
    never(lambda: mai.records["m"].count("start") > 4, 1, "a start after giving up")
    assert proc.cpu_seconds(mai.core) - cpu < 0.3
    # a person may say so
    mai.post("/start", timeout=20)
    assert mai.records["m"].count("start") > 4


def exec_cases(tmp):
    no_exec = tmp / "not-executable"
    no_exec.write_text("#!/bin/sh\n")
    no_exec.chmod(0o644)
    bad = tmp / "bad-interpreter"
    bad.write_text("#!/no/such/interpreter\n")
    bad.chmod(0o755)
    return {"ENOENT": (f"{tmp}/no-such-engine", "No such file"), "PATH": ("no-such-engine-in-path", "No such file|not found"),
            "EACCES": (str(no_exec), "Permission denied|not executable"), "interpreter": (str(bad), "No such file|interpreter")}


@pytest.mark.parametrize("case", ["ENOENT", "PATH", "EACCES", "interpreter"])
def test_P3_exec_failure_is_permanent_and_named(mai, case):
    import re
    path, want = exec_cases(mai.tmp)[case]
    mai.config({"m": {"cmd": f"{path} --port ${{PORT}}"}, "good": mai.engine("good")})
    mai.serve()
    before = time.monotonic()
    r = mai.post("/load", {"model": "m"}, timeout=10)
    assert time.monotonic() - before < 1 * SLOW, "no backoff for what cannot succeed"
    assert r.status == 500 and r.json["detail"] == "Failed to load model", r
    assert re.search(want, r.json["cause"]), r
    s = mai.wait_state("failed")
    assert re.search(want, text_of(s)), s
    assert s["reason"] == "exec_failed"
    assert mai.post("/load", {"model": "good"}).status == 200
    assert mai.chat("good").status == 200


def test_P3_exit_2_before_ready_is_permanent(mai):
    mai.config({"m": mai.engine("m", ["--no-such-option"], **FAST)})
    mai.serve()
    assert mai.post("/start", timeout=10).status == 500
    s = mai.wait_state("failed")
    assert s["reason"] == "config", s
    assert "invalid argument: --no-such-option" in text_of(s)


def test_P4_exit_0_unasked_is_a_crash(mai):
    mai.config({"m": mai.engine("m", ["--exit-after", "300", "--exit-code", "0"], backoff=30)})
    mai.serve()
    mai.post("/start")
    s = mai.wait_state("backoff")
    assert "exited 0 unexpectedly" in text_of(s["last_exit"])
    assert s["restart_attempts"] == 1


def test_P5_ignored_sigterm_becomes_sigkill(mai):
    mai.config({"m": mai.engine("m", ["--ignore-term"], unloadTimeout=0.5)})
    s = mai.start_all()
    before = time.monotonic()
    assert mai.post("/stop").json == {"status": "stopped"}
    took = time.monotonic() - before
    assert 0.4 <= took <= 0.7 + 0.3 * SLOW, took
    assert not proc.alive(s["pid"])
    assert mai.state() == "stopped"


def test_P5_stopped_process_is_killed_as_well(mai):
    mai.config({"m": mai.engine("m", unloadTimeout=0.3)})
    s = mai.start_all()
    os.kill(s["pid"], signal.SIGSTOP)
    mai.post("/stop")
    assert not proc.alive(s["pid"])


@pytest.mark.parametrize("switch", ["--fork", "--fork-setsid"])
@pytest.mark.parametrize("ignore", [False, True])
def test_P8_P9_grandchildren_end_with_the_engine(mai, switch, ignore):
    args = [switch] + (["--ignore-term"] if ignore else [])
    mai.config({"m": mai.engine("m", args, unloadTimeout=0.3)})
    mai.start_all()
    child = wait(lambda: mai.records["m"].events("grandchild"), 5, "grandchild")[0]["pid"]
    assert proc.alive(child)
    mai.post("/stop")
    assert mai.state() == "stopped"
    wait(lambda: not proc.alive(child), 0.5 * SLOW, "the grandchild is gone")
    assert not mai.engines()


def guard_of(m):
    guard = proc.stat(m.core)[1]
    assert guard in m.mine(), "the core's parent is the guard"
    return guard


@pytest.mark.parametrize("who", ["core", "guard", "both"])
@pytest.mark.parametrize("switch", [None, "--fork", "--fork-setsid"])
def test_P10_no_orphan_when_core_or_guard_is_killed(mai, who, switch):
    args = ["--ignore-term"] + ([switch] if switch else [])
    mai.config({"m": mai.engine("m", args)})
    mai.start_all()
    if switch:
        wait(lambda: mai.records["m"].events("grandchild"), 5, "grandchild")
    guard = guard_of(mai)
    mai.expect_clean = False
    family = mai.mine()
    assert len(family) >= (4 if switch else 3)
    escaped = who == "both" and switch is not None
    for pid in {"core": [mai.core], "guard": [guard], "both": [guard, mai.core]}[who]:
        os.kill(pid, signal.SIGKILL)
    if escaped:
        # nobody is left who could know a grandchild: the engine itself goes (PDEATHSIG), the rest by the next start
        wait(lambda: not proc.alive(mai.records["m"].pid()), 0.5 * SLOW, "the engine is gone")
        for p in mai.engines():
            proc.kill(p, signal.SIGKILL)
    wait(lambda: not [p for p in family if proc.alive(p)], 0.5 * SLOW,
         lambda: f"left: {proc.describe(p for p in family if proc.alive(p))}")


def test_P10_restart_after_sigkill_finds_a_clean_place(new_mai):
    a = new_mai()
    a.config({"m": a.engine("m")})
    a.start_all()
    a.expect_clean = False
    os.kill(a.core, signal.SIGKILL)
    a.wait_exit()
    assert a.exit != 0, "the guard ends with the core's status"
    a.expect_clean = True
    a.start_all()
    assert a.chat("m").status == 200


def test_P13_coalesced_deaths_leave_no_zombie(mai):
    mai.config({"m": mai.engine("m", ["--fork", "--fork-setsid"], **FAST)})
    mai.start_all()
    wait(lambda: mai.records["m"].count("grandchild") == 2, 5, "grandchildren")
    victims = mai.engines()
    os.kill(mai.core, signal.SIGSTOP)
    for p in victims:
        os.kill(p, signal.SIGKILL)
    os.kill(mai.core, signal.SIGCONT)
    mai.wait_state("backoff", "starting", "ready")
    mai.ready()
    wait(lambda: not any(proc.stat(p) for p in victims), 0.5 * SLOW, "all reaped")


def test_P14_unknown_child_is_reaped_and_ignored(mai):
    mai.config({"m": mai.engine("m")})
    script = f'sleep 0.3 & exec "{MAI}" serve --name {mai.name} -c "{mai.conf_path}"'
    with open(mai.tmp / "stderr", "ab") as err:
        mai.p = subprocess.Popen(["/bin/sh", "-c", script], env=mai.env, stdin=subprocess.DEVNULL, stdout=err,
                                 stderr=err, cwd=mai.tmp)
    mai.wait_up()
    mai.post("/start")
    s = mai.ready()
    never(lambda: mai.status()["pid"] != s["pid"], 0.5, "the engine was touched")
    guard = guard_of(mai)
    wait(lambda: not any((proc.stat(c) or "Z")[0] == "Z" for c in proc.children(guard)), 2, "reaped")


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit")
def test_P15_fork_failure_is_reported_and_retried(mai):
    nobody = 65534 if os.getuid() == 0 else None
    mai.copy_programs()
    mai.config({"m": mai.engine("m", backoff=0.3)})
    if nobody:
        for root, dirs, files in os.walk(mai.tmp):
            for n in [root] + [os.path.join(root, x) for x in dirs + files]:
                os.chown(n, nobody, nobody)
        p = mai.tmp
        for up in (p, *p.parents):
            if up.stat().st_uid == 0 and not up.stat().st_mode & stat_.S_IXOTH:
                os.chmod(up, up.stat().st_mode | stat_.S_IXOTH)
        for d in (mai.tmp, *[x for x in mai.tmp.rglob("*") if x.is_dir()]):
            os.chown(d, nobody, nobody)

    def become():
        if nobody:
            os.setgroups([])
            os.setresgid(nobody, nobody, nobody)
            os.setresuid(nobody, nobody, nobody)

    mai.serve(preexec=become)
    mai.settle_fds()

    def limit(soft):
        """As the same user: root in a container may not."""
        code = f"import resource as r; r.prlimit({mai.core}, r.RLIMIT_NPROC, ({soft}, r.prlimit({mai.core}, r.RLIMIT_NPROC)[1]))"
        subprocess.run([shutil.which("python3", path="/usr/bin:/bin") or sys.executable, "-c", code], preexec_fn=become, check=True)

    limit(1)
    later = world.Later(mai.post, "/start", timeout=20)
    s = mai.wait_state("backoff", timeout=5)
    assert "fork" in text_of(s).lower() or "Resource temporarily unavailable" in text_of(s)
    assert mai.get("/livez").status == 200
    limit(f"r.prlimit({mai.core}, r.RLIMIT_NPROC)[1]")
    mai.ready()
    assert later.result().status == 200


def line(m, start):
    """The first line of engine output with that beginning."""
    def look():
        for text in m.log().splitlines():
            if start in text:
                return text[text.index(start) + len(start):].strip() or " "
    return wait(look, 5, start).strip()


def test_P16_no_descriptor_leaks_into_the_engine(mai):
    mai.config({"m": mai.engine("m", ["--print-fds"])})
    with mai.serve().raw() as idle:     # a client connection must not leak either
        idle.send("GET /status HTTP/1.1\r\n")
        mai.post("/start")
        assert line(mai, "fds:") == "0 1 2"


def test_P17_signals_are_reset_for_the_engine(mai):
    def ignore():
        for s in (signal.SIGHUP, signal.SIGUSR2, signal.SIGPIPE):
            signal.signal(s, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})

    mai.config({"m": mai.engine("m", ["--print-signals"])})
    mai.serve(preexec=ignore)
    mai.post("/start")
    assert line(mai, "sigblk:") == ""
    assert line(mai, "sigign:") == ""


def test_P18_terminal_session_environment_limits(mai):
    mai.config({"m": mai.engine("m", ["--print-tty", "--stdin-check", "--print-env"])},
               apiKeys=["${env.THE_SECRET_KEY}"])
    mai.keys = {"Authorization": "Bearer canary-4711"}
    mai.serve(env={"THE_SECRET_KEY": "canary-4711", "MAI_KEY": "canary-4712", "PASSED": "on"})
    mai.post("/start")
    s = mai.ready()
    assert line(mai, "tty:") == "none"
    assert line(mai, "stdin:") == "eof"
    assert line(mai, "env: PASSED=") == "on"
    assert line(mai, "env: PYTHONUNBUFFERED=") == "1"
    mark = line(mai, "env: MAI_ENGINE=")
    assert mark.startswith(mai.name + ".") and mark.split(".")[-1].isdigit(), mark
    env = b"\0".join(proc.environ(s["pid"]))
    assert b"canary-471" not in env and b"MAI_KEY" not in env and b"THE_SECRET_KEY" not in env
    _, ppid, pgid, sid, _ = proc.stat(s["pid"])
    assert pgid == s["pid"] and sid == s["pid"] and ppid == mai.core
    limits = open(f"/proc/{s['pid']}/limits").read()
    assert [x.split()[4:6] for x in limits.splitlines() if x.startswith("Max core")] == [["0", "0"]]
    for p in mai.mine():
        assert b"canary" not in b" ".join(proc.cmdline(p))


def timed_chats(m, n):
    out = []
    for _ in range(n):
        before = time.monotonic()
        assert m.chat("m", max_tokens=2).status == 200
        out.append(time.monotonic() - before)
    return sorted(out)


@pytest.mark.limit(90)
def test_P19_P23_flood_of_output(mai):
    mai.config({"m": mai.engine("m", ["--flood", "50000"])})
    mai.start_all()
    wait(lambda: "flood" in mai.log(), 5, "flood")
    rss = proc.rss_kib(mai.core)
    times = timed_chats(mai, 100)
    assert times[98] < 0.15 * SLOW, times[90:]
    lines = wait(lambda: [x for x in mai.log().splitlines() if "flood" in x], 5)
    assert len(lines) <= 2000
    if not world.sanitized(MAI):
        assert proc.rss_kib(mai.core) - rss < 9 * 1024, "the ring is bounded"
    assert mai.stats()["max_write_ms"] < 100 * SLOW, "the engine must not wait long for us"


@pytest.mark.limit(90)
def test_P20_one_line_of_100_MB(mai):
    mai.config({"m": mai.engine("m", ["--longline", "100000000"])})
    mai.serve()
    mai.settle_fds()
    rss = proc.rss_kib(mai.core)
    assert mai.post("/start", timeout=60).status == 200
    if not world.sanitized(MAI):
        assert proc.rss_kib(mai.core) - rss < 9 * 1024
    assert max(len(x) for x in mai.log().splitlines()) <= 65536 + 200


def test_P21_closed_stdout_is_not_death(mai):
    mai.config({"m": mai.engine("m", ["--close-stdout"])})
    s = mai.start_all()
    cpu, before = proc.cpu_seconds(mai.core), time.monotonic()
    never(lambda: proc.stat(s["pid"]) is None, 1, "the engine ended")
    assert proc.cpu_seconds(mai.core) - cpu <= 0.05, "no spinning on end-of-file"
    assert mai.status()["pid"] == s["pid"] and mai.state() == "ready"


def test_P22_death_is_seen_though_a_grandchild_holds_the_pipe(mai):
    mai.config({"m": mai.engine("m", ["--fork-setsid"], **FAST)})
    s = mai.start_all()
    wait(lambda: mai.records["m"].events("grandchild"), 5, "grandchild")
    os.kill(s["pid"], signal.SIGKILL)
    before = time.monotonic()
    wait(lambda: mai.status()["pid"] != s["pid"], 2, "noticed")
    assert time.monotonic() - before < 0.15 * SLOW
    mai.ready()
    old = mai.records["m"].events("grandchild")[0]["pid"]
    assert not proc.alive(old), "the old tree is gone before the new start"


def fixed(m, port, *args, **keys):
    from lib.mai import Record
    rec = m.records.setdefault("m", Record(m.tmp / "record.m"))
    return {"cmd": m.fake(*args, record=rec.path, port=str(port)), "proxy": f"http://127.0.0.1:{port}",
            "checkEndpoint": "/health", **keys}


def test_P24_port_held_by_a_foreign_server_is_port_busy(mai):
    port = free_port()
    mai.config({"m": fixed(mai, port)})
    mai.serve()
    with world.Squatter(port) as squatter:
        r = mai.post("/start")
        assert r.status == 500
        s = mai.wait_state("failed")
        assert s["reason"] == "port_busy"
        assert str(port) in text_of(s) and str(os.getpid()) in text_of(s), "port and owner are named"
        assert mai.get("/ready").status == 503
        assert mai.chat("m").status == 503
        assert squatter.hits == []
        assert mai.records["m"].count("start") == 0
    assert mai.post("/start").status == 200, "recoverable"


def test_P24_listener_that_is_not_ours_is_not_ready(mai):
    port = free_port()
    mai.config({"m": fixed(mai, port, "--listen-after", "60000", maxAttempts=0)}, healthCheckTimeout=20)
    mai.serve()
    later = world.Later(mai.post, "/start", timeout=30)
    wait(lambda: mai.records["m"].count("start") == 1, 5, "started")
    with world.Squatter(port):
        never(lambda: mai.state() == "ready", 1, "ready by a stranger's answer")
    mai.post("/stop")
    assert later.result().status == 500


def test_P26_never_ready_is_killed_and_recoverable(mai):
    state = mai.tmp / "starts"
    mai.config({"m": mai.engine("m", ["--never-ready", "--state", state, "--good-after", "1"], healthCheckTimeout=0.5,
                                maxAttempts=0)})
    mai.serve()
    before = time.monotonic()
    later = world.Later(mai.chat, "m", timeout=20)
    r = later.result()
    assert r.status == 503 and r.json["error"]["code"] == "engine_failed", r
    assert 0.4 < time.monotonic() - before < 5 * SLOW
    s = mai.wait_state("failed")
    assert s["reason"] == "start_timeout", s
    assert not mai.engines()
    assert mai.post("/start").status == 200
    assert mai.chat("m").status == 200


def test_P26_progress_keeps_a_slow_start_alive(mai):
    mai.config({"m": mai.engine("m", ["--ready-after", "1500", "--flood", "50"], healthCheckTimeout=0.5)})
    mai.serve()
    assert mai.post("/start", timeout=20).status == 200
    assert mai.records["m"].count("start") == 1


def test_P26_start_timeout_ends_even_a_lively_start(mai):
    mai.config({"m": mai.engine("m", ["--never-ready", "--flood", "50"], startTimeout=0.8, maxAttempts=0)})
    mai.serve()
    assert mai.post("/start", timeout=20).status == 500
    assert mai.wait_state("failed")["reason"] == "start_timeout"


def test_P27_waiters_are_told_when_the_engine_gives_up(mai):
    mai.config({"m": mai.engine("m", ["--never-ready", "--exit-after", "50", "--exit-code", "1", "--spew", "error: weights are rotten"],
                                **FAST)})
    mai.serve()
    waiters = [world.Later(mai.chat, "m", timeout=30) for _ in range(5)]
    got = [w.result() for w in waiters]
    failed_at = time.monotonic()
    for r in got:
        assert r.status == 503 and r.json["error"]["code"] == "engine_failed", r
        assert "weights are rotten" in r.json["mai"]["cause"]
    assert mai.records["m"].count("start") == 4
    assert mai.state() == "failed" and time.monotonic() - failed_at < 1


@pytest.mark.limit(120)
def test_P29_swap_storm_never_has_two_engines(mai):
    r = random.Random(7)
    names = ["a", "b", "c"]
    mai.config({n: mai.engine(n, ["--ready-after", "40"], drainTimeout=1) for n in names}, minResident=0)
    mai.serve()
    mai.settle_fds()
    stop, worst = [], []

    def watch():
        while not stop:
            n = [p for p in mai.engines() if (st := proc.stat(p)) and st[1] == mai.core]
            if len(n) > 1:
                again = [p for p in n if proc.alive(p)]
                if len(again) > 1:
                    worst.append(proc.describe(again))
            time.sleep(0.002)

    watcher = world.Later(watch)
    calls = []
    for _ in range(60):
        op = r.choice(["load", "load", "load", "chat", "stop", "kill", "start"])
        if op == "load":
            calls.append(world.Later(mai.post, "/load", {"model": r.choice(names)}, timeout=40))
        elif op == "chat":
            calls.append(world.Later(mai.chat, r.choice(names), timeout=40))
        elif op == "stop":
            calls.append(world.Later(mai.post, "/stop", timeout=40))
        elif op == "start":
            calls.append(world.Later(mai.post, "/start", timeout=40))
        else:
            for p in mai.engines()[:1]:
                proc.kill(p, signal.SIGKILL)
        time.sleep(r.random() * 0.03)
    codes = [c.result(60).status for c in calls]
    stop.append(1)
    watcher.result()
    assert not worst, worst[0]
    assert set(codes) <= {200, 409, 500, 502, 503}, codes
    assert mai.post("/load", {"model": "a"}, timeout=40).status == 200
    assert mai.chat("a").status == 200


def test_P32_kill_from_outside_is_told_from_ours(mai):
    mai.config({"m": mai.engine("m", backoff=30)})
    mai.start_all()
    os.kill(mai.status()["pid"], signal.SIGKILL)
    s = mai.wait_state("backoff")
    assert "SIGKILL, not by us" in text_of(s["last_exit"]), s
    assert not [f for f in os.listdir(mai.tmp) if f.startswith("core")]


def test_P33_stop_in_backoff_cancels_the_retry(mai):
    mai.config({"m": mai.engine("m", backoff=0.3)})
    mai.start_all()
    os.kill(mai.status()["pid"], signal.SIGKILL)
    mai.wait_state("backoff")
    before = time.monotonic()
    assert mai.post("/stop").json == {"status": "stopped"}
    assert time.monotonic() - before < 0.2 * SLOW
    s = mai.status()
    assert s["state"] == "stopped" and s["current_model"] is None
    never(lambda: mai.records["m"].count("start") > 1 or mai.state() != "stopped", 1, "a start after stop")
