#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A control server that plays a core for the dashboard: events, logs, actions. It is told what to be over the same
socket (/fake/...), so that any state of any screen can be shown without an engine.

    fake_core.py SOCKET
"""
import json
import os
import queue
import re
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler

QWEN, GEMMA = "Qwen3-Coder-30B-A3B-Instruct-4bit", "gemma-3-27b-it-qat-4bit"
PROTOCOL = 1


def now():
    return int(time.monotonic() * 1000) + 10 * 86400000     # so that everything can lie days back


def engine(ident, **more):
    e = {"id": ident, "name": ident, "kind": "mlx_lm.server", "kind_short": "mlx", "state": "stopped", "reason": "none",
         "current": False, "max_attempts": 3, "attempt": 0, "progress": -1, "quiet_limit": 30000, "drain_limit": 30000}
    e.update(more)
    return e


class Core:
    def __init__(self):
        self.lock = threading.Lock()
        self.seq = 0
        self.viewers = {}
        self.next_viewer = 1
        self.lines = []         # [seq, ms, source, level, text]
        self.next_line = 1
        self.calls = []         # "METHOD path body"
        self.fetches = []       # paths of /api/logs
        self.delay = 0.0        # of the answers to actions
        self.answer = None      # [status, object] for actions
        self.started = now()
        self.head = {"version": "0.3.0", "listen": "http://127.0.0.1:8081", "instance": "default", "pid": os.getpid(),
                     "protocol": PROTOCOL, "foreground": True, "started": self.started - 3 * 86400000}
        self.gauges = {"in_flight": 0, "queued": 0, "done": 1284, "errors": 3, "swaps": 4, "tps": 41.8,
                       "rss": 18683054489, "cpu_permille": 3120, "memory_free": 6 << 30, "memory_total": 24 << 30,
                       "swap_from": None, "swap_to": None, "swap_step": 0, "swap_since": 0, "swap_who": None,
                       "viewers": 1}
        self.rest = {"queue_max_wait": 300000, "log_next": 1, "shutting_down": False, "bell": True}
        self.engines = [engine(QWEN, state="ready", current=True, pid=91532, port=51723, memory=16 << 30),
                        engine(GEMMA, memory=15 << 30)]
        for key in ("since", "spawned_at", "ready_at", "check_ok_at"):
            self.engines[0][key] = now() - 8047000
        self.requests = []

    def snapshot(self):
        s = {"now": now(), "seq": self.seq, "viewer": 0}
        s.update(self.head)
        s.update(self.gauges)
        s.update(self.rest)
        s["log_next"] = self.next_line
        s["engines"] = self.engines
        s["requests"] = self.requests
        s["history"] = {"at": now(), "tps": [10 + i % 30 for i in range(60)], "rss_mib": [17817] * 60}
        return s

    def publish(self, event, data):
        self.seq += 1
        for q in self.viewers.values():
            q.put((event, self.seq, data))

    def find(self, ident):
        for e in self.engines:
            if e["id"] == ident:
                return e
        self.engines.append(engine(ident))
        return self.engines[-1]

    def log(self, lines):
        for source, level, text, *model in lines:
            self.lines.append([self.next_line, int(time.time() * 1000), source, level, text, (model or [""])[0]])
            self.next_line += 1
        self.lines = self.lines[-20000:]
        self.publish("log", {"next": self.next_line})


CORE = Core()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "local"

    def log_message(self, *_):
        pass

    def reply(self, status, obj):
        body = json.dumps(obj).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/api/version":
            self.reply(200, {"version": CORE.head["version"], "protocol": CORE.head["protocol"], "pid": os.getpid()})
        elif path == "/api/events":
            self.events()
        elif path == "/api/logs":
            self.logs()
        elif path == "/fake/calls":
            self.reply(200, CORE.calls)
        elif path == "/fake/fetches":
            self.reply(200, CORE.fetches)
        elif path.startswith("/api/requests/"):
            self.reply(200, {"id": 5, "headers": {"User-Agent": "test", "Authorization": "***"}})
        elif path == "/api/info":
            self.reply(200, {"model": QWEN, "kind": "mlx_lm.server", "argv": ["python3", "-m", "mlx_lm.server", "--model", "a b"],
                             "env": {"HF_TOKEN": "***", "LANG": "C"}, "listen": ["127.0.0.1:8081"], "engine_port": 51723,
                             "pid": 91532, "config": "/etc/mai/mai.yaml:3:5", "starts": 4, "crashes": 1, "state": "ready",
                             "exits": [{"text": "SIGKILL", "cause": "out of memory", "expected": False,
                                        "at_ms": int(time.time() * 1000) - 65000, "uptime_seconds": 12}]})
        else:
            self.reply(404, {"detail": "Not Found"})

    def logs(self):
        first = int(re.search(r"from=(\d+)", self.path).group(1))
        most = int(re.search(r"max=(\d+)", self.path).group(1))
        sources = re.search(r"source=([a-z,]+)", self.path).group(1)
        with CORE.lock:
            CORE.fetches.append(self.path)
            lines = [x for x in CORE.lines if x[0] >= first and (sources == "all" or x[2] in sources.split(","))]
            oldest = CORE.lines[0][0] if CORE.lines else CORE.next_line
        out, size = [], 0
        for x in lines:
            size += len(x[4])
            if size > most and out:
                break
            out.append(x)
        nxt = out[-1][0] + 1 if out else CORE.next_line
        self.reply(200, {"first": out[0][0] if out else nxt, "next": nxt, "dropped": max(0, oldest - first), "lines": out})

    def events(self):
        q = queue.Queue()
        with CORE.lock:
            ident = CORE.next_viewer
            CORE.next_viewer += 1
            hello = dict(CORE.head, now=now(), seq=CORE.seq, viewer=ident, viewer_name="attach#%d" % ident)
            q.put(("hello", CORE.seq, hello))
            q.put(("snapshot", CORE.seq, dict(CORE.snapshot(), viewer=ident, viewer_name="attach#%d" % ident)))
            CORE.viewers[ident] = q
            CORE.calls.append("VIEWER %s" % self.headers.get("X-Mai-Viewer"))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            while True:
                event, seq, data = q.get()
                if event is None:
                    return
                self.wfile.write(("event: %s\nid: %d\ndata: %s\n\n" % (event, seq, json.dumps(data))).encode())
                self.wfile.flush()
        except OSError:
            pass
        finally:
            with CORE.lock:
                CORE.viewers.pop(ident, None)

    def do_POST(self):
        n = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(n).decode()
        if self.path.startswith("/fake/"):
            with CORE.lock:
                self.fake(self.path[6:], json.loads(body or "{}"))
            self.reply(200, {})
            return
        with CORE.lock:
            CORE.calls.append("POST %s %s%s" % (self.path, body, " viewer=" + self.headers["X-Mai-Viewer-Id"]
                                                if "X-Mai-Viewer-Id" in self.headers else ""))
            delay, answer = CORE.delay, CORE.answer
        if self.path == "/api/shutdown":
            self.reply(200, {"status": "shutting_down"})
            with CORE.lock:
                CORE.rest["shutting_down"] = True
                CORE.publish("shutdown", {"text": "stopping: 2 in flight"})
            return
        if self.path.endswith("/bye"):
            self.reply(200, {"status": "serving"})
            return
        time.sleep(delay)
        self.reply(*(answer or [200, {"status": "success"}]))

    def fake(self, what, d):
        if what == "engine":
            e = CORE.find(d.pop("id"))
            for key in ("since", "spawned_at", "retry_at", "quiet_since", "ready_at", "check_ok_at", "kill_at"):
                if isinstance(d.get(key), str):         # "+3400": relative to now
                    d[key] = now() + int(d[key])
            e.update(d)
            CORE.publish("engine", dict(e, now=now()))
        elif what == "gauges":
            if isinstance(d.get("swap_since"), str):
                d["swap_since"] = now() + int(d["swap_since"])
            CORE.gauges.update(d)
            CORE.publish("gauges", dict(CORE.gauges, now=now(), use=[]))
        elif what == "request":
            r = {"client": "127.0.0.1:52011", "model": QWEN, "path": "/v1/chat/completions", "api": "chat",
                 "phase": "gen", "since": now() - 2000, "tokens_in": 9214, "tokens_out": 12, "tokens_per_second": 41.8}
            r.update(d)
            CORE.requests = [x for x in CORE.requests if x["id"] != r["id"]]
            if r["phase"] != "done":
                CORE.requests.append(r)
            CORE.publish("request", dict(r, now=now()))
        elif what == "log":
            CORE.log(d["lines"])
        elif what == "flood":
            CORE.log([["child", " ", "flood line %d" % i] for i in range(d["n"])])
        elif what == "action":
            CORE.publish("action", d)
        elif what == "answers":
            CORE.delay = d.get("delay", 0)
            CORE.answer = d.get("answer")
        elif what == "head":
            CORE.head.update(d)
        elif what == "rest":
            CORE.rest.update(d)
        elif what == "drop":
            for q in CORE.viewers.values():
                q.put((None, 0, None))
        elif what == "end":
            os._exit(0)


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):     # who leaves while it is answered
            super().handle_error(request, client_address)


def main():
    path = sys.argv[1]
    if os.path.exists(path):
        os.unlink(path)
    Server(path, Handler).serve_forever()


if __name__ == "__main__":
    main()
