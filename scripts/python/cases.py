"""Runs the functions marked as cases; each prints `ok name` or `FAILED name: why`."""

import faulthandler
import sys
import time
import traceback

import grpc

CASE_SECONDS_MAX = 60
CASES = []


def case(function):
    """Marks a function as a case: it holds when it returns."""
    CASES.append(function)
    return function


def skip(name, reason):
    """Says that a case was left out."""
    print(f"SKIPPED {name}: {reason}", flush=True)


def run(prefix="", case_seconds_max=CASE_SECONDS_MAX):
    """Runs all cases in order and exits with 1 when one of them failed."""
    failed = 0
    for function in CASES:
        name = prefix + function.__name__
        # A call that hangs must show where, not stop the whole run.
        faulthandler.dump_traceback_later(case_seconds_max, exit=True)
        try:
            function()
        except Exception as error:
            failed += 1
            traceback.print_exc(file=sys.stdout)
            why = str(error).strip().replace("\n", " ")
            print(f"FAILED {name}: {type(error).__name__} {why}", flush=True)
        else:
            print(f"ok {name}", flush=True)
    faulthandler.cancel_dump_traceback_later()
    sys.exit(1 if failed else 0)


def refused(code, call, *words):
    """Holds when `call` fails with this code and all these words in the message."""
    try:
        answer = call()
    except grpc.RpcError as error:
        assert error.code() == code, f"{error.code()} {error.details()!r}, not {code}"
        for word in words:
            assert word in error.details(), f"{word!r} is not in {error.details()!r}"
        return
    raise AssertionError(f"answered {answer!r}, not {code}")


def within(seconds, condition):
    """Waits until `condition` holds, at most so long."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"did not happen within {seconds} s"
        time.sleep(0.01)
