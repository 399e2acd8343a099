"""The receivers of a link until its handshake is done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from ...abc import Link
from ...exceptions import HandshakeError, LinkError, ProtocolError
from ...session import ClientHandshake, ServerHandshake
from ...wire.greetings import Hello, Welcome

_CLOSE_TIMEOUT: Final = 5.0


class ClosingLink:
    """Closes a link and is its receiver for the rest of its life.

    Args:
        link: what was sent on it still goes out.
        others: the set this object leaves when the link is gone.

    Attributes:
        gone: done when the link is gone.
    """

    def __init__(self, link: Link, others: set[ClosingLink]) -> None:
        self.link = link
        loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[None] = loop.create_future()
        # A peer that does not read must not keep the link for ever.
        self._timer = loop.call_later(_CLOSE_TIMEOUT + link.lingers, link.abort)
        self._others = others
        others.add(self)
        link.receiver = self
        link.close()

    def data_received(self, data: bytes) -> None:
        """Data came late; if a session goes on, it is sent again."""

    def link_writable(self) -> None:
        """The link has room, but nothing more is written."""

    def link_broken(self, error: Exception | None) -> None:
        """The link is gone."""
        self._timer.cancel()
        self._others.discard(self)
        if not self.gone.done():
            self.gone.set_result(None)


async def wait_closed(links: set[ClosingLink], timeout: float, linger: bool) -> None:
    """Wait until *links* are gone, then abort those that are not.

    Args:
        timeout: seconds.
        linger: whether links that need more time get it.
    """
    try:
        if links:
            more = max(closing.link.lingers for closing in links) if linger else 0.0
            await asyncio.wait([closing.gone for closing in links], timeout=timeout + more)
    finally:
        for closing in list(links):
            closing.link.abort()


logger = logging.getLogger("communica_like")


class ClientHandshakeReceiver:
    """The receiver of a client's link until its handshake is done.

    Args:
        handshake: the client's part.
        on_welcome: called while the WELCOME is received, so that nothing comes between it and the session.

    Attributes:
        done: ends when the session has the link, or with the reason why it has not.
    """

    def __init__(
        self, handshake: ClientHandshake, on_welcome: Callable[[Link, Welcome, bytes], None]
    ) -> None:
        self._handshake = handshake
        self._on_welcome = on_welcome
        self._link: Link | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, link: Link) -> None:
        """Send the HELLO."""
        self._link = link
        self._send()

    def data_received(self, data: bytes) -> None:
        link, handshake = self._link, self._handshake
        if link is None or self.done.done():
            return
        try:
            handshake.receive(data)
            self._send()
            if handshake.welcome is not None:
                self._on_welcome(link, handshake.welcome, handshake.rest())
                self.done.set_result(None)
        except (HandshakeError, ProtocolError) as exc:
            self._send()
            link.close()
            self.done.set_exception(exc)

    def link_writable(self) -> None:
        """The link has room; a handshake is too short to need it."""

    def link_broken(self, error: Exception | None) -> None:
        """The link broke."""
        if not self.done.done():
            exc = LinkError(f"the link broke during the handshake: {error or 'closed by the server'}")
            exc.__cause__ = error
            self.done.set_exception(exc)

    def _send(self) -> None:
        if self._link is not None and self._handshake.outgoing:
            self._link.send(self._handshake.outgoing)
            self._handshake.outgoing = b""


class ServerHandshakeReceiver:
    """The receiver of a server's link until its handshake is done.

    Args:
        link: the client's link.
        handshake: the server's part.
        timeout: seconds that the client has.
        on_hello: called with the HELLO; accepts or rejects the client.
        on_end: called when the receiver is done with the link.
    """

    def __init__(
        self, link: Link, handshake: ServerHandshake, timeout: float,
        on_hello: Callable[[ServerHandshakeReceiver, Hello], None],
        on_end: Callable[[ServerHandshakeReceiver], None],
    ) -> None:
        self.link = link
        self.handshake = handshake
        self._on_hello = on_hello
        self._on_end = on_end
        self._timeout = timeout
        self._heard = False
        self._timer = asyncio.get_running_loop().call_later(timeout, self._give_up)

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self._timer.cancelled():
            return
        try:
            self.handshake.receive(data)
        except (HandshakeError, ProtocolError) as exc:
            logger.warning("a client from %s was rejected: %s", self.link.peer.address, exc)
            self.send()
            self.finish()
            self.link.close()
            return
        self.send()
        if self.handshake.hello is not None:
            self.finish()
            self._on_hello(self, self.handshake.hello)

    def link_writable(self) -> None:
        """The link has room; a handshake is too short to need it."""

    def link_broken(self, error: Exception | None) -> None:
        """The client is gone."""
        if not self._timer.cancelled():
            logger.debug("a client from %s left during the handshake: %s", self.link.peer.address, error)
            self.finish()

    def send(self) -> None:
        """Send what the handshake has to send."""
        if self.handshake.outgoing:
            self.link.send(self.handshake.outgoing)
            self.handshake.outgoing = b""

    def finish(self) -> None:
        """Stop the timer, and report that the receiver is done."""
        self._timer.cancel()
        self._on_end(self)

    def _give_up(self) -> None:
        logger.warning(
            "a client from %s %s within %.1f s and was rejected",
            self.link.peer.address,
            "did not complete the handshake" if self._heard else "said nothing",
            self._timeout,
        )
        self.finish()
        self.link.abort()
