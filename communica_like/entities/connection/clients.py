"""The sessions of a server's clients."""

from __future__ import annotations

import asyncio
import itertools

from ...exceptions import ConnectionLost, RequestTimeout
from ...wire.greetings import Reason
from ..backends import ClientInfo, Clients
from ..handling.context import deadline_after
from .calls import SessionCalls
from .driver import SessionDriver


class ClientSessions(Clients):
    """The sessions of a server's clients.

    Attributes:
        drivers: by client id.
        closing: what calls raise when the server is closing, or None.
    """

    def __init__(self) -> None:
        self._turns = itertools.count()
        self._changed = asyncio.Event()
        self.drivers: dict[str, SessionDriver] = {}
        self.closing: Exception | None = None

    def infos(self) -> list[ClientInfo]:
        return [ClientInfo(d.client_id, d.dispatcher.peer, d.live) for d in self.drivers.values()]

    def find(self, client_id: str | None) -> SessionCalls | None:
        """Prefer clients with a live link. See Clients.find."""
        if client_id is not None:
            if client_id not in self.drivers:
                raise ConnectionLost(f"no client {client_id!r} is connected", sent=False)
            return self.drivers[client_id].calls
        drivers = list(self.drivers.values())
        if not drivers:
            return None
        live = [driver for driver in drivers if driver.live]
        return (live or drivers)[next(self._turns) % len(live or drivers)].calls

    async def wait(self, timeout: float | None) -> tuple[SessionCalls, float | None]:
        now = asyncio.get_running_loop().time
        began = now()
        try:
            async with asyncio.timeout_at(deadline_after(timeout, began)):
                while (calls := self.find(None)) is None:
                    if self.closing is not None:
                        raise self.closing
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as exc:
            raise RequestTimeout("no client came in time") from exc
        return calls, None if timeout is None else began + timeout - now()

    def add(self, driver: SessionDriver) -> None:
        """Add a client, and wake the calls that wait for one."""
        self.drivers[driver.client_id] = driver
        self._changed.set()

    def on_ended(self, driver: SessionDriver, reason: Reason | None) -> None:
        """The session of a client has ended."""
        if self.drivers.get(driver.client_id) is driver:
            del self.drivers[driver.client_id]

    def refuse_calls(self, error: Exception) -> None:
        """Make all calls raise *error*, waiting ones too."""
        self.closing = error
        self._changed.set()
        for driver in list(self.drivers.values()):
            driver.refuse_calls(error)
