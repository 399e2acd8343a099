"""What all entities have in common: beginning, running, end."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self

from ..abc import Connector
from ..exceptions import Closed
from ..wire.failure import Failure
from ..wire.greetings import OTHER, Reason
from ..wire.limits import Limits
from .connection.driver import SessionDriver
from .connection.receivers import ClosingLink
from .handling.handlers import Handler
from .handling.tasks import EagerTaskPool
from .signals import stop_signals

__all__ = ["Entity"]

logger = logging.getLogger("communica_like")

_NO_HEARTBEAT = 86_400.0
_ATTEMPTS = 3
_LAST_WORDS = 1.0  # seconds for cancelled handlers to end, and for links to close


class Entity(ABC):
    """Base of SimpleServer, SimpleClient, RouteServer and RouteClient.

    An entity belongs to the event loop on which it was started; it is not thread-safe. All its
    coroutines may be called by any number of tasks at once.

    Args:
        connector: how the two sides find each other.
        limits: bounds in bytes and seconds; see Limits. Where a session ends with its link (see
            ConnectorGuarantees.resumes), only a heartbeat other than the default gives up a silent one.
        drain_timeout: seconds that ``close()`` takes at most to deliver what was thrown and to let
            handlers end.
    """

    def __init__(self, connector: Connector, *, limits: Limits | None, drain_timeout: float) -> None:
        if not isinstance(connector, Connector):
            raise TypeError(f"a connector is expected, such as LocalConnector('name'), not {connector!r}")
        self.connector = connector
        self.limits = _fitting(limits or Limits(), connector)
        self.drain_timeout = drain_timeout
        self._pool: EagerTaskPool | None = None
        self._closing_links: set[ClosingLink] = set()
        self._closing: asyncio.Task[None] | None = None
        self._stop_asked: asyncio.Event | None = None
        self._stopped: asyncio.Event | None = None
        self._failure: BaseException | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.connector.dump_state()} {self.state}>"

    @property
    def state(self) -> str:
        """``"new"``, ``"running"``, ``"closing"`` or ``"closed"``."""
        if self._closing is not None:
            return "closed" if self._closing.done() else "closing"
        return "new" if self._pool is None else "running"

    @abstractmethod
    async def init(self, timeout: float | None = 0) -> Self:
        """Start. See the subclasses."""

    async def close(self, timeout: float | None = None) -> None:
        """Close: deliver what was thrown and let handlers end, then cancel them, then break the links.

        New calls, and requests that wait for their answers, raise Closed at once. Throws that other
        sides send meanwhile are still handled; their requests are turned away as not handled.

        Args:
            timeout: seconds for delivery and handlers; by default ``drain_timeout``. 0: none.

        May be called several times, and in any state. If it is cancelled, the links break at once and
        what was not delivered is lost; the log says how much.
        """
        if self._pool is None and self._closing is None:
            return
        if self._closing is None:
            allowed = self.drain_timeout if timeout is None else timeout
            self._closing = asyncio.get_running_loop().create_task(
                self._close(allowed), name=f"communica_like close {self!r}"
            )
        try:
            await asyncio.shield(self._closing)
        except asyncio.CancelledError:
            if not self._closing.done():
                self._closing.cancel()
                await asyncio.wait([self._closing])
            raise

    async def __aenter__(self) -> Self:
        return await self.init()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def run(self) -> None:
        """Start, and run until SIGINT, SIGTERM, ``stop()`` or ``wait_stop()``; then close.

        A second signal cuts the closing short. Signals are looked after only in the main thread; the
        handlers that were there before come back in the end. Cancelling it closes the entity too.

        Raises:
            RuntimeError: it is running already.
            Exception: what ``init()`` raises.
            ClientIdInUse: another client took over this client's id.
            ConnectionLost: a client's link broke, and its connector gives no other one.
        """
        if self._stop_asked is not None:
            raise RuntimeError(f"{self!r} is already running")
        self._stop_asked = asyncio.Event()
        self._stopped = asyncio.Event()
        self._failure = None
        try:
            with stop_signals(self.interrupt):
                start = asyncio.ensure_future(self.init())
                stop = asyncio.ensure_future(self._stop_asked.wait())
                try:
                    await asyncio.wait([start, stop], return_when=asyncio.FIRST_COMPLETED)
                    if start.done():
                        start.result()
                    await stop
                finally:
                    for task in (start, stop):
                        task.cancel()
                    await asyncio.wait([start, stop])
                    if not start.cancelled():
                        start.exception()
                    await self.close()
        finally:
            self._stop_asked = None
            self._stopped.set()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Make ``run()`` close the entity and return. Without ``run()`` it does nothing."""
        if self._stop_asked is not None:
            self._stop_asked.set()

    async def wait_stop(self) -> None:
        """Make ``run()`` close the entity, and wait until it has. Without ``run()`` it does nothing."""
        stopped = self._stopped
        if self._stop_asked is not None and stopped is not None:
            self.stop()
            await stopped.wait()

    def interrupt(self) -> None:
        """Do what a signal does under ``run()``: stop; or, if that was asked for, cut the closing short."""
        if self._stop_asked is not None and not self._stop_asked.is_set():
            self._stop_asked.set()
        elif self._closing is not None:
            logger.warning("%r: second signal, closing at once", self)
            asyncio.get_running_loop().call_soon(self._closing.cancel)  # after its first step

    # -- for subclasses

    def _fail(self, error: BaseException) -> None:
        """It cannot go on: ``run()`` ends with *error*."""
        self._failure = error
        self.stop()

    @abstractmethod
    def _peers(self) -> list[SessionDriver]:
        """Return the peers of all sessions."""

    @abstractmethod
    def _refuse_calls(self, error: Closed) -> None:
        """From now on calls raise *error*."""

    def _end_for_good(self, reason: Reason) -> None:
        """Nothing more is delivered."""
        for peer in self._peers():
            peer.end_for_good(reason)

    @abstractmethod
    async def _drain(self) -> None:
        """Wait until all is delivered and handled."""

    @abstractmethod
    async def _disconnect(self) -> None:
        """Stop listening or connecting. Peers have ended."""

    @abstractmethod
    def _handlers(self) -> Mapping[bytes, Handler]:
        """Return the handlers by encoded route."""

    @abstractmethod
    def _missing(self, route: str) -> Failure:
        """Return the failure of a request for a route that has no handler; Simple entities' is ``""``."""

    def _begin(self) -> EagerTaskPool:
        """Return the pool of a new life of this entity.

        Raises:
            RuntimeError: it is running.
        """
        if self._pool is not None and self._closing is None:
            raise RuntimeError(f"{self!r} is already started")
        if self._closing is not None and not self._closing.done():
            raise RuntimeError(f"{self!r} is still closing")
        self._closing = None
        self._pool = EagerTaskPool()
        self._closing_links = set()
        return self._pool

    def _not_running(self) -> Closed:
        if self.state == "new":
            return Closed(f"{self!r} is not started: use 'async with', or await its init()")
        return Closed(f"{self!r} is closed")

    async def _close(self, timeout: float) -> None:
        pool = self._pool
        assert pool is not None
        self._refuse_calls(Closed(f"{type(self).__name__} is closed"))
        now = asyncio.get_running_loop().time
        deadline = now() + timeout
        try:
            if timeout > 0:
                async with asyncio.timeout(timeout):
                    await self._drain()
        except TimeoutError:
            logger.warning("%r: not all was delivered and handled within %.1f s", self, timeout)
        except asyncio.CancelledError:
            deadline = 0.0
        try:
            await pool.close(max(_LAST_WORDS, deadline - now()) if deadline else 0.05)
        except asyncio.CancelledError:
            deadline = 0.0
        self._end_for_good(Reason(OTHER, f"{type(self).__name__} closed"))
        # Who cancels it does not wait for others any more, but what this side has open is closed.
        # Not for ever: a client library below may raise a cancellation that is nobody's.
        for _ in range(_ATTEMPTS):
            try:
                async with asyncio.timeout(None if deadline else _LAST_WORDS):
                    await self._disconnect()
                break
            except asyncio.CancelledError:
                deadline = 0.0  # it was given up half-way
            except TimeoutError:
                logger.warning("%r: not all was closed within %.1f s", self, _LAST_WORDS)
                break
        try:
            await pool.close(_LAST_WORDS if deadline else 0.05)  # what began during the first
            if self._closing_links:
                lingers = max(closing.link.lingers for closing in self._closing_links) if timeout > 0 else 0.0
                await asyncio.wait(
                    [f.gone for f in self._closing_links], timeout=_LAST_WORDS + lingers if deadline else 0.05
                )
        except asyncio.CancelledError:
            pass
        for closing in list(self._closing_links):
            closing.link.abort()


def _fitting(limits: Limits, connector: Connector) -> Limits:
    # A process that computes for a while is silent. Where another link saves the session, to give this one
    # up is cheap; where there is none, it would end the session, and a child process with it.
    if connector.guarantees.resumes or limits.heartbeat != Limits().heartbeat:
        return limits
    return replace(limits, heartbeat=_NO_HEARTBEAT)
