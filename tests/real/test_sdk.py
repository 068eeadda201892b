# SPDX-License-Identifier: ISC
"""The openai and anthropic clients against real engines through mai, and real models swapped under load."""
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest

from conftest import models_of
from lib import http
from lib.mai import TOP
from lib.proc import wait

HERE = pathlib.Path(__file__).parent
CLIENT = HERE / "sdk_client.py"


@pytest.fixture(scope="session")
def sdk():
    where = os.environ.get("MAI_SDK_VENV", os.path.expanduser("~/.cache/mai-tests/sdk"))
    r = subprocess.run([TOP / "tests/setup-venv", where, HERE / "requirements.txt"], stdout=subprocess.PIPE, text=True)
    assert r.returncode == 0, "the clients' modules cannot be installed"
    return r.stdout.strip()


@pytest.fixture
def served(engines, mai):
    mai.models = models_of(engines)
    mai.models["llama"]["cmd"] += f" --jinja --chat-template-file {HERE / 'tools.jinja'}"
    mai.config({k: v for k, v in mai.models.items() if "missing" not in k}, minResident=0.2, maxSwapWait=1)
    mai.serve()
    mai.settle_fds()
    return mai


def start(sdk, m, model, task):
    return subprocess.Popen([sdk, str(CLIENT), f"http://127.0.0.1:{m.port}", model, task], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env={**m.env, "PYTHONUNBUFFERED": "1"})


def run(sdk, m, model, task, timeout=180):
    p = start(sdk, m, model, task)
    out, err = p.communicate(timeout=timeout)
    assert p.returncode == 0, err[-3000:]
    return json.loads(out)


@pytest.mark.limit(300)
def test_openai_with_llama(sdk, served):
    r = run(sdk, served, "llama", "chat")
    assert r["model"] == "llama" and r["text"] and r["tokens"] > 0
    r = run(sdk, served, "llama", "chat_stream")
    assert r["model"] == ["llama"] and r["text"] and r["chunks"] > 4 and r["tokens"] > 0
    assert run(sdk, served, "llama", "completion")["text"]
    r = run(sdk, served, "llama", "responses")
    assert r["model"] == "llama" and r["text"]
    r = run(sdk, served, "llama", "responses_stream")
    assert (r["first"], r["last"]) == ("response.created", "response.completed") and r["text"]
    assert "llama" in run(sdk, served, "llama", "models")["ids"]


@pytest.mark.limit(300)
def test_openai_with_mlx(sdk, served):
    r = run(sdk, served, "mlx", "chat")
    assert r["model"] == "mlx" and "Paris" in r["text"]
    r = run(sdk, served, "mlx", "chat_stream")
    assert r["model"] == ["mlx"] and "Paris" in r["text"] and r["tokens"] > 0


@pytest.mark.limit(300)
@pytest.mark.parametrize("task", ["chat_tools", "chat_tools_stream", "messages_tools", "messages_tools_stream"])
def test_tool_calls(sdk, served, task):
    r = run(sdk, served, "llama", task)
    assert (r["name"], r["arguments"]) == ("get_weather", {"city": "Paris"}), r
    assert r.get("finish", r.get("stop")) in ("tool_calls", "tool_use")
    if task == "messages_tools_stream":
        assert r["model"] == "llama" and r["in_pieces"] and r["last"] == "message_stop"


@pytest.mark.limit(300)
def test_anthropic_with_llama(sdk, served):
    r = run(sdk, served, "llama", "messages")
    assert r["model"] == "llama" and r["text"] and r["tokens"] > 0
    r = run(sdk, served, "llama", "messages_stream")
    assert r["model"] == "llama" and r["text"] and r["stop"] in ("max_tokens", "end_turn") and r["tokens"] > 0


@pytest.mark.limit(300)
def test_errors_as_the_clients_know_them(sdk, served):
    r = run(sdk, served, "no-such-model", "unknown")
    assert r == {"openai": [404, "model_not_found"], "anthropic": [404, "not_found_error"]}


@pytest.mark.limit(300)
@pytest.mark.parametrize("model,task", [("llama", "chat_abort"), ("llama", "messages_abort"), ("llama", "responses_abort"),
                                        ("mlx-tiny", "chat_abort")])
def test_an_aborted_stream_frees_the_engine(sdk, served, model, task):
    assert run(sdk, served, model, task)["seen"] == 4
    wait(lambda: served.get("/api/requests").json["requests"] == [], 5, "nothing in flight")
    assert run(sdk, served, model, "chat")["model"] == model
    assert served.status()["restart_attempts"] == 0


@pytest.mark.limit(300)
@pytest.mark.parametrize("task", ["chat_broken", "messages_broken"])
def test_a_killed_engine_is_an_error_for_the_client(sdk, served, task):
    served.post("/load", {"model": "llama"}, timeout=90)
    p = start(sdk, served, "llama", task)
    assert p.stderr.readline().strip() == "chunk"
    os.kill(served.status()["pid"], signal.SIGKILL)
    out, err = p.communicate(timeout=60)
    assert p.returncode == 0, err[-3000:]
    r = json.loads(out)
    assert r["error"] and r["some"], r


@pytest.mark.limit(600)
def test_two_real_models_swapped_under_fifty_mixed_requests(served):
    """No request fails, no stream is cut, and each answer comes from the model that was asked."""
    names = ["llama-tiny", "mlx-tiny"]
    bad, good = [], [0]
    lock = threading.Lock()

    def one(i):
        model, stream = names[i % 2], i % 3 == 0
        try:
            r = served.chat(model, messages=[{"role": "user", "content": f"Number {i}"}], max_tokens=8 + i % 9,
                            stream=stream, timeout=300)
            ok = r.status == 200 and r.header("X-Mai-Model") == model
            if stream:
                ok = ok and http.events(r.body)[-1] == "[DONE]"
            else:
                ok = ok and r.json["model"] == model and r.json["choices"][0]["message"] is not None
        except Exception as e:   # whatever it was, it is a failure
            ok, r = False, e
        with lock:
            good[0] += ok
            if not ok:
                bad.append((i, r))

    threads = [threading.Thread(target=one, args=(i,)) for i in range(50)]
    for t in threads:
        t.start()
        time.sleep(0.02)   # they come one after another, as people do
    for t in threads:
        t.join(500)
    assert bad == [] and good[0] == 50
    swaps = served.snapshot()["swaps"]
    assert 1 <= swaps < 25, "both were served, and not one swap for each request"
