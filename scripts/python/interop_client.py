"""gRPC's interoperability cases, played by Python's grpcio.

Usage: interop_client.py ADDRESS DESCRIPTORS PREFIX [AUTHORITY]. DESCRIPTORS is a descriptor set of
the test service and of load reports: stubs would land in a package `grpc`, which is taken. PREFIX
is put before the names of the cases. With AUTHORITY, a PEM file, calls go over TLS.

What grpcio does not show, whether a message was compressed, is looked at on the wire.
"""

import gzip
import sys
import time
from pathlib import Path
from queue import SimpleQueue

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc import StatusCode

import wire
from cases import case, refused, run, skip

ADDRESS, DESCRIPTORS, PREFIX = sys.argv[1:4]
AUTHORITY = sys.argv[4] if len(sys.argv) > 4 else None
SECONDS = 30
SOAK_CALLS = 20
LARGE_REQUEST, LARGE_RESPONSE = 271_828, 314_159
REQUESTS = 27_182, 8, 1_828, 45_904
RESPONSES = 31_415, 9, 2_653, 58_979
INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"
MARKS = (INITIAL, "test_initial_metadata_value"), (TRAILING, b"\xab\xab\xab")
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
# The certificate has the names of gRPC's own test certificates.
OPTIONS = [("grpc.ssl_target_name_override", "foo.test.google.fr")]


def schema():
    pool = descriptor_pool.DescriptorPool()
    files = descriptor_pb2.FileDescriptorSet.FromString(Path(DESCRIPTORS).read_bytes())
    for file in files.file:
        pool.Add(file)
    return pool


SCHEMA = schema()


def message(name):
    return message_factory.GetMessageClass(SCHEMA.FindMessageTypeByName(name))


def testing(name):
    return message(f"grpc.testing.{name}")


Empty, Bool, Payload = testing("Empty"), testing("BoolValue"), testing("Payload")
Simple, SimpleResponse = testing("SimpleRequest"), testing("SimpleResponse")
Counted, Sum = testing("StreamingInputCallRequest"), testing("StreamingInputCallResponse")
Asking, Answer = testing("StreamingOutputCallRequest"), testing("StreamingOutputCallResponse")
Parameters, Status = testing("ResponseParameters"), testing("EchoStatus")
Load = testing("TestOrcaReport")
Report = message("xds.data.orca.v3.OrcaLoadReport")
ReportRequest = message("xds.service.orca.v3.OrcaLoadReportRequest")


def dial():
    if AUTHORITY is None:
        return grpc.insecure_channel(ADDRESS, [("grpc.use_local_subchannel_pool", 1)])
    credentials = grpc.ssl_channel_credentials(Path(AUTHORITY).read_bytes())
    options = [*OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
    return grpc.secure_channel(ADDRESS, credentials, options)


class Calls:
    """The methods, through one channel."""

    def __init__(self, channel):
        def method(kind, path, answer):
            send = lambda request: request.SerializeToString()
            return getattr(channel, kind)(path, send, answer.FromString)

        service = "/grpc.testing.TestService/"
        self.empty = method("unary_unary", f"{service}EmptyCall", Empty)
        self.unary = method("unary_unary", f"{service}UnaryCall", SimpleResponse)
        self.output = method("unary_stream", f"{service}StreamingOutputCall", Answer)
        self.input = method("stream_unary", f"{service}StreamingInputCall", Sum)
        self.duplex = method("stream_stream", f"{service}FullDuplexCall", Answer)
        self.nothing = method("unary_unary", f"{service}UnimplementedCall", Empty)
        nowhere = "/grpc.testing.UnimplementedService/UnimplementedCall"
        self.nowhere = method("unary_unary", nowhere, Empty)
        reports = "/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics"
        self.reports = method("unary_stream", reports, Report)


CHANNEL = dial()
CALLS = Calls(CHANNEL)


def zeros(size):
    return Payload(body=bytes(size))


def large(**more):
    return Simple(response_size=LARGE_RESPONSE, payload=zeros(LARGE_REQUEST), **more)


def ask(size, payload=0, **more):
    return Asking(response_parameters=[Parameters(size=size)], payload=zeros(payload), **more)


def holds(payload, size):
    assert payload.body == bytes(size), f"{len(payload.body)} bytes, not {size} zeros"


class Requests:
    """Requests that are sent when they are pushed, and no sooner."""

    def __init__(self):
        self.queue = SimpleQueue()
        self.push, self.end = self.queue.put, lambda: self.queue.put(None)

    def __iter__(self):
        return iter(self.queue.get, None)


@case
def empty_unary():
    assert CALLS.empty(Empty(), timeout=SECONDS) == Empty()


@case
def large_unary(calls=CALLS):
    holds(calls.unary(large(), timeout=SECONDS).payload, LARGE_RESPONSE)


@case
def client_streaming():
    requests = (Counted(payload=zeros(size)) for size in REQUESTS)
    assert CALLS.input(requests, timeout=SECONDS).aggregated_payload_size == 74_922


@case
def server_streaming():
    request = Asking(response_parameters=[Parameters(size=size) for size in RESPONSES])
    answers = list(CALLS.output(request, timeout=SECONDS))
    assert len(answers) == len(RESPONSES)
    for answer, size in zip(answers, RESPONSES):
        holds(answer.payload, size)


@case
def ping_pong():
    requests = Requests()
    answers = CALLS.duplex(iter(requests), timeout=SECONDS)
    for sent, wanted in zip(REQUESTS, RESPONSES):
        requests.push(ask(wanted, sent))
        holds(next(answers).payload, wanted)
    requests.end()
    assert list(answers) == []


@case
def empty_stream():
    assert list(CALLS.duplex(iter(()), timeout=SECONDS)) == []


def marked(call):
    ahead, behind = call.initial_metadata(), call.trailing_metadata()
    assert [pair for pair in ahead if pair[0] == INITIAL] == [MARKS[0]], ahead
    assert [pair for pair in behind if pair[0] == TRAILING] == [MARKS[1]], behind


@case
def custom_metadata():
    answer, call = CALLS.unary.with_call(large(), timeout=SECONDS, metadata=MARKS)
    holds(answer.payload, LARGE_RESPONSE)
    marked(call)
    request = ask(LARGE_RESPONSE, LARGE_REQUEST)
    call = CALLS.duplex(iter([request]), timeout=SECONDS, metadata=MARKS)
    (answer,) = call
    holds(answer.payload, LARGE_RESPONSE)
    marked(call)


def fails_as_asked(text, call):
    try:
        call()
    except grpc.RpcError as error:
        assert (error.code(), error.details()) == (StatusCode.UNKNOWN, text), error
        return
    raise AssertionError("did not fail")


@case
def status_code_and_message():
    text = "test status message"
    status = Status(code=2, message=text)
    fails_as_asked(text, lambda: CALLS.unary(Simple(response_status=status), timeout=SECONDS))
    asking = Asking(response_status=status)
    fails_as_asked(text, lambda: list(CALLS.duplex(iter([asking]), timeout=SECONDS)))


@case
def special_status_message():
    request = Simple(response_status=Status(code=2, message=SPECIAL))
    fails_as_asked(SPECIAL, lambda: CALLS.unary(request, timeout=SECONDS))


@case
def unimplemented_method():
    refused(StatusCode.UNIMPLEMENTED, lambda: CALLS.nothing(Empty(), timeout=SECONDS))


@case
def unimplemented_service():
    refused(StatusCode.UNIMPLEMENTED, lambda: CALLS.nowhere(Empty(), timeout=SECONDS))


@case
def cancel_after_begin():
    call = CALLS.input.future(iter(Requests()), timeout=SECONDS)
    call.cancel()
    assert call.cancelled() and call.code() == StatusCode.CANCELLED


@case
def cancel_after_first_response():
    requests = Requests()
    answers = CALLS.duplex(iter(requests), timeout=SECONDS)
    requests.push(ask(RESPONSES[0], REQUESTS[0]))
    holds(next(answers).payload, RESPONSES[0])
    answers.cancel()
    refused(StatusCode.CANCELLED, lambda: next(answers))


@case
def timeout_on_sleeping_server():
    requests = Requests()
    answers = CALLS.duplex(iter(requests), timeout=0.001)
    requests.push(Asking(payload=zeros(REQUESTS[0])))
    refused(StatusCode.DEADLINE_EXCEEDED, lambda: next(answers))


@case
def client_compressed_unary():
    probe = large(expect_compressed=Bool(value=True))
    refused(StatusCode.INVALID_ARGUMENT, lambda: CALLS.unary(probe, timeout=SECONDS))
    for compression in grpc.Compression.Gzip, grpc.Compression.Deflate:
        answer = CALLS.unary(probe, timeout=SECONDS, compression=compression)
        holds(answer.payload, LARGE_RESPONSE)
    plain = large(expect_compressed=Bool(value=False))
    holds(CALLS.unary(plain, timeout=SECONDS).payload, LARGE_RESPONSE)


def on_the_wire(method, body, sent=None):
    """The messages of the answer to one call by hand, each with its flag."""
    path = f"/grpc.testing.TestService/{method}"
    return wire.messages(wire.raw_call(ADDRESS, path, body, b"gzip", sent, AUTHORITY))


def sizes(found, kind):
    opened = ((flag, gzip.decompress(data) if flag else data) for flag, data in found)
    return [(flag, len(kind.FromString(data).payload.body)) for flag, data in opened]


@case
def server_compressed_unary():
    for compressed in True, False:
        request = large(response_compressed=Bool(value=compressed))
        holds(CALLS.unary(request, timeout=SECONDS).payload, LARGE_RESPONSE)
        request.ClearField("payload")
        found = on_the_wire("UnaryCall", wire.framed(request.SerializeToString(), 0))
        assert sizes(found, SimpleResponse) == [(compressed, LARGE_RESPONSE)]


@case
def client_compressed_streaming():
    packed = Counted(payload=zeros(27_182), expect_compressed=Bool(value=True))
    probe = lambda: CALLS.input(iter([packed]), timeout=SECONDS)
    refused(StatusCode.INVALID_ARGUMENT, probe)
    plain = Counted(payload=zeros(45_904), expect_compressed=Bool(value=False))
    # By hand: grpcio compresses all messages of a call or none.
    body = wire.framed(gzip.compress(packed.SerializeToString()), 1)
    body += wire.framed(plain.SerializeToString(), 0)
    ((flag, answer),) = on_the_wire("StreamingInputCall", body, b"gzip")
    assert not flag and Sum.FromString(answer).aggregated_payload_size == 73_086


@case
def server_compressed_streaming():
    wanted = (True, 31_415), (False, 92_653)
    parameters = [Parameters(size=size, compressed=Bool(value=flag)) for flag, size in wanted]
    request = Asking(response_parameters=parameters)
    answers = list(CALLS.output(request, timeout=SECONDS))
    assert len(answers) == len(wanted)
    for answer, (_, size) in zip(answers, wanted):
        holds(answer.payload, size)
    found = on_the_wire("StreamingOutputCall", wire.framed(request.SerializeToString(), 0))
    assert sizes(found, Answer) == list(wanted)


@case
def rpc_soak():
    for _ in range(SOAK_CALLS):
        large_unary()


@case
def channel_soak():
    for _ in range(SOAK_CALLS):
        with dial() as channel:
            large_unary(Calls(channel))


@case
def pick_first_unary():
    request = Simple(response_size=1, payload=zeros(1), fill_server_id=True)
    names = {CALLS.unary(request, timeout=SECONDS).server_id for _ in range(100)}
    assert len(names) == 1 and names != {""}, names


@case
def orca_oob():
    reports = CALLS.reports(ReportRequest(), timeout=SECONDS)
    requests = Requests()
    answers = CALLS.duplex(iter(requests), timeout=SECONDS)
    for cpu, memory, util in (0.8210, 0.5847, 0.30499), (0.29309, 0.2, 0.2039):
        asked = Load(cpu_utilization=cpu, memory_utilization=memory, utilization={"util": util})
        requests.push(ask(1, orca_oob_report=asked))
        holds(next(answers).payload, 1)
        expected = Report(cpu_utilization=cpu, mem_utilization=memory, utilization={"util": util})
        until = time.monotonic() + SECONDS
        while next(reports) != expected:
            assert time.monotonic() < until, "the load is not reported"
    requests.end()
    assert list(answers) == []
    reports.cancel()


if __name__ == "__main__":
    skip(f"{PREFIX}cacheable_unary", "takes a cache between client and server, and calls by GET")
    skip(f"{PREFIX}orca_per_rpc", "grpcio keeps the load report of a call to itself")
    run(PREFIX)
