"""Writes the certificates that secure.py, the interoperability cases and their servers use into a
folder.

Usage: certificates.py FOLDER
"""

import sys
from pathlib import Path

import trustme

FOLDER = Path(sys.argv[1])
NAMES = ["localhost", "127.0.0.1"]


def write(name, blobs):
    FOLDER.joinpath(name).write_bytes(b"".join(blob.bytes() for blob in blobs))


def identity(name, certificate):
    write(f"{name}.pem", certificate.cert_chain_pems)
    write(f"{name}.key", [certificate.private_key_pem])


def main():
    authority, clients, stranger = trustme.CA(), trustme.CA(), trustme.CA()
    write("authority.pem", [authority.cert_pem])
    write("clients.pem", [clients.cert_pem])
    write("stranger.pem", [stranger.cert_pem])
    identity("server", authority.issue_cert(*NAMES))
    # The names of the certificate that gRPC's own test servers show.
    identity("interop", authority.issue_cert("*.test.google.fr", *NAMES))
    for number in range(20):
        identity(f"next{number}", authority.issue_cert(*NAMES))
    identity("client", clients.issue_cert("client.test"))
    identity("impostor", stranger.issue_cert("client.test"))


main()
