"""TLS and mutual TLS as Python's grpcio and OpenSSL see them, and certificates replaced meanwhile.

Usage: secure.py OPTIONAL REQUIRED PID FOLDER, with the stubs of proto/whoami.proto on the path.
OPTIONAL and REQUIRED are addresses of servers that ask for a client certificate and insist on one
or not; PID is the process of the first, which reads its certificate from FOLDER.
"""

import os
import shutil
import signal
import socket
import ssl
import sys
import threading
from pathlib import Path

import grpc
import whoami_pb2
import whoami_pb2_grpc
from grpc import StatusCode

from cases import case, refused, run, within

OPTIONAL, REQUIRED = sys.argv[1:3]
PID = int(sys.argv[3])
FOLDER = Path(sys.argv[4])
SECONDS = 20
REPLACEMENTS = 20


def read(name):
    return FOLDER.joinpath(name).read_bytes()


def channel(address, authority="authority", client=None):
    pair = (read(f"{client}.key"), read(f"{client}.pem")) if client else (None, None)
    credentials = grpc.ssl_channel_credentials(read(f"{authority}.pem"), *pair)
    # Otherwise channels with equal settings would share one connection.
    return grpc.secure_channel(address, credentials, [("grpc.use_local_subchannel_pool", 1)])


def ask(through):
    stub = whoami_pb2_grpc.MirrorStub(through)
    return stub.WhoAmI(whoami_pb2.Question(), timeout=SECONDS)


def asking(address, **settings):
    def call():
        with channel(address, **settings) as through:
            return ask(through)

    return call


def context(*protocols):
    found = ssl.create_default_context(cafile=FOLDER / "authority.pem")
    if protocols:
        found.set_alpn_protocols(list(protocols))
    return found


def dial(settings, address=OPTIONAL, **more):
    host, port = address.rsplit(":", 1)
    plain = socket.create_connection((host, int(port)), timeout=SECONDS)
    return settings.wrap_socket(plain, server_hostname="localhost", **more)


@case
def a_caller_without_certificate_is_served_where_that_is_allowed():
    caller = asking(OPTIONAL)()
    assert caller.tls.version == "TLSv1_3" and not caller.tls.names, caller
    assert caller.address.startswith("127.0.0.1:") and not caller.HasField("process"), caller


@case
def a_certificate_is_seen_by_the_handler():
    for address in OPTIONAL, REQUIRED:
        caller = asking(address, client="client")()
        assert list(caller.tls.names) == ["client.test"], caller


@case
def the_wrong_authority_is_refused_by_the_client():
    refused(StatusCode.UNAVAILABLE, asking(OPTIONAL, authority="stranger"))


@case
def the_wrong_certificate_is_refused_by_the_server():
    refused(StatusCode.UNAVAILABLE, asking(REQUIRED))
    refused(StatusCode.UNAVAILABLE, asking(REQUIRED, client="impostor"))
    refused(StatusCode.UNAVAILABLE, asking(OPTIONAL, client="impostor"))


@case
def plaintext_is_refused():
    with grpc.insecure_channel(OPTIONAL) as through:
        refused(StatusCode.UNAVAILABLE, lambda: ask(through))


@case
def another_protocol_is_refused_with_the_alert_for_it():
    try:
        dial(context("http/1.1")).close()
    except ssl.SSLError as error:
        # OpenSSL's versions spell it differently.
        assert "no application protocol" in str(error).lower().replace("_", " "), error
        return
    raise AssertionError("http/1.1 was let in")


@case
def who_chooses_no_protocol_gets_no_connection():
    with dial(context()) as stream:
        assert stream.recv(1) == b"", "HTTP/2 without ALPN"


@case
def both_versions_are_spoken_and_older_ones_are_not():
    for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
        settings = context("h2")
        settings.minimum_version = settings.maximum_version = version
        with dial(settings) as stream:
            assert stream.selected_alpn_protocol() == "h2"
            assert stream.recv(9)[3] == 4, "the server's SETTINGS"


@case
def a_session_is_resumed():
    settings = context("h2")
    with dial(settings) as stream:
        assert not stream.session_reused
        # TLS 1.3 sends tickets with the first bytes after the handshake.
        stream.recv(9)
        session = stream.session
    with dial(settings, session=session) as stream:
        assert stream.session_reused


class Load:
    """Calls without end, some on one connection and some on a new one each."""

    def __init__(self):
        self.stop = threading.Event()
        self.done = 0
        self.failures = []
        loops = [threading.Thread(target=self.loop, args=(new,)) for new in (False, True)]
        self.threads = loops
        for thread in loops:
            thread.start()

    def loop(self, new):
        through = channel(OPTIONAL)
        while not self.stop.is_set():
            try:
                ask(through)
                self.done += 1
            except grpc.RpcError as error:
                self.failures.append(f"{error.code()} {error.details()}")
            if new:
                through.close()
                through = channel(OPTIONAL)
        through.close()

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def shown():
    """The certificate that the server shows now."""
    with dial(context("h2")) as stream:
        return stream.getpeercert(binary_form=True)


@case
def no_call_fails_while_certificates_are_replaced():
    load = Load()
    try:
        for number in range(REPLACEMENTS):
            before, calls = shown(), load.done
            for name in "key", "pem":
                shutil.copy(FOLDER / f"next{number}.{name}", FOLDER / "fresh")
                os.replace(FOLDER / "fresh", FOLDER / f"server.{name}")
            os.kill(PID, signal.SIGHUP)
            within(SECONDS, lambda: shown() != before)
            within(SECONDS, lambda: load.done > calls + 5)
    finally:
        load.end()
    assert not load.failures, load.failures


@case
def a_broken_certificate_is_not_used():
    before = shown()
    FOLDER.joinpath("server.pem").write_text("broken")
    os.kill(PID, signal.SIGHUP)
    for _ in range(20):
        assert shown() == before
        asking(OPTIONAL)()


run()
