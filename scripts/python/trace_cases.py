"""What a collector has written down of traced_client.py's calls through two of our servers.

Usage: trace_cases.py FILE: what the collector's file exporter wrote, a line of JSON for each batch.
"""

import json
import sys

from cases import case, run

CLIENT, SERVER = 3, 2
INVALID_ARGUMENT = 3


def value(pair):
    kinds = pair["value"]
    return int(kinds["intValue"]) if "intValue" in kinds else kinds.get("stringValue")


def read(path):
    """All spans, each with the name of its service."""
    for line in open(path, encoding="utf-8"):
        for resource in json.loads(line)["resourceSpans"]:
            about = {pair["key"]: value(pair) for pair in resource["resource"]["attributes"]}
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    pairs = span.get("attributes", [])
                    span["attributes"] = {pair["key"]: value(pair) for pair in pairs}
                    yield about["service.name"], span


SPANS = list(read(sys.argv[1]))


def chain(name):
    """The spans below the caller's own one of this name, each the only child of the one before."""
    (root,) = [span for service, span in SPANS if span["name"] == name]
    found = [("caller", root)]
    while True:
        parent = found[-1][1]
        below = [
            (service, span)
            for service, span in SPANS
            if span["traceId"] == parent["traceId"]
            and span.get("parentSpanId") == parent["spanId"]
        ]
        if not below:
            return found
        assert len(below) == 1, below
        found += below


def check(name, method, code):
    spans = chain(name)
    services = [service for service, _ in spans]
    assert services == ["caller", "caller", "users-relay", "users-relay", "users"], services
    kinds = [span["kind"] for _, span in spans[1:]]
    assert kinds == [CLIENT, SERVER, CLIENT, SERVER], kinds
    for service, span in spans[2:]:
        attributes = span["attributes"]
        assert span["name"] == f"user.UserService/{method}", span["name"]
        assert attributes["rpc.system"] == "grpc"
        assert attributes["rpc.service"] == "user.UserService"
        assert attributes["rpc.method"] == method
        assert attributes["rpc.grpc.status_code"] == code, attributes
        begin, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
        assert 0 < begin <= end
    for _, span in (spans[2], spans[4]):
        assert span["attributes"]["network.peer.address"] == "127.0.0.1"
    return [span for _, span in spans]


@case
def a_unary_call_is_one_trace_through_all_three():
    for span in check("unary", "GetUser", 0)[2:]:
        assert span.get("status", {}).get("code", 0) == 0, span


@case
def a_stream_is_one_span_at_each_place():
    spans = check("streamed", "ListUsers", 0)
    for span, side in ((spans[2], "sent"), (spans[3], "received"), (spans[4], "sent")):
        assert span["attributes"][f"corespun.{side}.messages"] == 3, span


@case
def a_refusal_is_its_callers_error_and_not_the_servers():
    spans = check("refused", "GetUser", INVALID_ARGUMENT)
    assert [span.get("status", {}).get("code", 0) for span in spans[2:]] == [0, 2, 0]


@case
def nothing_else_was_recorded():
    ours = [span for service, span in SPANS if service != "caller"]
    assert len(ours) == 9, [span["name"] for span in ours]
    assert len({span["spanId"] for _, span in SPANS}) == len(SPANS)


run()
