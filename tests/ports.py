"""TCP ports for servers that are to come, or to come again."""

from __future__ import annotations

import errno
import itertools
import os
import socket

__all__ = ["free_port"]

# Lower than those that the system gives to outgoing connections, and to servers that ask for any.
_FIRST = 18_000
_EACH = 1_000  # for each of up to twelve workers of pytest-xdist: none takes another's

_numbers = itertools.count(os.getpid())


def free_port() -> int:
    """Return a port that was free on both loopback addresses a moment ago."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for number in itertools.islice(_numbers, _EACH):
        port = _FIRST + worker % 12 * _EACH + number % _EACH
        if all(map(_may_be_bound, (socket.AF_INET, socket.AF_INET6), ("127.0.0.1", "::1"), (port, port))):
            return port
    raise AssertionError("no free port")


def _may_be_bound(family: int, host: str, port: int) -> bool:
    try:
        with socket.socket(family) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
    except OSError as exc:
        return exc.errno != errno.EADDRINUSE  # there may be no IPv6
    return True
