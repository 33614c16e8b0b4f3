"""Keepalive of a stock grpcio client: what the server forgives, and what it does not.

Usage: keepalive.py STRICT PERMITTING, addresses of two user services: one with the defaults, and
one that permits a PING every 100 ms, with calls and without.
"""

import sys
import threading
import time

import grpc
import user_pb2
import user_pb2_grpc

from cases import case, run

STRICT, PERMITTING = sys.argv[1:3]
SECONDS = 20
EAGER_MS = 150
# The first PING is free, and two more are forgiven.
LIVES_S = EAGER_MS / 1000 * 20


class Requests:
    """Requests that never end, until they are told to."""

    def __init__(self):
        self.over = threading.Event()

    def __iter__(self):
        yield user_pb2.UserRequest(id=1)
        self.over.wait()


def eager(address):
    """A channel that sends PING all the time, with calls and without."""
    options = [
        ("grpc.keepalive_time_ms", EAGER_MS),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_time_between_pings_ms", EAGER_MS),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    return grpc.insecure_channel(address, options)


def held_open(channel):
    """A call that has had its first answer and waits for more requests."""
    requests = Requests()
    call = user_pb2_grpc.UserServiceStub(channel).Lookup(iter(requests), timeout=SECONDS)
    assert next(call).id == 1
    return requests, call


@case
def an_eager_client_is_told_too_many_pings():
    with eager(STRICT) as channel:
        requests, call = held_open(channel)
        try:
            next(call)
        except grpc.RpcError as error:
            assert error.code() != grpc.StatusCode.DEADLINE_EXCEEDED, error
            assert "too_many_pings" in error.details(), error.details()
        else:
            raise AssertionError("it was suffered")
        finally:
            requests.over.set()
        answer = user_pb2_grpc.UserServiceStub(channel).GetUser(
            user_pb2.UserRequest(id=2), timeout=SECONDS, wait_for_ready=True
        )
        assert answer.id == 2, "a new connection is served"


@case
def the_same_client_lives_where_that_is_permitted():
    with eager(PERMITTING) as channel:
        states = []
        channel.subscribe(states.append)
        requests, call = held_open(channel)
        time.sleep(LIVES_S)
        requests.over.set()
        assert list(call) == []
        # And without a call.
        time.sleep(LIVES_S)
        lost = {grpc.ChannelConnectivity.IDLE, grpc.ChannelConnectivity.TRANSIENT_FAILURE}
        since_ready = states[states.index(grpc.ChannelConnectivity.READY) :]
        assert not lost & set(since_ready), states


@case
def a_client_that_sends_on_its_calls_may_ask_often():
    with eager(STRICT) as channel:
        stub = user_pb2_grpc.UserServiceStub(channel)
        end = time.monotonic() + LIVES_S
        while time.monotonic() < end:
            assert stub.GetUser(user_pb2.UserRequest(id=3), timeout=SECONDS).id == 3
            time.sleep(EAGER_MS / 3000)


run()
