"""Plain requests as the HTTP clients of others make them: Python's own, curl and Node.

Usage: plain_client.py ADDRESS SOCKET PID FOLDER: a user service that speaks TLS at ADDRESS with the
certificate in FOLDER and none on the Unix SOCKET, whose drain waits two seconds, and its process,
which the last case ends.
"""

import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cases import case, run, skip

ADDRESS, SOCKET = sys.argv[1:3]
PID = int(sys.argv[3])
AUTHORITY = Path(sys.argv[4]) / "authority.pem"
PORT = int(ADDRESS.rsplit(":", 1)[1])
SECONDS = 20
NODE = """
const fs = require("fs");
const https = require("https");
const [port, ca, alpn] = process.argv.slice(1);
const options = {
  host: "localhost", port, path: "/healthz", ca: fs.readFileSync(ca), family: 4,
  ALPNProtocols: alpn ? [alpn] : [],
};
https.get(options, (answer) => {
  answer.setEncoding("utf8");
  answer.on("data", (text) => process.stdout.write(`${answer.statusCode} ${text}`));
}).on("error", (error) => { console.error(error.message); process.exit(1); });
"""


def context(*protocols):
    found = ssl.create_default_context(cafile=AUTHORITY)
    if protocols:
        found.set_alpn_protocols(list(protocols))
    return found


class UnixConnection(http.client.HTTPConnection):
    """HTTP/1.1 on the Unix socket."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SECONDS)
        self.sock.connect(SOCKET)


def secure(*protocols):
    return http.client.HTTPSConnection(
        "localhost", PORT, context=context(*protocols), timeout=SECONDS
    )


def ask(connection, path, method="GET"):
    connection.request(method, path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def health():
    credentials = grpc.ssl_channel_credentials(AUTHORITY.read_bytes())
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(f"localhost:{PORT}", credentials, options) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        return stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS).status


@case
def urllib_reads_health_without_alpn():
    url = f"https://localhost:{PORT}/healthz"
    with urllib.request.urlopen(url, context=context(), timeout=SECONDS) as answer:
        assert (answer.status, answer.read()) == (200, b"ok\n")
    try:
        urllib.request.urlopen(f"{url}?service=no.Such", context=context(), timeout=SECONDS)
    except urllib.error.HTTPError as error:
        assert error.code == 404, error
        return
    raise AssertionError("a service that is not there serves")


@case
def connections_are_kept_on_every_listener():
    for connection in UnixConnection("localhost"), secure(), secure("http/1.1"):
        for _ in range(3):
            assert ask(connection, "/healthz") == (200, "ok\n")
            assert ask(connection, "/healthz", "HEAD") == (200, "")
            assert ask(connection, "/nothing")[0] == 404
        connection.close()


@case
def calls_are_served_beside_plain_requests():
    assert health() == health_pb2.HealthCheckResponse.SERVING


@case
def plain_text_to_the_port_of_tls_is_answered():
    connection = http.client.HTTPConnection("localhost", PORT, timeout=SECONDS)
    assert ask(connection, "/healthz") == (400, "this port speaks TLS only\n")
    channel = grpc.insecure_channel(f"localhost:{PORT}")
    stub = health_pb2_grpc.HealthStub(channel)
    try:
        stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
        return
    raise AssertionError("a call without TLS was served")


@case
def curl_reads_health_in_every_version():
    if not shutil.which("curl"):
        return skip("curl", "there is no curl on this machine")
    features = subprocess.run(["curl", "--version"], capture_output=True, text=True).stdout
    tls = ["--ipv4", "--cacert", str(AUTHORITY), f"https://localhost:{PORT}/healthz"]
    unix = ["--unix-socket", SOCKET, "http://localhost/healthz"]
    shapes = [
        (["--no-alpn", "--http1.1"], tls, "1.1"),
        (["--http1.1"], tls, "1.1"),
        (["--http1.0"], tls, "1.1"),
        (["--http2"], tls, "2"),
        ([], unix, "1.1"),
        (["--http1.0"], unix, "1.1"),
        # Asks for an upgrade, which is not granted (RFC 9113 §3.1).
        (["--http2"], unix, "1.1"),
        (["--http2-prior-knowledge"], unix, "2"),
    ]
    for flags, target, version in shapes:
        if any("http2" in flag for flag in flags) and "HTTP2" not in features:
            skip("curl-http2", "this curl has no HTTP/2")
            continue
        command = ["curl", "--silent", "--show-error", "--max-time", str(SECONDS)]
        command += ["--write-out", "%{http_code} %{http_version}", *flags, *target]
        found = subprocess.run(command, capture_output=True, text=True)
        assert found.stdout == f"ok\n200 {version}", (flags, target, found)


@case
def node_reads_health_with_alpn_and_without():
    if not shutil.which("node"):
        return skip("node", "there is no Node on this machine")
    for alpn in "", "http/1.1":
        command = ["node", "-e", NODE, str(PORT), str(AUTHORITY), alpn]
        found = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        assert found.stdout == "200 ok\n", (alpn, found)


@case
def probes_and_health_agree_on_a_drain():
    kept = [UnixConnection("localhost"), secure()]
    for connection in kept:
        assert ask(connection, "/healthz") == (200, "ok\n")
    os.kill(PID, signal.SIGTERM)
    draining = (503, "the server is shutting down\n")
    for connection in [*kept, secure()]:
        while ask(connection, "/healthz") != draining:
            pass
        assert ask(connection, "/readyz") == draining
        assert ask(connection, "/livez") == (200, "ok\n")
    assert health() == health_pb2.HealthCheckResponse.NOT_SERVING
    # Connections that nobody uses do not hold the drain up.
    for connection in kept:
        assert connection.sock.recv(1) == b""


if __name__ == "__main__":
    run()
