# SPDX-License-Identifier: ISC
"""Without a file: models come into being by being loaded by name, some of them bad, while clients ask and the one that is loaded
changes. See test_soak.py for the variables."""
import collections
import json
import threading

import pytest

from lib import proc
from lib.chaos import BOUND, REFUSALS, Actor
from lib.mai import FAKE, SLOW, free_port, words
from lib.proc import wait
from lib.stream import CHAT, Stream
from test_soak import RUNS, SEED, seconds

NAMES = ["org/a", "org/b", "org/c", "alpha", "beta", "./beta", "org/bad-1", "org/bad-2", "org/dies", "org/a b", "x" * 300,
         "../alpha", "-c", "", "org/\u00e4", "org/a\n"]
GOOD = {"org/a", "org/b", "org/c", "alpha", "beta"}

SECONDS = seconds(2)


class Names:
    """What the actors share."""

    def __init__(self, m, seed):
        self.m, self.seed = m, seed
        self.over, self.lock = threading.Event(), threading.Lock()
        self.counts, self.faults = collections.Counter(), []

    def count(self, what, how):
        with self.lock:
            self.counts[f"{what}: {how}"] += 1

    def fault(self, actor, text):
        with self.lock:
            self.faults.append(f"{actor.name}: {actor.doing}: {text}"[:1500])


class Loader(Actor):
    def step(self):
        r = self.rand
        name = r.choice(NAMES)
        path, body = r.choice([("/load", {"model": name}), ("/load", {"model": name, "wait": False}), ("/load", {"model": name}),
                               ("/load", {"model": name, "max_tokens": r.randint(1, 99)}), ("/stop", None), ("/start", None),
                               ("/unload", None), ("/api/restart", {}), ("/api/restart", {"force": True}), ("/api/reload", None),
                               ("/api/pin", {"model": name, "pin": r.random() < 0.3}), ("/models/load", {"model": name}),
                               (f"/api/models/unload/{name}" if name in GOOD else "/stop", None)])
        self.doing = f"{path} {body}"
        got = self.m.post(path, body, timeout=BOUND)
        self.soak.count(path.split("unload/")[0], got.status)
        assert got.status in (200, 202, 400, 404, 409, 422, 500, 503), got
        if got.body != b"OK":
            assert isinstance(got.json, dict), got
        self.over.wait(r.random() * 0.3)


class Asker(Actor):
    """With and without a name; each of them is answered by what is loaded."""

    def step(self):
        r = self.rand
        name = r.choice([None, None, "org/a", "org/zzz", "beta"])
        fake = f"sse={r.randint(0, 30)}, gap={r.choice([0, 5])}"
        self.doing = f"{name} {fake}"
        with Stream(self.m, CHAT, fake, name or "default", timeout=BOUND) as s:
            s.head()
            if s.status != 200:
                got = json.loads(s.raw.exactly(int(s.headers["content-length"])))
                e = got["error"]
                assert e["code"] in REFUSALS[s.status], (s.status, e)
                self.soak.count("asked", e["code"])
                assert e["code"] != "model_conflict" or "pinned" in e["message"] + str(got["mai"]), got
                self.over.wait(0.05)
                return
            s.all()
            if s.clean:
                s.assert_whole()
            else:
                assert s.body.count(CHAT.error) == 1, s.body[-500:]
            self.soak.count("asked", "whole" if s.clean else "broken")


class Looker(Actor):
    def step(self):
        for path in ("/status", "/v1/models", "/running", "/api/snapshot", "/models/available"):
            self.doing = path
            got = self.m.get(path, timeout=BOUND)
            assert got.status in ((200, 503) if path == "/v1/models" else (200,)) and isinstance(got.json, (dict, list)), got
        assert len(self.m.engines()) <= 2, proc.describe(self.m.engines())   # at most one, and one just being gone
        self.over.wait(0.1)


@pytest.mark.limit(int(SECONDS + 120))
@pytest.mark.parametrize("seed", range(SEED, SEED + RUNS))
def test_models_by_name(mai, seed):
    models = mai.tmp / "models"
    for n in ("beta", "alpha"):
        (models / n).mkdir(parents=True)
        (models / n / "config.json").write_text("{}")
    script = mai.tmp / "python"
    script.write_text(f"#!/bin/sh\ncase \"$*\" in\n*bad-1*) echo broken; exit 3;;\n*bad-2*) kill -SEGV $$;;\n"
                      f"*dies*) exec {FAKE} --exit-after 300 \"$@\";;\nesac\n"
                      f"exec {FAKE} \"$@\"\n")
    script.chmod(0o755)
    env = {"MLX_PORT": str(mai.port), "MLX_INTERNAL_PORT": str(free_port()), "MLX_MODEL": "org/first", "MLX_MODEL_DIR": str(models),
           "MLX_PYTHON": str(script), "FAKE_ARGS": words(["--record", mai.record.path])}
    mai.env.update(env)
    mai.serve(config=False)
    names = Names(mai, seed)
    actors = [Loader(names, f"loader{n}") for n in range(3)] + [Asker(names, f"asker{n}") for n in range(6)] + [Looker(names, "looker")]
    names.over.wait(SECONDS)
    names.over.set()
    mai.post("/stop", timeout=BOUND)    # what is tried again and again would take its time
    for a in actors:
        a.join(2 * BOUND)
    print(f"seed {seed}: {dict(sorted(names.counts.items()))}")
    stuck = [f"{a.name}: {a.doing}" for a in actors if a.is_alive()]
    assert not names.faults and not stuck, "\n".join([str(len(names.faults)), *stuck, *names.faults[:8], mai.stderr[-3000:]])
    wait(lambda: not mai.get("/api/requests").json["requests"], 10 * SLOW, lambda: mai.get("/api/requests").json)
    mai.post("/api/reload")         # forgets pins
    for good in ("org/b", "alpha"):
        got = mai.post("/load", {"model": good}, timeout=BOUND)
        assert got.status == 200, (got, mai.stderr[-2000:])
        assert mai.chat().status == 200
        assert mai.status()["current_model"].endswith(good), mai.status()
    assert "nothing is being loaded" not in mai.stderr
    assert len(mai.snapshot()["engines"]) < 20, [e["id"] for e in mai.snapshot()["engines"]]
    assert mai.post("/stop", timeout=BOUND).status == 200
    wait(lambda: not mai.engines(), 5 * SLOW, lambda: proc.describe(mai.engines()))
