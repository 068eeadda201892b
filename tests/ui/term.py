# SPDX-License-Identifier: ISC
"""A real terminal for tests: tmux on a socket of its own, and a fake core beside it. Every wait is for a condition."""
import concurrent.futures
import http.client
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

# A shell's jobs behind the terminal ignore interrupts, and so would all that is started here.
signal.signal(signal.SIGINT, signal.default_int_handler)

HERE = os.path.dirname(os.path.abspath(__file__))


class UnixHTTP(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


def until(fn, ms, what):
    end = time.monotonic() + ms / 1000
    while True:
        got = fn()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(what() if callable(what) else what)
        time.sleep(0.01)


class Core:
    """The fake core of one instance."""

    def __init__(self, runtime, name="default"):
        self.sock = os.path.join(runtime, "mai", name + ".sock")
        os.makedirs(os.path.dirname(self.sock), mode=0o700, exist_ok=True)
        self.proc = None
        self.start()

    def start(self):
        self.proc = subprocess.Popen([sys.executable, os.path.join(HERE, "fake_core.py"), self.sock])
        until(self.alive, 5000, "the fake core does not come up")

    def alive(self):
        try:
            self.ask("GET", "/api/version")
            return True
        except OSError:
            return False

    def ask(self, method, path, body=None):
        c = UnixHTTP(self.sock)
        c.request(method, path, body)
        answer = json.loads(c.getresponse().read() or b"{}")
        c.close()
        return answer

    def be(self, what, **args):
        self.ask("POST", "/fake/" + what, json.dumps(args))

    def calls(self):
        return self.ask("GET", "/fake/calls")

    def called(self, pattern, ms=1000):
        until(lambda: any(re.search(pattern, c) for c in self.calls()), ms,
              lambda: "no call %s in %s" % (pattern, self.calls()))

    def stop(self):
        if self.proc is not None:
            self.proc.kill()
            self.proc.wait()
            self.proc = None


class Term:
    """One tmux server with one window."""

    def __init__(self, mai):
        self.mai = mai
        self.dir = tempfile.mkdtemp(prefix="mai-ui-")
        self.sock = os.path.join(self.dir, "tmux")
        self.env = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "LC_ALL", "ASAN_OPTIONS",
                    "UBSAN_OPTIONS", "LD_LIBRARY_PATH", "MAI_UI_LOG")}
        self.env.update(XDG_RUNTIME_DIR=self.dir, XDG_STATE_HOME=self.dir, LC_ALL="C.UTF-8", TZ="UTC", SHELL="/bin/sh",
                        TERM="xterm-256color", ASAN_OPTIONS="detect_leaks=0", PS1="$ ")
        self.core = None

    def tmux(self, *args, check=True):
        r = subprocess.run(["tmux", "-S", self.sock, "-f", "/dev/null", *args], env=self.env, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
        if check and r.returncode != 0:
            raise AssertionError("tmux %s: %s" % (args, r.stdout))
        return r.stdout

    def up(self, cols, rows, cmd, env=None):
        """Runs a command line in a new terminal; its exit status ends up in the file rc."""
        extra = "".join("%s=%s " % kv for kv in (env or {}).items())
        line = "trap : INT; %s%s; echo $? > %s/rc; stty -a > %s/stty; cat" % (
            "env " + extra if extra else "", cmd.replace("mai", self.mai, 1), self.dir, self.dir)
        self.tmux("new-session", "-d", "-x", str(cols), "-y", str(rows), "-s", "t", line)
        self.tmux("set", "-g", "status", "off")
        self.tmux("set", "-g", "window-size", "manual", check=False)

    def on_pty(self, *args):
        """Runs mai on a terminal that nobody draws: the process and the other side."""
        fd, terminal = pty.openpty()
        p = subprocess.Popen([self.mai, *args], stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
                             env=dict(self.env, TERM="xterm-256color"))
        os.close(terminal)
        return p, fd

    def shell(self, cols, rows):
        self.tmux("new-session", "-d", "-x", str(cols), "-y", str(rows), "-s", "t", "/bin/sh -i")
        self.tmux("set", "-g", "status", "off")
        self.see(r"\$")

    def grab(self, *more):
        return self.tmux("capture-pane", "-p", "-t", "t", *more)

    def row(self, n):
        return self.grab().split("\n")[n]

    def see(self, pattern, ms=3000):
        until(lambda: re.search(pattern, self.grab(), re.M), ms, lambda: "not seen: %s in\n%s" % (pattern, self.grab()))

    def gone(self, pattern, ms=3000):
        until(lambda: not re.search(pattern, self.grab(), re.M), ms, lambda: "still seen: %s in\n%s" % (pattern, self.grab()))

    def keys(self, *names):
        self.tmux("send-keys", "-t", "t", *names)

    def type(self, text):
        self.tmux("send-keys", "-t", "t", "-l", text)

    def size(self, cols, rows):
        self.tmux("resize-window", "-t", "t", "-x", str(cols), "-y", str(rows))

    def pid(self):
        """Of mai in the window."""
        shell = self.tmux("list-panes", "-t", "t", "-F", "#{pane_pid}").strip()
        out = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", shell], stdout=subprocess.PIPE, encoding="ascii").stdout
        for line in out.splitlines():
            pid, comm = line.split(None, 1)
            if comm.startswith("mai"):
                return int(pid)
        return 0

    def ended(self, ms=5000):
        """Waits for the end of the command; its exit status."""
        until(lambda: os.path.exists(self.dir + "/stty") and os.path.getsize(self.dir + "/stty") > 0, ms,
              lambda: "still running:\n" + self.grab())
        with open(self.dir + "/rc", encoding="ascii") as f:
            return int(f.read())

    def sane(self):
        """The terminal is as it was: cooked, echoing, cursor on, main screen."""
        with open(self.dir + "/stty", encoding="ascii") as f:
            modes = f.read()
        assert re.search(r"[^-]icanon", modes) and re.search(r"[^-]echo\b", modes) and re.search(r"[^-]isig", modes), modes
        flags = self.tmux("display", "-p", "-t", "t", "#{alternate_on} #{cursor_flag}").strip()
        assert flags == "0 1", flags

    def attach(self, cols=80, rows=24, args="", env=None):
        self.core = self.core or Core(self.dir)
        self.up(cols, rows, "mai attach " + args, env)

    def close(self):
        if self.core is not None:
            self.core.stop()
        self.tmux("kill-server", check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def run_one(mai, fn):
    t = Term(mai)
    start = time.monotonic()
    try:
        fn(t)
        print("ok   %-22s %.1f s" % (fn.__name__, time.monotonic() - start), flush=True)
        return 0
    except Exception:
        print("FAIL %s" % fn.__name__)
        traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
        return 1
    finally:
        t.close()


LIMIT = 400     # seconds that no test takes


def run(tests):
    """Runs the tests named on the command line behind the program, or all, a few at a time, each in a process of its
    own; the exit status."""
    mai = os.path.abspath(sys.argv[1])
    wanted = [x for x in tests if len(sys.argv) < 3 or x.__name__ in sys.argv[2:]]
    if len(wanted) == 1:
        return run_one(mai, wanted[0])

    def again(fn):
        try:
            p = subprocess.run([sys.executable, "-B", os.path.abspath(sys.argv[0]), mai, fn.__name__],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
                               timeout=LIMIT)
        except subprocess.TimeoutExpired as e:
            print("FAIL %s\nnot over after %d s: %s" % (fn.__name__, LIMIT, e.output), flush=True)
            return 1
        print(p.stdout, end="", flush=True)
        return p.returncode
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("MAI_UI_JOBS", "3"))) as pool:
        failed = sum(1 for rc in pool.map(again, wanted) if rc != 0)
    print("%d of %d passed" % (len(wanted) - failed, len(wanted)))
    return 1 if failed else 0
