"""The URL forms of connectors.

==========  ===========================================  ===============================
connector   URL                                          holds
==========  ===========================================  ===============================
Tcp         ``tcp://host:port``, ``tcp://[::1]:port``    host name or address, port
Local       ``local://name``, ``local:///path/to.sock``  name, or absolute path
Manager     ``manager://name``, ``manager:///path``      name, or absolute path
Manager     ``manager://host:port``                      host name or address, port
Memory      ``memory://name``                            name
PosixMQ     ``posixmq:///name``                          name of the server's queue, with its slash
SysV        ``sysv://1234``                              key of the server's queue
Fifo        ``fifo:///path/to/pipe``                     absolute path of the server's pipe
Rmq         ``amqp://user@host:port/vhost?address=a``    broker, address and options
RmqInbox    ``amqp+inbox://user@host:port/vhost?...``    the same
Stdio       ``stdio://python%20worker.py``               command, quoted as for a shell
Stdio       ``stdio://-``                                nothing: the child's own
==========  ===========================================  ===============================

URLs are ASCII: other characters are percent-encoded UTF-8 (RFC 3986). They hold no secrets. Connectors build
and parse them with the functions of this module, and check their arguments with others.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Final
from urllib.parse import quote, unquote

_BROKEN_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NOT_IN_HOSTS: Final = re.compile(r"[/?#@\[\]\s\x00-\x1f\x7f]")
_HOST_AND_PORT: Final = re.compile(r"(?:[a-z]+://)?(?:\[([^][]+)\](?::([0-9]+))?|([^][/:]+):([0-9]+))")


def join_url(scheme: str, rest: str, safe: str = "") -> str:
    """Return ``scheme://rest``, with *rest* percent-encoded except for *safe*."""
    return f"{scheme}://{quote(rest, safe=safe)}"


def split_url(text: str, scheme: str) -> str:
    """Return the decoded part of *text* after ``scheme://``.

    Raises:
        ValueError: *text* is no URL of this scheme. The message says what was found.
    """
    if not isinstance(text, str):
        raise ValueError(f"a connector's URL is a str, not {type(text).__name__}: {text!r}")
    found, separator, rest = text.partition("://")
    if not separator:
        raise ValueError(f"{text!r} is not a connector's URL: {scheme}://... is expected")
    if found != scheme:
        raise ValueError(f"the URL of another connector: {scheme}:// is expected, not {text!r}")
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


def join_host_port(host: str, port: object) -> str:
    """Return ``host:port``, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_host_port(rest: str, url: str) -> tuple[str, int]:
    """Return host and port from *rest*, the decoded part of *url* after its scheme.

    Raises:
        ValueError: *rest* is not ``host:port``.
    """
    host, _, port = rest.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"an IPv6 address belongs in brackets, in {url!r}")
    if not host or not port.isdecimal() or not port.isascii():
        raise ValueError(f"{url.partition(':')[0]}://host:port is expected; found {url!r}")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Return whether *host* is a loopback address, or ``localhost``."""
    address = _address(host.partition("%")[0])
    return host == "localhost" if address is None else address.is_loopback


def check_host(host: Any, call: str) -> None:
    """Raise ValueError unless *host* is a name or an address without a port.

    Args:
        call: the connector's call for a host and a port, which the message shows, as a format string.
    """
    if not isinstance(host, str) or not host:
        raise ValueError(f"host must be a name or address, not {host!r}; for all addresses: '0.0.0.0'")
    check_text("host", host)
    if _NOT_IN_HOSTS.search(host) or (":" in host and _address(host) is None):
        found = _HOST_AND_PORT.fullmatch(host)
        hint = ""
        if found:
            name, port = found[1] or found[3], found[2] or found[4] or "port"
            hint = f": the call is {call.format(repr(name), port)}"
        raise ValueError(f"host must be a name or address without brackets and port, not {host!r}{hint}")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def check_text(what: str, text: str) -> None:
    """Raise ValueError if *text* has a lone surrogate, which UTF-8 cannot encode."""
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise ValueError(f"{what} must be text that UTF-8 can hold, not {text!r}") from exc


def check_authkey(authkey: Any) -> None:
    """Raise TypeError or ValueError unless *authkey* is None or non-empty bytes."""
    if authkey is None:
        return
    if not isinstance(authkey, bytes):
        raise TypeError(f"authkey must be bytes, not {type(authkey).__name__}")
    if not authkey:
        raise ValueError("an empty authkey protects nothing; None stands for no authkey")
