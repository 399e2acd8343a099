"""Who is at the other end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["PeerIdentity"]


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """What is known of the process at the other end of a link, and from whom.

    Attributes:
        transport: the scheme of the connector: ``"tcp"``, ``"local"``, ``"memory"``.
        address: where the link comes from or goes to, as text.
        pid, uid, gid: what the kernel says of the process, or None where it cannot tell.
        certificate: the peer's TLS certificate as ``ssl.SSLSocket.getpeercert()`` gives it, or None.
    """

    transport: str
    address: str
    pid: int | None = None
    uid: int | None = None
    gid: int | None = None
    certificate: Mapping[str, Any] | None = None
