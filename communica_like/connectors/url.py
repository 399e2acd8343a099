"""The URL forms of connectors.

==========  ===========================================  ===============================
connector   URL                                          holds
==========  ===========================================  ===============================
Tcp         ``tcp://host:port``, ``tcp://[::1]:port``    host name or address, port
Local       ``local://name``, ``local:///path/to.sock``  name, or absolute path
Manager     ``manager://name``, ``manager:///path``      name, or absolute path
Manager     ``manager://host:port``                      host name or address, port
Memory      ``memory://name``                            name
PosixMQ     ``posixmq:///name``                          name of the doorbell, with its slash
SysV        ``sysv://1234``                              key of the doorbell
Fifo        ``fifo:///path/to/pipe``                     absolute path of the doorbell
Rmq         ``amqp://user@host:port/vhost?address=a``    broker, address and options
RmqInbox    ``amqp+inbox://user@host:port/vhost?...``    the same
Stdio       ``stdio://python%20worker.py``               command, quoted as for a shell
Stdio       ``stdio://-``                                nothing: the child's own
==========  ===========================================  ===============================

URLs are ASCII: other characters are percent-encoded UTF-8 (RFC 3986). They hold no secrets.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote, unquote

__all__ = ["check_authkey", "check_text", "join_url", "split_url"]

_BROKEN_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


def join_url(scheme: str, rest: str, safe: str = "") -> str:
    """Return ``scheme://rest`` with *rest* percent-encoded, but for the characters in *safe*."""
    return f"{scheme}://{quote(rest, safe=safe)}"


def split_url(text: str, scheme: str) -> str:
    """Return the decoded part after ``scheme://``.

    Raises:
        ValueError: it is no such URL; the message says what was found.
    """
    if not isinstance(text, str):
        raise ValueError(f"a connector's URL is a str, not {type(text).__name__}: {text!r}")
    found, separator, rest = text.partition("://")
    if not separator:
        raise ValueError(f"no connector's URL, which would be {scheme}://..., but {text!r}")
    if found != scheme:
        raise ValueError(f"the URL of another connector: {scheme}:// is expected, {found}:// is in {text!r}")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"a URL with characters that should be percent-encoded: {text!r}")
    if not rest:
        raise ValueError(f"a URL with nothing after {scheme}://")
    if _BROKEN_PERCENT.search(rest):
        raise ValueError(f"a URL with a % that encodes nothing: {text!r}")
    try:
        return unquote(rest, errors="strict")
    except UnicodeDecodeError as exc:
        raise ValueError(f"a URL whose percent-encoding is not UTF-8: {text!r}") from exc


def check_text(what: str, text: str) -> None:
    """Raise ValueError if *text* has no UTF-8, and so no place in a URL: it has a lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise ValueError(f"{what} must be text that UTF-8 can hold, not {text!r}") from exc


def check_authkey(authkey: Any) -> None:
    """Raise TypeError or ValueError unless it is None or non-empty bytes."""
    if authkey is None:
        return
    if not isinstance(authkey, bytes):
        raise TypeError(f"authkey must be bytes, not {type(authkey).__name__}")
    if not authkey:
        raise ValueError("an empty authkey protects nothing; None says that none is wanted")
