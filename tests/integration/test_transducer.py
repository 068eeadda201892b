# SPDX-License-Identifier: ISC
"""Nothing can be smuggled through: public corpora of proper and malformed requests -> mai -> a server that writes down
every byte. Each forwarded byte string must parse, in another and strict parser, as exactly one request."""
import os
import pathlib
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import h11
import pytest

from lib.mai import TOP, words
from lib.proc import wait

CORPORA = TOP / "tests/corpora"
CAPTURE = pathlib.Path(__file__).parent / "lib/capture.py"
TARGET = b"/v1/chat/completions"


def cases(tmp):
    """name, bytes: a few of our own, and the requests of the public corpora where they can be had."""
    out = [("own/" + k, v) for k, v in OWN.items()]
    got = subprocess.run([CORPORA / "fetch"], capture_output=True, text=True, env={**os.environ, "PYTHON3": sys.executable})
    if got.returncode != 0:
        assert os.environ.get("CI") != "true", "the corpora could not be fetched: " + got.stderr
        return out
    subprocess.run([sys.executable, CORPORA / "convert.py", CORPORA / "requirements.txt", got.stdout.strip(), tmp], check=True)
    for line in (tmp / "list").read_text().splitlines():
        name, kind, _, file = line.split(" ")
        if kind == "request":
            out.append((name, (tmp / file).read_bytes()))
    assert len(out) > 100
    return out


BODY = b'{"model":"m","messages":[]}'
_post = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
OWN = {
    "plain": _post + b"Content-Length: 27\r\n\r\n" + BODY,
    "chunked": _post + b"Transfer-Encoding: chunked\r\n\r\n1b\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunked-trailer": _post + b"Transfer-Encoding: chunked\r\n\r\n1b\r\n" + BODY + b"\r\n0\r\nX-T: 1\r\nContent-Length: 9\r\n\r\n",
    "chunk-ext": _post + b"Transfer-Encoding: chunked\r\n\r\n1b;a=b\r\n" + BODY + b"\r\n0\r\n\r\n",
    "pipelined": (_post + b"Content-Length: 27\r\n\r\n" + BODY) * 2,
    "cl-te": _post + b"Content-Length: 27\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + BODY,
    "te-cl": _post + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n1b\r\n" + BODY + b"\r\n0\r\n\r\n",
    "te-obs": _post + b"Transfer-Encoding:\r\n chunked\r\n\r\n1b\r\n" + BODY + b"\r\n0\r\n\r\n",
    "te-xchunked": _post + b"Transfer-Encoding: xchunked\r\n\r\n" + BODY,
    "header-lf": _post + b"X-A: b\nTransfer-Encoding: chunked\r\nContent-Length: 27\r\n\r\n" + BODY,
    "header-cr": _post + b"X-A: b\rC: d\r\nContent-Length: 27\r\n\r\n" + BODY,
    "header-nul": _post + b"X-A: b\x00c\r\nContent-Length: 27\r\n\r\n" + BODY,
    "header-high": _post + b"X-A: \xff\xfe\r\nContent-Length: 27\r\n\r\n" + BODY,
    "connection-cl": _post + b"Connection: Content-Length\r\nContent-Length: 27\r\n\r\n" + BODY,
    "short-body": _post + b"Content-Length: 40\r\n\r\n" + BODY,
    "long-body": _post + b"Content-Length: 27\r\n\r\n" + BODY + b"GET /evil HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "upgrade": b"GET /upstream/m/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, X-A\r\nX-A: 1\r\nUpgrade: a\r\n"
    b"Sec-WebSocket-Key: x\r\n\r\nGET /upstream/m/evil HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "get-with-body": b"GET /upstream/m/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1b\r\n" + BODY + b"\r\n0\r\n\r\n",
    "query": b"POST /v1/chat/completions?a=b%20c HTTP/1.1\r\nHost: localhost\r\nContent-Length: 27\r\n\r\n" + BODY,
}


def variants(data):
    """As it is, and aimed at a path that is forwarded, with a good Host and a body that names the model."""
    yield data
    first, sep, rest = data.partition(b"\r\n")
    parts = first.split(b" ")
    if len(parts) == 3 and sep:
        line = b" ".join([parts[0], TARGET, parts[2]])
        yield line + sep + rest
        no_host = re.sub(rb"(?im)^host:[^\r\n]*\r\n", b"", rest)
        yield line + b"\r\nHost: localhost\r\n" + no_host
        yield b"POST " + TARGET + b"?model=m HTTP/1.1\r\nHost: localhost\r\n" + no_host
        yield parts[0] + b" /upstream/m/x HTTP/1.1\r\nHost: localhost\r\n" + no_host


def check(data):
    """Exactly one request, nothing left over, in strict h11 and by the rules it is lenient about."""
    conn = h11.Connection(h11.SERVER)
    conn.receive_data(data)
    conn.receive_data(b"")
    got = []
    while True:
        e = conn.next_event()
        if e in (h11.NEED_DATA, h11.PAUSED) or isinstance(e, h11.ConnectionClosed):
            break
        got.append(e)
        if isinstance(e, h11.EndOfMessage):
            break
    assert [type(e) for e in got if not isinstance(e, h11.Data)] == [h11.Request, h11.EndOfMessage], got
    assert conn.trailing_data[0] == b"", ("left over", conn.trailing_data)
    head, _, body = data.partition(b"\r\n\r\n")
    names = [line.split(b":")[0].lower() for line in head.split(b"\r\n")[1:]]
    assert names.count(b"content-length") <= 1 and b"transfer-encoding" not in names
    assert names.count(b"host") == 1
    assert b"\0" not in head and not re.search(rb"(?<!\r)\n|\r(?!\n)", head)
    assert not re.search(rb"\r\n[ \t]", head), "obs-fold"
    length = [int(v) for k, v in got[0].headers if k == b"content-length"]
    assert len(body) == (length[0] if length else 0)


@pytest.fixture
def captured(mai):
    out = mai.tmp / "captured"
    out.mkdir()
    mai.config({"m": {"cmd": words([sys.executable, CAPTURE]) + " ${PORT} " + str(out), "checkEndpoint": "none"}},
               headTimeout=1)
    mai.start_all()
    mai.captured = out
    return mai


def feed(m, data):
    """Without a half-close (which counts as leaving): reads until the answers stop coming."""
    with m.raw(timeout=0.12) as c:
        try:
            c.send(data)
            while c.fill():
                pass
        except (TimeoutError, socket.timeout, OSError):
            pass


@pytest.mark.limit(280)
def test_every_forwarded_byte_string_is_one_clean_request(captured):
    corpus = captured.tmp / "corpus"
    corpus.mkdir()
    with ThreadPoolExecutor(8) as pool:
        n = len(list(pool.map(lambda v: feed(captured, v), [v for _, data in cases(corpus) for v in variants(data)])))
    files = wait(lambda: list(captured.captured.glob("*.bin")), 5, "something was forwarded")
    wait(lambda: captured.status()["in_flight"] == 0, 10)
    for f in sorted(captured.captured.glob("*.bin")):
        data = f.read_bytes()
        try:
            check(data)
        except Exception as e:
            raise AssertionError(f"{f.name}: {e!r}\n{data[:2000]!r}") from e
    assert len(files) >= 5, (n, len(files))
    got = [f.read_bytes() for f in files]
    assert any(b"\r\nUpgrade: a\r\n" in x for x in got) and any(x.startswith(b"GET /x ") for x in got)
    assert captured.get("/livez").status == 200


@pytest.mark.limit(120)
@pytest.mark.parametrize("case", ["plain", "chunked", "cl-te", "header-lf", "chunk-ext"])
def test_verdict_is_the_same_split_at_every_byte(captured, case):
    data = OWN[case]

    def verdict(split):
        with captured.raw(timeout=5) as c:
            try:
                c.send(data[:split])
                c.send(data[split:])
            except OSError:
                pass
            return c.head()[0]

    want = verdict(0)
    assert {verdict(i) for i in range(1, len(data))} == {want}
