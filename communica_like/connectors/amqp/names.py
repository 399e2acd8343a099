"""Names at a broker: which ones are accepted, and what an address's queues and exchanges are called."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any, Final

from ..url import check_text

_MAX_NAME: Final = 200  # bytes, so that routing keys have no more than 255
MAX_EXCHANGE: Final = 127  # characters that aiormq takes in the name of an exchange

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
# What aiormq's frames take in the name of a queue or an exchange.
_PLAIN: Final = re.compile(r"[a-zA-Z0-9_.:@#,/+ -]*")
_READABLE: Final = 60  # characters of an address that are kept beside its digest


def check_name(what: str, name: Any) -> None:
    """Raise ValueError unless *name* is 1 to 200 bytes, and no control characters."""
    if not isinstance(name, str) or not name or _CONTROL.search(name):
        raise ValueError(f"{what} is non-empty text without control characters, not {name!r}")
    check_text(what, name)
    if len(name.encode()) > _MAX_NAME:
        raise ValueError(f"{what} has at most {_MAX_NAME} bytes; {name!r} has {len(name.encode())}")


def check_exchange(name: Any) -> None:
    """Raise ValueError unless *name* can be the name of an exchange."""
    if not isinstance(name, str) or not 0 < len(name) <= MAX_EXCHANGE or not _PLAIN.fullmatch(name):
        raise ValueError(
            f"exchange_name has 1 to {MAX_EXCHANGE} letters, digits, spaces or _.:@#,/+-, unlike {name!r}"
        )


def broker_name(prefix: str, address: str, longest: int = _MAX_NAME) -> str:
    """Return *prefix* and the address, or a digest of one of more than *longest* characters, or odd ones."""
    if len(address) <= longest and _PLAIN.fullmatch(address):
        return prefix + address
    readable = "".join(char if _PLAIN.fullmatch(char) else "_" for char in address[:_READABLE])
    return f"{prefix}{readable}#{blake2b(address.encode(), digest_size=16).hexdigest()}"


def address_key(address: str) -> str:
    """Return the name, and the routing key, of the queue of an address."""
    return broker_name("communica_like.address.", address)


def server_key(server: str) -> str:
    """Return the routing key of one server."""
    return f"communica_like.server.{server}"
