"""LogServer: logs the records of other processes in this one."""

from __future__ import annotations

import logging
from typing import Any

from ..abc import Connector
from ..blocking.entities.base import BlockingServer
from ..blocking.handler_threads import Workers
from ..blocking.portal.portal import Portal
from ..entities import SimpleServer
from ..entities.entity import check_connector
from ..wire.limits import Limits
from .records import decode


class LogServer(SimpleServer):
    """Logs here what ThrowHandlers throw: ``await LogServer(connector).run()``

    The records of one process arrive once and in order, as throws do. Levels, filters, handlers and
    formatters of this process apply to them. Handlers run on the event loop; use
    logging.handlers.QueueHandler for slow ones.

    Args:
        connector: where ThrowHandlers find it.
        logger: gets all records; by default each record goes to the logger of its own name.
        limits, handshake_timeout, drain_timeout: as for SimpleServer.

    Each record has its formatted message, exceptions and stacks as text, process, thread and task, and the
    attributes that ``extra`` gave it, as far as JSON takes them.
    """

    def __init__(
        self,
        connector: Connector,
        logger: logging.Logger | None = None,
        *,
        limits: Limits | None = None,
        handshake_timeout: float = 5.0,
        drain_timeout: float = 30.0,
    ) -> None:
        super().__init__(
            connector,
            self._log,
            limits=limits,
            handshake_timeout=handshake_timeout,
            drain_timeout=drain_timeout,
        )
        self._logger = logger

    def _log(self, data: Any) -> None:
        if data is None:
            return  # the barrier of flush(): everything before it has been logged
        record = decode(data)
        logger = self._logger or logging.getLogger(record.name)
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)


class BlockingLogServer(BlockingServer[LogServer]):
    """A LogServer for programs without an event loop. ``BlockingLogServer(connector).run()``

    Args:
        connector, logger, limits, handshake_timeout, drain_timeout: as for LogServer.
        portal: its event loop runs the server and its handlers; None uses the shared one.
    """

    def __init__(
        self,
        connector: Connector,
        logger: logging.Logger | None = None,
        *,
        limits: Limits | None = None,
        handshake_timeout: float = 5.0,
        drain_timeout: float = 30.0,
        portal: Portal | None = None,
    ) -> None:
        check_connector(connector, type(self).__name__)
        core = LogServer(
            connector, logger, limits=limits, handshake_timeout=handshake_timeout, drain_timeout=drain_timeout
        )
        super().__init__(core, Workers(1), portal)
