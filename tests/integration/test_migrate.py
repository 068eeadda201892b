# SPDX-License-Identifier: ISC
"""A llama-swap file as its owner meets mai with it: what mai check says, and that the keys do what they do there."""
import json
import re

import pytest

from lib.mai import SLOW, TOP
from lib.proc import wait

GOOD = TOP / "tests/conf/good"


def check(m, text, *more, **env):
    m.write(text)
    return m.run("check", "-c", m.conf_path, *more, env=env)


def remarks(text, label):
    """The warnings or notes, each on one line."""
    out = []
    for line in text.splitlines():
        if line.startswith(label + ": "):
            out.append(line[len(label) + 2:])
        elif out and line.startswith(" " * len(label + ": ")):
            out[-1] += " " + line.strip()
    return out


@pytest.mark.parametrize("name", ["llama-swap", "groups-routing", "filters", "wrappers"])
def test_check_prints_what_a_file_comes_to(mai, name):
    r = check(mai, (GOOD / f"{name}.yaml").read_text(), MAI_TEST_NUMBER="42")
    assert r.returncode == 0, r
    want = (GOOD / f"{name}.expect").read_text().replace("/etc/mai.yaml", str(mai.conf_path))
    plan = re.split(r"^warning: ", want, flags=re.M)[0]
    assert r.stdout.startswith(plan)
    assert [w for w in remarks(r.stdout, "warning") if not w.startswith("there is no program") and
            "is not used yet" not in w] == remarks(want, "warning")
    assert remarks(r.stdout, "note") == remarks(want, "note")
    assert all(len(x) <= 80 for x in plan.splitlines())


def test_check_in_json(mai):
    r = check(mai, (GOOD / "llama-swap.yaml").read_text(), "--json")
    v = json.loads(r.stdout)
    c = v["config"]
    assert v["ok"] and r.returncode == 0
    assert (c["maxLoaded"], c["maxLoadedFrom"], c["preload"]) == (3, "groups", ["embed", "qwen3-30b"])
    m = {x["id"]: x for x in c["models"]}
    assert m["embed"]["pinned"] and not m["qwen3-30b"]["pinned"]
    assert m["qwen3-30b"]["filters"]["setParams"] == {"max_tokens?": 8192, "temperature": 0.6, "top_p": 0.95}
    assert m["qwen3-30b"]["filters"]["setParamsByID"]["qwen3-30b:think"]["chat_template_kwargs"] == {"enable_thinking": True}
    assert m["whisper"]["stop"] == ["docker", "stop", "whisper"] and m["whisper"]["external"]
    assert m["gemma-12b"]["ttl"] == 600 and m["embed"]["ttl"] == 0
    assert any("peers is ignored" in w for w in v["warnings"]) and any("concurrencyLimit" in n for n in v["notes"])


def test_check_names_programs_that_are_not_there(mai):
    text = """models:
  a: {cmd: no-such-server --port 1}
  b: {cmd: no-such-server --port 2}
  c: {cmd: /no/such/file --port 3}
  d: {cmd: own --port 4, env: ["PATH=%s"]}
  e: {cmd: sh x --port 5}
""" % (mai.tmp / "bin")
    (mai.tmp / "bin").mkdir()
    (mai.tmp / "bin/own").write_text("#!/bin/sh\n")
    r = check(mai, text)
    assert [w for w in remarks(r.stdout, "warning") if "program" in w] == [
        "there is no program no-such-server, which a, b want", "there is no program /no/such/file, which c wants",
        "there is no program own, which d wants"]
    (mai.tmp / "bin/own").chmod(0o755)
    r = check(mai, text, "--json")
    assert r.returncode == 0 and "own" not in str(json.loads(r.stdout)["warnings"])


def test_a_group_of_an_unknown_model_is_an_error_with_its_place(mai):
    r = check(mai, "models: {qwen: {cmd: x --port 1}}\ngroups:\n  g:\n    members: [qwn]\n")
    assert r.returncode == 1 and "mai.yaml:4:15: group 'g': there is no model 'qwn'; did you mean 'qwen'?" in r.stderr


@pytest.mark.parametrize("aliases", [True, False])
def test_the_list_of_models(mai, aliases):
    models = {
        "a": mai.engine("a", aliases=["x", "y"], name="Model A", description="first", metadata={"n": 1, "id": "${MODEL_ID}"},
                        filters={"setParamsByID": {"a:z": {}}}),
        "hidden": mai.engine("hidden", unlisted=True, aliases=["h"]),
        "b": mai.engine("b"),
    }
    mai.config(models, includeAliasesInList=aliases, defaultModel="hidden")
    mai.start_all()
    data = mai.get("/v1/models").json["data"]
    assert [d["id"] for d in data] == (["a", "x", "y", "a:z", "b"] if aliases else ["a", "b"])
    for d in data[:-1]:
        assert {**d, "id": 0} == {**data[0], "id": 0}
    assert data[0]["name"] == "Model A" and data[0]["description"] == "first" and data[0]["meta"] == {"n": 1, "id": "a"}
    assert mai.chat("h").status == 200, "an unlisted model answers"
    assert mai.post("/load", {"model": "zzz"}).json["models"] == ["a", "b"]
    for r in (mai.chat("zzz"), mai.get("/upstream/zzz/")):
        assert r.status == 404 and r.json["error"]["message"].endswith("; configured: a, b")


@pytest.mark.parametrize("to, own, engines", [(None, True, False), ("proxy", True, False), ("upstream", False, True),
                                              ("both", True, True), ("none", False, False)])
def test_what_goes_to_standard_error(mai, to, own, engines):
    mai.config({"m": mai.engine("m", ["--print-tty"])}, **({"logToStdout": to} if to else {}))
    mai.serve()
    assert mai.post("/start").status == 200
    line = re.compile(r"^\[m\] .*tty", re.M)
    wait(lambda: "tty" in mai.log(), 5 * SLOW, "the engine's line in the ring")
    if engines:
        wait(lambda: line.search(mai.stderr), 5 * SLOW, lambda: mai.stderr)
    mai.term()
    assert bool(line.search(mai.stderr)) == engines
    assert ("listening on" in mai.stderr) == own


def test_a_flood_to_standard_error_comes_in_order_and_loses_nothing(mai):
    mai.config({"m": mai.engine("m", ["--flood", "20000"])}, logToStdout="upstream")
    mai.serve()
    mai.post("/start", timeout=30)
    wait(lambda: mai.stderr.count("\n") > 20000, 30 * SLOW, "a second of flood")
    mai.post("/stop", timeout=20)
    mai.term()
    n = [int(x) for x in re.findall(r"^\[m\] flood (\d+) ", mai.stderr, re.M)]
    assert len(n) > 10000 and n == list(range(n[0], n[0] + len(n))) and "not shown" not in mai.stderr


def test_a_reload_changes_what_goes_to_standard_error(mai):
    models = {"m": mai.engine("m", ["--print-tty"])}
    mai.config(models, logToStdout="none")
    mai.serve()
    mai.config(models, logToStdout="both")
    assert mai.verb("reload").returncode == 0
    assert mai.post("/start").status == 200
    wait(lambda: re.search(r"^\[m\] .*tty", mai.stderr, re.M), 5 * SLOW, lambda: mai.stderr)
    assert "listening on" not in mai.stderr and "configuration loaded again" in mai.stderr


def test_no_check_is_no_check(mai):
    """checkEndpoint none: the port is all that is asked for."""
    mai.config({"m": mai.engine("m", ["--never-ready"], checkEndpoint="none")})
    mai.start_all()
    r = mai.chat("m")
    assert r.status == 503 and r.header("X-Fake-Served"), "it is the engine that says so"


def test_macros_and_environment_reach_the_engine(mai):
    mai.config({"m": {"cmd": "${fake} ${more}", "macros": {"n": "b-${MODEL_ID}", "more": "--print-env --model-name ${n}"},
                      "env": ["TOLD=${n} and ${port}", "OWN=${env.XDG_STATE_HOME}"], "checkEndpoint": "/health"}},
               macros={"n": "a", "port": "${PORT}", "fake": mai.fake()})
    mai.start_all()
    assert re.search(r"TOLD=b-m and %d\b" % mai.record.port(), mai.log())
    assert f"OWN={mai.tmp}/state" in mai.log()
    assert "--model-name b-m" in mai.get("/running").json["running"][0]["cmd"]


def test_the_name_sent_upstream(mai):
    mai.config({"m": mai.engine("m", useModelName="org/${MODEL_ID}", filters={"setParamsByID": {"m:v": {"v": 1}}})})
    mai.start_all()
    r = mai.chat("m:v", fake="echo-head")
    assert json.loads(r.json["body"])["model"] == "org/m" and json.loads(r.json["body"])["v"] == 1


def test_the_calls_of_llama_swap_and_llama_server(mai):
    """Their shapes, end to end: what runs, what is loaded, loading and unloading by name."""
    mai.config({"a": mai.engine("a", name="Model A", description="first", ttl=600, aliases=["nick"]),
                "b": mai.engine("b", ["--ready-after", "700"]),
                "bad": {"cmd": "/no/such/program --port ${PORT}"}}, maxLoaded=2, maxAttempts=0)
    mai.serve()

    def values():
        return {d["id"]: d["status"]["value"] for d in mai.get("/models").json["data"]}

    assert mai.get("/running").json == {"running": []}
    assert values() == {"a": "unloaded", "b": "unloaded", "bad": "unloaded"}
    for name in ("nick", "b"):
        r = mai.post("/models/load", {"model": name})
        assert (r.status, r.json) == (200, {"success": True})
    assert values()["b"] == "loading"
    wait(lambda: values() == {"a": "loaded", "b": "loaded", "bad": "unloaded"}, 5 * SLOW, values)
    assert mai.chat("bad").status == 503 and values()["bad"] == "failed"
    rows = {x["model"]: x for x in mai.get("/running").json["running"]}
    assert {k: v["state"] for k, v in rows.items()} == {"a": "ready", "b": "ready", "bad": "failed"}
    a = rows["a"]
    assert (a["name"], a["description"], a["ttl"]) == ("Model A", "first", 600)
    assert a["pid"] == mai.records["a"].pid() and a["port"] == mai.records["a"].port()
    assert a["proxy"] == f"http://127.0.0.1:{a['port']}" and f"--port {a['port']}" in a["cmd"]
    assert a["uptime_seconds"] > 0 and (a["restart_attempts"], a["in_flight"], a["queued"]) == (0, 0, 0)
    assert a["last_exit"] is None and "/no/such/program" in rows["bad"]["last_exit"]["text"] + rows["bad"]["last_exit"]["cause"]

    assert mai.post("/models/unload", {"model": "b"}).json == {"success": True}
    wait(lambda: values()["b"] == "unloaded", 5 * SLOW, values)
    assert values()["a"] == "loaded"
    assert mai.chat("b").status == 200
    r = mai.post("/api/models/unload/b")
    assert (r.status, r.body) == (200, b"OK") and values()["b"] == "unloaded"
    for path in ("/unload", "/api/models/unload"):
        assert mai.chat("a").status == 200
        r = mai.post(path)
        assert (r.status, r.json) == (200, {"msg": "ok"}) and values()["a"] == "unloaded"
        assert mai.get(path).status == 405
    for path in ("/models/load", "/models/unload"):
        assert mai.post(path, {"model": "none"}).status == 404


def test_an_example_of_llama_swaps_groups_is_taken_whole(mai):
    """Both chat models and the two small ones by name, one after the other."""
    names = ("qwen", "gemma", "embed", "rerank")
    mai.config({n: mai.engine(n) for n in names}, minResident=0,
               groups={"chat": {"members": ["qwen", "gemma"]},
                       "always": {"persistent": True, "swap": False, "exclusive": False, "members": ["embed", "rerank"]}})
    r = mai.run("check", "-c", mai.conf_path, "--json")
    c = json.loads(r.stdout)["config"]
    assert c["maxLoaded"] == 3 and [m["id"] for m in c["models"] if m["pinned"]] == ["embed", "rerank"]
    mai.serve()
    for n in names:
        assert mai.chat(n).json["model"] == n
