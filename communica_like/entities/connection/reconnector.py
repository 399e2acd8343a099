"""A client's connection: made, kept, and made again."""

from __future__ import annotations

import asyncio
import logging

from ...abc import Connector, Link
from ...exceptions import (
    CommunicaError,
    ConnectionLost,
    HandshakeError,
    LinkError,
    LinkRefused,
    ProtocolError,
)
from ...session import ClientHandshake, State
from ...session.handshake import error_for
from ...wire.greetings import REPLACED, Reason, Welcome
from ..backoff import Backoff
from .driver import SessionDriver
from .receivers import ClientHandshakeReceiver

__all__ = ["Reconnector"]

logger = logging.getLogger("communica_like")


class Reconnector:
    """Keeps a peer connected, from ``run`` until it is cancelled.

    Attributes:
        connected: set while there is a link.
        last_error: why the last attempt failed, or None.
        gone_since: since when the server is known to be gone, by the loop's clock; None: it is not.
    """

    def __init__(self, connector: Connector, backoff: Backoff, handshake_timeout: float) -> None:
        self._connector = connector
        self._backoff = backoff
        self._handshake_timeout = handshake_timeout
        self._time = asyncio.get_running_loop().time
        self._lost = asyncio.Event()
        self._replaced: HandshakeError | None = None
        self._logged = ""
        self._last_link: Link | None = None
        self.connected = asyncio.Event()
        self.changed = asyncio.Event()
        self.last_error: CommunicaError | None = None
        self.gone_since: float | None = None

    async def run(self, peer: SessionDriver) -> None:
        """Connect, and connect again whenever the link breaks.

        Raises:
            ClientIdInUse: another client took over.
            ConnectionLost, LinkError, HandshakeError: of a connector that does not reconnect.
            Exception: a mistake that no reconnect cures.

        Calls raise it, too.
        """
        try:
            if self._connector.reconnects:
                await self._keep_connected(peer)
            else:
                await self._connect_once(peer)
        except Exception as exc:
            logger.error("client %r stops: %s", peer.client_id, exc or repr(exc))
            peer.refuse_calls(exc)
            raise

    async def _keep_connected(self, peer: SessionDriver) -> None:
        delays = self._backoff.delays()
        while self._replaced is None:
            try:
                await self._connect(peer)
            except LinkRefused as exc:
                self._failed(exc)
                self._server_gone(peer, exc)
            except HandshakeError as exc:
                self._failed(exc)
                self._server_gone(peer, exc)
                peer.fail_waiting(f"the server does not let this client in: {exc}", exc)
            except (LinkError, ProtocolError) as exc:
                self._failed(exc)
            else:
                began = self._time()
                await self._lost.wait()
                if self._time() - began > self._backoff.initial:
                    delays = self._backoff.delays()
                if peer.session.state is State.SUSPENDED:
                    continue  # a session to save: at once
            await asyncio.sleep(next(delays))
        self.last_error = self._replaced
        raise self._replaced

    async def _connect_once(self, peer: SessionDriver) -> None:
        try:
            await self._connect(peer)
        except CommunicaError as exc:
            self._stopped(peer, exc, str(exc))
            raise
        await self._lost.wait()
        if peer.session.state is State.SUSPENDED:
            peer.end(f"the link broke, and there is no other one: {peer.last_loss}")
        error = self._replaced or ConnectionLost(peer.last_end, sent=False)
        self._stopped(peer, error, peer.last_end)
        raise error

    def _stopped(self, peer: SessionDriver, error: CommunicaError, text: str) -> None:
        self.last_error = error
        self.changed.set()
        peer.fail_waiting(text, error)

    def on_link_lost(self, peer: SessionDriver) -> None:
        """The link broke; the session may be saved."""
        self.connected.clear()
        self._lost.set()

    def on_ended(self, peer: SessionDriver, reason: Reason | None) -> None:
        """The session is over."""
        self.connected.clear()
        if reason is not None:
            self.gone_since = self.gone_since or self._time()
            if reason.code == REPLACED:
                self._replaced = error_for(reason)
        self._lost.set()

    async def wait_connected(self) -> None:
        """Wait for a link.

        Raises:
            HandshakeError: the server does not let this client in.
        """
        while not self.connected.is_set():
            if isinstance(self.last_error, HandshakeError):
                raise self.last_error
            self.changed.clear()
            await self.changed.wait()

    async def _connect(self, peer: SessionDriver) -> None:
        session = peer.session
        if peer.live:
            # The last attempt succeeded just when its time was over. What HELLO says of the session must
            # stay true until the answer.
            peer.drop_link()
        handshake = ClientHandshake(
            peer.client_id, peer.limits, self._connector.authkey, session.session_id, session.received
        )

        def on_welcome(link: Link, welcome: Welcome, rest: bytes) -> None:
            self._enter(peer, link, welcome, rest)

        receiver = ClientHandshakeReceiver(handshake, on_welcome)
        link: Link | None = None
        self._lost.clear()
        try:
            async with asyncio.timeout(self._handshake_timeout):
                if session.state is State.SUSPENDED and self._last_link is not None:
                    link = await self._connector.connect_again(receiver, self._last_link)
                else:
                    link = await self._connector.connect(receiver)
                receiver.start(link)
                await receiver.done
        except BaseException as exc:
            if link is not None and link.receiver is receiver:
                link.abort()
            if receiver.done.done() and not receiver.done.cancelled():
                receiver.done.exception()
            if isinstance(exc, TimeoutError) and not isinstance(exc, CommunicaError):
                text = f"no answer from {self._connector.dump_state()} within {self._handshake_timeout} s"
                raise LinkError(text) from exc
            raise

    def _enter(self, peer: SessionDriver, link: Link, welcome: Welcome, rest: bytes) -> None:
        session = peer.session
        if welcome.resumed and session.session_id != welcome.session_id:
            raise ProtocolError("the session to resume ended during the handshake")
        self.last_error = None
        self._last_link = link
        self._logged = ""
        self.gone_since = None
        how = "came back to" if welcome.resumed else "connected to"
        logger.info("client %r %s %s", peer.client_id, how, link.peer.address)
        self.connected.set()
        self.changed.set()
        if welcome.resumed:
            peer.resume(link, welcome.received, rest)
            return
        if session.state is not State.NEW:
            peer.end("the server does not know the session: it was restarted, or gave it up")
            self.connected.set()
            self._lost.clear()
        peer.establish(link, welcome.session_id, welcome.limits, rest)

    def _failed(self, error: CommunicaError) -> None:
        self.last_error = error
        self.changed.set()
        if str(error) != self._logged:
            self._logged = str(error)
            logger.warning("cannot connect: %s", error)

    def _server_gone(self, peer: SessionDriver, error: CommunicaError) -> None:
        self.gone_since = self.gone_since or self._time()
        if peer.session.state is not State.NEW:
            peer.end(f"the server is gone: {error}")
