"""RmqConnector: sessions between processes that reach the same RabbitMQ broker."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Final

from ...abc import ConnectorGuarantees, Link, LinkReceiver, Listener
from ...exceptions import LinkError, LinkRefused
from .broker_connector import BrokerConnector
from .connection import acquire
from .link import AmqpLink
from .link_messages import CONNECT, HEADER, TO_SERVER
from .listener import AmqpListener
from .names import address_key, server_key

_ACCEPT_TIMEOUT: Final = 10.0  # seconds for a server to answer, if the caller has more
_RETURN_TIMEOUT: Final = 5.0  # seconds that a server may be without a connection to the broker


@dataclass(frozen=True, slots=True)
class RmqConnector(BrokerConnector):
    """Links over a RabbitMQ broker, AMQP 0-9-1, for sessions. Extra ``rmq`` (aiormq).

    Each client has a session with one server, and all promises hold, in both directions: when the broker
    restarts, or a connection breaks, sessions resume over another connection. Several servers may serve one
    address. Each new client gets one of them, in turn, and comes back to it. All queues are transient: the
    broker removes them with the connections that declared them.

    Connectors of one URL, client_id and exchange share a connection in each event loop.

    Args:
        url: the broker's: ``amqp://user:password@host:port/vhost``, or ``amqps://...`` for TLS. User,
            password, vhost and options are percent-encoded. Without them: user and password ``guest``, port
            5672 or, for amqps, 5671, and the vhost ``/``. The query may have aiormq's options: ``heartbeat``
            (seconds, 60), ``timeout``, ``auth``, and for TLS ``cafile``, ``capath``, ``cadata``,
            ``certfile``, ``keyfile``, ``no_verify_ssl``.
        address: the name that clients and servers meet by: text of 1 to 200 bytes of UTF-8, without control
            characters.
        client_id: what the broker's management calls this connection, 1 to 200 bytes. By default
            ``communica_like`` and the process's id.
        exchange_name: the direct exchange that carries all messages, 1 to 127 letters, digits, spaces or
            ``_.:@#,/+-``. A missing one is declared, auto-delete: the broker removes it with the last queue
            bound to it. An existing one must be auto-delete. By default ``amq.direct``, which every broker
            has.
        password: the user's password, instead of in the URL.
        ssl: an ``ssl.SSLContext`` for amqps, instead of options of the URL.
        hosts: other nodes of the broker's cluster, each ``"host"`` or ``"host:port"``, tried in this order
            when the one in the URL, and the ones before, cannot be reached.
        authkey: a shared secret for a mutual challenge, or None.

    Attributes:
        url: the broker's URL without the password.

    Raises:
        ValueError: an argument is malformed. The message does not hold the password.
        TypeError: password, ssl, hosts or authkey is of another type.

    ``connect`` and ``listen`` also raise FeatureNotAvailable if aiormq is not installed. ``dump_state`` gives
    ``amqp://user@host:port/vhost?address=name`` with the other options that were given. ``load_state`` takes
    ``password=``, ``ssl=`` and ``authkey=``, none of which a URL holds.
    """

    scheme: ClassVar[str] = "amqp"
    guarantees: ClassVar[ConnectorGuarantees] = ConnectorGuarantees(
        between_machines=True, many_servers=True, notices_death="heartbeat"
    )

    authkey: bytes | None = field(default=None, repr=False, kw_only=True)

    async def connect(self, receiver: LinkReceiver) -> Link:
        try:
            return await self._request(receiver, address_key(self.address))
        except LinkRefused as exc:
            raise LinkRefused(f"no server at {self.dump_state()}") from exc

    async def connect_again(self, receiver: LinkReceiver, broken: Link) -> Link:
        if not isinstance(broken, AmqpLink):
            return await self.connect(receiver)
        try:
            return await self._request(receiver, server_key(broken.server))
        except LinkRefused as exc:
            if broken.process is not None and not broken.process.alive:
                raise LinkRefused(f"the server's process {broken.process.pid} has ended") from exc
            # The server may have lost its own connection to the broker, and be about to come back.
            now = asyncio.get_running_loop().time()
            broken.away_since = broken.away_since or now
            if now - broken.away_since > _RETURN_TIMEOUT:
                text = f"the server left the broker more than {_RETURN_TIMEOUT:.0f} s ago"
                raise LinkRefused(text) from exc
            raise LinkError("the server has no connection to the broker, for now") from exc

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        listener = AmqpListener(self._key(), self.address, self.dump_state(), accept)
        await listener.open()
        return listener

    async def _request(self, receiver: LinkReceiver, key: str) -> Link:
        """Ask for a link at a routing key; return the link when a server has accepted it."""
        connection = await acquire(self._key())
        link = AmqpLink(connection, TO_SERVER, secrets.token_bytes(16))
        link.receiver = receiver
        try:
            header = HEADER.pack(CONNECT, TO_SERVER, link.key[1:], 0)
            connection.publisher(key, mandatory=True).publish(header, connection.identity.encode())
            async with asyncio.timeout(_ACCEPT_TIMEOUT):
                await link.opened
        except BaseException as exc:
            await asyncio.shield(link.withdraw())
            if isinstance(exc, TimeoutError):
                text = f"no answer from a server at {connection.url.place} in {_ACCEPT_TIMEOUT:.0f} s"
                raise LinkError(text) from exc
            raise
        return link
