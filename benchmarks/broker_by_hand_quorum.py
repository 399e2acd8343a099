"""The same by hand with what a shared inbox promises: a quorum queue, acknowledgements, and confirms."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks import broker_by_hand
from benchmarks.arena import Handler
from benchmarks.confirmed_throws import ConfirmedThrows

__all__ = ["connect", "serve"]


@asynccontextmanager
async def serve(address: str, handler: Handler) -> AsyncIterator[object]:
    """Serve *handler* in a quorum queue, which is removed in the end."""
    async with broker_by_hand.serve(address, handler, quorum=True) as server:
        yield server


@asynccontextmanager
async def connect(address: str) -> AsyncIterator[ConfirmedThrows]:
    """Open a connection to the broker, and a channel with confirms for one client."""
    async with broker_by_hand.connect(address, confirms=True) as client:
        yield ConfirmedThrows(client)
