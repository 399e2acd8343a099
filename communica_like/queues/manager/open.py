"""Opening a queue at a manager: of a QueueHost, or of another program."""

from __future__ import annotations

from typing import Any

from ...aio.waiters import Line
from ...exceptions import LinkError
from ...managers.client import ATTACH_QUEUE, Address, address_text, dial
from ...managers.connection import limit_time
from .client import HostClient
from .ipcq_client import ForeignClient
from .protocol import VERSION
from .remote import RemoteQueue

__all__ = ["open_queue"]


def open_queue(
    address: Address, authkey: bytes, ident: Any, max_items: int, getters: Line, putters: Line
) -> RemoteQueue:
    """Return a connection to a queue. Blocking, but not for more than some seconds.

    Raises:
        LinkRefused, AuthenticationError, LinkError: as ``dial``.
    """
    where = address_text(address)
    connection = dial(address, authkey)
    try:
        connection.send((None, ATTACH_QUEUE, (VERSION, ident, max_items), {}))
        kind, answer = connection.recv()
    except (EOFError, OSError) as exc:
        connection.close()
        raise LinkError(f"the manager at {where} did not answer: {exc!r}") from exc
    except BaseException:
        connection.close()
        raise
    if kind == "#RETURN":
        sock = connection.detach()
        limit_time(sock, 0)
        return HostClient(sock, where, answer, getters, putters)
    connection.close()
    unknown = (f"{ATTACH_QUEUE!r} unrecognized", f"no attribute {ATTACH_QUEUE!r}")
    if not any(text in str(answer) for text in unknown):
        raise LinkError(f"the manager at {where} refuses the queue {ident!r}: {answer}")
    # It does not know the function, so it is no QueueHost.
    return ForeignClient(address, authkey, ident, getters, putters)
