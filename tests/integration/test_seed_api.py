# SPDX-License-Identifier: ISC
"""The engine API of the MAI host engine: names, types, paths and codes (doc/api.md section 1), in its three forms: MLX_*
environment, --env-file, and a configuration file."""
import json
import time

import pytest

from lib import http, world
from lib.mai import FAKE, SLOW, free_port
from lib.proc import wait

KEYS = {"status": str, "mlx_server_running": bool, "uptime_seconds": (int, float), "port": int, "restart_attempts": int}


@pytest.fixture
def seed(mai):
    """Started with MLX_* only; the python of the default command is the pretend engine."""
    models = mai.tmp / "models"
    for n in ("beta", "alpha"):
        (models / n).mkdir(parents=True)
        (models / n / "config.json").write_text("{}")
    (models / "not-a-model").mkdir()
    (models / "x.gguf").write_bytes(b"GGUF")
    mai.models = models
    mai.internal = free_port()
    mai.env.update({"MLX_PORT": str(mai.port), "MLX_INTERNAL_PORT": str(mai.internal), "MLX_MODEL": "org/some-model",
                    "MLX_MODEL_DIR": str(models), "MLX_PYTHON": FAKE, "MLX_MAX_TOKENS": "4096",
                    "FAKE_ARGS": f"--record {mai.record.path}"})
    return mai


def up(m):
    m.serve(config=False)
    m.ready()
    return m


def test_status(seed):
    up(seed)
    s = seed.status()
    for k, t in KEYS.items():
        assert isinstance(s[k], t) and not (t is int and isinstance(s[k], bool)), (k, s)
    assert (s["status"], s["mlx_server_running"], s["current_model"]) == ("running", True, "org/some-model")
    assert s["port"] == seed.port and s["restart_attempts"] == 0
    u = s["uptime_seconds"]
    wait(lambda: seed.status()["uptime_seconds"] > u, 3, "uptime grows")
    seed.post("/stop")
    s = seed.status()
    assert (s["status"], s["mlx_server_running"], s["current_model"], s["uptime_seconds"]) == ("stopped", False, None, 0)


def test_a_reload_keeps_what_was_loaded_by_name(seed):
    up(seed)
    assert seed.post("/load", {"model": "org/other", "max_tokens": 77}).status == 200
    pid = seed.status()["pid"]
    stream = world.Later(seed.chat, fake="sse=20, gap=20", stream=True)
    wait(lambda: seed.status()["in_flight"] == 1, 5, "stream")
    assert seed.post("/api/reload").status == 200
    assert http.events(stream.result().body)[-1] == "[DONE]"
    s = seed.status()
    assert (s["pid"], s["current_model"], s["state"]) == (pid, "org/other", "ready")
    assert [x["id"] for x in seed.get("/v1/models").json["data"]] == ["org/other"]
    # in the middle of a load, too
    stream = world.Later(seed.chat, fake="sse=20, gap=20", stream=True)
    wait(lambda: seed.status()["in_flight"] == 1, 5, "stream")
    load = world.Later(seed.post, "/load", {"model": "org/third"})
    wait(lambda: "takes the place of org/other" in seed.log(), 5, "the load began")
    assert seed.post("/api/reload").status == 200
    assert load.result().status == 200 and seed.status()["current_model"] == "org/third"
    assert http.events(stream.result().body)[-1] == "[DONE]"


def test_default_command_is_exactly_the_seeds(seed):
    up(seed)
    from lib import proc
    got = [x.decode() for x in proc.cmdline(seed.status()["pid"])]
    assert got == [FAKE, "-m", "mlx_lm.server", "--model", "org/some-model", "--host", "127.0.0.1", "--port",
                   str(seed.internal), "--max-tokens", "4096", "--log-level", "INFO"]


def test_health(seed):
    up(seed)
    r = seed.get("/health").json
    assert r["status"] == "healthy" and r["engine"]["mlx_server_running"] is True
    seed.post("/stop")
    r = seed.get("/health")
    assert r.status == 200 and r.json["status"] == "starting"


def test_ready(seed):
    up(seed)
    r = seed.get("/ready")
    assert (r.status, r.json) == (200, {"status": "ready", "model": "org/some-model"})
    seed.post("/stop")
    r = seed.get("/ready")
    assert (r.status, r.json) == (503, {"detail": "MLX server not ready"})


def test_load(seed):
    up(seed)
    path = str(seed.models / "alpha")
    r = seed.post("/load", {"model": path, "max_tokens": 77})
    assert (r.status, r.json) == (200, {"status": "success", "model": path, "message": f"Model {path} loaded successfully"})
    assert seed.status()["current_model"] == path
    from lib import proc
    assert b"77" in proc.cmdline(seed.status()["pid"]), "max_tokens is honoured"
    assert seed.chat(path).status == 200


def test_load_errors(seed):
    up(seed)
    r = seed.post("/load", {})
    assert r.status == 422
    d = r.json["detail"][0]
    assert (d["type"], d["loc"], d["msg"], d["input"]) == ("missing", ["body", "model"], "Field required", {})
    r = seed.post("/load", "{nope")
    assert r.status == 422 and r.json["detail"][0]["type"] == "json_invalid"
    r = seed.post("/load", {"model": 7})
    assert r.status == 422 and isinstance(r.json["detail"], list)
    assert seed.post("/load", "").status == 422
    assert seed.state() == "ready"


def test_load_failure(seed):
    up(seed)
    seed.post("/stop")
    seed.term()
    seed.env["FAKE_ARGS"] += " --exit-after 0 --exit-code 2 --spew error:\\sno\\sGPU"
    seed.serve(config=False)
    seed.wait_state("failed")
    r = seed.post("/load", {"model": "other"}, timeout=30)
    assert r.status == 500 and r.json["detail"] == "Failed to load model" and "no GPU" in r.json["cause"]
    r = seed.post("/start", timeout=30)
    assert (r.status, r.json["detail"]) == (500, "Failed to start server")


def test_a_load_that_fails_brings_the_old_model_back(seed):
    script = seed.tmp / "python"
    script.write_text(f'#!/bin/sh\ncase "$*" in *bad*) echo "error: no such model" >&2; exit 2 ;; esac\nexec {FAKE} "$@"\n')
    script.chmod(0o755)
    seed.env["MLX_PYTHON"] = str(script)
    up(seed)
    seed.env["MLX_PYTHON"] = FAKE
    before = seed.status()["current_model"]
    seed.post("/load", {"model": "a/good"})
    r = seed.post("/load", {"model": "a/bad"}, timeout=60)
    assert r.status == 500 and "no such model" in r.json["cause"]
    s = seed.ready(20)
    assert s["current_model"] == "a/good" != before
    assert seed.chat("whatever").status == 200
    assert [m["id"] for m in seed.get("/v1/models").json["data"]] == ["a/good"]


def test_stop_and_start(seed):
    up(seed)
    for _ in range(2):
        r = seed.post("/stop")
        assert (r.status, r.json) == (200, {"status": "stopped"})
    r = seed.post("/start")
    assert (r.status, r.json) == (200, {"status": "started", "model": "org/some-model"})
    assert seed.post("/start").json == {"status": "started", "model": "org/some-model"}
    assert seed.post("/start?model=org/other").status == 409
    assert seed.post("/start").json == {"status": "started", "model": "org/some-model"}, "what was refused changed nothing"
    assert seed.status()["current_model"] == "org/some-model"
    seed.post("/stop")
    r = seed.post("/start?model=org%2Fother")
    assert (r.status, r.json) == (200, {"status": "started", "model": "org/other"})


def test_models_available(seed):
    up(seed)
    r = seed.get("/models/available")
    assert r.status == 200
    assert r.json == {"models": [{"id": n, "path": str(seed.models / n)} for n in ("alpha", "beta", "x.gguf")]}


def test_models_available_without_directory(seed):
    seed.env["MLX_MODEL_DIR"] = str(seed.tmp / "nowhere")
    up(seed)
    assert seed.get("/models/available").json == {"models": []}


def test_v1_models(seed):
    up(seed)
    r = seed.get("/v1/models")
    assert r.status == 200 and r.json["object"] == "list" and r.json["data"][0]["id"] == "org/some-model"
    assert r.json["data"][0]["object"] == "model"
    seed.post("/stop")
    r = seed.get("/v1/models")
    assert r.status == 503 and r.body, "MAI takes an error as disconnected"


def test_chat_fills_in_the_seeds_defaults(seed):
    up(seed)
    r = seed.post("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}], "model": None, "custom": {"a": [1]}},
                  headers={"X-Fake": "echo-head"})
    sent = json.loads(r.json["body"])
    assert (sent["max_tokens"], sent["temperature"], sent["top_p"]) == (2048, 0.7, 1.0)
    assert sent["custom"] == {"a": [1]}, "unknown fields pass through"
    assert sent.get("model", "org/some-model") in ("org/some-model", "default_model")
    r = seed.post("/v1/chat/completions", {"messages": [], "max_tokens": 3, "temperature": 0, "top_p": 0.5},
                  headers={"X-Fake": "echo-head"})
    sent = json.loads(r.json["body"])
    assert (sent["max_tokens"], sent["temperature"], sent["top_p"]) == (3, 0, 0.5)


def test_chat_route_is_loaded(seed):
    """MAI's backend always sends one static name."""
    up(seed)
    r = seed.chat("whatever-name")
    assert r.status == 200 and r.json["model"] == "whatever-name"
    assert seed.record.count("start") == 1


def test_chat_stream(seed):
    up(seed)
    r = seed.chat("x", stream=True, fake="http10, sse=4")
    assert r.header("Content-Type") == "text/event-stream; charset=utf-8"
    assert r.header("Transfer-Encoding") == "chunked"
    assert http.events(r.body)[-1] == "[DONE]"
    assert seed.chat("x", fake="status=429").status == 429, "upstream status passes through"


def test_errors_of_the_family(seed):
    up(seed)
    r = seed.get("/nope")
    assert (r.status, r.json) == (404, {"detail": "Not Found"})
    for method, path, allow in (("POST", "/status", "GET"), ("GET", "/load", "POST"), ("DELETE", "/stop", "POST"),
                                ("PUT", "/v1/chat/completions", "POST"), ("POST", "/v1/models", "GET")):
        r = seed.call(method, path)
        assert (r.status, r.json) == (405, {"detail": "Method Not Allowed"}), (method, path, r)
        assert allow in r.header("Allow")


def test_sigterm_exits_0_promptly(seed):
    up(seed)
    pid = seed.status()["pid"]
    before = time.monotonic()
    assert seed.term() == 0
    assert time.monotonic() - before < 1 * SLOW
    from lib import proc
    assert not proc.alive(pid)


def test_env_file(mai):
    f = mai.tmp / ".env.host"
    f.write_text(f'# a comment\nMLX_PORT={mai.port}\nMLX_MODEL="quoted/model"\nMLX_PYTHON=\'{FAKE}\'\nOTHER=ignored\n'
                 f'export MLX_MAX_TOKENS=12\nMLX_LOG_LEVEL=\n')
    mai.serve("--env-file", f, config=False, env={"MLX_MODEL": "from/environment"})
    mai.ready()
    assert mai.status()["current_model"] == "from/environment", "the process environment wins"


def test_unset_internal_port_that_is_busy_is_replaced(mai):
    with_port = {"MLX_PORT": str(mai.port), "MLX_PYTHON": FAKE, "MLX_MODEL": "a/b"}
    try:
        squatter = world.Squatter(8082)
    except OSError:
        squatter = None   # somebody has it already: just as good
    try:
        mai.serve(config=False, env=with_port)
        mai.ready()
        assert mai.chat("x").status == 200
    finally:
        if squatter:
            squatter.__exit__()


def test_with_a_file_the_seeds_paths_act_on_the_current_model(mai):
    mai.config({"a": mai.engine("a"), "b": mai.engine("b")})
    mai.serve()
    mai.settle_fds()
    s = mai.status()
    assert s["status"] == "stopped" and set(KEYS) <= set(s)
    assert [d["id"] for d in mai.get("/v1/models").json["data"]] == ["a", "b"]
    assert mai.post("/start").json["model"] == "a"
    assert mai.post("/load", {"model": "b"}).status == 200
    assert mai.get("/v1/models").json["data"][0]["id"] == "b", "the loaded one first"
    assert mai.get("/ready").json["model"] == "b"
    r = mai.post("/load", {"model": "zz"})
    assert r.status == 404 and r.json["detail"] == "Unknown model zz"
