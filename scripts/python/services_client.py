"""The services about the server itself, asked by the clients that gRPC publishes for them.

Usage: services_client.py ADDRESS PID: a user service with health, reflection and channelz whose
drain waits a second, and its process, which the last case ends.
"""

import os
import signal
import sys
import time

import grpc
from google.protobuf import descriptor_pool
from grpc import StatusCode
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from cases import case, refused, run, within

ADDRESS, PID = sys.argv[1], int(sys.argv[2])
SECONDS = 20
CHANNEL = grpc.insecure_channel(ADDRESS)
HEALTH = health_pb2_grpc.HealthStub(CHANNEL)
CHANNELZ = channelz_pb2_grpc.ChannelzStub(CHANNEL)
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
        "grpc.channelz.v1.Channelz",
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


def the_server():
    answer = CHANNELZ.GetServers(channelz_pb2.GetServersRequest(), timeout=SECONDS)
    assert answer.end and len(answer.server) == 1, answer
    return answer.server[0]


def sockets(start=0, most=0):
    server = the_server().ref.server_id
    request = channelz_pb2.GetServerSocketsRequest
    request = request(server_id=server, start_socket_id=start, max_results=most)
    return CHANNELZ.GetServerSockets(request, timeout=SECONDS)


def socket(ref):
    request = channelz_pb2.GetSocketRequest(socket_id=ref.socket_id)
    return CHANNELZ.GetSocket(request, timeout=SECONDS).socket


@case
def channelz_counts_the_calls_of_a_server():
    before = the_server()
    for service in "", "user.UserService":
        HEALTH.Check(about(service), timeout=SECONDS)
    refused(StatusCode.NOT_FOUND, lambda: HEALTH.Check(about("no.Such"), timeout=SECONDS))
    request = channelz_pb2.GetServerRequest(server_id=before.ref.server_id)
    after = CHANNELZ.GetServer(request, timeout=SECONDS).server
    counted = lambda name: getattr(after.data, name) - getattr(before.data, name)
    # The question before has ended by now, and the one after has begun.
    assert counted("calls_started") == 4 and counted("calls_succeeded") == 3, after
    assert counted("calls_failed") == 1, after
    moment = after.data.last_call_started_timestamp.ToSeconds()
    assert abs(time.time() - moment) < 60, moment
    (listener,) = after.listen_socket
    assert socket(listener).local.tcpip_address.port == int(ADDRESS.rsplit(":", 1)[1])


@case
def channelz_tells_of_each_connection():
    others = [grpc.insecure_channel(ADDRESS, [("own", number)]) for number in range(3)]
    for other in others:
        status = health_pb2_grpc.HealthStub(other).Check(about(""), timeout=SECONDS).status
        assert status == SERVING
    found = sockets()
    ids = [ref.socket_id for ref in found.socket_ref]
    assert found.end and len(ids) >= 4 and ids == sorted(ids), found
    first = sockets(most=1)
    assert not first.end and list(first.socket_ref) == list(found.socket_ref)[:1], first
    rest = sockets(start=ids[0] + 1)
    assert rest.end and list(rest.socket_ref) == list(found.socket_ref)[1:], rest
    last = socket(found.socket_ref[-1])
    data = last.data
    assert (data.streams_started, data.streams_succeeded, data.streams_failed) == (1, 1, 0), last
    assert (data.messages_received, data.messages_sent) == (1, 1), last
    assert data.local_flow_control_window.value > 0, last
    assert data.remote_flow_control_window.value > 0, last
    moment = data.last_message_sent_timestamp.ToSeconds()
    assert abs(time.time() - moment) < 60, moment
    assert last.local.tcpip_address.port == int(ADDRESS.rsplit(":", 1)[1])
    assert last.remote.tcpip_address.ip_address == bytes([127, 0, 0, 1])
    assert not last.HasField("security")
    for other in others:
        other.close()
    within(SECONDS, lambda: len(sockets().socket_ref) <= len(ids) - 3)


@case
def channelz_refuses_what_there_is_not():
    top = CHANNELZ.GetTopChannels(channelz_pb2.GetTopChannelsRequest(), timeout=SECONDS)
    assert top.end and not top.channel, top
    for ask, request in (
        (CHANNELZ.GetServer, channelz_pb2.GetServerRequest(server_id=99_999)),
        (CHANNELZ.GetServerSockets, channelz_pb2.GetServerSocketsRequest(server_id=99_999)),
        (CHANNELZ.GetSocket, channelz_pb2.GetSocketRequest(socket_id=99_999)),
        (CHANNELZ.GetChannel, channelz_pb2.GetChannelRequest(channel_id=99_999)),
        (CHANNELZ.GetSubchannel, channelz_pb2.GetSubchannelRequest(subchannel_id=99_999)),
    ):
        refused(StatusCode.NOT_FOUND, lambda: ask(request, timeout=SECONDS), "99999")
    negative = channelz_pb2.GetServersRequest(max_results=-1)
    refused(StatusCode.INVALID_ARGUMENT, lambda: CHANNELZ.GetServers(negative), "-1")


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
