"""The services about the server itself, asked by the clients that gRPC publishes for them.

Usage: services_client.py ADDRESS PID: a user service with health and reflection whose drain waits a
second, and its process, which the last case ends.
"""

import os
import signal
import sys
import time

import grpc
from google.protobuf import descriptor_pool
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from cases import case, refused, run

ADDRESS, PID = sys.argv[1], int(sys.argv[2])
SECONDS = 20
CHANNEL = grpc.insecure_channel(ADDRESS)
HEALTH = health_pb2_grpc.HealthStub(CHANNEL)
SERVING, NOT_SERVING = (
    health_pb2.HealthCheckResponse.SERVING,
    health_pb2.HealthCheckResponse.NOT_SERVING,
)
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


def about(service):
    return health_pb2.HealthCheckRequest(service=service)


@case
def health_of_the_server_and_of_a_service():
    for service in ("", "user.UserService"):
        assert HEALTH.Check(about(service), timeout=SECONDS).status == SERVING, service
    check = lambda: HEALTH.Check(about("no.Such"), timeout=SECONDS)
    refused(StatusCode.NOT_FOUND, check, "no.Such")


@case
def health_of_an_unknown_service_can_be_watched():
    watch = HEALTH.Watch(about("no.Such"), timeout=SECONDS)
    assert next(watch).status == SERVICE_UNKNOWN
    watch.cancel()


@case
def reflection_lists_the_services():
    names = set(ProtoReflectionDescriptorDatabase(CHANNEL).get_services())
    expected = {
        "user.UserService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    assert expected <= names, names


@case
def reflection_gives_a_schema_to_call_with():
    pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(CHANNEL))
    service = pool.FindServiceByName("user.UserService")
    method = service.methods_by_name["GetUser"]
    assert method.input_type.full_name == "user.UserRequest"
    health = pool.FindMessageTypeByName("grpc.health.v1.HealthCheckResponse")
    assert health.fields_by_name["status"].number == 1


@case
def reflection_answers_every_question_of_a_call_in_order():
    stub = reflection_pb2_grpc.ServerReflectionStub(CHANNEL)
    ask = reflection_pb2.ServerReflectionRequest
    questions = [
        ask(file_containing_symbol="user.UserService.Lookup"),
        ask(file_containing_symbol="user.Nobody"),
        ask(file_by_filename="user.proto"),
        ask(all_extension_numbers_of_type="user.UserRequest"),
    ]
    answers = list(stub.ServerReflectionInfo(iter(questions), timeout=SECONDS))
    assert [answer.original_request for answer in answers] == questions
    assert answers[1].error_response.error_code == StatusCode.NOT_FOUND.value[0]
    assert answers[3].all_extension_numbers_response.base_type_name == "user.UserRequest"


@case
def a_drain_is_announced_before_it_begins():
    watch = HEALTH.Watch(about("user.UserService"), timeout=SECONDS)
    assert next(watch).status == SERVING
    os.kill(PID, signal.SIGTERM)
    began = time.monotonic()
    assert next(watch).status == NOT_SERVING
    # Still served: callers that have not heard of it must not fail.
    fresh = grpc.insecure_channel(ADDRESS, [("grpc.use_local_subchannel_pool", 1)])
    status = health_pb2_grpc.HealthStub(fresh).Check(about(""), timeout=SECONDS).status
    assert status == NOT_SERVING
    assert time.monotonic() - began < 1, "too slow to tell"
    refused(StatusCode.UNAVAILABLE, lambda: list(watch), "shutting down")


if __name__ == "__main__":
    run()
