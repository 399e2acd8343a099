"""TcpConnector: two processes on one machine or two, with or without TLS."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from ssl import SSLContext
from typing import Any, ClassVar, Final, Self

from ..abc import Connector, ConnectorGuarantees, Link, LinkReceiver, Listener, PeerIdentity
from ..exceptions import AddressInUse, InsecureAddress, LinkError, LinkRefused
from .links.stream import StreamLink, StreamListener, peer_address
from .url import check_authkey, check_host, is_loopback, join_host_port, join_url, split_host_port, split_url

_TLS_TIMEOUT: Final = 10.0
_ATTEMPTS: Final = 8  # to find a port that is free on all addresses

AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]


@dataclass(frozen=True, slots=True, repr=False)
class TcpConnector(Connector):
    """Links over TCP (RFC 9293), IPv4 and IPv6.

    Args:
        host: a name or address, without port; IPv6 addresses without brackets. A server listens on every
            address that the name resolves to, so ``"localhost"`` is IPv4 and IPv6. ``"0.0.0.0"`` and ``"::"``
            stand for all addresses of the machine.
        port: 0 to 65535. A server on port 0 listens on a free one; ``server.address`` has its number.
        ssl: an ``ssl.SSLContext`` for TLS: a server's with its certificate, a client's with the certificates
            that it trusts. *host* must match the certificate.
        authkey: a shared secret for a mutual challenge, or None. It authenticates both sides, but does not
            encrypt.
        insecure: allow a server beyond loopback with neither *ssl* nor *authkey*, which is refused with
            InsecureAddress otherwise.

    Raises:
        ValueError, TypeError: an argument is malformed.
    """

    scheme: ClassVar[str] = "tcp"
    guarantees: ClassVar[ConnectorGuarantees] = ConnectorGuarantees(
        between_machines=True, notices_death="heartbeat"
    )

    host: str
    port: int
    ssl: SSLContext | None = None
    authkey: bytes | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        check_host(self.host, "TcpConnector({}, {})")
        if not isinstance(self.port, int) or isinstance(self.port, bool) or not 0 <= self.port <= 65535:
            raise ValueError(f"port must be from 0 to 65535, not {self.port!r}")
        given: object = self.ssl
        if not isinstance(given, SSLContext | None):
            hint = ": TcpConnector(host, port, authkey=...)" if isinstance(given, bytes) else ""
            raise TypeError(f"ssl must be an ssl.SSLContext, not {type(given).__name__}{hint}")
        check_authkey(self.authkey)

    def __repr__(self) -> str:
        shown = {"ssl=...": self.ssl, "authkey=...": self.authkey, "insecure=True": self.insecure}
        given = "".join(f", {text}" for text, value in shown.items() if value)
        return f"TcpConnector({self.host!r}, {self.port!r}{given})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self.ssl is not None:
            text = "an SSLContext cannot be pickled: send dump_state(), and give ssl= to load_state() there"
            raise TypeError(text)
        return type(self), (self.host, self.port, None, self.authkey, self.insecure)

    async def connect(self, receiver: LinkReceiver) -> Link:
        errors: list[OSError] = []
        for info in await self._resolve():
            try:
                return await self._connect_to(info, receiver)
            except OSError as exc:
                errors.append(exc)
        text = f"cannot connect to {self.dump_state()}: {'; '.join(map(str, errors))}"
        if all(isinstance(exc, ConnectionRefusedError) for exc in errors):
            raise LinkRefused(text) from errors[0]
        raise LinkError(text) from errors[0]

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        infos = await self._resolve(passive=True)
        if not (self.ssl or self.authkey or self.insecure):
            exposed = [info[4][0] for info in infos if not is_loopback(info[4][0])]
            if exposed:
                text = f"{self.dump_state()} would be open to all who can reach {', '.join(exposed)}"
                raise InsecureAddress(f"{text}: give ssl= or authkey=, or insecure=True if that is intended")
        sockets = self._bind_all(infos)
        create = partial(asyncio.get_running_loop().create_server, partial(StreamLink, accept, _identify))
        if self.ssl:
            create = partial(create, ssl=self.ssl, ssl_handshake_timeout=_TLS_TIMEOUT)
        served = dataclasses.replace(self, port=sockets[0].getsockname()[1])
        return await StreamListener(served.dump_state(), sockets).start(create)

    def dump_state(self) -> str:
        return join_url(self.scheme, join_host_port(self.host, self.port), safe="[]:")

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        host, port = split_host_port(split_url(text, cls.scheme), text)
        return cls(host, port, **secrets)

    async def _resolve(self, *, passive: bool = False) -> list[AddressInfo]:
        loop = asyncio.get_running_loop()
        flags = socket.AI_PASSIVE if passive else 0
        try:
            found = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM, flags=flags)
        except (OSError, UnicodeError) as exc:
            raise LinkError(f"cannot resolve the host of {self.dump_state()}: {exc}") from exc
        return list(dict.fromkeys(found))  # a name may be in /etc/hosts twice

    async def _connect_to(self, info: AddressInfo, receiver: LinkReceiver) -> Link:
        loop = asyncio.get_running_loop()
        family, kind, protocol, _, address = info
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            await loop.sock_connect(sock, address)
            if sock.getsockname() == sock.getpeername():
                # A socket may connect to itself, at a port of the ephemeral range that has no server.
                raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
            link = StreamLink(lambda _: receiver, _identify)
            name = self.host if self.ssl else None
            await loop.create_connection(lambda: link, sock=sock, ssl=self.ssl, server_hostname=name)
        except BaseException:
            sock.close()
            raise
        return link

    def _bind_all(self, infos: list[AddressInfo]) -> list[socket.socket]:
        for _ in range(_ATTEMPTS if self.port == 0 else 0):
            with contextlib.suppress(AddressInUse):  # a port that is free on one address is in use on another
                return self._bind(infos)
        return self._bind(infos)

    def _bind(self, infos: list[AddressInfo]) -> list[socket.socket]:
        sockets: list[socket.socket] = []
        port = self.port
        error: OSError | None = None
        for family, _, _, _, address in infos:
            where = (address[0], port, *address[2:])
            try:
                sock = socket.create_server(where, family=family)
            except OSError as exc:
                if exc.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    error = exc  # such as on a machine without IPv6
                    continue
                for bound in sockets:
                    bound.close()
                if exc.errno == errno.EADDRINUSE:
                    raise AddressInUse(f"{self.dump_state()} is already served: {exc}") from exc
                raise LinkError(f"cannot serve {self.dump_state()}: {exc}") from exc
            sockets.append(sock)
            port = sock.getsockname()[1]  # the other addresses get the port that the first one was given
        if not sockets:
            raise LinkError(f"cannot serve {self.dump_state()}: {error}") from error
        return sockets


def _identify(transport: asyncio.BaseTransport) -> PeerIdentity:
    certificate = transport.get_extra_info("peercert") or None
    return PeerIdentity(TcpConnector.scheme, peer_address(transport), certificate=certificate)
