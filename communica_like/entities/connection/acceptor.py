"""A server's listener and the handshakes of its clients."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import Final

from ...abc import Connector, Link, LinkReceiver, Listener, PeerIdentity
from ...session import ServerHandshake
from ...wire.greetings import CLIENT_ID_IN_USE, OTHER, REPLACED, Hello, Reason
from ...wire.limits import Limits
from ..backends import DuplicatePolicy, ServerBackend
from ..handling.runner import HandlerSet
from .clients import ClientSessions
from .driver import SessionDriver
from .receivers import ClosingLink, ServerHandshakeReceiver, wait_closed

logger = logging.getLogger("communica_like")

_REJOIN_TIMEOUT: Final = 1.0  # for clients of a closing server whose link is broken
_POLL_INTERVAL: Final = 0.25


class Acceptor(ServerBackend):
    """Makes the handshakes of new links, and gives each to its session, or begins one.

    Args: see SimpleServer; *duplicates* is its ``duplicate_clients``.
    """

    clients: ClientSessions

    def __init__(
        self, connector: Connector, limits: Limits, handshake_timeout: float, duplicates: DuplicatePolicy,
        handlers: HandlerSet
    ) -> None:
        self._connector = connector
        self._limits = limits
        self._handshake_timeout = handshake_timeout
        self._duplicates = duplicates
        self._handlers = handlers
        self._listener: Listener | None = None
        self._receivers: set[ServerHandshakeReceiver] = set()
        self._closing_links: set[ClosingLink] = set()
        self._ended = False
        self.clients = ClientSessions()

    @property
    def address(self) -> str | None:
        return self._listener.address if self._listener is not None else None

    async def open(self) -> None:
        self._listener = await self._connector.listen(self.accept)
        logger.info("serving %s", self._listener.address)

    async def run(self) -> None:
        assert self._listener is not None
        await self._listener.wait_over()

    def refuse_calls(self, error: Exception) -> None:
        """Refuse new clients, too; those with a session may still come back to it."""
        self.clients.refuse_calls(error)

    async def drain(self) -> None:
        now = asyncio.get_running_loop().time
        until = now() + _REJOIN_TIMEOUT
        drivers, pool = self.clients.drivers, self._handlers.pool
        # Flushed once is enough: after that, sessions are sent only rejections of their requests.
        delivered: set[SessionDriver] = set()
        while True:
            await pool.wait_idle()
            delivered.update(driver for driver in drivers.values() if driver.calls.settled)
            waiting = [driver for driver in drivers.values() if driver not in delivered]
            if now() > until:
                waiting = [driver for driver in waiting if driver.live]
            if not waiting and pool.idle:
                return
            flushing = {asyncio.ensure_future(driver.calls.flushed()): driver for driver in waiting}
            try:
                done, _ = await asyncio.wait(flushing, timeout=_POLL_INTERVAL)
                delivered.update(flushing[task] for task in done)
            finally:
                for task in flushing:
                    task.cancel()
                await asyncio.wait(flushing)

    def end(self, reason: Reason) -> None:
        # Clients that come back now must find no server, and not one that rejects them.
        self._ended = True
        for driver in list(self.clients.drivers.values()):
            driver.end_for_good(reason)
        for receiver in list(self._receivers):
            receiver.finish()
            receiver.link.abort()

    async def disconnect(self, timeout: float, linger: bool) -> None:
        if self._listener is not None:
            await self._listener.close()
            self._listener = None
        await wait_closed(self._closing_links, timeout, linger)

    # -- links

    def accept(self, link: Link) -> LinkReceiver:
        """Return a receiver for a new link, which makes the handshake."""
        handshake = ServerHandshake(self._limits, self._connector.authkey)
        receiver = ServerHandshakeReceiver(
            link, handshake, self._handshake_timeout, self._decide, self._receivers.discard
        )
        self._receivers.add(receiver)
        if self._ended:  # it was accepted before the listener closed
            receiver.finish()
            link.abort()
        return receiver

    def _decide(self, receiver: ServerHandshakeReceiver, hello: Hello) -> None:
        known = self.clients.drivers.get(hello.client_id)
        if known is not None and known.session.session_id == hello.session_id:
            self._resume(receiver, hello, known)
        elif self.clients.closing is not None:
            self._reject(receiver, Reason(OTHER, "the server is closing"))
        elif known is not None and known.live and self._duplicates == "refuse":
            where = _whereabouts(known.dispatcher.peer)
            text = f"client id {hello.client_id!r} is in use by a live client at {where}"
            self._reject(receiver, Reason(CLIENT_ID_IN_USE, text))
        else:
            if known is not None:
                reason = Reason(REPLACED, f"another client took over the id {hello.client_id!r}")
                known.end(reason.text, reason, tell=True)
            self._welcome(receiver, hello)

    def _welcome(self, receiver: ServerHandshakeReceiver, hello: Hello) -> None:
        session_id = secrets.token_bytes(16)
        receiver.handshake.accept(session_id, resumed=False, received=0)
        receiver.send()
        driver = SessionDriver(
            hello.client_id, self._limits, self._handlers, self._closing_links,
            keep=False,
            on_link_lost=lambda driver: None,  # it waits for its client to come back
            on_ended=self.clients.on_ended,
        )
        logger.info("client %r came in from %s", hello.client_id, receiver.link.peer.address)
        self.clients.add(driver)
        driver.establish(receiver.link, session_id, hello.limits, receiver.handshake.rest())

    def _resume(self, receiver: ServerHandshakeReceiver, hello: Hello, driver: SessionDriver) -> None:
        if not driver.session.can_resume(hello.received):
            # The client gave this attempt up long ago, and it was found in the backlog only now.
            self._reject(receiver, Reason(OTHER, f"the session cannot go on from frame {hello.received}"))
            return
        driver.drop_link()  # if there is one, the client noticed first that it is broken
        receiver.handshake.accept(hello.session_id, resumed=True, received=driver.session.received)
        receiver.send()
        logger.info("client %r came back from %s", hello.client_id, receiver.link.peer.address)
        driver.resume(receiver.link, hello.received, receiver.handshake.rest())

    def _reject(self, receiver: ServerHandshakeReceiver, reason: Reason) -> None:
        logger.warning("a client from %s was rejected: %s", receiver.link.peer.address, reason.text)
        receiver.handshake.reject(reason)
        receiver.send()
        receiver.link.close()


def _whereabouts(peer: PeerIdentity | None) -> str:
    assert peer is not None  # a live client has one
    return peer.address if peer.pid is None else f"{peer.address} (process {peer.pid})"
