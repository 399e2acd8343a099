"""HostClient: the connection of a ManagerQueue to a queue of a QueueHost, or to another program's."""

from __future__ import annotations

import queue
import socket
from typing import Any

from ...exceptions import LinkError
from ...managers.client import dial, request
from ...managers.peer import Address, address_text
from .ipcq_client import IpcqClient
from .protocol import ATTACH_QUEUE, LARGE, VERSION, Frame, Item, Kind, join_frame
from .remote import Lease, RemoteQueue
from .request_channel import RequestChannel


class HostClient(RemoteQueue):
    """One queue of a QueueHost.

    What changes the queue for good, ACK, COMMIT and POST, is sent whole, and with nothing unsent before it.
    So a call that has returned is heard, whatever becomes of this process.

    Args:
        sock: connected to the queue; this object owns it from now on.
        where: the host's address, for messages.
        capacity: how many items the queue holds; 0: any number.
    """

    def __init__(self, sock: socket.socket, where: str, capacity: int) -> None:
        self.capacity = capacity
        self._channel = RequestChannel(sock, where)
        self._puts = 0  # that wait for room

    @property
    def lost(self) -> bool:
        return self._channel.lost

    # -- from any thread

    def get_nowait(self, lease: Lease) -> None:
        lease.number = self._channel.new_number()
        lease.item = self._channel.call(lease.number, Kind.GET, now=True).item
        if lease.item is None:
            lease.void()
            raise queue.Empty

    def put_nowait(self, item: Item) -> None:
        if self._may_post(item):
            self._channel.commit(join_frame(Kind.POST, 0, item))
            return
        number = self._channel.new_number()
        if self._channel.call(number, Kind.PUT, item, now=True).kind is Kind.REFUSED:
            raise queue.Full
        self._commit(number)

    def ack(self, lease: Lease) -> None:
        self._channel.commit(join_frame(Kind.ACK, lease.number))

    def back(self, lease: Lease, *, acked: bool) -> None:
        if acked:
            self._channel.send(join_frame(Kind.UNACK, lease.number, lease.item))
        else:
            self._channel.give_back(lease.number)

    def size(self) -> Frame:
        return self._channel.call(self._channel.new_number(), Kind.SIZE)

    def task_done(self) -> None:
        done = self._channel.call(self._channel.new_number(), Kind.TASK_DONE, unknown=True)
        if done.kind is Kind.REFUSED:
            raise ValueError("task_done() called too many times")

    # -- from the event loop

    async def get(self, lease: Lease, timeout: float | None) -> None:
        lease.number = self._channel.new_number()
        answer = await self._channel.ask(lease.number, Kind.GET, timeout=timeout)
        if answer.kind is Kind.REFUSED:
            raise queue.Empty
        if self._channel.unsent:
            await self._channel.until_sent(lease.number)
        lease.item = answer.item

    async def put(self, item: Item, timeout: float | None) -> None:
        if self._may_post(item) and self._channel.try_commit(join_frame(Kind.POST, 0, item)):
            return
        number = self._channel.new_number()
        self._puts += 1
        try:
            answer = await self._channel.ask(number, Kind.PUT, item, timeout=timeout)
            if answer.kind is Kind.REFUSED:
                raise queue.Full
            if self._channel.unsent:
                await self._channel.until_sent(number)
            self._commit(number)
        finally:
            self._puts -= 1

    async def join(self) -> None:
        await self._channel.ask(self._channel.new_number(), Kind.JOIN)

    def close(self) -> None:
        self._channel.close()

    # --

    def _may_post(self, item: Item) -> bool:
        # Not before items of others here that wait for an answer.
        return not self.capacity and len(item.data) <= LARGE and not self._puts

    def _commit(self, number: int) -> None:
        try:
            self._channel.commit(join_frame(Kind.COMMIT, number))
        except BaseException:
            self._channel.give_back(number)
            raise


def open_queue(address: Address, authkey: bytes, ident: Any, max_items: int) -> RemoteQueue:
    """Return a connection to a queue. Blocking, but not for more than some seconds.

    Raises:
        LinkRefused, AuthenticationError, InsecureAddress, LinkError: as ``dial``.
    """
    where = address_text(address)
    with dial(address, authkey, foreign=True) as connection:
        try:
            if connection.foreign:
                connection.close()
                return IpcqClient(address, authkey, ident)
            capacity = request(connection, None, ATTACH_QUEUE, VERSION, ident, max_items)
            return HostClient(connection.detach(), where, capacity)
        except LinkError:
            raise
        except Exception as exc:
            raise LinkError(f"the manager at {where} refuses the queue {ident!r}: {exc}") from exc
