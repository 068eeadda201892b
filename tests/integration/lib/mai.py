# SPDX-License-Identifier: ISC
"""The real binary under test, with files, ports and directories of its own."""
import itertools
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time

from . import http, proc
from .proc import wait

TOP = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("MAI_BUILD", os.getcwd()))
MAI = os.environ.get("MAI_BIN", str(BUILD / "mai"))
FAKE = os.environ.get("FAKE_ENGINE", str(BUILD / "tests/fake/fake_engine"))
TELLER = TOP / "tests/integration/lib/teller.py"
SLOW = float(os.environ.get("MAI_TEST_SLOW", "1"))   # factor for upper limits on a loaded machine

_count = itertools.count()


def free_port():
    """A port below the ephemeral range, another one for each test and worker."""
    worker = int("".join(c for c in os.environ.get("PYTEST_XDIST_WORKER", "gw0") if c.isdigit()) or 0)
    while True:
        port = 12000 + worker * 1000 + (next(_count) + os.getpid() * 7) % 1000
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def words(args):
    return " ".join(shlex.quote(str(a)) for a in args)


def spawn_settings():
    """Dispositions that a shell in a script may have left; tests start from the usual ones."""
    for s in (signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGHUP, signal.SIGTERM):
        signal.signal(s, signal.SIG_DFL)


class Record:
    """What the fake engines wrote about themselves (--record)."""

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def all(self):
        if not self.path.exists():
            return []
        return [json.loads(x) for x in self.path.read_text().split("\n")[:-1]]   # a line may be half written

    def events(self, name):
        return [e for e in self.all() if e["event"] == name]

    def count(self, name):
        return len(self.events(name))

    def port(self):
        """Of the engine that listened last."""
        return self.events("listen")[-1]["port"]

    def pid(self):
        return self.events("start")[-1]["pid"]


class Mai:
    def __init__(self, tmp):
        self.tmp = pathlib.Path(tmp)
        self.name = f"t{os.getpid()}-{next(_count)}"
        for d in ("run", "state", "home", "cache"):
            (self.tmp / d).mkdir(mode=0o700)
        self.port = free_port()
        self.record = Record(self.tmp / "record")
        self.records = {}
        self.bin, self.fake_bin = MAI, FAKE
        self.p = None
        self.core = None
        self.base_fds = None
        self.expect_clean = True      # teardown: SIGTERM gives exit 0; off where a test kills mai itself
        self.exit = None
        self.keys = {}
        self.conf_path = self.tmp / "mai.yaml"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("MLX_", "MAI_", "FAKE_ARGS"))}
        self.env.update({
            "XDG_RUNTIME_DIR": str(self.tmp / "run"), "XDG_STATE_HOME": str(self.tmp / "state"),
            "XDG_CONFIG_HOME": str(self.tmp / "home/.config"), "XDG_CACHE_HOME": str(self.tmp / "cache"),
            "HOME": str(self.tmp / "home"), "LC_ALL": "C.UTF-8",
            "ASAN_OPTIONS": "abort_on_error=0:exitcode=99:detect_leaks=1",
            "UBSAN_OPTIONS": "print_stacktrace=1",
        })

    def copy_programs(self):
        """Beside the other files of this test, for a user who may not enter the build's folder."""
        self.bin, self.fake_bin = (shutil.copy2(p, self.tmp / name) for p, name in ((MAI, "mai.copy"), (FAKE, "fake.copy")))

    # files -----------------------------------------------------------------------------------------------------
    @property
    def dir(self):
        return self.tmp / "run" / "mai"

    @property
    def socket(self):
        return self.dir / f"{self.name}.sock"

    @property
    def pidfile(self):
        return self.dir / f"{self.name}.pid"

    @property
    def stderr(self):
        p = self.tmp / "stderr"
        return p.read_text(errors="replace") if p.exists() else ""

    def fake(self, *args, record=None, port="${PORT}"):
        """A command line of the pretend engine."""
        return words([self.fake_bin, "--record", record or self.record.path]) + f" --port {port} " + words(args)

    def engine(self, id="m", args=(), **keys):
        """The definition of one model with a record file of its own."""
        rec = self.records.setdefault(id, Record(self.tmp / f"record.{id.replace('/', '_')}"))
        keys.setdefault("checkEndpoint", "/health")
        return {"cmd": self.fake(*args, record=rec.path), **keys}

    def teller(self, **keys):
        """The definition of a model whose engine says what requests tell it to (lib/teller.py)."""
        return {"cmd": words([sys.executable, TELLER]) + " --port ${PORT}", "checkEndpoint": "/health", **keys}

    def write(self, config):
        text = config if isinstance(config, str) else json.dumps(config, indent=1)
        self.conf_path.write_text(text)
        self.conf_path.chmod(0o600)
        return self.conf_path

    def config(self, models, **top):
        top.setdefault("listen", f"127.0.0.1:{self.port}")
        # Tests run side by side: an engine that binds late would lose its port to another test's.
        top.setdefault("startPort", 20000 + (self.port - 12000) * 2)
        return self.write({**top, "models": models})

    # life ------------------------------------------------------------------------------------------------------
    def run(self, *args, timeout=30, env=None, **kw):
        """A verb: CompletedProcess with text output."""
        return subprocess.run([MAI, *map(str, args)], env={**self.env, **(env or {})}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace", timeout=timeout, cwd=self.tmp,
                              preexec_fn=spawn_settings, **kw)

    def verb(self, *args, **kw):
        return self.run(args[0], "--name", self.name, *args[1:], **kw)

    def spawn(self, *args, env=None, preexec=None):
        def before():
            spawn_settings()
            if preexec:
                preexec()

        self.env.update(env or {})
        with open(self.tmp / "stdout", "ab") as out, open(self.tmp / "stderr", "ab") as err:
            self.p = subprocess.Popen([self.bin, *map(str, args)], env=self.env, stdin=subprocess.DEVNULL, stdout=out,
                                      stderr=err, cwd=self.tmp, preexec_fn=before)
        return self

    def serve(self, *more, config=True, env=None, up=True, preexec=None):
        """`mai serve` with the written configuration; returns when the API answers."""
        args = ["serve", "--name", self.name] + (["-c", self.conf_path] if config else [])
        self.spawn(*args, *more, env=env, preexec=preexec)
        return self.wait_up() if up else self

    def wait_up(self, timeout=10):
        def answers():
            if self.p is not None and self.p.poll() is not None:
                raise AssertionError(f"mai ended with {self.p.returncode}:\n{self.stderr[-4000:]}")
            try:
                return self.get("/livez", timeout=2).status == 200
            except OSError:
                return False

        wait(answers, timeout * SLOW, lambda: "mai answers; stderr:\n" + self.stderr[-3000:])
        self.core = self.get("/api/version").json["pid"]
        return self

    def settle_fds(self):
        """Takes the number of descriptors that a core at rest has; call with no engine up."""
        self.base_fds = proc.nfds(self.core)

    # the API ---------------------------------------------------------------------------------------------------
    def call(self, method, path, body=None, headers=None, timeout=15.0):
        return http.call(self.port, method, path, body, {**self.keys, **(headers or {})}, timeout)

    def get(self, path, **kw):
        return self.call("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.call("POST", path, body, **kw)

    def control(self, method, path, body=None, **kw):
        return http.call_unix(str(self.socket), method, path, body, **kw)

    def chat(self, model=None, fake=None, stream=False, timeout=15.0, headers=None, **more):
        h = dict(headers or {})
        if fake:
            h["X-Fake"] = fake
        return self.post("/v1/chat/completions", http.chat(model, stream, **more), headers=h, timeout=timeout)

    def status(self):
        r = self.get("/status")
        assert r.status == 200, r
        return r.json

    def state(self):
        return self.status()["state"]

    def wait_state(self, *states, timeout=10.0):
        seen = []

        def there():
            s = self.status()
            if not seen or seen[-1] != s["state"]:
                seen.append(s["state"])
            return s if s["state"] in states else None

        return wait(there, timeout * SLOW, lambda: f"{states}; saw {seen}; {self.status()}\n{self.stderr[-3000:]}")

    def ready(self, timeout=10.0):
        return self.wait_state("ready", timeout=timeout)

    def start_all(self, timeout=10.0, **kw):
        """serve, start the default model, wait until it is ready."""
        self.serve(**kw)
        if self.state() == "stopped":
            self.settle_fds()
            r = self.post("/start", timeout=timeout * SLOW + 5)
            assert r.status == 200, r
        return self.ready(timeout)

    def snapshot(self):
        r = self.get("/api/snapshot")
        assert r.status == 200, r
        return r.json

    def engine_state(self, id):
        """The state of one model as the snapshot tells it."""
        for e in self.snapshot()["engines"]:
            if e["id"] == id:
                return e["state"]
        return None

    def log(self):
        return self.get("/logs?n=2000").body.decode(errors="replace")

    def raw(self, **kw):
        return http.Raw(self.port, **kw)

    def stats(self, id=None):
        """The figures of the fake engine itself, asked past mai."""
        rec = self.records[id] if id else (next(iter(self.records.values())) if self.records else self.record)
        return http.call(rec.port(), "GET", "/fake/stats").json

    # the end ---------------------------------------------------------------------------------------------------
    def mine(self):
        """Every live process of this test but the test itself."""
        return [p for p in proc.bearing(f"XDG_RUNTIME_DIR={self.tmp}/run") if p != os.getpid()]

    def engines(self):
        return [p for p in proc.bearing(f"XDG_RUNTIME_DIR={self.tmp}/run", b"MAI_ENGINE=")]

    def check_fds(self):
        if self.base_fds is None or not self.core or not proc.alive(self.core):
            return
        for _ in range(2):
            self.post("/stop", timeout=20)
        wait(lambda: proc.nfds(self.core) <= self.base_fds, 8 * SLOW,
             lambda: f"descriptors back to {self.base_fds}: {proc.fds(self.core)}")

    def term(self, timeout=10.0, sig=signal.SIGTERM):
        self.p.send_signal(sig)
        return self.wait_exit(timeout)

    def wait_exit(self, timeout=10.0):
        self.exit = self.p.wait(timeout * SLOW)
        return self.exit

    def finish(self):
        """Teardown: the promises that hold after every test."""
        try:
            if self.p is not None and self.p.poll() is None:
                if self.expect_clean:
                    self.check_fds()
                    before = time.monotonic()
                    assert self.term(8) == 0, f"exit {self.exit}\n{self.stderr[-3000:]}"
                    assert time.monotonic() - before < 5 * SLOW, "SIGTERM took too long with nothing in flight"
            wait(lambda: not self.mine(), 3 * SLOW, lambda: f"left over: {proc.describe(self.mine())}")
            text = self.stderr
            for bad in ("AddressSanitizer", "LeakSanitizer", "runtime error:", "Assertion", "assertion failed"):
                assert bad not in text, text[-6000:]
        finally:
            for p in self.mine():
                try:
                    os.kill(p, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if self.p is not None:
                try:
                    self.p.wait(5)
                except subprocess.TimeoutExpired:
                    self.p.kill()
                    self.p.wait(5)
