"""TcpConnector: two processes on one machine or two, over TCP, with or without TLS."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any, ClassVar, Final, Self

from ..abc import Connector, ConnectorGuarantees, Link, LinkReceiver, Listener, PeerIdentity
from ..exceptions import AddressInUse, InsecureAddress, LinkError, LinkRefused
from ..system import fork
from .links.stream import StreamLink
from .url import check_authkey, check_text, join_url, split_url

__all__ = ["TcpConnector"]

_BACKLOG: Final = 4096
_TLS_TIMEOUT: Final = 10.0
_ATTEMPTS: Final = 8  # to find a port that is free for all addresses
_NOT_IN_HOSTS: Final = re.compile(r"[/?#@\[\]\s\x00-\x1f\x7f]")

AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]


@dataclass(frozen=True, slots=True, repr=False)
class TcpConnector(Connector):
    """Links over TCP (RFC 9293), IPv4 and IPv6.

    Args:
        host: a name or address. A server listens on every address the name resolves to, so that
            ``"localhost"`` is IPv4 and IPv6; ``"0.0.0.0"`` and ``"::"`` mean all of the machine's.
        port: 0 to 65535; a server on port 0 listens on a free one, which ``server.address`` tells.
        ssl: an ``ssl.SSLContext`` for TLS: a server's with its certificate, a client's with whom it
            trusts. *host* must match the certificate.
        authkey: a shared secret for a mutual challenge, or None. It keeps strangers out; it does not
            encrypt.
        insecure: allow a server beyond loopback with neither *ssl* nor *authkey*; otherwise that is
            InsecureAddress.
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
        if not isinstance(self.host, str) or not self.host:
            raise ValueError(f"host must be a name or address, not {self.host!r}; for all: '0.0.0.0'")
        if _NOT_IN_HOSTS.search(self.host):
            raise ValueError(f"host must be a name or address without brackets and port, not {self.host!r}")
        check_text("host", self.host)
        if not isinstance(self.port, int) or isinstance(self.port, bool) or not 0 <= self.port <= 65535:
            raise ValueError(f"port must be from 0 to 65535, not {self.port!r}")
        if self.ssl is not None and not isinstance(self.ssl, SSLContext):
            raise TypeError(f"ssl must be an ssl.SSLContext, not {type(self.ssl).__name__}")
        check_authkey(self.authkey)

    def __repr__(self) -> str:
        shown = [repr(self.host), repr(self.port)]
        shown += ["ssl=..."] if self.ssl else []
        shown += ["authkey=..."] if self.authkey else []
        shown += ["insecure=True"] if self.insecure else []
        return f"TcpConnector({', '.join(shown)})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self.ssl is not None:
            raise TypeError(
                "an SSLContext cannot be pickled: send dump_state() instead, "
                "and give ssl= to load_state() at the other end"
            )
        return type(self), (self.host, self.port, None, self.authkey, self.insecure)

    async def connect(self, receiver: LinkReceiver) -> Link:
        loop = asyncio.get_running_loop()
        errors: list[OSError] = []
        for info in await self._resolve():
            sock: socket.socket | None = None
            try:
                sock = await _connected_socket(info)
                link = StreamLink(lambda _: receiver, _identify)
                await loop.create_connection(
                    lambda link=link: link,
                    sock=sock,
                    ssl=self.ssl,
                    server_hostname=self.host if self.ssl else None,
                )
            except BaseException as exc:
                if sock is not None:
                    sock.close()
                if not isinstance(exc, OSError):
                    raise
                errors.append(exc)
            else:
                return link
        text = f"cannot connect to {self.dump_state()}: {'; '.join(map(str, errors))}"
        if all(isinstance(exc, ConnectionRefusedError) for exc in errors):
            raise LinkRefused(text) from errors[0]
        raise LinkError(text) from errors[0]

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        loop = asyncio.get_running_loop()
        infos = await self._resolve(passive=True)
        if not (self.ssl or self.authkey or self.insecure):
            exposed = [info[4][0] for info in infos if not _is_loopback(info[4][0])]
            if exposed:
                raise InsecureAddress(
                    f"{self.dump_state()} would be open to everybody who reaches {', '.join(exposed)}: "
                    f"give ssl= or authkey=, or insecure=True if that is meant"
                )
        sockets = self._bind_all(infos)
        servers: list[asyncio.Server] = []
        try:
            for sock in sockets:
                server = await loop.create_server(
                    lambda: StreamLink(accept, _identify),
                    sock=sock,
                    backlog=_BACKLOG,
                    ssl=self.ssl,
                    ssl_handshake_timeout=_TLS_TIMEOUT if self.ssl else None,
                    start_serving=False,
                )
                servers.append(server)
            for server in servers:
                # By itself: cancelled in create_server, it would go on listening, out of reach.
                await server.start_serving()
        except BaseException:
            for server in servers:
                server.close()
            for sock in sockets:
                sock.close()
            raise
        port = sockets[0].getsockname()[1]
        return _TcpListener(_url(self.host, port), servers, [sock.fileno() for sock in sockets])

    def dump_state(self) -> str:
        return _url(self.host, self.port)

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        rest = split_url(text, cls.scheme)
        host, separator, port = rest.rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise ValueError(f"an IPv6 address belongs in brackets, in {text!r}")
        if not separator or not host or not port.isdecimal() or not port.isascii():
            raise ValueError(f"tcp://host:port is expected; found {text!r}")
        return cls(host, int(port), **secrets)

    async def _resolve(self, *, passive: bool = False) -> list[AddressInfo]:
        loop = asyncio.get_running_loop()
        flags = socket.AI_PASSIVE if passive else 0
        try:
            found = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM, flags=flags)
        except (OSError, UnicodeError) as exc:
            raise LinkError(f"cannot resolve the host of {self.dump_state()}: {exc}") from exc
        return list(dict.fromkeys(found))  # a name may be in /etc/hosts twice

    def _bind_all(self, infos: list[AddressInfo]) -> list[socket.socket]:
        for _ in range(_ATTEMPTS if self.port == 0 else 0):
            try:
                return self._bind(infos)
            except AddressInUse:
                pass  # free for the first address, taken for the next
        return self._bind(infos)

    def _bind(self, infos: list[AddressInfo]) -> list[socket.socket]:
        sockets: list[socket.socket] = []
        port = self.port
        error: OSError | None = None
        for family, kind, protocol, _, address in infos:
            try:
                sock = socket.socket(family, kind, protocol)
            except OSError as exc:
                error = exc  # a machine without IPv6, say
                continue
            try:
                if hasattr(socket, "AF_INET6") and family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, True)
                if os.name == "posix":
                    # A port in TIME_WAIT may be served again. On Windows it would allow theft.
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
                sock.bind((address[0], port, *address[2:]))
                sock.listen(_BACKLOG)
            except OSError as exc:
                sock.close()
                if exc.errno == errno.EADDRNOTAVAIL:
                    error = exc
                    continue
                for bound in sockets:
                    bound.close()
                if exc.errno == errno.EADDRINUSE:
                    raise AddressInUse(f"{self.dump_state()} is already served: {exc}") from exc
                raise LinkError(f"cannot serve {self.dump_state()}: {exc}") from exc
            sockets.append(sock)
            # The other addresses get the port that the first one was given.
            port = sock.getsockname()[1]
        if not sockets:
            raise LinkError(f"cannot serve {self.dump_state()}: {error}") from error
        return sockets


class _TcpListener(Listener):
    def __init__(self, address: str, servers: list[asyncio.Server], descriptors: list[int]) -> None:
        self.address = address
        self._servers = servers
        self._descriptors = descriptors
        for descriptor in descriptors:
            fork.add(descriptor)

    async def close(self) -> None:
        while self._descriptors:
            fork.discard(self._descriptors.pop())
        for server in self._servers:
            server.close()


def _url(host: str, port: int) -> str:
    bracketed = f"[{host}]" if ":" in host else host
    return join_url(TcpConnector.scheme, f"{bracketed}:{port}", safe="[]:")


def _identify(transport: asyncio.BaseTransport) -> PeerIdentity:
    name = transport.get_extra_info("peername")
    address = f"[{name[0]}]:{name[1]}" if name and ":" in name[0] else ":".join(map(str, name or ("?",)))
    return PeerIdentity("tcp", address, certificate=transport.get_extra_info("peercert") or None)


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


async def _connected_socket(info: AddressInfo) -> socket.socket:
    family, kind, protocol, _, address = info
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)
        if sock.getsockname() == sock.getpeername():
            # A port in the ephemeral range that nobody serves may connect to itself.
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    except BaseException:
        sock.close()
        raise
    return sock
