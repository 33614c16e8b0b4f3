"""What a call carries beside its messages, against the echo service of the examples.

Usage: echo_client.py ADDRESS ENCODING, the server's `--compress`. Needs no stubs: messages are
google.protobuf.StringValue.
"""

import gzip
import struct
import sys
import threading
import zlib

import grpc
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc import error_details_pb2
from grpc import StatusCode
from grpc_status import rpc_status

from cases import case, refused, run
from wire import framed, raw_call

ADDRESS, ENCODING = sys.argv[1:3]
SECONDS = 20
LONG = "a text that repeats itself, " * 400
PAIRS = (
    ("x-one", "1"),
    ("x-two", "first"),
    ("x-two", "second"),
    ("x-raw-bin", bytes(range(256))),
    ("x-raw-bin", b""),
)
COMPRESSIONS = (None, grpc.Compression.Gzip, grpc.Compression.Deflate)
CHANNEL = grpc.insecure_channel(ADDRESS)


def method(kind, name, channel=CHANNEL):
    """A callable for one method, of strings instead of messages."""
    return getattr(channel, kind)(
        f"/demo.Echo/{name}",
        request_serializer=lambda text: StringValue(value=text).SerializeToString(),
        response_deserializer=lambda data: StringValue.FromString(data).value,
    )


SAY = method("unary_unary", "Say")
REPEAT = method("unary_stream", "Repeat")
JOIN = method("stream_unary", "Join")
CHAT = method("stream_stream", "Chat")


@case
def compressed_requests_and_replies_of_all_kinds():
    for compression in COMPRESSIONS:
        options = {"timeout": SECONDS, "compression": compression}
        assert SAY(LONG, **options) == LONG
        assert list(REPEAT("one two", **options)) == ["one two"] * 2
        assert JOIN(iter([LONG] * 3), **options) == LONG * 3
        texts = [LONG, "short", "", LONG]
        assert list(CHAT(iter(texts), **options)) == texts


@case
def compression_as_the_channel_says():
    for compression in COMPRESSIONS[1:]:
        with grpc.insecure_channel(ADDRESS, compression=compression) as channel:
            for _ in range(5):
                assert method("unary_unary", "Say", channel)(LONG, timeout=SECONDS) == LONG


def pairs(metadata):
    return [(key, value) for key, value in metadata if key.startswith("x-")]


@case
def metadata_of_all_kinds():
    options = {"timeout": SECONDS, "metadata": PAIRS}
    for answer, call in (SAY.with_call("hi", **options), JOIN.with_call(iter(["hi"]), **options)):
        assert answer == "hi"
        assert pairs(call.initial_metadata()) == list(PAIRS), call.initial_metadata()
        assert pairs(call.trailing_metadata()) == list(PAIRS), call.trailing_metadata()
    for call in (REPEAT("hi", **options), CHAT(iter(["hi"]), **options)):
        assert list(call) == ["hi"]
        assert pairs(call.initial_metadata()) == list(PAIRS), call.initial_metadata()
        assert pairs(call.trailing_metadata()) == list(PAIRS), call.trailing_metadata()


@case
def initial_metadata_ahead_of_the_first_message():
    spoken = threading.Event()

    def say():
        assert spoken.wait(SECONDS)
        yield "hi"

    call = CHAT(say(), timeout=SECONDS, metadata=PAIRS)
    assert pairs(call.initial_metadata()) == list(PAIRS)
    assert not spoken.is_set()
    spoken.set()
    assert list(call) == ["hi"]


def fail(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("did not fail")


@case
def details_of_a_status():
    for call in (
        lambda: SAY("fail", timeout=SECONDS),
        lambda: list(REPEAT("fail", timeout=SECONDS)),
        lambda: JOIN(iter(["fail"]), timeout=SECONDS),
        lambda: list(CHAT(iter(["fail"]), timeout=SECONDS)),
    ):
        status = rpc_status.from_call(fail(call))
        assert status.code == StatusCode.FAILED_PRECONDITION.value[0]
        assert status.message == "asked to fail"
        types = (
            error_details_pb2.ErrorInfo,
            error_details_pb2.PreconditionFailure,
            error_details_pb2.BadRequest,
            error_details_pb2.LocalizedMessage,
        )
        found = [kind() for kind in types]
        assert len(status.details) == len(found)
        for detail, message in zip(status.details, found):
            assert detail.Unpack(message), detail.type_url
        info, precondition, bad, localized = found
        assert (info.reason, info.domain) == ("ASKED_TO", "demo.Echo")
        assert precondition.violations[0].type == "TEXT"
        assert bad.field_violations[0].field == "value"
        assert localized.locale == "de"


@case
def a_panic_ends_its_own_call():
    refused(StatusCode.UNKNOWN, lambda: SAY("crash", timeout=SECONDS))
    refused(StatusCode.UNKNOWN, lambda: list(REPEAT("crash", timeout=SECONDS)))
    refused(StatusCode.UNKNOWN, lambda: JOIN(iter(["crash"]), timeout=SECONDS))
    refused(StatusCode.UNKNOWN, lambda: list(CHAT(iter(["hi", "crash"]), timeout=SECONDS)))
    assert SAY("still here", timeout=SECONDS) == "still here"


@case
def an_interceptor_refuses():
    right, wrong = ((("authorization", f"Bearer {key}"),) for key in ("sesame", "guess"))
    assert SAY("hi", timeout=SECONDS, metadata=right) == "hi"
    for call in (
        lambda: SAY("hi", timeout=SECONDS, metadata=wrong),
        lambda: list(CHAT(iter(["hi"]), timeout=SECONDS, metadata=wrong)),
    ):
        refused(StatusCode.UNAUTHENTICATED, call, "key")


def say(accepted, body, sent=None):
    """The body of the answer to one call of Say, as it is on the wire."""
    return raw_call(ADDRESS, "/demo.Echo/Say", body, accepted, sent)


@case
def bytes_on_the_wire_are_those_of_other_compressors():
    plain = StringValue(value=LONG).SerializeToString()
    for name, pack, unpack in (
        (b"gzip", gzip.compress, gzip.decompress),
        (b"deflate", zlib.compress, zlib.decompress),
    ):
        answer = say(name, framed(pack(plain), 1), name)
        flag, length = struct.unpack(">BI", answer[:5])
        assert len(answer) == 5 + length
        assert flag == (name.decode() == ENCODING), (name, flag)
        assert (unpack(answer[5:]) if flag else answer[5:]) == plain
    answer = say(b"identity", framed(plain, 0))
    assert answer == framed(plain, 0)


@case
def a_bomb_is_refused():
    bomb = gzip.compress(bytes(32 << 20))
    assert len(bomb) < 64 << 10
    assert say(b"identity", framed(bomb, 1), b"gzip") == b""
    assert SAY("still here", timeout=SECONDS) == "still here"


if __name__ == "__main__":
    run()
