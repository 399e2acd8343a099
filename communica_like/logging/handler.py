"""ThrowHandler: a logging handler that throws records to a LogServer."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import Any, Final

from ..abc import Connector
from ..blocking.portal.portal import Portal, shared_portal
from ..connectors import connector_from
from ..entities import Backoff
from ..exceptions import Closed
from ..system import fork
from ..wire.limits import Limits
from .backlog import Backlog
from .records import encode, notice
from .shipment import Shipment

__all__ = ["ThrowHandler"]

logger = logging.getLogger("communica_like")

_SILENT: Final = ("communica_like", "asyncio")  # what these say may be about this handler itself
_START: Final = 1.0  # seconds that the first record waits at most for the event loop to be there
_PLAIN: Final = logging.Formatter()

_of_parents: Final[list[Shipment]] = []  # kept: a task that is dropped complains of it


class ThrowHandler(logging.Handler):
    """Throws records to a LogServer, which logs them: ``logger.addHandler(ThrowHandler(connector))``

    Any thread may log, and the child of a fork too, which makes a connection of its own. The caller makes
    the record into JSON and leaves it in a bounded backlog; one coroutine on the portal's loop throws what is
    there. The first record starts that, which may take it a moment. Records wait until the server is there,
    and for the next one when it dies, as throws do.

    Args:
        connector: where the LogServer is; or its URL, for configuration files.
        level: as for all handlers.
        block: seconds that a call may wait when the backlog is full. Then the record is dropped.
        max_waiting_bytes: of the backlog; each record counts 64 more than it has. As many as
            ``Limits.outbox`` says are on their way beside that.
        drain_timeout: seconds for delivery, of ``flush`` and of ``close``.
        limits, backoff: as for SimpleClient.
        portal: whose event loop it uses; None: the one that all share.

    Where records were dropped, the server gets one that says how many; the first time the log here does, too.
    Records of the loggers ``communica_like`` and ``asyncio`` are left out, and so are those that were thrown
    to this address before. A formatter that is set here makes text of exceptions; all else is formatted where
    it is logged. At exit what is in the backlog is delivered within ``drain_timeout``.

    Raises:
        ValueError: the URL is wrong.
    """

    _portal: Portal | None
    _shipment: Shipment | None
    _told: bool

    def __init__(
        self,
        connector: Connector | str,
        level: int | str = logging.NOTSET,
        *,
        block: float = 0.0,
        max_waiting_bytes: int = 8 << 20,
        drain_timeout: float = 5.0,
        limits: Limits | None = None,
        backoff: Backoff | None = None,
        portal: Portal | None = None,
    ) -> None:
        if isinstance(connector, str):
            connector = connector_from(connector)
        if not isinstance(connector, Connector):
            raise TypeError(f"a connector or its URL is expected, not {connector!r}")
        self._connector = connector
        self._url = connector.dump_state()
        self._block = block
        self._bound = max_waiting_bytes
        self._options = (limits, backoff, drain_timeout)
        self._given_portal = portal
        self._begin_anew()
        super().__init__(level)  # last: from here on logging.shutdown() knows of it
        fork.reset_in_child(self, ThrowHandler._forget_parents)

    def __repr__(self) -> str:
        return f"<ThrowHandler {self._url} ({logging.getLevelName(self.level)}), {self.dropped} dropped>"

    @property
    def dropped(self) -> int:
        """How many records there was no room for, or came after ``close``, in this process."""
        return self._backlog.dropped

    def handle(self, record: logging.LogRecord) -> bool:
        """Filter the record and ``emit`` it, under no lock: who waits for room keeps nobody else waiting."""
        passed: Any = self.filter(record)  # from Python 3.12 on it may be another record
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        result: bool = passed
        return result

    def emit(self, record: logging.LogRecord) -> None:
        """Leave the record to be thrown. It raises nothing, and waits no longer than ``block``."""
        if record.name.partition(".")[0] in _SILENT:
            return
        try:
            via = getattr(record, "via", [])
            if self._url in via:
                return
            data = encode(record, self.formatter or _PLAIN, [*via, self._url])
            if self._shipment is None:
                self._start()
            if self._backlog.put(data, 0.0 if self._on_the_loop() else self._block):
                if self._shipment is not None:
                    self._shipment.wake()
            elif not self._told and not self._backlog.closed:
                self._told = True
                logger.warning("%r: there is no room for more records", self)
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        """Wait until the server has logged all records, at most ``drain_timeout``.

        One of over 32 KiB may still be under way, and with it those that came after. On the loop's own
        thread, and in a forked process that has logged nothing, it does nothing.
        """
        portal, shipment = self._portal, self._shipment
        if shipment is not None and portal is not None and not self._on_the_loop():
            with contextlib.suppress(Closed):  # by another thread, meanwhile
                portal.run(shipment.flush())

    def close(self) -> None:
        """Deliver all records, for at most ``drain_timeout``, and end. Later ones are dropped and counted."""
        if self._on_the_loop():
            raise RuntimeError("closing on the event loop's own thread would wait for itself")
        if self._starter is not None:
            self._started.wait(_START)
        with self._starting:
            portal, self._portal = self._portal, None
            shipment, self._shipment = self._shipment, None
            self._backlog.close()
        try:
            if portal is not None and shipment is not None:
                portal.run(shipment.close())
        finally:
            if portal is not None:
                portal.leave(self._user)
            super().close()

    # -- inside

    def _begin_anew(self) -> None:
        self._backlog = Backlog(self._bound, lambda count: notice(count, [self._url]))
        self._starting = threading.RLock()
        self._started = threading.Event()
        self._starter: threading.Thread | None = None
        self._user: object = None
        self._told = False
        self._portal = None
        self._shipment = None
        given = self._given_portal
        self._target = given if given is not None and given.here else shared_portal()

    def _on_the_loop(self) -> bool:
        return self._target.is_own_thread

    def _start(self) -> None:
        # In a thread of its own: this may be the loop's, or one that is just starting or stopping the loop.
        with self._starting:
            if self._starter is not None or self._backlog.closed:
                return
            self._starter = threading.Thread(target=self._start_here, name="communica_like logging")
            try:
                self._starter.start()
            except RuntimeError:  # the interpreter exits
                self._backlog.close()
                self._started.set()
        if not self._on_the_loop():
            self._started.wait(_START)

    def _start_here(self) -> None:
        try:
            portal = self._target
            user = portal.enter(self.close)

            async def start() -> Shipment:
                shipment = Shipment(self._connector, self._backlog, *self._options)
                await shipment.start()
                return shipment

            shipment = portal.run(start())
            with self._starting:
                self._portal, self._user, self._shipment = portal, user, shipment
            shipment.wake()
        except Exception:
            logger.exception("%r: cannot start", self)
        finally:
            self._started.set()

    def _forget_parents(self) -> None:
        # In a forked child: the parent's records and connections are the parent's to throw.
        if self._shipment is not None:
            _of_parents.append(self._shipment)
        self._begin_anew()
