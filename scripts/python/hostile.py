"""Peers that break off, babble or die; after each, a good call must succeed.

Usage: hostile.py ADDRESS, with the stubs of proto/user.proto on the path.
`hostile.py ADDRESS die` is the client that gets killed in the middle of its calls.
"""

import asyncio
import random
import socket
import struct
import subprocess
import sys
import time

import grpc
import user_pb2
import user_pb2_grpc

from cases import case, run

ADDRESS = sys.argv[1]
HOST, PORT = ADDRESS.rsplit(":", 1)
SECONDS = 20
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
OWN_CHANNEL = [("grpc.use_local_subchannel_pool", 1)]

DATA, HEADERS, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 4, 6, 7, 9
END_STREAM, END_HEADERS = 1, 4


def frame(kind, flags, stream, payload, length=None):
    length = len(payload) if length is None else length
    return struct.pack(">I", length)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name, value):
    """A header field that no table knows, without Huffman."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def request_head():
    fields = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/user.UserService/GetUser"),
        (b":authority", b"x"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
    )
    return b"".join(literal(name, value) for name, value in fields)


HELLO = PREFACE + frame(SETTINGS, 0, 0, b"")
CALL = frame(HEADERS, END_HEADERS, 1, request_head())
MESSAGE = frame(DATA, END_STREAM, 1, b"\0\0\0\0\2\x08\x01")


def dial():
    peer = socket.create_connection((HOST, int(PORT)), timeout=SECONDS)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def read_to_end(peer):
    """Everything until the server closes; a server that does not is a failure."""
    received = b""
    while True:
        try:
            piece = peer.recv(65536)
        except ConnectionResetError:
            return received
        if not piece:
            return received
        received += piece


def kinds(received):
    """The kinds of the frames in what a server sent."""
    found, at = [], 0
    while at + 9 <= len(received):
        found.append(received[at + 3])
        at += 9 + int.from_bytes(received[at : at + 3], "big")
    return found


def good_call():
    with grpc.insecure_channel(ADDRESS, OWN_CHANNEL) as channel:
        stub = user_pb2_grpc.UserServiceStub(channel)
        assert stub.GetUser(user_pb2.UserRequest(id=1), timeout=SECONDS).id == 1


def hostile(function):
    """A case that ends with a good call."""

    def with_good_call():
        function()
        good_call()

    with_good_call.__name__ = function.__name__
    return case(with_good_call)


@hostile
def silence_then_close():
    dial().close()


@hostile
def other_protocol():
    peer = dial()
    peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = read_to_end(peer)
    assert answer.startswith(b"HTTP/1.1 404 "), answer


@hostile
def noise():
    peer = dial()
    peer.sendall(random.Random(1).randbytes(4096))
    read_to_end(peer)


@hostile
def noise_after_the_preface():
    for seed in range(20):
        peer = dial()
        try:
            peer.sendall(HELLO + random.Random(seed).randbytes(4096))
        except OSError:
            pass
        peer.close()


@hostile
def preface_only():
    peer = dial()
    peer.sendall(PREFACE)
    good_call()
    peer.close()


@hostile
def half_a_preface():
    peer = dial()
    peer.sendall(PREFACE[:10])
    good_call()
    peer.close()


@hostile
def half_a_frame():
    for cut in range(1, len(CALL + MESSAGE), 7):
        peer = dial()
        peer.sendall(HELLO + (CALL + MESSAGE)[:cut])
        peer.close()


@hostile
def byte_by_byte():
    peer = dial()
    for byte in HELLO + CALL + MESSAGE:
        peer.sendall(bytes([byte]))
    received = b""
    while kinds(received).count(HEADERS) < 2:
        piece = peer.recv(65536)
        assert piece, f"closed after frames {kinds(received)}"
        received += piece
    assert DATA in kinds(received)
    peer.close()


@hostile
def frame_over_the_limit():
    peer = dial()
    peer.sendall(HELLO + frame(DATA, 0, 1, b"", length=(1 << 24) - 1))
    assert GOAWAY in kinds(read_to_end(peer))


@hostile
def headers_without_an_end():
    peer = dial()
    try:
        peer.sendall(HELLO + frame(HEADERS, 0, 1, request_head()))
        for _ in range(10_000):
            peer.sendall(frame(CONTINUATION, 0, 1, literal(b"x", b"y" * 100) * 10))
    except OSError:
        pass
    read_to_end(peer)


@hostile
def window_of_zero():
    peer = dial()
    peer.sendall(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)) + CALL + MESSAGE)
    good_call()
    peer.close()


@hostile
def reset_in_the_middle():
    for _ in range(50):
        peer = dial()
        peer.sendall(HELLO + CALL)
        linger = struct.pack("ii", 1, 0)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        peer.close()


@hostile
def client_that_dies():
    for _ in range(3):
        arguments = [sys.executable, __file__, ADDRESS, "die"]
        client = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        assert client.stdout.readline() == "calling\n"
        client.kill()
        client.wait()


def die():
    """Holds two streams open and waits for its end."""
    stub = user_pb2_grpc.UserServiceStub(grpc.insecure_channel(ADDRESS))
    users = stub.ListUsers(user_pb2.ListUsersRequest(page=1, page_size=1000))

    def forever():
        while True:
            yield user_pb2.UserRequest(id=1)

    answers = stub.Lookup(forever())
    next(users)
    next(answers)
    print("calling", flush=True)
    time.sleep(SECONDS)


@hostile
def connections_256_at_once():
    asyncio.run(connect_at_once(256))


async def connect_at_once(count):
    channels = [grpc.aio.insecure_channel(ADDRESS, OWN_CHANNEL) for _ in range(count)]

    async def call(number, channel):
        stub = user_pb2_grpc.UserServiceStub(channel)
        request = user_pb2.UserRequest(id=1 + number)
        for _ in range(3):
            answer = await stub.GetUser(request, timeout=SECONDS)
            assert answer.id == 1 + number

    await asyncio.gather(*(call(*pair) for pair in enumerate(channels)))
    await asyncio.gather(*(channel.close() for channel in channels))


@hostile
def raw_connections_256_at_once():
    peers = [dial() for _ in range(256)]
    for peer in peers:
        peer.sendall(HELLO + CALL + MESSAGE)
    for peer in peers:
        received = b""
        while kinds(received).count(HEADERS) < 2:
            piece = peer.recv(65536)
            assert piece, f"closed after frames {kinds(received)}"
            received += piece
    for peer in peers:
        peer.close()


if __name__ == "__main__":
    if sys.argv[2:] == ["die"]:
        die()
    else:
        run()
