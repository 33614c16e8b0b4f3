"""One gRPC call by hand, to see on the wire what libraries keep to themselves."""

import socket
import ssl
import struct

SECONDS = 20
# Room for any answer of a test, so that none has to be made while it comes.
WINDOW = 16 << 20


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name, value):
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def framed(data, compressed):
    """A message behind its prefix."""
    return struct.pack(">BI", compressed, len(data)) + data


def messages(body):
    """The messages in a body, each with its compressed flag."""
    found = []
    while body:
        flag, length = struct.unpack(">BI", body[:5])
        found.append((bool(flag), body[5 : 5 + length]))
        assert len(found[-1][1]) == length, "the body ends inside a message"
        body = body[5 + length :]
    return found


def dial(address, authority=None):
    """A connection: over TLS, which trusts the file `authority` alone, if there is one."""
    host, port = address.rsplit(":", 1)
    plain = socket.create_connection((host, int(port)), timeout=SECONDS)
    if authority is None:
        return plain
    settings = ssl.create_default_context(cafile=authority)
    settings.set_alpn_protocols(["h2"])
    return settings.wrap_socket(plain, server_hostname="localhost")


def raw_call(address, path, body, accepted=b"identity", sent=None, authority=None):
    """The body of the answer to one call, as it is on the wire; none when the call failed."""
    fields = {
        b":method": b"POST",
        b":scheme": b"https" if authority else b"http",
        b":path": path.encode(),
        b"content-type": b"application/grpc",
        b"te": b"trailers",
        b"grpc-accept-encoding": accepted,
    }
    if sent:
        fields[b"grpc-encoding"] = sent
    head = b"".join(literal(*field) for field in fields.items())
    with dial(address, authority) as peer:
        window = frame(4, 0, 0, struct.pack(">HI", 4, WINDOW))
        window += frame(8, 0, 0, struct.pack(">I", WINDOW))
        peer.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + window)
        peer.sendall(frame(1, 4, 1, head))
        for at in range(0, len(body), 16_000):
            peer.sendall(frame(0, 0, 1, body[at : at + 16_000]))
        peer.sendall(frame(0, 1, 1, b""))
        stream, answer = peer.makefile("rb"), b""
        while True:
            start = stream.read(9)
            kind, flags = start[3], start[4]
            payload = stream.read(int.from_bytes(start[:3], "big"))
            if kind == 0:
                answer += payload
            if kind == 1 and flags & 1:
                return answer
