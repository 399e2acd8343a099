"""A client's connection: made, kept, and made again."""

from __future__ import annotations

import asyncio
import logging
from typing import NoReturn

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
from ...wire.limits import Limits
from ..backends import ClientBackend
from ..backoff import Backoff
from ..handling.runner import HandlerSet
from .driver import SessionDriver
from .receivers import ClientHandshakeReceiver, ClosingLink, wait_closed

logger = logging.getLogger("communica_like")


class Reconnector(ClientBackend):
    """Connects a client's session, and connects it again whenever the link breaks.

    Args: see ClientBackend and SessionDriver.
    """

    def __init__(
        self, connector: Connector, client_id: str, limits: Limits, backoff: Backoff,
        handshake_timeout: float, handlers: HandlerSet
    ) -> None:
        self._closing_links: set[ClosingLink] = set()
        self.driver = SessionDriver(
            client_id, limits, handlers, self._closing_links,
            keep=True, on_link_lost=self._on_link_lost, on_ended=self._on_ended,
        )
        super().__init__(connector, client_id, self.driver.calls, backoff, handshake_timeout)
        self.driver.calls.obstacle = self.obstacle
        self._lost = asyncio.Event()
        self._replaced: HandshakeError | None = None
        self._last_link: Link | None = None

    def refuse_calls(self, error: Exception) -> None:
        self.driver.refuse_calls(error)

    def end(self, reason: Reason) -> None:
        self.driver.end_for_good(reason)

    async def disconnect(self, timeout: float, linger: bool) -> None:
        await wait_closed(self._closing_links, timeout, linger)

    async def _keep_connected(self) -> None:
        if not self._connector.reconnects:
            await self._connect_once()
        session = self.driver.session
        delays = self._backoff.delays()
        while self._replaced is None:
            try:
                await self._connect()
            except (LinkError, ProtocolError, HandshakeError) as exc:
                self._failed(exc)
                if isinstance(exc, LinkRefused | HandshakeError):
                    self.gone_since = self.gone_since or self._time()
                    if session.state is not State.NEW:
                        self.driver.end(f"the server is gone: {exc}")
                if isinstance(exc, HandshakeError):
                    self.driver.fail_waiting(f"the server does not let this client in: {exc}", exc)
            else:
                began = self._time()
                await self._lost.wait()
                if self._time() - began > self._backoff.initial:
                    delays = self._backoff.delays()
                if session.state is State.SUSPENDED:
                    continue  # a session to save: at once
            await asyncio.sleep(next(delays))
        self.last_error = self._replaced
        raise self._replaced

    async def _connect_once(self) -> NoReturn:
        driver = self.driver
        try:
            await self._connect()
            await self._lost.wait()
            if driver.session.state is State.SUSPENDED:
                driver.end(f"the link broke, and there is no other one: {driver.last_loss}")
            raise self._replaced or ConnectionLost(driver.last_end, sent=False)
        except CommunicaError as exc:
            self.last_error = exc
            driver.fail_waiting(driver.last_end or str(exc), exc)
            raise

    def _on_link_lost(self, driver: SessionDriver) -> None:
        self._connected.clear()
        self._lost.set()

    def _on_ended(self, driver: SessionDriver, reason: Reason | None) -> None:
        self._connected.clear()
        if reason is not None:
            self.gone_since = self.gone_since or self._time()
            if reason.code == REPLACED:
                self._replaced = error_for(reason)
        self._lost.set()

    async def _connect(self) -> None:
        driver, session = self.driver, self.driver.session
        # The last attempt may have succeeded just when its time was over. What HELLO says of the session must
        # stay true until the response.
        driver.drop_link()
        handshake = ClientHandshake(
            driver.client_id, driver.limits, self._connector.authkey, session.session_id, session.received
        )
        receiver = ClientHandshakeReceiver(handshake, self._enter)
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

    def _enter(self, link: Link, welcome: Welcome, rest: bytes) -> None:
        driver, session = self.driver, self.driver.session
        if welcome.resumed and session.session_id != welcome.session_id:
            raise ProtocolError("the session to resume ended during the handshake")
        self._succeeded()
        self._last_link = link
        how = "came back to" if welcome.resumed else "connected to"
        logger.info("client %r %s %s", driver.client_id, how, link.peer.address)
        if welcome.resumed:
            driver.resume(link, welcome.received, rest)
            return
        if session.state is not State.NEW:
            driver.end("the server does not know the session: it was restarted, or gave it up")
            self._succeeded()
            self._lost.clear()
        driver.establish(link, welcome.session_id, welcome.limits, rest)
