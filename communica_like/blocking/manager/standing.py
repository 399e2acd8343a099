"""The server that ``get_server`` returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...queues.manager_address import ListeningAddress
from ...queues.queue_server import QueueServer

__all__ = ["StandingServer"]


class StandingServer(QueueServer):
    """Serves while ``serve_forever`` lasts. Its address is taken from the beginning.

    Args:
        address, authkey, max_items, registry: as for QueueHost.

    Attributes:
        address: as clients know it.
        stop_event: whoever sets it ends ``serve_forever``.
    """

    def __init__(
        self,
        address: str | tuple[str, int] | None,
        authkey: bytes,
        max_items: int,
        registry: Mapping[str, tuple[Any, ...]],
    ) -> None:
        self._place = ListeningAddress(address)
        super().__init__(self._place.socket, self._place.address, authkey, max_items, registry)

    def serve_forever(self) -> None:
        """Serve until ``stop_event`` is set, or Ctrl-C, after which it returns; or another exception."""
        try:
            self.start()
            self.stop_event.wait()
        except KeyboardInterrupt:
            pass
        finally:
            self._place.release()
            self.stop()
