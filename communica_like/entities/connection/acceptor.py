"""A server's clients: let in, found by id, and seen off."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Callable

from ...abc import Connector, Link, LinkReceiver, Listener
from ...session import ServerHandshake
from ...wire.greetings import CLIENT_ID_IN_USE, OTHER, REPLACED, Hello, Reason
from ...wire.limits import Limits
from ..backends import ClientInfo, DuplicatePolicy
from ..handling.tasks import EagerTaskPool
from .driver import SessionDriver
from .receivers import ServerHandshakeReceiver

__all__ = ["Acceptor"]

logger = logging.getLogger("communica_like")

_REJOIN = 1.0  # seconds that a closing server waits for clients whose link is broken


class Acceptor:
    """Lets clients in and keeps their peers.

    Args:
        make_peer: makes the peer of a new client.
        duplicates: what happens to a client whose id belongs to another one with a live link.
    """

    def __init__(
        self,
        connector: Connector,
        limits: Limits,
        handshake_timeout: float,
        duplicates: DuplicatePolicy,
        make_peer: Callable[[str, Acceptor], SessionDriver],
    ) -> None:
        self._connector = connector
        self._limits = limits
        self._handshake_timeout = handshake_timeout
        self._duplicates = duplicates
        self._make_peer = make_peer
        self._listener: Listener | None = None
        self._receivers: set[ServerHandshakeReceiver] = set()
        self._shut = False
        self._turns = itertools.count()
        self._arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.peers: dict[str, SessionDriver] = {}
        self.closing: Exception | None = None

    async def open(self) -> None:
        """Start to listen. Raises what Connector.listen does."""
        self._listener = await self._connector.listen(self.accept)
        logger.info("serving %s", self._listener.address)

    @property
    def address(self) -> str | None:
        """The URL under which clients come in."""
        return self._listener.address if self._listener is not None else None

    def accept(self, link: Link) -> LinkReceiver:
        """Greet whoever came."""
        handshake = ServerHandshake(self._limits, self._connector.authkey)
        receiver = ServerHandshakeReceiver(
            link, handshake, self._handshake_timeout, self._decide, self._receivers.discard
        )
        self._receivers.add(receiver)
        if self._shut:
            # It was being accepted when the listener closed.
            receiver.finish()
            link.abort()
        return receiver

    def on_link_lost(self, peer: SessionDriver) -> None:
        """The session waits for its client to come back."""

    def on_ended(self, peer: SessionDriver, reason: Reason | None) -> None:
        """The session of a client is over."""
        if self.peers.get(peer.client_id) is peer:
            del self.peers[peer.client_id]

    def pick(self) -> SessionDriver | None:
        """Return a client, another one each time; one with a live link if there is any."""
        peers = list(self.peers.values())
        if not peers:
            return None
        live = [peer for peer in peers if peer.live]
        return (live or peers)[next(self._turns) % len(live or peers)]

    async def wait_over(self) -> None:
        """Wait until no client can come any more."""
        if self._listener is not None:
            await self._listener.wait_over()

    async def wait_client(self) -> None:
        """Wait for a client to come in.

        Raises:
            Closed: the server closes.
        """
        await asyncio.shield(self._arrived)

    def infos(self) -> list[ClientInfo]:
        """Return all clients."""
        return [ClientInfo(p.client_id, p.identity, p.live) for p in self.peers.values()]

    def refuse_clients(self, error: Exception) -> None:
        """From now on clients may only come back to their sessions."""
        self.closing = error
        if not self._arrived.done():
            self._arrived.set_exception(error)
            self._arrived.exception()  # that nobody waits is no mistake

    async def drain(self, pool: EagerTaskPool) -> None:
        """Wait until all is delivered and handled."""
        now = asyncio.get_running_loop().time
        until = now() + _REJOIN
        # All that these are sent from now on is that their requests are turned away.
        delivered: set[SessionDriver] = set()
        while True:
            await pool.wait_idle()
            delivered.update(peer for peer in self.peers.values() if peer.settled)
            waiting = [peer for peer in self.peers.values() if peer not in delivered]
            if now() > until:
                waiting = [peer for peer in waiting if peer.live]
            if not waiting and pool.idle:
                return
            flushing = {asyncio.ensure_future(peer.flushed()): peer for peer in waiting}
            try:
                done, _ = await asyncio.wait(flushing, timeout=0.25)
                delivered.update(flushing[task] for task in done)
            finally:
                for task in flushing:
                    task.cancel()
                await asyncio.wait(flushing)

    async def close(self) -> None:
        """Stop to listen."""
        self._shut = True
        if self._listener is not None:
            await self._listener.close()
            self._listener = None
        for receiver in list(self._receivers):
            receiver.finish()
            receiver.link.abort()

    def _decide(self, receiver: ServerHandshakeReceiver, hello: Hello) -> None:
        known = self.peers.get(hello.client_id)
        if known is not None and known.session.session_id == hello.session_id:
            self._resume(receiver, hello, known)
        elif self.closing is not None:
            self._reject(receiver, Reason(OTHER, "the server is closing"))
        elif known is not None and known.live and self._duplicates == "refuse":
            text = f"client id {hello.client_id!r} is in use by a live client at {_whereabouts(known)}"
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
        peer = self._make_peer(hello.client_id, self)
        self.peers[hello.client_id] = peer
        logger.info("client %r came in from %s", hello.client_id, receiver.link.peer.address)
        arrived, self._arrived = self._arrived, asyncio.get_running_loop().create_future()
        if not arrived.done():
            arrived.set_result(None)
        peer.establish(receiver.link, session_id, hello.limits, receiver.handshake.rest())

    def _resume(self, receiver: ServerHandshakeReceiver, hello: Hello, peer: SessionDriver) -> None:
        if not peer.session.can_resume(hello.received):
            # An attempt that the client gave up long ago, and that was found in the backlog only now.
            self._reject(receiver, Reason(OTHER, f"the session cannot go on from frame {hello.received}"))
            return
        if peer.live:
            peer.drop_link()  # the client noticed first that it is broken
        receiver.handshake.accept(hello.session_id, resumed=True, received=peer.session.received)
        receiver.send()
        logger.info("client %r came back from %s", hello.client_id, receiver.link.peer.address)
        peer.resume(receiver.link, hello.received, receiver.handshake.rest())

    def _reject(self, receiver: ServerHandshakeReceiver, reason: Reason) -> None:
        logger.warning("a client from %s was turned away: %s", receiver.link.peer.address, reason.text)
        receiver.handshake.reject(reason)
        receiver.send()
        receiver.link.close()


def _whereabouts(peer: SessionDriver) -> str:
    if peer.identity is None:
        return "?"
    process = f" (process {peer.identity.pid})" if peer.identity.pid is not None else ""
    return f"{peer.identity.address}{process}"
