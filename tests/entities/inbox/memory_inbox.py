"""A shared inbox within one process, without a broker."""

from __future__ import annotations

import asyncio
from collections import deque

from communica_like import MemoryConnector, PeerIdentity
from communica_like.abc.inbox import (
    ANSWER,
    Consumer,
    ConsumerUser,
    Delivery,
    Message,
    Publisher,
    PublisherUser,
    SharedInbox,
)

HERE = PeerIdentity("test", "here")


class MemoryInbox(SharedInbox):
    """Messages go to the only consumer, or wait for it."""

    def __init__(self) -> None:
        self.confirming = True
        self.forgotten: list[tuple[int, bool]] = []
        self.waiting: deque[tuple[MemoryPublisher, Message]] = deque()
        self.consumers: list[MemoryConsumer] = []

    def publisher(self, user: PublisherUser, /) -> MemoryPublisher:
        return MemoryPublisher(self, user)

    def consumer(self, user: ConsumerUser, /) -> MemoryConsumer:
        return MemoryConsumer(self, user)

    def deliver(self) -> None:
        while self.waiting and self.consumers:
            publisher, message = self.waiting.popleft()
            delivery = MemoryDelivery(self, publisher, message)
            self.consumers[0].deliveries[message.ident] = delivery
            self.consumers[0].user.take(delivery)


class MemoryEnd:
    """What both ends have: a connection that a test may break."""

    def __init__(self, inbox: MemoryInbox) -> None:
        self.inbox = inbox
        self.over: asyncio.Future[str] | None = None

    async def lost(self) -> str:
        assert self.over is not None
        return await asyncio.shield(self.over)

    def break_off(self) -> None:
        assert self.over is not None
        self.over.set_result("cut by the test")


class MemoryPublisher(MemoryEnd, Publisher):
    peer = HERE
    obstacle = "the test says so"

    def __init__(self, inbox: MemoryInbox, user: PublisherUser) -> None:
        super().__init__(inbox)
        self.user = user

    @property
    def connected(self) -> bool:
        return self.over is not None and not self.over.done()

    async def connect(self) -> None:
        self.over = asyncio.get_running_loop().create_future()

    def send(self, message: Message, /) -> None:
        self.inbox.waiting.append((self, message))
        asyncio.get_running_loop().call_soon(self.inbox.deliver)
        if self.inbox.confirming:
            asyncio.get_running_loop().call_soon(self.user.confirmed, message.ident)

    def forget(self, ident: int, /, *, cancel: bool = False) -> None:
        self.inbox.forgotten.append((ident, cancel))
        for consumer in self.inbox.consumers:
            if cancel and ident in consumer.deliveries:
                asyncio.get_running_loop().call_soon(consumer.user.cancel, consumer.deliveries[ident])

    async def close(self) -> None:
        self.over = None


class MemoryConsumer(MemoryEnd, Consumer):
    def __init__(self, inbox: MemoryInbox, user: ConsumerUser) -> None:
        super().__init__(inbox)
        self.user = user
        self.deliveries: dict[int, MemoryDelivery] = {}

    async def connect(self) -> None:
        self.over = asyncio.get_running_loop().create_future()
        self.inbox.consumers.append(self)
        asyncio.get_running_loop().call_soon(self.inbox.deliver)

    async def stop(self) -> None:
        if self in self.inbox.consumers:
            self.inbox.consumers.remove(self)

    async def close(self) -> None:
        await self.stop()
        self.over = None


class MemoryDelivery(Delivery):
    peer = HERE
    redelivered = False
    deliveries = None

    def __init__(self, inbox: MemoryInbox, publisher: MemoryPublisher, message: Message) -> None:
        self.message = message
        self._inbox = inbox
        self._publisher = publisher

    def ack(self, kind: int = ANSWER, body: bytes | None = None) -> None:
        if body is not None:
            loop = asyncio.get_running_loop()
            loop.call_soon(self._publisher.user.answered, self.message.ident, kind, body)

    def requeue(self) -> None:
        self._inbox.waiting.append((self._publisher, self.message))


class MemoryInboxConnector(MemoryConnector):
    """A connector whose entities use a MemoryInbox, and no links."""

    shared: MemoryInbox

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "shared", MemoryInbox())  # connectors are frozen

    def inbox(self) -> MemoryInbox:
        return self.shared
