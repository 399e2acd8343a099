"""What all entities have in common: beginning, running, end."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from math import inf
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar

from ..abc import Connector
from ..arguments import check_kind, check_seconds
from ..exceptions import Closed
from ..wire.greetings import OTHER, Reason
from ..wire.limits import Limits
from .backends import Backend
from .handling.handlers import Handler
from .handling.responses import Missing
from .handling.runner import HandlerSet
from .handling.tasks import EagerTaskPool
from .signals import stop_signals

Timeout = float | Literal["default"] | None
"""Seconds for a call; ``"default"``: the entity's ``default_timeout``; None: no limit."""

logger = logging.getLogger("communica_like")

B = TypeVar("B", bound=Backend)

_NO_HEARTBEAT: Final = 86_400.0
_DISCONNECT_ATTEMPTS: Final = 3
_END_TIMEOUT = 1.0  # for cancelled handlers to end, and for links to close
_HURRIED_END_TIMEOUT: Final = 0.05  # the same after close() was cancelled


class Entity(ABC):
    """Base of SimpleServer, SimpleClient, RouteServer and RouteClient.

    An entity belongs to the event loop on which it was started; it is not thread-safe. All its
    coroutines may be called by any number of tasks at once.

    Args:
        connector: how the two sides find each other.
        limits: bounds in bytes and seconds; see Limits. Where a session ends with its link (see
            ConnectorGuarantees.resumes), only a heartbeat other than the default gives up a silent one.
        default_timeout, drain_timeout: see SimpleClient.

    Raises:
        TypeError, ValueError: an argument is of another kind, or out of range.
    """

    _handlers: Mapping[bytes, Handler]  # by encoded route
    _missing: Missing

    def __init__(
        self, connector: Connector, limits: Limits | None, default_timeout: float | None, drain_timeout: float
    ) -> None:
        check_connector(connector, type(self).__name__)
        check_kind(limits, Limits | None, "limits is a Limits or None", "limits=Limits(heartbeat=1.0)")
        check_seconds("default_timeout", default_timeout, optional=True)
        check_seconds("drain_timeout", drain_timeout)
        self.connector = connector
        self.limits = _fitting(limits or Limits(), connector)
        self.default_timeout = default_timeout
        self.drain_timeout = drain_timeout
        self._pool: EagerTaskPool | None = None
        self._backend: Backend | None = None
        self._keeper: asyncio.Task[None] | None = None
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
    async def init(self, timeout: float | None = None) -> Self:
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

    @abstractmethod
    async def _drain(self) -> None:
        """Wait until all is delivered and handled."""

    def _begin(self, make_backend: Callable[[HandlerSet], B]) -> B:
        """Begin a new life with a new backend and a new pool of tasks; return the backend.

        Raises:
            RuntimeError: the entity is running.
        """
        if self._pool is not None and self._closing is None:
            raise RuntimeError(f"{self!r} is already started")
        if self._closing is not None and not self._closing.done():
            raise RuntimeError(f"{self!r} is still closing")
        pool = EagerTaskPool()
        self._backend = backend = make_backend(HandlerSet(self._handlers, self._missing, pool))
        self._pool = pool
        self._closing = self._keeper = None
        return backend

    def _keep(self, running: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run the backend in a task; if it fails, make ``run()`` end with the error."""
        self._keeper = asyncio.get_running_loop().create_task(running, name=f"communica_like {self!r}")
        self._keeper.add_done_callback(self._on_keeper_done)
        return self._keeper

    def _on_keeper_done(self, keeper: asyncio.Task[None]) -> None:
        if not keeper.cancelled() and (error := keeper.exception()) is not None:
            self._failure = error
            self.stop()

    def _seconds(self, timeout: Timeout) -> float | None:
        """Return the seconds that a call has; None: no limit."""
        if timeout == "default":
            return self.default_timeout
        if timeout is not None:
            check_seconds("timeout", timeout, least=-inf)
        return timeout

    def _not_running(self) -> Closed:
        if self.state == "new":
            return Closed(f"{self!r} is not started: use 'async with', or await its init()")
        return Closed(f"{self!r} is closed")

    async def _close(self, timeout: float) -> None:
        backend, pool = self._backend, self._pool
        assert backend is not None
        assert pool is not None
        name = type(self).__name__
        backend.refuse_calls(Closed(f"{name} is closed"))
        now = asyncio.get_running_loop().time
        deadline = now() + timeout
        hurried = False  # by a cancellation
        try:
            if timeout > 0:
                async with asyncio.timeout(timeout):
                    await self._drain()
        except TimeoutError:
            logger.warning("%r: not all was delivered and handled within %.1f s", self, timeout)
        except asyncio.CancelledError:
            hurried = True
        try:
            await pool.close(_HURRIED_END_TIMEOUT if hurried else max(_END_TIMEOUT, deadline - now()))
        except asyncio.CancelledError:
            hurried = True
        backend.end(Reason(OTHER, f"{name} closed"))
        # Even in a hurry, close what is open; but not without end, for a client library below may raise
        # cancellations of its own.
        for _ in range(_DISCONNECT_ATTEMPTS):
            allowed = _HURRIED_END_TIMEOUT if hurried else _END_TIMEOUT
            try:
                async with asyncio.timeout(_END_TIMEOUT if hurried else None):
                    await pool.close(allowed)  # what began during the first
                    await self._disconnect(allowed, timeout > 0 and not hurried)
                break
            except asyncio.CancelledError:
                hurried = True
            except TimeoutError:
                logger.warning("%r: not all was closed within %.1f s", self, _END_TIMEOUT)
                break

    async def _disconnect(self, timeout: float, linger: bool) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
            if not self._keeper.cancelled():
                self._keeper.exception()  # known, or of no interest any more
        assert self._backend is not None
        await self._backend.disconnect(timeout, linger)


def check_connector(given: object, owner: str) -> None:
    """Raise TypeError unless *given* is a connector; show the right call of the class *owner*."""
    if isinstance(given, Connector):
        return
    shown, right = repr(given), "LocalConnector('name')"
    if isinstance(given, str):
        scheme, separator, _ = given.partition("://")
        shown = repr(f"{scheme}://..." if separator else given)  # a URL may hold a password
        right = f"connector_from({shown})" if separator else f"LocalConnector({shown})"
    raise TypeError(f"a connector is expected, not {shown}: {owner}({right}, ...)")


def _fitting(limits: Limits, connector: Connector) -> Limits:
    # A process that computes for a while is silent. Giving up its link is cheap where another one saves the
    # session. Where there is none, it would end the session, and a child process with it.
    if connector.guarantees.resumes or limits.heartbeat != Limits().heartbeat:
        return limits
    return replace(limits, heartbeat=_NO_HEARTBEAT)
