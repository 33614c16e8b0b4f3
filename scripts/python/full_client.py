"""All four kinds of call against the user service on SQLite, and every way to ask wrongly.

Usage: full_client.py ADDRESS, with the stubs of proto/user.proto on the path.
The store is expected fresh: users 1 to 10000.
"""

import asyncio
import sys
import threading
import time

import grpc
import user_pb2
import user_pb2_grpc
from grpc import StatusCode

from cases import case, refused, run, within

ADDRESS = sys.argv[1]
USERS = 10_000
CHANNEL = grpc.insecure_channel(ADDRESS)
STUB = user_pb2_grpc.UserServiceStub(CHANNEL)
SECONDS = 20


def get(user_id, **options):
    return STUB.GetUser(user_pb2.UserRequest(id=user_id), timeout=SECONDS, **options)


def page(number, size):
    request = user_pb2.ListUsersRequest(page=number, page_size=size)
    return [user.id for user in STUB.ListUsers(request, timeout=SECONDS)]


def person(user_id, name="Ada"):
    return user_pb2.UserResponse(id=user_id, name=name, email=f"{user_id}@example.com")


def import_users(users):
    return STUB.ImportUsers(iter(users), timeout=SECONDS)


def imported(summary):
    """The count in a summary, whatever its field is called."""
    return getattr(summary, summary.DESCRIPTOR.fields[0].name)


def requests(*ids):
    return (user_pb2.UserRequest(id=user_id) for user_id in ids)


class Open:
    """An iterator of requests that stays open until `close`."""

    def __init__(self, *first):
        self.first = list(first)
        self.closed = threading.Event()

    def __iter__(self):
        yield from self.first
        self.closed.wait()

    def close(self):
        self.closed.set()


@case
def unary():
    for user_id in (1, 2, USERS):
        assert get(user_id).id == user_id


@case
def unary_unknown_id():
    refused(StatusCode.NOT_FOUND, lambda: get(USERS * 100))


@case
def unary_bad_id():
    for user_id in (0, -1, -(2**31)):
        refused(StatusCode.INVALID_ARGUMENT, lambda user_id=user_id: get(user_id), "id")


@case
def server_streaming():
    assert page(1, 10) == list(range(1, 11))
    assert page(2, 1000) == list(range(1001, 2001))
    assert page(USERS // 1000 + 1, 1000) == []


@case
def server_streaming_defaults():
    assert page(0, 0) == list(range(1, 51))
    assert page(2, 0) == list(range(51, 101))


@case
def server_streaming_bad_page_size():
    for size in (-1, 1001, 2**31 - 1, -(2**31)):
        refused(StatusCode.INVALID_ARGUMENT, lambda size=size: page(1, size), "page_size")


@case
def server_streaming_bad_page():
    refused(StatusCode.INVALID_ARGUMENT, lambda: page(-1, 10), "page")


@case
def server_streaming_far_page():
    assert page(2**31 - 1, 1000) == []


@case
def client_streaming():
    users = [person(20_001 + n) for n in range(100)]
    assert imported(import_users(users)) == 100
    assert get(20_050) == users[49]


@case
def client_streaming_of_nothing():
    assert imported(import_users([])) == 0


@case
def client_streaming_that_fails_midway():
    for bad in (person(30_002, name=""), person(0), person(-5)):
        users = [person(30_001), bad, person(30_003)]
        refused(StatusCode.INVALID_ARGUMENT, lambda users=users: import_users(users))
        for user_id in (30_001, 30_003):
            refused(StatusCode.NOT_FOUND, lambda user_id=user_id: get(user_id))


@case
def client_streaming_that_is_cancelled():
    stream = Open(person(31_001))
    call = STUB.ImportUsers.future(iter(stream), timeout=SECONDS)
    time.sleep(0.2)
    call.cancel()
    stream.close()
    within(5, call.done)
    refused(StatusCode.NOT_FOUND, lambda: get(31_001))


@case
def bidi_streaming():
    ids = [3, 1, 2, 1, 10_000]
    answers = STUB.Lookup(requests(*ids), timeout=SECONDS)
    assert [user.id for user in answers] == ids


@case
def bidi_streaming_by_turns():
    stream = Open(user_pb2.UserRequest(id=7))
    answers = STUB.Lookup(iter(stream), timeout=SECONDS)
    assert next(answers).id == 7
    stream.close()
    assert list(answers) == []


@case
def bidi_streaming_long():
    ids = [1 + n % USERS for n in range(20_000)]
    answers = STUB.Lookup(requests(*ids), timeout=SECONDS * 2)
    assert [user.id for user in answers] == ids


@case
def bidi_streaming_bad_ids():
    unknown = lambda: list(STUB.Lookup(requests(1, USERS * 100), timeout=SECONDS))
    refused(StatusCode.NOT_FOUND, unknown)
    negative = lambda: list(STUB.Lookup(requests(1, -1), timeout=SECONDS))
    refused(StatusCode.INVALID_ARGUMENT, negative, "id")


@case
def deadline():
    stream = Open(user_pb2.UserRequest(id=1))
    call = STUB.Lookup(iter(stream), timeout=0.3)
    start = time.monotonic()
    refused(StatusCode.DEADLINE_EXCEEDED, lambda: list(call))
    assert time.monotonic() - start < 3
    stream.close()
    assert get(1).id == 1


@case
def deadline_that_is_met():
    assert STUB.GetUser(user_pb2.UserRequest(id=1), timeout=5).id == 1


@case
def cancel_of_a_server_stream():
    request = user_pb2.ListUsersRequest(page=1, page_size=1000)
    for _ in range(20):
        call = STUB.ListUsers(request, timeout=SECONDS)
        assert next(call).id == 1
        call.cancel()
    assert get(1).id == 1


@case
def cancel_of_a_bidi_stream():
    stream = Open(user_pb2.UserRequest(id=5))
    call = STUB.Lookup(iter(stream), timeout=SECONDS)
    assert next(call).id == 5
    call.cancel()
    stream.close()
    assert get(1).id == 1


@case
def metadata():
    pairs = (
        ("x-request-id", "abc-123"),
        ("x-trace-bin", bytes(range(256))),
        ("x-many", "1"),
        ("x-many", "2"),
        ("x-long", "l" * 3000),
    )
    for _ in range(3):
        answer, call = STUB.GetUser.with_call(
            user_pb2.UserRequest(id=1), timeout=SECONDS, metadata=pairs
        )
        assert answer.id == 1
        assert call.code() == StatusCode.OK
        assert call.trailing_metadata() is not None


@case
def unknown_method():
    call = CHANNEL.unary_unary("/user.UserService/Forget")
    refused(StatusCode.UNIMPLEMENTED, lambda: call(b"", timeout=SECONDS))


@case
def unknown_service():
    call = CHANNEL.stream_stream("/nobody.Nothing/Never")
    refused(StatusCode.UNIMPLEMENTED, lambda: list(call(iter([b"x"]), timeout=SECONDS)))


@case
def bytes_that_are_no_message():
    call = CHANNEL.unary_unary("/user.UserService/GetUser")
    try:
        call(b"\xff\xff\xff", timeout=SECONDS)
    except grpc.RpcError as error:
        accepted = (StatusCode.INTERNAL, StatusCode.INVALID_ARGUMENT)
        assert error.code() in accepted, error.code()
    else:
        raise AssertionError("answered")


@case
def a_thousand_unary_calls_at_once():
    calls = [STUB.GetUser.future(user_pb2.UserRequest(id=1 + n)) for n in range(1000)]
    assert [call.result(timeout=SECONDS).id for call in calls] == list(range(1, 1001))


@case
def a_thousand_streams_at_once():
    asyncio.run(lookup_at_once(1000))


async def lookup_at_once(streams):
    async with grpc.aio.insecure_channel(ADDRESS) as channel:
        stub = user_pb2_grpc.UserServiceStub(channel)

        async def lookup(user_id):
            call = stub.Lookup(timeout=SECONDS)
            await call.write(user_pb2.UserRequest(id=user_id))
            assert (await call.read()).id == user_id
            await call.done_writing()
            assert await call.read() == grpc.aio.EOF
            assert await call.code() == StatusCode.OK

        await asyncio.gather(*(lookup(1 + n) for n in range(streams)))


if __name__ == "__main__":
    run()
