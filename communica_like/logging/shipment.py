"""Shipment: the asyncio side of ThrowHandler, a client that throws a backlog."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from ..abc import Connector
from ..entities import Backoff, SimpleClient
from ..exceptions import CommunicaError, MessageTooBig
from ..serializers import RawSerializer
from ..wire.limits import Limits
from .backlog import Backlog

logger = logging.getLogger("communica_like")

BARRIER: Final = b"null"
"""A request that the server answers after it has logged everything before it."""


class Shipment:
    """Throws the records of a backlog from ``start`` to ``close``. Only ``wake`` is thread-safe.

    Args:
        connector: where the server is.
        backlog: what to throw.
        limits, backoff: as for SimpleClient.
        drain_timeout: the most seconds that ``flush`` and ``close`` take.
    """

    def __init__(
        self,
        connector: Connector,
        backlog: Backlog,
        limits: Limits | None,
        backoff: Backoff | None,
        drain_timeout: float,
    ) -> None:
        self._client = SimpleClient(
            connector, None, RawSerializer(), limits=limits, backoff=backoff, drain_timeout=drain_timeout
        )
        self._backlog = backlog
        self._drain_timeout = drain_timeout
        self._loop = asyncio.get_running_loop()
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._awake = False
        self._throwing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start throwing; the server may start later."""
        await self._client.init(wait=False)
        self._throwing = self._loop.create_task(self._throw_all(), name="communica_like log records")

    def wake(self) -> None:
        """Tell the loop that the backlog has records. Any thread may call it."""
        if not self._awake:
            self._awake = True
            try:
                self._loop.call_soon_threadsafe(self._filled.set)
            except RuntimeError:
                pass  # the loop is closed, and so is this

    async def flush(self) -> bool:
        """Wait until the server has logged the backlog; return False after the time limit."""
        try:
            async with asyncio.timeout(self._drain_timeout):
                await self._emptied()
                await self._client.request(BARRIER, idempotent=True)
        except (TimeoutError, CommunicaError):
            return False
        return True

    async def close(self) -> None:
        """Deliver the backlog within the time limit, then stop."""
        deadline = self._loop.time() + self._drain_timeout
        self._backlog.close()
        try:
            async with asyncio.timeout(self._drain_timeout):
                await self._emptied()
        except TimeoutError:
            logger.warning("%d log records were not delivered", len(self._backlog))
        finally:
            if self._throwing is not None:
                self._throwing.cancel()
                await asyncio.wait([self._throwing])
            await self._client.close(max(0.0, deadline - self._loop.time()))

    async def _emptied(self) -> None:
        self._empty.clear()
        self._filled.set()
        if self._throwing is not None and not self._throwing.done():
            await self._empty.wait()

    async def _throw_all(self) -> None:
        while True:
            self._awake = False
            while (record := self._backlog.first()) is not None:
                self._empty.clear()
                try:
                    await self._client.throw(record)
                except MessageTooBig:
                    self._backlog.done()
                    self._backlog.drop()
                except CommunicaError as error:
                    logger.error("log records are no longer thrown: %s", error)
                    self._backlog.close()
                    self._empty.set()
                    return
                else:
                    self._backlog.done()
            self._empty.set()
            await self._filled.wait()
            self._filled.clear()
