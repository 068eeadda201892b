# SPDX-License-Identifier: ISC
"""Filters of a model: what of a request reaches the engine, and that the client does not notice."""
import json

import pytest

from lib import http, world
from lib.proc import wait

CHAT = "/v1/chat/completions"
FILTERS = {
    "stripParams": "temperature, top_k",
    "setParams": {"top_p": 0.95, "max_tokens?": 100, "stop": ["a", {"b": None}], "temperature": 1},
    "setParamsByID": {
        "${MODEL_ID}": {"chat_template_kwargs": {"think": False}},
        "${MODEL_ID}:think": {"chat_template_kwargs.think": True, "top_p": 1},
    },
}


@pytest.fixture
def filtered(mai):
    mai.config({"m": mai.engine("m", aliases=["nick"], filters=FILTERS), "plain": mai.engine("plain")}, minResident=0)
    mai.start_all()
    return mai


def upstream(m, body, path=CHAT, **headers):
    """The body that the engine got: its JSON, in order."""
    r = m.post(path, body, headers={"X-Fake": "echo-head", **headers})
    assert r.status == 200, r
    return json.loads(r.json["body"], object_pairs_hook=lambda pairs: [list(p) for p in pairs])


def test_parameters_go_and_come(filtered):
    got = upstream(filtered, {"temperature": 2, "messages": [{"role": "user", "temperature": 3}], "top_k": 5, "model": "m",
                              "max_tokens": 0, "seed": 1})
    assert got == [["messages", [[["role", "user"], ["temperature", 3]]]], ["model", "m"], ["max_tokens", 0], ["seed", 1],
                   ["temperature", 1], ["stop", ["a", [["b", None]]]], ["top_p", 0.95], ["chat_template_kwargs", [["think", False]]]]


def test_an_id_has_parameters_of_its_own(filtered):
    got = dict(upstream(filtered, {"model": "m:think", "chat_template_kwargs": {"think": 0, "lang": "en"}, "top_p": 0}))
    assert got["chat_template_kwargs"] == [["lang", "en"], ["think", True]]
    assert got["top_p"] == 1 and got["max_tokens"] == 100
    assert filtered.records["m"].count("start") == 1, "the same engine answers under both names"


def test_another_alias_has_only_what_holds_for_all(filtered):
    got = dict(upstream(filtered, {"model": "nick"}))
    assert got["top_p"] == 0.95 and "chat_template_kwargs" not in got


def test_without_a_name_it_is_the_model_itself(filtered):
    got = dict(upstream(filtered, {"messages": []}))
    assert got["chat_template_kwargs"] == [["think", False]] and "model" not in got


@pytest.mark.parametrize("name", ["m", "m:think", "nick"])
def test_the_reply_names_what_the_client_asked_for(filtered, name):
    assert filtered.chat(name).json["model"] == name
    for data in http.events(filtered.chat(name, stream=True).body)[:-1]:
        assert json.loads(data)["model"] == name


def test_nothing_else_of_a_body_changes(filtered):
    kept = '\n "messages" : [ {"content":"\\u00e9 \\"temperature\\": 1 "} ] , "seed":-0,"x":1e400'
    raw = ' {\n "t\\u006fp_k" : 1,' + kept.replace(',"x"', ',"top_k":2,"x"') + ' }\n'
    r = filtered.post(CHAT, raw.encode(), headers={"X-Fake": "echo-head"})
    put_in = ',"temperature":1,"max_tokens":100,"stop":["a",{"b":null}],"top_p":0.95,"chat_template_kwargs":{"think":false}'
    assert r.json["body"] == " {" + kept + put_in + " }\n"


def test_a_model_without_filters_gets_every_byte(filtered):
    raw = b'{ "temperature" : 2 , "model":"plain","top_k":1,"top_k":2 }'
    assert filtered.post(CHAT, raw, headers={"X-Fake": "echo-head"}).json["body"].encode() == raw


def test_a_large_body_keeps_its_text(filtered):
    text = "x\\" * 4_000_000
    got = dict(upstream(filtered, {"temperature": 5, "model": "m", "messages": [text], "top_k": 1}))
    assert got["messages"] == [text] and "top_k" not in got and got["temperature"] == 1


def test_what_is_no_json_passes(filtered):
    form = (b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n'
            b'--b\r\nContent-Disposition: form-data; name="temperature"\r\n\r\n2\r\n--b--\r\n')
    r = filtered.post("/v1/audio/transcriptions", form, headers={"Content-Type": "multipart/form-data; boundary=b",
                                                                 "X-Fake": "echo-head"})
    assert r.status == 200 and r.json["body"].encode() == form


def test_the_engines_name_and_the_filters_together(mai):
    mai.config({"m": mai.engine("m", useModelName="real", filters={"stripParams": ["a", "b"], "setParams": {"model": "no"}})})
    mai.start_all()
    assert upstream(mai, {"a": 1, "model": "m", "b": 2}) == [["model", "real"]]
    assert upstream(mai, {"b": 2}) == [["model", "real"]]
    assert "'model' says where a request goes" in mai.stderr


def test_a_request_that_met_a_crash_is_not_filtered_twice(mai):
    """What is set where it is missing, and taken out where it is there, must be the same for the second engine."""
    mai.config({"m": mai.engine("m", ["--state", mai.tmp / "n", "--good-after", "1", "--crash-on-request", "1",
                                      "--signal", "SEGV"], backoff=0.05,
                                filters={"stripParams": "a", "setParams": {"a": 1, "b?": 2}})})
    mai.serve()
    assert upstream(mai, {"a": 9, "model": "m"}) == [["model", "m"], ["a", 1], ["b", 2]]
    assert mai.records["m"].count("start") == 2


@pytest.mark.parametrize("to", ["b", "plain"])
@pytest.mark.parametrize("kind", ["json", "form"])
def test_a_request_that_met_a_crash_may_be_anothers_in_the_end(mai, kind, to):
    """Its engine dies, and a person loads another model, which answers for every name: under the name that one knows."""
    form = b'--X\r\nContent-Disposition: form-data; name="model"\r\n\r\n%s\r\n--X--\r\n'
    mai.config({"a": mai.engine("a", ["--crash-on-request", "1", "--signal", "SEGV"], useModelName="only/a/knows/it",
                                filters={"stripParams": "x"}),
                "b": mai.engine("b", useModelName="real-b", filters={"stripParams": "y"}), "plain": mai.engine("plain")},
               route="loaded", backoff=20, backoffMax=20)
    mai.serve()
    assert mai.post("/load", {"model": "a"}).status == 200
    if kind == "json":
        ask = world.Later(mai.post, CHAT, {"model": "a", "y": 1}, headers={"X-Fake": "echo-head"})
    else:
        ask = world.Later(mai.post, "/v1/audio/transcriptions", form % b"a",
                          headers={"X-Fake": "echo-head", "Content-Type": "multipart/form-data; boundary=X"})
    mai.wait_state("backoff")
    wait(lambda: mai.status()["queued"] == 1, 5, "it waits again")
    assert mai.post("/load", {"model": to}).status == 200
    r = ask.result()
    assert r.status == 200, r
    name = {"b": "real-b", "plain": "a"}[to]
    if kind == "form":
        assert r.json["body"].encode() == form % name.encode()
    else:
        assert json.loads(r.json["body"]) == {"model": name, **({} if to == "b" else {"y": 1})}


def test_a_reload_changes_filters_and_leaves_the_engine(filtered):
    filtered.config({"m": filtered.engine("m", filters={"setParams": {"seed": 7}}), "plain": filtered.engine("plain")},
                    minResident=0)
    r = filtered.verb("reload")
    assert r.returncode == 0, r
    wait(lambda: upstream(filtered, {"model": "m", "temperature": 2}) == [["model", "m"], ["temperature", 2], ["seed", 7]], 5)
    assert filtered.records["m"].count("start") == 1
