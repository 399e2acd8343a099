"""When a session's data is written to its link: at once, in bursts, or at the end of the loop's turn."""

from __future__ import annotations

import asyncio
from typing import Final

from ...abc import Link
from ...session import Session

# A long burst is written in pieces, so that the other side begins with the first while this side still
# works on the next: BURST requests or responses, or so many throws.
THROW_BURST: Final = 128
_PIECE_SIZE: Final = 64 * 1024
"""Bytes that make a piece."""


class Writer:
    """Gives the link what the session has to send.

    Attributes:
        link: where to; None: what the session has to send waits in it.
        held: whether what is written waits for the ``flush`` that ends the reading of a batch.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._scheduled = False
        self._messages = 0
        self._bytes = 0
        self.link: Link | None = None
        self.held = False

    def written(self, size: int, burst: int) -> None:
        """The session was given a message of *size* bytes; *burst* of them make a piece."""
        self._messages += 1
        self._bytes += size
        if self.held:
            return
        if self._messages >= burst or self._bytes >= _PIECE_SIZE:
            self.flush()
        elif not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush_soon)

    def flush(self) -> None:
        """Give the link what it takes, now."""
        self._messages = self._bytes = 0
        link = self.link
        if link is None or not link.writable:
            return
        session = self._session
        if not session.bulk.busy:
            if data := session.data_to_send(0.0):
                link.send(data)
            return
        now = self._loop.time()
        while data := session.data_to_send(now):
            link.send(data)
            if not (session.more_to_send and link.writable):
                break

    def _flush_soon(self) -> None:
        self._scheduled = False
        self.flush()
