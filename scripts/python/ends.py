"""How a call ends that goes on when its server drains.

Usage: ends.py ADDRESS PID SIGNALS, with the stubs of proto/user.proto on the path. The server, PID,
has a grace of a second; it gets SIGTERM once or twice.
"""

import os
import signal
import sys
import threading
import time

import grpc
import user_pb2
import user_pb2_grpc

from cases import case, run

ADDRESS = sys.argv[1]
PID, SIGNALS = map(int, sys.argv[2:4])
SECONDS = 20
# Long enough to tell two signals apart, and shorter than the grace.
PAUSE_S = 0.3


@case
def a_call_that_outlives_the_grace_is_unavailable():
    over = threading.Event()

    def requests():
        yield user_pb2.UserRequest(id=1)
        over.wait()

    with grpc.insecure_channel(ADDRESS) as channel:
        stub = user_pb2_grpc.UserServiceStub(channel)
        call = stub.Lookup(requests(), timeout=SECONDS)
        assert next(call).id == 1
        for _ in range(SIGNALS):
            os.kill(PID, signal.SIGTERM)
            time.sleep(PAUSE_S)
        try:
            next(call)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE, error
            # Who is told to end at once has no time for words.
            assert SIGNALS > 1 or "grace" in error.details(), error.details()
        else:
            raise AssertionError("it goes on")
        finally:
            over.set()


run()
