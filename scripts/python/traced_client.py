"""A caller that traces its calls with OpenTelemetry's own instrumentation of grpcio.

Usage: traced_client.py ADDRESS COLLECTOR: a user service, and where spans go.
"""

import sys

import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import client_interceptor
from opentelemetry.instrumentation.grpc.grpcext import intercept_channel
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import user_pb2
import user_pb2_grpc

ADDRESS, COLLECTOR = sys.argv[1], sys.argv[2]
SECONDS = 20


def stub(provider):
    channel = grpc.insecure_channel(ADDRESS)
    traced = intercept_channel(channel, client_interceptor(tracer_provider=provider))
    return user_pb2_grpc.UserServiceStub(traced)


def main():
    resource = Resource.create({"service.name": "caller"})
    provider = TracerProvider(resource=resource)
    exporter = OTLPSpanExporter(endpoint=COLLECTOR, insecure=True)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    users = stub(provider)
    tracer = provider.get_tracer("traced_client")
    with tracer.start_as_current_span("unary"):
        assert users.GetUser(user_pb2.UserRequest(id=7), timeout=SECONDS).id == 7
    with tracer.start_as_current_span("streamed"):
        request = user_pb2.ListUsersRequest(page=1, page_size=3)
        assert len(list(users.ListUsers(request, timeout=SECONDS))) == 3
    with tracer.start_as_current_span("refused"):
        try:
            users.GetUser(user_pb2.UserRequest(id=-1), timeout=SECONDS)
            raise AssertionError("a user of a negative number")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    provider.shutdown()
    # What its caller does not sample, nobody behind it records.
    silent = TracerProvider(resource=resource, sampler=ALWAYS_OFF)
    with silent.get_tracer("traced_client").start_as_current_span("unsampled"):
        stub(silent).GetUser(user_pb2.UserRequest(id=8), timeout=SECONDS)


main()
