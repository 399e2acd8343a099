"""What blocking clients and servers have in common."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from abc import abstractmethod
from collections.abc import Callable, Coroutine
from types import FrameType, TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from ...abc import Connector
from ...entities.client import Client
from ...entities.entity import Entity
from ...entities.server import Server
from ...wire.limits import Limits
from ..facade import Attribute, called
from ..lifecycle import Lifecycle

WORKERS: Final = 8
"""Threads for handlers, if nothing else is said."""

EntityT = TypeVar("EntityT", bound=Entity)
ClientT = TypeVar("ClientT", bound=Client)
ServerT = TypeVar("ServerT", bound=Server)


class BlockingEntity(Lifecycle[EntityT], Generic[EntityT]):
    """Base of the blocking entities. Any number of threads may call all of its methods, at any time.

    An entity that runs when the interpreter exits is closed: what was thrown is delivered within its drain
    time.

    Args:
        core: the async entity.
        workers: the threads for handlers.
        portal: whose loop it lives on; None: the one that all share.
    """

    def __repr__(self) -> str:
        return f"<blocking {self._core!r}>"

    state = Attribute(Entity.state)

    @property
    def connector(self) -> Connector:
        """How the two sides find each other."""
        return self._core.connector

    @property
    def drain_timeout(self) -> float:
        """Seconds that ``close`` takes at most for delivery and handlers."""
        return self._core.drain_timeout

    @property
    def default_timeout(self) -> float | None:
        """Seconds for requests and throws that name no timeout; None: no limit."""
        return self._core.default_timeout

    @property
    def limits(self) -> Limits:
        """This side's limits."""
        return self._core.limits

    @abstractmethod
    def init(self, timeout: float | None = None) -> Self:
        """Start. See the subclasses."""

    def _start(self, starting: Callable[[], Coroutine[Any, Any, object]]) -> Self:
        with self._stay() as portal:
            self._workers.start()
            portal.run(starting())
        return self

    def close(self, timeout: float | None = None) -> None:
        """Close: deliver what was thrown and let handlers end, then cancel them, then break the links.

        Args:
            timeout: seconds for delivery and handlers; by default ``drain_timeout``. 0: none.

        Calls that wait in other threads raise Closed. A handler in its thread cannot be stopped: it runs on,
        and its result is dropped. May be called several times, and in any state. Ctrl-C cuts it short. In a
        forked process it does nothing: the entity is its parent's.
        """
        portal = self._portal
        if portal is not None and portal.here:
            with self._stay() as portal:
                try:
                    portal.run(self._core.close(timeout))
                except BaseException:
                    if self._core.state == "running":  # it had not begun
                        portal.run(self._core.close(0))
                    raise

    def __enter__(self) -> Self:
        return self.init()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self) -> None:
        """Start, and run until SIGINT, SIGTERM or ``stop()``; then close.

        A second signal cuts the closing short. Signals are handled only in the main thread; the former
        signal handlers are restored in the end.

        Raises:
            RuntimeError: the entity is already running.
            Exception: what ``init()`` raises.
            ClientIdInUse: another client took over this client's id.
        """
        with self._stay() as portal:
            self._workers.start()
            try:
                with _Signals(portal.loop, self._core.interrupt) as signals:
                    portal.run(signals.heard_by(self._core.run))
            finally:
                if self._core.state == "closing":
                    portal.run(self._core.close())

    def wait_stop(self) -> None:
        """Make ``run()`` close the entity, and wait until it has. Without ``run()`` it does nothing."""
        portal = self._portal
        if portal is not None:
            portal.run(self._core.wait_stop())

    stop = called(Entity.stop)
    interrupt = called(Entity.interrupt)

    def _farewell(self) -> None:
        self.close()

    def _lives(self) -> bool:
        return self._core.state not in ("new", "closed")

    def _lifeless(self) -> Exception:
        return self._core._not_running()


class BlockingClient(BlockingEntity[ClientT], Generic[ClientT]):
    """What both kinds of clients share."""

    def init(self, timeout: float | None = None, *, wait: bool = True) -> Self:
        """Connect to the server, and return this client. Otherwise like the async ``init``.

        Args:
            timeout: seconds to wait for the server. None: as long as it takes. 0: one attempt.
            wait: False: return at once, and connect in the background.
        """
        return self._start(lambda: self._core.init(timeout, wait=wait))

    client_id = Attribute(Client.client_id)
    connected = Attribute(Client.connected)


class BlockingServer(BlockingEntity[ServerT], Generic[ServerT]):
    """What both kinds of servers share."""

    def init(self, timeout: float | None = None) -> Self:
        """Listen, and return this server. Otherwise like the async ``init``.

        Args:
            timeout: seconds to wait for the address. None: as long as it takes. 0: one attempt.
        """
        return self._start(lambda: self._core.init(timeout))

    path = Attribute(Server.path)
    address = Attribute(Server.address)
    clients = Attribute(Server.clients)


class _Signals:
    """Has *interrupt* called on the loop for each SIGINT and SIGTERM. Only the main thread can."""

    def __init__(self, loop: asyncio.AbstractEventLoop, interrupt: Callable[[], object]) -> None:
        self._loop = loop
        self._interrupt = interrupt
        self._former: dict[int, Any] = {}
        self._heard = False
        self._early = False

    async def heard_by(self, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Await ``run()``, which hears of signals from before its first step, too."""
        self._heard = True
        if self._early:
            self._loop.call_soon(self._interrupt)
        await run()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._former[number] = signal.signal(number, self._signalled)
        return self

    def __exit__(self, *_: object) -> None:
        for number, former in self._former.items():
            signal.signal(number, signal.SIG_DFL if former is None else former)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        # Nothing may wait here: the code that is interrupted may be about to wake the loop.
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        if self._heard:
            self._interrupt()
        else:
            self._early = True
