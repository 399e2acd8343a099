"""Protect a TCP server with a shared key, first without TLS and then with it.

The part with TLS needs the program openssl to make a certificate. Without openssl it is skipped.
"""

import asyncio
import secrets
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path

from communica_like import SimpleClient, SimpleServer, TcpConnector, connector_from
from communica_like.exceptions import AuthenticationError, InsecureAddress


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a self-signed certificate for localhost. Return its path and the key's."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    new_certificate = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*new_certificate, *names, *files], check=True, capture_output=True)
    return certificate, key


async def talk(server_tls: ssl.SSLContext | None, client_tls: ssl.SSLContext | None) -> None:
    authkey = secrets.token_bytes(32)  # in real programs, both sides read it from a file or a variable
    # Port 0: the system chooses a free one.
    connector = TcpConnector("localhost", 0, ssl=server_tls, authkey=authkey)
    async with SimpleServer(connector, str.upper) as server:
        # The URL holds neither key nor certificates.
        friend = connector_from(server.address, ssl=client_tls, authkey=authkey)
        async with SimpleClient(friend) as client:
            print("with the key:", await client.request("hello"))
        stranger = connector_from(server.address, ssl=client_tls, authkey=b"a guess")
        try:
            await SimpleClient(stranger).init()
        except AuthenticationError as error:
            print("with another:", error)


async def main() -> None:
    try:
        await SimpleServer(TcpConnector("0.0.0.0", 0), str.upper).init()
    except InsecureAddress as error:
        print("Without a key or TLS, not beyond this machine:", error)
    print("\nWith a key:")
    await talk(None, None)
    if shutil.which("openssl") is None:
        print("\nThere is no program openssl here to make a certificate: no TLS.")
        return
    print("\nWith a key and TLS:")
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = make_certificate(Path(folder))
        server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server_tls.load_cert_chain(certificate, key)
        client_tls = ssl.create_default_context(cafile=str(certificate))
        await talk(server_tls, client_tls)


if __name__ == "__main__":
    asyncio.run(main())
