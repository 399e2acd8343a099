"""ThrowHandler: a logging handler that throws records to a LogServer."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import Any, Final

from ..abc import Connector
from ..blocking.portal.portal import Portal, shared_portal
from ..connectors import connector_from
from ..entities import Backoff, SimpleClient
from ..exceptions import Closed
from ..serializers import RawSerializer
from ..system import fork
from ..wire.limits import Limits
from .backlog import Backlog
from .records import encode, notice
from .shipment import Shipment

logger = logging.getLogger("communica_like")

_SILENT: Final = ("communica_like", "asyncio")  # their records may be about this handler itself
_START_TIMEOUT: Final = 1.0  # seconds that the first record waits for the event loop
_PLAIN: Final = logging.Formatter()

_of_parents: Final[list[Shipment]] = []  # referenced, because a pending task that is freed logs a complaint


class ThrowHandler(logging.Handler):
    """Throws records to a LogServer, which logs them: ``logger.addHandler(ThrowHandler(connector))``

    Any thread may log, and so may a forked child, which makes a connection of its own. The caller encodes the
    record as JSON and leaves it in a bounded backlog; one coroutine on the portal's loop throws it. The first
    record starts that coroutine, and may wait for it. Like all throws, records wait for a server, and for the
    next one if it dies.

    Args:
        connector: where the LogServer is; or its URL, for configuration files.
        level: as for all handlers.
        block: seconds that a call may wait while the backlog is full, before the record is dropped.
        max_waiting_bytes: capacity of the backlog; a record counts its size and 64 bytes. Another
            ``Limits.outbox`` bytes may be on their way.
        drain_timeout: seconds that ``flush`` and ``close`` may take to deliver records.
        limits, backoff: as for SimpleClient.
        portal: its event loop throws the records; None uses the shared one.

    After a drop the server gets a record with the number of dropped ones, and the first drop is logged here
    too. Records of the loggers ``communica_like`` and ``asyncio`` are left out, and so are records that came
    from the same address. A formatter that is set here formats exceptions; the server's process formats
    everything else. At exit the backlog is delivered within ``drain_timeout``.

    Raises:
        ValueError: the URL is malformed.
    """

    _shipment: Shipment | None
    _portal: Portal
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
        self._options: dict[str, Any] = {"limits": limits, "backoff": backoff, "drain_timeout": drain_timeout}
        self._given_portal = portal
        self._begin_anew()
        super().__init__(level)  # last, because logging.shutdown() then knows the handler
        fork.reset_in_child(self, ThrowHandler._forget_parents)

    def __repr__(self) -> str:
        return f"<ThrowHandler {self._url} ({logging.getLevelName(self.level)}), {self.dropped} dropped>"

    @property
    def dropped(self) -> int:
        """The number of records dropped in this process: without room, or after ``close``."""
        return self._backlog.dropped

    def handle(self, record: logging.LogRecord) -> bool:
        """Filter and ``emit`` the record without holding the lock, so that other threads need not wait."""
        passed: Any = self.filter(record)  # since Python 3.12 a filter may return another record
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        result: bool = passed
        return result

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record to be thrown. Raises nothing, and waits no longer than ``block``."""
        if record.name.partition(".")[0] in _SILENT:
            return
        try:
            via = getattr(record, "via", [])
            if self._url in via:
                return
            data = encode(record, self.formatter or _PLAIN, [*via, self._url])
            if self._shipment is None:
                self._start()
            if self._backlog.put(data, 0.0 if self._portal.is_own_thread else self._block):
                if self._shipment is not None:
                    self._shipment.wake()
            elif not self._told and not self._backlog.closed:
                self._told = True
                logger.warning("%r: the backlog is full, records are dropped", self)
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        """Wait until the server has logged all records, for at most ``drain_timeout``.

        A record of over 32 KiB may still be under way, and those after it. Does nothing on the loop's own
        thread, and in a forked child that has logged nothing.
        """
        shipment = self._shipment
        if shipment is not None and not self._portal.is_own_thread:
            with contextlib.suppress(Closed):  # closed by another thread in the meantime
                self._portal.run(shipment.flush())

    def close(self) -> None:
        """Deliver all records, for at most ``drain_timeout``, and stop.

        Later records are dropped and counted.
        """
        if self._portal.is_own_thread:
            raise RuntimeError("closing on the event loop's own thread would wait for itself")
        if self._starter is not None:
            self._started.wait(_START_TIMEOUT)
        with self._starting:
            shipment, self._shipment = self._shipment, None
            self._backlog.close()
        try:
            if shipment is not None:
                self._portal.run(shipment.close())
        finally:
            if shipment is not None:
                self._portal.leave(self._user)
            super().close()

    # -- inside

    def _begin_anew(self) -> None:
        self._backlog = Backlog(self._bound, lambda count: notice(count, [self._url]))
        self._starting = threading.RLock()
        self._started = threading.Event()
        self._starter: threading.Thread | None = None
        self._user: object = None
        self._told = False
        self._shipment = None
        given = self._given_portal
        self._portal = given if given is not None and given.here else shared_portal()

    def _start(self) -> None:
        # In a thread of its own: the caller may be the loop's thread, or one that starts or stops the loop.
        with self._starting:
            if self._starter is not None or self._backlog.closed:
                return
            self._starter = threading.Thread(target=self._start_here, name="communica_like logging")
            try:
                self._starter.start()
            except RuntimeError:  # the interpreter is exiting
                self._backlog.close()
                self._started.set()
        if not self._portal.is_own_thread:
            self._started.wait(_START_TIMEOUT)

    def _start_here(self) -> None:
        try:
            user = self._portal.enter(self.close)
            client = SimpleClient(self._connector, None, RawSerializer(), **self._options)
            shipment = Shipment(client, self._backlog)
            self._portal.run(shipment.start())
            with self._starting:
                self._user, self._shipment = user, shipment
            shipment.wake()
        except Exception:
            logger.exception("%r: cannot start", self)
        finally:
            self._started.set()

    def _forget_parents(self) -> None:
        # In a forked child: the parent throws its own records, over its own connection.
        if self._shipment is not None:
            _of_parents.append(self._shipment)
        self._begin_anew()
