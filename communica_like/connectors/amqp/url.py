"""The URL of an AMQP broker, taken apart: what is no secret, and the password."""

from __future__ import annotations

import re
from typing import Final, NamedTuple, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

__all__ = ["PORTS", "BrokerUrl"]

PORTS: Final = {"amqp": 5672, "amqps": 5671}
"""The schemes, and the port of each."""

_OPTIONS: Final = (
    "heartbeat",
    "timeout",
    "auth",
    "cafile",
    "capath",
    "cadata",
    "certfile",
    "keyfile",
    "no_verify_ssl",
)
_NUMBERS: Final = ("heartbeat", "timeout")
_NOT_IN_HOSTS: Final = re.compile(r"[/?#@\[\]\s\x00-\x1f\x7f]")
_FORM: Final = "amqp://user:password@host:port/vhost is expected"


class BrokerUrl(NamedTuple):
    """Where a broker is, and as whom one comes to it. It holds no secret.

    Attributes:
        scheme: "amqp" or, for TLS, "amqps".
        user: its name.
        host, port: a host name or address without brackets, and a port.
        vhost: the virtual host's name; "/" is the default one.
        options: what the query holds, in the order of their names.
    """

    scheme: str
    user: str
    host: str
    port: int
    vhost: str
    options: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str, more: tuple[str, ...] = ()) -> tuple[Self, str | None, dict[str, str]]:
        """Return the URL, its password, and those of the options *more* that it has.

        Raises:
            ValueError: it is malformed. The message does not hold the password.
        """
        if not isinstance(text, str):
            raise ValueError(f"a broker's URL is a str, not {type(text).__name__}")
        scheme = text.partition("://")[0]
        if scheme not in PORTS:
            found = (
                f"the scheme {scheme!r}" if re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme) else "something else"
            )
            raise ValueError(f"{_FORM}, or amqps://...; found is {found}")
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("a broker's URL with characters that should be percent-encoded")
        if re.search(r"%(?![0-9A-Fa-f]{2})", text):
            raise ValueError("a broker's URL with a % that encodes nothing")
        try:
            split = urlsplit(text)
            host, port = split.hostname or "", split.port or PORTS[scheme]
            user, password = _decoded(split.username), _decoded(split.password)
            vhost = _decoded(split.path.removeprefix("/")) or "/"
            query = parse_qsl(split.query, keep_blank_values=True, strict_parsing=True) if split.query else []
        except ValueError:
            # From here, for what is wrong may be next to the password, or a part of it.
            raise ValueError(f"{_FORM}; this one cannot be taken apart") from None
        if not host or _NOT_IN_HOSTS.search(host) or split.fragment or "/" in split.path[1:]:
            raise ValueError(f"{_FORM}; a / in a name is written as %2F")
        return cls._checked(scheme, user or "guest", host, port, vhost, query, password, more)

    @classmethod
    def _checked(
        cls,
        scheme: str,
        user: str,
        host: str,
        port: int,
        vhost: str,
        query: list[tuple[str, str]],
        password: str | None,
        more: tuple[str, ...],
    ) -> tuple[Self, str | None, dict[str, str]]:
        options = dict(query)
        if len(options) < len(query):
            raise ValueError("a broker's URL with an option that is there twice")
        extra = {name: options.pop(name) for name in more if name in options}
        for name, value in options.items():
            if name not in _OPTIONS:
                raise ValueError(f"a broker's URL has no option {name!r}; it may have {', '.join(_OPTIONS)}")
            if name in _NUMBERS and not (value.isascii() and value.isdecimal() and int(value) < 65535):
                raise ValueError(f"{name} is a number of seconds, not {value!r}")
        return cls(scheme, user, host, port, vhost, tuple(sorted(options.items()))), password, extra

    def at(self, place: str) -> Self:
        """Return the same at another node, ``"host"`` or ``"host:port"``.

        Raises:
            ValueError: it is no such thing.
        """
        if not isinstance(place, str) or not place or "@" in place or "," in place:
            raise ValueError("a host of a cluster is written 'host' or 'host:port'")
        other, _, _ = self.parse(f"{self.scheme}://{place}/")
        return self._replace(host=other.host, port=other.port)

    @property
    def place(self) -> str:
        """Host and port, as text."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def text(self, password: str | None = None, more: dict[str, str] | None = None) -> str:
        """Return the URL as text.

        Args:
            password: put into it; the text is a secret then.
            more: options that it gets beside its own.
        """
        secret = "" if password is None else f":{quote(password, safe='')}"
        pairs = [*(more or {}).items(), *self.options]
        query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in pairs)
        vhost = "" if self.vhost == "/" else quote(self.vhost, safe="")
        url = f"{self.scheme}://{quote(self.user, safe='')}{secret}@{self.place}/{vhost}"
        return f"{url}?{query}" if query else url


def _decoded(text: str | None) -> str | None:
    return None if text is None else unquote(text, errors="strict")
