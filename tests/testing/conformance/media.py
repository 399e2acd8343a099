"""Where the sides of every connector meet. One that is not there yet joins when its scheme is known."""

from __future__ import annotations

import itertools
import os
import random
import socket
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from communica_like import LocalConnector, MemoryConnector, TcpConnector, connector_from
from communica_like.abc import Connector
from communica_like.connectors.registry import BUILT_IN, connector_class
from communica_like.testing.conformance import Meeting, meeting_of
from tests.ports import free_port
from tests.rmq_broker import SHARED

__all__ = ["MEDIA", "NEEDED", "VARIANTS", "Medium", "has_ipv6", "tls_connector"]

HERE = Path(__file__).parent
CERTIFICATES = HERE / "certificates"

Medium = Callable[[Path, bytes | None], Meeting]
"""Called with an empty folder whose path is short, and an authkey, returns a new meeting."""

_numbers = itertools.count(1)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def files_of(folder: Path) -> Callable[[], list[str]]:
    return lambda: [path.name for path in folder.iterdir()]


def memory(folder: Path, authkey: bytes | None) -> Meeting:
    return meeting_of(MemoryConnector(authkey=authkey))


def local(folder: Path, authkey: bytes | None) -> Meeting:
    meeting = meeting_of(LocalConnector(f"{folder}/{next(_numbers)}", authkey=authkey))
    return meeting._replace(leftovers=files_of(folder))


def tcp4(folder: Path, authkey: bytes | None) -> Meeting:
    return meeting_of(TcpConnector("127.0.0.1", free_port(), authkey=authkey))


def tcp6(folder: Path, authkey: bytes | None) -> Meeting:
    return meeting_of(TcpConnector("::1", free_port(), authkey=authkey))


def tls_connector(role: str, address: str = "tcp://localhost:0", **secrets: Any) -> Connector:
    """Return the connector of a "server" or a "client" with the certificate of the tests."""
    if role == "server":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATES / "certificate.pem", CERTIFICATES / "key.pem")
    else:
        context = ssl.create_default_context(cafile=CERTIFICATES / "certificate.pem")
    return connector_from(address, ssl=context, **secrets)


def tcp_tls(folder: Path, authkey: bytes | None) -> Meeting:
    return Meeting(
        tls_connector("server", authkey=authkey),
        lambda address: tls_connector("client", address, authkey=authkey),
        program=lambda role: [sys.executable, str(HERE / "tls_program.py"), role],
    )


# -- connectors known by their URL


def by_url(url: str, authkey: bytes | None) -> Meeting:
    return meeting_of(connector_from(url, authkey=authkey))


def posixmq(folder: Path, authkey: bytes | None) -> Meeting:
    name = f"{folder.name}-{next(_numbers)}"
    listed = Path("/dev/mqueue")
    meeting = by_url(f"posixmq:///{name}", authkey)
    return meeting._replace(leftovers=lambda: [path.name for path in listed.glob(f"*{folder.name}*")])


def sysv(folder: Path, authkey: bytes | None) -> Meeting:
    before = dead_sysv_queues()
    meeting = by_url(f"sysv://{random.randint(1 << 20, (1 << 31) - 1)}", authkey)
    return meeting._replace(leftovers=lambda: sorted(left_for_good(dead_sysv_queues() - before)))


def left_for_good(queues: set[str]) -> set[str]:
    """Return which of these queues stay: those of other tests, which run beside this one, go with them."""
    deadline = time.monotonic() + 10.0
    while queues and time.monotonic() < deadline:
        time.sleep(0.02)
        queues &= dead_sysv_queues()
    return queues


def dead_sysv_queues() -> set[str]:
    """The ids of queues whose last users have ended, see proc(5)."""
    table = Path("/proc/sysvipc/msg")
    found = set()
    for line in table.read_text().splitlines()[1:] if table.exists() else []:
        _, ident, _, _, _, sender, receiver, owner, *_ = line.split()
        pids = {int(sender), int(receiver)} - {0}
        if int(owner) == os.getuid() and pids and not any(Path(f"/proc/{pid}").exists() for pid in pids):
            found.add(ident)
    return found


def in_folder(scheme: str) -> Medium:
    def make(folder: Path, authkey: bytes | None) -> Meeting:
        meeting = by_url(f"{scheme}://{folder}/{next(_numbers)}", authkey)
        return meeting._replace(leftovers=files_of(folder))

    return make


def stdio(folder: Path, authkey: bytes | None) -> Meeting:
    command = [sys.executable, "-m", "communica_like.testing.conformance.server", "stdio://-"]
    connector: Any = connector_class("stdio")
    client = connector(command, authkey=authkey)
    return Meeting(connector_from("stdio://-", authkey=authkey), lambda address: client, starts_server=True)


def rmq(folder: Path, authkey: bytes | None) -> Meeting:
    name = f"{folder.name}-{next(_numbers)}"
    host, port = SHARED
    return by_url(f"amqp://guest@{host}:{port}/?address={name}", authkey)


_ALL: dict[str, tuple[str, Medium]] = {
    "memory": ("memory", memory),
    "local": ("local", local),
    "tcp4": ("tcp", tcp4),
    "tcp6": ("tcp", tcp6),
    "tls": ("tcp", tcp_tls),
    "posixmq": ("posixmq", posixmq),
    "sysv": ("sysv", sysv),
    "fifo": ("fifo", in_folder("fifo")),
    "rmq": ("amqp", rmq),
    "manager": ("manager", in_folder("manager")),
    "stdio": ("stdio", stdio),
}

MEDIA: dict[str, Medium] = {name: medium for name, (scheme, medium) in _ALL.items() if scheme in BUILT_IN}
"""Every medium of a built-in connector."""

VARIANTS = {"tcp6", "tls"}
"""Media whose connector is among the others. With processes they are checked by ``nox -s chaos`` alone."""

NEEDED = {"posixmq": "posix_ipc", "sysv": "sysv_ipc", "rmq": "aiormq"}
"""Optional packages that media need."""
