"""Users who share one HTTP/2 connection behind a proxy: none costs another a call.

Usage: proxies.py NAME PROGRAM ADDRESS FOLDER: `envoy` or `haproxy`, where it is, a server of
`heavy`, and a folder for its configuration. With CORESPUN_PROXIES_LONG=1 calls are cancelled for
100 s, in place of 10 s.
"""

import os
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager

import grpc
from grpc import StatusCode

from cases import case, refused, run
from heavy_peer import Peer, channel, text
from proxy import connections, start

NAME, PROGRAM, ADDRESS, FOLDER = sys.argv[1:5]
SECONDS_MAX = 50
CANCEL_SECONDS = 100 if os.environ.get("CORESPUN_PROXIES_LONG") else 10
CANCELS_PER_SECOND = 100
OTHERS = 7
# Between two calls of another user.
PAUSE_S = 0.04
# HAProxy 2.6 ends a call with RST_STREAM(CANCEL) if the answer comes before the end of the request
# (its issue 1219), whoever the server is.
DEADLINE_CODES = {
    "envoy": {StatusCode.DEADLINE_EXCEEDED},
    "haproxy": {StatusCode.DEADLINE_EXCEEDED, StatusCode.CANCELLED},
}


class User:
    """One of the others: a stream that lasts as long as the case, and unary calls beside it."""

    def __init__(self):
        self.over = threading.Event()
        self.ok, self.lost = 0, []
        self.channel = channel(PROXY)
        self.peer = Peer(self.channel)
        assert len(self.peer.say(text("3"), timeout=SECONDS_MAX, wait_for_ready=True).value) == 3
        self.stream = self.peer.join.future(self.pieces(), timeout=CANCEL_SECONDS + SECONDS_MAX)
        self.thread = threading.Thread(target=self.call)
        self.thread.start()

    def pieces(self):
        yield text("0 0")
        yield text("first")
        self.over.wait()
        yield text("last")

    def call(self):
        while not self.over.wait(PAUSE_S):
            try:
                assert len(self.peer.say(text("100"), timeout=SECONDS_MAX).value) == 100
                self.ok += 1
            except grpc.RpcError as error:
                self.lost.append(f"{error.code()} {error.details()}")

    def end(self):
        self.over.set()
        self.thread.join()
        try:
            assert self.stream.result().value == "9", "the stream lost a message"
        except grpc.RpcError as error:
            self.lost.append(f"stream: {error.code()} {error.details()}")
        self.channel.close()


@contextmanager
def others_unharmed():
    """Gives the methods for one more user; those beside it must lose nothing meanwhile."""
    others = [User() for _ in range(OTHERS)]
    before = connections(ADDRESS)
    try:
        with channel(PROXY) as one:
            yield Peer(one)
            within = connections(ADDRESS)
        time.sleep(PAUSE_S * 5)
    finally:
        for user in others:
            user.end()
    ok, lost = sum(user.ok for user in others), [why for user in others for why in user.lost]
    print(f"others: {ok} calls and {OTHERS} streams, {len(lost)} lost", flush=True)
    assert not lost, f"{len(lost)} lost, {ok} not; the first: {lost[0]}"
    assert all(user.ok for user in others), "one of them made no call"
    assert len(before) == 1, f"{len(before)} connections to the server"
    assert before == within == connections(ADDRESS), "the connection was replaced"


def metadata_is_refused(metadata):
    with others_unharmed() as peer:
        call = lambda: peer.say(text("3"), metadata=metadata, timeout=SECONDS_MAX)
        refused(StatusCode.RESOURCE_EXHAUSTED, call)
        assert len(peer.say(text("3"), timeout=SECONDS_MAX).value) == 3


@case
def one_call_with_17_kb_of_metadata():
    metadata_is_refused([("x-large", "a" * 17_000)])


@case
def one_call_with_1100_fields():
    metadata_is_refused([(f"x-{index}", "a") for index in range(1100)])


class Endless:
    """Requests that never end, until they are told to."""

    def __init__(self):
        self.over = threading.Event()

    def __iter__(self):
        return self

    def __next__(self):
        self.over.wait()
        raise StopIteration


def after(call):
    """The code that a call ended with."""
    try:
        call.result()
    except grpc.RpcError as error:
        return error.code()
    except grpc.FutureCancelledError:
        return StatusCode.CANCELLED
    return StatusCode.OK


@case
def a_thousand_short_deadlines():
    with others_unharmed() as peer:
        for _ in range(10):
            requests = Endless()
            calls = [peer.join.future(requests, timeout=0.05) for _ in range(100)]
            codes = {after(call) for call in calls}
            requests.over.set()
            assert codes <= DEADLINE_CODES[NAME], codes


def long_stream(peer):
    return peer.feed(text("1000000 1000"), timeout=CANCEL_SECONDS + SECONDS_MAX)


@case
def long_streams_that_are_cancelled_together():
    with others_unharmed() as peer:
        streams = [long_stream(peer) for _ in range(250)]
        for stream in streams:
            assert len(next(stream).value) == 1000
        for stream in streams:
            stream.cancel()
        assert {stream.code() for stream in streams} == {StatusCode.CANCELLED}


@case
def calls_that_are_cancelled_steadily():
    with others_unharmed() as peer:
        under_way = deque()
        count = CANCEL_SECONDS * CANCELS_PER_SECOND
        start_s, requests = time.monotonic(), Endless()
        for index in range(count):
            # In turns a call that had no answer, and one that had some.
            is_silent = index % 2 == 0
            silent = lambda: peer.join.future(requests, timeout=SECONDS_MAX)
            under_way.append(silent() if is_silent else long_stream(peer))
            if len(under_way) > 4:
                under_way.popleft().cancel()
            due_s = start_s + index / CANCELS_PER_SECOND
            time.sleep(max(0, due_s - time.monotonic()))
        for call in under_way:
            call.cancel()
        requests.over.set()
        print(f"{count} calls cancelled in {time.monotonic() - start_s:.1f} s", flush=True)


CHILD, PROXY = start(NAME, PROGRAM, FOLDER, ADDRESS)
try:
    run(f"{NAME}_", CANCEL_SECONDS + SECONDS_MAX)
finally:
    CHILD.terminate()
    CHILD.wait()
