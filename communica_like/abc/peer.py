"""PeerIdentity: the process at the other end of a link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """The process at the other end of a link, as far as the medium tells.

    Attributes:
        transport: the scheme of the connector: ``"tcp"``, ``"local"``, ``"memory"``.
        address: where the link comes from or goes to, as text.
        pid, uid, gid: the ids of the process and its user and group, as the kernel reports them; None where
            it does not.
        certificate: the peer's TLS certificate as ``ssl.SSLSocket.getpeercert()`` returns it, or None.
    """

    transport: str
    address: str
    pid: int | None = None
    uid: int | None = None
    gid: int | None = None
    certificate: Mapping[str, Any] | None = None
