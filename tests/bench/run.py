#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""mai beside nginx on this machine, in one interleaved run: python3 tests/bench/run.py BUILD-DIR [--rounds N] [--idle SECONDS]

The same pretend engine (bench_upstream) stands behind both, the same load (bench_load) before both; every round measures
each once, and the table shows medians and ratios against the goals. Ends by itself, in about three minutes."""
import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

NGINX = """
worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; client_max_body_size 100m; client_body_buffer_size 4m; tcp_nodelay on;
  client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  upstream engine {{ server 127.0.0.1:{engine}; keepalive 1024; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://engine; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
      proxy_request_buffering on; proxy_read_timeout 600s;
    }}
  }}
}}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait(fn, what, timeout=20):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        try:
            v = fn()
            if v:
                return v
        except OSError:
            pass
        time.sleep(0.0002)
    sys.exit(f"bench: not within {timeout} s: {what}")


def cpu_ms(pid):
    """CPU of the process's threads, to the nanosecond where the kernel says so."""
    try:
        return sum(int(open(f"/proc/{pid}/task/{t}/schedstat").read().split()[0]) for t in os.listdir(f"/proc/{pid}/task")) / 1e6
    except OSError:
        f = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(f[11]) + int(f[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def switches(pid):
    return sum(int(x.split()[1]) for x in open(f"/proc/{pid}/status") if "ctxt_switches" in x)


def rss_mib(pid):
    return next(int(x.split()[1]) for x in open(f"/proc/{pid}/status") if x.startswith("VmRSS")) / 1024


def call(port, method, path, body=None, timeout=60):
    data = json.dumps(body).encode() if body is not None else (b"" if method == "POST" else None)
    q = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(q, timeout=timeout) as r:
        return json.loads(r.read() or b"null")


class Bench:
    def __init__(self, a):
        self.a, self.build = a, pathlib.Path(a.build).resolve()
        self.tmp = pathlib.Path(tempfile.mkdtemp(prefix="mai-bench-"))
        self.procs, self.rows = [], []

    def tool(self, name):
        return str(self.build / "tests/bench" / name)

    def start(self, argv, **kw):
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kw)
        self.procs.append(p)
        return p

    def stop(self, p):
        if p.poll() is None:
            p.terminate()
            try:
                p.wait(15)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        self.procs.remove(p)

    def close(self):
        for p in list(self.procs):
            self.stop(p)
        shutil.rmtree(self.tmp, ignore_errors=True)

    def mai(self, **top):
        """A fresh mai; returns process, port, pid of the core, ms from exec to listening."""
        port = free_port()
        d = self.tmp / f"mai{port}"
        d.mkdir(mode=0o700)
        up = f"{self.tool('bench_upstream')} --port ${{PORT}}"
        models = {n: {"cmd": up, "checkEndpoint": "/health", "backoff": 0.25} for n in ("m", "other")}
        # The same engine as elsewhere answers; who floods is another process of its group.
        flood = f"{self.build}/tests/fake/fake_engine --port {free_port()} --flood 100000"
        models["flood"] = {"cmd": f"sh -c '{flood} & exec {up}'", "checkEndpoint": "/health"}
        conf = d / "mai.yaml"
        conf.write_text(json.dumps({"listen": f"127.0.0.1:{port}", "minResident": 0, "models": models, **top}))
        conf.chmod(0o600)
        env = {k: v for k, v in os.environ.items() if not k.startswith(("MLX_", "MAI_"))}
        env.update(XDG_RUNTIME_DIR=str(d), XDG_STATE_HOME=str(d), HOME=str(d))
        p = self.start([str(self.build / "mai"), "serve", "-c", str(conf), "--name", "bench"], env=env)
        before = time.monotonic()      # start returns once the exec is done

        def open_():
            with socket.socket() as s:
                s.connect(("127.0.0.1", port))
                return True
        wait(open_, "mai listens")
        took = (time.monotonic() - before) * 1000
        return p, port, call(port, "GET", "/api/version")["pid"], took

    def load(self, *args):
        r = subprocess.run([self.tool("bench_load"), *map(str, args)], capture_output=True, text=True, timeout=120)
        if not r.stdout:
            sys.exit(f"bench: load {args}: {r.stderr}")
        out = json.loads(r.stdout)
        if out["errors"] or (args[0] != "stalled" and not out["answered"]):
            sys.exit(f"bench: load {args}: {out}")
        return out

    # the table ----------------------------------------------------------------------------------------------------
    def row(self, what, nginx, mai, unit, goal, ok=None, ratio=None):
        self.rows.append((what, nginx, mai, unit, ratio, goal, ok))

    def ratio(self, what, nginx, mai, unit, limit, least=False):
        r = mai / nginx if nginx > 0 else float("inf")
        self.row(what, nginx, mai, unit, f"{'>=' if least else '<='} {limit} x", r >= limit if least else r <= limit, r)

    def most(self, what, mai, unit, limit, nginx=None):
        self.row(what, nginx, mai, unit, f"<= {limit} {unit}", mai <= limit)

    def show(self):
        def num(v):
            return "-" if v is None else f"{v:.2f}" if v < 100 else f"{v:,.0f}"
        print(f"\n| {'what':<44} | {'nginx':>9} | {'mai':>9} | {'unit':<9} | {'ratio':>6} | {'goal':<12} | reached |")
        print(f"|{'-' * 46}|{'-' * 10}:|{'-' * 10}:|{'-' * 11}|{'-' * 7}:|{'-' * 14}|{'-' * 9}|")
        for what, n, m, unit, r, goal, ok in self.rows:
            print(f"| {what:<44} | {num(n):>9} | {num(m):>9} | {unit:<9} | {num(r):>6} | {goal:<12} | "
                  f"{'yes' if ok else 'NO':<7} |")

    # what is measured ---------------------------------------------------------------------------------------------
    def side_by_side(self, targets):
        """targets: name -> port, pid. direct has no pid."""
        got = {n: {} for n in targets}

        def note(name, key, value):
            got[name].setdefault(key, []).append(value)

        s = self.a.seconds

        def requests(n, port, cpu):
            r = self.load("requests", port, 64, s, 750)
            note(n, "rps", r["answered"] / r["seconds"])
            note(n, "cpu_req", cpu() / r["answered"] * 1000)

        def streams(many):
            def measure(n, port, cpu):
                r = self.load("streams", port, many, int(50 * s), 20)
                note(n, f"cpu_chunk{many}", cpu() / r["answered"] * 1000)
                note(n, f"delay{many}", r["p50_us"])
                note(n, f"first{many}", r["first_p50_us"])
            return measure

        def one(key, size):
            return lambda n, port, cpu: note(n, key, self.load("requests", port, 1, s, size)["p50_us"])

        # What disturbs the machine comes and goes: the targets take turns within each measure, every other round reversed.
        for i in range(self.a.rounds):
            for measure in (one("c1", 750), requests, streams(64), streams(512), one("post", 2_000_000)):
                for name in sorted(targets, reverse=i % 2):
                    port, pid = targets[name]
                    before = cpu_ms(pid) if pid else 0
                    measure(name, port, lambda: (cpu_ms(pid) if pid else 0) - before)
        return {n: {k: statistics.median(v) for k, v in d.items()} for n, d in got.items()}

    def proxy_rows(self):
        p, port, core, _ = self.mai()
        call(port, "POST", "/load", {"model": "m"})
        engine = call(port, "GET", "/status")["engine_port"]
        nport, d = free_port(), self.tmp / "nginx"
        d.mkdir()
        (d / "nginx.conf").write_text(NGINX.format(dir=d, engine=engine, port=nport))
        nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        n = self.start([nginx, "-e", str(d / "error.log"), "-c", str(d / "nginx.conf"), "-p", str(d)])

        def worker():
            for x in os.listdir("/proc"):
                try:
                    if x.isdigit() and open(f"/proc/{x}/stat").read().rsplit(")", 1)[1].split()[1] == str(n.pid):
                        return int(x)
                except OSError:
                    pass
        w = wait(worker, "nginx worker")
        wait(lambda: socket.create_connection(("127.0.0.1", nport), 1).close() or True, "nginx listens")
        v = self.side_by_side({"direct": (engine, None), "nginx": (nport, w), "mai": (port, core)})
        a, b, base = v["nginx"], v["mai"], v["direct"]
        self.ratio("CPU per 1000 requests, 64 connections", a["cpu_req"], b["cpu_req"], "ms", 1.0)
        self.ratio("CPU per 1000 SSE chunks, 64 streams", a["cpu_chunk64"], b["cpu_chunk64"], "ms", 1.0)
        self.ratio("CPU per 1000 SSE chunks, 512 streams", a["cpu_chunk512"], b["cpu_chunk512"], "ms", 1.0)
        self.ratio("added latency p50, 1 connection", a["c1"] - base["c1"], b["c1"] - base["c1"], "us", 1.1)
        self.ratio("chunk delay p50, 64 streams", a["delay64"], b["delay64"], "us", 1.1)
        self.ratio("time to first byte p50, 64 streams", a["first64"], b["first64"], "us", 1.1)
        self.ratio("requests/s, 64 connections", a["rps"], b["rps"], "1/s", 1.2, least=True)
        self.ratio("2 MB POST, added p50", (a["post"] - base["post"]) / 1000, (b["post"] - base["post"]) / 1000, "ms", 1.25)
        self.stop(n)
        self.stop(p)

    def memory_rows(self):
        p, port, core, listening = self.mai()
        call(port, "POST", "/load", {"model": "m"})
        self.most("memory, fresh with one engine", rss_mib(core), "MiB", 4)
        load = subprocess.Popen([self.tool("bench_load"), "streams", str(port), "512", "150", "20"], stdout=subprocess.DEVNULL)
        wait(lambda: call(port, "GET", "/status")["in_flight"] >= 512, "512 streams")
        peak = 0
        while load.poll() is None:
            peak = max(peak, rss_mib(core))
            time.sleep(0.05)
        self.most("memory, 512 streams", peak, "MiB", 8)
        self.stop(p)
        p, port, core, _ = self.mai()
        call(port, "POST", "/load", {"model": "m"})
        load = subprocess.Popen([self.tool("bench_load"), "stalled", str(port), "32", "3"], stdout=subprocess.DEVNULL)
        peak = 0
        while load.poll() is None:
            peak = max(peak, rss_mib(core))
            time.sleep(0.05)
        self.most("memory, 32 stalled readers", peak, "MiB", 14)
        self.stop(p)

    def start_row(self):
        times = []
        for _ in range(7):
            p, _, _, took = self.mai()
            times.append(took)
            self.stop(p)
        self.most("listening after exec", statistics.median(times), "ms", 10)

    def own_start(self):
        """What the pretend engine needs from exec to its first 200, and to stop: not mai's cost."""
        times = []
        for _ in range(7):
            port = free_port()
            before = time.monotonic()
            p = self.start([self.tool("bench_upstream"), "--port", str(port)])
            wait(lambda: socket.create_connection(("127.0.0.1", port), 1).close() or True, "engine")
            p.terminate()
            p.wait()
            times.append((time.monotonic() - before) * 1000)
            self.procs.remove(p)
        return statistics.median(times)

    def supervisor_rows(self):
        own = self.own_start()
        p, port, core, _ = self.mai()
        call(port, "POST", "/load", {"model": "m"})
        times = []
        for i in range(11):
            before = time.monotonic()
            call(port, "POST", "/load", {"model": ("other", "m")[i % 2]})
            times.append((time.monotonic() - before) * 1000)
        self.most("swap, beyond the engines' stop and start", max(0.0, statistics.median(times) - own), "ms", 20)
        times, noticed = [], []
        body = {"model": call(port, "GET", "/status")["current_model"], "messages": []}
        for _ in range(3):
            pid = call(port, "GET", "/status")["pid"]
            os.kill(pid, signal.SIGKILL)
            before = time.monotonic()
            wait(lambda: call(port, "GET", "/status")["pid"] != pid, "noticed")
            noticed.append((time.monotonic() - before) * 1000)
            wait_ms = 250 * 2 ** call(port, "GET", "/status")["restart_attempts"]
            call(port, "POST", "/v1/chat/completions", body)
            times.append((time.monotonic() - before) * 1000 - wait_ms - own)
        self.most("crash noticed", statistics.median(noticed), "ms", 50)
        self.most("kill -9 to served, backoff and start aside", max(0.0, statistics.median(times)), "ms", 20)
        self.stop(p)
        p, port, core, _ = self.mai()
        call(port, "POST", "/load", {"model": "m"})
        time.sleep(1)
        c, w = cpu_ms(core), switches(core)
        time.sleep(self.a.idle)
        scale = 60 / self.a.idle
        self.most(f"idle minute: CPU (from {self.a.idle} s)", (cpu_ms(core) - c) * scale, "ms", 10)
        self.most(f"idle minute: wake-ups (from {self.a.idle} s)", (switches(core) - w) * scale, "", 60)
        quiet = self.load("requests", port, 4, 3, 750)["p99_us"]
        self.stop(p)
        p, port, core, _ = self.mai()
        call(port, "POST", "/load", {"model": "flood"})
        time.sleep(3)      # the ring of lines is full then
        c, before, rss = cpu_ms(core), time.monotonic(), rss_mib(core)
        time.sleep(5)
        self.most("engine floods 100k lines/s: CPU", (cpu_ms(core) - c) / (time.monotonic() - before) / 10, "%", 1)
        self.most("engine floods 100k lines/s: memory grows", max(0.0, rss_mib(core) - rss), "MiB", 1)
        loud = self.load("requests", port, 4, 3, 750)["p99_us"]
        self.ratio("proxy p99 under flood against quiet (column 1)", quiet, loud, "us", 2)
        self.stop(p)


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("build")
    a.add_argument("--rounds", type=int, default=9)
    a.add_argument("--seconds", type=float, default=0.7)
    a.add_argument("--idle", type=int, default=20)
    b = Bench(a.parse_args())
    try:
        b.start_row()
        b.memory_rows()
        b.supervisor_rows()
        b.proxy_rows()
        b.show()
    finally:
        b.close()
    print(f"\n{sum(1 for r in b.rows if r[-1])} of {len(b.rows)} rows reached; {os.cpu_count()} cores, load "
          f"{os.getloadavg()[0]:.1f}, {b.a.rounds} rounds of {b.a.seconds} s, medians")


if __name__ == "__main__":
    main()
