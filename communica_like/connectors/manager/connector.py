"""ManagerConnector: links between two processes that meet at a multiprocessing manager's server."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, ClassVar, Final, Self

from ...abc import Connector, ConnectorGuarantees, Link, LinkReceiver, Listener
from ...aio.daemon_call import daemon_call
from ...exceptions import InsecureAddress, LinkError
from ..links.stream import StreamLink
from ..url import (
    check_authkey,
    check_host,
    check_text,
    is_loopback,
    join_host_port,
    join_url,
    split_host_port,
    split_url,
)

if sys.platform != "win32":
    from ..local.unix import socket_path

_MACHINERY: Final = "communica_like.connectors.manager.links"
_NOT_IN_NAMES: Final = re.compile(r"[/\\:\x00-\x1f\x7f]")

Address = str | tuple[str, int]


@dataclass(frozen=True, slots=True)
class ManagerConnector(Connector):
    """Links through the server of a ``multiprocessing`` manager, which runs in the listening process.

    Both sides prove that they know the key before anything that the other one sends is unpickled. Then the
    client asks for a link in the manager's protocol, and from there on its connection carries bytes only. On
    a Unix socket, both sides refuse processes of other users.

    The key is *authkey*, which is asked for once more as by other connectors. Without it, the server writes
    32 random bytes into a file that only this user can read, beside the socket (``<path>.key``; of a TCP
    address, in this user's private directory), and removes it when it closes. So two processes of one user
    meet without a key in their code. A process that knows the key can run code in the server's process.

    Args:
        address: a plain name: a Unix socket in this user's private directory, as LocalConnector's. Or the
            absolute path of one. Or host and port; a server on port 0 listens on a free one.
        authkey: the key, or None for one in a file.

    Raises:
        ValueError: the address is none of these.

    ``listen`` raises InsecureAddress for an address beyond loopback without *authkey*. Over TCP, both
    methods do so for a key that everybody knows.
    """

    scheme: ClassVar[str] = "manager"
    guarantees: ClassVar[ConnectorGuarantees] = ConnectorGuarantees(
        between_machines=True, notices_death="heartbeat"
    )

    address: Address
    authkey: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.address, tuple | list):
            object.__setattr__(self, "address", _checked_pair(tuple(self.address)))
        else:
            object.__setattr__(self, "address", _checked_name(self.address))
        check_authkey(self.authkey)

    async def connect(self, receiver: LinkReceiver) -> Link:
        where = self._locate()
        # multiprocessing takes longer to import than all of this library.
        links = import_module(_MACHINERY)
        attempt = links.Attempt()
        try:
            sock = await daemon_call(
                lambda: links.dial_link(where, self.authkey, attempt), lambda sock: sock.close()
            )
        except asyncio.CancelledError:
            attempt.end()  # before another one may begin
            raise
        link: StreamLink = links.new_link(lambda _: receiver, where, serving=False)
        try:
            await asyncio.get_running_loop().create_connection(lambda: link, sock=sock)
        except BaseException as exc:
            sock.close()
            if isinstance(exc, OSError):
                raise LinkError(f"cannot connect to {self.dump_state()}: {exc}") from exc
            raise
        if link.refused is not None:
            raise link.refused
        return link

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        where = self._locate()
        if self.authkey is None and isinstance(where, tuple) and not is_loopback(where[0]):
            raise InsecureAddress(f"{self.dump_state()} would be reached from other machines: give authkey=")
        listener: Listener = import_module(_MACHINERY).ManagerListener(self, accept)
        return listener

    def dump_state(self) -> str:
        return _url(self.address)

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        rest = split_url(text, cls.scheme)
        if rest.startswith("/") or ":" not in rest:
            return cls(rest, **secrets)
        return cls(split_host_port(rest, text), **secrets)

    @property
    def path(self) -> str | None:
        """The path of the socket; None if the address is a host and a port. See LocalConnector.path."""
        where = self._locate()
        return where if isinstance(where, str) else None

    def _locate(self) -> Address:
        if isinstance(self.address, tuple):
            return self.address
        if sys.platform == "win32":
            raise LinkError(f"this system has no Unix sockets for {self.dump_state()}: give host and port")
        else:
            return socket_path(self.address)


def _checked_name(name: Any) -> str:
    name = os.fspath(name)
    if not isinstance(name, str) or not name or "\x00" in name:
        raise ValueError(f"a ManagerConnector's address is a name, a path or (host, port), not {name!r}")
    if not name.startswith("/") and (name in (".", "..") or _NOT_IN_NAMES.search(name)):
        raise ValueError(
            f"a ManagerConnector's address is a plain name without slashes, colons or control characters, "
            f"an absolute path, or (host, port); not {name!r}"
        )
    check_text("a ManagerConnector's address", name)
    return name


def _checked_pair(pair: tuple[Any, ...]) -> tuple[str, int]:
    match pair:
        case (str(host), int(port)) if 0 <= port <= 65535:
            check_host(host, "ManagerConnector(({}, {}))")
            return host, int(port)
    raise ValueError(f"(host, port) is expected, with a port from 0 to 65535, not {pair!r}")


def _url(address: Address) -> str:
    if isinstance(address, str):
        return join_url(ManagerConnector.scheme, address, safe="/")
    return join_url(ManagerConnector.scheme, join_host_port(*address), safe="[]:")
