# SPDX-License-Identifier: ISC
"""mai.yaml as a user meets it: mai check, messages with places, the three ways to start, what is refused."""
import os
import re

import pytest

from lib.mai import FAKE
from lib.proc import wait

GOOD = """\
listen: 127.0.0.1:{port}
models:
  smol:
    cmd: llama-server --host 127.0.0.1 --port ${{PORT}} -m /models/smollm2.gguf
    aliases: [gpt-4o-mini]
    ttl: 600
"""


def check(m, text, **env):
    m.write(text.format(port=m.port) if "{port}" in text else text)
    return m.run("check", "-c", m.conf_path, env=env)


def test_check_prints_the_plan(mai):
    r = check(mai, GOOD)
    assert r.returncode == 0, r
    for part in ("smol", "llama-server", f"127.0.0.1:{mai.port}"):
        assert part in r.stdout


BAD = {
    "unknown-key": ("listne: 127.0.0.1:1\nmodels: {m: {cmd: x}}\n", r"mai.yaml:1:1: .*listne.*listen"),
    "unknown-model-key": ("models:\n  m:\n    cmd: x\n    alias: [a]\n", r"mai.yaml:4:5: .*alias.*aliases"),
    "type": ("models:\n  m:\n    cmd: x\n    ttl: [1]\n", r"mai.yaml:4:\d+: .*ttl"),
    "not-a-number": ("queueMax: lots\nmodels: {m: {cmd: x}}\n", r"mai.yaml:1:\d+: .*(queueMax|number|lots)"),
    "range": ("queueMax: -4\nmodels: {m: {cmd: x}}\n", r"mai.yaml:1:\d+: "),
    "duplicate-key": ("models:\n  m: {cmd: x}\n  m: {cmd: y}\n", r"mai.yaml:3:3: .*(duplicate|twice|already)"),
    "duplicate-alias": ("models:\n  a: {cmd: x, aliases: [z]}\n  b: {cmd: y, aliases: [z]}\n", r"mai.yaml:3:\d+: .*z"),
    "yaml": ("models:\n  m: {cmd: x\n", r"mai.yaml:\d+:\d+: "),
    "tab": ("models:\n\tm: {cmd: x}\n", r"mai.yaml:2:\d+: "),
    "no-command": ("models:\n  m: {ttl: 5}\n", r"mai.yaml:2:\d+: .*(cmd|model)"),
    "bad-default": ("defaultModel: nope\nmodels: {m: {cmd: x}}\n", r"mai.yaml:1:\d+: .*nope"),
    "bad-listen": ("listen: 127.0.0.1:99999\nmodels: {m: {cmd: x}}\n", r"mai.yaml:1:\d+: "),
    "unclosed-quote": ("models:\n  m: {cmd: \"x 'y\"}\n", r"mai.yaml:2:\d+: .*quote"),
    "unset-env": ("apiKeys: [\"${env.NOT_SET_ANYWHERE}\"]\nmodels: {m: {cmd: x}}\n", r"mai.yaml:1:\d+: .*NOT_SET_ANYWHERE"),
    "unknown-macro": ("models:\n  m: {cmd: \"x ${NOPE}\"}\n", r"mai.yaml:2:\d+: .*NOPE"),
    "cyclic-macro": ("macros: {a: \"${b}\", b: \"${a}\"}\nmodels:\n  m: {cmd: \"x ${a}\"}\n", r"mai.yaml:\d+:\d+: "),
    "models-list": ("models: [a, b]\n", r"mai.yaml:1:\d+: .*models"),
    "route": ("route: sideways\nmodels: {m: {cmd: x}}\n", r"mai.yaml:1:\d+: .*sideways"),
    "scope": ("apiKeys: [{key: k, scope: god}]\nmodels: {m: {cmd: x}}\n", r"mai.yaml:1:\d+: .*god"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_with_place(mai, case):
    text, want = BAD[case]
    r = check(mai, text)
    assert r.returncode == 1, r
    assert re.search(want, r.stderr + r.stdout), r
    s = mai.run("serve", "--name", mai.name, "-c", mai.conf_path, timeout=10)
    assert s.returncode == 1 and re.search(want, s.stderr), s


def test_all_errors_are_listed_at_once(mai):
    r = check(mai, "listne: 1\nqueueMax: x\nmodels:\n  m:\n    cmd: x\n    ttll: 4\n")
    out = r.stderr + r.stdout
    assert r.returncode == 1 and all(f"mai.yaml:{n}:" in out for n in (1, 2, 6)), out


@pytest.mark.parametrize("data", [b"", b"\0\0\0", b"- a\n", b"\xff\xfe\x00", b"a: &x [*x]\n", b"a: !!python/object:x {}\n"])
def test_junk_files(mai, data):
    mai.conf_path.write_bytes(data)
    mai.conf_path.chmod(0o600)
    r = mai.run("check", "-c", mai.conf_path)
    assert r.returncode == 1 and "mai.yaml" in r.stderr + r.stdout


def test_huge_file_is_refused(mai):
    mai.conf_path.write_bytes(b"# " + b"x" * 11_000_000 + b"\nmodels: {m: {cmd: x}}\n")
    mai.conf_path.chmod(0o600)
    assert mai.run("check", "-c", mai.conf_path).returncode == 1


def test_missing_file_is_1_bad_arguments_are_2(mai):
    r = mai.run("check", "-c", mai.tmp / "none.yaml")
    assert r.returncode == 1 and "none.yaml" in r.stderr
    assert mai.run("serve", "--no-such-option").returncode == 2
    assert mai.run("no-such-verb-or-model-zz", "extra", "words").returncode == 2


def test_world_writable_file_is_refused(mai):
    mai.write(GOOD.format(port=mai.port))
    mai.conf_path.chmod(0o666)
    r = mai.run("check", "-c", mai.conf_path)
    assert r.returncode == 1 and "write" in r.stderr + r.stdout
    mai.conf_path.chmod(0o664)
    r = mai.run("check", "-c", mai.conf_path)
    assert r.returncode == 0 and "writ" in r.stderr + r.stdout, "group-writable is warned about"


@pytest.mark.skipif(os.getuid() != 0, reason="needs another uid")
def test_foreign_file_is_refused(mai):
    mai.write(GOOD.format(port=mai.port))
    os.chown(mai.conf_path, 65534, 65534)
    assert mai.run("check", "-c", mai.conf_path).returncode == 1


def test_llama_swap_file_runs_unchanged(mai):
    r = check(mai, """\
healthCheckTimeout: 120
startPort: 10001
logLevel: info
macros:
  "latest": /opt/llama-server --port ${PORT} --host 127.0.0.1
models:
  "qwen":
    cmd: |
      ${latest}
      # a comment line
      -m /models/qwen.gguf
      --jinja
    proxy: http://127.0.0.1:${PORT}
    checkEndpoint: /health
    ttl: 300
    aliases: ["gpt-4o"]
    env: ["CUDA_VISIBLE_DEVICES=0"]
    unlisted: false
    useModelName: "qwen:7b"
    concurrencyLimit: 4
groups:
  "forever":
    persistent: true
    swap: false
    exclusive: false
    members: ["qwen"]
hooks:
  on_startup:
    preload: ["qwen"]
""")
    assert r.returncode == 0, r
    plan = r.stdout.replace(" \\\n" + " " * 14, " ")
    assert "-m /models/qwen.gguf --jinja" in plan and "comment" not in plan


def test_macros_and_environment(mai):
    r = check(mai, "macros: {bin: /opt/x}\nmodels:\n  m:\n    cmd: ${bin} --port ${PORT} --word ${env.WORD} --id ${MODEL_ID}\n",
              WORD="told")
    assert r.returncode == 0 and "/opt/x" in r.stdout and "told" in r.stdout


def test_search_path(mai):
    mai.write(GOOD.format(port=mai.port))
    assert mai.run("check").returncode == 0, "./mai.yaml"
    other = mai.tmp / "other.yaml"
    other.write_text(GOOD.format(port=mai.port).replace("smol", "tall"))
    other.chmod(0o600)
    assert "tall" in mai.run("check", env={"MAI_CONFIG": str(other)}).stdout, "$MAI_CONFIG first"
    mai.conf_path.unlink()
    home = mai.tmp / "home/.config/mai"
    home.mkdir(parents=True)
    other.rename(home / "mai.yaml")
    assert "tall" in mai.run("check").stdout


def test_no_model_known_names_three_ways(mai):
    r = mai.run("serve", "--name", mai.name, timeout=10)
    assert r.returncode == 1
    for way in ("mai.yaml", "MLX_MODEL", "mai MODEL"):
        assert way.lower() in r.stderr.lower() or way.split()[-1].lower() in r.stderr.lower(), r.stderr


def test_mlx_variables_beside_c_are_a_warning(mai):
    mai.write(GOOD.format(port=mai.port))
    r = mai.run("check", "-c", mai.conf_path, env={"MLX_MODEL": "x/y"})
    assert r.returncode == 0 and "MLX_MODEL" in r.stdout + r.stderr


def test_model_mode_gguf_and_directory(new_mai):
    m = new_mai()
    bindir = m.tmp / "bin"
    bindir.mkdir()
    os.symlink(FAKE, bindir / "llama-server")
    os.symlink(FAKE, bindir / "python3")
    gguf = m.tmp / "tiny-model.gguf"
    gguf.write_bytes(b"GGUF" + b"\0" * 100)
    m.spawn("serve", "--name", m.name, "--listen", f"127.0.0.1:{m.port}", gguf,
            env={"PATH": f"{bindir}:{os.environ['PATH']}", "FAKE_ARGS": f"--record {m.record.path}"})
    m.wait_up()
    m.ready()
    assert m.status()["current_model"] == "tiny-model.gguf"
    assert m.chat("anything-goes").status == 200, "route is loaded"
    m = new_mai()
    d = m.tmp / "an-mlx-model"
    d.mkdir()
    (d / "config.json").write_text("{}")
    m.spawn("serve", "--name", m.name, "--listen", f"127.0.0.1:{m.port}", d,
            env={"PATH": f"{bindir}:{os.environ['PATH']}", "FAKE_ARGS": f"--record {m.record.path}"})
    m.wait_up()
    m.ready()
    assert m.status()["current_model"] == "an-mlx-model"


def test_environment_mode_reads_every_name_in_any_case(mai):
    mai.serve(config=False, env={"mlx_port": str(mai.port), "Mlx_Model": "", "MLX_DEFAULT_MODEL": "d/e", "MLX_PYTHON": FAKE})
    mai.ready()
    assert mai.status()["current_model"] == "d/e", "empty is unset"


def test_times_and_sizes_with_units(mai):
    r = check(mai, "maxBody: 1MiB\nheadTimeout: 1.5\nmodels: {m: {cmd: \"x ${PORT}\", ttl: 10m, startTimeout: 2h}}\n")
    assert r.returncode == 0, r


def test_the_level_of_the_log_follows_a_reload(mai):
    mai.config({"m": mai.engine("m")}, logLevel="error")
    mai.serve()
    mai.settle_fds()
    assert mai.post("/start").status == 200
    assert "ready after" not in mai.log()
    mai.config({"m": mai.engine("m")}, logLevel="info")
    assert mai.post("/api/reload").status == 200
    assert mai.post("/api/restart").status == 200
    assert "ready after" in mai.log()


def test_a_model_that_was_picked_stays_and_takes_nothing_back(mai):
    """One that lies in modelDirectory and is loaded by its name: no pin is lost for it, and a reload does not end it."""
    models, bin = mai.tmp / "models", mai.tmp / "bin"
    models.mkdir()
    bin.mkdir()
    (models / "x.gguf").write_bytes(b"GGUF")
    (bin / "llama-server").symlink_to(mai.fake_bin)
    mai.env["PATH"] = f"{bin}:{mai.env['PATH']}"
    mai.config({"m": mai.engine("m")}, maxLoaded=2, modelDirectory=str(models))
    mai.start_all()
    assert mai.post("/api/pin", {"model": "m", "pin": True}).status == 200
    wait(lambda: mai.post("/load", {"model": "x.gguf"}).status == 200, 5, "it is found")

    def running():
        return {r["model"]: (r["state"], r["pinned"]) for r in mai.get("/running").json["running"]}

    assert running() == {"m": ("ready", True), "x.gguf": ("ready", False)}
    pid = mai.status()["pid"]
    assert mai.post("/api/reload").status == 200
    assert running() == {"m": ("ready", False), "x.gguf": ("ready", False)}
    assert mai.status()["pid"] == pid and mai.chat("x.gguf").status == 200
