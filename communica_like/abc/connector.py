"""Connector: how a client finds its server. ConnectorGuarantees: how connectors differ."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from .inbox import SharedInbox
from .link import Link, LinkReceiver, Listener


@dataclass(frozen=True, slots=True)
class ConnectorGuarantees:
    """How the links of one connector differ from those of another. What all connectors promise is not listed.

    Attributes:
        between_processes: server and client may be different processes.
        between_machines: they may run on different machines.
        many_clients: a server may have any number of clients; otherwise one.
        resumes: a session continues over another link when one breaks; otherwise it ends with its link.
        verifies_user: the medium or the kernel keeps out processes of other users, except root's.
        notices_death: how the end of the other process is noticed: ``"at once"``, or by ``"heartbeat"``,
            after a silence. A client whose attempt to reconnect is refused knows at once in any case.
        many_servers: an address may have any number of servers at a time, and each new client gets one of
            them; otherwise one.
        delivers: how often a message is handled: ``"once"`` within a session; ``"at least once"`` by a shared
            inbox, which has no sessions.
        calls_back: a server may send requests and throws to its clients.
        stores: throws wait in the medium, also for a server that has not started yet.
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
    """None for instances. A property would be taken for the default of a field of a dataclass."""

    def __get__(self, connector: object, owner: type) -> None:
        if connector is None:
            raise AttributeError("path")


class Connector(ABC):
    """The address of a server, with secrets, from which both sides make links. It holds no loop or socket.

    Connectors are immutable, comparable, hashable and picklable. A pickle contains the secrets, so treat it
    as a secret. A connector with an ``ssl.SSLContext`` cannot be pickled. Any number of clients and servers,
    in any number of event loops, may use one connector at once.

    Attributes:
        scheme: the first part of its URL.
        authkey: the shared secret of a mutual challenge on each new link, or None for no challenge.
        guarantees: how its links differ from those of other connectors.
        handshake_timeout: default of the seconds that one attempt to connect may take.
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
        """Whether a client tries again after a failed attempt and after its link broke.

        Otherwise the client ends with its link.
        """
        return True

    def inbox(self) -> SharedInbox | None:
        """Return the inbox that carries messages in place of a session over links; None: there is none.

        If there is one, entities use it, and call neither ``connect`` nor ``listen``.
        """
        return None

    @abstractmethod
    async def connect(self, receiver: LinkReceiver) -> Link:
        """Return a new link to the server. A cancelled attempt leaves nothing behind.

        Args:
            receiver: gets what arrives; the first call may come before this returns.

        Raises:
            LinkRefused: no server listens at the address.
            LinkError: any other failure; the cause is attached.
        """

    async def connect_again(self, receiver: LinkReceiver, broken: Link) -> Link:
        """Return a new link to the server that *broken* led to, so that a session can continue.

        Differs from ``connect`` only if an address may have several servers.

        Args:
            receiver: as for ``connect``.
            broken: a link that ``connect`` or ``connect_again`` of this connector returned.

        Raises:
            LinkRefused: that server is gone, and its sessions with it. ``connect`` may find another.
            LinkError: any other failure; the cause is attached.
        """
        return await self.connect(receiver)

    @abstractmethod
    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        """Open the address and accept links.

        Args:
            accept: called on the event loop with each new link; returns its receiver.

        Raises:
            AddressInUse: a live server already listens at the address, which may have one only.
            LinkError: any other failure; the cause is attached.
        """

    @abstractmethod
    def dump_state(self) -> str:
        """Return the connector's URL, in ASCII, without secrets."""

    @classmethod
    @abstractmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        """Return the connector of a URL.

        Args:
            text: a result of ``dump_state``.
            secrets: what the URL leaves out, such as ``authkey``.

        Raises:
            ValueError: the text is malformed or belongs to another connector; the message quotes it.
        """

    @classmethod
    def from_state(cls, text: str, **secrets: Any) -> Self:
        """Do the same as ``load_state``."""
        return cls.load_state(text, **secrets)
