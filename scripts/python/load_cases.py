"""The load generator against Python's grpcio: all four kinds, reflection, TLS, compression.

Usage: load_cases.py PROGRAM SCHEMA ENGINE USERS, with the stubs of proto/user.proto on the path;
USERS is the address of our own server of them.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from concurrent import futures
from pathlib import Path

import grpc
import user_pb2
import user_pb2_grpc
from cases import case, run
from grpc_reflection.v1alpha import reflection
from server import Users

PROGRAM, SCHEMA, ENGINE, OURS = sys.argv[1:5]
RUN_SECONDS_MAX = 30
USER = json.dumps({"id": 7, "name": "Ada", "email": "ada@example.com"})


class Guard(grpc.ServerInterceptor):
    """Notes the metadata of each call, and asks every call for a token if there is one."""

    def __init__(self):
        self.seen = {}
        self.ids = set()
        self.token = None

    def intercept_service(self, continuation, details):
        self.seen = dict(details.invocation_metadata)
        self.ids.add(self.seen.get("x-id"))
        found = continuation(details)
        given = self.seen.get("authorization", "").removeprefix("Bearer ")
        if found is None or self.token in (None, given):
            return found

        def refuse(_, context):
            given = self.seen.get("authorization")
            context.abort(grpc.StatusCode.UNAUTHENTICATED, f"who is {given}?")

        streams = {(True, True): grpc.stream_stream_rpc_method_handler,
                   (False, False): grpc.unary_unary_rpc_method_handler}
        make = streams[(found.request_streaming, found.response_streaming)]
        return make(refuse, found.request_deserializer, found.response_serializer)


def certificates(folder):
    """An authority, and a certificate by it for localhost; as paths without their suffix."""

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    authority = ["-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2"]
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", *authority)
    for name in ["server", "client"]:
        request = ["-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr"]
        openssl("req", "-newkey", "rsa:2048", "-nodes", *request)
        (folder / "names.cnf").write_text("subjectAltName=DNS:localhost,DNS:users.example\n")
        sign = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
        names = ["-extfile", "names.cnf", "-in", f"{name}.csr", "-out", f"{name}.pem"]
        openssl("x509", "-req", *sign, *names)


def own_certificate(folder):
    """A certificate that vouches for itself, as openssl makes them unless it is told otherwise."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "own.key"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    line = ["openssl", "req", "-x509", *key, *name, "-out", "own.pem", "-days", "2"]
    subprocess.run(line, cwd=folder, check=True, capture_output=True)


def start(folder):
    guard = Guard()
    pool = futures.ThreadPoolExecutor(max_workers=32)
    server = grpc.server(pool, interceptors=[guard], compression=grpc.Compression.NoCompression)
    user_pb2_grpc.add_UserServiceServicer_to_server(Users(), server)
    names = [user_pb2.DESCRIPTOR.services_by_name["UserService"].full_name]
    reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)
    ports = {"plain": server.add_insecure_port("127.0.0.1:0")}
    if shutil.which("openssl"):
        certificates(folder)
        read = lambda name: (folder / name).read_bytes()
        pair = [(read("server.key"), read("server.pem"))]
        for name, known in [("tls", False), ("mutual", True)]:
            roots = read("ca.pem") if known else None
            credentials = grpc.ssl_server_credentials(pair, roots, known)
            ports[name] = server.add_secure_port("localhost:0", credentials)
        own_certificate(folder)
        credentials = grpc.ssl_server_credentials([(read("own.key"), read("own.pem"))])
        ports["own"] = server.add_secure_port("localhost:0", credentials)
    server.add_insecure_port(f"unix:{folder / 'users.sock'}")
    server.start()
    return server, guard, ports


def load(*flags, target="plain", method="GetUser", learn=False):
    """Runs the program; its exit code, its report if there is one, and what it complained of."""
    address = f"127.0.0.1:{PORTS[target]}" if target in PORTS else target
    report = FOLDER / "report.json"
    report.unlink(missing_ok=True)
    line = [PROGRAM, "run", "--target", address, "--method", f"user.UserService/{method}"]
    usual = {"--duration": "300ms", "--warmup": "100ms", "--connections": "2", "--streams": "2"}
    line += [word for pair in usual.items() if pair[0] not in flags for word in pair]
    line += ["--engine", ENGINE, "--strict", "--json", str(report), *flags]
    line += [] if learn else ["--proto", SCHEMA]
    done = subprocess.run(line, capture_output=True, text=True, timeout=RUN_SECONDS_MAX)
    found = json.loads(report.read_text()) if report.exists() else None
    return done.returncode, found, done.stderr


def good(*flags, calls=5, **how):
    code, report, said = load(*flags, **how)
    assert code == 0, said
    assert report["failed"] == {} and report["ok"] >= calls, report
    return report


@case
def load_unary():
    good("--data", '{"id": {{rand 1 100}}}')


@case
def load_open_loop():
    report = good("--data", '{"id": 7}', "--rate", "100", "--schedule", "poisson")
    assert report["loop"] == "open", report


@case
def load_server_streaming():
    report = good("--data", '{"page": 2, "page_size": 20}', method="ListUsers")
    assert report["messages"]["received"] >= 20 * (report["ok"] - 4), report


@case
def load_client_streaming():
    report = good("--data", f"[{USER}, {USER}]", "--messages", "30", method="ImportUsers")
    assert report["messages"]["sent"] >= 30 * (report["ok"] - 4), report


@case
def load_bidi_ping_pong():
    report = good("--data", '{"id": {{rand 1 100}}}', "--messages", "5", method="Lookup")
    assert report["messages"]["each_us"]["p50"] > 10, report


@case
def load_bidi_free():
    good("--data", '{"id": 3}', "--messages", "40", "--turns", "free", method="Lookup")


@case
def load_learns_by_reflection():
    good("--data", '{"id": 7}', learn=True)
    good("--data", '{"page_size": 5}', method="ListUsers", learn=True)
    code, _, said = load(method="Nope", learn=True)
    assert code == 1 and "user.UserService/GetUser" in said, said


@case
def load_counts_failures_by_name():
    code, report, said = load("--data", '{"id": 123456}')
    assert code == 0 and report["ok"] == 0, said
    assert list(report["failed"]) == ["NOT_FOUND"], report


@case
def load_sends_metadata_token_and_deadline():
    good("--data", '{"id": 7}', "--metadata", "x-who:load", "--metadata", "k-bin:aGk=",
         "--token", "secret", "--deadline", "5s")
    seen = GUARD.seen
    assert seen["x-who"] == "load" and seen["k-bin"] == b"hi", seen
    assert seen["authorization"] == "Bearer secret", seen


@case
def load_compresses():
    data = json.dumps({"id": 9, "name": "a" * 2000})
    for encoding in ["gzip", "deflate"]:
        good("--data", data, "--messages", "3", "--compress", encoding, method="ImportUsers")


@case
def load_over_a_unix_socket():
    good("--data", '{"id": 7}', target=f"unix:{FOLDER / 'users.sock'}")


def secure():
    if "tls" in PORTS:
        return ["--tls", "--cacert", str(FOLDER / "ca.pem"), "--authority", "localhost"]
    print("SKIPPED load over TLS: there is no openssl to make certificates with", flush=True)
    return None


@case
def load_over_tls():
    flags = secure()
    if flags is None:
        return
    good("--data", '{"id": 7}', *flags, target="tls")
    good("--data", '{"id": 7}', *flags, target="tls", learn=True)
    code, _, said = load("--tls", "--servername", "localhost", target="tls")
    assert code == 1 and "TLS: " in said and said.count("\n") == 1, said


@case
def load_over_mutual_tls():
    flags = secure()
    if flags is None:
        return
    identity = ["--cert", str(FOLDER / "client.pem"), "--key", str(FOLDER / "client.key")]
    good("--data", '{"id": 7}', *flags, *identity, target="mutual")
    code, _, said = load(*flags, target="mutual")
    assert code == 1 and said.count("\n") == 1, said


@case
def load_trusts_a_certificate_that_is_named_itself():
    if secure() is None:
        return
    named = ["--cacert", str(FOLDER / "own.pem"), "--authority", "localhost"]
    good("--data", '{"id": 7}', "--tls", *named, target="own")
    other = ["--cacert", str(FOLDER / "server.pem"), "--authority", "localhost"]
    code, _, said = load("--tls", *other, target="own")
    assert code == 1 and "invalid peer certificate" in said, said


@case
def load_learns_and_calls_with_a_token():
    GUARD.token = "s3same"
    try:
        good("--data", '{"id": 7}', "--token", "s3same", learn=True)
        good("--data", '{"id": 7}', "-H", "authorization: Bearer s3same", learn=True)
        code, _, said = load("--data", '{"id": 7}', learn=True)
        assert code == 1 and "UNAUTHENTICATED" in said, said
        _, report, said = load("--data", '{"id": 7}', "--token=wr0ng")
        [row] = report["failures"]
        assert (row["status"], row["text"]) == ("UNAUTHENTICATED", "who is …?"), row
        assert row["calls"] == report["failed"]["UNAUTHENTICATED"], report
        text = (FOLDER / "report.json").read_text() + said
        assert "wr0ng" not in text and "s3same" not in text, text
    finally:
        GUARD.token = None


@case
def load_makes_a_number_of_different_calls():
    GUARD.ids.clear()
    flags = ["-n", "300", "--warmup", "0", "--duration", "20s", "-H", "x-id: n{{seq}}-{{uuid}}"]
    report = good("--data", '{"id": {{seq 1}}}', *flags)
    assert report["ok"] == 300 and report["latency_us"]["mean"] > 0, report
    assert len(GUARD.ids - {None}) == 300, len(GUARD.ids)


@case
def load_understands_targets_of_grpc():
    port = PORTS["plain"]
    for target in [f"dns:///localhost:{port}", f"ipv4:127.0.0.1:1,127.0.0.1:{port}"]:
        good("--data", '{"id": 7}', target=target)
    code, _, said = load(target="xds:///users")
    assert code == 1 and 'the scheme "xds"' in said, said


@case
def load_pays_no_pause_for_the_age_of_connections():
    pool = futures.ThreadPoolExecutor(max_workers=8)
    age = [("grpc.max_connection_age_ms", 300), ("grpc.max_connection_age_grace_ms", 200)]
    server = grpc.server(pool, options=age)
    user_pb2_grpc.add_UserServiceServicer_to_server(Users(), server)
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    flags = ["--rate", "200", "--duration", "2s", "--connections", "1", "--streams", "8"]
    report = good("--data", '{"id": 7}', *flags, target=target)
    server.stop(0)
    # With a pause of 100 ms at each end, a third of the calls would wait for longer than this.
    assert report["reconnects"] >= 3 and report["latency_us"]["p90"] < 40_000, report
    assert report["unconnected_s"] < 0.1, report


@case
def load_calls_our_own_server():
    good("--data", '{"page_size": 5}', target=OURS, method="ListUsers", learn=True)
    code, report, said = load("--data", '{"id": 0}', target=OURS, learn=True)
    assert code == 0 and report["failures"][0]["status"] == "INVALID_ARGUMENT", said
    assert "id" in report["failures"][0]["text"], report["failures"]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        FOLDER = Path(folder)
        SERVER, GUARD, PORTS = start(FOLDER)
        run()
