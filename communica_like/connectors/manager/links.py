"""The two ends of a ManagerConnector, which need multiprocessing."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import secrets
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from ...abc import Link, LinkReceiver, Listener, PeerIdentity
from ...exceptions import AuthenticationError, LinkError
from ...managers.client import Attempt, dial, request
from ...managers.connection import SocketConnection
from ...managers.listening import ListeningAddress
from ...managers.peer import Address, address_text
from ...managers.server import ManagerServer
from ..links.stream import StreamLink, peer_address
from .connector import ManagerConnector
from .key_file import KeyFile, read_key, remove_key

if sys.platform != "win32":
    from ...system import state_directory
    from ..local import unix

logger = logging.getLogger("communica_like")

_OPEN: Final = "communica_like_link"
_VERSION: Final = 1
_KEY_TIMEOUT: Final = 0.5  # seconds that a server has to write its key, or to remove its address after it
_POLL_INTERVAL: Final = 0.02


def dial_link(address: Address, authkey: bytes | None, attempt: Attempt) -> socket.socket:
    """Return a socket on which the server's link is at the other end. Blocking, but not for long.

    Args:
        authkey: the server's key; None: that in its file.
        attempt: may end this.

    Raises:
        LinkRefused: no process serves there.
        AuthenticationError: the server has another key, or one that this process cannot find.
        InsecureAddress: the key is one that everybody knows, and the address no Unix socket.
        LinkError: any other failure.
    """
    if authkey is not None:
        return _open(address, authkey, attempt)
    if isinstance(address, str):
        return _open_with_file(address, attempt)
    failure = LinkError(f"{address_text(address)} has no address")
    for found in _found(*address):
        try:
            return _open_with_file(found, attempt)
        except LinkError as exc:
            failure = exc
    raise failure


def _found(host: str, port: int) -> list[tuple[str, int]]:
    """Return what a name stands for: each of its addresses has a key of its own."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as exc:
        raise LinkError(f"cannot connect to the manager at {address_text((host, port))}: {exc}") from exc
    return [(str(each[4][0]), port) for each in found]


def _open_with_file(address: Address, attempt: Attempt) -> socket.socket:
    key_path = _key_path(address)
    deadline = time.monotonic() + _KEY_TIMEOUT
    while True:
        key = read_key(key_path)
        try:
            # Without the key, this tells whether a server is there.
            return _open(address, key or secrets.token_bytes(32), attempt)
        except AuthenticationError as exc:
            if time.monotonic() >= deadline or (key is not None and key == read_key(key_path)):
                if key is None:
                    text = f"the server at {address_text(address)} wants an authkey: {key_path} is not there"
                    raise AuthenticationError(text) from exc
                raise
        time.sleep(_POLL_INTERVAL)


def _open(address: Address, key: bytes, attempt: Attempt) -> socket.socket:
    with dial(address, key, attempt=attempt) as connection:
        try:
            version = request(connection, None, _OPEN, _VERSION)
        except LinkError:
            raise
        except Exception as exc:
            raise LinkError(f"the manager at {address_text(address)} gives no links: {exc}") from exc
        if version != _VERSION:
            raise LinkError(f"the manager at {address_text(address)} has links of version {version}")
        return connection.detach()


class _LinkServer(ManagerServer):
    def __init__(
        self, listening: ListeningAddress, authkey: bytes, take: Callable[[socket.socket], object]
    ) -> None:
        super().__init__(listening, authkey, {})
        self.public = ["dummy", _OPEN]
        self._take = take

    def communica_like_link(self, conn: SocketConnection, version: int) -> Any:
        """Turn the connection into a link."""
        if version != _VERSION:
            return _VERSION
        conn.send(("#RETURN", version))
        self._take(self.keep(conn))
        return None


def new_link(accept: Callable[[Link], LinkReceiver], where: Address, *, serving: bool) -> StreamLink:
    """Return a link to be connected; over a Unix socket it tells when the other process ends."""

    def identify(transport: asyncio.BaseTransport) -> PeerIdentity:
        if sys.platform != "win32" and isinstance(where, str):
            found = unix._identify(transport, where, serving=serving)
            return dataclasses.replace(found, transport=ManagerConnector.scheme)
        return PeerIdentity(ManagerConnector.scheme, peer_address(transport))

    if sys.platform != "win32" and isinstance(where, str):
        return unix.UnixLink(accept, identify)
    return StreamLink(accept, identify)


def _key_path(where: Address) -> str:
    if isinstance(where, str):
        return f"{where}.key"
    if sys.platform == "win32":
        raise LinkError("on this system nothing keeps a key from other users: give authkey=")
    else:
        return str(state_directory() / f"manager-{where[0]}-{where[1]}.key")


class ManagerListener(Listener):
    """Serves links at the address of a connector. See Connector.listen."""

    def __init__(self, connector: ManagerConnector, accept: Callable[[Link], LinkReceiver]) -> None:
        self._loop = asyncio.get_running_loop()
        self._accept = accept
        self._arriving: set[asyncio.Task[Any]] = set()
        self._closed = False
        self._key_file: KeyFile | None = None
        authkey = connector.authkey
        listening = ListeningAddress(connector._locate(), authkey)
        self._where = listening.address
        try:
            if isinstance(self._where, tuple):
                connector = dataclasses.replace(connector, address=self._where)
            self.address = connector.dump_state()
            if authkey is None:
                bound = self._where
                if isinstance(bound, tuple):
                    bound = listening.socket.getsockname()[:2]  # not a name, which may stand for several
                self._key_file = KeyFile(_key_path(bound))
                authkey = self._key_file.key
            elif isinstance(self._where, str):
                # One that a dead server left would mislead clients.
                remove_key(_key_path(self._where))
            self._server = _LinkServer(listening, authkey, self._take)
            self._server.start()
        except BaseException:
            self._remove_key()
            listening.close()
            raise

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._remove_key()
            self._server.listening.release()
            await asyncio.shield(asyncio.to_thread(self._server.stop))

    def _remove_key(self) -> None:
        if self._key_file is not None:
            self._key_file.remove()  # before another server may come, and use it

    def _take(self, sock: socket.socket) -> None:
        try:
            self._loop.call_soon_threadsafe(self._adopt, sock)
        except RuntimeError:  # the loop is closed
            sock.close()

    def _adopt(self, sock: socket.socket) -> None:
        task = self._loop.create_task(self._become_link(sock))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    async def _become_link(self, sock: socket.socket) -> None:
        try:
            link = new_link(self._accept, self._where, serving=True)
            await self._loop.connect_accepted_socket(lambda: link, sock)
        except BaseException as exc:
            sock.close()
            if not isinstance(exc, OSError):
                raise
            logger.info("a link broke before it began: %s", exc)
