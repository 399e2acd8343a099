"""What clients and servers stand on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..abc import PeerIdentity

__all__ = ["ClientInfo", "DuplicatePolicy"]

DuplicatePolicy = Literal["refuse", "replace"]


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """One client of a server.

    Attributes:
        client_id: who it says it is.
        peer: who the link says it is.
        connected: False while its link is broken and its session waits for it to come back.
    """

    client_id: str
    peer: PeerIdentity | None
    connected: bool
