# SPDX-License-Identifier: ISC
"""Real engines: contrib/real-engines sets them up once in MAI_REAL_ENGINES (kept between runs)."""
import os
import pathlib
import shlex
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "integration"))

from conftest_base import *   # noqa: E402,F401,F403
from lib.mai import TOP       # noqa: E402


@pytest.fixture(scope="session")
def engines():
    where = os.environ.get("MAI_REAL_ENGINES", os.path.expanduser("~/.cache/mai-tests/engines"))
    r = subprocess.run([TOP / "contrib/real-engines", where], stdout=subprocess.PIPE, text=True)
    assert r.returncode == 0, "contrib/real-engines failed"
    return dict(x.split("=", 1) for line in r.stdout.splitlines() for x in shlex.split(line))


def models_of(e):
    """The definitions of the four models under test."""
    mlx_env = [f"HF_HUB_CACHE={e['HF_HUB_CACHE']}", "HF_HUB_OFFLINE=1"]

    def llama(path):
        return {"engine": "llama-server",
                "cmd": f"{e['LLAMA_SERVER']} --host 127.0.0.1 --port ${{PORT}} -m {path} -c 8192 --threads 2"}

    def mlx(path):
        return {"engine": "mlx_lm", "env": mlx_env,
                "cmd": f"{e['MLX_PYTHON']} -m mlx_lm.server --model {path} --host 127.0.0.1 --port ${{PORT}} --log-level INFO"}

    return {"llama": llama(e["GGUF"]), "llama-tiny": llama(e["GGUF_TINY"]),
            "mlx": mlx(e["MLX_MODEL"]), "mlx-tiny": mlx(e["MLX_MODEL_TINY"]),
            "llama-missing": llama("/no/such/model.gguf"), "mlx-missing": mlx("/no/such/model")}


@pytest.fixture
def real(engines, mai):
    """A mai with all of them configured, none running."""
    mai.models = models_of(engines)
    mai.config(mai.models, drainTimeout=0.5)
    mai.serve()
    mai.settle_fds()
    return mai
