"""The whole user service in memory, on grpcio: what our client is tried against.

Usage: server.py, with the stubs of proto/user.proto on the path. Prints `listening on ADDRESS`.
"""

import signal
from concurrent import futures
from threading import Lock

import grpc
import user_pb2
import user_pb2_grpc
from grpc import StatusCode

USERS = 10_000
PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MAX = 1000


def user(user_id):
    return user_pb2.UserResponse(
        id=user_id, name=f"User {user_id}", email=f"user{user_id}@example.com"
    )


class Users(user_pb2_grpc.UserServiceServicer):
    """Users by id; an import is all or nothing."""

    def __init__(self):
        self.lock = Lock()
        self.users = {user_id: user(user_id) for user_id in range(1, USERS + 1)}

    def find(self, user_id, context):
        if user_id <= 0:
            context.abort(StatusCode.INVALID_ARGUMENT, f"id must be positive, not {user_id}")
        found = self.users.get(user_id)
        if found is None:
            context.abort(StatusCode.NOT_FOUND, f"no user has id {user_id}")
        return found

    def GetUser(self, request, context):
        return self.find(request.id, context)

    def ListUsers(self, request, context):
        page = request.page or 1
        size = request.page_size or PAGE_SIZE_DEFAULT
        if page < 0:
            context.abort(StatusCode.INVALID_ARGUMENT, f"page must be positive, not {page}")
        if not 1 <= size <= PAGE_SIZE_MAX:
            what = f"page_size must be 1 to {PAGE_SIZE_MAX}, not {size}"
            context.abort(StatusCode.INVALID_ARGUMENT, what)
        ids = sorted(self.users)
        for user_id in ids[(page - 1) * size : page * size]:
            yield self.users[user_id]

    def ImportUsers(self, requests, context):
        batch = {}
        for request in requests:
            if request.id <= 0:
                context.abort(StatusCode.INVALID_ARGUMENT, f"id must be positive: {request.id}")
            if not request.name:
                context.abort(StatusCode.INVALID_ARGUMENT, "name must not be empty")
            batch[request.id] = request
        with self.lock:
            self.users.update(batch)
        summary = user_pb2.ImportSummary()
        setattr(summary, summary.DESCRIPTOR.fields[0].name, len(batch))
        return summary

    def Lookup(self, requests, context):
        for request in requests:
            yield self.find(request.id, context)


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32))
    user_pb2_grpc.add_UserServiceServicer_to_server(Users(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    signal.signal(signal.SIGTERM, lambda *_: server.stop(1))
    print(f"listening on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
