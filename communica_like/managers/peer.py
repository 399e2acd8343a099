"""Which processes and keys may be at the other end of a manager's connection."""

from __future__ import annotations

import os
import socket
import sys
from typing import Final

from ..exceptions import InsecureAddress, PeerNotTrusted
from ..system.peer_credentials import peer_credentials

Address = str | tuple[str, int]

_WELL_KNOWN: Final = (b"", b"ipcq")  # also with NULs behind: HMAC pads keys with them


def address_text(address: Address) -> str:
    """Return an address as messages show it."""
    return address if isinstance(address, str) else f"{address[0]}:{address[1]}"


def check_key(address: Address, authkey: bytes | None) -> None:
    """Refuse a key that everybody knows, unless the address is a Unix socket.

    Raises:
        InsecureAddress: with this key, any user who reaches the address could run code here.
    """
    if isinstance(address, tuple) and authkey is not None and authkey.rstrip(b"\0") in _WELL_KNOWN:
        raise InsecureAddress(
            f"everybody knows the key {authkey!r}: give another authkey at {address_text(address)}, "
            f"where the kernel cannot tell users apart"
        )


def check_peer(sock: socket.socket, where: str, authkey: bytes) -> None:
    """Refuse the process at the other end of a Unix socket if it is another user's.

    Raises:
        PeerNotTrusted: it is; or the kernel does not tell, and everybody knows the key.
    """
    if sys.platform == "win32" or sock.family != socket.AF_UNIX:
        return
    uid, me = peer_credentials(sock)[1], os.getuid()
    if uid is None and authkey.rstrip(b"\0") in _WELL_KNOWN:
        raise PeerNotTrusted(f"this system does not tell whose process is at {where}: give another authkey")
    if uid not in (None, 0, me):  # root may do everything anyway
        raise PeerNotTrusted(f"the process at {where} is user {uid}'s, and this one is user {me}'s")
