"""ListeningAddress: a Unix socket that cannot be stolen while it is served, or a TCP port."""

from __future__ import annotations

import errno
import itertools
import socket
import sys
from typing import Final

from ..exceptions import AddressInUse, LinkError
from .peer import Address, check_key

if sys.platform != "win32":
    from ..system import state_directory
    from ..system.socket_file import SocketFile

_BACKLOG: Final = 4096


class ListeningAddress:
    """A listening socket.

    Args:
        address: the path of a Unix socket, which is open to this user alone; or host and port; or None: a
            free socket in this user's private directory, or a free port of the loopback interface where there
            are no Unix sockets.
        authkey: the server's; None: one that others do not know.

    Raises:
        AddressInUse: a live server serves there.
        InsecureAddress: everybody knows the key, and the address is no Unix socket.
        LinkError: it cannot be used.
        ValueError: the path is too long for a socket.

    Attributes:
        socket: it does not block.
        address: as clients know it; of port 0, the one that was chosen.
    """

    def __init__(self, address: Address | None, authkey: bytes | None = None) -> None:
        self.address: Address
        self._file: SocketFile | None = None
        if sys.platform != "win32" and not isinstance(address, tuple):
            self._file, self.address = _free_file() if address is None else (SocketFile(address), address)
            self.socket = self._file.socket
        elif isinstance(address, str):
            raise LinkError("this system has no Unix sockets: give host and port")
        else:
            host, port = address or ("127.0.0.1", 0)
            check_key((host, port), authkey)
            self.socket = _bound(host, port)
            self.address = host, self.socket.getsockname()[1]

    def release(self) -> None:
        """Let other servers use the address. Before ``close``, or by it."""
        file, self._file = self._file, None
        if sys.platform != "win32" and file is not None:
            file.release()

    def close(self) -> None:
        """Release the address, and close the socket."""
        self.release()
        self.socket.close()


def _free_file() -> tuple[SocketFile, str]:
    # The lowest number that no live server has: so what dead ones left is used again.
    for number in itertools.count():
        path = str(state_directory() / f"queues-{number}")
        try:
            return SocketFile(path), path
        except AddressInUse:
            continue
    raise AssertionError("numbers end")


def _bound(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, where = found[0][0], found[0][4]
        both = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
        sock = socket.create_server(where, family=family, backlog=_BACKLOG, dualstack_ipv6=both)
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise AddressInUse(f"{host}:{port} is already served: {exc}") from exc
        raise LinkError(f"cannot serve {host}:{port}: {exc}") from exc
    sock.setblocking(False)
    return sock
