"""A link that is not used any more, until it is really gone."""

from __future__ import annotations

import asyncio
from typing import Final

from ..abc import Link

__all__ = ["Farewell"]

_PATIENCE: Final = 5.0


class Farewell:
    """Closes a link and is its receiver for the rest of its life.

    Args:
        link: what was sent on it still goes out.
        others: the set this object leaves when the link is gone.

    Attributes:
        gone: done when the link is broken.
    """

    def __init__(self, link: Link, others: set[Farewell]) -> None:
        self.link = link
        loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[None] = loop.create_future()
        # Somebody who does not read must not keep the link for ever.
        self._patience = loop.call_later(_PATIENCE + link.lingers, link.abort)
        self._others = others
        others.add(self)
        link.receiver = self
        link.close()

    def data_received(self, data: bytes) -> None:
        """What comes late belongs to nobody; if a session goes on, it is sent again."""

    def link_writable(self) -> None:
        """Nothing more is written."""

    def link_broken(self, error: Exception | None) -> None:
        """As it was meant to be."""
        self._patience.cancel()
        self._others.discard(self)
        if not self.gone.done():
            self.gone.set_result(None)
