"""Opening a queue at a manager: of a QueueHost, or of another program."""

from __future__ import annotations

from typing import Any

from ...exceptions import LinkError
from ...managers.client import dial, request
from ...managers.peer import Address, address_text
from .client import HostClient
from .ipcq_client import IpcqClient
from .protocol import ATTACH_QUEUE, VERSION
from .remote import RemoteQueue


def open_queue(address: Address, authkey: bytes, ident: Any, max_items: int) -> RemoteQueue:
    """Return a connection to a queue. Blocking, but not for more than some seconds.

    Raises:
        LinkRefused, AuthenticationError, InsecureAddress, LinkError: as ``dial``.
    """
    where = address_text(address)
    connection = dial(address, authkey, foreign=True)
    try:
        if connection.foreign:
            connection.close()
            return IpcqClient(address, authkey, ident)
        capacity = request(connection, None, ATTACH_QUEUE, VERSION, ident, max_items)
        return HostClient(connection.detach(), where, capacity)
    except BaseException as exc:
        connection.close()
        if isinstance(exc, LinkError) or not isinstance(exc, Exception):
            raise
        raise LinkError(f"the manager at {where} refuses the queue {ident!r}: {exc}") from exc
