"""Heavy calls that keep to every limit, with grpcio as either side.

Usage: heavy.py ADDRESS ID PROGRAM ENGINE: a server of `heavy` with one shard, its process id, and
the program `heavy` as a client on this engine. The shapes are those of examples/tests/heavy.rs.
"""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cases import CASES, run
from heavy_peer import Peer, channel, serve, text

ADDRESS, ID, PROGRAM, ENGINE = sys.argv[1:5]
SECONDS_MAX = 50
PIECE_BYTES = 100_000
# More than calls of a shape that hold a thread of grpcio's server while they wait.
THREADS = 64


def held_kib_max(streams):
    """Memory in KiB that one connection may make the server hold, as in examples/tests/heavy.rs."""
    return (16 + 16 + 4 + 12) * 1024 + 64 * streams


def memory_kib(field):
    """Resident memory of the server: `VmRSS` or `VmHWM` (proc(5))."""
    lines = Path(f"/proc/{ID}/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith(field + ":"))
    return int(line.split()[1])


IDLE_KIB = memory_kib("VmRSS")


def requests(peer, calls, size):
    message = text(f"1 {'z' * size}")
    answers = [peer.say.future(message, timeout=SECONDS_MAX) for _ in range(calls)]
    assert [len(answer.result().value) for answer in answers] == [1] * calls


def responses(peer, calls, size):
    answers = [peer.say.future(text(str(size)), timeout=SECONDS_MAX) for _ in range(calls)]
    assert [len(answer.result().value) for answer in answers] == [size] * calls


def uploads(peer, calls, count, late_ms, read_ms, send_ms=0):
    def pieces():
        yield text(f"{late_ms} {read_ms}")
        for _ in range(count):
            yield text("z" * PIECE_BYTES)
            time.sleep(send_ms / 1000)

    answers = [peer.join.future(pieces(), timeout=SECONDS_MAX) for _ in range(calls)]
    assert [int(answer.result().value) for answer in answers] == [count * PIECE_BYTES] * calls


def downloads(peer, calls, count, late_ms, read_ms):
    def read(stream):
        time.sleep(late_ms / 1000)
        size = 0
        for message in stream:
            size += len(message.value)
            time.sleep(read_ms / 1000)
        return size

    message = text(f"{count} {PIECE_BYTES}")
    streams = [peer.feed(message, timeout=SECONDS_MAX) for _ in range(calls)]
    with ThreadPoolExecutor(calls) as pool:
        assert list(pool.map(read, streams)) == [count * PIECE_BYTES] * calls


# Each shape: calls at the same time, what they do, and its numbers.
SHAPES = [
    (8, requests, 3_900_000),
    (40, requests, 1_000_000),
    (500, requests, 100_000),
    (1000, requests, 64_000),
    (10, uploads, 30, 0, 50),
    (40, uploads, 30, 2000, 0),
    (8, responses, 3_900_000),
    (40, responses, 1_000_000),
    (500, responses, 100_000),
    (1000, responses, 64_000),
    (10, downloads, 30, 0, 50),
    (40, downloads, 30, 2000, 0),
]


def called_by_grpcio(calls, load, *counts):
    """A case: calls on one channel of grpcio end well, and the server holds little for them."""

    def hold():
        Path(f"/proc/{ID}/clear_refs").write_text("5")
        with channel(ADDRESS) as one:
            load(Peer(one), calls, *counts)
        held = memory_kib("VmHWM") - IDLE_KIB
        print(f"{calls} x {load.__name__} {counts}: the server held {held} KiB", flush=True)
        assert held <= held_kib_max(calls), f"the server held {held} KiB"

    return named(hold, "called_by_grpcio", calls, load, counts)


def served_by_grpcio(calls, load, *counts):
    """A case: calls on one channel of ours end well, against a server of grpcio."""

    def hold():
        server, address = serve(THREADS)
        line = [PROGRAM, "call", "--target", address, "--engine", ENGINE, "--calls", str(calls)]
        line += [load.__name__, *map(str, counts)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=SECONDS_MAX)
        server.stop(None).wait()
        said = done.stdout.replace("\n", "; ") + done.stderr
        print(f"{calls} x {load.__name__} {counts}: {said}", flush=True)
        assert done.returncode == 0 and said.startswith(f"{calls} ok, 0 failed; "), said
        held = int(said.split("held ")[1].split()[0])
        # Its requests are its own affair.
        is_receiving = load in (responses, downloads)
        assert not is_receiving or held <= held_kib_max(calls), f"the client held {held} KiB"

    return named(hold, "served_by_grpcio", calls, load, counts)


def named(hold, side, calls, load, counts):
    """Gives a case a name of its own."""
    words = [side, str(calls), load.__name__, *map(str, counts)]
    hold.__name__ = "_".join(words)
    return hold


for shape in SHAPES:
    CASES.append(called_by_grpcio(*shape))
# Senders that are slow, in place of readers.
CASES.append(called_by_grpcio(10, uploads, 30, 0, 0, 50))
for shape in SHAPES:
    CASES.append(served_by_grpcio(*shape))

run()
