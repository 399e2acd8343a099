"""The messages of a shared inbox: AMQP messages with properties, which the broker's tools show.

=================  =======================================================================================
``type``           ``request`` or ``throw``
body               the data, as the serializer dumped it
``message_id``     the idempotency key
``correlation_id`` the message's id: the client's token, a dot, and a number
``reply_to``       of requests: the routing key of the client's queue for responses
``app_id``         the client's id
``expiration``     milliseconds after which the broker drops the message
headers            ``route``; ``client``: its token; ``deadline``: milliseconds since 1970; ``again``: true
                   if the message was published before
=================  =======================================================================================

Responses have no properties. Several travel in one message, each with the request's number, a kind and a
size.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from struct import Struct
from typing import Any, Final, NamedTuple

from ....abc.inbox import Message
from ....features import optional_package

_REPLIES: Final = "communica_like.replies."
_REPLY_HEAD: Final = Struct("!QBI")  # the request's number, a kind, the size of what follows
_BARE_SIZE: Final = 14  # bytes: class, weight, size of the body, no flags
_MAX_EXPIRATION: Final = (1 << 31) - 1  # milliseconds, as the broker takes them
_MAX_DEADLINE: Final = (1 << 63) - 1  # milliseconds since 1970, as a header holds them


class Received(NamedTuple):
    """A message out of an inbox.

    Attributes:
        message: what was sent.
        ident: the message's id, which its copies share.
        reply_to: the routing key for the response; empty: none is wanted.
        copy: whether the client had published it before.
        deliveries: how often the broker had delivered it before; None: unknown.
    """

    message: Message
    ident: str
    reply_to: str
    copy: bool
    deliveries: int | None


def encode(message: Message, token: str, reply_to: str, now: float, *, again: bool) -> bytes:
    """Return a message's properties, as the payload of a content header.

    Args:
        token: the client's.
        reply_to: the routing key for the client's responses.
        now: seconds since 1970.
    """
    headers: dict[str, Any] = {"route": message.route.decode(), "client": token}
    expiration = None
    if message.expires is not None:
        headers["deadline"] = int(min(message.expires * 1000, _MAX_DEADLINE))
        expiration = str(max(0, int(min((message.expires - now) * 1000, _MAX_EXPIRATION))))
    if again:
        headers["again"] = True
    properties = _pamqp("commands").Basic.Properties(
        headers=headers,
        delivery_mode=2,
        correlation_id=f"{token}.{message.ident}",
        reply_to=reply_to if message.wants_answer else None,
        expiration=expiration,
        message_id=message.key,
        message_type="request" if message.wants_answer else "throw",
        app_id=message.client_id,
    )
    content: bytes = _pamqp("header").ContentHeader(0, len(message.body), properties).marshal()
    return content


def decode(content: bytes, body: bytes) -> Received:
    """Return the message with these properties, see ``encode``, and this body.

    Raises:
        ValueError: the properties are malformed, or of another program.
    """
    header = _pamqp("header").ContentHeader()
    try:
        header.unmarshal(content)
    except Exception as exc:
        raise ValueError(f"properties that cannot be read: {exc!r}") from exc
    its = header.properties
    headers = its.headers or {}
    route, deadline = headers.get("route"), headers.get("deadline")
    count = headers.get("x-delivery-count")
    number = (its.correlation_id or "").rpartition(".")[2]
    if (
        its.message_type not in ("request", "throw")
        or not isinstance(route, str)
        or not (deadline is None or isinstance(deadline, int))
        or not (number.isascii() and number.isdecimal() and 0 < int(number) < 1 << 64)
        or (its.message_type == "request" and not (its.reply_to or "").startswith(_REPLIES))
    ):
        raise ValueError(f"a message of another program: type {its.message_type!r}, {len(body)} bytes")
    wants_answer = its.message_type == "request"
    key, client_id = its.message_id or its.correlation_id, its.app_id or ""
    expires = None if deadline is None else deadline / 1000
    message = Message(int(number), wants_answer, route.encode(), body, key, client_id, expires)
    reply_to = its.reply_to if wants_answer else ""
    deliveries = count if isinstance(count, int) else None
    return Received(message, its.correlation_id, reply_to, bool(headers.get("again")), deliveries)


def reply_key(token: str) -> str:
    """Return the routing key for a client's responses."""
    return _REPLIES + token


def reply(ident: int, kind: int, body: bytes) -> bytes:
    """Return a response as bytes, to be joined with others into a message's body."""
    return _REPLY_HEAD.pack(ident, kind, len(body)) + body


def has_properties(content: bytes) -> bool:
    """Return whether a content header, of which this is the payload, has properties."""
    return len(content) > _BARE_SIZE


def replies(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield a message's responses: the request's number, a kind, and a body.

    Raises:
        ValueError: a response is cut short.
    """
    start = 0
    while start < len(data):
        if len(data) - start < _REPLY_HEAD.size:
            raise ValueError("a response that ends too early")
        number, kind, size = _REPLY_HEAD.unpack_from(data, start)
        start += _REPLY_HEAD.size
        if len(data) - start < size:
            raise ValueError("a response that ends too early")
        yield number, kind, data[start : start + size]
        start += size


def largest_message(reason: str) -> int | None:
    """Return the broker's limit of a message in bytes, or None.

    Args:
        reason: why it closed a channel: nothing else reveals the limit.
    """
    found = re.search(r"message size \d+ is larger than configured max size (\d+)", reason)
    return int(found[1]) if found else None


@functools.cache
def _pamqp(name: str) -> Any:
    return optional_package(f"pamqp.{name}", "rmq")
