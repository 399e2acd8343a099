"""What tests of StdioConnector need: its child, and clients that are closed in any case."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from communica_like import SimpleClient, StdioConnector
from tests.queues.process.programs import lives, soon

__all__ = ["PATIENCE", "ROOT", "WORKER", "Stage", "lives", "soon", "staged", "worker"]

PATIENCE = 40.0
ROOT = Path(__file__).parents[3]
WORKER = [sys.executable, "-m", "tests.connectors.stdio.worker_program"]


def worker(*options: str, **arguments: Any) -> StdioConnector:
    """Return the connector of a child."""
    arguments.setdefault("cwd", ROOT)
    arguments.setdefault("stop_timeout", PATIENCE)
    return StdioConnector([*WORKER, *options], **arguments)


class Stage:
    """Starts clients, and keeps what their children write to stderr."""

    def __init__(self) -> None:
        self.stderr = b""
        self.clients: list[SimpleClient] = []

    def on_stderr(self, data: bytes) -> None:
        self.stderr += data

    def connector(self, *options: str, **arguments: Any) -> StdioConnector:
        return worker(*options, on_stderr=self.on_stderr, **arguments)

    async def client(
        self, *options: str, handler: Callable[..., Any] | None = None, **arguments: Any
    ) -> SimpleClient:
        """Start a child, and return its client."""
        client = SimpleClient(self.connector(*options, **arguments), handler)
        self.clients.append(client)
        return await asyncio.wait_for(client.init(), PATIENCE)

    async def holder(self) -> int:
        """Return the pid that the child wrote to stderr when it started a grandchild."""
        await soon(lambda: re.search(rb"holder \d+\n", self.stderr) is not None)
        found = re.search(rb"holder (\d+)\n", self.stderr)
        assert found
        return int(found[1])


@contextlib.asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    stage = Stage()
    try:
        yield stage
    finally:
        for client in stage.clients:
            await client.close(0)
