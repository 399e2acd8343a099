"""RmqConnector: two processes that reach the same RabbitMQ broker."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from ssl import SSLContext
from typing import Any, ClassVar, Final, Self, cast

from ...abc import Connector, ConnectorGuarantees, Link, LinkReceiver, Listener
from ...abc.inbox import ConsumerUser, PublisherUser, SharedInbox
from ...exceptions import LinkError, LinkRefused
from ..url import check_authkey, check_text
from .connection import BrokerKey
from .inbox.consumer import AmqpConsumer
from .inbox.publisher import AmqpPublisher
from .inbox.topology import Topology
from .link import AmqpLink
from .link_messages import HEADER, KNOCK, TO_SERVER
from .listener import AmqpListener, address_key, server_key
from .shared_connection import acquire
from .url import BrokerUrl

__all__ = ["AmqpInbox", "RmqConnector"]


@dataclass(frozen=True, slots=True)
class AmqpInbox(SharedInbox):
    """One address at one broker.

    Attributes:
        key: which broker.
        topology: which queues.
        prefetch: how many messages a server has in hand.
    """

    key: BrokerKey
    topology: Topology
    prefetch: int

    def sender(self, user: PublisherUser, /) -> AmqpPublisher:
        return AmqpPublisher(self.key, self.topology, user)

    def intake(self, user: ConsumerUser, /) -> AmqpConsumer:
        return AmqpConsumer(self.key, self.topology, self.prefetch, user)


_PATIENCE: Final = 10.0  # seconds for a server to answer, if the caller has more
_GRACE: Final = 5.0  # seconds that a server may be without a connection to the broker
_LONGEST: Final = 200  # bytes of a name, so that routing keys have no more than 255
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_OWN: Final = ("address", "exchange_name", "client_id", "hosts", "shared", "delivery_limit", "prefetch")
_NUMBERS: Final = {"delivery_limit": 1000, "prefetch": 65535}
_DELIVERY_LIMIT: Final = 10
_PREFETCH: Final = 32

_SESSIONS: Final = ConnectorGuarantees(between_machines=True, many_servers=True, notices_death="heartbeat")
_SHARED: Final = replace(_SESSIONS, delivers="at least once", calls_back=False, stores=True)


class _ByMode:
    """The class's guarantees are those of sessions; a connector's are those of its mode."""

    def __get__(self, connector: RmqConnector | None, kind: type[RmqConnector]) -> ConnectorGuarantees:
        return _SHARED if connector is not None and connector.shared else _SESSIONS


@dataclass(frozen=True, slots=True)
class RmqConnector(Connector):
    """Links over a RabbitMQ broker, AMQP 0-9-1. Extra ``rmq`` (aiormq).

    Each client has a conversation of its own with one server, and all promises hold, in both directions:
    when the broker restarts, or a connection breaks, sessions go on by another one. Several servers may
    serve one address; each new client gets one of them, in turn, and comes back to that one. All queues are
    transient and go with the connections that have them.

    Connectors of one URL, name and exchange share a connection, in each event loop.

    Args:
        url: of the broker: ``amqp://user:password@host:port/vhost``, ``amqps://...`` for TLS. Its query may
            have aiormq's options: ``heartbeat`` (seconds, 60), ``timeout``, ``auth``, and for TLS
            ``cafile``, ``capath``, ``cadata``, ``certfile``, ``keyfile``, ``no_verify_ssl``.
        address: clients and servers find each other by it; text of 1 to 200 bytes.
        client_id: what the broker's management calls this connection; by default, the process's number.
        exchange_name: the direct exchange that carries all messages. One that is not there is made, and
            goes with the last queue bound to it; one that is there must be auto-delete. By default
            ``amq.direct``, which every broker has.
        password: the user's, instead of in the URL. By default ``guest``.
        ssl: an ``ssl.SSLContext`` for amqps, instead of options of the URL.
        authkey: a shared secret for a mutual challenge, or None. Sessions only.
        hosts: other nodes of the broker's cluster, each ``"host"`` or ``"host:port"``: tried in this order
            when the one in the URL, and the ones before, cannot be reached.
        shared: True: a shared inbox, and no sessions. All requests and throws go to one durable quorum queue,
            from which any number of servers take them, each whatever is next when it is free. They are
            handled at least once, also when no server is up yet. Servers cannot call clients.
        delivery_limit: of a shared inbox: how often a message may come back, from servers that died or closed
            while they had it, before it is put aside in a queue of dead letters. All who use an inbox give
            the same number.
        prefetch: of a shared inbox: how many messages a server has in hand at a time.

    Attributes:
        url: without the password.

    Raises:
        ValueError: one of them is malformed. The message does not hold the password.

    ``connect`` and ``listen`` also raise FeatureNotAvailable, if aiormq is not installed. ``load_state``
    takes ``password=``, ``ssl=`` and ``authkey=``: a URL holds none of them.
    """

    scheme: ClassVar[str] = "amqp"
    guarantees: ClassVar[ConnectorGuarantees] = cast(ConnectorGuarantees, _ByMode())

    url: str
    address: str
    client_id: str | None = None
    exchange_name: str | None = None
    password: str | None = field(default=None, repr=False, kw_only=True)
    ssl: SSLContext | None = field(default=None, repr=False, kw_only=True)
    authkey: bytes | None = field(default=None, repr=False, kw_only=True)
    hosts: tuple[str, ...] = field(default=(), kw_only=True)
    shared: bool = field(default=False, kw_only=True)
    delivery_limit: int = field(default=_DELIVERY_LIMIT, kw_only=True)
    prefetch: int = field(default=_PREFETCH, kw_only=True)

    def __post_init__(self) -> None:
        where, password, _ = BrokerUrl.parse(self.url)
        if password is not None and self.password not in (None, password):
            raise ValueError("a password in the URL, and another one as password=")
        object.__setattr__(self, "url", where.text())
        object.__setattr__(self, "password", self.password if password is None else password)
        if self.password is not None and not isinstance(self.password, str):
            raise TypeError(f"password must be a str, not {type(self.password).__name__}")
        _check_name("an address", self.address)
        if self.client_id is not None:
            _check_name("client_id", self.client_id)
        if self.exchange_name is not None:
            _check_name("exchange_name", self.exchange_name)
        if self.ssl is not None and not isinstance(self.ssl, SSLContext):
            raise TypeError(f"ssl must be an ssl.SSLContext, not {type(self.ssl).__name__}")
        if self.ssl is not None and where.scheme != "amqps":
            raise ValueError("ssl= is for amqps:// URLs")
        check_authkey(self.authkey)
        self._check_shared()
        object.__setattr__(self, "hosts", tuple(self.hosts))
        for host in self.hosts:
            where.at(host)

    def _check_shared(self) -> None:
        if not isinstance(self.shared, bool):
            raise TypeError(f"shared is a bool, not {self.shared!r}")
        for name, most in _NUMBERS.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value <= most:
                raise ValueError(f"{name} is a number from 1 to {most}, not {value!r}")
        if not self.shared and (self.delivery_limit, self.prefetch) != (_DELIVERY_LIMIT, _PREFETCH):
            raise ValueError("delivery_limit and prefetch are for shared=True")
        if self.shared and self.authkey is not None:
            raise ValueError(
                "authkey is for sessions, and a shared inbox has none: keep strangers out of the vhost"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        if self.ssl is not None:
            raise TypeError(
                "an SSLContext cannot be pickled: send dump_state() instead, "
                "and give ssl= and password= to load_state() at the other end"
            )
        kept = {"password": self.password, "authkey": self.authkey}
        return _rebuild, (type(self), self.dump_state(), kept)

    def inbox(self) -> SharedInbox | None:
        if not self.shared:
            return None
        return AmqpInbox(self._key(), Topology(self.address, self.delivery_limit), self.prefetch)

    async def connect(self, receiver: LinkReceiver) -> Link:
        self._needs_links()
        try:
            return await self._request(receiver, address_key(self.address), "")
        except LinkRefused as exc:
            raise LinkRefused(f"nobody serves {self.dump_state()}") from exc

    async def connect_again(self, receiver: LinkReceiver, broken: Link) -> Link:
        if not isinstance(broken, AmqpLink):
            return await self.connect(receiver)
        try:
            return await self._request(receiver, server_key(broken.server), broken.server)
        except LinkRefused as exc:
            if broken.process is not None and not broken.process.alive:
                raise LinkRefused(f"the server's process {broken.process.pid} has ended") from exc
            # It may have lost its connection to the broker, and be about to come back.
            now = asyncio.get_running_loop().time()
            if broken.away_since is None:
                broken.away_since = now
            if now - broken.away_since > _GRACE:
                raise LinkRefused(f"the server has been away from the broker for {_GRACE:.0f} s") from exc
            raise LinkError("the server has no connection to the broker, for now") from exc

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        self._needs_links()
        listener = AmqpListener(self._key(), self.address, self.dump_state(), accept)
        await listener.open()
        return listener

    def dump_state(self) -> str:
        names: dict[str, str | None] = {
            "address": self.address,
            "exchange_name": self.exchange_name,
            "client_id": self.client_id,
            "hosts": ",".join(self.hosts) or None,
        }
        if self.shared:
            names |= {
                "shared": "true",
                "delivery_limit": f"{self.delivery_limit}",
                "prefetch": f"{self.prefetch}",
            }
        where, _, _ = BrokerUrl.parse(self.url)
        return where.text(more={name: value for name, value in names.items() if value is not None})

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        where, password, names = BrokerUrl.parse(text, _OWN)
        if "address" not in names:
            raise ValueError(f"{where.text()} lacks the option address=")
        named: dict[str, Any] = {**names, **secrets}
        if "hosts" in names:
            named["hosts"] = names["hosts"].split(",")
        if "shared" in names:
            if names["shared"] not in ("true", "false"):
                raise ValueError(f"shared= is true or false, not {names['shared']!r}")
            named["shared"] = names["shared"] == "true"
        for name in _NUMBERS.keys() & names.keys():
            if not (names[name].isascii() and names[name].isdecimal()):
                raise ValueError(f"{name}= is a number, not {names[name]!r}")
            named[name] = int(names[name])
        return cls(where.text(password), **named)

    def _key(self) -> BrokerKey:
        where, _, _ = BrokerUrl.parse(self.url)
        name = self.client_id or f"communica_like {os.getpid()}"
        others = tuple(where.at(host) for host in self.hosts)
        return BrokerKey(where, self.password, self.ssl, name, self.exchange_name or "", others)

    def _needs_links(self) -> None:
        if self.shared:
            raise LinkError("a shared inbox has no links: entities use inbox() instead")

    async def _request(self, receiver: LinkReceiver, key: str, server: str) -> Link:
        broker = await acquire(self._key())
        link = AmqpLink(broker, TO_SERVER, secrets.token_bytes(16))
        link.receiver = nobody = _Nobody()
        try:
            broker.connection.publisher(key, mandatory=True).publish(
                HEADER.pack(KNOCK, TO_SERVER, link.key[1:], 0), broker.introduction(server).encode()
            )
            link.receiver = receiver
            async with asyncio.timeout(_PATIENCE):
                await link.opened
        except BaseException as exc:
            link.receiver = nobody
            link.abort()
            await asyncio.shield(nobody.gone)
            if isinstance(exc, TimeoutError):
                raise LinkError(f"no answer from a server at {broker.place} in {_PATIENCE:.0f} s") from exc
            raise
        return link


class _Nobody:
    """The receiver of a link that its client does not have yet, or will not get."""

    def __init__(self) -> None:
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        """Nobody reads it."""

    def link_writable(self) -> None:
        """Nobody writes."""

    def link_broken(self, error: Exception | None) -> None:
        self.gone.set_result(None)


def _rebuild(kind: type[RmqConnector], url: str, kept: dict[str, Any]) -> RmqConnector:
    return kind.load_state(url, **kept)


def _check_name(what: str, name: Any) -> None:
    if not isinstance(name, str) or not name or _CONTROL.search(name):
        raise ValueError(f"{what} is non-empty text without control characters, not {name!r}")
    check_text(what, name)
    if len(name.encode()) > _LONGEST:
        raise ValueError(f"{what} has at most {_LONGEST} bytes; {name!r} has {len(name.encode())}")
