# SPDX-License-Identifier: ISC
"""Host, Origin, keys and scopes: who may ask what. Also what the sockets and files allow."""
import os
import socket
import stat

import pytest

from lib import http
from lib.http import request
from lib.proc import wait

HOSTS_OK = ["localhost", "127.0.0.1", "[::1]", "localhost:{port}", "127.0.0.1:9", "192.168.1.20:8081", "box.local", "BOX.LOCAL:1",
            "host.docker.internal", "host.docker.internal:8081", "a.internal", "named.example", "{hostname}"]
HOSTS_BAD = ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:8081", "local", "internal",
             "xnamed.example", "named.example.evil", "1.2.3.4.5", "localhost.", "evil.local.example"]


def with_host(m, host, path="/status"):
    with m.raw() as c:
        c.send(request("GET", path, host=host))
        return c.reply()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    from lib.mai import Mai
    m = Mai(tmp_path_factory.mktemp("guarded"))
    try:
        m.config({"m": m.engine("m")}, allowedHosts=["named.example"], allowedOrigins=["https://ok.example"],
                 apiKeys=["root-key", {"key": "infer-key", "scope": "infer"}])
        m.keys = {"Authorization": "Bearer root-key"}
        m.start_all()
        yield m
    finally:
        m.finish()


@pytest.mark.parametrize("host", HOSTS_OK)
def test_allowed_hosts(guarded, host):
    host = host.format(port=guarded.port, hostname=socket.gethostname())
    assert with_host(guarded, host, "/health").status == 200, host


@pytest.mark.parametrize("host", HOSTS_BAD)
def test_foreign_hosts(guarded, host):
    if host == "localhost.":
        assert with_host(guarded, host, "/health").status in (200, 403)
        return
    r = with_host(guarded, host, "/health")
    assert r.status == 403 and b"allowedHosts" in r.body, (host, r)


ORIGINS = [
    ({}, 200), ({"Origin": "https://ok.example"}, 200), ({"Origin": "http://127.0.0.1:{port}"}, 200),
    ({"Origin": "https://evil.example"}, 403), ({"Origin": "null"}, 403), ({"Origin": "https://ok.example.evil"}, 403),
    ({"Origin": "http://ok.example"}, 403), ({"Origin": "http://127.0.0.1:1"}, 403), ({"Origin": ""}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Sec-Fetch-Site": "same-origin"}, 200), ({"Sec-Fetch-Site": "none"}, 200),
    ({"Sec-Fetch-Site": "cross-site", "Origin": "https://ok.example"}, 200),
]


@pytest.mark.parametrize("n", range(len(ORIGINS)))
@pytest.mark.parametrize("path", ["/status", "/v1/chat/completions"])
def test_origin_matrix(guarded, n, path):
    headers, want = ORIGINS[n]
    headers = {k: v.format(port=guarded.port) for k, v in headers.items()}
    before = guarded.records["m"].count("request")
    if path == "/status":
        r = guarded.get(path, headers=headers)
    else:
        r = guarded.post(path, http.chat("m"), headers=headers)
    assert r.status == want, (headers, r)
    if want == 403:
        assert r.json and guarded.records["m"].count("request") == before
        assert r.header("Access-Control-Allow-Origin") is None
    if headers.get("Origin") == "https://ok.example":
        assert r.header("Access-Control-Allow-Origin") == "https://ok.example" and "Origin" in r.header("Vary")
    assert r.header("Access-Control-Allow-Private-Network") is None


def test_preflight(guarded):
    for origin, want in (("https://ok.example", {200, 204}), ("https://evil.example", {403})):
        r = http.call(guarded.port, "OPTIONS", "/v1/chat/completions", headers={
            "Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"})
        assert r.status in want, r
        assert (r.header("Access-Control-Allow-Origin") == origin) is (origin == "https://ok.example")


OPEN = [("GET", "/health"), ("GET", "/livez")]
INFER = [("GET", "/v1/models"), ("GET", "/models/available"), ("GET", "/ready"), ("GET", "/status"),
         ("POST", "/v1/chat/completions"), ("POST", "/v1/completions"), ("POST", "/v1/embeddings")]
ADMIN = [("POST", "/stop"), ("POST", "/start"), ("POST", "/load"), ("GET", "/logs"), ("GET", "/metrics"), ("GET", "/api/snapshot"),
         ("GET", "/api/requests"), ("GET", "/api/events"), ("POST", "/api/restart"), ("POST", "/api/shutdown"),
         ("POST", "/api/reload"), ("GET", "/api/info?model=m"), ("GET", "/api/logs"), ("GET", "/nope"), ("GET", "/api/version")]


def asked(m, method, path, key):
    body = http.chat("m") if method == "POST" and path.startswith("/v1") else ({} if method == "POST" else None)
    return http.call(m.port, method, path, body, key)


@pytest.mark.parametrize("method,path", OPEN)
def test_open_paths(guarded, method, path):
    assert asked(guarded, method, path, {}).status == 200


@pytest.mark.parametrize("method,path", INFER + ADMIN)
def test_no_key_or_a_wrong_one_is_401(guarded, method, path):
    for key in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}, {"Authorization": "Basic root-key"},
                {"X-Api-Key": "root-ke"}, {"Authorization": "Bearer root-keyy"}, {"X-Api-Key": ""}):
        r = asked(guarded, method, path, key)
        assert r.status == 401 and r.json["error"]["code"] == "unauthorized", (method, path, key, r)
        assert b"root-key" not in r.body
    assert guarded.state() == "ready"


@pytest.mark.parametrize("method,path", INFER)
@pytest.mark.parametrize("key", [{"Authorization": "Bearer infer-key"}, {"X-Api-Key": "infer-key"}, {"x-api-key": "root-key"}])
def test_infer_scope(guarded, method, path, key):
    assert asked(guarded, method, path, key).status == 200


@pytest.mark.parametrize("method,path", ADMIN)
def test_infer_scope_may_not_manage(guarded, method, path):
    r = asked(guarded, method, path, {"Authorization": "Bearer infer-key"})
    assert r.status == 403 and r.json["error"]["code"] == "forbidden", (method, path, r)
    assert guarded.state() == "ready"


def test_status_for_infer_shows_no_output_lines(mai):
    mai.config({"m": mai.engine("m", ["--spew", "error: secret-line", "--exit-after", "0", "--exit-code", "1"], maxAttempts=0)},
               apiKeys=["root-key", {"key": "infer-key", "scope": "infer"}])
    mai.keys = {"Authorization": "Bearer root-key"}
    mai.serve()
    mai.post("/start", timeout=20)
    mai.wait_state("failed")
    assert "secret-line" in mai.get("/status").body.decode()
    r = http.call(mai.port, "GET", "/status", headers={"Authorization": "Bearer infer-key"})
    assert r.status == 200 and "secret-line" not in r.body.decode()


def test_control_socket(guarded):
    st = os.stat(guarded.socket)
    assert stat.S_ISSOCK(st.st_mode) and stat.S_IMODE(st.st_mode) == 0o600
    assert stat.S_IMODE(os.stat(guarded.dir).st_mode) == 0o700
    assert guarded.control("GET", "/status").status == 200, "no key is asked there"
    assert guarded.control("GET", "/api/snapshot", headers={"Host": "anything", "Origin": "https://evil.example"}).status == 200


@pytest.mark.skipif(os.getuid() != 0, reason="needs another uid")
def test_control_socket_refuses_another_uid(guarded):
    if os.fork() == 0:
        code = 1
        try:
            s = socket.socket(socket.AF_UNIX)
            os.chmod(guarded.socket, 0o666)
            for p in (guarded.dir, guarded.dir.parent, guarded.tmp, guarded.tmp.parent):
                os.chmod(p, 0o711)
            os.setresuid(65534, 65534, 65534)
            s.settimeout(3)
            try:
                s.connect(str(guarded.socket))
                s.sendall(request("POST", "/stop"))
                data = s.recv(100)
                code = 0 if data == b"" or b" 403 " in data[:20] else 2
            except OSError:
                code = 0
        finally:
            os._exit(code)
    _, st = os.wait()
    os.chmod(guarded.socket, 0o600)
    os.chmod(guarded.dir, 0o700)
    os.chmod(guarded.dir.parent, 0o700)
    assert os.waitstatus_to_exitcode(st) == 0
    assert guarded.state() == "ready"


def test_non_loopback_needs_a_key(mai):
    mai.config({"m": mai.engine("m")}, listen=f"0.0.0.0:{mai.port}")
    r = mai.run("serve", "--name", mai.name, "-c", mai.conf_path, timeout=10)
    assert r.returncode == 1 and "key" in r.stderr.lower() and "--insecure" in r.stderr
    mai.serve("--insecure")
    assert "insecure" in mai.stderr.lower() or "without" in mai.stderr.lower()


def test_non_loopback_with_a_key_starts(mai):
    mai.config({"m": mai.engine("m")}, listen=f"0.0.0.0:{mai.port}", apiKeys=["k"])
    mai.keys = {"X-Api-Key": "k"}
    mai.serve()
    assert mai.get("/status").status == 200


def test_the_runtime_directory_must_be_ours(mai):
    mai.config({"m": mai.engine("m")})
    mai.dir.mkdir(mode=0o777)
    os.chmod(mai.dir, 0o777)
    r = mai.run("serve", "--name", mai.name, "-c", mai.conf_path, timeout=10) if os.getuid() else None
    if r is None:
        os.chown(mai.dir, 65534, 65534)
        r = mai.run("serve", "--name", mai.name, "-c", mai.conf_path, timeout=10)
        assert r.returncode == 1 and str(mai.dir) in r.stderr
    else:
        assert r.returncode in (0, 1)


def test_engine_cannot_be_commanded_by_request_data(one):
    """No verb carries a command, a path or an address."""
    for body in ({"model": "m", "cmd": "touch x"}, {"model": "m; touch x"}, {"model": "../../etc/passwd"},
                 {"model": "http://127.0.0.1:1/"}):
        one.post("/load", body)
    assert not (one.tmp / "x").exists()
    assert one.records["m"].count("start") == 1
    assert wait(lambda: one.chat("m").status == 200, 5)
