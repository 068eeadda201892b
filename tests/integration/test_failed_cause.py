# SPDX-License-Identifier: ISC
"""A model that gave up says why, everywhere: /status, the error of a request, the log, `mai status`."""
import pytest

from lib.proc import wait

CASES = {
    "traceback": (["--spew", "Traceback (most recent call last):\\n  File \"x.py\", line 1\\nValueError: bad weights 7"],
                  "ValueError: bad weights 7"),
    "llama": (["--spew", "srv load_model: failed to open GGUF file /m/x.gguf\\nmain: exiting due to model loading error"],
              "failed to open GGUF file /m/x.gguf"),
    "error-line": (["--spew", "fine\\nerror: invalid argument: --frob\\nusage: x"], "error: invalid argument: --frob"),
    "fatal": (["--spew", "FATAL: device lost"], "device lost"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("engine", ["llama-server", "mlx_lm", "custom"])
def test_cause_is_picked_and_shown_everywhere(mai, case, engine):
    args, want = CASES[case]
    if case == "llama" and engine != "llama-server":
        pytest.skip("its own words")
    mai.config({"m": {**mai.engine("m", [*args, "--exit-after", "0", "--exit-code", "1"], maxAttempts=1, backoff=0.05),
                      "engine": engine}})
    mai.serve()
    r = mai.post("/load", {"model": "m"}, timeout=20)
    assert r.status == 500 and r.json["detail"] == "Failed to load model"
    assert want in r.json["cause"], r
    s = mai.wait_state("failed")
    assert want in str(s)
    assert want in mai.chat("m").body.decode()
    v = mai.verb("status")
    assert want in v.stdout and "fail" in v.stdout.lower(), v
    assert want in mai.log()
    v = mai.verb("status", "--json")
    assert want in v.stdout


def test_signals_and_codes_are_decoded(mai):
    mai.config({"m": mai.engine("m", ["--exit-after", "0", "--signal", "SEGV"], maxAttempts=0)})
    mai.serve()
    mai.post("/start", timeout=20)
    assert "SIGSEGV" in str(mai.wait_state("failed")["last_exit"])


def test_the_last_lines_are_kept_after_the_end(mai):
    text = "\\n".join(f"line-{i}" for i in range(40))
    mai.config({"m": mai.engine("m", ["--spew", text, "--exit-after", "0", "--exit-code", "1"], maxAttempts=0)})
    mai.serve()
    mai.post("/start", timeout=20)
    mai.wait_state("failed")
    body = mai.get("/api/info?model=m").body.decode() + mai.log()
    for i in range(21, 40):
        assert f"line-{i}" in body


def test_hostile_output_is_cleaned_everywhere(mai):
    evil = r"error: \x1b]0;title\x07\x1b[2J\xc2\x9b31mred \xe2\x80\xaelatigid\x08\x08 %n%s"
    mai.config({"m": mai.engine("m", ["--spew", evil, "--exit-after", "0", "--exit-code", "1"], maxAttempts=0)})
    mai.serve()
    mai.post("/start", timeout=20)
    mai.wait_state("failed")
    for body in (mai.get("/status").body, mai.chat("m").body, mai.get("/logs?n=500").body, mai.get("/api/snapshot").body,
                 mai.verb("status").stdout.encode(), mai.verb("logs").stdout.encode(), mai.stderr.encode()):
        text = body.decode("utf-8")
        for bad in ("\x1b", "\x07", "\x08", "\u202e", "\x9b", "\\u001b", "\\u0007", "\\u009b", "\\u202e"):
            assert bad not in text, (bad, text[-600:])
    assert "%n%s" in mai.log()


def test_progress_with_carriage_returns_is_one_line(mai):
    mai.config({"m": mai.engine("m", ["--cr-progress"])})
    mai.start_all()
    lines = wait(lambda: [x for x in mai.log().splitlines() if "Fetching 9 files" in x], 5, "progress line")
    assert len(lines) == 1 and "9/9" in lines[0], lines


def test_split_writes_make_one_line_and_no_line_is_lost_at_death(mai):
    mai.config({"m": mai.engine("m", ["--spew", "the very last words", "--exit-after", "0", "--signal", "KILL"],
                                maxAttempts=0)})
    mai.serve()
    mai.post("/start", timeout=20)
    mai.wait_state("failed")
    assert "the very last words" in mai.log()


def test_missing_model_path_is_permanent(mai):
    mai.config({"m": {**mai.engine("m", ["--check-model", "-m", "/no/such/model.gguf"], backoff=0.05),
                      "engine": "llama-server"}})
    mai.serve()
    r = mai.post("/load", {"model": "m"}, timeout=20)
    assert r.status == 500 and "/no/such/model.gguf" in r.json["cause"], r
    assert mai.wait_state("failed")["failed"]


def test_deaths_and_giving_up_are_errors(mai):
    mai.config({"m": mai.engine("m", ["--exit-after", "0", "--exit-code", "1"], maxAttempts=1, backoff=0.05),
                "n": mai.engine("n", ["--exit-after", "0", "--exit-code", "2"], maxAttempts=1)}, logLevel="error")
    mai.serve()
    for model in "m", "n":
        assert mai.post("/load", {"model": model}, timeout=20).status == 500
    log = mai.log()
    assert log.count("m: died after 0.0s: exit status 1") == 2 and "m: gave up after 2 failed starts" in log, log
    assert "n: died after 0.0s: exit status 2" in log and "n: gave up: a restart would not help" in log, log
    assert "->" not in log
