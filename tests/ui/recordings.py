# SPDX-License-Identifier: ISC
"""Recordings of the states that a dashboard can show, for `mai attach --replay`: each a list of entries as --record
writes them. The clock of all of them ends at 12:04:31 UTC."""
import json

from fake_core import GEMMA, QWEN, engine

LLAMA = "Llama-3.3-70B-Instruct-8bit"
WALL = 1728043471000                    # 2024-10-04 12:04:31 UTC
T = 1000                                # of the last entry
NOW = 300000000                         # the core's clock then
GIB = 1 << 30
UP = 8047000                            # 2h14m07s


def wall(clock):
    h, m, s = map(int, clock.split(":"))
    return WALL - ((12 - h) * 3600 + (4 - m) * 60 + 31 - s) * 1000


SOURCES = {"c": "child", "m": "mai", "a": "access"}


def log(*rows):
    """Rows "12:04:14 cE text", of a model behind "|" if not of the first."""
    out = []
    for i, row in enumerate(rows):
        text, _, model = row[12:].partition("|")
        out.append([i + 1, wall(row[:8]), SOURCES[row[9]], row[10], text, model or (QWEN if row[9] == "c" else "")])
    return out


BUSY = log(
    "12:03:29 c  INFO  generation 1279: 1218 tokens, 42.9 tok/s", "12:03:34 c  INFO  generation 1279: 1428 tokens, 42.4 tok/s",
    "12:03:39 c  INFO  generation 1279: 1638 tokens, 42.9 tok/s", "12:03:44 c  INFO  generation 1279: 1848 tokens, 42.4 tok/s",
    "12:03:49 c  INFO  generation 1279: 2058 tokens, 42.9 tok/s", "12:03:54 c  INFO  generation 1279: 2268 tokens, 42.4 tok/s",
    "12:04:02 a  10.0.0.7:40101 POST /v1/chat/completions 200 8.4 s 902 in 318 out", "12:04:03 c  INFO  slot 0 released, 1 active",
    "12:04:05 c  INFO  prompt processing: 512/9214 tokens", "12:04:08 c  INFO  prompt processing: 2048/9214 tokens",
    "12:04:12 c  INFO  prompt processing: 4096/9214 tokens", "12:04:14 c  INFO  prompt processing: 9214/9214 tokens",
    "12:04:14 a  127.0.0.1:52011 POST /v1/chat/completions 200 stream open", "12:04:19 a  127.0.0.1:52020 GET /v1/models 200 1 ms",
    "12:04:21 cW WARN  prompt cache full, evicting 2 entries (1.1 GiB)", "12:04:22 a  127.0.0.1:52008 POST /v1/embeddings 200 18 ms 512 in",
    "12:04:24 mW health slow: 2.1 s (limit 5 s)", "12:04:25 cE ERROR request 1281: client disconnected, generation stopped",
    "12:04:25 aW 127.0.0.1:51990 POST /v1/chat/completions 499 41.2 s 1.2k out", "12:04:26 c  INFO  slot 1 released, 2 active",
    "12:04:27 a  10.0.0.7:40122 GET /v1/models 200 1 ms", "12:04:29 m  health ok again: 3 ms",
    "12:04:30 c  INFO  generation 1283: 1204 tokens, 41.8 tok/s")


def history(tps, rss):
    wave = [0, .1, .3, .6, .9, 1, 1, .8, .8, 1, 1, .95, .97, .99, .8, .5, .3, .1, 0, 0]
    return {"at": NOW, "tps": [round(tps * wave[i % 20], 1) for i in range(100)],
            "rss_mib": [round(rss / 1048576 * min(1, .7 + i / 100)) for i in range(100)]}


def request(ident, client, model, phase, age, tin, tout=-1, tps=-1):
    return {"id": ident, "client": client, "model": model, "path": "/v1/chat/completions", "api": "chat", "phase": phase,
            "since": NOW - int(age * 1000), "tokens_in": tin, "tokens_out": tout, "tokens_per_second": tps}


REQUESTS = [request(1283, "127.0.0.1:52011", QWEN, "gen", 29, 9214, 1204, 41.8),
            request(1284, "10.0.0.7:40118", QWEN, "prefill", 3.1, 31000),
            request(1285, "10.0.0.7:40120", GEMMA, "queued", .8, 112)]


def recording(engines, requests=(), lines=(), tps=-1.0, rss=0, more=(), down=None, **view):
    head = {"version": "0.1.0", "listen": "http://127.0.0.1:8081", "instance": "default", "pid": 4242, "protocol": 1,
            "foreground": True, "started": NOW - 3 * 86400000 - 4 * 3600000 - 61000, "seq": 10, "viewer": 1,
            "viewer_name": "attach#1", "now": NOW}
    snapshot = dict(head, queue_max_wait=300000, log_next=len(lines) + 1, shutting_down=False, bell=False, viewers=1,
                    in_flight=sum(r["phase"] != "queued" for r in requests), queued=sum(r["phase"] == "queued" for r in requests),
                    done=1284, errors=3, swaps=4, tps=tps, rss=rss, cpu_permille=3120 if rss else 0,
                    memory_free=int(5.9 * GIB), memory_total=24 * GIB, engines=engines, requests=list(requests),
                    history=history(max(tps, 0), rss))
    snapshot.update(view)
    out = [{"recording": 1, "version": "0.1.0", "foreground": down is None, "where": "mai/default.sock", "wall": WALL - T},
           {"t": T, "link": "up"}, {"t": T, "event": "hello", "data": head}, {"t": T, "event": "snapshot", "data": snapshot}]
    if lines:
        out.append({"t": T, "logs": {"first": 1, "next": len(lines) + 1, "dropped": 0, "lines": list(lines)}})
    return out + list(more)


def qwen(**more):
    e = engine(QWEN, state="ready", current=True, pid=91532, port=51723, memory=16 * GIB, in_flight=2, queued=1,
               since=NOW - UP, spawned_at=NOW - UP, ready_at=NOW - UP, check_ok_at=NOW - 2000, tps=41.8, rss=int(17.4 * GIB))
    e.update(more)
    return e


def idle_engine(ident, **more):
    return engine(ident, memory=2 * GIB, **more)


def running():
    return recording([qwen(), engine(GEMMA, memory=15 * GIB)], REQUESTS, BUSY, 41.8, int(17.4 * GIB))


def idle():
    return recording([qwen(in_flight=0, queued=0)], (), BUSY, 0.0, int(17.4 * GIB), cpu_permille=10)


def starting():
    e = qwen(state="starting", since=NOW - 31000, spawned_at=NOW - 31000, usual_ms=42000, quiet_since=NOW - 4000, queued=1,
             in_flight=0, live="loading shards 3/5", check_ok_at=0)
    return recording([e], (), log("12:04:00 m  starting %s (quiet limit 30 s)" % QWEN,
                                  "12:04:01 c  INFO  Fetching 12 files: 100%  12/12",
                                  "12:04:02 c  INFO  loading weights from ~/.cache/huggingface/hub/..."),
                     rss=int(11.2 * GIB), queued=1)


def swapping():
    return recording([qwen(state="draining", kill_at=NOW + 12000), engine(GEMMA, memory=15 * GIB)], REQUESTS, BUSY, 41.8,
                     int(17.4 * GIB), swap_from=QWEN, swap_to=GEMMA, swap_step=1, swap_since=NOW - 4000,
                     swap_who="attach#2 (alice, ttys003)")


def backoff():
    e = qwen(state="backoff", pid=0, port=0, in_flight=0, attempt=2, retry_at=NOW + 3400, retry_total=8000, rss=0,
             last_exit="SIGKILL after 12s", cause="libc++abi: terminating due to uncaught exception")
    return recording([e], (), log("12:04:07 cE libc++abi: terminating due to uncaught exception",
                                  "12:04:07 c  --- run 7, SIGKILL, not by us (possible OOM) ---",
                                  "12:04:07 mE %s: died after 12s: SIGKILL, not by us (possible OOM)|%s" % (QWEN, QWEN)), queued=1)


def failed():
    e = engine(LLAMA, state="failed", reason="crash", current=True, attempt=3, failed_wall=wall("12:04:07"),
               spawned_at=NOW - 33000, last_exit="exit status 1 after 9.1s",
               cause="RuntimeError: [metal::malloc] attempting to allocate 68.2 GB")
    return recording([e, idle_engine(QWEN)], (), log(
        "12:03:58 m  starting %s (attempt 3/3)" % LLAMA,
        "12:03:59 c  INFO  loading weights from ~/.cache/huggingface/hub/...|" + LLAMA,
        "12:04:07 cE Traceback (most recent call last):|" + LLAMA,
        "12:04:07 cE   File \".../mlx_lm/server.py\", line 812, in load|" + LLAMA,
        "12:04:07 cE RuntimeError: [metal::malloc] attempting to allocate 68.2 GB|" + LLAMA,
        "12:04:07 c  --- run 4, exit status 1 ---|" + LLAMA,
        "12:04:07 mE %s: died after 9.1s: exit status 1|%s" % (LLAMA, LLAMA),
        "12:04:07 mE %s: gave up after 4 failed starts|%s" % (LLAMA, LLAMA)))


def stopped():
    e = qwen(state="stopped", reason="user", pid=0, port=0, in_flight=0, queued=0, current=False, stopped_by="local", rss=0,
             since=NOW - 201000, spawned_at=0, check_ok_at=0)
    return recording([e], (), BUSY)


def several():
    return recording([qwen(), engine("bge-m3-Q8_0.gguf", state="backoff", port=51730, attempt=2, retry_at=NOW + 3400,
                                     retry_total=8000, last_exit="SIGKILL after 12s", kind="llama-server"),
                      engine("whisper-large-v3", state="starting", port=51731, since=NOW - 12000, progress=420,
                             kind="whisper-server")], REQUESTS, BUSY, 41.8, int(17.4 * GIB))


def link_down():
    out = recording([qwen()], REQUESTS, BUSY, 41.8, int(17.4 * GIB), down=True)
    out[0]["wall"] -= 14000             # it broke fourteen seconds ago
    return out + [{"t": T, "link": "down", "text": "supervisor closed the socket", "tries": 1, "retry": 250},
                  {"t": T + 14000, "link": "down", "text": "supervisor closed the socket", "tries": 4, "retry": 2000}]


def picker():
    found = [engine("Qwen3-4B-Instruct-2507-4bit", memory=int(2.1 * GIB), last_used_wall=WALL - 2 * 86400000 - 500000),
             engine(GEMMA, memory=15 * GIB), engine(LLAMA, memory=70 * GIB),
             engine("qwen2.5-coder-7b-q8_0.gguf", memory=int(7.6 * GIB), kind="llama-server", kind_short="llama", discovered=True)]
    out = running()
    out[3]["data"]["engines"] = [qwen()] + found
    return out


def info():
    out = running()
    out.append({"t": T, "answer": "/api/info?model=" + QWEN, "body": {
        "model": QWEN, "kind": "mlx_lm.server", "argv": ["python3", "-m", "mlx_lm.server", "--model",
                                                           "mlx-community/" + QWEN, "--host", "127.0.0.1", "--port", "51723"],
        "env": {"HF_TOKEN": "***", "PYTHONUNBUFFERED": "1"}, "config": "/etc/mai/mai.yaml:12:5",
        "listen": ["127.0.0.1:8081"], "engine_port": 51723, "pid": 91532, "check_path": "/v1/models", "state": "ready",
        "starts": 3, "crashes": 1, "last_load_seconds": 41.2, "usual_load_seconds": 42, "peak_rss_bytes": 19541819597,
        "exits": [{"text": "SIGKILL, not by us (possible OOM)", "cause": "", "expected": False, "at_ms": WALL - UP,
                   "uptime_seconds": 12.3}]}})
    return out


def write(entries, path):
    with open(path, "w", encoding="utf-8") as f:
        for e in entries:
            f.write(json.dumps(e, ensure_ascii=False) + "\n")
