"""Steady load on two addresses, of which one at a time may be drained: no call may fail.

Usage: drains.py FIRST SECOND, addresses of the user service, with the stubs of proto/user.proto on
the path. All channels are stock grpcio: no retry policy, no wait_for_ready. The script finds out
how many calls a second its threads can make at most, prints `capacity N`, and goes on with half of
that until its input ends. Then it prints `calls N failed N slowest_ms N`, and each failure once.
"""

import json
import sys
import threading
import time

import grpc
import user_pb2
import user_pb2_grpc

ADDRESSES = ",".join(sys.argv[1:3])
CHANNELS = 4
THREADS_PER_CHANNEL = 2
SECONDS = 20
CAPACITY_S = 2
BALANCING = ["pick_first", "round_robin"]


def channel(number):
    policy = BALANCING[number % len(BALANCING)]
    config = json.dumps({"loadBalancingConfig": [{policy: {}}]})
    options = [
        ("grpc.service_config", config),
        # Otherwise channels with equal settings would share one connection.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    return grpc.insecure_channel(f"ipv4:{ADDRESSES}", options)


class Caller(threading.Thread):
    """Calls in turn, all four kinds but imports, at a pace."""

    def __init__(self, stub, pause_s, until):
        super().__init__()
        self.stub = stub
        self.pause_s = pause_s
        self.until = until
        self.calls = 0
        self.slowest_s = 0
        self.failures = []

    def run(self):
        due = time.monotonic()
        while not self.until():
            due += self.pause_s
            left = due - time.monotonic()
            if left > 0:
                time.sleep(left)
            self.calls += 1
            began = time.monotonic()
            try:
                self.call(self.calls)
            except Exception as error:
                code = getattr(error, "code", lambda: type(error).__name__)()
                details = getattr(error, "details", lambda: str(error))()
                self.failures.append(f"{code} {details}")
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    def call(self, number):
        user_id = number % 10_000 + 1
        if number % 10 == 0:
            page = user_pb2.ListUsersRequest(page=number % 100, page_size=20)
            users = list(self.stub.ListUsers(page, timeout=SECONDS))
            assert len(users) == 20, f"{len(users)} users on a page"
        elif number % 10 == 5:
            requests = (user_pb2.UserRequest(id=user_id) for _ in range(3))
            users = list(self.stub.Lookup(requests, timeout=SECONDS))
            assert [user.id for user in users] == [user_id] * 3, users
        else:
            user = self.stub.GetUser(user_pb2.UserRequest(id=user_id), timeout=SECONDS)
            assert user.id == user_id, user


def callers(stubs, pause_s, until):
    made = [Caller(stub, pause_s, until) for stub in stubs for _ in range(THREADS_PER_CHANNEL)]
    for caller in made:
        caller.start()
    return made


def main():
    channels = [channel(number) for number in range(CHANNELS)]
    stubs = [user_pb2_grpc.UserServiceStub(through) for through in channels]
    for stub in stubs:
        stub.GetUser(user_pb2.UserRequest(id=1), timeout=SECONDS, wait_for_ready=True)
    end = time.monotonic() + CAPACITY_S
    trial = callers(stubs, 0, lambda: time.monotonic() >= end)
    for caller in trial:
        caller.join()
    capacity = sum(caller.calls for caller in trial) / CAPACITY_S
    print(f"capacity {capacity:.0f}", flush=True)

    over = threading.Event()
    steady = callers(stubs, 2 * len(trial) / capacity, over.is_set)
    sys.stdin.read()
    over.set()
    for caller in steady:
        caller.join()
    every = trial + steady
    failures = [failure for caller in every for failure in caller.failures]
    calls = sum(caller.calls for caller in every)
    slowest_ms = 1000 * max(caller.slowest_s for caller in steady)
    print(f"calls {calls} failed {len(failures)} slowest_ms {slowest_ms:.0f}")
    for failure in sorted(set(failures)):
        print(f"failure: {failure}")
    for through in channels:
        through.close()


main()
