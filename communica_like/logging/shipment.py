"""Shipment: the asyncio side of ThrowHandler, a client that throws a backlog."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

from ..entities import SimpleClient
from ..exceptions import CommunicaError, MessageTooBig
from .backlog import Backlog

logger = logging.getLogger("communica_like")

BARRIER: Final = b"null"
"""A request that the server answers after it has logged everything before it."""


class Shipment:
    """Throws the records of a backlog from ``start`` to ``close``. Only ``wake`` is thread-safe.

    Args:
        client: of the server; ``flush`` and ``close`` take no longer than its ``drain_timeout``.
        backlog: what to throw.
    """

    _loop: asyncio.AbstractEventLoop
    _throwing: asyncio.Task[None]

    def __init__(self, client: SimpleClient, backlog: Backlog) -> None:
        self._client = client
        self._backlog = backlog
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._awake = False

    async def start(self) -> None:
        """Start throwing; the server may start later."""
        self._loop = asyncio.get_running_loop()
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

    async def flush(self) -> None:
        """Wait until the server has logged the backlog, or until the time limit."""
        with contextlib.suppress(TimeoutError, CommunicaError):
            async with asyncio.timeout(self._client.drain_timeout):
                await self._emptied()
                await self._client.request(BARRIER, idempotent=True)

    async def close(self) -> None:
        """Deliver the backlog within the time limit, then stop."""
        deadline = self._loop.time() + self._client.drain_timeout
        self._backlog.close()
        try:
            async with asyncio.timeout(self._client.drain_timeout):
                await self._emptied()
        except TimeoutError:
            logger.warning("%d log records were not delivered", len(self._backlog))
        finally:
            self._throwing.cancel()
            await asyncio.wait([self._throwing])
            await self._client.close(max(0.0, deadline - self._loop.time()))

    async def _emptied(self) -> None:
        self._empty.clear()
        self._filled.set()
        if not self._throwing.done():
            await self._empty.wait()

    async def _throw_all(self) -> None:
        while True:
            self._awake = False
            while (record := self._backlog.first()) is not None:
                self._empty.clear()
                try:
                    await self._client.throw(record)
                except MessageTooBig:
                    self._backlog.drop()
                except CommunicaError as error:
                    logger.error("log records are no longer thrown: %s", error)
                    self._backlog.close()
                    self._empty.set()
                    return
                self._backlog.done()
            self._empty.set()
            await self._filled.wait()
            self._filled.clear()
