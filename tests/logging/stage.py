"""A LogServer whose records are kept, and a logger with a ThrowHandler."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Iterator
from typing import Any

from communica_like import Backoff, connector_from
from communica_like.logging import BlockingLogServer, ThrowHandler

__all__ = ["Sink", "serving", "throwing"]

QUICK = Backoff(initial=0.001, maximum=0.02)

_numbers = itertools.count()


class Sink(logging.Handler):
    """Keeps records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def texts(self) -> list[str]:
        """Return the messages."""
        return [record.getMessage() for record in self.records]


@contextlib.contextmanager
def serving(url: str, sink: Sink | None = None, level: int = logging.DEBUG) -> Iterator[Sink]:
    """Serve, and log to a sink."""
    sink = sink or Sink()
    logger = logging.Logger(f"sink {next(_numbers)}", level)
    logger.addHandler(sink)
    with BlockingLogServer(connector_from(url), logger):
        yield sink


@contextlib.contextmanager
def throwing(url: str, **options: Any) -> Iterator[tuple[logging.Logger, ThrowHandler]]:
    """Give a logger that throws."""
    handler = ThrowHandler(url, backoff=QUICK, **options)
    logger = logging.Logger("app", logging.DEBUG)
    logger.addHandler(handler)
    try:
        yield logger, handler
    finally:
        handler.close()
