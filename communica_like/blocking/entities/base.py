"""What blocking clients and servers have in common."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from abc import abstractmethod
from asyncio import Future
from collections.abc import Callable, Coroutine, Iterator
from types import FrameType
from typing import Any, Final, Generic, Self, TypeVar

from ...abc import Connector
from ...entities.client import Client
from ...entities.entity import Entity
from ...entities.server import Server
from ...exceptions import Closed
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
    """

    state = Attribute(Entity.state)
    connector = Attribute[Connector]("How the two sides find each other.")
    drain_timeout = Attribute[float]("Seconds that ``close`` takes at most for delivery and handlers.")
    default_timeout = Attribute[float | None]("Seconds for calls that name no timeout; None: no limit.")
    limits = Attribute[Limits]("This side's limits.")

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

    def __exit__(self, *_: object) -> None:
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
                with _signals(portal.loop, self._core.interrupt) as running:

                    async def run() -> None:
                        running.set_result(None)  # interrupts will come after the first step of run()
                        await self._core.run()

                    portal.run(run())
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
        if self._core.state == "new":
            return Closed(f"{self!r} is not started: use 'with', or call its init()")
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


@contextlib.contextmanager
def _signals(loop: asyncio.AbstractEventLoop, interrupt: Callable[[], object]) -> Iterator[Future[None]]:
    """Call *interrupt* on the loop for each SIGINT and SIGTERM, once the future is done. Main thread only."""
    running = Future[None](loop=loop)
    former: dict[int, Any] = {}

    def signaled(number: int, frame: FrameType | None) -> None:
        # Nothing may wait here: the code that is interrupted may be about to wake the loop.
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(running.add_done_callback, lambda _: interrupt())

    if threading.current_thread() is threading.main_thread():
        former = {number: signal.signal(number, signaled) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield running
    finally:
        for number, handler in former.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
