# SPDX-License-Identifier: ISC
"""The verbs: what they print, and their exit codes: 0 done, 1 failed, 2 usage, 3 no supervisor, 4 it says no."""
import json
import os
import signal
import subprocess
import time

import pytest

from lib import http, world
from lib.mai import MAI, SLOW
from lib.proc import wait


@pytest.fixture
def pair(mai):
    mai.config({"a": mai.engine("a", ["--spew", "hello from a"]), "b": mai.engine("b"),
                "dies": mai.engine("dies", ["--exit-after", "0", "--exit-code", "2", "--spew", "error: broken"])})
    mai.serve()
    mai.settle_fds()
    mai.post("/load", {"model": "a"})
    return mai


VERBS = ["status", "models", "swap x", "start", "stop", "restart", "logs", "ps", "pin x", "unpin x", "cancel 1", "shutdown", "attach"]


@pytest.mark.parametrize("verb", VERBS)
def test_no_supervisor_is_3(mai, verb):
    r = mai.verb(*verb.split())
    assert r.returncode == 3, r
    assert r.stderr and not r.stdout


def test_help_and_version(mai):
    for args in (["--help"], ["help"], ["status", "--help"]):
        r = mai.run(*args)
        assert r.returncode in (0, 2) and "mai" in r.stdout + r.stderr
    assert mai.run("--help").returncode == 0
    assert mai.run("--version").stdout.startswith("mai ")
    assert mai.run("version").returncode == 0


@pytest.mark.parametrize("args", [["--bogus"], ["status", "--bogus"], ["swap"], ["cancel"], ["status", "too", "many", "words"]])
def test_usage_is_2(mai, args):
    r = mai.run(*args)
    assert r.returncode == 2 and r.stderr, r


def test_status(pair):
    r = pair.verb("status")
    assert r.returncode == 0 and "a" in r.stdout and "ready" in r.stdout.lower()
    s = json.loads(pair.verb("status", "--json").stdout)
    assert "a" in json.dumps(s) and "ready" in json.dumps(s)
    # options before or after the verb
    assert pair.run("--name", pair.name, "--json", "status").stdout == pair.run("status", "--json", "--name", pair.name).stdout \
        or json.loads(pair.run("--name", pair.name, "--json", "status").stdout)


def test_models(pair):
    r = pair.verb("models")
    assert r.returncode == 0 and all(x in r.stdout for x in ("a", "b", "dies"))
    json.loads(pair.verb("models", "--json").stdout)


def test_swap(pair):
    r = pair.verb("swap", "b")
    assert r.returncode == 0, r
    assert pair.status()["current_model"] == "b" and pair.state() == "ready"
    r = pair.verb("swap", "zzz")
    assert r.returncode == 4 and "zzz" in r.stderr
    r = pair.verb("swap", "dies")
    assert r.returncode == 1 and "broken" in r.stderr + r.stdout, r


def test_swap_off_a_terminal_prints_lines_not_bars(pair):
    r = pair.verb("swap", "b")
    assert "\r" not in r.stdout + r.stderr and "\x1b" not in r.stdout + r.stderr


def test_start_stop_restart(pair):
    assert pair.verb("stop").returncode == 0
    assert pair.state() == "stopped"
    assert pair.verb("start", "b").returncode == 0
    assert pair.status()["current_model"] == "b"
    assert pair.verb("start", "a").returncode == 4, "another one runs: a conflict"
    pid = pair.status()["pid"]
    assert pair.verb("restart").returncode == 0
    new = pair.status()["pid"]
    assert new != pid
    assert pair.verb("restart", "--force").returncode == 0
    assert pair.ready()["pid"] != new
    assert pair.verb("restart", "zzz").returncode == 4
    assert pair.verb("stop", "zzz").returncode == 4


def test_no_wait(pair):
    pair.post("/stop")
    before = time.monotonic()
    assert pair.verb("start", "a", "--no-wait").returncode == 0
    assert time.monotonic() - before < 2 * SLOW
    pair.ready()


def test_logs(pair):
    r = pair.verb("logs")
    assert r.returncode == 0 and "hello from a" in r.stdout
    assert len(pair.verb("logs", "-n", "2").stdout.splitlines()) <= 2
    assert pair.verb("logs", "zzz").returncode == 4


def test_logs_follow(pair):
    p = subprocess.Popen([MAI, "logs", "-f", "--name", pair.name], env=pair.env, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=pair.tmp)
    try:
        os.set_blocking(p.stdout.fileno(), False)
        got = []

        def has(text):
            got.append(p.stdout.read() or b"")
            return text in b"".join(got)
        wait(lambda: has(b"hello from a"), 5, "history")
        n = b"".join(got).count(b"hello from a")
        pair.post("/api/restart", {})
        wait(lambda: has(b"") or b"".join(got).count(b"hello from a") > n, 5, "new lines") if n else None
        wait(lambda: (has(b"zz") or b"".join(got).count(b"hello from a") > n), 5, "the new start's lines")
        p.send_signal(signal.SIGINT)
        assert p.wait(5) in (0, 130, -2)
    finally:
        if p.poll() is None:
            p.kill()
            p.wait()
        p.stdout.close()
        p.stderr.close()


def test_ps_and_cancel(pair):
    call = world.Later(pair.chat, "a", fake="sse=1000, gap=20", stream=True)
    wait(lambda: pair.stats("a")["in_progress"] == 1, 5)
    r = pair.verb("ps")
    assert r.returncode == 0 and "/v1/chat/completions" in r.stdout or "chat" in r.stdout
    rows = json.loads(pair.verb("ps", "--json").stdout)
    rows = rows["requests"] if isinstance(rows, dict) else rows
    assert pair.verb("cancel", rows[0]["id"]).returncode == 0
    try:
        call.result()
    except Exception as e:
        assert "Incomplete" in repr(e)
    wait(lambda: pair.stats("a")["aborted"] == 1, 2)
    assert pair.verb("cancel", "424242").returncode == 4


def test_pin_and_unpin(pair):
    pair.post("/load", {"model": "a"})
    r = pair.verb("pin", "a")
    assert r.returncode == 0 and r.stdout == "a is pinned\n", r
    assert [e["id"] for e in pair.snapshot()["engines"] if e["pinned"]] == ["a"]
    assert "a  ready" in pair.verb("status").stdout and "pinned" in pair.verb("status").stdout
    assert pair.verb("swap", "b").returncode == 4, "it gave way"
    r = pair.verb("unpin", "a", "--json")
    assert r.returncode == 0 and json.loads(r.stdout) == {"status": "not pinned", "model": "a"}, r
    assert pair.verb("swap", "b").returncode == 0
    r = pair.verb("pin", "nobody")
    assert r.returncode == 4 and "Unknown model nobody (known: a, b" in r.stderr, r


def test_ask(pair):
    r = pair.verb("ask", "say something")
    assert r.returncode == 0 and "word0" in r.stdout, r


def test_shutdown(pair):
    r = pair.verb("shutdown")
    assert r.returncode == 0, r
    assert pair.wait_exit(5) == 0


def test_remote_by_url_with_key(mai):
    mai.config({"m": mai.engine("m")}, apiKeys=["sesame"])
    mai.keys = {"Authorization": "Bearer sesame"}
    mai.serve()
    url = f"http://127.0.0.1:{mai.port}"
    assert mai.run("-H", url, "status", env={"MAI_KEY": "sesame"}).returncode == 0
    r = mai.run("-H", url, "status", env={"MAI_KEY": "wrong"})
    assert r.returncode in (1, 4) and r.stderr
    assert mai.run("-H", "http://127.0.0.1:1", "status").returncode == 3


def test_status_off_a_terminal_has_no_escapes(pair):
    for verb in ("status", "models", "ps", "logs"):
        assert "\x1b" not in pair.verb(verb).stdout


def test_bare_mai_without_a_terminal_serves(mai):
    mai.config({"m": mai.engine("m")})
    mai.spawn("-c", mai.conf_path, "--name", mai.name)
    mai.wait_up()
    assert mai.get("/livez").status == 200


def test_output_to_a_closed_pipe_is_quiet(pair):
    p = subprocess.run(["/bin/sh", "-c", f'"{MAI}" logs --name {pair.name} | head -n 0; true'], env=pair.env, capture_output=True,
                       timeout=10, cwd=pair.tmp)
    assert b"Sanitizer" not in p.stderr
    assert http.call(pair.port, "GET", "/livez").status == 200


def test_a_replay_in_lines_ends_where_the_recording_does(mai):
    """And its times are those of the recording."""
    entries = [{"recording": 1, "version": "0.1.0", "foreground": False, "where": "mai/x.sock", "wall": 86400000},
               {"t": 0, "link": "up"}, {"t": 3000, "link": "down", "text": "reset", "tries": 1, "retry": 250}]
    file = mai.tmp / "recording"
    file.write_text("".join(json.dumps(e) + "\n" for e in entries))
    r = mai.run("attach", "--replay", file, "--speed", "0", "--plain", timeout=5 * SLOW, env={"TZ": "UTC"})
    assert (r.returncode, r.stdout, r.stderr) == (0, "00:00:00 =  connected\n00:00:03 =W not connected: reset\n", "")
