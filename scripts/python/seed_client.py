"""A client written against the two fixed calls of the user service, and nothing else.

Usage: seed_client.py ADDRESS, with the stubs of seed/user.proto on the path.
"""

import sys

import grpc
import user_pb2
import user_pb2_grpc

from cases import case, run

ADDRESS = sys.argv[1]


def with_stub(use):
    with grpc.insecure_channel(ADDRESS) as channel:
        return use(user_pb2_grpc.UserServiceStub(channel))


@case
def seed_unary_call():
    response = with_stub(lambda stub: stub.GetUser(user_pb2.UserRequest(id=1)))
    print(f"User: {response.name}")
    assert response.id == 1
    assert response.name and "@" in response.email


@case
def seed_server_streaming_with_the_default_page_size():
    request = user_pb2.ListUsersRequest(page=1)
    users = with_stub(lambda stub: list(stub.ListUsers(request)))
    for user in users[:3]:
        print(f"User: {user.name}")
    assert [user.id for user in users] == list(range(1, 51))


@case
def seed_server_streaming_with_a_page_size():
    request = user_pb2.ListUsersRequest(page=1, page_size=10)
    users = with_stub(lambda stub: list(stub.ListUsers(request)))
    assert [user.id for user in users] == list(range(1, 11))
    assert all(user.name and user.email for user in users)


@case
def seed_channel_by_name():
    port = ADDRESS.rsplit(":", 1)[1]
    with grpc.insecure_channel(f"localhost:{port}") as channel:
        stub = user_pb2_grpc.UserServiceStub(channel)
        assert stub.GetUser(user_pb2.UserRequest(id=2), timeout=10).id == 2


if __name__ == "__main__":
    run()
