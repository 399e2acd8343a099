"""What clients and servers stand on: an abstract face with two implementations.

A client holds a ClientBackend, a server a ServerBackend, and neither knows which: ``connection`` implements
both over sessions, ``inbox`` over a shared inbox at a broker. The connector decides. A backend lives from
``init()`` to ``close()``; a restarted entity gets another.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Literal

from ..abc import Connector, PeerIdentity
from ..exceptions import CommunicaError, HandshakeError, LinkError
from ..wire.greetings import Reason
from .backoff import Backoff

logger = logging.getLogger("communica_like")

DuplicatePolicy = Literal["refuse", "replace"]


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """One client of a server.

    Attributes:
        client_id: the id that it gives.
        peer: what the link says of it.
        connected: False while its link is broken and its session waits for it to come back.
    """

    client_id: str
    peer: PeerIdentity | None
    connected: bool


def whereabouts(connector: Connector) -> str:
    """Return a connector's URL and, if the URL does not hold it, the path that it stands for."""
    url = connector.dump_state()
    try:
        path = connector.path
    except (CommunicaError, OSError, ValueError):
        return url  # without its directory; connect() and listen() say why
    return url if path is None or path in url else f"{url} ({path})"


def reason_of(error: CommunicaError, connector: Connector) -> str:
    """Return an error's text, without the connector's URL, which the text around it has."""
    return str(error).removeprefix(f"cannot connect to {connector.dump_state()}: ")


class Channel(ABC):
    """The way to one other side, for encoded calls."""

    @property
    @abstractmethod
    def live(self) -> bool:
        """Whether there is a connection now."""

    @abstractmethod
    async def request(
        self, route: bytes, body: bytes, timeout: float | None = None, idempotent: bool = False,
        key: str | None = None
    ) -> bytes:
        """Send a request and return the body of its response. See RouteClient.request."""

    @abstractmethod
    def throw(
        self, route: bytes, body: bytes, timeout: float | None = None, key: str | None = None
    ) -> Coroutine[Any, Any, None] | None:
        """Send a throw; return None if that is done, else what completes it. See RouteClient.throw."""

    @property
    @abstractmethod
    def settled(self) -> bool:
        """Whether all throws and responses are delivered."""

    @abstractmethod
    async def flushed(self) -> None:
        """Wait until all throws and responses are delivered, if only for a moment."""


class Clients(ABC):
    """The clients that a server can call."""

    @abstractmethod
    def infos(self) -> list[ClientInfo]:
        """Return a description of each client."""

    @abstractmethod
    def find(self, client_id: str | None) -> Channel | None:
        """Return the channel to a client; None if there is no client.

        Args:
            client_id: which client; None: any, another one each time.

        Raises:
            ConnectionLost: no client of this id is connected.
        """

    @abstractmethod
    async def wait(self, timeout: float | None) -> tuple[Channel, float | None]:
        """Wait for a client; return the channel to it, and what is left of *timeout*.

        Raises:
            RequestTimeout: no client came in time.
            Closed: the server closes.
        """


class Backend(ABC):
    """What an entity stands on, from its start to its end."""

    @abstractmethod
    async def run(self) -> None:
        """Stay connected, or serve, until cancelled or no more messages can come."""

    @abstractmethod
    def refuse_calls(self, error: Exception) -> None:
        """Make calls raise *error*, waiting ones too; still deliver throws, and handle those that come."""

    @abstractmethod
    def end(self, reason: Reason) -> None:
        """Deliver nothing more: what waits is lost, or left to others."""

    @abstractmethod
    async def disconnect(self, timeout: float, linger: bool) -> None:
        """Close what is open. Called after ``end``, and again if it was cancelled.

        Args:
            timeout: seconds for closing links to send what they hold.
            linger: whether links that need more time to close get it.
        """


class ClientBackend(Backend):
    """What a client stands on.

    Args:
        connector: where the server is.
        backoff: how long to wait between attempts.
        timeout: seconds for one attempt.

    Attributes:
        client_id: the client's id.
        channel: the way to the server.
        last_error: why the last attempt to connect failed, or None.
        gone_since: since when there is no server to reach, by the loop's clock; None: there is one.
    """

    channel: Channel

    def __init__(
        self, connector: Connector, client_id: str, channel: Channel, backoff: Backoff, timeout: float
    ) -> None:
        self._connector = connector
        self._backoff = backoff
        self._handshake_timeout = timeout
        self._time = asyncio.get_running_loop().time
        self.client_id = client_id
        self.channel = channel
        self.last_error: CommunicaError | None = None
        self.gone_since: float | None = None
        self._logged = ""
        self._connected = asyncio.Event()
        self._changed = asyncio.Event()  # _connected or last_error

    async def run(self) -> None:
        """Connect, and connect again, until cancelled.

        Raises:
            ClientIdInUse: another client took over.
            ConnectionLost, LinkError, HandshakeError: of a connector that does not reconnect.
            Exception: a mistake that no reconnect cures.

        Calls raise it, too.
        """
        try:
            await self._keep_connected()
        except Exception as exc:
            logger.error("client %r stops: %s", self.client_id, exc or repr(exc))
            self.refuse_calls(exc)
            raise

    def obstacle(self) -> str:
        """Return why there is no connection; ``""`` if there is one."""
        if self.channel.live:
            return ""
        error = self.last_error
        reason = reason_of(error, self._connector) if error else "the attempt to connect is not over"
        return f"no connection to {whereabouts(self._connector)}: {reason}"

    async def wait_connected(self, once: bool) -> bool:
        """Wait for a connection, while ``run`` runs, and return True.

        Args:
            once: return False as soon as an attempt fails.

        Raises:
            HandshakeError: the server does not let this client in.
            LinkError: no other attempt can be of use.
        """
        while not self._connected.is_set():
            error = self.last_error
            if isinstance(error, HandshakeError) or (isinstance(error, LinkError) and error.lasting):
                raise error
            if once and self.last_error is not None:
                return False
            self._changed.clear()
            await self._changed.wait()
        return True

    @abstractmethod
    async def _keep_connected(self) -> None:
        """Do what ``run`` does."""

    def _failed(self, error: CommunicaError) -> None:
        """Remember why an attempt to connect failed, and log it, if the one before failed otherwise."""
        self.last_error = error
        self._changed.set()
        if str(error) != self._logged:
            self._logged = str(error)
            reason = reason_of(error, self._connector)
            logger.warning("cannot connect to %s: %s", whereabouts(self._connector), reason)

    def _succeeded(self) -> None:
        """Wake ``wait_connected``, and forget earlier failures."""
        self._logged, self.last_error, self.gone_since = "", None, None
        self._connected.set()
        self._changed.set()


class ServerBackend(Backend):
    """What a server stands on. ``run`` returns when no more clients can come.

    Attributes:
        clients: the clients to call; None: messages come without a way to call their senders.
    """

    clients: Clients | None

    @property
    @abstractmethod
    def address(self) -> str | None:
        """The URL to connect to, once it is known."""

    @abstractmethod
    async def open(self) -> None:
        """Start to serve the address.

        Raises:
            AddressInUse, InsecureAddress, LinkError: the address cannot be served.
        """

    @abstractmethod
    async def drain(self) -> None:
        """Wait until all is delivered and handled. Called after ``refuse_calls``."""
