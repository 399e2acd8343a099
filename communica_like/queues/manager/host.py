"""QueueHost: holds queues in threads of this process, as a multiprocessing manager."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from .server import QueueServer


class QueueHost:
    """Holds queues for any number of processes, which use them as ManagerQueue, or with ipcq's client.

    It is an async context manager: ``async with QueueHost() as host: ...``. It serves in threads of this
    process, whatever the event loop does, and its queues end with it.

    Args:
        address: the path of a Unix socket, or host and port. None: a socket in this user's private directory;
            where there are no Unix sockets, a port on the loopback interface.
        authkey: what clients have to know; None: 32 random bytes. A process that knows it can run code in
            this one, since the protocol of managers is made of pickles.
        max_items: how many items a queue holds if its first user does not say; 0: as many as memory does.
        registry: what clients may create beside queues, in the form that ``BaseManager.register`` makes.

    Attributes:
        address: where clients find it: None until it is entered, if none was given; then also with the port
            that was chosen.
        authkey: what they have to know.

    Raises (``__aenter__``):
        AddressInUse: a live server serves the address. It is unharmed; what a dead one left is used again.
        InsecureAddress: everybody knows the key, and the address is not a Unix socket.
        LinkError: the address cannot be used.
        ValueError: the path is too long for a socket.
    """

    def __init__(
        self, address: str | tuple[str, int] | None = None, authkey: bytes | None = None, *,
        max_items: int = 0, registry: Mapping[str, tuple[Any, ...]] = MappingProxyType({}),
    ) -> None:
        if authkey is not None and not isinstance(authkey, bytes):
            raise TypeError(f"authkey must be bytes, not {type(authkey).__name__}")
        if max_items < 0:
            raise ValueError(f"a queue cannot hold {max_items} items; 0 means any number")
        self.address = address
        self.authkey = secrets.token_bytes(32) if authkey is None else bytes(authkey)
        self._max_items = max_items
        self._registry = registry
        self._server: QueueServer | None = None

    def __repr__(self) -> str:
        return f"QueueHost({self.address!r})"

    async def __aenter__(self) -> Self:
        if self._server is not None:
            raise RuntimeError("the host serves already")
        # multiprocessing takes longer to import than all of this library.
        server_module = import_module("communica_like.queues.manager.server")
        server = server_module.QueueServer(self.address, self.authkey, self._max_items, self._registry)
        server.start()
        self._server, self.address = server, server.address
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End all connections, and the queues. Calls of clients that wait raise ConnectionLost.

        If this is cancelled, the rest is done in the background.
        """
        server, self._server = self._server, None
        if server is not None:
            server.listening.release()  # at once: at the end of the interpreter, threads cannot be started
            await asyncio.shield(asyncio.to_thread(server.stop))
