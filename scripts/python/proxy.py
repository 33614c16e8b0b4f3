"""Starts Envoy or HAProxy in front of one server, to which it keeps one HTTP/2 connection."""

import ctypes
import json
import signal
import socket
import subprocess
from pathlib import Path

# More than the shapes of any case open at once.
STREAMS = 1000
# Proxies have limits of their own; these let a list through that our server refuses.
FIELDS = 2000
HEADER_KIB = 64

HAPROXY = """
global
    nbthread 1
    tune.bufsize {header_bytes}
    tune.http.maxhdr {fields}
    tune.h2.max-concurrent-streams {streams}
defaults
    mode http
    timeout connect 5s
    timeout client 5m
    timeout server 5m
frontend callers
    bind 127.0.0.1:{port} proto h2
    default_backend servers
backend servers
    http-reuse always
    server one {address} proto h2
"""


def haproxy(port, address):
    """Its configuration."""
    sizes = {"header_bytes": HEADER_KIB << 10, "fields": FIELDS, "streams": STREAMS}
    return HAPROXY.format(port=port, address=address, **sizes)


def socket_address(address):
    host, port = address.rsplit(":", 1)
    return {"socket_address": {"address": host, "port_value": int(port)}}


def envoy(port, address):
    """Its configuration."""
    extensions = "type.googleapis.com/envoy.extensions"
    filters = f"{extensions}.filters"
    upgrade = f"{extensions}.upstreams.http.v3.HttpProtocolOptions"
    route = {
        "cluster": "servers",
        # No limit of its own, and the caller's deadline is the server's to keep.
        "timeout": "0s",
        "max_stream_duration": {"grpc_timeout_header_max": "0s"},
    }
    manager = {
        "@type": f"{filters}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "callers",
        "codec_type": "HTTP2",
        "max_request_headers_kb": HEADER_KIB,
        "common_http_protocol_options": {"max_headers_count": FIELDS},
        "http2_protocol_options": {"max_concurrent_streams": STREAMS},
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": route}],
                }
            ]
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{filters}.http.router.v3.Router"},
            }
        ],
    }
    chain = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    http2 = {"http2_protocol_options": {"max_concurrent_streams": STREAMS}}
    protocol = {"@type": upgrade, "explicit_http_config": http2}
    endpoint = {"endpoint": {"address": socket_address(address)}}
    listener = {
        "address": socket_address(f"127.0.0.1:{port}"),
        "filter_chains": [{"filters": chain}],
    }
    cluster = {
        "name": "servers",
        "type": "STATIC",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocol
        },
        "load_assignment": {
            "cluster_name": "servers",
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}})


def end_with_parent():
    """Ends this process with the one that started it, which a case that hangs makes exit."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


def start(name, program, folder, server):
    """Starts the proxy; it and its address. The log is beside the configuration."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configure, arguments = {
        # Each worker keeps a connection of its own.
        "envoy": (envoy, ["--concurrency", "1", "--use-dynamic-base-id", "-c"]),
        "haproxy": (haproxy, ["-db", "-f"]),
    }[name]
    # Envoy reads JSON as YAML.
    file = Path(folder) / f"{name}.yaml"
    file.write_text(configure(port, server))
    with open(Path(folder) / f"{name}.log", "w") as log:
        line = [program, *arguments, file]
        child = subprocess.Popen(line, stdout=log, stderr=log, preexec_fn=end_with_parent)
    return child, f"127.0.0.1:{port}"


def connections(address):
    """The callers' ends of the established connections to a server on this machine (proc(5))."""
    _, server = address.rsplit(":", 1)
    callers = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state = line.split()[:4]
        if state == "01" and int(remote.split(":")[1], 16) == int(server):
            callers.add(local)
    return callers
