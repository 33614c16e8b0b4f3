"""The service `heavy.Peer` of examples/src/heavy.rs on grpcio, both sides.

Say answers with as many bytes as the first word of its text says. Feed sends messages: the text has
their number and their size. Join counts the bytes of messages; its first one has the milliseconds
to wait before the others are read, and before each.
"""

import time
from concurrent import futures

import grpc
from google.protobuf.wrappers_pb2 import StringValue

SERVICE = "heavy.Peer"


def text(value):
    """A message."""
    return StringValue(value=value)


class Peer:
    """Stubs of the three methods on one channel."""

    def __init__(self, channel):
        how = (StringValue.SerializeToString, StringValue.FromString)
        self.say = channel.unary_unary(f"/{SERVICE}/Say", *how)
        self.feed = channel.unary_stream(f"/{SERVICE}/Feed", *how)
        self.join = channel.stream_unary(f"/{SERVICE}/Join", *how)


def channel(address):
    """A channel whose connection no other channel of this process shares."""
    return grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)])


def numbers(message, count):
    """The numbers that a text begins with; 0 for each that is missing."""
    words = message.value.split(" ", count)[:count]
    found = [int(word) if word.isdigit() else 0 for word in words]
    return found + [0] * (count - len(found))


def say(request, _context):
    return text("x" * numbers(request, 1)[0])


def feed(request, _context):
    count, size = numbers(request, 2)
    for _ in range(count):
        yield text("x" * size)


def join(requests, _context):
    late_ms, pause_ms = numbers(next(requests), 2)
    time.sleep(late_ms / 1000)
    size = 0
    for message in requests:
        size += len(message.value)
        time.sleep(pause_ms / 1000)
    return text(str(size))


def serve(threads):
    """Starts a server of grpcio; it and its address."""
    kinds = {
        "Say": (grpc.unary_unary_rpc_method_handler, say),
        "Feed": (grpc.unary_stream_rpc_method_handler, feed),
        "Join": (grpc.stream_unary_rpc_method_handler, join),
    }
    how = (StringValue.FromString, StringValue.SerializeToString)
    methods = {name: kind(method, *how) for name, (kind, method) in kinds.items()}
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=threads))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, methods)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"127.0.0.1:{port}"
