"""Messages of all sizes through grpc.testing.BenchmarkService.

Usage: bench_client.py ADDRESS. The few bytes of protobuf are written by hand here, because a
stub of package `grpc.testing` would shadow the module `grpc`.
"""

import sys

import grpc
from grpc import StatusCode

from cases import case, run

ADDRESS = sys.argv[1]
SECONDS = 30
# Python's own limit on what it receives is 4 MiB.
CHANNEL = grpc.insecure_channel(ADDRESS, [("grpc.max_receive_message_length", -1)])
METHOD = "/grpc.testing.BenchmarkService/"


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, body):
    return varint(number << 3 | 2) + varint(len(body)) + body


def request(response_size, body=b""):
    """SimpleRequest: response_size is field 2, payload is field 3, its body is field 2."""
    return varint(2 << 3) + varint(response_size) + field(3, field(2, body))


def payload_size(response):
    """The length of the body in a SimpleResponse, whose payload is field 1."""
    return len(fields(fields(response).get(1, b"")).get(2, b""))


def fields(message):
    found, at = {}, 0
    while at < len(message):
        tag, at = read_varint(message, at)
        value, at = read_varint(message, at)
        if tag & 7 == 2:
            found[tag >> 3] = message[at : at + value]
            at += value
    return found


def read_varint(message, at):
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def check(sent, received):
    call = CHANNEL.unary_unary(METHOD + "UnaryCall")
    response = call(request(received, b"x" * sent), timeout=SECONDS)
    assert payload_size(response) == received


@case
def benchmark_sizes():
    for size in (0, 1, 100, 16_379, 16_384, 65_535, 65_536):
        check(size, size)


@case
def benchmark_mebibyte_each_way():
    check(1 << 20, 1 << 20)


@case
def benchmark_mebibytes_at_once():
    call = CHANNEL.unary_unary(METHOD + "UnaryCall")
    message = request(1 << 20, b"x" * (1 << 20))
    calls = [call.future(message, timeout=SECONDS) for _ in range(20)]
    assert {payload_size(call.result()) for call in calls} == {1 << 20}


@case
def benchmark_message_over_the_limit():
    call = CHANNEL.unary_unary(METHOD + "UnaryCall")
    try:
        call(request(1, b"x" * (5 << 20)), timeout=SECONDS)
    except grpc.RpcError as error:
        assert error.code() == StatusCode.RESOURCE_EXHAUSTED, error
    else:
        raise AssertionError("a message of 5 MiB was taken, the default limit is 4 MiB")
    check(1, 1)


if __name__ == "__main__":
    run()
