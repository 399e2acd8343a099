"""Whose process is at the other end of a Unix socket: what the kernel says."""

from __future__ import annotations

import socket
import struct
import sys


def peer_credentials(sock: socket.socket) -> tuple[int | None, int | None, int | None]:
    """Return the pid, uid and gid of the other process; None where the kernel does not tell."""
    if sys.platform == "linux":
        # struct ucred, see SO_PEERCRED in unix(7)
        return struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    elif sys.platform == "darwin":
        # struct xucred, see LOCAL_PEERCRED in sys/un.h
        uid, groups, gid = struct.unpack_from("4xih2xi", sock.getsockopt(0, 1, 76))
        return None, uid, gid if groups else None
    else:
        return None, None, None
