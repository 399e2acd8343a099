"""What a connector is: how two sides find each other, and what it guarantees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from .inbox import SharedInbox
from .link import Link, LinkReceiver, Listener

__all__ = ["Connector", "ConnectorGuarantees"]


@dataclass(frozen=True, slots=True)
class ConnectorGuarantees:
    """What sets one connector's links apart from another's. What is promised of all is not listed.

    Attributes:
        between_processes: server and client may be different processes.
        between_machines: they may run on different machines.
        many_clients: a server has any number of clients; if not, it has one.
        many_servers: an address may have any number of servers at a time, and each new client gets one of
            them; if not, it has one.
        resumes: a session goes on with another link when one breaks; if not, it ends with its link.
        verifies_user: the medium, or the kernel, keeps out processes of other users (but root's).
        notices_death: how the end of the other process is noticed: ``"at once"``, or after a silence, by
            ``"heartbeat"``. A client whose attempt to come back is refused knows it at once in any case.
        delivers: how often a message is handled: ``"once"`` within a session; ``"at least once"`` by a shared
            inbox, which has no sessions.
        calls_back: a server may make requests and throws to its clients.
        stores: what is thrown waits in the medium, also for a server that is not there yet.
    """

    between_processes: bool = True
    between_machines: bool = False
    many_clients: bool = True
    resumes: bool = True
    verifies_user: bool = False
    notices_death: Literal["at once", "heartbeat"] = "at once"
    many_servers: bool = False
    delivers: Literal["once", "at least once"] = "once"
    calls_back: bool = True
    stores: bool = False


class _NoPath:
    """A default for instances alone: a property would be taken for the default of a dataclass's field."""

    def __get__(self, connector: object, owner: type) -> None:
        if connector is None:
            raise AttributeError("path")


class Connector(ABC):
    """How two sides find each other. It holds an address and secrets, but no loop, link or socket.

    Connectors are immutable, comparable, hashable and picklable (secrets are pickled along, so treat
    a pickle as a secret; a connector with an ``ssl.SSLContext`` refuses to be pickled).

    Attributes:
        scheme: the first part of its URL.
        authkey: the shared secret of a mutual challenge when a link is made, or None for no challenge.
        guarantees: what sets its links apart from those of other connectors.
        handshake_timeout: seconds for one attempt to connect, if the client does not say otherwise.
        path: the path of the file by which clients find the server, as text; None if there is no such file.
            Read-only. Asking for it may create the private directory that the file is in.
    """

    scheme: ClassVar[str]
    guarantees: ClassVar[ConnectorGuarantees] = ConnectorGuarantees()
    handshake_timeout: ClassVar[float] = 5.0
    authkey: bytes | None

    if TYPE_CHECKING:

        @property
        def path(self) -> str | None: ...
    else:
        path = _NoPath()

    @property
    def reconnects(self) -> bool:
        """Whether a client makes another attempt when one failed, or when its link broke.

        If not, the client ends with its link.
        """
        return True

    def inbox(self) -> SharedInbox | None:
        """Return the inbox that messages go to, instead of a session over links; None: there is none.

        Where there is one, entities use it, and neither ``connect`` nor ``listen``.
        """
        return None

    @abstractmethod
    async def connect(self, receiver: LinkReceiver) -> Link:
        """Return a new link to the server.

        Raises:
            LinkRefused: nobody serves the address.
            LinkError: any other failure; the cause is attached.

        Cancelling it leaves nothing behind.
        """

    async def connect_again(self, receiver: LinkReceiver, broken: Link) -> Link:
        """Return a new link to the server that *broken* led to: a session is to go on.

        It differs from ``connect`` only where an address may have several servers.

        Args:
            broken: a link that ``connect`` or ``connect_again`` of this connector has returned.

        Raises:
            LinkRefused: that server is gone, and its sessions with it; ``connect`` may find another.
            LinkError: any other failure; the cause is attached.
        """
        return await self.connect(receiver)

    @abstractmethod
    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        """Open the address; from then on call *accept* with each new link, for its receiver.

        Raises:
            AddressInUse: a live server already serves the address, and it may have one only.
            LinkError: any other failure; the cause is attached.
        """

    @abstractmethod
    def dump_state(self) -> str:
        """Return the connector's URL: ASCII, without secrets."""

    @classmethod
    @abstractmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        """Rebuild a connector from what ``dump_state`` gave, and the secrets that it left out.

        Raises:
            ValueError: the text is malformed or of another connector; the message says what it found.
        """

    @classmethod
    def from_state(cls, text: str, **secrets: Any) -> Self:
        """The same as ``load_state``."""
        return cls.load_state(text, **secrets)
